"""The guest's own review (design, section 9): when it starts, who is asked and reminded, who may
answer and how, what follows; silence revokes.

Slapd's access control lets everybody write guests here; max manages them."""

import time

import ldap
import pytest

from lib import builders
from lib.builders import BASE, ROOTDN, guest_dn, member_dn, partner_ldif, service_dn
from lib.lives import FUTURE, LDIF, PAST, Lives, lives_server
from lib.records import DAY, HOUR, add, ahead, delete, next_hour, refused, replace, seconds

DECISION, WHY, DUE = "b2bReviewDecision", "b2bReviewJustification", "b2bReviewDue"
ASKED, REMINDED = "b2bReviewAsked", "b2bReviewReminded"
INTERVAL, DURATION = 90 * DAY, 14 * DAY
BLANKS = {
    "empty": None,
    "spaces": "   ",
    "tabs": "\t\t \t",
    "lines": "\r\n\n",
    "no-break": "\u00a0 \u00a0",
    "em space": "\u2003\u2003",
    "ideographic": "\u3000",
    "zero width": "\u200b\u200d\ufeff",
    "soft hyphen": "\u00ad",
     "nul": "\0 \0"}


@pytest.fixture(scope="module")
def world(make_server, home):
    """bea stands in where nobody else does; guests ask their home directory; wiki is an
    application."""
    wiki = builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}")
    lives = lives_server(make_server, data=partner_ldif("home", home.uri) + wiki
                         + builders.service_ldif("wiki"))
    lives.settings(f"b2bFallbackReviewer: {member_dn('bea')}\nb2bMassLimit: 100%")
    lives.people("ann", "ben")
    return lives


@pytest.fixture
def settings(world):
    """Settings of the tenant for one test."""
    used = []

    def change(text):
        used.append(text)
        world.settings(text)
    yield change
    for text in used:
        world.settings("\n".join(line.split(":")[0] + ":" for line in text.split("\n")))
    world.sweep()


def opened(world, *lines, due=None):
    """The name of a guest whose reviewers were just asked."""
    guest = world.new(*lines, f"{DUE}: {due or ahead(2 * DAY)}")
    return wait_asked(world, guest) and guest


def wait_asked(world, guest):
    return world.wait_entry(guest, lambda e: ASKED in e, "asked about")


def answer(world, who, guest, decision="Approve", why="needed", more=()):
    """As a member, or on a connection."""
    connection = world.bound(who) if isinstance(who, str) else who
    changes = [replace(DECISION, decision)] + ([replace(WHY, why)] if why is not None else [])
    connection.modify_s(guest_dn(guest), changes + list(more))


def near(stamp, when, slack=60):
    return abs(seconds(stamp) - when) <= slack


# --- when it starts ---

@pytest.mark.parametrize("since", ["b2bUserStateChanged", "b2bReviewedAt", "b2bEnabledAt"])
def test_starts_by_interval(world, since):
    """Accepted, reviewed, or enabled again 90 days and a bit ago: reviewers are asked, for 14 days.
    89 days ago: they are not, and the task looks again when they will be."""
    old = {"b2bUserStateChanged": ahead(-200 * DAY), since: ahead(-INTERVAL - HOUR)}
    late = {"b2bUserStateChanged": ahead(-200 * DAY), since: ahead(-INTERVAL + DAY)}
    due, fresh = (world.new(*(f"{k}: {v}" for k, v in lines.items())) for lines in (old, late))
    entry = wait_asked(world, due)
    assert near(entry[DUE][0], time.time() + DURATION) and near(entry[ASKED][0], time.time())
    assert entry["b2bNextDue"] == [next_hour_of(time.time() + DURATION / 2)]
    world.sweep()
    entry = world.get(fresh)
    assert ASKED not in entry and DUE not in entry
    assert entry["b2bNextDue"] == [next_hour_of(seconds(late[since]) + INTERVAL)]


def next_hour_of(when):
    return next_hour(time.strftime("%Y%m%d%H%M%SZ", time.gmtime(when)))


def test_starts_before_its_date(world):
    """A date that somebody set is the deadline, and reviewers have 14 days until then: one in 13
    days is asked about now and keeps its deadline, one in 15 days is not asked about."""
    soon, later = world.new(f"{DUE}: {ahead(13 * DAY)}"), world.new(f"{DUE}: {ahead(15 * DAY)}")
    before = world.get(soon)[DUE]
    assert wait_asked(world, soon)[DUE] == before
    world.sweep()
    assert ASKED not in world.get(later)
    assert world.told("review", soon) == ["mia"] and world.told("review", later) == []
    assert dict(world.mails("review", soon))["mia"]["due"] == before[0]


def test_old_decision_goes(world):
    """Approved last time: when reviewers are asked anew that is no answer any more."""
    guest = opened(world, f"{DECISION}: Approve", f"{WHY}: then",
                   f"b2bReviewedAt: {ahead(-INTERVAL)}")
    entry = world.get(guest)
    assert DECISION not in entry and WHY not in entry and "b2bReviewedAt" in entry
    world.past(guest, DUE)
    world.wait_off(guest, "review-lapsed")


def test_missed_date_of_an_approved_guest(world):
    """The server was down when an approved guest's review should have begun and ended: it begins
    now, with the whole time, and nobody is cut off."""
    guest = world.new(f"{DECISION}: Approve", f"{WHY}: then", f"{DUE}: {ahead(-30 * DAY)}")
    entry = wait_asked(world, guest)
    assert near(entry[DUE][0], time.time() + DURATION) and world.is_on(guest)


def test_asked_once(world):
    """Sweeps that follow ask nobody again."""
    guest = opened(world)
    with world.quiet(guest_dn(guest)):
        pass
    assert world.told("review", guest) == ["mia"]


def test_asked_once_though_it_cannot_be_noted(make_server):
    """Set-up: a guest whose entry slapd's schema check lets nobody write (slapadd -s). Expected:
    its reviewer is asked once, not at each sweep."""
    server = make_server(builders.tenant_server, start=False, sweep=3600)
    server.load(LDIF)
    server.load(builders.guest_ldif("stuck", lines=(
        f"b2bUserState: Accepted\nb2bUserStateChanged: {ahead(-INTERVAL - DAY)}\n"
        f"b2bNextDue: {PAST[:10]}0000Z\nb2bValidUntil: {FUTURE}\n"
        f"b2bSponsor: {member_dn('mia')}")).replace("sn: Stuck\n", ""), "-s")
    server.start()
    world = Lives(server)
    world.wait(lambda: world.told("review", "stuck"), "asked")
    time.sleep(1.2)  # the deadline that a sweep would give has moved on by a second
    world.sweep()
    assert world.told("review", "stuck") == ["mia"] and ASKED not in world.get("stuck")


def test_pending_guests_are_not_reviewed(world):
    """Who has yet to redeem has no access to be reviewed."""
    guest = world.new("b2bUserState: PendingAcceptance",
                      f"b2bUserStateChanged: {ahead(-200 * DAY)}")
    world.sweep()
    assert ASKED not in world.get(guest) and world.told("review", guest) == []


def test_disabled_guests_are_not_reviewed(world):
    guest = world.new("b2bAccountEnabled: FALSE", f"b2bUserStateChanged: {ahead(-200 * DAY)}")
    world.sweep()
    assert ASKED not in world.get(guest)


def test_interval_0(world, settings):
    """b2bReviewInterval 0: no review starts by itself; one with a date does, and its approval sets
    no next one."""
    settings("b2bReviewInterval: 0")
    never = world.new(f"b2bUserStateChanged: {ahead(-200 * DAY)}")
    guest = opened(world)
    answer(world, "mia", guest)
    entry = world.get(guest)
    assert DUE not in entry and entry[DECISION] == ["Approve"]
    world.sweep()
    assert ASKED not in world.get(never)
    assert world.get(guest)["b2bNextDue"] == [next_hour(FUTURE)]


def test_duration_0(world, settings):
    """Reviewers have a day, at least: b2bReviewDuration 0 cuts nobody off unasked."""
    settings("b2bReviewDuration: 0")
    guest = world.new(f"b2bUserStateChanged: {ahead(-INTERVAL - HOUR)}")
    entry = wait_asked(world, guest)
    assert near(entry[DUE][0], time.time() + DAY)
    world.sweep()
    assert world.is_on(guest)


# --- whom it is asked of ---

@pytest.mark.parametrize("named, sponsors, told", [
    ((), ("mia", "ann"), ["ann", "mia"]),
    (("ben",), ("mia",), ["ben"]),
    (("ben", "ann"), ("mia",), ["ann", "ben"]),
    (("missing",), ("mia",), ["bea"]),
    (("missing", "ben"), ("mia",), ["ben"]),
    ((), ("missing",), ["bea"]),
    (("SELF",), ("mia",), ["bea"]),
    (("SELF", "ben"), ("mia",), ["ben"]),
], ids=["sponsors", "named", "two", "gone", "one-gone", "no-sponsor", "itself", "itself-too"])
def test_who_is_asked(world, named, sponsors, told):
    """Who is named, else the sponsors, that are there; else who stands in. Never the guest itself.
    """
    name = f"n{world.counter + 1}"
    lines = [f"b2bReviewer: {guest_dn(name) if one == 'SELF' else member_dn(one)}" for one in named]
    guest = opened(world, *lines, *(f"b2bSponsor: {member_dn(one)}" for one in sponsors))
    assert guest == name and world.told("review", guest) == told
    data = world.mails("review", guest)[0][1]
    assert data["item"] == guest_dn(guest) and data["review"] == ""
    assert data["due"] == world.get(guest)[DUE][0]


def test_reviewer_is_gone(world):
    """A named reviewer who is gone is replaced by who stands in, who hears of it, and may answer.
    """
    guest = opened(world, f"b2bReviewer: {member_dn('missing')}")
    assert world.told("reviewer-gone", guest) == ["bea"]
    assert world.mails("reviewer-gone", guest)[0][1]["reviewer"] == member_dn("missing")
    with refused(world.root, "only the reviewers", error=ldap.INSUFFICIENT_ACCESS):
        answer(world, "mia", guest)
    answer(world, "bea", guest)


def test_mail_that_is_none(world):
    """A sponsor whose mail is empty cannot be mailed, and is no way out of the review: it starts,
    and silence revokes."""
    world.people("mute")
    world.root.modify_s(member_dn("mute"), [replace("mail", "")])
    guest = opened(world, f"b2bSponsor: {member_dn('mute')}")
    assert world.told("review", guest) == []
    world.past(guest, DUE)
    world.wait_off(guest, "review-lapsed")


def test_reminder(world):
    """Half of the time is over without an answer: reviewers are reminded, once."""
    guest = opened(world, due=ahead(10 * DAY))
    with world.quiet(guest_dn(guest)):
        pass
    assert world.told("reminder", guest) == []
    world.set(guest_dn(guest), replace(ASKED, ahead(-3 * DAY)), replace(DUE, ahead(2 * DAY)))
    entry = world.wait_entry(guest, lambda e: REMINDED in e, "reminded of")
    assert near(entry[REMINDED][0], time.time())
    with world.quiet(guest_dn(guest)):
        pass
    assert world.told("reminder", guest) == ["mia"] == world.told("review", guest)
    assert world.mails("reminder", guest)[0][1]["due"] == entry[DUE][0]


def test_no_reminder_after_an_answer(world):
    guest = opened(world)
    answer(world, "mia", guest)
    world.set(guest_dn(guest), replace(ASKED, ahead(-3 * DAY)), replace(DUE, ahead(2 * DAY)))
    world.sweep()
    assert REMINDED not in world.get(guest) and world.told("reminder", guest) == []


# --- answers ---

def test_approval(world):
    """The sponsor approves: who and when stand there, a line of history, the next deadline is an
    interval and a review's time away; the guest stays."""
    guest = opened(world)
    before = int(time.time())
    answer(world, "mia", guest, why="works on Atlas")
    entry = world.get(guest)
    assert entry["b2bReviewedBy"] == [member_dn("mia")]
    assert before <= seconds(entry["b2bReviewedAt"][0]) <= time.time()
    history, = entry["b2bReviewHistory"]
    assert history == f'{entry["b2bReviewedAt"][0]} Approve by "{member_dn("mia")}": works on Atlas'
    assert near(entry[DUE][0], time.time() + INTERVAL + DURATION)
    assert entry["b2bNextDue"] == [next_hour_of(seconds(entry[DUE][0]) - DURATION)]
    with world.quiet(guest_dn(guest)):
        pass


def test_approval_with_a_date_of_its_own(world):
    """A reviewer that sets the next date along with its answer is followed."""
    guest, when = opened(world), ahead(40 * DAY)
    answer(world, "mia", guest, more=[replace(DUE, when)])
    assert world.get(guest)[DUE] == [when]


def test_denial(world):
    """Denied before the deadline: disabled at once, as lapsed; sponsors and guest hear why, and
    until when it can come back."""
    guest = opened(world, f"b2bSponsor: {member_dn('mia')}", f"b2bSponsor: {member_dn('ann')}")
    answer(world, "ann", guest, "Deny", why=None)
    entry = world.wait_off(guest, "review-lapsed")
    assert entry["b2bReviewedBy"] == [member_dn("ann")]
    assert " Deny by " in entry["b2bReviewHistory"][0]
    assert world.told("lapsed", guest) == ["ann", "mia", guest]
    data = dict(world.mails("lapsed", guest))[guest]
    assert data["reason"] == "review-lapsed" and data["deleteAfter"] == entry["b2bDeleteAfter"][0]
    assert world.told("disabled", guest) == []


def test_silence(world):
    """No answer until the deadline: disabled as lapsed, with the same mails, by nobody's decision.
    """
    guest = opened(world)
    world.past(guest, DUE)
    entry = world.wait_off(guest, "review-lapsed")
    assert world.told("lapsed", guest) == ["mia", guest]
    assert not {DECISION, "b2bReviewedBy", "b2bReviewHistory"} & set(entry)


def test_not_known_is_silence(world):
    """DontKnow is noted, and is no decision: the deadline stands, and revokes."""
    guest = opened(world)
    due = world.get(guest)[DUE]
    answer(world, "mia", guest, "DontKnow", why="never met")
    entry = world.get(guest)
    assert " DontKnow by " in entry["b2bReviewHistory"][0] and entry[DUE] == due
    world.past(guest, DUE)
    world.wait_off(guest, "review-lapsed")


def test_change_of_mind(world):
    """DontKnow, then Approve by another sponsor, then Deny by the first: each is noted, the last
    one counts."""
    guest = opened(world, f"b2bSponsor: {member_dn('mia')}", f"b2bSponsor: {member_dn('ann')}")
    for who, decision in (("mia", "DontKnow"), ("ann", "Approve"), ("mia", "Deny")):
        answer(world, who, guest, decision)
        assert world.get(guest)["b2bReviewedBy"] == [member_dn(who)]
    entry = world.wait_off(guest, "review-lapsed")
    assert [line.split()[1] for line in sorted(entry["b2bReviewHistory"])].count("Approve") == 1
    assert len(entry["b2bReviewHistory"]) == 3


def test_answer_after_the_deadline(make_server, home):
    """Set-up: the deadline is over, the task has not come by. Expected: the guest is held off; an
    approval in time for the task lets it in again and counts; once the task was there an approval
    is noted, but enables nobody."""
    world = lives_server(make_server, data=partner_ldif("home", home.uri))
    for name in ("alice", "bob"):
        world.guest(name, f"b2bValidUntil: {FUTURE}", f"b2bSponsor: {member_dn('mia')}")
        world.set(guest_dn(name), replace(DUE, PAST))
        assert refuses(world, name)
    answer(world, "mia", "alice")
    assert not refuses(world, "alice")
    world.sweep()
    assert world.is_on("alice") and not world.is_on("bob")
    answer(world, "mia", "bob")
    entry = world.get("bob")
    assert entry["b2bAccountEnabled"] == ["FALSE"] and entry["b2bReviewedBy"] == [member_dn("mia")]
    assert refuses(world, "bob")
    world.bound("mia").modify_s(guest_dn("bob"), [replace("b2bAccountEnabled", "TRUE")])
    assert not refuses(world, "bob")
    world.sweep()
    assert world.is_on("bob")


def refuses(world, name):
    try:
        world.server.conn(guest_dn(name), f"{name}-pw", uri=world.server.uri)
    except (ldap.INVALID_CREDENTIALS, ldap.UNWILLING_TO_PERFORM):
        return True
    return False


# --- who may answer ---

@pytest.mark.parametrize("decision", ["Approve", "Deny", "DontKnow"])
@pytest.mark.parametrize("who", ["ben", "bea", "max", "wiki", "anonymous", "guest"])
def test_who_may_not(world, who, decision):
    """Not asked: another member, who stands in while a sponsor is there, who manages guests, an
    application's account, nobody, the guest itself."""
    guest = opened(world)
    if who == "guest":
        world.guest("alice", f"{DUE}: {ahead(2 * DAY)}", f"b2bValidUntil: {FUTURE}",
                    f"b2bReviewer: {guest_dn('alice')}")
        guest = "alice"
        wait_asked(world, guest)
    connect = {"wiki": lambda: world.server.conn(service_dn("wiki"), "wiki-pw"),
               "anonymous": world.server.conn,
               "guest": lambda: world.server.conn(guest_dn("alice"), "alice-pw")}
    connection = connect.get(who, lambda: world.bound(who))()
    errors = (ldap.INSUFFICIENT_ACCESS, ldap.STRONG_AUTH_REQUIRED)
    try:
        with refused(world.root, error=errors):
            answer(world, connection, guest, decision)
    finally:
        if who == "guest":
            world.root.delete_s(guest_dn("alice"))


def test_nobody_reviews_itself(world):
    """A guest that is a member as well, whom slapd would let write: the record keeper refuses it
    even where it is named, and where it is its own sponsor."""
    world.people("twin")
    changes = [add("objectClass", "b2bGuest"), add("b2bHomeTenant", "none"),
               add("b2bSponsor", member_dn("twin")), add("b2bReviewer", member_dn("twin")),
               add("b2bAccountEnabled", "TRUE")]
    twin = world.bound("twin")
    world.root.modify_s(member_dn("twin"), [delete("userPassword"), *changes])
    try:
        with pytest.raises(ldap.LDAPError):
            twin.modify_s(member_dn("twin"), [replace(DECISION, "Approve"), replace(WHY, "me")])
        assert DECISION not in world.entry(member_dn("twin"))
    finally:
        world.root.delete_s(member_dn("twin"))


def test_justification_is_a_sponsors_too(world):
    """To write the justification alone is to answer: only reviewers do."""
    guest = opened(world)
    answer(world, "mia", guest)
    with refused(world.root, "only the reviewers", error=ldap.INSUFFICIENT_ACCESS):
        world.bound("ben").modify_s(guest_dn(guest), [replace(WHY, "forged")])
    with refused(world.root, "only the reviewers", error=ldap.INSUFFICIENT_ACCESS):
        world.bound("ben").modify_s(guest_dn(guest), [delete(DECISION), delete(WHY)])


def test_who_manages_takes_answers_back(world):
    """Who may manage b2bReviewedBy takes an answer away, so that a guest comes back to be reviewed;
    it answers for nobody."""
    guest = opened(world)
    answer(world, "mia", guest, "Deny", why=None)
    world.wait_off(guest, "review-lapsed")
    world.bound("max").modify_s(guest_dn(guest), [delete(DECISION), replace(DUE, ahead(DAY)),
                                                  replace("b2bAccountEnabled", "TRUE")])
    world.sweep()
    assert world.is_on(guest) and DECISION not in world.get(guest)


def test_decisions_by_another_way(world):
    """A decision does not come by way of a name, and with an option behind it is none."""
    guest = opened(world)
    ben = world.bound("ben")
    with refused(world.root, "cannot be part of a guest's name"):
        ben.modrdn_s(guest_dn(guest), f"uid={guest}+{DECISION}=Approve")
    ben.modify_s(guest_dn(guest), [add(f"{DECISION};lang-de", "Approve")])
    assert "b2bReviewedBy" not in world.get(guest)
    world.past(guest, DUE)
    world.wait_off(guest, "review-lapsed")


@pytest.mark.parametrize("blank", BLANKS)
def test_blank_justifications(world, blank):
    """An approval says why in characters that can be seen; a denial need not."""
    guest = opened(world)
    with refused(world.root, "an approval says why"):
        answer(world, "mia", guest, why=BLANKS[blank])
    answer(world, "mia", guest, "Deny", why=BLANKS[blank])


def test_approval_keeps_its_justification(world):
    """What an approval was justified with is not taken from it, nor blanked."""
    guest = opened(world)
    answer(world, "mia", guest)
    for change in (delete(WHY), replace(WHY, " \t")):
        with refused(world.root, "an approval says why"):
            world.bound("mia").modify_s(guest_dn(guest), [change])


def test_decisions_are_words(world):
    guest = opened(world)
    with refused(world.root, DECISION):
        answer(world, "mia", guest, "Perhaps")


def test_record_is_the_servers(world):
    """Who decided, when, and the history are not a reviewer's to write, nor those who manage's
    without relax."""
    guest = opened(world)
    for who in ("mia", "max"):
        for attribute, value in (("b2bReviewedBy", member_dn("ann")), ("b2bReviewedAt", FUTURE),
                                 ("b2bReviewHistory", "x"), (ASKED, FUTURE), (REMINDED, FUTURE)):
            with refused(world.root):
                world.bound(who).modify_s(guest_dn(guest), [replace(attribute, value)])


def test_long_justification_is_cut_in_the_history(world):
    """A history line has an end; it ends between characters."""
    guest = opened(world)
    answer(world, "mia", guest, why="\u20ac" * 600)
    raw = world.root.search_s(guest_dn(guest), ldap.SCOPE_BASE, attrlist=["b2bReviewHistory"])
    line = raw[0][1]["b2bReviewHistory"][0].decode("utf-8")
    assert line.endswith("\u20ac") and len(line) < 500


def test_rootdn_answers_for_nobody_in_particular(world):
    """The rootdn may write anything; it is noted like others."""
    guest = opened(world)
    answer(world, world.root, guest, why=None)
    assert world.get(guest)["b2bReviewedBy"] == [ROOTDN]
    assert BASE in world.mails("review", guest)[0][1]["base"]
