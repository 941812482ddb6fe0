"""Guests' records: what a new guest is given, what may not be written, what follows from a change,
and that no password of ours ever stands in a guest's entry."""

import ldap
import pytest
import time
from ldap.controls import RequestControl

from lib import builders
from lib.builders import GUESTS, HOME_PEOPLE, guest_dn, guest_ldif, member_dn
from lib.records import (DAY, HOUR, RELAX, add, add_entry, ahead, delete, next_hour, parse,
                         refused, replace, seconds, values)

# Attributes as other products bring them, and a subtype of userPassword.
SECRETS = """
attributetype ( 1.3.6.1.4.1.7165.2.1.25 NAME 'sambaNTPassword'
    EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{32} SINGLE-VALUE )
attributetype ( 2.16.840.1.113719.1.301.4.39.1 NAME 'krbPrincipalKey'
    EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
attributetype ( 1.2.840.113556.1.4.90 NAME 'unicodePwd'
    EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
attributetype ( 1.3.6.1.4.1.4203.666.11.1 NAME 'testPin' SUP userPassword )
objectclass ( 1.3.6.1.4.1.4203.666.11.2 NAME 'testSecrets' SUP top AUXILIARY
    MAY ( userPassword $ sambaNTPassword $ krbPrincipalKey $ unicodePwd $ testPin ) )
"""
ACCESS = f"""access to dn.subtree="{GUESTS}" by dn.exact="{member_dn('mia')}" write by * read
access to attrs=userPassword by anonymous auth by self write by * none
access to * by * read
"""
# Written by the server alone, each with a value of its syntax.
SERVER_ONLY = {
    "b2bUserState": "Accepted", "b2bUserStateChanged": "20250101000000Z",
    "b2bDisabledReason": "expired", "b2bDisabledAt": "20250101000000Z",
    "b2bDeleteAfter": "20250101000000Z", "b2bInvitedBy": member_dn("max"),
    "b2bReviewedBy": member_dn("max"), "b2bReviewedAt": "20250101000000Z",
    "b2bReviewHistory": "approved", "b2bTermsAccepted": "1",
    "b2bLastSignIn": "20250101000000Z", "b2bNextDue": "20250101000000Z",
}
PASSWORDS = {"userPassword": "x", "userPassword;lang-en": "x", "userPassword;lang-en;lang-de": "x",
             "sambaNTPassword": "0123456789ABCDEF0123456789ABCDEF", "krbPrincipalKey": "x",
             "unicodePwd": "x", "testPin": "1234"}
SERVER_MARKS = ("b2bDisabledReason", "b2bDisabledAt", "b2bDeleteAfter")


@pytest.fixture(scope="module")
def server(make_server):
    return make_server(builders.tenant_server, access=ACCESS, frontend=SECRETS)


@pytest.fixture
def root(server):
    return server.root()


@pytest.fixture
def mia(server):
    """A manager: an ordinary member with write access to ou=guests."""
    return server.conn(member_dn("mia"), "mia-pw")


@pytest.fixture
def guest(server, root, request):
    """The DN of a guest of its own for the test, with every default."""
    name = request.node.name.split("[")[0].replace("_", "-")
    yield add_entry(root, bare(name))
    for dn, _ in root.search_s(GUESTS, ldap.SCOPE_ONELEVEL, attrlist=["1.1"]):
        root.delete_s(dn)


def bare(name, tenant="home", lines=""):
    """A guest with no attribute of ours but its tenant."""
    text = (f"dn: {guest_dn(name)}\nobjectClass: inetOrgPerson\nobjectClass: b2bGuest\n"
            f"uid: {name}\ncn: {name}\nsn: {name}\n")
    return text + (f"b2bHomeTenant: {tenant}\n" if tenant else "") + lines


def one(server, dn, attribute):
    found = server.entry(dn).get(attribute)
    assert found is None or len(found) == 1
    return found and found[0]


# --- defaults ---

@pytest.mark.parametrize("who", ["root", "mia"])
def test_defaults_at_add(server, root, mia, guest, who):
    """Set-up: lifetime 90 days.  Steps: rootdn and a manager add a guest with its tenant alone.
    Expected: type, state, times, sponsor, inviter, validity and b2bNextDue are filled in."""
    connection, dn = {"root": (root, builders.ROOTDN), "mia": (mia, member_dn("mia"))}[who]
    before = int(time.time())
    new = add_entry(connection, bare("new"))
    entry = server.entry(new)
    assert entry["b2bUserType"] == ["Guest"]
    assert entry["b2bUserState"] == ["PendingAcceptance"]
    assert entry["b2bAccountEnabled"] == ["TRUE"]
    assert entry["b2bInvitedBy"] == entry["b2bSponsor"] == [dn]
    assert before <= seconds(entry["b2bUserStateChanged"][0]) <= time.time()
    until = entry["b2bValidUntil"][0]
    # createTimestamp, from which it counts, is of a clock of slapd's own
    assert before + 90 * DAY <= seconds(until) <= time.time() + 90 * DAY + 1
    assert entry["b2bNextDue"] == [next_hour(until)]
    assert entry["creatorsName"] == [dn]
    assert not set(SERVER_MARKS) & set(entry)


def test_given_values_are_kept(server, root, guest):
    """What the administrator gave is not replaced by defaults; an open review that ends before the
    validity is what is due next; a disabled guest is never due."""
    due, until = ahead(10 * DAY), ahead(20 * DAY)
    dn = add_entry(root, bare("kept", lines=(
        "b2bUserType: Member\nb2bAccountEnabled: TRUE\n"
        f"b2bSponsor: {member_dn('max')}\nb2bValidUntil: {until}\nb2bReviewDue: {due}\n")))
    entry = server.entry(dn)
    assert entry["b2bUserType"] == ["Member"]
    assert entry["b2bSponsor"] == [member_dn("max")]
    assert entry["b2bValidUntil"] == [until]
    assert entry["b2bNextDue"] == [next_hour(due)]
    off = add_entry(root, bare("off", lines="b2bAccountEnabled: FALSE\n"))
    assert "b2bNextDue" not in server.entry(off)


def test_lifetime_comes_from_the_tenant(server, root, guest):
    """b2bGuestLifetime of the tenant is what a new guest gets; 0 is no end and nothing due."""
    try:
        root.modify_s(builders.BASE, [replace("b2bGuestLifetime", "10")])
        until = one(server, add_entry(root, bare("ten")), "b2bValidUntil")
        assert abs(seconds(until) - time.time() - 10 * DAY) < 60
        root.modify_s(builders.BASE, [replace("b2bGuestLifetime", "0")])
        entry = server.entry(add_entry(root, bare("ever")))
        assert not {"b2bValidUntil", "b2bNextDue"} & set(entry)
    finally:
        root.modify_s(builders.BASE, [delete("b2bGuestLifetime")])


def test_person_becomes_a_guest(server, mia, guest):
    """Set-up: an inetOrgPerson without password below ou=guests.  Steps: a manager adds class and
    tenant.  Expected: the same defaults as for a new guest.  Then the class is taken off again:
    the person stays, nothing that only the server writes does, and as a guest once more it
    starts anew."""
    dn = add_entry(mia, f"dn: {guest_dn('pat')}\nobjectClass: inetOrgPerson\nuid: pat\ncn: Pat\n"
                        "sn: P\n")
    become = [add("objectClass", "b2bGuest"), add("b2bHomeTenant", "home")]
    mia.modify_s(dn, become)
    entry = server.entry(dn)
    assert entry["b2bUserType"] == ["Guest"]
    assert entry["b2bUserState"] == ["PendingAcceptance"]
    assert entry["b2bAccountEnabled"] == ["TRUE"]
    assert entry["b2bSponsor"] == entry["b2bInvitedBy"] == [member_dn("mia")]
    assert entry["b2bNextDue"] == [next_hour(entry["b2bValidUntil"][0])]
    server.root().modify_ext_s(dn, [replace("b2bUserState", "Accepted")], serverctrls=RELAX)
    ours = [name for name in entry if name.startswith("b2b")]
    mia.modify_s(dn, [delete("objectClass", "b2bGuest")]
                 + [delete(name) for name in ours if name not in SERVER_ONLY])
    assert not [name for name in server.entry(dn) if name.startswith("b2b")]
    mia.modify_s(dn, become)
    assert one(server, dn, "b2bUserState") == "PendingAcceptance"


# --- refusals ---

def test_without_tenant(root):
    """slapd's own schema check: objectClassViolation, nothing added."""
    with refused(root, "b2bHomeTenant", error=ldap.OBJECT_CLASS_VIOLATION):
        add_entry(root, bare("none", tenant=None))


def test_tenant_cannot_be_taken_away(root, guest):
    """A guest's tenant may change but not go: objectClassViolation."""
    with refused(root, "b2bHomeTenant", error=ldap.OBJECT_CLASS_VIOLATION):
        root.modify_s(guest, [delete("b2bHomeTenant")])


BAD = {
    "six sponsors": ([f"b2bSponsor: uid=s{n},{builders.PEOPLE}" for n in range(6)],
                     ("b2bSponsor", f"uid=s5,{builders.PEOPLE}", "five")),
    "ends before it begins": (["b2bValidFrom: 20300102000000Z", "b2bValidUntil: 20300101000000Z"],
                              ("b2bValidUntil", "20300101000000Z", "b2bValidFrom")),
    "ends as it begins": (["b2bValidFrom: 20300101000000Z", "b2bValidUntil: 20300101000000Z"],
                          ("b2bValidUntil", "20300101000000Z")),
    "type": (["b2bUserType: Robot"], ("b2bUserType", '"Robot"')),
    "provider": (["b2bIdentityProvider: kerberos"], ("b2bIdentityProvider", '"kerberos"')),
    "decision": (["b2bReviewDecision: Maybe"], ("b2bReviewDecision", '"Maybe"')),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("how", ["add", "modify", "class"])
def test_bad_record_is_refused(server, mia, root, guest, name, how):
    """Steps: a bad record by add, by modify of a guest, and with the class that makes a person a
    guest.  Expected: constraintViolation naming attribute and value, nothing changed."""
    lines, words = BAD[name]
    changes = {}
    for line in lines:
        changes.setdefault(line.split(": ")[0], []).append(line.split(": ")[1])
    mods = [replace(attribute, *texts) for attribute, texts in changes.items()]
    dn = guest
    if how == "class":
        dn = add_entry(root, f"dn: {guest_dn('man')}\nobjectClass: person\ncn: man\nsn: m\n"
                             "objectClass: uidObject\nuid: man\n")
        mods += [add("objectClass", "b2bGuest"), add("b2bHomeTenant", "home")]
    with refused(root, "b2b: ", *words):
        if how == "add":
            add_entry(mia, bare("bad", lines="\n".join(lines) + "\n"))
        else:
            mia.modify_s(dn, mods)


def test_sixth_sponsor_is_refused(root, guest):
    """Five are taken, one by one; the sixth is not."""
    root.modify_s(guest, [replace("b2bSponsor", *(member_dn(f"s{n}") for n in range(5)))])
    with refused(root, "b2bSponsor", member_dn("s5")):
        root.modify_s(guest, [add("b2bSponsor", member_dn("s5"))])


@pytest.mark.parametrize("attribute", SERVER_ONLY)
def test_server_only_attribute_is_refused(server, root, mia, guest, attribute):
    """By add and by every kind of modify, for rootdn and for a manager: constraintViolation."""
    value = SERVER_ONLY[attribute]
    for connection in (root, mia):
        with refused(root, attribute):
            add_entry(connection, bare("bad", lines=f"{attribute}: {value}\n"))
        for change in (replace(attribute, value), add(attribute, value), delete(attribute)):
            with refused(root, attribute):
                connection.modify_s(guest, [change])


def test_relax_is_for_administrators(server, root, mia, guest):
    """With the relax control the rootdn may set what the server writes; a manager without manage
    access may not."""
    with refused(root, error=ldap.INSUFFICIENT_ACCESS):
        mia.modify_ext_s(guest, [replace("b2bUserState", "Accepted")], serverctrls=RELAX)
    root.modify_ext_s(guest, [replace("b2bUserState", "Accepted")], serverctrls=RELAX)
    assert one(server, guest, "b2bUserState") == "Accepted"


def test_guest_is_a_leaf(root, mia, guest):
    """Nothing stands below a guest: not by add, not by rename, not by making a parent one."""
    below = builders.people_ldif(("kid",), guest)
    with refused(root, "b2b: ", "below a guest"):
        add_entry(mia, below)
    with refused(root, "b2b: ", "below a guest"):
        root.rename_s(member_dn("max"), "uid=max", guest)
    unit = add_entry(mia, f"dn: ou=team,{GUESTS}\nobjectClass: organizationalUnit\nou: team\n")
    child = add_entry(mia, builders.people_ldif(("kid",), unit))
    try:
        with refused(root, "b2b: ", "objectClass"):
            mia.modify_s(unit, [add("objectClass", "b2bGuest"), add("b2bHomeTenant", "home")])
    finally:
        mia.delete_s(child)


# --- passwords ---

def with_secrets(attribute):
    return [] if attribute.startswith("userPassword") else [add("objectClass", "testSecrets")]


@pytest.mark.parametrize("attribute", PASSWORDS)
def test_password_is_refused(server, root, mia, guest, attribute):
    """Set-up: schemas of other products with password attributes, a subtype, options.  Steps: by
    add; by modify (add, replace); with the class that makes a person a guest, before, after and
    together.  Expected: constraintViolation naming the attribute, no password stored."""
    value, name = PASSWORDS[attribute], attribute.split(";")[0]
    for connection in (root, mia):
        dn, attrs = parse(bare("bad"))
        attrs = dict(attrs)
        attrs["objectClass"].append(b"testSecrets")
        with refused(root, name, "no password"):
            connection.add_s(dn, [*attrs.items(), (attribute, values(value))])
        for change in (add(attribute, value), replace(attribute, value)):
            with refused(root, name, "no password"):
                connection.modify_s(guest, with_secrets(attribute) + [change])
        person = add_entry(connection, f"dn: {guest_dn('man')}\nobjectClass: inetOrgPerson\n"
                                       "objectClass: testSecrets\nuid: man\ncn: man\nsn: m\n")
        become = [add("objectClass", "b2bGuest"), add("b2bHomeTenant", "home")]
        for mods in (become + [add(attribute, value)], [add(attribute, value)] + become):
            with refused(root, name, "no password"):
                connection.modify_s(person, mods)
        connection.modify_s(person, [add(attribute, value)])
        with refused(root, name, "no password"):
            connection.modify_s(person, become)
        connection.modify_s(person, become + [delete(attribute)])
        connection.delete_s(person)


@pytest.mark.parametrize("who", ["root", "mia"])
@pytest.mark.parametrize("new", ["chosen", None])
def test_password_modify_is_refused(server, root, mia, guest, who, new):
    """The password modify operation (RFC 3062), with a password given or made by the server, for
    the rootdn and for a manager."""
    connection = {"root": root, "mia": mia}[who]
    with refused(root, "userPassword"):
        connection.passwd_s(guest, None, new)


def test_permissive_modify_carries_no_password(root, mia, guest):
    """With the permissive modify control (1.2.840.113556.1.4.1413) a password is refused too."""
    permissive = [RequestControl("1.2.840.113556.1.4.1413", True, None)]
    for connection in (root, mia):
        with refused(root, "userPassword", "no password"):
            connection.modify_ext_s(guest, [delete("description"), add("userPassword", "x")],
                                    serverctrls=permissive)


@pytest.mark.parametrize("rdn", ["userPassword=x", "b2bHomeTenant=other", "testPin=1",
                                 "b2bHomeSubject=me", "b2bAccountEnabled=TRUE"])
def test_name_carries_no_secret_and_no_record(server, root, mia, guest, rdn):
    """slapd takes the values of an entry's name into the entry, at add and at rename: neither a
    password nor anything of the record may come that way."""
    name = rdn.split("=")[0]
    for connection in (root, mia):
        for new in (rdn, f"uid=x+{rdn}"):
            with refused(root, name):
                connection.rename_s(guest, new)
        dn, attrs = parse(bare("named"))
        attrs = [(n, v + ([b"testSecrets"] if n == "objectClass" else []))
                 for n, v in attrs if n != name]
        with refused(root, name):
            connection.add_s(f"uid=named+{rdn},{GUESTS}", attrs)


def test_rename_in_a_lawful_way(server, mia, guest):
    """A guest may be renamed; what is due for it stays."""
    due = one(server, guest, "b2bNextDue")
    mia.rename_s(guest, "uid=renamed", delold=1)
    assert one(server, guest_dn("renamed"), "b2bNextDue") == due


# --- what follows from a change ---

def test_disabling_and_enabling(server, root, mia, guest):
    """Steps: a manager disables, changes something else, enables.  Expected: reason
    administrator, when, and when it may be deleted (30 days), which is what is due; the marks stay
    as they are while it is off; enabling clears them and what is due is back."""
    due = one(server, guest, "b2bNextDue")
    before = int(time.time())
    mia.modify_s(guest, [replace("b2bAccountEnabled", "FALSE")])
    entry = server.entry(guest)
    assert entry["b2bDisabledReason"] == ["administrator"]
    at = seconds(entry["b2bDisabledAt"][0])
    assert before <= at <= time.time()
    assert seconds(entry["b2bDeleteAfter"][0]) == at + 30 * DAY
    assert entry["b2bNextDue"] == [next_hour(entry["b2bDeleteAfter"][0])]
    mia.modify_s(guest, [replace("description", "still off")])
    assert {name: server.entry(guest)[name] for name in SERVER_MARKS} == {
        name: entry[name] for name in SERVER_MARKS}
    mia.modify_s(guest, [replace("b2bAccountEnabled", "TRUE")])
    entry = server.entry(guest)
    assert not set(SERVER_MARKS) & set(entry)
    assert entry["b2bNextDue"] == [due]
    # an absent value is off too
    mia.modify_s(guest, [delete("b2bAccountEnabled")])
    assert one(server, guest, "b2bDisabledReason") == "administrator"


def test_grace_comes_from_the_tenant(server, root, guest):
    """b2bDeleteGrace of the tenant decides b2bDeleteAfter."""
    try:
        root.modify_s(builders.BASE, [replace("b2bDeleteGrace", "3")])
        root.modify_s(guest, [replace("b2bAccountEnabled", "FALSE")])
        entry = server.entry(guest)
        assert (seconds(entry["b2bDeleteAfter"][0])
                == seconds(entry["b2bDisabledAt"][0]) + 3 * DAY)
    finally:
        root.modify_s(builders.BASE, [delete("b2bDeleteGrace")])


@pytest.mark.parametrize("attribute, old, new", [
    ("b2bHomeSubject", f"uid=a,{HOME_PEOPLE}", f"uid=b,{HOME_PEOPLE}"),
    ("b2bHomeTenant", "home", "other")])
def test_another_person_has_yet_to_accept(server, root, mia, guest, attribute, old, new):
    """Set-up: an accepted guest.  Steps: the same subject and tenant again; then another; then
    none.  Expected: Accepted stays with the same, PendingAcceptance (and when) with another."""
    root.modify_ext_s(guest, [replace(attribute, old), replace("b2bUserState", "Accepted"),
                              replace("b2bUserStateChanged", "20250101000000Z")],
                      serverctrls=RELAX)
    mia.modify_s(guest, [replace(attribute, old), replace("description", "same")])
    assert one(server, guest, "b2bUserState") == "Accepted"
    mia.modify_s(guest, [replace(attribute, new)])
    entry = server.entry(guest)
    assert entry["b2bUserState"] == ["PendingAcceptance"]
    assert time.time() - seconds(entry["b2bUserStateChanged"][0]) < 60


def test_subject_removed_has_yet_to_accept(server, root, guest):
    """Without its subject, an accepted guest could be anybody the partner's pattern names."""
    root.modify_ext_s(guest, [replace("b2bHomeSubject", f"uid=a,{HOME_PEOPLE}"),
                              replace("b2bUserState", "Accepted")], serverctrls=RELAX)
    root.modify_s(guest, [delete("b2bHomeSubject")])
    assert one(server, guest, "b2bUserState") == "PendingAcceptance"


DUE = [  # validity, review, decision: which of the two is due next
    (50, None, None, 50), (50, 20, None, 20), (20, 50, None, 20), (50, 20, "Approve", 50),
    (50, 20, "DontKnow", 20), (None, 20, None, 20), (50, None, "Approve", 50),
]


@pytest.mark.parametrize("how", ["add", "modify"])
@pytest.mark.parametrize("until, review, decision, expected", DUE)
def test_next_due(server, root, guest, how, until, review, decision, expected):
    """b2bNextDue is right when the answer to add or modify is there."""
    times = {days: ahead(days * DAY) for days in (20, 50)}
    given = {"b2bValidUntil": until and times[until], "b2bReviewDue": review and times[review],
             "b2bReviewDecision": decision}
    given = {name: value for name, value in given.items() if value}
    if how == "add":
        dn = add_entry(root, bare("due", lines="".join(f"{n}: {v}\n" for n, v in given.items())))
    else:
        dn = guest
        root.modify_s(dn, [replace(name, value) for name, value in given.items()])
    assert one(server, dn, "b2bNextDue") == next_hour(times[expected])


def test_denied_review_is_due_at_once(server, root, guest):
    """Deny is overdue whenever the review ends: the next sweep finds it."""
    root.modify_s(guest, [replace("b2bReviewDecision", "Deny"),
                          replace("b2bReviewDue", ahead(20 * DAY))])
    assert seconds(one(server, guest, "b2bNextDue")) <= time.time()
    root.modify_s(guest, [delete("b2bReviewDecision")])
    assert seconds(one(server, guest, "b2bNextDue")) > time.time() + 19 * DAY


def test_past_end_is_due_at_once(server, root, guest):
    """An end in the past, if by a minute only, is due now and not at the next full hour."""
    for secs in (60, HOUR, 30 * DAY):
        root.modify_s(guest, [replace("b2bValidUntil", ahead(-secs))])
        assert seconds(one(server, guest, "b2bNextDue")) <= time.time()


def test_two_writers_leave_the_right_due(server, root, guest):
    """Set-up: two managers; a guest with a long entry, so that judging a change takes its time.
    Steps: again and again both change it at once, one its validity, the other its open review.
    Expected: once both have their answer, b2bNextDue is what the entry as it stands asks for."""
    root.modify_s(guest, [replace("description", *(f"{n} " + 500 * "x" for n in range(400)))])
    first, second = (server.conn(member_dn("mia"), "mia-pw") for _ in range(2))
    wrong = []
    for n in range(300):
        # what was due first moves behind the other, and back
        times = [ahead((30 + 20 * (n % 2)) * DAY), ahead((40 + 20 * (n % 2)) * DAY)]
        calls = [(first, first.modify_ext(guest, [replace("b2bValidUntil", times[n % 2])])),
                 (second, second.modify_ext(guest, [replace("b2bReviewDue", times[1 - n % 2])]))]
        for connection, call in calls:
            connection.result(call)
        entry = server.entry(guest, ("b2bNextDue",), root)
        if entry["b2bNextDue"] != [next_hour(min(times))]:
            wrong.append((n, entry["b2bNextDue"], times))
    assert not wrong


def test_removal(server, root, mia, guest):
    """A manager deletes a guest; its name is free for a new one, which starts anew."""
    root.modify_ext_s(guest, [replace("b2bUserState", "Accepted")], serverctrls=RELAX)
    mia.delete_s(guest)
    assert server.entry(guest) is None
    name = guest.split(",")[0].split("=")[1]
    add_entry(mia, guest_ldif(name))
    assert one(server, guest, "b2bUserState") == "PendingAcceptance"
