"""The gate for guests: what a signed-in guest can see and find out.  Each test thinks as the guest
who wants more."""

import ldap
import pytest

from lib import eyes, gate_world
from lib.builders import BASE, GUESTS, SUFFIX, guest_dn, member_dn, service_dn
from lib.eyes import ONE, SUB, answer, code, control, limited, paged, seen
from lib.gate_world import LEVELS, NOBODY, PAYROLL, PROJECTS, guest, set_level, visible


@pytest.fixture(scope="module")
def world(home, make_server, tmp_path_factory):
    return gate_world.build(home, make_server, tmp_path_factory.mktemp)


@pytest.fixture(params=LEVELS)
def level(world, request):
    set_level(world, request.param)
    return request.param


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
    "(subschemaSubentry=cn=Subschema)", "(entryUUID=*)", "(createTimestamp>=20000101000000Z)"])
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
    matched DN, text and referrals are those of an entry that never was; but limited guests read the
    names of people by base search (test_levels.py)."""
    set_level(world, which)
    named = {guest_dn("bob"), member_dn("mia")} if which == "limited" else set()
    alice = guest(world)
    alice.set_option(ldap.OPT_DEREF, deref)
    controls = (None, [control(eyes.MANAGE_DSA_IT)])
    for options in controls:
        wanted = {}
        for dn in (f"{NOBODY},{GUESTS}", *HIDDEN_BASES):
            for name in (dn, f"cn=below,{dn}", f"cn=further,cn=below,{dn}"):
                for scope in (ONE, SUB) if name in named else (eyes.BASE, ONE, SUB):
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
