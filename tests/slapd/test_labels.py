"""Labels of entries and of attribute types: what bounds them, and what guests find out of what they
hide.  Each test thinks as the guest who wants more."""

import itertools

import ldap
import pytest

from lib import builders, conditional, eyes
from lib.builders import BASE, PEOPLE, SUFFIX, guest_dn, member_dn, partner_dn, service_dn
from lib.eyes import SUB, answer, code, seen
from lib.gate_world import entry

ORDER = ("Public", "General", "Confidential", "Secret")
DOCS = f"ou=docs,{SUFFIX}"
PLANS = f"ou=plans,{SUFFIX}"
DEEP = f"ou=deep,{DOCS}"
APPS = f"cn=applications,{BASE}"
ANY = "Secret"  # the highest that is known


def labelled(dn, label, lines="", classes="applicationProcess"):
    return entry(dn, f"{classes} b2bLabelled", f"b2bLabel: {label}" + (f"\n{lines}" if lines else
                                                                       ""))


def docs(where):
    return "".join(labelled(f"cn={label.lower()},{where}", label) for label in ORDER) + \
        labelled(f"cn=unheard,{where}", "Unheard Of") + \
        entry(f"cn=plain,{where}", "applicationProcess")


WORKER = ("cn: wanda\ncn;lang-de: wanda auf deutsch\nsn: watt\ntelephoneNumber: 555-1\n"
          "telephoneNumber;x-home: 555-2\nhomePhone: 555-3\ntitle: chief\ndescription: quiet")


def data(home):
    return "".join((
        conditional.container_ldif(),
        builders.partner_ldif("home", home.uri),
        builders.app_ldif("wiki", f"b2bAppScope: {DOCS}\nb2bAppServiceDN: {service_dn('wiki')}"),
        builders.app_ldif("plan", f"b2bAppScope: {PLANS}\nb2bAppScope: {DEEP}"),
        builders.service_ldif("wiki"),
        builders.guest_ldif("alice", lines="telephoneNumber: 556\ntitle: own"),
        entry(DOCS, "organizationalUnit"), entry(PLANS, "organizationalUnit"),
        entry(DEEP, "organizationalUnit"), docs(DOCS), docs(PLANS), docs(DEEP),
        entry(f"uid=wanda,{DOCS}", "inetOrgPerson", WORKER),
        entry(f"uid=walt,{PEOPLE}", "inetOrgPerson", "cn: walt\nsn: walt\nmail: w@ours.example"),
    ))


@pytest.fixture(scope="module")
def world(home, make_server):
    server = make_server(builders.tenant_server, global_conf="attributeoptions x- lang-\n", tenant=(
        "b2bDefaultLabel: Public\n" + "".join(f"b2bLabelOrder: {{{i}}}{label}\n"
                                              for i, label in enumerate(ORDER))))
    server.load(data(home))
    return server


def put(server, dn, attr, *values):
    root = server.root()
    root.modify_s(dn, [(ldap.MOD_REPLACE, attr, [v.encode() for v in values] or None)])
    root.unbind_ext_s()


CAPS = {"clearance": (guest_dn("alice"), "b2bClearance"),
        "partner": (partner_dn("home"), "b2bMaxLabel"),
        "wiki": (f"cn=wiki,{APPS}", "b2bAppMaxLabel"),
        "plan": (f"cn=plan,{APPS}", "b2bAppMaxLabel")}


@pytest.fixture
def caps(world):
    """caps(clearance="General", ...): what is not named is taken away."""
    def setting(**values):
        for name, (dn, attr) in CAPS.items():
            put(world, dn, attr, *([values[name]] if values.get(name) else []))
        return world.conn(guest_dn("alice"), "alice-pw")

    yield setting
    setting()
    put(world, BASE, "b2bGuestAccess")
    put(world, BASE, "b2bAttributeLabel")
    put(world, BASE, "b2bLabelOrder", *(f"{{{i}}}{label}" for i, label in enumerate(ORDER)))


def shown(bound, where, base=SUFFIX):
    """Labels of the documents that are seen right below an entry."""
    found = seen(bound, base, text="(objectClass=applicationProcess)", attrs=("1.1",))
    return {dn.split(",")[0][3:] for dn in found if dn.split(",", 1)[1] == where.lower()}


def up_to(label):
    return {"plain", *(each.lower() for each in ORDER[:ORDER.index(label) + 1])}


# --- entries ---

def test_lowest_cap_wins(world, caps):
    """Steps: clearance, partner's and application's label, each one of three or absent, in a search
    over both applications' scopes.  Result: in each scope the lowest of those that count there."""
    some = (None, "Public", "General", ANY)
    for clearance, partner, wiki in itertools.product(some, some, some):
        bound = caps(clearance=clearance, partner=partner, wiki=wiki)
        for where, app in ((DOCS, wiki), (PLANS, None)):
            all_caps = [clearance or "Public"] + [cap for cap in (partner, app) if cap]
            lowest = min(all_caps, key=ORDER.index)
            assert shown(bound, where) == up_to(lowest), (clearance, partner, wiki, where)


def test_scopes_of_two_applications(caps):
    """An entry in two scopes is seen by the application that caps less."""
    bound = caps(clearance=ANY, wiki="Public", plan="General")
    assert shown(bound, DOCS) == up_to("Public")
    assert shown(bound, DEEP) == up_to("General")
    assert shown(caps(clearance=ANY, wiki="General", plan="Public"), DEEP) == up_to("General")


def test_door_caps_all_scopes(world, caps):
    """Who came in by an application's door sees no more anywhere than that one's label."""
    caps(clearance=ANY, wiki="General")
    bound = world.conn(service_dn("wiki"), "wiki-pw")
    bound.simple_bind_s(guest_dn("alice"), "alice-pw")
    assert shown(bound, PLANS) == up_to("General")


def test_conditional_access_caps_its_application(world, caps):
    """A policy's label for one application caps that one's scope, not the other's; one for all caps
    all."""
    bound = caps(clearance=ANY)
    with conditional.policy(world, "b2bCaIncludeApp: wiki\nb2bCaMaxLabel: General\n"):
        assert shown(bound, DOCS) == up_to("General") and shown(bound, PLANS) == up_to(ANY)
        # seen by the other application, whose scope it is too
        assert shown(bound, DEEP) == up_to(ANY)
    with conditional.policy(world, "b2bCaMaxLabel: Public\n"):
        assert shown(bound, DOCS) == shown(bound, PLANS) == up_to("Public")
    assert shown(bound, DOCS) == up_to(ANY)


@pytest.mark.parametrize("cap", list(CAPS))
def test_unknown_labels(caps, cap):
    """An unknown label of an entry is above all; an unknown cap of any kind is the lowest."""
    bound = caps(**{"clearance": ANY, cap: "Nobody Knows"})
    where = PLANS if cap == "plan" else DOCS
    assert shown(bound, where) == up_to("Public")
    assert "unheard" not in shown(caps(clearance="Unheard Of"), DOCS)


def test_default_label(world, caps):
    """Entries without a label have the default's."""
    bound = caps(clearance="Public")
    put(world, BASE, "b2bDefaultLabel", "General")
    try:
        assert shown(bound, DOCS) == shown(bound, PLANS) == {"public"}
        put(world, guest_dn("alice"), "b2bClearance", "General")
        assert shown(bound, PLANS) == up_to("General")
    finally:
        put(world, BASE, "b2bDefaultLabel", "Public")


def test_label_with_an_option(world, caps):
    """b2bLabel with an option, alone or beside another, is a label like any other: the highest
    counts."""
    root, bound = world.root(), caps(clearance="General")
    for name, label, option in (("opt1", None, "Secret"), ("opt2", "Public", "Secret"),
                                ("opt3", "Secret", "Public")):
        dn = f"cn={name},{DOCS}"
        plain = [("b2bLabel", [label.encode()])] if label else []
        root.add_s(dn, [("objectClass", [b"applicationProcess", b"b2bLabelled"]),
                        ("b2bLabel;x-y", [option.encode()]), *plain])
        try:
            assert name not in shown(bound, DOCS), name
            assert code(seen, bound, dn, eyes.BASE) == 32
        finally:
            root.delete_s(dn)


@pytest.mark.parametrize("level", ["limited", "member"])
def test_own_entry_whatever_its_label(world, caps, level):
    """The own entry is seen whatever its label; others' with that label are not."""
    put(world, BASE, "b2bGuestAccess", level)
    root = world.root()
    own = guest_dn("alice")
    for label in (b"Secret", b"Unheard Of"):
        root.modify_s(own, [(ldap.MOD_ADD, "objectClass", [b"b2bLabelled"]),
                            (ldap.MOD_ADD, "b2bLabel", [label])])
        try:
            bound = caps()
            assert own in seen(bound, SUFFIX) and bound.compare_s(own, "uid", "alice")
            assert "secret" not in shown(bound, DOCS)
        finally:
            root.modify_s(own, [(ldap.MOD_DELETE, "b2bLabel", None),
                                (ldap.MOD_DELETE, "objectClass", [b"b2bLabelled"])])


@pytest.mark.parametrize("level", ["limited", "member"])
def test_hidden_by_label_does_not_exist(world, caps, level):
    """What a label hides is answered as what is missing, to base search, search below it and
    compare; a filter on its label finds nothing."""
    put(world, BASE, "b2bGuestAccess", level)
    bound = caps(clearance="General")
    for work in (lambda dn: seen(bound, dn, eyes.BASE), lambda dn: seen(bound, dn, SUB),
                 lambda dn: bound.compare_s(dn, "cn", "secret"),
                 lambda dn: bound.compare_s(dn, "b2bLabel", "Secret")):
        assert answer(work, f"cn=secret,{DOCS}") == answer(work, f"cn=missing,{DOCS}")
    for text in ("(b2bLabel=Secret)", "(b2bLabel>=Secret)", "(!(b2bLabel=Public))", "(cn=secret)"):
        assert not {dn for dn in seen(bound, SUFFIX, text=text) if "cn=secret," in dn}


# --- the order changes ---

def test_order_changes_at_once(world, caps):
    """Steps: the order is turned round, then taken away, then restored, on one connection.  Result:
    the very next search goes by it."""
    bound = caps(clearance="General")
    assert shown(bound, DOCS) == up_to("General")
    put(world, BASE, "b2bLabelOrder", "{0}Secret", "{1}General", "{2}Public", "{3}Confidential")
    assert shown(bound, DOCS) == {"secret", "general"}  # the default, Public, is above now
    put(world, BASE, "b2bLabelOrder", *(f"{{{i}}}{label}" for i, label in enumerate(ORDER)))
    assert shown(bound, DOCS) == up_to("General")


def test_order_changes_between_pages(world, caps):
    """Steps: the first page of a paged search, then the order is turned round.  Result: the next
    pages go by the new order."""
    bound = caps(clearance="General")
    page = ldap.controls.SimplePagedResultsControl(True, size=1, cookie="")
    names = []
    for turn in range(30):
        message = bound.search_ext(DOCS, SUB, "(b2bLabel=*)", ["1.1"], serverctrls=[page])
        _, found, _, controls = bound.result3(message)
        names += [dn.split(",")[0] for dn, _ in found]
        if turn == 0:
            put(world, BASE, "b2bLabelOrder", "{0}General", "{1}Public", "{2}Confidential",
                "{3}Secret")
            put(world, guest_dn("alice"), "b2bClearance", "General")
        page.cookie = controls[0].cookie
        if not page.cookie:
            break
    assert names[0] in ("cn=public", "cn=general") and "cn=public" not in names[1:]


def test_order_changes_while_a_search_runs(world, caps):
    """Steps: a search of many entries whose answers are not read, so that slapd waits in the
    middle; the order changes to one in which they are above; the answers are read.  Result:
    entries end before all were sent."""
    many, count = f"ou=many,{DOCS}", 100
    world.load(entry(many, "organizationalUnit") + "".join(
        labelled(f"cn=m{i},{many}", "General", f"description: {'x' * 20000}")
        for i in range(count)))
    caps(clearance="General")
    # whose buffers hold little
    bound = world.conn(guest_dn("alice"), "alice-pw", uri=world.ldapi)
    message = bound.search_ext(many, SUB, "(objectClass=applicationProcess)")
    kind, found, _, _ = bound.result3(message, 0)
    put(world, BASE, "b2bLabelOrder", "{0}Public", "{1}General", "{2}Secret")
    put(world, BASE, "b2bLabelOrder", "{0}Public", "{1}Secret")
    names = []
    while kind != ldap.RES_SEARCH_RESULT:
        names += [dn for dn, _ in found]
        kind, found, _, _ = bound.result3(message, 0)
    assert 0 < len(names) < count
    root = world.root()
    for i in range(count):
        root.delete_s(f"cn=m{i},{many}")
    root.delete_s(many)


# --- attribute types ---

def types(world, *values):
    put(world, BASE, "b2bAttributeLabel", *values)


WANDA = f"uid=wanda,{DOCS}"
OWN = guest_dn("alice")


@pytest.mark.parametrize("value", ["telephoneNumber=Confidential", "telephoneNumber Confidential",
                                   "TELEPHONENUMBER: confidential", "2.5.4.20=Confidential"])
def test_attribute_label_hides(world, caps, value):
    """A labelled type, with options too, is hidden from reads, filters and compares where its label
    is above what holds for the entry, in the own entry too; else it is there."""
    bound = caps(clearance="General")
    assert {"telephonenumber", "telephonenumber;x-home"} <= set(seen(bound, WANDA)[WANDA])
    types(world, value)
    for dn in (WANDA, OWN):
        for attrs in (("*", "+"), ("telephoneNumber", "telephoneNumber;x-home", "cn")):
            found = seen(bound, dn, eyes.BASE, attrs=attrs)[dn]
            assert "cn" in found and not [a for a in found if a.startswith("telephone")]
        assert answer(bound.compare_s, dn, "telephoneNumber", "555-1") == answer(
            bound.compare_s, dn, "telephoneNumber", "1") != (6, None, None, None, None)
    for right, wrong in (("(telephoneNumber=555-1)", "(telephoneNumber=1)"),
                         ("(telephoneNumber=555*)", "(telephoneNumber=111*)"),
                         ("(telephoneNumber;x-home=555-2)", "(telephoneNumber;x-home=1)"),
                         ("(2.5.4.20=555-1)", "(2.5.4.20=1)"),
                         ("(:telephoneNumberMatch:=555-1)", "(:telephoneNumberMatch:=1)"),
                         ("(telephoneNumber:telephoneNumberMatch:=555-1)",
                          "(telephoneNumber:telephoneNumberMatch:=1)")):
        for form in ("{}", "(!{})", "(&(cn=*){})", "(|(cn=zzz){})", "(&(cn=*)(!{}))"):
            got = [answer(seen, bound, SUFFIX, SUB, form.format(t)) for t in (right, wrong)]
            assert got[0] == got[1], (form, right)
    for text in ("(telephoneNumber=*)", "(!(telephoneNumber=*))"):
        assert not seen(bound, SUFFIX, text=text)
    assert "telephonenumber" in seen(caps(clearance="Confidential"), WANDA)[WANDA]


def test_attribute_label_covers_subtypes(world, caps):
    """A label of "name" covers cn and sn, in all languages; a filter on the supertype finds nothing
    by a labelled subtype."""
    bound = caps(clearance="General")
    types(world, "name=Secret")
    found = seen(bound, WANDA)[WANDA]
    assert not {"cn", "cn;lang-de", "sn"} & set(found) and "uid" in found
    types(world, "sn=Secret")
    assert {"cn", "cn;lang-de"} <= set(seen(bound, WANDA)[WANDA])
    for form in ("({a}={v})", "({a}={v}*)", "(!({a}={v}))", "({a}:caseIgnoreMatch:={v})"):
        got = [answer(seen, bound, DOCS, SUB, form.format(a="name", v=v)) for v in ("watt", "zz")]
        assert got[0] == got[1], form
    # which slapd does not look into for each subtype
    assert WANDA not in seen(bound, DOCS, text="(name:caseIgnoreMatch:=watt)")
    types(world)
    assert WANDA in seen(bound, DOCS, text="(name:caseIgnoreMatch:=watt)")


def test_comparing_a_supertype_tells_nothing(world, caps):
    """Whether an entry has a value of a labelled type is not told by a compare with its
    supertype."""
    bound = caps(clearance="General")
    types(world, "title=Secret")
    got = [code(bound.compare_s, dn, "name", value)
           for dn in (WANDA, f"cn=plain,{DOCS}") for value in (b"chief", b"zz")]
    types(world)
    assert got == [50] * 4
    assert bound.compare_s(WANDA, "name", b"chief")


def test_attribute_label_goes_by_the_entry(world, caps):
    """The bound is that of the scope in which the entry lies; of the own entry, the guest's."""
    types(world, "title=General")
    bound = caps(clearance=ANY, wiki="Public")
    assert "title" not in seen(bound, WANDA)[WANDA] and "title" in seen(bound, OWN)[OWN]
    put(world, partner_dn("home"), "b2bMaxLabel", "Public")
    assert "title" not in seen(bound, OWN)[OWN]
    bound = caps(clearance=ANY)
    with conditional.policy(world, "b2bCaIncludeApp: wiki\nb2bCaMaxLabel: Public\n"):
        assert "title" not in seen(bound, WANDA)[WANDA] and "title" in seen(bound, OWN)[OWN]
    assert "title" in seen(bound, WANDA)[WANDA]


def test_attribute_label_for_names_and_members(world, caps):
    """Names that are read by base search lose a labelled attribute; so do entries under member
    access; members of ours lose nothing."""
    walt = f"uid=walt,{PEOPLE}"
    types(world, "mail=Secret")
    bound = caps(clearance="General")
    assert set(seen(bound, walt, eyes.BASE)[walt]) == {"uid", "cn"}
    assert not seen(bound, walt, eyes.BASE, "(mail=w@ours.example)")
    put(world, BASE, "b2bGuestAccess", "member")
    found = seen(bound, SUFFIX)
    assert walt in found and not [dn for dn in found if "mail" in found[dn]]
    assert "mail" in seen(world.conn(member_dn("mia"), "mia-pw"), walt)[walt]


def test_labelled_naming_attribute_stands_in_the_name(world, caps):
    """An entry whose naming attribute is labelled keeps its name: the attribute is hidden, the DN
    is not."""
    types(world, "uid=Secret")
    found = seen(caps(clearance="General"), WANDA)
    assert set(found) == {WANDA} and "uid" not in found[WANDA]


@pytest.mark.parametrize("values, words", [
    (("noSuchType=Secret",), ("noSuchType",)), (("mail=Unheard",), ("mail=Unheard",)),
    (("mail",), ("mail",)), (("mail=",), ("mail=",)), (("cn;lang-de=Secret",), ("cn;lang-de",)),
    (("mail=Secret", "MAIL Public"), ("second",)), (("mail=Secret", "rfc822Mailbox=Public"),
                                                    ("mail", "rfc822Mailbox")),
    (("1.2.3.4.5.6=Secret",), ("1.2.3.4.5.6",)), (("entry=Secret",), ("entry",)),
    (("children=Secret",), ("children",)), (("objectClass=Secret",), ("objectClass",))])
def test_attribute_labels_refused(world, caps, values, words):
    """What slapd's schema does not know, an unknown label, a type that is named twice (by another
    name too) and what stands for the entry itself is refused, named, and changes nothing."""
    bound = caps(clearance="General")
    before = seen(bound, SUFFIX)
    with pytest.raises(ldap.CONSTRAINT_VIOLATION) as error:
        types(world, *values)
    info = error.value.args[0]["info"]
    assert "b2bAttributeLabel" in info and all(word in info for word in words), info
    assert seen(bound, SUFFIX) == before


def test_types_that_got_in_otherwise_deny(home):
    """A labelled type that slapd does not know, past the overlay: every guest is denied, and the
    log names it."""
    lines = "b2bLabelOrder: {0}Public\nb2bAttributeLabel: noSuchType=Public\n"
    with builders.tenant_server(start=False, tenant=lines, data=builders.partner_ldif(
            "home", home.uri) + builders.guest_ldif("alice")) as server:
        assert code(server.conn, guest_dn("alice"), "alice-pw") == 49
        assert "noSuchType" in server.log()
