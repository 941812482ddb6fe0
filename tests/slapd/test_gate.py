"""The gate for guests: what a signed-in guest can see, probe and do, and who does not become a
guest at all.  Each test thinks as the guest who wants more."""

import ldap
import ldap.sasl
import os
import pytest
import subprocess
from ldap.controls import RequestControl

from lib import builders, eyes
from lib.builders import BASE, GUESTS, PEOPLE, ROOTPW, SUFFIX, guest_dn, member_dn, service_dn
from lib.eyes import ONE, SUB, answer, code, control, limited, paged, proxy, seen
from lib.slapd import client_env

PROJECTS = f"ou=projects,{SUFFIX}"
PAYROLL = f"ou=payroll,{SUFFIX}"
LABELS = ("b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\nb2bLabelOrder: {2}Confidential\n"
          "b2bDefaultLabel: Public")
LEVELS = ("restricted", "limited", "member")
NOBODY = "cn=nobody-here"


def entry(dn, classes, lines=""):
    text = "".join(f"objectClass: {name}\n" for name in classes.split())
    name, value = dn.split(",")[0].split("=")
    return f"dn: {dn}\n{text}{name}: {value}\n" + (f"{lines}\n" if lines else "") + "\n"


def labelled(name, label):
    return entry(f"cn={name},{PROJECTS}", "applicationProcess b2bLabelled", f"b2bLabel: {label}")


def tree():
    """A scope (projects) with labels, aliases, a referral and a guest in it; a scope of a blocked
    application (payroll); aliases outside."""
    alias = "alias extensibleObject"
    return "".join((
        entry(PROJECTS, "organizationalUnit"),
        entry(f"cn=atlas,{PROJECTS}", "applicationProcess", "description: known to alice"),
        labelled("general", "General"), labelled("secret", "Confidential"),
        labelled("odd", "Unheard Of"),
        entry(f"cn=team,{PROJECTS}", "groupOfNames", f"member: {member_dn('mia')}"),
        entry(f"cn=to-mia,{PROJECTS}", alias, f"aliasedObjectName: {member_dn('mia')}"),
        entry(f"cn=to-none,{PROJECTS}", alias, f"aliasedObjectName: {NOBODY},{PEOPLE}"),
        entry(f"cn=elsewhere,{PROJECTS}", "referral extensibleObject",
              "ref: ldap://elsewhere.example/dc=elsewhere"),
        builders.guest_ldif("inner").replace(GUESTS, PROJECTS),
        entry(PAYROLL, "organizationalUnit"),
        entry(f"cn=salaries,{PAYROLL}", "applicationProcess"),
        entry(f"cn=to-atlas,{PAYROLL}", alias, f"aliasedObjectName: cn=atlas,{PROJECTS}"),
        entry(f"cn=to-none,{PAYROLL}", alias, f"aliasedObjectName: {NOBODY},{PAYROLL}"),
        entry(f"cn=hidden-referral,{PAYROLL}", "referral extensibleObject",
              "ref: ldap://payroll.example/dc=payroll"),
    ))


def policy(home):
    return "".join((
        builders.partner_ldif("home", home.uri, "b2bCollabInUsersAccess: allowed\n"
                              "b2bCollabInUsersTarget: AllUsers\n"
                              "b2bCollabInAppsAccess: allowed\nb2bCollabInAppsTarget: directory\n"
                              "b2bCollabInAppsTarget: wiki"),
        builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}\n"
                          f"b2bAppScope: {PROJECTS}"),
        builders.app_ldif("payroll", f"b2bAppServiceDN: {service_dn('payroll')}\n"
                          f"b2bAppScope: {PAYROLL}"),
    ))


def people():
    return "".join((
        builders.guest_ldif("alice"),
        builders.guest_ldif("bob", lines="description: bob's own"),
        builders.guest_ldif("carol", lines="b2bClearance: General"),
        builders.service_ldif("wiki"), builders.service_ldif("payroll"),
        builders.service_ldif("agent"),
    ))


def other_databases(make_dir):
    """A database without any role, another tenant, cn=accesslog and cn=monitor."""
    return "".join((
        builders.database_conf("dc=plain,dc=example", directory=make_dir("plain")),
        builders.database_conf("dc=two,dc=example", directory=make_dir("two"),
                               lines="overlay b2b\nb2b-sweep-interval 3600\n"),
        f"database mdb\nsuffix cn=accesslog\nrootdn cn=accesslog\nrootpw {ROOTPW}\n"
        f"directory {make_dir('accesslog')}\nmaxsize 1073741824\ndbnosync\n"
        "access to * by * read\n",
        "database monitor\naccess to * by * read\n",
    ))


@pytest.fixture(scope="module")
def world(home, make_server, tmp_path_factory):
    """Our tenant with everything a guest might want to look into."""
    def make_dir(name):
        return tmp_path_factory.mktemp(name)
    nested = builders.database_conf(f"ou=nested,{SUFFIX}", directory=make_dir("nested"))
    server = make_server(
        builders.tenant_server, start=False, modules=("accesslog", "back_monitor"),
        global_conf="authz-policy to\n"
        "authz-regexp gidNumber=1001\\\\+uidNumber=1001,cn=peercred,cn=external,cn=auth "
        f"{guest_dn('alice')}\n"
        "authz-regexp gidNumber=1002\\\\+uidNumber=1002,cn=peercred,cn=external,cn=auth "
        f"ldap:///{GUESTS}??one?(uid=alice)\n"
        f"authz-regexp uid=(mia|max),(cn=[^,]*,)?cn=[^,]*,cn=auth uid=$1,{PEOPLE}\n"
        f"authz-regexp uid=([^,]*),(cn=[^,]*,)?cn=[^,]*,cn=auth uid=$1,{GUESTS}\n"
        "sasl-secprops none\n",
        database="overlay accesslog\nlogdb cn=accesslog\nlogops writes\n",
        frontend="", databases=other_databases(make_dir))
    # the database below ours must come before it
    conf = server.conf_file.read_text()
    at = conf.index(f"database mdb\nsuffix {SUFFIX}\n")
    server.conf_file.write_text(conf[:at] + nested + conf[at:])
    for suffix in ("dc=plain,dc=example", "dc=two,dc=example"):
        server.tool("slapadd", "-q", "-b", suffix, input=builders.tree_ldif(suffix, ("people",))
                    + builders.people_ldif(("pat",), f"ou=people,{suffix}"))
    server.tool("slapadd", "-q", "-b", f"ou=nested,{SUFFIX}",
                input=entry(f"ou=nested,{SUFFIX}", "organizationalUnit")
                + builders.people_ldif(("ned",), f"ou=nested,{SUFFIX}"))
    # a password that only slapadd can put into a guest's entry, past the overlay
    server.load(builders.guest_ldif("mallory", lines="userPassword: mallory-local"))
    server.start()
    server.modify(f"dn: {BASE}\nchangetype: modify\nadd: b2bLabelOrder\n" +
                  LABELS.replace("\nb2bDefaultLabel", "\n-\nadd: b2bDefaultLabel\nb2bDefaultLabel")
                  + "\n")
    server.load(policy(home) + people() + tree())
    server.modify(f"dn: {service_dn('agent')}\nchangetype: modify\nadd: authzTo\n"
                  f"authzTo: dn.onelevel:{GUESTS}\n\n"
                  f"dn: {member_dn('mia')}\nchangetype: modify\nadd: authzTo\n"
                  f"authzTo: dn.onelevel:{GUESTS}\nauthzTo: dn.onelevel:{PEOPLE}\n\n")
    return server


def set_level(server, level):
    server.modify(f"dn: {BASE}\nchangetype: modify\nreplace: b2bGuestAccess\n"
                  f"b2bGuestAccess: {level}\n")


def guest(server, name="alice", password=None):
    return server.conn(guest_dn(name), password or f"{name}-pw")


@pytest.fixture(params=LEVELS)
def level(world, request):
    set_level(world, request.param)
    return request.param


ALWAYS_PROJECTS = {PROJECTS, *(f"cn={name},{PROJECTS}" for name in
                               ("atlas", "team", "to-mia", "to-none")),
                   f"uid=inner,{PROJECTS}"}


def visible(server, level, name="alice", cleared=()):
    """What a guest may see of our database, by the tree above."""
    own = {guest_dn(name)}
    if level == "restricted":
        return own
    if level == "limited":
        return own | ALWAYS_PROJECTS | set(cleared)
    root = server.root()
    everything = set(seen(root, SUFFIX, attrs=("1.1",)))
    root.unbind_ext_s()
    hidden = {f"cn={name},{PROJECTS}" for name in ("general", "secret", "odd")}
    return {dn for dn in everything if dn not in hidden or dn in cleared}


# --- what is seen ---

def test_search_gives_what_the_level_says_and_nothing_else(world, level):
    """Set-up: alice may use the wiki, not payroll; clearance: none.  Steps: subtree search from
    the suffix at each b2bGuestAccess.  Result: her own entry, with "limited" the wiki's scope up
    to the lowest label, with "member" what the ACLs give up to that label."""
    found = seen(guest(world), SUFFIX)
    assert set(found) == visible(world, level)
    assert b"known to alice" in found.get(f"cn=atlas,{PROJECTS}", {}).get(
        "description", [b"known to alice"] if level == "restricted" else [])
    assert found[guest_dn("alice")]["b2bhometenant"] == [b"home"]


def test_own_entry_by_base_one_and_compare(world, level):
    """A guest reads and compares its own entry, whatever the level."""
    alice = guest(world)
    dn = guest_dn("alice")
    assert set(seen(alice, dn, eyes.BASE)) == {dn}
    assert dn in seen(alice, GUESTS, ONE)
    assert alice.compare_s(dn, "uid", "alice") is True
    assert alice.compare_s(dn, "b2bHomeTenant", "elsewhere") is False


@pytest.mark.parametrize("name, cleared", [("alice", ()), ("carol", ("general",))])
def test_labels_bound_by_clearance(world, name, cleared):
    """Set-up: labels Public < General < Confidential, one entry with an unknown label.  Result:
    carol (General) sees General too; nobody sees Confidential or the unknown one, by search, base
    or compare."""
    set_level(world, "limited")
    bound = guest(world, name)
    shown = {f"cn={each},{PROJECTS}" for each in cleared}
    assert set(seen(bound, SUFFIX)) == visible(world, "limited", name, shown)
    for each in {"general", "secret", "odd"} - set(cleared):
        dn = f"cn={each},{PROJECTS}"
        assert code(seen, bound, dn, eyes.BASE) == 32
        assert code(bound.compare_s, dn, "cn", each) == 32


def test_default_label_and_application_cap(world):
    """The label of unlabelled entries is the tenant's default; b2bAppMaxLabel caps the clearance
    for guests that came through the application."""
    set_level(world, "limited")
    atlas, general = f"cn=atlas,{PROJECTS}", f"cn=general,{PROJECTS}"
    wiki = f"cn=wiki,cn=applications,{BASE}"
    replace = f"dn: {BASE}\nchangetype: modify\nreplace: b2bDefaultLabel\nb2bDefaultLabel: "
    try:
        world.modify(replace + "General\n")
        assert atlas not in seen(guest(world), SUFFIX)
        assert atlas in seen(guest(world, "carol"), SUFFIX)
    finally:
        world.modify(replace + "Public\n")
    world.modify(f"dn: {wiki}\nchangetype: modify\nadd: b2bAppMaxLabel\nb2bAppMaxLabel: Public\n")
    try:
        bound = world.conn(service_dn("wiki"), "wiki-pw")
        bound.simple_bind_s(guest_dn("carol"), "carol-pw")
        assert atlas in seen(bound, SUFFIX) and general not in seen(bound, SUFFIX)
    finally:
        world.modify(f"dn: {wiki}\nchangetype: modify\ndelete: b2bAppMaxLabel\n")


def test_never_another_guests_b2b_attributes(world, level):
    """Guests that are visible (the whole tree at "member", one inside the scope at "limited")
    show no b2b attribute, not by name, not by "+", not to filters, not to compare."""
    alice = guest(world)
    for dn, attrs in seen(alice, SUFFIX, text="(objectClass=inetOrgPerson)").items():
        if dn != guest_dn("alice"):
            assert not [a for a in attrs if a.startswith("b2b")], dn
    names = ["b2bHomeTenant", "b2bHomeSubject", "b2bUserState", "b2bNextDue", "b2bSponsor"]
    for dn, attrs in seen(alice, SUFFIX, attrs=names).items():
        assert dn == guest_dn("alice") or not attrs or dn.endswith(BASE)
    for text in ("(b2bHomeTenant=home)", "(b2bHomeTenant=*)", "(b2bHomeTenant>=a)",
                 "(b2bHomeTenant=h*)", "(b2bHomeTenant:caseIgnoreMatch:=home)",
                 "(!(b2bHomeTenant=elsewhere))", "(!(b2bHomeTenant=home))", "(b2bNextDue>=2000)",
                 "(b2bNextDue<=20991231235959Z)", "(!(b2bSponsor=cn=x))", "(b2bUserType=Guest)"):
        found = seen(alice, SUFFIX, text=f"(&(objectClass=inetOrgPerson){text})")
        assert {dn for dn in found if dn != guest_dn("alice")} <= {
            dn for dn in found if "b2bguest" not in
            [c.decode().lower() for c in found[dn]["objectclass"]]}, text
    for dn in (guest_dn("bob"), f"uid=inner,{PROJECTS}"):
        for attr, value in (("b2bHomeTenant", "home"), ("b2bHomeTenant", "no"),
                            ("b2bUserState", "Accepted"), ("b2bSponsor", "cn=x")):
            assert code(alice.compare_s, dn, attr, value) not in (5, 6), (dn, attr)


# --- probing ---

PROBES = (
    "({a}={v})", "({a}={h}*)", "(!({a}={v}))", "(&({a}={v})(objectClass=*))",
    "(|({a}={v})(cn=zzz))", "({a}:caseIgnoreMatch:={v})", "({a}:dn:caseIgnoreMatch:={v})",
    "(:dn:caseIgnoreMatch:={v})", "(:caseIgnoreMatch:={v})", "(!(:caseIgnoreMatch:={v}))",
    "({a}~={v})", "(&(!(objectClass=zzz))({a}={v}))", "(!(&({a}={v})(objectClass=*)))",
    "(!(|({a}={v})(!(objectClass=*))))", "(|({a}={v})(&))",
)
HIDDEN_VALUES = {  # of entries that alice sees at no level but "member"
    "uid": "max", "mail": "max@ours.example", "cn": "salaries", "ou": "payroll",
    "description": "bob's own", "givenName": "nobody", "entryDN": f"uid=bob,{GUESTS}",
}


@pytest.mark.parametrize("which", ["restricted", "limited"])
def test_filters_tell_nothing_about_hidden_entries(world, which):
    """Steps: every probing filter once with a value of a hidden entry and once with a value that
    nobody has, from the suffix and from ou=guests, for every attribute.  Result: the same answer,
    to the byte."""
    set_level(world, which)
    alice = guest(world)
    for attr, value in HIDDEN_VALUES.items():
        none = f"uid=none,{GUESTS}" if attr == "entryDN" else "zqx no such value"
        for probe in PROBES:
            if attr == "entryDN" and "caseIgnore" in probe:
                continue
            pair = [probe.format(a=attr, v=v, h=v[:3]) for v in (value, none)]
            for base in (SUFFIX, GUESTS):
                got = [answer(seen, alice, base, SUB, text, attrs=("1.1",)) for text in pair]
                assert got[0] == got[1], (pair, base)


@pytest.mark.parametrize("text", [
    "(&)", "(!(|))", "(|(&)(uid=bob))", "(!(&(|)(uid=bob)))", "(!(:caseIgnoreMatch:=zzz))",
    "(!(:dn:caseIgnoreMatch:=zzz))", "(!(uid=zzz))", "(objectClass=*)", "(uid=*)",
    "(!(b2bHomeTenant=*))", "(hasSubordinates=FALSE)", "(!(hasSubordinates=TRUE))",
    "(structuralObjectClass=inetOrgPerson)", "(entryCSN>=20000101000000.000000Z#000000#000#000000)",
    f"(subschemaSubentry=cn=Subschema)", "(entryUUID=*)", "(createTimestamp>=20000101000000Z)"])
def test_size_limits_do_not_count_hidden_entries(world, level, text):
    """Steps: each filter, also those that are true of any entry, without limit, then with a size
    limit of exactly as many entries as there were.  Result: the limit is never exceeded: hidden
    entries are not even counted."""
    alice = guest(world)
    found, exceeded = limited(alice, SUFFIX, SUB, text, 0)
    assert not exceeded and set(found) <= visible(world, level)
    if found:
        again, exceeded = limited(alice, SUFFIX, SUB, text, len(found))
        assert not exceeded and again == found


@pytest.mark.parametrize("text", ["(objectClass=*)", "(&)", "(!(uid=zzz))"])
def test_paged_results_do_not_count_hidden_entries(world, level, text):
    """Pages hold visible entries only, none is short, and no estimate of the total is given."""
    expected = set(limited(guest(world), SUFFIX, SUB, text, 0)[0])
    names, estimates = paged(guest(world), SUFFIX, text, size=1)
    assert set(names) == expected and len(names) == len(expected)
    assert not any(estimates) and len(estimates) <= len(expected) + 1


HIDDEN_BASES = (guest_dn("bob"), member_dn("mia"), PAYROLL, f"cn=salaries,{PAYROLL}", BASE,
                f"cn=default,{BASE}", f"cn=hidden-referral,{PAYROLL}", f"cn=secret,{PROJECTS}",
                f"cn=to-atlas,{PAYROLL}", f"cn=to-none,{PAYROLL}", service_dn("wiki"),
                f"ou=services,{SUFFIX}")


@pytest.mark.parametrize("which", ["restricted", "limited"])
@pytest.mark.parametrize("deref", [ldap.DEREF_NEVER, ldap.DEREF_FINDING, ldap.DEREF_ALWAYS])
def test_hidden_and_missing_answer_alike(world, which, deref):
    """Steps: search (base, one, subtree) and compare on hidden entries, on missing ones beside
    them and below them, with and without manageDSAIT, at each way to follow aliases.  Result: code,
    matched DN, text and referrals are those of an entry that never was."""
    set_level(world, which)
    alice = guest(world)
    alice.set_option(ldap.OPT_DEREF, deref)
    controls = (None, [control(eyes.MANAGE_DSA_IT)])
    for options in controls:
        wanted = {}
        for dn in (f"{NOBODY},{GUESTS}", *HIDDEN_BASES):
            for name in (dn, f"cn=below,{dn}", f"cn=further,cn=below,{dn}"):
                for scope in (eyes.BASE, ONE, SUB):
                    got = answer(seen, alice, name, scope, controls=options)
                    assert got == wanted.setdefault("search", got), (name, scope)
                for attr in ("cn", "uid", "objectClass", "b2bHomeTenant"):
                    got = answer(alice.compare_ext_s, name, attr, "person",
                                 serverctrls=options)
                    assert got == wanted.setdefault("compare", got), (name, attr)
        assert wanted["search"][:4] == (32, None, None, None) or wanted["search"][0] == 32
        assert wanted["compare"][0] == 32


@pytest.mark.parametrize("which", ["restricted", "limited"])
def test_aliases_lead_nowhere_hidden(world, which):
    """Set-up: an alias inside the scope to a member, one to nothing, one outside the scope to an
    entry inside.  Steps: searches from them and across them that follow aliases.  Result: nothing
    that is hidden comes; a target that is hidden answers as one that does not exist."""
    set_level(world, which)
    for deref in (ldap.DEREF_SEARCHING, ldap.DEREF_FINDING, ldap.DEREF_ALWAYS):
        alice = guest(world)
        alice.set_option(ldap.OPT_DEREF, deref)
        assert set(seen(alice, SUFFIX)) <= visible(world, which)
        if which == "limited":
            assert member_dn("mia") not in seen(alice, PROJECTS)
        for scope in (eyes.BASE, ONE, SUB):
            hidden, missing = (answer(lambda: [dn for dn in seen(
                alice, f"cn={name},{PROJECTS}", scope) if not dn.startswith(f"cn={name}")])
                for name in ("to-mia", "to-none"))
            assert hidden == missing, (deref, scope)


def test_referrals_are_seen_in_scope_alone(world):
    """A search from the suffix gives the reference inside the scope; the one in the hidden subtree
    is given to nobody at "limited", and no base search of it refers anywhere."""
    set_level(world, "limited")
    alice = guest(world)
    urls = eyes.references(alice, SUFFIX)
    assert len(urls) == 1 and urls[0].startswith("ldap://elsewhere.example")
    assert any("payroll.example" in url for url in eyes.references(world.root(), SUFFIX))
    set_level(world, "restricted")
    assert eyes.references(guest(world), SUFFIX) == []


# --- elsewhere in the server ---

@pytest.mark.parametrize("base", [
    "cn=config", "cn=schema,cn=config", "cn=Monitor", "cn=Connections,cn=Monitor", "cn=accesslog",
    "dc=plain,dc=example", "uid=pat,ou=people,dc=plain,dc=example", "dc=two,dc=example",
    "uid=pat,ou=people,dc=two,dc=example", f"ou=nested,{SUFFIX}",
    f"uid=ned,ou=nested,{SUFFIX}"])
def test_other_databases_are_closed(world, level, base):
    """cn=config, monitor, accesslog, a database without any role, another tenant and a database
    below ours: nothing is found or compared at any level, though all but cn=config give read to
    everybody."""
    alice = guest(world)
    if base not in ("cn=config", "cn=schema,cn=config"):
        assert seen(world.conn(), base, eyes.BASE), "the test's own set-up"
    for scope in (eyes.BASE, ONE, SUB):
        try:
            assert seen(alice, base, scope) == {}
        except (ldap.NO_SUCH_OBJECT, ldap.INSUFFICIENT_ACCESS):
            pass
    assert code(alice.compare_s, base, "objectClass", "top") not in (5, 6)


def test_root_dse_and_schema_are_readable(world, level):
    """What every client reads first, and what tells nothing about entries."""
    alice = guest(world)
    assert seen(alice, "", eyes.BASE)[""]["supportedldapversion"] == [b"3"]
    assert "attributetypes" in seen(alice, "cn=Subschema", eyes.BASE)["cn=subschema"]


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
    server.load(policy(home) + people() + tree())
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
            sent.append((alice.search_ext(member_dn("mia"), eyes.BASE), 32))
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


@pytest.mark.parametrize("uid", [1001, 1002])
def test_external_mapped_onto_a_guest(world, uid):
    """SASL EXTERNAL over ldapi, mapped by authz-regexp onto alice, directly (1001) and by a search
    (1002).  Result: not in; the connection then is no guest."""
    os.chmod(world.dir, 0o755)
    script = ("import ldap, ldap.sasl, sys\n"
              "c = ldap.initialize(sys.argv[1])\n"
              "try:\n    c.sasl_interactive_bind_s('', ldap.sasl.external())\n"
              "    print('bound')\n"
              "except ldap.LDAPError as e:\n    print('refused', e.args[0].get('result'))\n"
              "print('[%s]' % c.whoami_s())\n")
    done = subprocess.run(["/usr/bin/python3", "-c", script, world.ldapi], text=True, user=uid,
                          group=uid, extra_groups=[], env=client_env(), capture_output=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    assert guest_dn("alice") not in done.stdout
    if uid == 1001:
        assert lines[:2] == ["refused 49", "[]"]
    else:
        assert lines[0] == "bound" and "uidNumber=1002" in lines[1]


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
    assert code(seen, bound, guest_dn("bob"), eyes.BASE, controls=as_alice) == 32
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
