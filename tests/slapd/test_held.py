"""Connections that are held: what was decided at the bind is decided again at each operation.
A guest that loses its access loses it at the very next operation, with the reason in answer and
log; what it proved does not outlive what it was proved for."""

import ldap
import pytest
import threading

from lib import builders, eyes, held as held_module
from lib.builders import BASE, GUESTS, HOME_PEOPLE, SUFFIX, guest_dn, member_dn, partner_dn
from lib.eyes import answer, code, proxy, seen
from lib.gate_world import entry
from lib.held import HOME_NAMES, NAMES, Held, stamp
from lib.slapd import poll


@pytest.fixture(scope="module")
def home(make_server):
    return make_server(builders.home_server, names=HOME_NAMES)


@pytest.fixture(scope="module")
def world(home, make_server):
    return held_module.build(home, make_server)


@pytest.fixture
def held(world):
    return Held(world)


# --- the guest's record ---

def test_disabled_and_enabled(held):
    """Disabled by an administrator; enabled again, also for the connection that was held."""
    held.change("replace: b2bAccountEnabled\nb2bAccountEnabled: FALSE")
    held.refused("disabled")
    assert code(held.bind) == 49
    held.change("replace: b2bAccountEnabled\nb2bAccountEnabled: TRUE")
    held.connection = held.bind()
    held.served()


def test_expires_by_the_clock(held):
    """b2bValidUntil two seconds ahead: nothing is written when it passes, and the next operation
    after it is refused."""
    held.change(f"replace: b2bValidUntil\nb2bValidUntil: {stamp(2)}")
    held.served()
    poll(lambda: code(held.connection.whoami_s) == 53, 5, "expiry")
    held.refused("expired")
    held.change(f"replace: b2bValidUntil\nb2bValidUntil: {stamp(3600)}")
    held.connection = held.bind()
    held.served()


@pytest.mark.parametrize("change", ["b2bAccountEnabled: FALSE", f"b2bValidUntil: {stamp(-60)}",
                                    "by the clock"])
def test_in_the_middle_of_a_search(home, make_server, change):
    """Steps: a search of which little is read, so that slapd waits for the guest; the guest is
    disabled, or expires by a write or by the clock; the rest is read.  Result: entries end."""
    many, count = f"ou=many,{SUFFIX}", 100
    server = make_server(builders.tenant_server)
    server.load(builders.partner_ldif("home", home.uri) + builders.guest_ldif("guest0")
                + builders.app_ldif("wiki", f"b2bAppScope: {many}")
                + entry(many, "organizationalUnit") + "".join(
        entry(f"cn=m{i},{many}", "applicationProcess", f"description: {'x' * 20000}")
        for i in range(count)))
    attr, value = (change if ":" in change else f"b2bValidUntil: {stamp(2)}").split(": ")
    write = (guest_dn("guest0"), [(ldap.MOD_REPLACE, attr, [value.encode()])])
    if ":" not in change:
        server.root().modify_s(*write)
    other, guest = (server.conn(guest_dn("guest0"), "guest0-pw", uri=server.ldapi)
                    for _ in range(2))
    message = guest.search_ext(many, ldap.SCOPE_ONELEVEL)
    names = [dn for dn, _ in guest.result3(message, 0)[1]]
    if ":" in change:
        server.root().modify_s(*write)
    poll(lambda: code(other.whoami_s) == 53, 5, "refused")
    names += [dn for dn, _ in guest.result3(message, 1)[1]]
    assert 0 < len(names) < count


@pytest.mark.parametrize("change, reason", [
    (f"replace: b2bValidUntil\nb2bValidUntil: {stamp(-60)}", "expired"),
    (f"replace: b2bValidFrom\nb2bValidFrom: {stamp(3600)}", "not-yet-valid"),
    (f"replace: b2bReviewDue\nb2bReviewDue: {stamp(-60)}", "review-lapsed"),
    ("replace: b2bReviewDecision\nb2bReviewDecision: Deny", "review-lapsed"),
    ("delete: b2bAccountEnabled", "disabled"),
])
def test_each_way_to_be_off(held, change, reason):
    """Validity in the past or the future, a review that lapsed or was denied, no word about being
    enabled: refused at the next operation and at the next bind."""
    held.change(change, "-e", "relax")
    held.refused(reason)
    assert code(held.bind) == 49


def test_unredeemed_again(world, held):
    """Without automatic redemption a guest that is made to accept anew is held off."""
    world.modify(f"dn: {partner_dn('home')}\nchangetype: modify\nreplace: b2bAutoRedeemIn\n"
                 "b2bAutoRedeemIn: FALSE\n")
    try:
        held.served()
        held.change("replace: b2bUserState\nb2bUserState: PendingAcceptance", "-e", "relax")
        held.refused("not-redeemed")
    finally:
        world.modify(f"dn: {partner_dn('home')}\nchangetype: modify\nreplace: b2bAutoRedeemIn\n"
                     "b2bAutoRedeemIn: TRUE\n")


# --- the policy ---

def test_partner_blocked(world):
    """The partner is blocked, then allowed again."""
    world.load(builders.partner_ldif("block-me", world.home.uri))
    held = Held(world, "block-me")
    change = f"dn: {partner_dn('block-me')}\nchangetype: modify\n"
    world.modify(change + "add: b2bCollabInUsersAccess\nb2bCollabInUsersAccess: blocked\n-\n"
                 "add: b2bCollabInAppsAccess\nb2bCollabInAppsAccess: blocked\n")
    held.refused("inbound-users")
    world.modify(change + "delete: b2bCollabInUsersAccess\n-\ndelete: b2bCollabInAppsAccess\n")
    held.connection = held.bind()
    held.served()


def test_partner_entry_deleted(world):
    """The partner's entry goes and comes back."""
    world.load(builders.partner_ldif("gone", world.home.uri))
    held = Held(world, "gone")
    root = world.root()
    root.delete_s(partner_dn("gone"))
    held.refused("partner-unknown")
    world.load(builders.partner_ldif("gone", world.home.uri))
    held.connection = held.bind()
    held.served()


def test_default_policy_blocks(world, held):
    """A partner that says nothing inherits the default policy as it is now."""
    change = f"dn: cn=default,{BASE}\nchangetype: modify\n"
    world.modify(change + "add: b2bCollabInUsersAccess\nb2bCollabInUsersAccess: blocked\n-\n"
                 "add: b2bCollabInAppsAccess\nb2bCollabInAppsAccess: blocked\n")
    try:
        held.refused("inbound-users")
    finally:
        world.modify(change + "delete: b2bCollabInUsersAccess\n-\n"
                     "delete: b2bCollabInAppsAccess\n")
    held.served()


def test_tenant_entry_deleted(home, make_server):
    """Without a tenant entry every guest is denied, the tenant's own members are not."""
    server = make_server(builders.tenant_server)
    server.load(builders.partner_ldif("home", home.uri))
    held = Held(server)
    server.tool("ldapdelete", "-r", "-D", server.rootdn, "-w", server.rootpw, BASE)
    held.refused("policy-invalid")
    assert code(held.bind) == 49
    assert len(seen(server.conn(member_dn("mia"), "mia-pw"), SUFFIX)) > 5


def test_overlay_deleted_and_gate_deleted(home, make_server):
    """The overlay is taken off the database, then the gate off the frontend, then both come back:
    who came in as a guest is nobody's member meanwhile, on any held connection."""
    server = make_server(builders.tenant_server, convert=True)
    server.load(builders.partner_ldif("home", home.uri))
    held, gone = Held(server), Held(server)
    server.root().delete_s(gone.dn)
    gone.refused("disabled")

    def config(text, check=True):
        return server.modify(text, dn="cn=config", check=check)

    tenant = server.config().search_s("cn=config", eyes.SUB, "(olcOverlay={0}b2b)")[0][0]
    config(f"dn: {tenant}\nchangetype: delete\n")
    for each in (held, gone):
        assert member_dn("mia") not in _seen_or_refused(each.connection)
    config("dn: olcOverlay=b2b,olcDatabase={1}mdb,cn=config\nchangetype: add\n"
           "objectClass: olcOverlayConfig\nobjectClass: olcB2bConfig\nolcOverlay: b2b\n")
    gone.refused("disabled")
    for each in (held, gone):
        assert member_dn("mia") not in _seen_or_refused(each.connection)
    held.connection = held.bind()
    held.served()
    gate = server.config().search_s("cn=config", eyes.SUB, "(olcOverlay={0}b2bgate)")[0][0]
    config(f"dn: {gate}\nchangetype: delete\n")
    for each in (held, gone):
        assert _seen_or_refused(each.connection) == {}
    config("dn: olcOverlay=b2bgate,olcDatabase={-1}frontend,cn=config\nchangetype: add\n"
           "objectClass: olcOverlayConfig\nobjectClass: olcB2bGateConfig\nolcOverlay: b2bgate\n")
    for each in (held, gone):
        assert member_dn("mia") not in _seen_or_refused(each.connection)
    held.connection = held.bind()
    held.served()


def _seen_or_refused(connection):
    try:
        return seen(connection, SUFFIX)
    except ldap.LDAPError as error:
        assert error.args[0]["result"] in (32, 50, 52, 53)
        return {}


# --- the guest's entry ---

def test_guest_deleted(world, held):
    """Its entry is deleted: no operation any more, as a guest or as a member."""
    world.root().delete_s(held.dn)
    held.refused("disabled")
    assert code(held.bind) == 49


def test_class_removed(world, held):
    """The class and attributes of a guest are taken off its entry: it does not become a member on
    the connection it holds, and has no password to bind anew."""
    entry = world.entry(held.dn, ("*", "+"))
    attrs = [a for a in entry if a.lower().startswith("b2b")]
    held.change("".join(f"delete: {a}\n-\n" for a in attrs)
                + "delete: objectClass\nobjectClass: b2bGuest", "-e", "relax")
    assert "b2bGuest" not in world.entry(held.dn)["objectClass"]
    held.refused("disabled")
    assert code(held.bind) in (48, 49)


def test_renamed(world, held):
    """The guest's entry gets another name: the old name is nobody; under the new one it binds."""
    root = world.root()
    root.rename_s(held.dn, f"uid=new-{held.name}")
    held.refused("disabled")
    assert code(held.bind) == 49
    again = world.conn(guest_dn(f"new-{held.name}"), held.password)
    assert guest_dn(f"new-{held.name}") in seen(again, SUFFIX)
    root.rename_s(guest_dn(f"new-{held.name}"), f"uid={held.name}")


def test_parent_renamed(world):
    """A subtree with a guest in it moves."""
    name = next(NAMES)
    world.load(f"dn: ou=moving,{SUFFIX}\nobjectClass: organizationalUnit\nou: moving\n\n"
               + builders.guest_ldif(name).replace(GUESTS, f"ou=moving,{SUFFIX}"))
    bound = world.conn(f"uid={name},ou=moving,{SUFFIX}", f"{name}-pw")
    assert bound.whoami_s()
    root = world.root()
    code(root.rename_s, f"ou=moving,{SUFFIX}", "ou=moved")
    dn = f"uid={name},ou=moved,{SUFFIX}"
    if world.entry(dn):
        assert code(bound.whoami_s) == 53
        assert dn in seen(world.conn(dn, f"{name}-pw"), SUFFIX)


def test_member_takes_the_name(world, held):
    """A member gets the name that the guest had: the guest's connection stays refused, and the
    member, bound anew, is a member."""
    root = world.root()
    root.delete_s(held.dn)
    world.load(builders.people_ldif((held.name,), GUESTS))
    held.refused("disabled")
    member = world.conn(held.dn, f"{held.name}-pw")
    assert member_dn("mia") in seen(member, SUFFIX)


def test_another_guest_takes_the_name(world, held):
    """The entry is deleted and one of the same name is made, for another person at home or even
    the same: what was proved was proved for the entry that is gone."""
    world.root().delete_s(held.dn)
    other = next(NAMES)
    world.load(held.ldif.replace(f"uid={held.name},{HOME_PEOPLE}", f"uid={other},{HOME_PEOPLE}"))
    assert code(held.connection.whoami_s) == 53
    assert code(seen, held.connection, SUFFIX) == 53
    again = world.conn(held.dn, f"{other}-pw")
    assert held.dn in seen(again, SUFFIX)
    assert code(held.connection.whoami_s) == 53


@pytest.mark.parametrize("change", ["subject", "tenant"])
def test_entry_handed_to_another_person(world, held, change):
    """b2bHomeSubject or b2bHomeTenant is changed: the entry now stands for somebody else, who has
    proved nothing on this connection."""
    if change == "subject":
        other = next(NAMES)
        held.change(f"replace: b2bHomeSubject\nb2bHomeSubject: uid={other},{HOME_PEOPLE}")
        password = f"{other}-pw"
    else:
        if not world.entry(partner_dn("other")):
            world.load(builders.partner_ldif("other", world.home.uri))
        held.change("replace: b2bHomeTenant\nb2bHomeTenant: other")
        password = held.password
    assert code(held.connection.whoami_s) == 53
    assert code(seen, held.connection, SUFFIX) == 53
    held.connection = world.conn(held.dn, password)
    held.served()


@pytest.mark.parametrize("change", ["subject", "anew", "nothing"])
def test_entry_handed_over_while_home_is_asked(world, fake_home, change):
    """Set-up: a home server that takes its time to say yes.  Steps: while it does, the entry is
    handed to another person, or made anew.  Result: that yes was for somebody else: not in."""
    slow = fake_home("drip")
    slow.drip_secs = 0.15  # two seconds for an answer
    tenant = f"slow-{change}"
    world.load(builders.partner_ldif(tenant, slow.uri))
    name = next(NAMES)
    dn, ldif = guest_dn(name), builders.guest_ldif(name, tenant)
    world.load(ldif)
    results, connection = [], world.open()
    thread = threading.Thread(target=lambda: results.append(
        answer(connection.simple_bind_s, dn, "pw")))
    thread.start()
    poll(lambda: slow.binds, 5, "home is asked")
    if change == "subject":
        world.modify(f"dn: {dn}\nchangetype: modify\nreplace: b2bHomeSubject\n"
                     f"b2bHomeSubject: uid=somebody-else,{HOME_PEOPLE}\n")
    elif change == "anew":
        world.root().delete_s(dn)
        world.load(ldif)
    assert thread.is_alive(), "home answered too soon for this test"
    thread.join(10)
    if change == "nothing":
        assert results[0][0] == 0
    else:
        assert results[0][:3] == (49, None, None) and connection.whoami_s() == ""


def test_failed_bind_ends_the_session(held):
    """A bind that fails makes the connection anonymous: nothing of the guest stays."""
    assert code(held.connection.simple_bind_s, held.dn, "wrong") == 49
    assert held.connection.whoami_s() == ""
    assert code(held.connection.simple_bind_s, held.dn, held.password) == 0
    held.served()


def test_member_after_guest_on_one_connection(held):
    """Who binds after a guest on its connection is who it is, and the other way round."""
    c = held.connection
    c.simple_bind_s(member_dn("mia"), "mia-pw")
    assert member_dn("max") in seen(c, SUFFIX)
    c.simple_bind_s(held.dn, held.password)
    assert set(seen(c, SUFFIX)) == {held.dn}
    c.simple_bind_s("", "")
    assert member_dn("max") in seen(c, SUFFIX)


def test_guest_cannot_leave_its_name(world, held):
    """Disabled or not, proxied authorization (anonymous too) gives nothing."""
    for authzid in ("dn:", "", f"dn:{member_dn('mia')}", f"dn:{held.dn}"):
        assert code(seen, held.connection, SUFFIX, controls=[proxy(authzid)]) in (50, 123, 47)
    held.change("replace: b2bAccountEnabled\nb2bAccountEnabled: FALSE")
    for authzid in ("dn:", "", f"dn:{member_dn('mia')}"):
        assert code(seen, held.connection, SUFFIX, controls=[proxy(authzid)]) in (50, 53, 123, 47)
