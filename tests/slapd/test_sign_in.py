"""b2bLastSignIn: noted once a day, by every way in, without noise in the entry."""

import ldap
import pytest

from lib import builders as b, mint as m, records, ways
from lib.builders import guest_dn
from lib.cnconfig import code_of
from lib.conditional import container_ldif, policy
from lib.slapd import poll
from lib.stile import Stile, conf as stile_conf
from lib.tokens import Signer

SIGNER = Signer("https://idp.signs.example")
LAST = "b2bLastSignIn"
NOISE = ("modifyTimestamp", "modifiersName")
_count = iter(range(1000))


@pytest.fixture(scope="module")
def server(make_server, home):
    """Guests of home by password, of tokens by token, of codes by mailed code."""
    server = make_server(b.tenant_server, start=False, b2b="b2b-key-file {dir}/key.pem",
                         modules=("accesslog",), databases=b.database_conf(
                             suffix="cn=log", directory="{dir}"),
                         database="overlay accesslog\nlogdb cn=log\nlogops writes\n")
    server.mint = m.Mint(m.key_file(server))
    server.start()
    server.load(container_ldif() + b.partner_ldif("home", home.uri)
                + b.partner_ldif("tokens", lines=SIGNER.partner_lines())
                + b.partner_ldif("codes", lines="b2bIdp: passcode"))
    return server


class Guest:
    """A guest of its own, accepted already, with a last sign-in that is so many seconds ago (None:
    it never came)."""

    def __init__(self, server, tenant="home", ago=None, name=None):
        self.server = server
        self.name = name or f"s{next(_count)}"
        self.dn, self.tenant = guest_dn(self.name), tenant
        subject = {"home": None, "tokens": self.name, "codes": ""}[tenant]
        server.load(b.guest_ldif(self.name, tenant, subject=subject))
        changes = [records.replace("b2bUserState", "Accepted")]
        if ago is not None:
            changes.append(records.replace(LAST, records.ahead(-ago)))
        server.root().modify_ext_s(self.dn, changes, serverctrls=records.RELAX)

    def password(self):
        if self.tenant == "tokens":
            return SIGNER.token(self.name)
        if self.tenant == "codes":
            m.store(self.server, self.server.mint, self.dn, "12345678")
            return "12345678"
        return f"{self.name}-pw"

    def bind(self, way="dn", password=None):
        return ways.WAYS[way](self.server, self.dn, password or self.password())[0]

    def last(self):
        return self.server.entry(self.dn).get(LAST)

    def noted(self):
        return poll(self.last, 20, "the sign-in being noted")


def settle(server):
    """Sign-ins before this one are noted when it is: one job does it in their order."""
    last = Guest(server, "tokens")
    assert last.bind() == 0
    last.noted()


@pytest.mark.parametrize("tenant, way", [("home", "dn"), ("codes", "dn"), ("tokens", "dn"),
                                         ("tokens", "subject"), ("tokens", "bearer")])
def test_sign_in__noted_by_every_way(server, tenant, way):
    """The time of the bind stands in the entry soon after it."""
    guest = Guest(server, tenant, name="alice" if tenant == "home" else None)
    assert not guest.last()
    before = records.seconds(records.ahead(0))
    assert guest.bind(way) == 0
    assert before <= records.seconds(guest.noted()[0]) <= records.seconds(records.ahead(0))


def test_sign_in__quietly(server):
    """modifyTimestamp, modifiersName and everything else stay; entryCSN does not, or no other
    server would learn of it; the access log has the write."""
    guest = Guest(server, "tokens")
    server.conn(b.ROOTDN, b.ROOTPW).modify_s(guest.dn, [records.replace("sn", "Quiet")])
    server.root().modify_ext_s(guest.dn, [records.replace("modifyTimestamp", "20200101000000Z"),
                                          records.replace("modifiersName", b.member_dn("mia"))],
                               serverctrls=records.RELAX)
    before = server.entry(guest.dn)
    assert before["modifyTimestamp"] == ["20200101000000Z"]
    assert guest.bind() == 0
    guest.noted()
    after = server.entry(guest.dn)
    assert {k for k in after if after[k] != before.get(k)} == {LAST, "entryCSN"}
    assert after["entryCSN"][0] > before["entryCSN"][0]
    found = server.conn("cn=admin,cn=log", b.ROOTPW).search_s(
        "cn=log", ldap.SCOPE_SUBTREE, f"(&(reqDN={guest.dn})(reqMod={LAST}*))", ["reqMod"])
    assert len(found) == 1


def test_sign_in__once_a_day(server):
    """Within a day of the last one nothing is written; after it, something is."""
    recent, old = Guest(server, "tokens", ago=86000), Guest(server, "tokens", ago=86500)
    times, csn = (recent.last(), old.last()), server.entry(recent.dn)["entryCSN"]
    for guest in (recent, old, recent, old):
        assert guest.bind() == 0
    settle(server)
    assert recent.last() == times[0] and server.entry(recent.dn)["entryCSN"] == csn
    assert records.seconds(old.last()[0]) > records.seconds(times[1][0]) + 86400
    times, csn = old.last(), server.entry(old.dn)["entryCSN"]
    assert [old.bind() for _ in range(5)] == [0] * 5
    settle(server)
    assert old.last() == times and server.entry(old.dn)["entryCSN"] == csn


def test_sign_in__only_where_let_in(server):
    """Wrong proofs, and right ones that policy denies, are no sign-ins."""
    guest = Guest(server, "tokens")
    assert guest.bind(password=SIGNER.token("somebody-else")) == 49
    with policy(server, f"b2bCaGrant: block\nb2bCaIncludeGuest: {guest.dn}"):
        assert guest.bind() == 53
    settle(server)
    assert not guest.last()


def test_sign_in__beside_the_first_proof(server):
    """The first proof redeems the invitation and is noted too: neither write is lost by the other.
    """
    name = f"s{next(_count)}"
    server.load(b.guest_ldif(name, "tokens", subject=name))
    assert ways.by_dn(server, guest_dn(name), SIGNER.token(name))[0] == 0
    entry = poll(lambda: (e := server.entry(guest_dn(name))).get(LAST) and e, 20, "the note")
    assert entry["b2bUserState"] == ["Accepted"]


def test_sign_in__deleted_meanwhile(server):
    """A guest that is deleted right after its sign-in leaves nothing behind, and no error."""
    mark = server.log_mark()
    for _ in range(10):
        guest = Guest(server, "tokens")
        connection = server.open()
        assert code_of(connection.simple_bind_s, guest.dn, guest.password())[0] == 0
        server.root().delete_s(guest.dn)
    settle(server)
    assert "could not be noted" not in server.log(mark)


def test_sign_in__refused_by_an_overlay(tmp_path):
    """Set-up: another overlay refuses to have the sign-in noted.  Steps: a guest signs in; somebody
    else writes.  Expected: the guest is in, the log says what failed; and what other servers follow
    (contextCSN) goes on with the later write, as if there had been no attempt."""
    stile = Stile(tmp_path / "stile")
    stile.holds.set()
    with b.tenant_server(start=False, sweep=0, modules=("syncprov", "back_sock"),
                         database="overlay syncprov\n",
                         b2b=stile_conf(tmp_path / "stile", "zoe")) as server:
        server.load(b.partner_ldif("tokens", lines=SIGNER.partner_lines()))
        guest, root = Guest(server, "tokens", name="zoe"), server.root()
        stile.answer = b"RESULT\ncode: 53\n\n"
        assert guest.bind() == 0
        server.wait_log(r"the sign-in could not be noted \(53\)")
        root.modify_s(b.member_dn("mia"), [records.replace("description", "later")])
        stamp = server.entry(b.member_dn("mia"))["entryCSN"]
        assert server.entry(b.SUFFIX)["contextCSN"] == stamp and not guest.last()
        stile.stop()


def test_sign_in__read_only(make_server):
    """A server that may not write lets guests in all the same, and notes nothing."""
    server = make_server(b.tenant_server, start=False, convert=True)
    server.start()
    server.load(b.partner_ldif("tokens", lines=SIGNER.partner_lines()))
    guest, config = Guest(server, "tokens"), server.config()
    mark = server.log_mark()
    config.modify_s("olcDatabase={1}mdb,cn=config", [records.replace("olcReadOnly", "TRUE")])
    assert guest.bind() == 0
    config.modify_s("olcDatabase={1}mdb,cn=config", [records.replace("olcReadOnly", "FALSE")])
    assert not guest.last() and "could not be noted" not in server.log(mark)
    assert guest.bind() == 0 and guest.noted()
