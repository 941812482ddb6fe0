"""Values that name a guest whom an application's service account does not find: hidden in every
attribute, in answers, filters, comparisons and controls; everybody else sees them."""

import ldap
import pytest
from ldap.controls.libldap import AssertionControl
from ldap.controls.readentry import PreReadControl, PostReadControl

from lib import builders, eyes
from lib.builders import PEOPLE, SUFFIX, guest_dn, member_dn, service_dn
from lib.eyes import SUB, answer, code, control, limited, seen
from lib.hostile import ber
from test_service import Watch

SYNC = "1.3.6.1.4.1.4203.1.9.1.1"
TEAMS = f"ou=teams,{SUFFIX}"
SHOWN, HIDDEN, NOBODY = guest_dn("shown"), guest_dn("hidden"), guest_dn("nobody")
MIA = member_dn("mia")
ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to attrs=seeAlso val.regex="^uid=max," by dn.exact="{service_dn('wiki')}" none by * read
access to dn.subtree="{TEAMS}" by dn.exact="{service_dn('wiki')}" write by * read
access to * by * read
"""


def team(name, classes, *lines):
    return (f"dn: cn={name},{TEAMS}\n" + "".join(f"objectClass: {c}\n" for c in classes.split())
            + f"cn: {name}\n" + "".join(f"{line}\n" for line in lines) + "\n")


def teams():
    return "".join((
        f"dn: {TEAMS}\nobjectClass: organizationalUnit\nou: teams\n\n",
        team("mixed", "groupOfNames", f"member: {HIDDEN}", f"member: {SHOWN}", f"member: {MIA}",
             f"owner: {HIDDEN}", f"seeAlso: {HIDDEN}", f"seeAlso: {MIA}",
             f"seeAlso: {member_dn('max')}"),
        team("all-hidden", "groupOfNames", f"member: {HIDDEN}"),
        team("visible", "groupOfNames", f"member: {SHOWN}"),
        team("unique", "groupOfUniqueNames", f"uniqueMember: {HIDDEN}#'0101'B",
             f"uniqueMember: {HIDDEN}", f"uniqueMember: {SHOWN}#'0101'B"),
        team("unique-hidden", "groupOfUniqueNames", f"uniqueMember: {HIDDEN}#'0101'B"),
        team("posix", "posixGroup", "gidNumber: 7", "memberUid: hidden", "memberUid: shown",
             "memberUid: mia"),
        team("posix-hidden", "posixGroup", "gidNumber: 8", "memberUid: hidden"),
        team("posix-empty", "posixGroup", "gidNumber: 9"),
        team("urls", "groupOfURLs", f"memberURL: ldap:///ou=guests,{SUFFIX}??one?(uid=*)"),
    ))


WIKI = service_dn("wiki")


@pytest.fixture(scope="module")
def world(make_server):
    """Guests shown and hidden (disabled), groups that name them, and what makes groups:
    slapo-memberof, slapo-dynlist, slapo-deref, slapo-sssvlv, slapo-syncprov."""
    server = make_server(
        builders.tenant_server, start=False, access=ACCESS,
        modules=("dynlist", "memberof", "deref", "sssvlv", "syncprov"),
        frontend="include /etc/ldap/schema/nis.schema\ninclude /etc/ldap/schema/dyngroup.schema\n",
        database="overlay syncprov\noverlay memberof\noverlay dynlist\n"
        "dynlist-attrset groupOfURLs memberURL member\noverlay deref\noverlay sssvlv\n",
        data=builders.partner_ldif("home") + builders.service_ldif("wiki")
        + builders.app_ldif("wiki", f"b2bAppServiceDN: {WIKI}"))
    guests = "".join(builders.guest_ldif(name, lines="b2bUserState: Accepted")
                     for name in ("shown", "hidden"))
    guests += builders.guest_ldif("mia", lines="b2bUserState: Accepted")  # as a member of ours
    at = guests.index(f"dn: {HIDDEN}")
    guests = guests[:at] + guests[at:].replace("Enabled: TRUE", "Enabled: FALSE")
    server.load(guests + teams())
    server.start()
    server.modify(f"dn: {MIA}\nchangetype: modify\nadd: manager\nmanager: {HIDDEN}\n\n"
                  f"dn: {member_dn('max')}\nchangetype: modify\nadd: manager\n"
                  f"manager: {builders.GUESTS}\n")
    return server


@pytest.fixture
def wiki(world):
    return world.conn(WIKI, "wiki-pw")


@pytest.fixture
def mia(world):
    return world.conn(MIA, "mia-pw")


def found(connection, text, base=SUFFIX):
    return {dn.split(",")[0].split("=")[1] for dn in seen(connection, base, SUB, text,
                                                          attrs=("1.1",))}


def texts(entry):
    return {(name, value) for name, values in entry.items() for value in values}


def test_reads(wiki, mia):
    """No attribute of any entry has the value; the others are there as before, also where rules of
    slapd's are about single values; an attribute with none left is not there, by types neither."""
    everything, less = seen(mia, SUFFIX), seen(wiki, SUFFIX)
    for entry in (*everything.values(), *less.values()):
        entry.pop("userpassword", None)  # each its own
        entry.pop("hassubordinates", None)  # which applications do not see at all
    assert HIDDEN in everything and HIDDEN not in less
    for dn, entry in less.items():
        hidden = {(n, v) for n, v in texts(everything[dn])
                  if any(name in v.lower() for name in (b"uid=hidden,", guest_dn("mia").encode()))
                  or (n == "memberuid" and v == b"hidden")}
        if dn == f"cn=mixed,{TEAMS}":
            hidden.add(("seealso", member_dn("max").encode()))
        assert texts(entry) == texts(everything[dn]) - hidden, dn
        types = wiki.search_ext_s(dn, eyes.BASE, attrlist=["*", "+"], attrsonly=1)[0][1]
        assert {t.lower() for t in types} - {"userpassword", "hassubordinates"} == set(entry), dn
    assert "member" not in less[f"cn=all-hidden,{TEAMS}"]
    assert "manager" not in less[MIA] and "manager" in everything[MIA]
    assert less[f"cn=urls,{TEAMS}"]["member"] == [SHOWN.encode()]
    assert seen(wiki, f"cn=mixed,{TEAMS}", attrs=("owner",))[f"cn=mixed,{TEAMS}"] == {}


SAME = (  # an assertion of the hidden name answers as one of a name that never was
    "(member={})", "(!(member={}))", "(owner={})", "(!(owner={}))", "(seeAlso={})",
    "(manager={})", "(!(manager={}))", "(uniqueMember={})", "(uniqueMember={}#'0101'B)",
    "(!(uniqueMember={}#'0101'B))", "(distinguishedName={})", "(!(distinguishedName={}))",
    "(member~={})", "(!(member~={}))", "(member:distinguishedNameMatch:={})",
    "(!(member:distinguishedNameMatch:={}))", "(member:dnSubtreeMatch:={})",
    "(!(member:dnSubtreeMatch:={}))", "(member:=%s)" % "{}", "(:distinguishedNameMatch:={})",
    "(!(:distinguishedNameMatch:={}))", "(:dnSubtreeMatch:={})", "(:uniqueMemberMatch:={})",
    "(:dnSuperiorMatch:={})", "(manager:dnSuperiorMatch:={})", "(:dnSuperiorMatch:=cn=x,{})",
    "(!(:dnSuperiorMatch:={}))", "(:dn:dnSuperiorMatch:={})",
    "(&(objectClass=groupOfNames)(!(|(member={})(owner={}))))",
)


@pytest.mark.parametrize("text", SAME)
def test_filters_know_no_hidden_name(wiki, text):
    """Negated and plain, by every rule that takes names: what a filter with the hidden name finds
    is what one with a missing name finds."""
    assert found(wiki, text.replace("{}", HIDDEN)) == found(wiki, text.replace("{}", NOBODY))


UID_FILTERS = ("(memberUid={})", "(!(memberUid={}))", "(memberUid={}*)", "(!(memberUid=*{}*))",
               "(memberUid~={})", "(!(memberUid~={}))", "(memberUid:caseIgnoreIA5Match:={})",
               "(!(memberUid:caseExactIA5Match:={}))", "(:caseExactIA5Match:={})",
               "(memberUid>={})", "(memberUid<={})")


@pytest.mark.parametrize("text", UID_FILTERS)
def test_filters_know_no_hidden_uid(wiki, text):
    """The same of memberUid; part of the hidden uid finds nothing either."""
    for name, nobody in (("hidden", "nobody"), ("hidde", "nobod"), ("idden", "obody")):
        assert found(wiki, text.replace("{}", name), TEAMS) == \
            found(wiki, text.replace("{}", nobody), TEAMS), name


BY_ALL = (  # filter: groups below ou=teams that it finds
    ("(member=*)", {"mixed", "visible", "urls"}),
    ("(&(objectClass=groupOfNames)(!(member=*)))", {"all-hidden"}),
    ("(uniqueMember=*)", {"unique"}),
    ("(&(objectClass=groupOfUniqueNames)(!(uniqueMember=*)))", {"unique-hidden"}),
    ("(memberUid=*)", {"posix"}),
    ("(&(objectClass=posixGroup)(!(memberUid=*)))", {"posix-hidden", "posix-empty"}),
    ("(owner=*)", set()), ("(seeAlso=*)", {"mixed"}),
    (f"(member:dnSubtreeMatch:=ou=guests,{SUFFIX})", {"mixed", "visible", "urls"}),
    (f"(&(cn=all-hidden)(!(member:dnSubtreeMatch:=ou=guests,{SUFFIX})))", {"all-hidden"}),
    (f"(member:dnOneLevelMatch:=ou=guests,{SUFFIX})", {"mixed", "visible", "urls"}),
    (f"(:dnSubordinateMatch:=ou=guests,{SUFFIX})", {"mixed", "visible"}),
    ("(memberUid=sho*)", {"posix"}), ("(memberUid=*i*)", {"posix"}),
    ("(memberUid=shown)", {"posix"}), (f"(member={SHOWN})", {"mixed", "visible", "urls"}),
    (f"(uniqueMember={SHOWN}#'0101'B)", {"unique"}), (f"(seeAlso={MIA})", {"mixed"}),
)


@pytest.mark.parametrize("text,wanted", BY_ALL)
def test_filters_know_what_is_shown(wiki, text, wanted):
    """Presence, subtree and substring filters hold of the values that are left, and are false, not
    undefined, where none is; counts are of those."""
    assert found(wiki, text, TEAMS) == wanted
    if wanted:
        assert not limited(wiki, TEAMS, SUB, text, len(wanted))[1]


COMPARES = (("mixed", "member", "{}"), ("all-hidden", "member", "{}"), ("mixed", "owner", "{}"),
            ("unique", "uniqueMember", "{}#'0101'B"), ("unique", "uniqueMember", "{}"),
            ("mixed", "distinguishedName", "{}"))


@pytest.mark.parametrize("name,attr,value", COMPARES)
def test_compare(wiki, name, attr, value):
    """Hidden and missing names compare alike."""
    ours, none = (answer(wiki.compare_s, f"cn={name},{TEAMS}", attr, value.replace("{}", dn))
                  for dn in (HIDDEN, NOBODY))
    assert ours == none and ours[0] != 6


def test_compare_without_values(wiki, mia):
    """An attribute whose values are all hidden compares as one that is not there; others
    compare."""
    for name, attr, value in (("all-hidden", "member", SHOWN), ("posix-hidden", "memberUid", "x"),
                              ("posix-hidden", "memberUid", "hidden"), ("mixed", "owner", MIA)):
        assert code(wiki.compare_s, f"cn={name},{TEAMS}", attr, value) == 16
    assert code(wiki.compare_s, f"cn=posix-empty,{TEAMS}", "memberUid", "x") == 16
    assert wiki.compare_s(f"cn=posix,{TEAMS}", "memberUid", "shown")
    assert wiki.compare_s(f"cn=mixed,{TEAMS}", "seeAlso", MIA)
    assert not wiki.compare_s(f"cn=mixed,{TEAMS}", "seeAlso", WIKI)
    assert not wiki.compare_s(f"cn=posix,{TEAMS}", "memberUid", "hidden")
    assert mia.compare_s(f"cn=mixed,{TEAMS}", "owner", HIDDEN)
    assert mia.compare_s(f"cn=posix,{TEAMS}", "memberUid", "hidden")


def test_assertion_control(wiki, mia):
    """An assertion (RFC 4528) of the hidden value fails, as one of a missing name, and its negation
    holds."""
    def asserts(connection, text):
        asserted = AssertionControl(True, text)
        return code(connection.search_ext_s, f"cn=mixed,{TEAMS}", eyes.BASE,
                    serverctrls=[asserted])
    assert asserts(mia, f"(member={HIDDEN})") == 0
    for dn in (HIDDEN, NOBODY):
        assert asserts(wiki, f"(member={dn})") == 122
        assert asserts(wiki, f"(!(member={dn}))") == 0


def test_read_controls(wiki):
    """Pre- and post-read (RFC 4527) of a group that the account may write."""
    for kind in (PreReadControl, PostReadControl):
        message = wiki.modify_ext(f"cn=mixed,{TEAMS}", [(ldap.MOD_REPLACE, "description", [b"x"])],
                                  serverctrls=[kind(True, ["member", "owner", "description"])])
        _, _, _, controls = wiki.result3(message)
        entry = controls[0].entry
        assert {v.decode() if isinstance(v, bytes) else v for v in entry["member"]} == {SHOWN, MIA}
        assert "owner" not in entry


def test_deref_and_values_filter(world, wiki):
    """The dereference control gives no hidden name; nor does a filter of values (RFC 3876)."""
    text = world.tool("ldapsearch", "-D", WIKI, "-w", "wiki-pw", "-LLL", "-o", "ldif-wrap=no",
                      "-b", TEAMS, "-E", "deref=member:sn,manager").stdout
    assert "Shown" in text and "uid=hidden" not in text.lower()
    values = control("1.2.826.0.1.3344810.2.3", ber(0x30, ber(0xA3, ber(4, b"member")
                                                             + ber(4, HIDDEN.encode()))))
    for _, entry in seen(wiki, TEAMS, controls=[values]).items():
        assert not texts(entry)


def test_member_of(world, wiki, mia):
    """slapo-memberof: whoever is found has the groups it is in; hidden ones are found by none."""
    world.modify(f"dn: cn=visible,{TEAMS}\nchangetype: modify\nadd: member\nmember: {HIDDEN}\n"
                 f"member: {MIA}\n")
    group = f"cn=visible,{TEAMS}"
    try:
        assert found(mia, f"(memberOf={group})") == {"hidden", "mia"}
        assert found(wiki, f"(memberOf={group})") == {"mia"}
        assert found(wiki, "(memberOf=*)") == {"mia"}
        assert seen(wiki, MIA)[MIA]["memberof"] == [group.encode()]
    finally:
        world.modify(f"dn: {group}\nchangetype: modify\ndelete: member\nmember: {HIDDEN}\n"
                     f"member: {MIA}\n")


def test_sort_keys(wiki, mia):
    """Nobody sorts by what he may not see: refused where the sort is critical, unsorted else; the
    order of what is seen is free."""
    def sort(attr, critical=True, first=b""):
        key = ber(4, attr) + ber(0x80, b"caseIgnoreOrderingMatch")
        return control("1.2.840.113556.1.4.473", ber(0x30, first + ber(0x30, key)), critical)
    cn = ber(0x30, ber(4, b"cn") + ber(0x80, b"caseIgnoreOrderingMatch") + ber(0x81, b"\xff"))
    for attr in (b"member", b"memberUid", b"2.5.4.50", b"owner"):
        for first in (b"", cn):
            assert code(seen, wiki, TEAMS, controls=[sort(attr, True, first)]) == 12
            assert set(seen(wiki, TEAMS, controls=[sort(attr, False, first)])) == \
                set(seen(mia, TEAMS))
    for bound, attr in ((wiki, b"cn"), (mia, b"member")):
        assert answer(seen, bound, TEAMS, controls=[sort(attr)])[:3] == (0, None, None)


@pytest.mark.parametrize("text,name,sync", (
    ("(!(distinguishedName=*))", "all-hidden", False),
    ("(|(!(!(!(distinguishedName=*))))(cn=none))", "all-hidden", False),
    ("(!(member=*))", "all-hidden", True), ("(!(uniqueMember=*))", "unique-hidden", True),
    ("(!(memberUid=*))", "posix-hidden", True)))
def test_negated_presence_is_undefined_alike(wiki, text, name, sync):
    """Where false cannot be told (an attribute with subtypes, a replication search), a negated
    presence answers alike for an entry whose values are hidden and for one without any."""
    controls = [control(SYNC, ber(0x30, ber(0x0A, b"\x01")))] if sync else None
    names = set(seen(wiki, TEAMS, text=text, controls=controls))
    assert (f"cn={name},{TEAMS}" in names) is (f"cn=posix-empty,{TEAMS}" in names)


@pytest.mark.parametrize("text", ["(objectClass=*)", "(member=*)",
                                  f"(|(member:dnSubtreeMatch:=ou=guests,{SUFFIX})(memberUid=h*)"
                                  f"(:dnSubtreeMatch:=ou=guests,{SUFFIX})(objectClass=*))"])
def test_persist_phase(world, wiki, text):
    """A search that slapo-syncprov keeps longer than the operation lives: groups that change come
    without the values, and slapd serves on."""
    watch = Watch(wiki, text=text)
    watch.until(lambda: watch.refreshed, "refresh")
    names = {dn: entry for _, dn, entry in watch.events}
    assert f"cn=mixed,{TEAMS}" in names
    watch.events.clear()
    world.modify(f"dn: cn=mixed,{TEAMS}\nchangetype: modify\nreplace: description\n"
                 f"description: {len(text)}\n")
    watch.until(lambda: watch.events, "change")
    for entry in (*names.values(), watch.events[0][2]):
        assert not [v for _, v in texts(entry) if b"uid=hidden" in v.lower() or v == b"hidden"]
    assert {v.decode() for v in watch.events[0][2]["member"]} == {SHOWN, MIA}
    assert world.alive()


def test_changes_take_effect_at_once(world, wiki):
    """The guest is enabled: its name is there; disabled: gone."""
    for word in ("TRUE", "FALSE"):
        world.modify(f"dn: {HIDDEN}\nchangetype: modify\nreplace: b2bAccountEnabled\n"
                     f"b2bAccountEnabled: {word}\n")
        entry = seen(wiki, f"cn=all-hidden,{TEAMS}")[f"cn=all-hidden,{TEAMS}"]
        assert ("member" in entry) is (word == "TRUE")
        assert ("all-hidden" in found(wiki, f"(member={HIDDEN})")) is (word == "TRUE")
        assert ("posix-hidden" in found(wiki, "(memberUid=hid*)")) is (word == "TRUE")
    assert found(wiki, f"(seeAlso={MIA})", PEOPLE) == set()
