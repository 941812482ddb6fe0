"""How much a guest sees: b2bGuestAccess of guest, partner and tenant, and the names of other people
under limited access.  Each test thinks as the guest who wants more."""

import itertools

import ldap
import pytest

from lib import builders, eyes
from lib.builders import BASE, GUESTS, PEOPLE, SUFFIX, guest_dn, member_dn, partner_dn, service_dn
from lib.eyes import ONE, SUB, answer, code, control, seen
from lib.gate_world import LABELS, LEVELS, entry

WIKI = f"ou=wiki,{SUFFIX}"
NAMES = {"displayname", "cn", "mail", "uid", "jpegphoto", "photo"}
ACCESS = (f"access to dn.exact=uid=closed,{PEOPLE} by * none\n"
          f"access to dn.exact=uid=shy,{PEOPLE} attrs=mail by * none\n" + builders.ACCESS)
CHILDREN = 3  # scope of draft-sermersheim-ldap-subordinate-scope, which slapd serves


def person(name, lines="", classes="inetOrgPerson"):
    return entry(f"uid={name},{PEOPLE}", classes,
                 f"cn: {name} name\ncn;lang-de: {name} auf deutsch\nsn: {name} sn\n"
                 f"displayName: {name} shown\nmail: {name}@ours.example\njpegPhoto:: /9j/4A==\n"
                 f"telephoneNumber: 555\ntitle: chief\ndescription: told to nobody"
                 + (f"\n{lines}" if lines else ""))


def data(home):
    alias = "alias extensibleObject"
    return "".join((
        builders.partner_ldif("home", home.uri),
        builders.app_ldif("wiki", f"b2bAppScope: {WIKI}"),
        builders.guest_ldif("alice", lines="telephoneNumber: 556"),
        builders.guest_ldif("bob", lines="displayName: Bob B.\ndescription: told to nobody"),
        builders.service_ldif("prog"),
        entry(WIKI, "organizationalUnit"), entry(f"cn=page,{WIKI}", "applicationProcess"),
        entry(f"uid=max2,{WIKI}", "account", "description: in scope"),
        person("ann"), person("closed"), person("shy"),
        person("low", "b2bLabel: Public", "inetOrgPerson b2bLabelled"),
        person("high", "b2bLabel: General", "inetOrgPerson b2bLabelled"),
        person("odd", "b2bLabel: Unheard", "inetOrgPerson b2bLabelled"),
        entry(f"uid=robot,{PEOPLE}", "account", "description: told to nobody"),
        entry(f"cn=plain,{PEOPLE}", "person", "sn: plain sn\ntelephoneNumber: 557"),
        entry(f"cn=printer,{PEOPLE}", "device", "description: no person"),
        entry(f"cn=crew,{PEOPLE}", "groupOfNames", f"member: {member_dn('mia')}"),
        entry(f"cn=to-ann,{PEOPLE}", alias, f"aliasedObjectName: uid=ann,{PEOPLE}"),
        entry(f"uid=ref,{PEOPLE}", "referral extensibleObject", "ref: ldap://elsewhere.example/"),
    ))


@pytest.fixture(scope="module")
def world(home, make_server):
    server = make_server(builders.tenant_server, access=ACCESS, tenant=LABELS)
    server.load(data(home))
    return server


def put(server, dn, attr, value):
    """value None: away with it."""
    root = server.root()
    root.modify_s(dn, [(ldap.MOD_REPLACE, attr, None if value is None else [value.encode()])])
    root.unbind_ext_s()


def set_levels(server, tenant=None, partner=None, guest=None, name="alice"):
    for dn, value in ((BASE, tenant), (partner_dn("home"), partner), (guest_dn(name), guest)):
        put(server, dn, "b2bGuestAccess", value)


@pytest.fixture
def alice(world):
    """Nobody says anything: limited."""
    set_levels(world)
    return world.conn(guest_dn("alice"), "alice-pw")


def level_of(bound):
    """The level by what is seen: a member of ours, the scope, or neither."""
    found = set(seen(bound, SUFFIX, attrs=("1.1",)))
    assert guest_dn("alice") in found
    if member_dn("mia") in found:
        return "member"
    return "limited" if f"cn=page,{WIKI}" in found else "restricted"


# --- levels ---

def test_guest_over_partner_over_tenant(world):
    """Steps: each of tenant, partner and guest says one of the levels or nothing, in all
    combinations, on one connection.  Result: the guest's own word, else the partner's, else the
    tenant's, else limited, at once."""
    bound = world.conn(guest_dn("alice"), "alice-pw")
    said = (None, *LEVELS)
    try:
        for tenant, partner, guest in itertools.product(said, said, said):
            set_levels(world, tenant, partner, guest)
            assert level_of(bound) == (guest or partner or tenant or "limited"), (
                tenant, partner, guest)
    finally:
        set_levels(world)


def test_levels_that_are_none_are_refused(world):
    """An unknown level is refused in each of the three entries, and changes nothing."""
    root = world.root()
    for dn in (BASE, partner_dn("home"), guest_dn("alice")):
        with pytest.raises(ldap.CONSTRAINT_VIOLATION) as error:
            root.modify_s(dn, [(ldap.MOD_REPLACE, "b2bGuestAccess", [b"everything"])])
        assert "b2bGuestAccess" in error.value.args[0]["info"]
        assert "b2bguestaccess" not in seen(root, dn, eyes.BASE)[dn.lower()]


def test_restricted_sees_no_name(world):
    """Restricted by each of the three: no person is read, not even by name; its own entry is."""
    for place in ("tenant", "partner", "guest"):
        set_levels(world, **{place: "restricted"})
        bound = world.conn(guest_dn("alice"), "alice-pw")
        for dn in (f"uid=ann,{PEOPLE}", guest_dn("bob"), f"cn=page,{WIKI}"):
            assert answer(seen, bound, dn, eyes.BASE) == answer(
                seen, bound, f"uid=nobody,{PEOPLE}", eyes.BASE)
        assert set(seen(bound, SUFFIX)) == {guest_dn("alice")}
    set_levels(world)


# --- names of other people ---

@pytest.mark.parametrize("dn, extra", [
    (f"uid=ann,{PEOPLE}", {"displayname", "mail", "jpegphoto", "cn;lang-de"}),
    (f"uid=low,{PEOPLE}", {"displayname", "mail", "jpegphoto", "cn;lang-de"}),
    (f"uid=shy,{PEOPLE}", {"displayname", "jpegphoto", "cn;lang-de"}),
    (guest_dn("bob"), {"displayname", "mail"}),
    (f"uid=robot,{PEOPLE}", None), (f"cn=plain,{PEOPLE}", None)])
def test_limited_reads_names(alice, dn, extra):
    """A base search whose base is the very entry gives the naming attributes, whatever is asked
    for, and nothing else; slapd's access control may take from them (shy's mail)."""
    name = dn.split("=")[0]
    wanted = {name} if extra is None else {"uid", "cn", *extra}
    for attrs in (("*", "+"), ("*",), ("cn", "sn", "uid", "mail", "title", "displayName", "photo",
                                       "jpegPhoto", "objectClass", "b2bHomeTenant")):
        assert set(seen(alice, dn, eyes.BASE, attrs=attrs)[dn.lower()]) == wanted
    for attrs in (("objectClass",), ("sn", "telephoneNumber", "description", "entryUUID",
                                     "memberOf", "userPassword", "modifiersName", "entryDN",
                                     "b2bHomeTenant", "b2bUserType", "structuralObjectClass")):
        assert seen(alice, dn, eyes.BASE, attrs=attrs) == {dn.lower(): {}}


@pytest.mark.parametrize("dn", [
    f"uid=closed,{PEOPLE}", f"uid=high,{PEOPLE}", f"uid=odd,{PEOPLE}", f"cn=printer,{PEOPLE}",
    f"cn=crew,{PEOPLE}", f"cn=to-ann,{PEOPLE}", f"uid=ref,{PEOPLE}", service_dn("prog"),
    partner_dn("home"), f"cn=default,{BASE}"])
def test_what_is_no_person_has_no_name(alice, dn):
    """Entries that are no person, that slapd's access control denies or whose label is too high
    are answered as what does not exist, with and without manageDsaIT."""
    parent = dn.split(",", 1)[1]
    for controls in (None, [control(eyes.MANAGE_DSA_IT)]):
        got = [answer(seen, alice, each, eyes.BASE, controls=controls)
               for each in (dn, f"cn=nobody-here,{parent}")]
        assert got[0] == got[1] and got[0][0] == 32


@pytest.mark.parametrize("base, scope", [
    (f"uid=ann,{PEOPLE}", ONE), (f"uid=ann,{PEOPLE}", SUB), (f"uid=ann,{PEOPLE}", CHILDREN)])
def test_names_by_no_other_scope(alice, base, scope):
    """No scope but base finds a person, or says that it is there."""
    assert answer(seen, alice, base, scope) == answer(
        seen, alice, f"uid=nobody,{PEOPLE}", scope)
    assert code(seen, alice, base, scope) == 32


@pytest.mark.parametrize("base", [SUFFIX, PEOPLE, GUESTS])
def test_names_by_no_search_from_above(alice, base):
    """Nor does one from above; subtree, one level and children find the own entry and the scope."""
    for scope in (ONE, SUB, CHILDREN):
        try:
            found = set(seen(alice, base, scope, "(|(cn=*)(uid=*))"))
        except ldap.NO_SUCH_OBJECT:
            assert base == PEOPLE
            continue
        assert found <= {guest_dn("alice"), f"cn=page,{WIKI}", f"uid=max2,{WIKI}"}


ANN = f"uid=ann,{PEOPLE}"


@pytest.mark.parametrize("right, wrong", [
    ("(sn=ann sn)", "(sn=bob sn)"), ("(sn=*)", "(street=*)"), ("(sn=a*)", "(sn=b*)"),
    ("(title=chief)", "(title=clerk)"), ("(telephoneNumber=555)", "(telephoneNumber=1)"),
    ("(!(title=clerk))", "(!(title=chief))"), ("(objectClass=inetOrgPerson)", "(objectClass=x)"),
    ("(objectClass=person)", "(objectClass=device)"),
    ("(!(objectClass=device))", "(!(objectClass=inetOrgPerson))"),
    ("(structuralObjectClass=inetOrgPerson)", "(structuralObjectClass=device)"),
    ("(entryUUID=*)", "(!(entryUUID=*))"), ("(userPassword=*)", "(!(userPassword=*))"),
    ("(:caseIgnoreMatch:=ann sn)", "(:caseIgnoreMatch:=bob sn)"),
    ("(sn:caseIgnoreMatch:=ann sn)", "(sn:caseIgnoreMatch:=bob sn)"),
    ("(name=ann sn)", "(name=bob sn)"), ("(entryDN=" + ANN + ")", "(entryDN=uid=x)"),
    ("(hasSubordinates=FALSE)", "(hasSubordinates=TRUE)"),
    ("(createTimestamp>=20000101000000Z)", "(createTimestamp>=20990101000000Z)"),
    ("(description~=told)", "(description~=zzz)")])
def test_names_are_all_that_filters_see(alice, right, wrong):
    """A filter on another attribute, or on a value of objectClass, has one answer whatever is
    true; so has one beside a filter that is true."""
    for form in ("{}", "(&(cn=*){})", "(|(cn=zzz){})", "(!{})", "(&(objectClass=*)(!{}))"):
        got = [answer(seen, alice, ANN, eyes.BASE, form.format(text)) for text in (right, wrong)]
        assert got[0] == got[1], (form, right)


def test_filters_on_names_work(alice):
    """What may be read may be asked for; so may that there is an object class."""
    for text, found in (("(objectClass=*)", True), ("(cn=ann name)", True), ("(mail=ann@*)", True),
                        ("(uid=bob)", False), ("(!(uid=bob))", True), ("(cn;lang-de=*)", True),
                        ("(|(sn=ann sn)(uid=ann))", True)):
        assert bool(seen(alice, ANN, eyes.BASE, text)) is found, text


def test_names_by_no_compare(alice):
    """A compare, also of a naming attribute, is answered as for a missing entry."""
    for dn in (ANN, guest_dn("bob")):
        for attr, value in (("cn", "ann name"), ("uid", "ann"), ("sn", "ann sn"),
                            ("mail", "bob@home.example"), ("objectClass", "person")):
            assert answer(alice.compare_s, dn, attr, value) == answer(
                alice.compare_s, f"uid=nobody,{PEOPLE}", attr, value)


def test_names_with_matched_values(alice):
    """The values filter control narrows what is read, and opens nothing."""
    values = control("1.2.826.0.1.3344810.2.3", bytes.fromhex("3006") + b"\x87\x04mail")
    found = seen(alice, ANN, eyes.BASE, controls=[values])[ANN.lower()]
    assert set(found) <= NAMES | {"cn;lang-de"}
    values = control("1.2.826.0.1.3344810.2.3", bytes.fromhex("3004") + b"\x87\x02sn")
    assert "sn" not in seen(alice, ANN, eyes.BASE, controls=[values])[ANN.lower()]


def test_names_with_paging_and_types_only(alice):
    """A page of one entry and a read of types only show the same."""
    assert eyes.paged(alice, ANN, scope=eyes.BASE)[0] == [ANN.lower()]
    found = alice.search_ext_s(ANN, eyes.BASE, attrlist=["*", "+"], attrsonly=1)
    assert {name.lower() for name in found[0][1]} == {"uid", "cn", "cn;lang-de", "displayname",
                                                      "mail", "jpegphoto"}


def test_no_write_by_name(alice):
    """Whom one may read by name one may not change, and is not told that it is there."""
    for dn in (ANN, f"uid=nobody,{PEOPLE}"):
        assert code(alice.modify_s, dn, [(ldap.MOD_REPLACE, "cn", [b"x"])]) == 50
        assert code(alice.delete_s, dn) == 50


def test_who_acts_as_a_guest_reads_as_it(world, alice):
    """Members and others are unaffected; in scope all is seen, not only names."""
    mia = world.conn(member_dn("mia"), "mia-pw")
    assert "sn" in seen(mia, ANN, eyes.BASE)[ANN.lower()]
    assert "description" in seen(alice, f"uid=max2,{WIKI}", eyes.BASE)[f"uid=max2,{WIKI}"]
    assert "title" in seen(mia, SUFFIX, text="(title=chief)")[ANN.lower()]


def test_label_bounds_names(world, alice):
    """With clearance General the name of who is labelled so is read; an unknown label never is."""
    high, odd = f"uid=high,{PEOPLE}", f"uid=odd,{PEOPLE}"
    put(world, guest_dn("alice"), "b2bClearance", "Confidential")
    try:
        assert "mail" in seen(alice, high, eyes.BASE)[high]
        assert code(seen, alice, odd, eyes.BASE) == 32
        put(world, partner_dn("home"), "b2bMaxLabel", "Public")
        assert code(seen, alice, high, eyes.BASE) == 32
    finally:
        put(world, guest_dn("alice"), "b2bClearance", None)
        put(world, partner_dn("home"), "b2bMaxLabel", None)
