"""Who is assigned to an application: by name, by groups, nested and dynamic ones; and when that
changes."""

import ldap
import pytest

from lib import builders
from lib.builders import GUESTS, SUFFIX, guest_dn, member_dn, service_dn
from lib.eyes import control, seen
from lib.hostile import ber

TEAMS = f"ou=teams,{SUFFIX}"
NAMES = [f"g{i}" for i in range(14)]
SCHEMA = "include /etc/ldap/schema/dyngroup.schema\n"


def team(name, *members, attr="member"):
    """A group below ou=teams; members are names of teams or DNs."""
    unique = attr == "uniqueMember"
    return (f"dn: cn={name},{TEAMS}\nobjectClass: groupOf{'Unique' if unique else ''}Names\n"
            f"cn: {name}\n" + "".join(f"{attr}: {m if '=' in m else f'cn={m},{TEAMS}'}\n"
                                      for m in members) + "\n")


def urls(name, *texts):
    return (f"dn: cn={name},{TEAMS}\nobjectClass: groupOfURLs\ncn: {name}\n"
            + "".join(f"memberURL: {text}\n" for text in texts) + "\n")


def app(name, *assignees):
    lines = "".join(f"b2bAppAssignee: {a if '=' in a else f'cn={a},{TEAMS}'}\n" for a in assignees)
    return builders.service_ldif(name) + builders.app_ldif(
        name, f"b2bAppServiceDN: {service_dn(name)}\nb2bAppAssignmentRequired: TRUE\n{lines}")


def teams():
    chain = "".join(team(f"chain{i}", f"chain{i + 1}", guest_dn(f"g{i}")) for i in range(1, 10))
    return (f"dn: {TEAMS}\nobjectClass: organizationalUnit\nou: teams\n\n"
            + team("unique", f"{guest_dn('g1')}#'0101'B", guest_dn("g2"), attr="uniqueMember")
            + team("circle", "circle2", guest_dn("g3"))
            + team("circle2", "circle", "circle2", guest_dn("g4"), member_dn("mia"))
            + chain + team("chain10", guest_dn("g10"))
            + team("outer", "by-url", "missing", guest_dn("nobody"))
            + urls("by-url", f"ldap:///{GUESTS}??one?(sn=G5)",
                   f"ldap:///{GUESTS}??one?(description=joins)")
            + team("misled", f"cn=b2b,{SUFFIX}", GUESTS, guest_dn("g6")))


APPS = {  # application: (assignees, guests it finds)
    "named": ((guest_dn("g0"),), {"g0"}),
    "unique": (("unique",), {"g1", "g2"}),
    "circle": (("circle",), {"g3", "g4"}),
    "chain": (("chain1",), {f"g{i}" for i in range(1, 9)}),
    "dynamic": (("by-url",), {"g5"}),
    "outer": (("outer", "circle2"), {"g3", "g4", "g5"}),
    "misled": (("misled",), {"g6"}),
    "none": ((), set()),
}


def build(make_server):
    server = make_server(
        builders.tenant_server, start=False, modules=("dynlist",), frontend=SCHEMA,
        debug="stats,args",
        data=builders.partner_ldif("home") + "".join(app(name, *who) for name, (who, _)
                                                     in APPS.items()),
        database="overlay dynlist\ndynlist-attrset groupOfURLs memberURL member\n")
    server.load("".join(builders.guest_ldif(name, lines="b2bUserState: Accepted")
                        for name in NAMES) + teams())
    return server.start()


@pytest.fixture(scope="module")
def world(make_server):
    return build(make_server)


def found(server, name):
    bound = server.conn(service_dn(name), f"{name}-pw")
    names = {dn.split(",")[0].removeprefix("uid=") for dn in seen(bound, GUESTS, attrs=("1.1",))
             if dn != GUESTS}
    bound.unbind_ext_s()
    return names


@pytest.mark.parametrize("name", APPS)
def test_assignment(world, name):
    """By name, member, uniqueMember with and without bits, in circles, eight groups deep and no
    deeper, by slapo-dynlist's URLs, through nested groups; names of missing entries and of entries
    that are no groups give nothing."""
    assert found(world, name) == APPS[name][1]


def test_too_deep_is_logged(world):
    """Who stands deeper than eight groups is no member, and the log says so."""
    found(world, "chain")
    world.wait_log(f'groups "cn=chain1,{TEAMS}": its groups are nested too deep')


def test_writes_take_effect_at_once(world):
    """Each kind of write changes what the next search finds: a member added and deleted, a nested
    group added, renamed, deleted; the class, and the attributes that a URL asks for."""
    root = world.root()

    def step(name, wanted, work, *args):
        assert found(world, name) == APPS[name][1]
        work(*args)
        assert found(world, name) == APPS[name][1] | wanted

    def back(work, *args):
        work(*args)
        for name in APPS:
            assert found(world, name) == APPS[name][1]

    circle, missing = f"cn=circle2,{TEAMS}", f"cn=missing,{TEAMS}"
    one = [(ldap.MOD_ADD, "member", [guest_dn("g9").encode()])]
    step("circle", {"g9"}, root.modify_s, circle, one)
    back(root.modify_s, circle, [(ldap.MOD_DELETE, "member", [guest_dn("g9").encode()])])
    group = [("objectClass", [b"groupOfNames"]), ("member", [guest_dn("g9").encode()])]
    step("outer", {"g9"}, root.add_s, missing, group)
    back(root.delete_s, missing)
    root.add_s(f"cn=elsewhere,{TEAMS}", group)
    step("outer", {"g9"}, root.rename_s, f"cn=elsewhere,{TEAMS}", "cn=missing")
    back(root.rename_s, missing, "cn=elsewhere")
    root.delete_s(f"cn=elsewhere,{TEAMS}")
    step("dynamic", {"g9"}, root.modify_s, guest_dn("g9"), [(ldap.MOD_ADD, "description",
                                                            [b"joins"])])
    back(root.modify_s, guest_dn("g9"), [(ldap.MOD_DELETE, "description", None)])
    url = f"ldap:///{GUESTS}??one?(uid=g9)".encode()
    step("dynamic", {"g9"}, root.modify_s, f"cn=by-url,{TEAMS}", [(ldap.MOD_ADD, "memberURL",
                                                                  [url])])
    back(root.modify_s, f"cn=by-url,{TEAMS}", [(ldap.MOD_DELETE, "memberURL", [url])])


def test_transaction_takes_effect_at_once(world):
    """A member added in a transaction (RFC 5805) counts after its end, not before, even where
    others ask in between; one in a transaction that is taken back never does."""
    root, circle = world.root(), f"cn=circle,{TEAMS}"
    for commit in (True, False):
        _, identifier = root.extop_s(ldap.extop.ExtendedRequest("1.3.6.1.1.21.1", None))[:2]
        spec = control("1.3.6.1.1.21.2", identifier or b"")
        root.modify_ext_s(circle, [(ldap.MOD_ADD, "member", [guest_dn("g9").encode()])],
                          serverctrls=[spec])
        assert found(world, "circle") == APPS["circle"][1]
        value = ber(0x30, (b"" if commit else ber(1, b"\0")) + ber(4, identifier or b""))
        root.extop_s(ldap.extop.ExtendedRequest("1.3.6.1.1.21.3", value))
        assert ("g9" in found(world, "circle")) is commit
        if commit:
            root.modify_s(circle, [(ldap.MOD_DELETE, "member", [guest_dn("g9").encode()])])


def test_dynamic_group_in_the_name_of_the_application(world):
    """A dynamic group that is searched in the name of the very account that asks (dgIdentity),
    whose view depends on that group: nobody is in it, and the server serves on."""
    root = world.root()
    root.modify_s(f"cn=by-url,{TEAMS}", [
        (ldap.MOD_ADD, "objectClass", [b"dgIdentityAux"]),
        (ldap.MOD_ADD, "dgIdentity", [service_dn("dynamic").encode()])])
    assert found(world, "dynamic") == set()
    root.modify_s(f"cn=by-url,{TEAMS}", [(ldap.MOD_DELETE, "objectClass", [b"dgIdentityAux"]),
                                         (ldap.MOD_DELETE, "dgIdentity", None)])
    assert found(world, "dynamic") == APPS["dynamic"][1]


def test_big_groups_are_not_quadratic(world):
    """Two searches over guests read the entries of a group's members once, not once a guest:
    counted in slapd's log."""
    root = world.root()
    names = [f"cn=many{i},{TEAMS}".encode() for i in range(300)]
    root.modify_s(f"cn=circle2,{TEAMS}", [(ldap.MOD_ADD, "member", names)])
    mark = world.log_mark()
    assert found(world, "circle") == APPS["circle"][1]
    assert found(world, "circle") == APPS["circle"][1]
    root.modify_s(f"cn=circle2,{TEAMS}", [(ldap.MOD_DELETE, "member", names)])
    assert world.log(mark).count(f'mdb_entry_get: ndn: "cn=many7,{TEAMS}"') == 1


def test_without_dynlist_no_dynamic_groups(world):
    """Once slapo-dynlist is deleted from the database, at once, a memberURL gives nothing."""
    assert found(world, "dynamic") == APPS["dynamic"][1]
    root = world.conn("cn=config", builders.ROOTPW)
    overlay, = (dn for dn in seen(root, "cn=config", attrs=("1.1",)) if "}dynlist," in dn)
    root.delete_s(overlay)
    assert found(world, "dynamic") == set()
    assert found(world, "outer") == {"g3", "g4"}
