"""The gate for guests: what a signed-in guest cannot do, who does not become a guest at all, and
who may act as one."""

import ldap
import ldap.sasl
import os
import pytest

from lib import builders, eyes, gate_world
from lib.builders import BASE, GUESTS, PEOPLE, SUFFIX, guest_dn, member_dn, service_dn
from lib.eyes import SUB, answer, code, control, proxy, seen
from lib.gate_world import LEVELS, NOBODY, PROJECTS, guest, set_level, visible


@pytest.fixture(scope="module")
def world(home, make_server, tmp_path_factory):
    return gate_world.build(home, make_server, tmp_path_factory.mktemp)


@pytest.fixture(params=LEVELS)
def level(world, request):
    set_level(world, request.param)
    return request.param


# --- what a guest may not do ---

def writes(dn):
    """Every way to write, at dn."""
    def passwd(c):
        return c.passwd_s(dn, "x", "y")
    return {
        "modify": lambda c: c.modify_s(dn, [(ldap.MOD_REPLACE, "description", [b"mine"])]),
        "b2b": lambda c: c.modify_s(dn, [(ldap.MOD_REPLACE, "b2bValidUntil",
                                          [b"20990101000000Z"])]),
        "increment": lambda c: c.modify_s(dn, [(ldap.MOD_INCREMENT, "uidNumber", [b"1"])]),
        "delete": lambda c: c.delete_s(dn),
        "rename": lambda c: c.rename_s(dn, "uid=renamed"),
        "move": lambda c: c.rename_s(dn, "uid=moved", PEOPLE),
        "add": lambda c: c.add_s(f"cn=new,{dn}", [("objectClass", [b"applicationProcess"]),
                                                  ("cn", [b"new"])]),
        "password": passwd,
    }


@pytest.fixture(scope="module")
def open_world(home, make_server):
    """A tenant whose ACLs let everybody write everything: only the gate stands."""
    server = make_server(builders.tenant_server, access="access to * by * manage\n",
                         global_conf="authz-policy to\n")
    server.load(gate_world.policy(home) + gate_world.people() + gate_world.tree())
    set_level(server, "member")
    return server


@pytest.mark.parametrize("dn", [guest_dn("alice"), guest_dn("bob"), member_dn("mia"),
                                f"cn=atlas,{PROJECTS}", f"cn=default,{BASE}",
                                f"{NOBODY},{PEOPLE}"])
def test_no_write_whatever_the_acls_say(open_world, dn):
    """Set-up: ACLs that give manage to everybody.  Steps: every kind of write by a guest on its
    own entry, others', policy, a missing one.  Result: insufficientAccess, all the same whether the
    entry exists, and nothing changed; the same ACLs let a member write."""
    before = open_world.tool("slapcat", "-b", SUFFIX, check=False).stdout
    alice = guest(open_world)
    codes = {name: code(write, alice) for name, write in writes(dn).items()}
    assert set(codes.values()) == {50}, codes
    after = open_world.tool("slapcat", "-b", SUFFIX, check=False).stdout
    known = {dn for dn in before.split("\n") if dn.startswith("dn: ")}
    assert known and known == {dn for dn in after.split("\n") if dn.startswith("dn: ")}
    assert "description: mine" not in after and "20990101000000Z" not in after
    mia = open_world.conn(member_dn("mia"), "mia-pw")
    mia.modify_s(member_dn("max"), [(ldap.MOD_REPLACE, "description", [b"by mia"])])


@pytest.mark.parametrize("oid, value", [
    (b"1.3.6.1.4.1.4203.1.11.1", None), (b"1.3.6.1.4.1.4203.1.11.1", b"0\x00"),
    (b"1.3.6.1.1.21.1", None), (b"1.3.6.1.4.1.1466.101.119.1", None), (b"1.2.3.4", b"x"),
    (b"1.3.6.1.4.1.1466.20038.9", None)])
def test_extended_operations(open_world, oid, value):
    """Password modify, transactions, refresh and unknown ones are refused alike; whoami and cancel
    are not."""
    alice = guest(open_world)
    request = ldap.extop.ExtendedRequest(oid.decode(), value)
    assert code(alice.extop_s, request) == 50
    assert alice.whoami_s() == f"dn:{guest_dn('alice')}"
    message = alice.search_ext(SUFFIX, SUB)
    assert code(alice.cancel_s, message) in (0, 118, 119, 120, 121)


SYNC_REFRESH = b"0\x03\n\x01\x01"
SYNC_PERSIST = b"0\x03\n\x01\x03"
READ_ALL = b"0\x03\x04\x01*"
CONTROLS = {
    "proxy to a member": proxy(f"dn:{member_dn('mia')}"),
    "proxy to anonymous": proxy("dn:"), "proxy to nothing": proxy(""),
    "proxy to itself": proxy(f"dn:{guest_dn('alice')}"),
    "proxy to the rootdn": proxy(f"dn:{builders.ROOTDN}"),
    "proxy, not critical": proxy(f"dn:{member_dn('mia')}", critical=False),
    "relax": eyes.relax(),
    "sync refreshOnly": control("1.3.6.1.4.1.4203.1.9.1.1", SYNC_REFRESH),
    "sync refreshAndPersist": control("1.3.6.1.4.1.4203.1.9.1.1", SYNC_PERSIST),
    "assertion": control("1.3.6.1.1.12", b"\x87\x0bobjectClass"),
    "no-op": control(eyes.NO_OP), "dontUseCopy": control(eyes.DONT_USE_COPY),
    "pre-read": control("1.3.6.1.1.13.1", READ_ALL),
    "post-read": control("1.3.6.1.1.13.2", READ_ALL),
    "sort": control("1.2.840.113556.1.4.473", b"0\x060\x04\x04\x02cn", critical=False),
    "vlv": control("2.16.840.1.113730.3.4.9", b"0\x0e\x02\x01\x00\x02\x01\x09\xa0\x06\x02\x01\x01"
                   b"\x02\x01\x00", critical=False),
    "dereference": control("1.3.6.1.4.1.4203.666.5.16", b"0\x0e0\x0c\x04\x06member0\x02\x04\x00",
                           critical=False),
    "unknown, not critical": control("1.2.3.4.5", b"x", critical=False),
    "unknown, critical": control("1.2.3.4.5", b"x"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_refused(open_world, name):
    """A guest's search and compare with a control that could show or do more are refused, and give
    no entry; so is a write with it."""
    alice = guest(open_world)
    with_it = [CONTROLS[name]]
    for work in (lambda: alice.search_ext_s(SUFFIX, SUB, serverctrls=with_it),
                 lambda: alice.compare_ext_s(guest_dn("alice"), "cn", "x", serverctrls=with_it),
                 lambda: alice.modify_ext_s(guest_dn("alice"), [
                     (ldap.MOD_REPLACE, "description", [b"mine"])], serverctrls=with_it)):
        got = answer(work)
        assert got[0] in (50, 12, 123, 2, 47), got
    assert "description" not in seen(open_world.root(), guest_dn("alice"))[guest_dn("alice")]


def test_harmless_controls_are_not_refused(open_world):
    """Paged results, manageDSAIT, subentries, matched values, domain scope work for a guest."""
    alice = guest(open_world)
    for each in (ldap.controls.SimplePagedResultsControl(True, size=5, cookie=""),
                 control(eyes.MANAGE_DSA_IT), control("1.2.840.113556.1.4.1339")):
        assert code(alice.search_ext_s, guest_dn("alice"), eyes.BASE, serverctrls=[each]) == 0


def test_pipelined_and_abandoned_operations(open_world):
    """Steps: 200 operations on one connection without waiting, some abandoned, denied ones among
    permitted ones.  Result: each has its own answer; the server serves on."""
    set_level(open_world, "limited")
    try:
        alice = guest(open_world)
        sent = []
        for i in range(50):
            sent.append((alice.search_ext(guest_dn("alice"), eyes.BASE), 0))
            sent.append((alice.search_ext(member_dn("mia"), SUB), 32))
            sent.append((alice.delete_ext(guest_dn("bob")), 50))
            alice.abandon_ext(alice.search_ext(SUFFIX, SUB))
        for message, wanted in sent:
            assert code(alice.result, message) == wanted
        assert alice.whoami_s() == f"dn:{guest_dn('alice')}"
    finally:
        set_level(open_world, "member")


# --- who does not become a guest ---

def test_local_password_does_not_count(world, home):
    """Set-up: slapadd put a userPassword into the entry of mallory, who is unknown at home.  Steps:
    simple binds with it, with home up and with home's address dead.  Result: refused, without a
    word; and compare or search of it tell nothing either."""
    dn = guest_dn("mallory")
    assert answer(world.conn, dn, "mallory-local")[:3] == (49, None, None)
    partner = builders.partner_dn("home")
    change = f"dn: {partner}\nchangetype: modify\nreplace: b2bHomeUri\nb2bHomeUri: "
    world.modify(change + "ldap://127.0.0.1:1\n")
    try:
        assert code(world.conn, dn, "mallory-local") == 52
        assert code(world.conn, guest_dn("alice"), "alice-pw") == 52
    finally:
        world.modify(change + f"{home.uri}\n")


@pytest.mark.parametrize("dn", [guest_dn("alice"), guest_dn("mallory"), f"uid=zoe,{GUESTS}",
                                builders.ROOTDN, ""])
def test_empty_password_is_nobody(world, dn):
    """A name with an empty password makes nobody a guest."""
    try:
        assert world.conn(dn, "").whoami_s() == ""
    except ldap.LDAPError as error:
        assert error.args[0]["result"] in (49, 53)


def sasl_bind(connection, mechanism, user="mallory", password="mallory-local", authzid=""):
    wants = {ldap.sasl.CB_AUTHNAME: user, ldap.sasl.CB_PASS: password}
    if authzid:
        wants[ldap.sasl.CB_USER] = authzid
    connection.sasl_interactive_bind_s("", ldap.sasl.sasl(wants, mechanism))


@pytest.mark.parametrize("mechanism", ["PLAIN", "DIGEST-MD5", "CRAM-MD5", "SCRAM-SHA-1", "LOGIN"])
def test_sasl_with_a_local_password(world, mechanism):
    """SASL mechanisms that read a password of ours let a member in, and not the guest whose entry
    has one (by slapadd): the answer is that for an unknown name, and the connection is nobody's."""
    member = world.open()
    sasl_bind(member, mechanism, "mia", "mia-pw")
    assert member.whoami_s() == f"dn:{member_dn('mia')}"
    connection = world.open()
    got = answer(sasl_bind, connection, mechanism)
    assert got[0] != 0 and got == answer(sasl_bind, world.open(), mechanism, "nobody-here")
    assert connection.whoami_s() == ""


@pytest.mark.parametrize("target, by_search", [
    (guest_dn("alice"), False), (f"ldap:///{GUESTS}??one?(uid=alice)", True),
    (f"ldap:///{PEOPLE}??one?(uid=mia)", True)])
def test_external_mapped_onto_a_guest(make_server, target, by_search):
    """SASL EXTERNAL over ldapi, mapped by authz-regexp onto a guest, directly and by a search, and
    onto a member.  Result: the member is in; the guest is not; where the search finds none, the
    connection has the name that EXTERNAL gave it."""
    own = f"gidNumber={os.getegid()}+uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"
    server = make_server(builders.tenant_server, data=builders.guest_ldif("alice"),
                         global_conf=f"authz-regexp {own.replace('+', '.')} {target}\n")
    connection = server.open()
    got = code(connection.sasl_interactive_bind_s, "", ldap.sasl.external())
    if "mia" in target:
        assert (got, connection.whoami_s()) == (0, f"dn:{member_dn('mia')}")
    elif by_search:
        assert (got, connection.whoami_s().lower()) == (0, f"dn:{own.lower()}")
    else:
        assert (got, connection.whoami_s()) == (49, "")


# --- acting as a guest ---

@pytest.mark.parametrize("who", [service_dn("agent"), member_dn("mia")])
def test_proxied_as_a_guest_is_judged_as_that_guest(world, who):
    """Set-up: a service and a member may act as guests (authzTo).  Steps: searches, whoami and
    writes with proxied authorization as alice.  Result: alice's view, no more; once alice is
    disabled, nothing."""
    set_level(world, "limited")
    bound = world.conn(who, who.split(",")[0].split("=")[1] + "-pw")
    as_alice = [proxy(f"dn:{guest_dn('alice')}")]
    assert len(seen(bound, SUFFIX)) > 20
    assert set(seen(bound, SUFFIX, controls=as_alice)) == visible(world, "limited")
    assert code(seen, bound, guest_dn("bob"), SUB, controls=as_alice) == 32
    assert code(bound.modify_ext_s, guest_dn("alice"), [
        (ldap.MOD_REPLACE, "description", [b"mine"])], serverctrls=as_alice) == 50
    enabled = (f"dn: {guest_dn('alice')}\nchangetype: modify\nreplace: b2bAccountEnabled\n"
               "b2bAccountEnabled: ")
    world.modify(enabled + "FALSE\n")
    try:
        got = answer(seen, bound, SUFFIX, controls=as_alice)
        assert got[0] == 53 and got[2] == "b2b: disabled"
        assert len(seen(bound, SUFFIX)) > 20
    finally:
        world.modify(enabled + "TRUE\n")


def test_sasl_authorization_as_a_guest(world):
    """A member who may act as others (authzTo) and binds by SASL in the name of a guest is judged
    as that guest: its view, no writes."""
    set_level(world, "limited")
    connection = world.open()
    sasl_bind(connection, "PLAIN", "mia", "mia-pw", f"dn:{member_dn('max')}")
    assert connection.whoami_s() == f"dn:{member_dn('max')}"
    connection = world.open()
    sasl_bind(connection, "PLAIN", "mia", "mia-pw", f"dn:{guest_dn('alice')}")
    assert set(seen(connection, SUFFIX)) == visible(world, "limited")
    assert code(connection.delete_s, guest_dn("bob")) == 50
    connection = world.open()
    assert code(sasl_bind, connection, "PLAIN", "max", "max-pw", f"dn:{guest_dn('alice')}") != 0


def test_members_are_unaffected(world, level):
    """Members and anonymous see every entry their ACLs give, guests' attributes too."""
    everything = set(seen(world.root(), SUFFIX, attrs=("1.1",)))
    for bound in (world.conn(member_dn("max"), "max-pw"), world.conn()):
        found = seen(bound, SUFFIX)
        assert set(found) == everything
        assert found[guest_dn("bob")]["b2bhometenant"] == [b"home"]
        missing = answer(seen, bound, f"{NOBODY},{PEOPLE}", eyes.BASE)
        assert missing[:2] == (32, PEOPLE)
