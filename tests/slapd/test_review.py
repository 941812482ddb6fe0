"""Access reviews by definition: the task asks, reminds, hands on, closes, and starts again."""

import ldap
import pytest
import time

from lib import builders
from lib.builders import BASE, guest_dn, member_dn
from lib.records import DAY, HOUR, add, ahead, delete, next_hour, replace, seconds
from lib.review import ACCESS, LDIF, REVIEWS, Reviews, definition_dn
from lib.slapd import poll


@pytest.fixture(scope="module")
def reviews(make_server):
    """Sweeps every second; members mia, max, zoe, bea, cem; cn=reviews and ou=groups."""
    return Reviews(make_server(builders.tenant_server, sweep=1, access=ACCESS, data=LDIF))


def scope(*names):
    """Only these guests: the tests of one server leave each other alone."""
    return "b2bReviewScopeFilter: (|" + "".join(f"(uid={name})" for name in names) + ")"


def is_on(reviews, name):
    return reviews.entry(guest_dn(name))["b2bAccountEnabled"] == ["TRUE"]


def test_one_review_from_start_to_end(reviews):
    """Set-up: two guests of one sponsor; a review by sponsors.  Steps: one is approved, one denied;
    the time is over.  Expected: two items, one mail; each state is visible; the denied one is
    disabled, the approved one has who and why in its entry; the definition says it is over."""
    start = time.time()
    for name in ("ann", "ben"):
        reviews.guest(name)
    reviews.define("first", scope("ann", "ben"), "b2bReviewInstructions: Think twice")
    items = reviews.wait_state("first", 1, 0)
    assert set(items) == {"ann", "ben"}
    item = items["ann"]
    uuid = reviews.entry(guest_dn("ann"))["entryUUID"][0]
    assert item["dn"] == f"cn=1-{uuid},{definition_dn('first')}"
    assert item["b2bReviewer"] == [member_dn("mia")]
    assert item["b2bReviewItemState"] == ["asked"]
    assert item["b2bReviewStage"] == ["0"]
    definition = reviews.entry(definition_dn("first"))
    assert seconds(definition["b2bReviewOpened"][0]) >= int(start)
    closes = seconds(definition["b2bReviewCloses"][0])
    assert closes - seconds(definition["b2bReviewOpened"][0]) in range(14 * DAY - 2, 14 * DAY + 3)
    assert definition["b2bNextDue"] == [next_hour(definition["b2bReviewCloses"][0])]
    [(address, data)] = reviews.notices("review", "first")
    assert address == "mia@ours.example"
    assert data["count"] == "2" and data["instructions"] == "Think twice"
    assert data["due"] == definition["b2bReviewCloses"][0]
    reviews.answer("first", "ann", "mia", "Approve", "still here")
    reviews.answer("first", "ben", "mia", "Deny")
    item = reviews.items("first")["ann"]
    assert item["b2bReviewItemState"] == ["answered"]
    assert item["b2bReviewedBy"] == [member_dn("mia")]
    assert seconds(item["b2bReviewedAt"][0]) >= int(start)
    items = reviews.close("first")
    assert [items[name]["b2bReviewItemState"] for name in ("ann", "ben")] == [["applied"]] * 2
    ann, ben = reviews.entry(guest_dn("ann")), reviews.entry(guest_dn("ben"))
    assert ann["b2bAccountEnabled"] == ["TRUE"]
    assert ann["b2bReviewedBy"] == [member_dn("mia")]
    assert ann["b2bReviewedAt"] == item["b2bReviewedAt"]
    [line] = ann["b2bReviewHistory"]
    assert "Approve (first 1)" in line and "still here" in line and member_dn("mia") in line
    assert (ben["b2bAccountEnabled"], ben["b2bDisabledReason"]) == (["FALSE"], ["review-lapsed"])
    definition = reviews.entry(definition_dn("first"))
    assert "b2bNextDue" not in definition and "b2bReviewItemError" not in definition


def test_three_stages(reviews):
    """Set-up: sponsor mia, then zoe, then max review six guests.  Expected: a denial of any stage
    is final; what was approved or not answered goes on, with its history; only the last stage's
    approval counts; each stage has its own mail."""
    names = ("den", "all", "gap", "doubt", "mute", "late")
    for name in names:
        reviews.guest(name)
    reviews.define("stages", scope(*names), f"b2bReviewBy: {{1}}{member_dn('zoe')}",
                   "b2bReviewBy: {0}sponsor", f"b2bReviewBy: {{2}}{member_dn('max')}")
    reviews.wait_state("stages", 1, 0)
    reviews.answer("stages", "den", "mia", "Deny")
    for name in ("all", "doubt", "mute", "late"):
        reviews.answer("stages", name, "mia", "Approve", "known to me")
    reviews.end_stage("stages")
    items = reviews.wait_state("stages", 1, 1)
    assert items["den"]["b2bReviewStage"] == ["0"]
    assert items["den"]["b2bReviewDecision"] == ["Deny"]
    for name in names[1:]:
        item = items[name]
        assert (item["b2bReviewStage"], item["b2bReviewer"]) == (["1"], [member_dn("zoe")])
        assert item["b2bReviewItemState"] == ["asked"]
        assert not {"b2bReviewDecision", "b2bReviewJustification", "b2bReviewedBy"} & set(item)
    assert "known to me" in items["all"]["b2bReviewHistory"][0]
    for name in ("all", "doubt", "mute"):
        reviews.answer("stages", name, "zoe", "Approve", "to me too")
    reviews.answer("stages", "late", "zoe", "Deny")
    reviews.end_stage("stages")
    items = reviews.wait_state("stages", 1, 2)
    assert {name for name in names if items[name]["b2bReviewer"] == [member_dn("max")]} == {
        "all", "gap", "doubt", "mute"}
    reviews.answer("stages", "all", "max", "Approve", "and to me")
    reviews.answer("stages", "gap", "max", "Approve", "and to me")
    reviews.answer("stages", "doubt", "max", "DontKnow")
    items = reviews.close("stages")
    assert len(items["all"]["b2bReviewHistory"]) == 3
    assert {name for name in names if is_on(reviews, name)} == {"all", "gap"}
    assert items["mute"]["b2bReviewDecision"] == ["Deny"]
    assert "b2bReviewedBy" not in items["mute"]
    mailed = [address for address, _ in reviews.notices("review", "stages")]
    assert mailed == ["max@ours.example", "mia@ours.example", "zoe@ours.example"]


@pytest.mark.parametrize("default, on", [("Deny", set()), ("Approve", {"seen", "away"}),
                                         ("Recommendation", {"seen"})])
def test_silence(reviews, default, on):
    """Set-up: a guest that signed in yesterday, one that did so 40 days ago; nobody answers.
    Expected: the default decides; the items say so, and that it was nobody's decision."""
    names = {f"{kind}{default.lower()}": kind for kind in ("seen", "away")}
    for name, kind in names.items():
        days = 1 if kind == "seen" else 40
        reviews.guest(name, f"b2bLastSignIn: {ahead(-days * DAY)}",
                      f"b2bUserStateChanged: {ahead(-50 * DAY)}")
    name = f"silence{default.lower()}"
    reviews.define(name, scope(*names), f"b2bReviewDefault: {default}")
    items = reviews.wait_state(name, 1, 0)
    for guest, kind in names.items():
        advice = "Approve" if kind == "seen" else "Deny"
        assert items[guest]["b2bReviewRecommendation"] == [advice]
    items = reviews.close(name)
    for guest, kind in names.items():
        assert is_on(reviews, guest) == (kind in on)
        assert items[guest]["b2bReviewDecision"] == ["Approve" if kind in on else "Deny"]
        assert items[guest]["b2bReviewItemState"] == ["applied"]
        assert "b2bReviewedBy" not in items[guest]
        assert "nobody" in items[guest]["b2bReviewHistory"][-1]


def test_no_recommendations(reviews):
    """b2bReviewRecommend 0: items carry none."""
    reviews.guest("unadvised")
    reviews.define("unadvised", scope("unadvised"), "b2bReviewRecommend: 0")
    item = reviews.wait_state("unadvised", 1, 0)["unadvised"]
    assert "b2bReviewRecommendation" not in item


def test_mail_about_one_guest(reviews):
    """Of a single item the notice names the guest, the item, and what is recommended."""
    reviews.guest("only", f"b2bSponsor: {member_dn('bea')}")
    reviews.define("single", scope("only"))
    item = reviews.wait_state("single", 1, 0)["only"]
    [(address, data)] = reviews.notices("review", "single")
    assert address == "bea@ours.example"
    assert data["guestName"] == "Only (guest)" and data["guestMail"] == "only@home.example"
    assert data["item"] == item["dn"] and data["recommendation"] == "Approve"


def test_reminders(reviews):
    """Set-up: mia has an unanswered item, zoe answered hers; reminders 3 days and 1 day before the
    end.  Expected: at each moment mia gets one reminder, zoe none; a moment that has passed is
    not reminded of again."""
    reviews.guest("rma", f"b2bSponsor: {member_dn('mia')}")
    reviews.guest("rmb", f"b2bSponsor: {member_dn('zoe')}")
    reviews.define("reminded", scope("rma", "rmb"), "b2bReviewReminder: 3", "b2bReviewReminder: 1")
    reviews.wait_state("reminded", 1, 0)
    reviews.answer("reminded", "rmb", "zoe", "Deny")
    definition = reviews.entry(definition_dn("reminded"))
    first = seconds(definition["b2bNextDue"][0]) - seconds(definition["b2bReviewCloses"][0])
    assert -3 * DAY <= first < -3 * DAY + HOUR
    for count, days in ((1, 3), (2, 1)):
        reviews.ends_in("reminded", days, replace("b2bReviewReminded", ahead(-DAY)))
        poll(lambda: len(reviews.notices("reminder", "reminded")) == count, 20, f"reminder {count}")
        reviews.settle("reminded")
        # as if the task looked again
        reviews.set(definition_dn("reminded"), replace("b2bNextDue", ahead(-HOUR)))
        reviews.settle("reminded")
    assert [address for address, _ in reviews.notices("reminder", "reminded")] == [
        "mia@ours.example"] * 2
    assert reviews.state("reminded") == (1, 0)


def test_missed_reminders_are_one(reviews):
    """The server was down at both moments: one reminder, by the later."""
    reviews.guest("rmc")
    reviews.define("overslept", scope("rmc"), "b2bReviewReminder: 3", "b2bReviewReminder: 2")
    reviews.wait_state("overslept", 1, 0)
    reviews.ends_in("overslept", 1)
    poll(lambda: reviews.notices("reminder", "overslept"), 20, "reminded")
    reviews.close("overslept")
    assert len(reviews.notices("reminder", "overslept")) == 1


def test_recurrence(reviews):
    """Set-up: a review every ten days whose first was due 25 days ago, three in all.  Expected:
    what was missed is made up for once; the next starts on the calendar's day, its items take the
    place of the former ones; after the third there is none."""
    reviews.guest("rec")
    reviews.define("often", scope("rec"), "b2bReviewRecurrence: days=10", "b2bReviewDuration: 2",
                   f"b2bReviewStart: {ahead(-25 * DAY)}", "b2bReviewOccurrences: 3",
                   "b2bReviewDefault: Approve")
    reviews.wait_state("often", 1, 0)
    reviews.close("often", 1)
    due = seconds(reviews.entry(definition_dn("often"))["b2bNextDue"][0])
    assert 5 * DAY - 60 < due - time.time() < 5 * DAY + HOUR + 60
    for instance in (2, 3):
        reviews.set(definition_dn("often"), replace("b2bReviewOpened", ahead(-12 * DAY)))
        items = reviews.wait_state("often", instance, 0)
        assert items["rec"]["dn"].startswith(f"cn={instance}-")
        reviews.close("often", instance)
    assert "b2bNextDue" not in reviews.entry(definition_dn("often"))
    reviews.set(definition_dn("often"), replace("b2bReviewOpened", ahead(-12 * DAY)))
    poll(lambda: "b2bNextDue" not in reviews.entry(definition_dn("often")), 20, "looked at")
    assert reviews.state("often") == (3, None)
    assert len(reviews.entry(guest_dn("rec"))["b2bReviewHistory"]) == 3


def test_start_that_is_to_come(reviews):
    """A review that starts tomorrow has no items today; one whose end is past never starts."""
    reviews.guest("tomorrow")
    reviews.define("tomorrow", scope("tomorrow"), f"b2bReviewStart: {ahead(DAY)}")
    reviews.define("over", scope("tomorrow"), f"b2bReviewStart: {ahead(-2 * DAY)}",
                   f"b2bReviewEnd: {ahead(-DAY)}")
    reviews.settle("over")
    reviews.settle("tomorrow")
    assert "b2bNextDue" not in reviews.entry(definition_dn("over"))
    due = seconds(reviews.entry(definition_dn("tomorrow"))["b2bNextDue"][0])
    assert time.time() + DAY - 60 < due < time.time() + DAY + HOUR
    assert reviews.state("tomorrow") == reviews.state("over") == (0, None)
    reviews.root.modify_s(definition_dn("tomorrow"), [replace("b2bReviewStart", ahead(-HOUR))])
    reviews.wait_state("tomorrow", 1, 0)


def test_changes_while_open_count_from_then_on(reviews):
    """Set-up: an open review.  Steps: silence is to mean approval, approvals need no reason; then a
    second stage is added.  Expected: both hold for this review."""
    for name in ("cha", "chb"):
        reviews.guest(name)
    dn = reviews.define("changed", scope("cha", "chb"), "b2bReviewBy: {0}sponsor")
    reviews.wait_state("changed", 1, 0)
    with pytest.raises(ldap.CONSTRAINT_VIOLATION):
        reviews.answer("changed", "cha", "mia", "Approve")
    reviews.root.modify_s(dn, [replace("b2bReviewJustify", "FALSE"),
                               replace("b2bReviewDefault", "Approve"),
                               add("b2bReviewBy", f"{{1}}{member_dn('max')}")])
    reviews.answer("changed", "cha", "mia", "Approve")
    reviews.end_stage("changed")
    items = reviews.wait_state("changed", 1, 1)
    assert items["cha"]["b2bReviewer"] == [member_dn("max")]
    reviews.close("changed")
    assert is_on(reviews, "cha") and is_on(reviews, "chb")


def test_stage_that_is_no_longer_there(reviews):
    """The second of two stages is open when the definition loses it: the review closes by what was
    answered there."""
    reviews.guest("shrunk")
    dn = reviews.define("shrunk", scope("shrunk"), "b2bReviewBy: {0}sponsor",
                        f"b2bReviewBy: {{1}}{member_dn('max')}")
    reviews.wait_state("shrunk", 1, 0)
    reviews.end_stage("shrunk")
    reviews.wait_state("shrunk", 1, 1)
    reviews.answer("shrunk", "shrunk", "max", "Approve", "needed")
    reviews.root.modify_s(dn, [delete("b2bReviewBy", f"{{1}}{member_dn('max')}")])
    reviews.close("shrunk")
    assert is_on(reviews, "shrunk")


def test_deleted_definition_takes_its_items_along(reviews):
    """An open review is deleted in one operation by who may; a member who may not deletes nothing,
    not even items; nor does a deletion whose assertion fails."""
    reviews.guest("dropped")
    dn = reviews.define("dropped", scope("dropped"))
    assert reviews.wait_state("dropped", 1, 0)
    other = reviews.server.conn()
    with pytest.raises(ldap.LDAPError):
        other.delete_s(dn)
    control = ldap.controls.AssertionControl(True, "(cn=another)")
    with pytest.raises(ldap.ASSERTION_FAILED):
        reviews.root.delete_ext_s(dn, serverctrls=[control])
    assert set(reviews.items("dropped")) == {"dropped"}
    reviews.root.delete_s(dn)
    assert reviews.entry(dn) is None and reviews.below(REVIEWS, "(cn=1-*)") == {}
    assert is_on(reviews, "dropped")


def test_broken_definition_does_nothing(make_server):
    """Set-up: slapadd lets a definition in that names no reviewer that there could be, and one that
    is right.  Expected: the log says what is wrong, nobody is reviewed by it; the other runs."""
    definitions = "".join(
        f"dn: {definition_dn(name)}\nobjectClass: b2bReviewDefinition\ncn: {name}\n"
        f"b2bReviewBy: {by}\n\n" for name, by in (("bad", "boss"), ("good", "sponsor")))
    server = make_server(builders.tenant_server, sweep=1, start=False, data=LDIF + definitions)
    server.start()
    server.wait_log(r'b2b: review "cn=bad,.*b2bReviewBy: value "boss" is neither')
    reviews = Reviews(server)
    reviews.wait_state("good", 1, 0)
    assert reviews.state("bad") == (0, None)
    reviews.root.modify_s(definition_dn("bad"), [replace("b2bReviewBy", "sponsor")])
    reviews.wait_state("bad", 1, 0)


def test_mass_limit_holds_the_closing(reviews):
    """Set-up: three silent guests, two may go in one sweep.  Expected: nothing is done, nothing is
    half-done, and answers are too late; the tenant entry says how many; once confirmed the review
    closes."""
    names = ("maa", "mab", "mac")
    for name in names:
        reviews.guest(name)
    reviews.root.modify_s(BASE, [replace("b2bMassLimit", "2")])
    try:
        reviews.define("mass", scope(*names))
        reviews.wait_state("mass", 1, 0)
        mark = reviews.server.log_mark()
        reviews.end_stage("mass")
        reviews.server.wait_log("b2b: task HALTED: 3 guests", since=mark)
        assert reviews.entry(BASE)["b2bMassHalted"] == ["3"]
        assert all(is_on(reviews, name) for name in names)
        assert reviews.state("mass") == (1, 0)
        assert all(item["b2bReviewItemState"] == ["asked"]
                   for item in reviews.items("mass").values())
        with pytest.raises(ldap.UNWILLING_TO_PERFORM):
            reviews.answer("mass", "maa", "mia", "Approve", "too late")
        reviews.root.modify_s(BASE, [replace("b2bMassConfirm", "3")])
        reviews.wait_state("mass", 1, None)
        assert not any(is_on(reviews, name) for name in names)
    finally:
        reviews.root.modify_s(BASE, [replace("b2bMassLimit")])
