"""Access reviews by definition: whom they are about, who is asked, what a denial does."""

import ldap
import pytest

from lib import builders
from lib.builders import BASE, GUESTS, SUFFIX, guest_dn, guest_ldif, member_dn
from lib.records import DAY, HOUR, add, add_entry, ahead, delete, refused, replace
from lib.review import ACCESS, LDIF, REVIEWS, Reviews, definition_dn, group_dn
from lib.slapd import poll


@pytest.fixture(scope="module")
def reviews(make_server):
    """Sweeps every second; members mia, max, zoe, bea, cem; cn=reviews and ou=groups."""
    return Reviews(make_server(builders.tenant_server, sweep=1, access=ACCESS, data=LDIF))


def scope(*names):
    """Only these guests: the tests of one server leave each other alone."""
    return "b2bReviewScopeFilter: (|" + "".join(f"(uid={name})" for name in names) + ")"


def is_on(reviews, name):
    entry = reviews.entry(guest_dn(name))
    return entry and entry["b2bAccountEnabled"] == ["TRUE"]


# Whom


def test_who_is_in_scope(reviews):
    """Set-up: an accepted guest, one that is pending, one that is disabled, a member.  Expected:
    the accepted one alone is reviewed."""
    reviews.guest("inside")
    add_entry(reviews.root, guest_ldif("pending", lines=f"b2bSponsor: {member_dn('mia')}"))
    reviews.guest("offline")
    reviews.root.modify_s(guest_dn("offline"), [replace("b2bAccountEnabled", "FALSE")])
    reviews.define("whom", scope("inside", "pending", "offline", "mia"))
    assert set(reviews.wait_state("whom", 1, 0)) == {"inside"}


def test_scope_by_partner_and_base(reviews):
    """Guests of two partners, in two subtrees: partners and a base narrow the scope; the id of a
    partner is compared without regard to case, and is no part of a filter."""
    add_entry(reviews.root, f"dn: ou=far,{GUESTS}\nobjectClass: organizationalUnit\nou: far\n")
    for name, tenant in (("pfab", "fabrikam"), ("pcon", "contoso"), ("pada", "adatum")):
        reviews.guest(name, tenant=tenant)
    far = guest_ldif("pfar", tenant="contoso", lines="b2bUserState: Accepted\n"
                     f"b2bSponsor: {member_dn('mia')}").replace(f",{GUESTS}", f",ou=far,{GUESTS}")
    add_entry(reviews.root, far, relax=True)
    these = "b2bReviewScopeFilter: (uid=p*)"
    reviews.define("bypartner", these, "b2bReviewScopePartner: Fabrikam",
                   "b2bReviewScopePartner: contoso")
    assert set(reviews.wait_state("bypartner", 1, 0)) == {"pfab", "pcon", "pfar"}
    reviews.define("bybase", these, f"b2bReviewScopeBase: ou=far,{GUESTS}")
    assert set(reviews.wait_state("bybase", 1, 0)) == {"pfar"}
    reviews.define("byhostile", these, "b2bReviewScopePartner: x)(objectClass=*")
    assert reviews.wait_state("byhostile", 1, 0) == {}


def test_scope_by_inactivity(reviews):
    """Set-up: guests last seen 5 and 40 days ago, one accepted 40 days ago that never came, one
    accepted yesterday that never came.  Expected: those of 40 days are reviewed."""
    old, new = ahead(-40 * DAY), ahead(-5 * DAY)
    reviews.guest("iseen", f"b2bLastSignIn: {new}", f"b2bUserStateChanged: {old}")
    reviews.guest("iaway", f"b2bLastSignIn: {old}", f"b2bUserStateChanged: {old}")
    reviews.guest("inever", f"b2bUserStateChanged: {old}")
    reviews.guest("ifresh", f"b2bUserStateChanged: {ahead(-DAY)}")
    reviews.define("inactive", "b2bReviewScopeFilter: (uid=i*)", "b2bReviewScopeInactive: 30")
    assert set(reviews.wait_state("inactive", 1, 0)) == {"iaway", "inever"}


def test_scope_by_nested_group(reviews):
    """Set-up: a group with a guest, a member, and a group that holds another guest and the first
    group again.  Expected: both guests are reviewed, once; a guest outside is not; a denial takes
    the membership in either group, and nothing else."""
    for name in ("ga", "gb", "gc"):
        reviews.guest(name)
    inner = reviews.group("inner", guest_dn("gb"), guest_dn("ga"), group_dn("outer"),
                          member_dn("mia"))
    outer = reviews.group("outer", guest_dn("ga"), member_dn("mia"), inner)
    reviews.define("nested", f"b2bReviewScopeGroup: {outer}")
    assert set(reviews.wait_state("nested", 1, 0)) == {"ga", "gb"}
    reviews.answer("nested", "ga", "mia", "Deny")
    reviews.answer("nested", "gb", "mia", "Approve", "works here")
    items = reviews.close("nested")
    assert items["ga"]["b2bReviewItemState"] == ["applied"]
    assert set(reviews.entry(outer)["member"]) == {member_dn("mia"), inner}
    assert set(reviews.entry(inner)["member"]) == {guest_dn("gb"), outer, member_dn("mia")}
    assert is_on(reviews, "ga") and is_on(reviews, "gb")


# What a denial does


def test_denial_disables_then_deletes(reviews):
    """b2bReviewOnDeny: delete of a group's review: the guest is disabled, and gone at the next
    sweep, with its memberships."""
    reviews.guest("gone")
    dn = reviews.group("team", guest_dn("gone"), member_dn("mia"))
    reviews.define("deleting", scope("gone"), f"b2bReviewScopeGroup: {dn}",
                   "b2bReviewOnDeny: delete")
    reviews.wait_state("deleting", 1, 0)
    mark = reviews.server.log_mark()
    reviews.close("deleting")
    poll(lambda: reviews.entry(guest_dn("gone")) is None, 20, "deleted")
    assert f'guest="{guest_dn("gone")}" disabled reason=review-lapsed' in reviews.server.log(mark)
    assert reviews.entry(dn)["member"] == [member_dn("mia")]
    assert [address for address, _ in reviews.notices("deleted")] == ["mia@ours.example"]


def test_deletion_leaves_alone_whom_an_administrator_disabled(reviews):
    """A guest that an administrator disabled while its review ran keeps its grace."""
    reviews.guest("held")
    reviews.define("holding", scope("held"), "b2bReviewOnDeny: delete")
    reviews.wait_state("holding", 1, 0)
    reviews.root.modify_s(guest_dn("held"), [replace("b2bAccountEnabled", "FALSE")])
    before = reviews.entry(guest_dn("held"))
    items = reviews.close("holding")
    assert items["held"]["b2bReviewItemState"] == ["applied"]
    after = reviews.entry(guest_dn("held"))
    assert after["b2bDeleteAfter"] == before["b2bDeleteAfter"]
    assert after["b2bDisabledReason"] == ["administrator"]


def test_renamed_and_replaced_guests(reviews):
    """Set-up: while a review runs one guest is renamed, another deleted and one of the same name
    added.  Expected: the silence is about who was asked about, wherever it is now."""
    for name in ("ren", "rep"):
        reviews.guest(name)
    reviews.define("moving", scope("ren", "rep"))
    reviews.wait_state("moving", 1, 0)
    reviews.root.rename_s(guest_dn("ren"), "uid=renamed")
    reviews.root.delete_s(guest_dn("rep"))
    reviews.guest("rep")
    items = reviews.close("moving")
    assert {item["b2bReviewItemState"][0] for item in items.values()} == {"applied"}
    assert not is_on(reviews, "renamed")
    assert is_on(reviews, "rep")


def test_failed_application_is_tried_again(make_server):
    """Set-up: slapd's schema check refuses to write one of two guests (slapadd -s let it in).
    Expected: the other is dealt with; item and definition say what failed; once the entry is
    lawful, the next try within the day does it."""
    server = make_server(builders.tenant_server, sweep=1, start=False, access=ACCESS, data=LDIF)
    lines = f"b2bUserState: Accepted\nb2bSponsor: {member_dn('mia')}"
    server.load(guest_ldif("lawful", lines=lines))
    server.load(guest_ldif("broken", lines=lines).replace(
        "sn: Broken\n", "structuralObjectClass: inetOrgPerson\n"), "-s")
    server.start()
    reviews = Reviews(server)
    reviews.define("failing")
    reviews.wait_state("failing", 1, 0)
    items = reviews.close("failing")
    assert items["lawful"]["b2bReviewItemState"] == ["applied"]
    assert items["broken"]["b2bReviewItemState"] == ["failed"]
    assert items["broken"]["b2bReviewDecision"] == ["Deny"]
    assert "the guest was not disabled" in items["broken"]["b2bReviewItemError"][0]
    definition = reviews.entry(definition_dn("failing"))
    assert definition["b2bReviewItemError"] == ["decisions that could not be carried out: 1"]
    assert "b2bNextDue" in definition
    reviews.set(definition_dn("failing"), replace("b2bNextDue", ahead(-HOUR)))
    reviews.root.modify_s(guest_dn("broken"), [add("sn", "Broken")])
    reviews.set(definition_dn("failing"), replace("b2bNextDue", ahead(-HOUR)))
    poll(lambda: reviews.items("failing")["broken"]["b2bReviewItemState"] == ["applied"], 20,
         "tried again")
    poll(lambda: "b2bReviewItemError" not in reviews.entry(definition_dn("failing")), 20, "noted")
    assert "b2bReviewItemError" not in reviews.items("failing")["broken"]
    assert not is_on(reviews, "broken")


def test_failures_are_not_tried_for_ever(make_server):
    """A day after the review closed a failure stays what it is, and nothing is due any more."""
    server = make_server(builders.tenant_server, sweep=1, start=False, access=ACCESS, data=LDIF)
    server.load(guest_ldif("broken", lines="b2bUserState: Accepted").replace("sn: Broken\n", ""),
                "-s")
    server.start()
    reviews = Reviews(server)
    reviews.define("failing", by=member_dn("mia"))
    reviews.wait_state("failing", 1, 0)
    reviews.close("failing")
    reviews.set(definition_dn("failing"), replace("b2bReviewCloses", ahead(-2 * DAY)))
    poll(lambda: "b2bNextDue" not in reviews.entry(definition_dn("failing")), 20, "let be")
    assert reviews.items("failing")["broken"]["b2bReviewItemState"] == ["failed"]
    assert "b2bReviewItemError" in reviews.entry(definition_dn("failing"))


# Who


def test_kinds_of_reviewers(reviews):
    """Set-up: a guest with sponsor, manager, in a group with an owner; named: a person and a group.
    Expected: all of them, once each, are reviewers; the group's members get mail."""
    reviews.guest("kinds", f"b2bSponsor: {member_dn('mia')}", f"manager: {member_dn('max')}")
    dn = reviews.group("kinds", guest_dn("kinds"), owner=member_dn("zoe"))
    board = reviews.group("board", member_dn("bea"), member_dn("mia"))
    reviews.define("kinds", f"b2bReviewScopeGroup: {dn}", "b2bReviewBy: sponsor",
                   "b2bReviewBy: manager", "b2bReviewBy: OWNER",
                   f"b2bReviewBy: UID=cem, ou=People,{SUFFIX}", f"b2bReviewBy: {board}")
    item = reviews.wait_state("kinds", 1, 0)["kinds"]
    assert set(item["b2bReviewer"]) == {*map(member_dn, ("mia", "max", "zoe", "cem")), board}
    assert [address.split("@")[0] for address, _ in reviews.notices("review", "kinds")] == [
        "bea", "cem", "max", "mia", "zoe"]
    assert reviews.notices("reviewer-gone", "kinds") == []


def test_reviewers_that_are_gone(reviews):
    """Set-up: of four guests one has a manager that was deleted, one a manager that is locked, one
    neither, one a gone manager and another.  Expected: the first two go to the definition's
    fallback, which hears once who is missing; the others are their managers'."""
    left = reviews.member("left")
    locked = reviews.guest("locked")
    reviews.root.modify_s(locked, [replace("b2bAccountEnabled", "FALSE")])
    reviews.guest("la", f"manager: {left}")
    reviews.guest("lb", f"manager: {locked}")
    reviews.guest("lc", f"manager: {member_dn('mia')}")
    reviews.guest("ld", f"manager: {left}", f"manager: {member_dn('mia')}")
    reviews.root.delete_s(left)
    reviews.define("leaving", scope("la", "lb", "lc", "ld"),
                   f"b2bReviewFallback: {member_dn('zoe')}", by="manager")
    items = reviews.wait_state("leaving", 1, 0)
    assert [items[name]["b2bReviewer"] for name in ("la", "lb", "lc", "ld")] == [
        [member_dn(name)] for name in ("zoe", "zoe", "mia", "mia")]
    [(address, data)] = reviews.notices("reviewer-gone", "leaving")
    assert address == "zoe@ours.example" and data["count"] == "2"
    assert data["reviewer"] == f"{left}; {locked}"
    assert len(reviews.notices("review", "leaving")) == 2


def test_fallback_of_the_tenant(reviews):
    """A definition without fallback: the tenant's is asked; without either nobody is, the log says
    so, and silence revokes."""
    reviews.member("away")
    reviews.guest("ta", f"b2bSponsor: {member_dn('away')}")
    reviews.root.delete_s(member_dn("away"))
    reviews.root.modify_s(BASE, [replace("b2bFallbackReviewer", member_dn("cem"))])
    try:
        reviews.define("tenant", scope("ta"))
        item = reviews.wait_state("tenant", 1, 0)["ta"]
        assert item["b2bReviewer"] == [member_dn("cem")]
        reviews.root.delete_s(definition_dn("tenant"))
    finally:
        reviews.root.modify_s(BASE, [replace("b2bFallbackReviewer")])
    mark = reviews.server.log_mark()
    reviews.define("nobody", scope("ta"))
    item = reviews.wait_state("nobody", 1, 0)["ta"]
    assert "b2bReviewer" not in item
    assert "nobody is left to review" in reviews.server.log(mark)
    reviews.close("nobody")
    assert not is_on(reviews, "ta")


def test_nobody_is_asked_about_itself(reviews):
    """Set-up: a guest that is its own sponsor and its own fallback.  Expected: it is asked only by
    a definition that says self."""
    reviews.guest("me", f"b2bSponsor: {guest_dn('me')}")
    reviews.define("notself", scope("me"), f"b2bReviewFallback: {guest_dn('me')}")
    assert "b2bReviewer" not in reviews.wait_state("notself", 1, 0)["me"]
    reviews.define("self", scope("me"), by="self")
    assert reviews.wait_state("self", 1, 0)["me"]["b2bReviewer"] == [guest_dn("me")]
    assert [address for address, _ in reviews.notices("review", "self")] == ["me@home.example"]


def test_reviewer_that_goes_between_stages(reviews):
    """The second stage's reviewer is deleted while the first runs: the fallback is asked then."""
    reviews.guest("btw")
    reviews.member("brief")
    reviews.define("between", scope("btw"), "b2bReviewBy: {0}sponsor",
                   f"b2bReviewBy: {{1}}{member_dn('brief')}",
                   f"b2bReviewFallback: {member_dn('max')}")
    reviews.wait_state("between", 1, 0)
    reviews.root.delete_s(member_dn("brief"))
    reviews.end_stage("between")
    item = reviews.wait_state("between", 1, 1)["btw"]
    assert item["b2bReviewer"] == [member_dn("max")]
    [(address, data)] = reviews.notices("reviewer-gone", "between")
    assert address == "max@ours.example" and data["reviewer"] == member_dn("brief")


# What may be written

BAD = {
    "no-reviewers": (["b2bReviewDuration: 3"], ""),
    "gap": (["b2bReviewBy: {0}sponsor", "b2bReviewBy: {2}self"], "b2bReviewBy: value"),
    "word": (["b2bReviewBy: boss"], 'b2bReviewBy: value "boss" is neither'),
    "no-dn": (["b2bReviewBy: nosuchattribute=x"], "is no DN"),
    "owner": (["b2bReviewBy: owner"], "needs a b2bReviewScopeGroup"),
    "remove": (["b2bReviewBy: self", "b2bReviewOnDeny: remove"], "needs a b2bReviewScopeGroup"),
    "recurrence": (["b2bReviewBy: self", "b2bReviewRecurrence: yearly"], "b2bReviewRecurrence"),
    "filter": (["b2bReviewBy: self", "b2bReviewScopeFilter: (uid=x"], "is no filter"),
    "two-filters": (["b2bReviewBy: self", "b2bReviewScopeFilter: (uid=x)(uid=y)"], "is no filter"),
    "injection": (["b2bReviewBy: self", "b2bReviewScopeFilter: (uid=x))(|(uid=*)"], "is no filter"),
    "unknown": (["b2bReviewBy: self", "b2bReviewScopeFilter: (&(uid=x)(!(nosuch=y)))"],
                "does not know"),
    "base": (["b2bReviewBy: self", "b2bReviewScopeBase: dc=other"], "is not in this database"),
    "group": (["b2bReviewBy: self", "b2bReviewScopeGroup: cn=g,dc=other"], "is not in this"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_definition_is_refused(reviews, case):
    """The refusal names attribute and value, and nothing is written; so it is by a modification."""
    lines, text = BAD[case]
    with refused(reviews.root, text, base=BASE, error=(ldap.CONSTRAINT_VIOLATION,
                                                       ldap.OBJECT_CLASS_VIOLATION)):
        add_entry(reviews.root, f"dn: {definition_dn('bad')}\ncn: bad\n"
                                "objectClass: b2bReviewDefinition\n" + "\n".join(lines))


def test_bad_change_is_refused(reviews):
    """A definition that is right stays right."""
    dn = reviews.define("right", scope("right"), f"b2bReviewStart: {ahead(DAY)}")
    reviews.settle("right")
    for change in (replace("b2bReviewBy", "boss"), replace("b2bReviewScopeFilter", "(x"),
                   replace("b2bReviewReminder", "14"), add("b2bReviewBy", "{1}self"),
                   replace("b2bReviewOnDeny", "remove")):
        with refused(reviews.root, change[1], base=dn):
            reviews.root.modify_s(dn, [change])
    with refused(reviews.root, "b2bReviewBy: is missing", base=dn):
        reviews.root.modify_s(dn, [delete("b2bReviewBy")])
    for attribute, value in (("b2bReviewInstance", "7"), ("b2bReviewStage", "0"),
                             ("b2bReviewCloses", ahead(DAY)), ("b2bReviewOpened", ahead(0))):
        with pytest.raises(ldap.CONSTRAINT_VIOLATION):
            reviews.root.modify_s(dn, [replace(attribute, value)])


def test_places(reviews):
    """A definition stands in cn=reviews of the tenant entry, and nothing else does there."""
    with refused(reviews.root, "objectClass", base=BASE):
        add_entry(reviews.root, f"dn: cn=x,{BASE}\nobjectClass: b2bReviewDefinition\ncn: x\n"
                                "b2bReviewBy: self")
    with refused(reviews.root, "objectClass", base=BASE):
        add_entry(reviews.root, f"dn: cn=x,{REVIEWS}\nobjectClass: b2bContainer\ncn: x")
