"""Other overlays of slapd above and below b2b: guests and policy are written and judged as without
them, and nobody waits for anybody for ever."""

import threading

import ldap
import pytest

from lib import builders as b, cnconfig as c
from lib.slapd import poll

MODULES = ("accesslog", "syncprov", "memberof", "ppolicy", "refint")
LINES = """overlay memberof
overlay refint
refint_attributes member b2bSponsor
overlay ppolicy
overlay syncprov
overlay accesslog
logdb cn=log
logops writes
logsuccess TRUE
"""
LOG = """database mdb
suffix cn=log
rootdn cn=admin,cn=log
sizelimit unlimited
directory %s
maxsize 104857600
dbnosync
"""
TEAM = f"cn=team,{b.SUFFIX}"
SECS = 2.0


@pytest.fixture(scope="module", params=["above", "below"])
def server(request, make_server, tmp_path_factory):
    """The five overlays configured after b2b (they run before it) or before it."""
    where = {"above": "b2b", "below": "database"}[request.param]
    server = make_server(b.tenant_server, tenant="b2bReviewInterval: 0", modules=MODULES,
                         databases=LOG % tmp_path_factory.mktemp("log"), **{where: LINES})
    server.load(f"dn: {TEAM}\nobjectClass: groupOfNames\ncn: team\n"
                f"member: {b.member_dn('mia')}\n\n")
    return server


def search_log(server, dn):
    """The writes to an entry that stand in the access log."""
    return server.conn().search_s("cn=log", ldap.SCOPE_SUBTREE, f"(reqDN={dn})")


def test_stack__guest_and_policy(server, fake_home):
    """A partner and a guest are added, the guest signs in (and is thereby redeemed), is made a
    member of a group (memberof writes to it), disabled, renamed and deleted; each write stands in
    the access log; refint takes the guest out of the group; a wrong write is refused."""
    home, dn = fake_home(), b.guest_dn("gina")
    server.load(b.partner_ldif("home", home.uri) + b.guest_ldif("gina"))
    root = server.root()
    guest = server.conn(dn, "x")
    assert server.entry(dn)["b2bUserState"] == ["Accepted"]
    root.modify_s(TEAM, [(ldap.MOD_ADD, "member", [dn.encode()])])
    assert server.entry(dn)["memberOf"] == [TEAM]
    assert guest.search_s(dn, ldap.SCOPE_BASE)

    assert c.code_of(root.modify_s, dn, [(ldap.MOD_REPLACE, "b2bUserType", [b"Robot"])])[0] == 19
    assert c.code_of(root.modify_s, dn, [(ldap.MOD_REPLACE, "userPassword", [b"x"])])[0] == 19
    root.modify_s(dn, [(ldap.MOD_REPLACE, "b2bAccountEnabled", [b"FALSE"])])
    assert c.code_of(guest.whoami_s) == (53, "b2b: disabled")
    root.modify_s(dn, [(ldap.MOD_REPLACE, "b2bAccountEnabled", [b"TRUE"])])
    assert c.code_of(guest.whoami_s) == (0, "")
    root.modify_s(b.partner_dn("home"), [(ldap.MOD_REPLACE, "b2bCollabInUsersAccess", [b"blocked"]),
                                         (ldap.MOD_REPLACE, "b2bCollabInAppsAccess", [b"blocked"])])
    assert c.code_of(guest.whoami_s) == (53, "b2b: inbound-users")
    assert len(search_log(server, dn)) >= 4  # add, redemption, disabled, enabled
    assert len(search_log(server, b.partner_dn("home"))) == 2

    root.delete_s(dn)
    assert c.code_of(guest.whoami_s)[0] == ldap.UNWILLING_TO_PERFORM.errnum
    poll(lambda: dn not in server.entry(TEAM)["member"], 10, "refint takes the guest out")
    root.delete_s(b.partner_dn("home"))


class Writer(threading.Thread):
    """Writes one entry without a pause until it is told to stop."""

    def __init__(self, server, dn, changes, stop):
        super().__init__(daemon=True)
        self.connection = server.root()
        self.dn, self.changes, self.stop_event = dn, changes, stop
        self.done, self.errors = 0, []

    def run(self):
        while not self.stop_event.is_set():
            change = self.changes[self.done % len(self.changes)]
            code, text = c.code_of(self.connection.modify_s, self.dn, change)
            if code:
                self.errors.append((self.dn, code, text))
                return
            self.done += 1


def test_stack__concurrent_writes(server, fake_home):
    """Set-up: threads write two guests, a partner, an application, the tenant entry and a group of
    both guests, while a guest binds and searches.  Expected: every write succeeds and all make
    progress until the end (a deadlock would stop them), then slapd still answers."""
    home = fake_home()
    server.load(b.partner_ldif("home", home.uri) + b.app_ldif("wiki") + b.guest_ldif("hugo")
                + b.guest_ldif("ida"))
    hugo, ida = b.guest_dn("hugo"), b.guest_dn("ida")

    def replace(attr, *values):
        return [[(ldap.MOD_REPLACE, attr, [value])] for value in values]
    both = [(ldap.MOD_ADD, "member", [hugo.encode(), ida.encode()])], \
        [(ldap.MOD_DELETE, "member", [hugo.encode(), ida.encode()])]
    stop = threading.Event()
    writers = [Writer(server, dn, changes, stop) for dn, changes in (
        (hugo, replace("b2bValidUntil", b"20400101000000Z", b"20410101000000Z")),
        (ida, replace("b2bReviewDue", b"20400101000000Z", b"20410101000000Z")),
        (b.partner_dn("home"), replace("b2bTrustMfa", b"TRUE", b"FALSE")),
        (f"cn=wiki,cn=applications,{b.BASE}", replace("description", b"1", b"2")),
        (b.BASE, replace("b2bGuestLifetime", b"10", b"20")),
        (TEAM, both))]
    for writer in writers:
        writer.start()
    guest, rounds = server.open(), 0
    try:
        counts = [0] * len(writers)
        for _ in range(2):
            deadline = threading.Event()
            timer = threading.Timer(SECS / 2, deadline.set)
            timer.start()
            while not deadline.is_set():
                guest.simple_bind_s(hugo, "x")
                assert guest.search_s(hugo, ldap.SCOPE_BASE)
                rounds += 1
            timer.join()
            before, counts = counts, [writer.done for writer in writers]
            assert all(now > then for now, then in zip(counts, before)), (before, counts)
    finally:
        stop.set()
        for writer in writers:
            writer.join(20)
    assert [writer.errors for writer in writers] == [[]] * len(writers)
    assert not any(writer.is_alive() for writer in writers)
    assert rounds > 0
    # the last of each: what the overlay keeps beside it is right, and the log is whole
    assert server.entry(hugo)["b2bNextDue"][0][:4] in ("2040", "2041")
    for writer in writers[:3]:
        assert len(search_log(server, writer.dn)) >= writer.done
    for dn in (hugo, ida, b.partner_dn("home")):
        server.root().delete_s(dn)
