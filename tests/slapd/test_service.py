"""Application service accounts: guests that may not use the application do not exist for them, in
searches, counts, replication and errors; members and everybody else are as before."""

import datetime
import ldap
import pytest
import time
from ldap.controls.vlv import VLVRequestControl, VLVResponseControl
from ldap.syncrepl import SyncRequestControl

from lib import builders, eyes
from lib.builders import BASE, GUESTS, PEOPLE, SUFFIX, guest_dn, member_dn, partner_dn, service_dn
from lib.eyes import ONE, SUB, answer, code, control, limited, paged, proxy, seen
from lib.hostile import ber
from lib.slapd import HarnessError

SERVICES = f"ou=services,{SUFFIX}"
MISSING = "uid=nobody-here"


def stamp(secs):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=secs)
    return when.strftime("%Y%m%d%H%M%SZ")


# name of the guest: (home tenant, more lines, which services find it)
CAST = {
    "alice": ("home", "b2bUserState: Accepted", ("wiki", "vault")),
    "pending": ("home", "", ("wiki",)),
    "member-of-group": ("home", "", ("wiki", "vault")),
    "accepted-by-hand": ("manual", "b2bUserState: Accepted", ("wiki",)),
    "unredeemed": ("manual", "", ()),
    "blocked": ("blocked", "b2bUserState: Accepted", ()),
    "not-for-wiki": ("no-wiki", "b2bUserState: Accepted", ()),
    "unknown-partner": ("nobody", "b2bUserState: Accepted", ()),
    "disabled": ("home", "b2bUserState: Accepted", ()),
    "expired": ("home", f"b2bValidUntil: {stamp(-60)}", ()),
    "not-yet": ("home", f"b2bValidFrom: {stamp(86400)}", ()),
    "lapsed": ("home", f"b2bReviewDue: {stamp(-60)}", ()),
    "denied": ("home", "b2bReviewDecision: Deny", ()),
}
HIDDEN = {app: {name for name, (_, _, apps) in CAST.items() if app not in apps}
          for app in ("wiki", "vault")}
FOUND = {app: {name for name, (_, _, apps) in CAST.items() if app in apps}
         for app in ("wiki", "vault")}


def cast_ldif():
    text = "".join(builders.guest_ldif(name, tenant, lines)
                   for name, (tenant, lines, _) in CAST.items())
    off = f"dn: {guest_dn('disabled')}\n"
    at = text.index(off)
    return text[:at] + text[at:].replace("Enabled: TRUE", "Enabled: FALSE", 1)


def policy():
    def halves(apps, target):
        return (f"b2bCollabInUsersAccess: {'blocked' if target == 'AllApplications' else 'allowed'}"
                f"\nb2bCollabInUsersTarget: AllUsers\n"
                f"b2bCollabInAppsAccess: {apps}\nb2bCollabInAppsTarget: {target}")
    return "".join((
        builders.partner_ldif("home"),
        builders.partner_ldif("manual").replace("b2bAutoRedeemIn: TRUE", "b2bAutoRedeemIn: FALSE"),
        builders.partner_ldif("blocked", lines=halves("blocked", "AllApplications")),
        builders.partner_ldif("no-wiki", lines=halves("blocked", "wiki")),
        *(builders.service_ldif(name) for name in ("wiki", "vault", "other")),
        f"dn: cn=vaulters,{SUFFIX}\nobjectClass: groupOfNames\ncn: vaulters\n"
        f"member: {guest_dn('member-of-group')}\nmember: {guest_dn('expired')}\n"
        f"member: {member_dn('mia')}\n\n",
        builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}"),
        builders.app_ldif("vault", f"b2bAppServiceDN: {service_dn('vault')}\n"
                          "b2bAppAssignmentRequired: TRUE\n"
                          f"b2bAppAssignee: {guest_dn('alice')}\n"
                          f"b2bAppAssignee: {guest_dn('disabled')}\n"
                          f"b2bAppAssignee: cn=vaulters,{SUFFIX}"),
    ))


ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to * by dn.exact="{member_dn('mia')}" write by * read
"""


@pytest.fixture(scope="module")
def world(make_server):
    """Guests of each state, two applications.  The guests are loaded by slapadd, so that a test
    may say what only the server writes."""
    server = make_server(builders.tenant_server, start=False, data=policy(), access=ACCESS,
                         modules=("syncprov", "sssvlv", "deref"),
                         database="overlay syncprov\noverlay sssvlv\noverlay deref\n")
    server.load(cast_ldif())
    return server.start()


@pytest.fixture(params=["wiki", "vault"])
def app(request):
    return request.param


def service(server, name):
    return server.conn(service_dn(name), f"{name}-pw")


def guests_in(names):
    return {dn.split(",")[0].removeprefix("uid=") for dn in names if dn.endswith("," + GUESTS)}


# --- what is found ---

def test_finds_whom_it_may_have_by_uid_and_mail(world, app):
    """As a search-then-bind program looks: by uid and by mail, from the suffix and below guests."""
    bound = service(world, app)
    for name in CAST:
        for text in (f"(uid={name})", f"(mail={name}@home.example)", f"(|(uid={name})(mail=x))"):
            for base, scope in ((SUFFIX, SUB), (GUESTS, ONE)):
                found = seen(bound, base, scope, text)
                assert set(found) == ({guest_dn(name)} if name in FOUND[app] else set()), text


def test_everything_else_is_as_before(world, app):
    """Members, policy, services, groups: all that the ACLs give, but for what is about persons
    below the tenant entry (notices, requests); and the account can bind."""
    bound = service(world, app)
    assert bound.whoami_s() == f"dn:{service_dn(app)}"
    everything = set(seen(world.root(), SUFFIX, attrs=("1.1",)))
    hidden = {guest_dn(name) for name in HIDDEN[app]}
    hidden |= {dn for dn in everything if f"cn=outbox,{BASE}" in dn}
    assert hidden < everything and set(seen(bound, SUFFIX)) == everything - hidden
    assert seen(bound, member_dn("mia"), eyes.BASE)[member_dn("mia")]["sn"] == [b"Mia"]


@pytest.mark.parametrize("who", ["mia", "other", "anonymous", "root"])
def test_nobody_else_is_affected(world, who):
    """A member, an account of no application, anonymous and the rootdn find every guest."""
    bound = {"mia": lambda: world.conn(member_dn("mia"), "mia-pw"),
             "other": lambda: service(world, "other"),
             "anonymous": world.conn, "root": world.root}[who]()
    found = seen(bound, SUFFIX)
    assert guests_in(found) == set(CAST)
    assert found[guest_dn("expired")]["b2bhometenant"] == [b"home"]
    assert answer(seen, bound, f"{MISSING},{GUESTS}")[:2] == (32, GUESTS)


FILTERS = ("(objectClass=*)", "(objectClass=b2bGuest)", "(!(uid=x))", "(uid=*)", "(&)", "(!(|))",
           "(!(&(|)(uid=x)))", "(!(:caseIgnoreMatch:=zzz))", "(!(b2bAccountEnabled=TRUE))",
           "(b2bNextDue<=20991231235959Z)", "(!(objectClass=person))", "(entryUUID=*)",
           "(|(uid=disabled)(!(uid=disabled)))", "(hasSubordinates=FALSE)", "(mail=*home*)",
           "(!(b2bHomeTenant=home))", "(b2bDisabledReason=*)", "(:dn:caseIgnoreMatch:=guests)")


@pytest.mark.parametrize("text", FILTERS)
def test_no_filter_finds_or_counts_the_others(world, app, text):
    """Negated, present, absolute true and operational filters: found whole, by pages, and with a
    size limit of just as many: hidden guests are neither found nor counted."""
    bound = service(world, app)
    names, exceeded = limited(bound, GUESTS, SUB, text, 0)
    assert not exceeded and guests_in(names) <= FOUND[app]
    everybody = guests_in(limited(world.root(), GUESTS, SUB, text, 0)[0])
    assert guests_in(names) == everybody & FOUND[app] or text == "(!(:caseIgnoreMatch:=zzz))"
    if names:
        again, exceeded = limited(bound, GUESTS, SUB, text, len(names))
        assert not exceeded and again == names
    by_page, estimates = paged(bound, GUESTS, text, size=1)
    assert sorted(by_page) == sorted(names) and len(estimates) <= len(names) + 1
    assert not any(estimates)


@pytest.mark.parametrize("text", FILTERS)
def test_list_views_do_not_count_the_others(world, app, text):
    """Server-side sorting with a virtual list view (sssvlv) tells the size of the list: that of
    the visible one."""
    bound = service(world, app)
    names = limited(bound, GUESTS, SUB, text, 0)[0]
    sort = control("1.2.840.113556.1.4.473", ber(0x30, ber(0x30, ber(4, b"createTimestamp"))))
    view = VLVRequestControl(True, before_count=0, after_count=99, offset=1, content_count=0)
    try:
        message = bound.search_ext(GUESTS, SUB, text, ["cn"], serverctrls=[sort, view])
        _, data, _, controls = bound.result3(message)
    finally:
        bound.unbind_ext_s()  # slapo-sssvlv holds few lists at once
    found = [dn.lower() for dn, _ in data if dn]
    count = [c.content_count for c in controls if isinstance(c, VLVResponseControl)][0]
    assert sorted(found) == sorted(names) and count == len(names)


def test_hidden_and_missing_answer_alike(world, app):
    """Search, compare, and every kind of write: code, matched DN, text and referrals for a guest
    that is hidden are those for one that never was.  The account has no right to write."""
    bound = service(world, app)

    def looks(dn):
        modify = [(ldap.MOD_REPLACE, "description", [b"x"])]
        person = [("objectClass", [b"inetOrgPerson"]), ("cn", [b"x"]), ("sn", [b"x"])]
        guest = person + [("b2bHomeTenant", [b"home"])]
        guest[0] = ("objectClass", [b"inetOrgPerson", b"b2bGuest"])
        for scope in (eyes.BASE, ONE, SUB):
            yield lambda scope=scope: seen(bound, dn, scope)
        for attr, value in (("uid", "x"), ("objectClass", "b2bGuest"), ("b2bHomeTenant", "home"),
                            ("userPassword", "x")):
            yield lambda a=attr, v=value: bound.compare_s(dn, a, v)
        yield lambda: bound.compare_s(f"cn=below,{dn}", "cn", "x")
        yield lambda: seen(bound, f"cn=below,{dn}", eyes.BASE)
        yield lambda: bound.modify_s(dn, modify)
        yield lambda: bound.modify_s(dn, [(ldap.MOD_REPLACE, "userPassword", [b"x"])])
        yield lambda: bound.delete_s(dn)
        yield lambda: bound.rename_s(dn, "uid=renamed")
        yield lambda: bound.rename_s(dn, "uid=renamed", PEOPLE)
        yield lambda: bound.add_s(dn, person)
        yield lambda: bound.add_s(dn, guest)
        yield lambda: bound.add_s(dn, person[:1])
        yield lambda: bound.add_s(f"cn=below,{dn}", [("objectClass", [b"applicationProcess"]),
                                                     ("cn", [b"below"])])
        yield lambda: bound.add_s(f"cn=below,{dn}", [("objectClass", [b"applicationProcess"])])
        yield lambda: bound.rename_s(service_dn("other"), "cn=other", dn)
        yield lambda: bound.passwd_s(dn, None, "x")
        yield lambda: bound.passwd_s(dn, "old", "x")

    def cleaned(dn):
        name = dn.split(",")[0].split("=")[1]
        return [tuple(part.replace(name, "NAME") if isinstance(part, str) else part
                      for part in answer(look)) for look in looks(dn)]

    wanted = cleaned(f"{MISSING},{GUESTS}")
    assert all(each[0] != 0 for each in wanted)
    for name in sorted(HIDDEN[app]):
        assert cleaned(guest_dn(name)) == wanted, name


def test_writer_account_may_invite(world):
    """An application whose account may write adds guests, even one that it may not have; it then
    does not see that one; a name that is taken by a hidden guest is refused as taken."""
    change = "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\n"
    world.modify(change + "add: olcAccess\nolcAccess: {0}to * by dn.exact="
                 f"\"{service_dn('wiki')}\" write by * break\n", dn="cn=config")
    try:
        bound = service(world, "wiki")
        for name, tenant, there in (("invited", "home", True), ("invited-blocked", "blocked",
                                                                False)):
            bound.add_s(guest_dn(name), [
                ("objectClass", [b"inetOrgPerson", b"b2bGuest"]), ("cn", [b"x"]), ("sn", [b"x"]),
                ("b2bHomeTenant", [tenant.encode()])])
            assert (code(seen, bound, guest_dn(name), eyes.BASE) == 0) is there
        assert code(bound.add_s, guest_dn("disabled"), [
            ("objectClass", [b"inetOrgPerson"]), ("cn", [b"x"]), ("sn", [b"x"])]) == 68
        assert code(bound.modify_s, guest_dn("disabled"), [
            (ldap.MOD_REPLACE, "b2bAccountEnabled", [b"TRUE"])]) == 32
        assert world.entry(guest_dn("disabled"))["b2bAccountEnabled"] == ["FALSE"]
    finally:
        world.modify(change + "delete: olcAccess\nolcAccess: {0}\n", dn="cn=config")
        root = world.root()
        for name in ("invited", "invited-blocked"):
            code(root.delete_s, guest_dn(name))


def test_dereference_control_shows_no_hidden_guest(world, app):
    """The dereference control (slapo-deref) on a group reads entries that the search does not
    return: of hidden guests it gives no attribute."""
    shown = world.tool("ldapsearch", "-D", service_dn(app), "-w", f"{app}-pw", "-LLL", "-b",
                       f"cn=vaulters,{SUFFIX}", "-E", "deref=member:sn").stdout
    assert "<sn=Mia>" in shown, "slapo-deref did not answer"
    assert "<sn=Expired>" not in shown
    assert ("<sn=Member-of-group>" in shown) is ("member-of-group" in FOUND[app])


def test_changes_take_effect_at_once(world):
    """Assignment, application, partner and guest change under a bound account: the next search
    knows."""
    bound = service(world, "vault")

    def finds(name):
        return bool(seen(bound, SUFFIX, text=f"(uid={name})"))

    def both(dn, there, back, name, before=True):
        assert finds(name) is before
        world.modify(f"dn: {dn}\nchangetype: modify\n{there}\n")
        try:
            assert finds(name) is not before
        finally:
            world.modify(f"dn: {dn}\nchangetype: modify\n{back}\n")
        assert finds(name) is before

    vault = f"cn=vault,cn=applications,{BASE}"
    mine = f"b2bAppAssignee: {guest_dn('alice')}"
    both(vault, f"delete: b2bAppAssignee\n{mine}", f"add: b2bAppAssignee\n{mine}", "alice")
    member = f"member: {guest_dn('member-of-group')}"
    both(f"cn=vaulters,{SUFFIX}", f"delete: member\n{member}", f"add: member\n{member}",
         "member-of-group")
    both(vault, "replace: b2bAppAssignmentRequired\nb2bAppAssignmentRequired: FALSE",
         "replace: b2bAppAssignmentRequired\nb2bAppAssignmentRequired: TRUE", "pending", False)
    both(vault, "delete: b2bAppServiceDN", f"add: b2bAppServiceDN\nb2bAppServiceDN: "
         f"{service_dn('vault')}", "disabled", False)
    both(partner_dn("home"), "add: b2bCollabInUsersAccess\nb2bCollabInUsersAccess: blocked\n-\n"
         "add: b2bCollabInAppsAccess\nb2bCollabInAppsAccess: blocked",
         "delete: b2bCollabInUsersAccess\n-\ndelete: b2bCollabInAppsAccess", "alice")
    both(guest_dn("alice"), "replace: b2bAccountEnabled\nb2bAccountEnabled: FALSE",
         "replace: b2bAccountEnabled\nb2bAccountEnabled: TRUE", "alice")


def test_guest_as_service_account_is_a_guest(world):
    """A policy that names a guest's entry as an application's service account makes it see no
    more: proxied as that guest, everything but its own entry is hidden."""
    world.modify(f"dn: {BASE}\nchangetype: modify\nreplace: b2bGuestAccess\n"
                 "b2bGuestAccess: restricted\n")
    world.load(builders.app_ldif("odd", f"b2bAppServiceDN: {guest_dn('alice')}"))
    try:
        bound = world.root()
        found = seen(bound, SUFFIX, controls=[proxy(f"dn:{guest_dn('alice')}")])
        assert set(found) == {guest_dn("alice")}
    finally:
        world.root().delete_s(f"cn=odd,cn=applications,{BASE}")
        world.modify(f"dn: {BASE}\nchangetype: modify\ndelete: b2bGuestAccess\n")


def test_acting_as_the_account_shows_no_more(world, app):
    """Who acts as the account (proxied authorization) finds what the account finds."""
    found = seen(world.root(), GUESTS, controls=[proxy(f"dn:{service_dn(app)}")])
    assert guests_in(found) == FOUND[app]


# --- replication to the account ---

class Watch:
    """A search with the sync control; events as (state, dn, attributes)."""

    def __init__(self, connection, mode="refreshAndPersist", cookie=None,
                 text="(objectClass=*)"):
        self.connection, self.events = connection, []
        self.done = self.refreshed = False
        self.cookie = cookie
        self.message = connection.search_ext(
            SUFFIX, SUB, text, ["*", "+"],
            serverctrls=[SyncRequestControl(mode=mode, cookie=cookie)])

    def read(self, secs=0.05):
        try:
            kind, data, _, controls, _, _ = self.connection.result4(
                self.message, all=0, timeout=secs, add_ctrls=1, add_intermediates=1)
        except ldap.TIMEOUT:
            return False
        if kind == ldap.RES_SEARCH_RESULT:
            self.done = True
            self.cookie = next((c.cookie for c in controls if hasattr(c, "cookie")), self.cookie)
        elif kind == ldap.RES_INTERMEDIATE:
            self.refreshed = True  # what comes from now on are changes
        elif kind == ldap.RES_SEARCH_ENTRY:
            for dn, attrs, each in data:
                states = [c.state for c in each if hasattr(c, "state")]
                self.events.append((states[0] if states else None, dn.lower(), attrs))
        return True

    def until(self, condition, what):
        end = time.monotonic() + 10
        while not condition():
            self.read()
            if time.monotonic() > end:
                raise HarnessError(f"{what}: {[e[:2] for e in self.events][-5:]}")

    def until_marker(self, server, writer=None):
        """A change of a member, and all events up to it: what did not come by then does not."""
        text = str(time.monotonic())
        (writer or server.root()).modify_s(member_dn("max"), [
            (ldap.MOD_REPLACE, "description", [text.encode()])])
        self.until(lambda: any(attrs.get("description") == [text.encode()]
                               for _, _, attrs in self.events), "marker")
        events = [e for e in self.events if e[1] != member_dn("max")]
        self.events.clear()
        return events


def started(server, name):
    watch = Watch(service(server, name))
    watch.until(lambda: watch.refreshed, "refresh")
    assert guests_in(dn for _, dn, _ in watch.events) == FOUND[name]
    watch.until_marker(server)
    return watch


def test_refresh_only_gives_no_hidden_guest(world, app):
    """A replica that the account makes has exactly the guests it may find; with the cookie of
    that, later changes of hidden ones give no entry either."""
    watch = Watch(service(world, app), "refreshOnly")
    watch.until(lambda: watch.done, "refresh")
    assert guests_in(dn for _, dn, _ in watch.events) == FOUND[app]
    world.modify(f"dn: {guest_dn('disabled')}\nchangetype: modify\nreplace: description\n"
                 "description: changed\n")
    again = Watch(service(world, app), "refreshOnly", watch.cookie)
    again.until(lambda: again.done, "second refresh")
    assert not guests_in(dn for state, dn, attrs in again.events if attrs) - FOUND[app]
    assert guest_dn("disabled") not in {dn for _, dn, _ in again.events}


@pytest.mark.parametrize("writer", ["root", "member"])
def test_persist_phase_gives_no_hidden_guest(world, app, writer):
    """Set-up: the account watches the tree (refreshAndPersist); the rootdn, or a member, writes on
    another connection.  Steps: changes of hidden guests; a hidden one is added, renamed, deleted; a
    visible one changes, becomes hidden, changes, becomes visible.  Result: nothing of the hidden
    ever comes; the visible one's change and its end come, then the guest anew."""
    by = world.root() if writer == "root" else world.conn(member_dn("mia"), "mia-pw")
    watch = started(world, app)

    def change(name, attr, value):
        by.modify_s(guest_dn(name), [(ldap.MOD_REPLACE, attr, [value.encode()])])

    for name in sorted(HIDDEN[app]):
        change(name, "description", f"by {writer}")
    by.add_s(guest_dn("late"), [("objectClass", [b"inetOrgPerson", b"b2bGuest"]), ("cn", [b"x"]),
                                ("sn", [b"x"]), ("b2bHomeTenant", [b"blocked"])])
    by.rename_s(guest_dn("late"), "uid=later")
    by.delete_s(guest_dn("later"))
    assert watch.until_marker(world) == []
    change("alice", "description", "seen")
    events = watch.until_marker(world)
    assert [dn for _, dn, _ in events] == [guest_dn("alice")]
    assert events[0][2]["description"] == [b"seen"]
    change("alice", "b2bAccountEnabled", "FALSE")
    change("alice", "description", "not seen")
    events = watch.until_marker(world)
    change("alice", "b2bAccountEnabled", "TRUE")
    back = watch.until_marker(world)
    assert not [e for e in events if b"not seen" in e[2].get("description", [])]
    assert [e[:2] for e in events] == [("delete", guest_dn("alice"))]
    assert events[0][2] == {} or not events[0][2].get("b2bHomeTenant")
    assert [dn for _, dn, _ in back] == [guest_dn("alice")] and back[0][2]["uid"] == [b"alice"]


def test_persist_phase_of_two_at_once(world):
    """Two accounts and a member watch; what one writer's change shows to each is its own."""
    watches = {name: started(world, name) for name in ("wiki", "vault")}
    mia = Watch(world.conn(member_dn("mia"), "mia-pw"))
    mia.until(lambda: mia.refreshed, "refresh")
    mia.events.clear()
    for name in CAST:
        world.modify(f"dn: {guest_dn(name)}\nchangetype: modify\nreplace: description\n"
                     "description: to each its own\n")
    for name, watch in watches.items():
        assert guests_in(dn for _, dn, _ in watch.until_marker(world)) == FOUND[name]
    assert guests_in(dn for _, dn, _ in mia.until_marker(world)) == set(CAST)
