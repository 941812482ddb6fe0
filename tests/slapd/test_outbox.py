"""cn=outbox: notices are the server's; nobody forges, changes or reads them who should not, and odd
recipients do no harm."""

import json

import ldap
import pytest

from lib import builders
from lib.builders import (BASE, GUESTS, SUFFIX, app_ldif, guest_dn, member_dn, partner_ldif,
                          service_dn)
from lib.eyes import answer, code, seen
from lib.life import OUTBOX, REQUESTS
from lib.lives import FUTURE, PAST, lives_server
from lib.records import RELAX, add, ahead, delete, refused, replace
from lib.review import REVIEWS

MAIL = "b2bNoticeTo"
PROGRESS = {"b2bNoticeState": "failed", "b2bNoticeAttempts": "3", "b2bNoticeRetryAt": FUTURE,
            "b2bNoticeError": "550 no"}
FIXED = {"b2bNoticeType": "invitation", MAIL: "evil@example.com", "b2bNoticeName": "Evil",
         "b2bNoticeLanguage": "de", "b2bNoticeGuest": guest_dn("x"), "b2bNoticeData": "{}",
         "cn": "other", "description": "x", "b2bNextDue": PAST}
# All that slapd itself would let everybody do; max manages.
OPEN = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to * by dn.exact="{member_dn('max')}" manage by users write by * read
"""


@pytest.fixture(scope="module")
def world(make_server, home):
    """A partner whose guests may do all that guests may; wiki is an application."""
    lives = lives_server(make_server, access=OPEN, tenant="b2bGuestAccess: member", data=(
        partner_ldif("home", home.uri) + builders.service_ldif("wiki") + app_ldif(
            "wiki", f"b2bAppServiceDN: {service_dn('wiki')}\nb2bAppScope: {SUFFIX}")
        + app_ldif("all", f"b2bAppPeer: 127.0.0.1/32\nb2bAppScope: {SUFFIX}")))
    lives.settings("b2bMassLimit: 100%")
    lives.guest("alice", f"b2bValidUntil: {FUTURE}")
    return lives


@pytest.fixture
def notice(world):
    """DN of a notice that the server made: a guest's review is asked of mia."""
    guest = world.new(f"b2bReviewDue: {ahead(86400)}")
    world.wait(lambda: world.told("review", guest) == ["mia"], "asked")
    dn, = (dn for dn, entry in world.below(OUTBOX, "(b2bNoticeType=review)").items()
           if entry["b2bNoticeGuest"] == [guest_dn(guest)])
    return dn


WHO = ["member", "manager", "rootdn", "service", "guest", "anonymous"]


@pytest.fixture
def who(world):
    def connect(name):
        return {"member": lambda: world.bound("mia"), "manager": lambda: world.bound("max"),
                "rootdn": world.server.root, "anonymous": world.server.conn,
                "service": lambda: world.server.conn(service_dn("wiki"), "wiki-pw"),
                "guest": lambda: world.server.conn(guest_dn("alice"), "alice-pw",
                                                   uri=world.server.uri)}[name]()
    return connect


def forged(**more):
    return [("objectClass", [b"b2bNotice"]), ("cn", [b"forged"]),
            ("b2bNoticeType", [b"invitation"]), (MAIL, [b"victim@example.com"]),
            *((k, [v.encode()]) for k, v in more.items())]


ERRORS = (ldap.CONSTRAINT_VIOLATION, ldap.INSUFFICIENT_ACCESS, ldap.UNWILLING_TO_PERFORM,
          ldap.STRONG_AUTH_REQUIRED, ldap.NO_SUCH_OBJECT)


# --- who writes ---

@pytest.mark.parametrize("name", WHO)
def test_nobody_makes_notices(world, who, notice, name):
    """Hostile: whoever writes, a notice of its own is refused, and so is one with relax of anybody
    but the rootdn."""
    connection = who(name)
    with refused(world.root, error=ERRORS):
        connection.add_s(f"cn=forged,{OUTBOX}", forged())
    if name != "rootdn":
        with refused(world.root, error=ERRORS):
            connection.add_ext_s(f"cn=forged,{OUTBOX}", forged(), serverctrls=RELAX)


def test_rootdn_with_relax_makes_notices(world, notice):
    """The one way in: an administrator who restores a database."""
    world.root.add_ext_s(f"cn=forged,{OUTBOX}", forged(), serverctrls=RELAX)
    world.root.delete_s(f"cn=forged,{OUTBOX}")


@pytest.mark.parametrize("name", WHO)
def test_nobody_renames_notices(world, who, notice, name):
    connection = who(name)
    for target, above in (("cn=renamed", None), ("cn=renamed", SUFFIX)):
        with refused(world.root, error=ERRORS):
            connection.rename_s(notice, target, above)
    with refused(world.root, error=ERRORS):
        connection.rename_s(member_dn("zoe"), "uid=zoe", OUTBOX)


@pytest.mark.parametrize("attribute", FIXED)
@pytest.mark.parametrize("name", ["member", "manager", "rootdn"])
def test_notices_are_not_changed(world, who, notice, name, attribute):
    """What a notice says and to whom is fixed: by replacing, adding, deleting, and beside what may
    be changed."""
    connection = who(name)
    for changes in ([replace(attribute, FIXED[attribute])], [add(attribute, FIXED[attribute])],
                    [delete(attribute)],
                    [replace("b2bNoticeState", "failed"), replace(attribute, FIXED[attribute])]):
        with pytest.raises(ldap.LDAPError):
            connection.modify_s(notice, changes)
    entry = world.entry(notice)
    assert entry[MAIL] == ["mia@ours.example"] and "b2bNoticeState" not in entry
    assert "b2bNextDue" not in entry


@pytest.mark.parametrize("change", [
    [replace("objectClass", "b2bContainer")], [add("objectClass", "extensibleObject")],
    [add("objectClass", "b2bGuest"), add("b2bHomeTenant", "home")]], ids=str)
def test_notices_stay_notices(world, notice, change):
    with refused(world.root, error=ldap.LDAPError):
        world.root.modify_s(notice, change)


def test_progress(world, who, notice):
    """Who has slapd's leave to write notes how sending goes, and takes notices away; the service
    account of an application and a guest do neither, though slapd would let them."""
    for name in ("service", "guest", "anonymous"):
        connection = who(name)
        for attribute, value in PROGRESS.items():
            with refused(world.root, error=ERRORS):
                connection.modify_s(notice, [replace(attribute, value)])
        with refused(world.root, error=ERRORS):
            connection.delete_s(notice)
    mia = who("member")
    mia.modify_s(notice, [replace(name, value) for name, value in PROGRESS.items()])
    assert world.entry(notice)["b2bNoticeAttempts"] == ["3"]
    mia.modify_s(notice, [delete(name) for name in PROGRESS])
    mia.delete_s(notice)
    assert world.entry(notice) is None


def test_deletion_is_slapds_matter(make_server):
    """Where slapd lets nobody write, nobody deletes a notice, and a refusal tells nothing of it."""
    world = lives_server(make_server)
    guest = world.new(f"b2bReviewDue: {ahead(86400)}")
    world.wait(lambda: world.told("review", guest), "asked")
    notice, = world.below(OUTBOX)
    for work, *args in ((world.bound("mia").delete_s, notice),
                        (world.bound("mia").modify_s, notice,
                         [replace("b2bNoticeState", "failed")]),
                        (world.bound("mia").modify_s, notice, [replace(MAIL, "a@b.example")]),
                        (world.bound("mia").add_s, f"cn=x,{OUTBOX}", forged())):
        facts = answer(work, *args)
        assert facts[0] == 50 and "b2b" not in (facts[2] or ""), facts
    assert world.entry(notice) is not None


# --- what stands where ---

@pytest.mark.parametrize("above", [BASE, SUFFIX, REVIEWS, GUESTS, f"cn=partners,{BASE}"])
def test_notices_stand_nowhere_else(world, above):
    with refused(world.root, error=ldap.CONSTRAINT_VIOLATION):
        world.root.add_s(f"cn=forged,{above}", forged())


@pytest.mark.parametrize("classes, more", [
    ("applicationProcess", {}), ("b2bContainer", {}), ("device", {}),
    ("b2bRequest", {"b2bRequestMail": "a@b.example"}), ("b2bReviewItem", {}),
    ("b2bReviewDefinition", {"b2bReviewBy": "sponsor"}), ("b2bApplication", {})])
def test_nothing_else_stands_there(world, notice, classes, more):
    """Beside notices, and below one: where it would keep the mail daemon from taking the notice
    away, which it would send again and again."""
    for above in (OUTBOX, notice):
        with refused(world.root, error=ldap.CONSTRAINT_VIOLATION):
            world.root.add_s(f"cn=odd,{above}", [
                ("objectClass", [classes.encode()]), ("cn", [b"odd"]),
                *((key, [value.encode()]) for key, value in more.items())])
    with refused(world.root, error=ldap.CONSTRAINT_VIOLATION):
        world.root.add_s(f"uid=odd,{notice}", [("objectClass", [b"account"]), ("uid", [b"odd"])])


# --- what the server puts ---

def test_put_once(world):
    """Two sponsors with one address get one notice; the same guest's next review another."""
    world.people("same", "other")
    for name in ("same", "other"):
        world.root.modify_s(member_dn(name), [replace("mail", "shared@ours.example")])
    guest = world.new(f"b2bReviewDue: {ahead(86400)}", f"b2bSponsor: {member_dn('same')}",
                      f"b2bSponsor: {member_dn('other')}")
    world.wait(lambda: world.told("review", guest), "asked")
    assert world.told("review", guest) == ["shared"]
    world.set(guest_dn(guest), replace("b2bReviewDue", ahead(2 * 86400)), delete("b2bReviewAsked"))
    world.wait(lambda: len(world.told("review", guest)) == 2, "asked again")


def test_recipient_without_mail(world):
    """No address: the log says so, the others are told, and the guest's life goes on."""
    world.people("mute")
    world.root.modify_s(member_dn("mute"), [delete("mail")])
    guest = world.new(f"b2bReviewDue: {ahead(86400)}", f"b2bSponsor: {member_dn('mute')}",
                      f"b2bSponsor: {member_dn('mia')}")
    world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    assert world.told("review", guest) == ["mia"]
    world.server.wait_log(f'to="{member_dn("mute")}": no mail address')


ODD_NAMES = [
    "Zo\u00eb \u4e2d\u6587 \U0001f600",
    'Quote " and \\ and {"json": 1}',
    "Line\r\nBcc: x@y.example",
    "\u202eright to left",
    "x" * 3000,
    "Tab\there",
    "*)(uid=*",
    "\x00nul\x00",
    "%s%n%d",
     "</script><b>&amp;"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_names(world, name):
    """Names of recipients and of guests with odd characters: the notice is there, its data is one
    JSON object of texts, and says no more than was there; a recipient's name that no header can
    have is left away, or the daemon would give the mail up."""
    tag = f"odd{world.counter}"
    world.people(tag)
    world.root.modify_s(member_dn(tag), [replace("displayName", name)])
    guest = world.new(f"b2bSponsor: {member_dn(tag)}")
    world.root.modify_s(guest_dn(guest), [replace("displayName", name),
                                          replace("b2bReviewDue", ahead(86400))])
    world.wait(lambda: [e for e in world.below(OUTBOX).values()
                        if e.get("b2bNoticeGuest") == [guest_dn(guest)]], "asked")
    entry, = (e for e in world.below(OUTBOX).values()
              if e.get("b2bNoticeGuest") == [guest_dn(guest)])
    data = json.loads(entry["b2bNoticeData"][0])
    assert all(isinstance(value, str) for value in data.values())
    short = name.split("\0")[0]
    fits = short and len(short.encode()) <= 256 and not set(short) & set("\r\n\t\u202e")
    assert data["guestName"] == short
    assert entry.get("b2bNoticeName") == ([short] if fits else None)
    assert entry[MAIL] == [f"{tag}@ours.example"]


@pytest.mark.parametrize("mail",
    ["a@b.example\r\nBcc: victim@example.com",
    "a@b.example,c@d.example",
    "<a@b.example>",
    "not an address",
    "a@b.example\0",
    "x" * 2000,
    '"quo\\"ted"@b.example',
     "-oQ/tmp@b.example"])
def test_odd_mails(world, mail):
    """What stands in mail is put as it stands (up to a NUL); it is the mail daemon's to refuse."""
    tag = f"odd{world.counter}"
    world.people(tag)
    world.root.modify_s(member_dn(tag), [replace("mail", mail)])
    guest = world.new(f"b2bReviewDue: {ahead(86400)}", f"b2bSponsor: {member_dn(tag)}")
    world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    entry, = (e for e in world.below(OUTBOX).values()
              if e.get("b2bNoticeGuest") == [guest_dn(guest)])
    assert entry[MAIL] == [mail.split("\0")[0]]


@pytest.mark.parametrize("mail", ["", " ", "\t", "\0x"])
def test_mails_that_are_none(world, mail):
    """An empty address is no address, and holds nothing up."""
    tag = f"none{world.counter}"
    world.people(tag)
    world.root.modify_s(member_dn(tag), [replace("mail", mail)])
    guest = world.new(f"b2bReviewDue: {ahead(86400)}", f"b2bSponsor: {member_dn(tag)}")
    world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    assert world.told("review", guest) == []


def test_outbox_is_deleted_while_in_use(world):
    """Steps: notices come while a client deletes all of cn=outbox again and again. Expected: it is
    made anew each time; every guest is asked about."""
    for _ in range(5):
        guests = [world.new(f"b2bReviewDue: {ahead(86400)}") for _ in range(3)]
        world.wake()
        for dn in [*world.below(OUTBOX), OUTBOX]:
            try:
                world.root.delete_s(dn)
            except (ldap.NO_SUCH_OBJECT, ldap.NOT_ALLOWED_ON_NONLEAF):
                pass
        for guest in guests:
            world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    guest = world.new(f"b2bReviewDue: {ahead(86400)}")
    world.wait(lambda: world.told("review", guest) == ["mia"], "told")
    assert world.entry(OUTBOX)["objectClass"] == ["b2bContainer"]


def test_without_a_tenant_entry(make_server):
    """Set-up: a database without a policy, into which guests were loaded. Expected: the log says
    that cn=outbox cannot be made; guests whose time is over are disabled all the same."""
    server = make_server(builders.tenant_server, start=False, load=False, sweep=3600)
    server.load(builders.tree_ldif(SUFFIX, ("people", "guests"))
                + builders.people_ldif(("mia",), builders.PEOPLE)
                + builders.guest_ldif("over", lines=f"b2bValidUntil: {PAST}\n"
                                                    f"b2bSponsor: {member_dn('mia')}"))
    server.start()
    server.wait_log("disabled reason=expired")
    assert "cn=outbox cannot be made" in server.log()
    assert server.entry(guest_dn("over"))["b2bAccountEnabled"] == ["FALSE"]
    assert server.entry(OUTBOX) is None


# --- who reads ---

@pytest.fixture
def private(world, notice):
    """Names that guests and applications must not find, and attributes that they would be found by.
    """
    world.guest("item", f"b2bValidUntil: {FUTURE}")
    if not world.entry(f"cn=secret,{REVIEWS}"):
        world.define("secret", "b2bReviewScopeFilter: (uid=item)")
        world.server.load(f"dn: {REQUESTS}\nobjectClass: b2bContainer\ncn: requests\n")
        world.root.add_ext_s(f"cn=wish,{REQUESTS}", [
            ("objectClass", [b"b2bRequest"]), ("cn", [b"wish"]), ("b2bRequestState", [b"pending"]),
            ("b2bRequestMail", [b"wish@example.com"])], serverctrls=RELAX)
    items = world.wait_state("secret", 1, 0)
    yield [OUTBOX, notice, REVIEWS, f"cn=secret,{REVIEWS}", items["item"]["dn"], REQUESTS,
           f"cn=wish,{REQUESTS}"]
    world.root.delete_s(guest_dn("item"))
    world.root.delete_s(f"cn=secret,{REVIEWS}")
    world.root.delete_s(f"cn=wish,{REQUESTS}")
    world.root.delete_s(REQUESTS)


@pytest.mark.parametrize("name", ["service", "guest-member", "guest-limited", "guest-restricted"])
def test_nothing_shows(world, who, private, name):
    """Hostile: a guest at every level of access, whose applications hold the whole database, and an
    application's account, to which slapd would show all: they find none of it by search, filter,
    comparison or name, and what they hear is what they hear of what is not there."""
    if name != "service":
        world.settings(f"b2bGuestAccess: {name.split('-')[1]}")
    try:
        connection = who(name.split("-")[0])
        hidden = [dn.lower() for dn in private]
        filters = ["(objectClass=*)", "(objectClass=b2bNotice)", "(b2bNoticeType=review)",
                   "(b2bRequestMail=*)", "(b2bReviewGuest=*)", "(cn=outbox)",
                   "(!(objectClass=b2bGuest))", f"({MAIL}=mia@ours.example)", "(entryUUID=*)"]
        for base in (SUFFIX, BASE):
            for text in filters:
                found = answer(seen, connection, base, text=text)[4] or ""
                assert not [dn for dn in hidden if dn in found.lower()]
        missing = f"cn=missing,{OUTBOX}"
        for dn in private:
            assert code(connection.search_s, dn, ldap.SCOPE_BASE) == 32
            assert code(connection.compare_s, dn, "objectClass", b"b2bNotice") not in (0, 5, 6)
        shown = answer(connection.search_s, private[1], ldap.SCOPE_BASE)
        assert shown[0] == answer(connection.search_s, missing, ldap.SCOPE_BASE)[0] == 32
        assert shown[:4] == answer(connection.search_s, missing, ldap.SCOPE_BASE)[:4]
    finally:
        world.settings("b2bGuestAccess: member")


def test_members_and_managers_see_what_slapd_shows(world, who, private):
    """The hook takes nothing from others."""
    for name in ("member", "manager"):
        found = seen(who(name), BASE)
        assert {dn.lower() for dn in private} <= set(found)
