"""What cannot be: states of a tenant that no life of a guest leads to, whatever was killed when.

assert not possible.faults(entries, now)

entries: {dn: {attribute: [text]}} of the whole suffix, in one search, with operational attributes;
now: seconds. swept False: at any moment; else when a sweep is done (World.swept) and nothing is
due."""

import json

from . import b2bd, builders as b
from .records import DAY, HOUR, seconds

NOTICES = {"invitation", "passcode", "review", "reminder", "lapsed", "disabled", "deleted",
           "sponsor-gone", "reviewer-gone", "wrong-person", "halted", "request", "refused"}
DELETING = 1  # as b2bDeleteAfter: it has begun
MARKS = ("b2bDisabledReason", "b2bDisabledAt", "b2bDeleteAfter")
MEMBERS = ("member", "uniqueMember", "b2bAppAssignee")


class Entry:
    """An entry with its attributes as a test wants them."""

    def __init__(self, dn, attrs):
        self.dn, self.attrs = dn, attrs

    def __contains__(self, name):
        return name in self.attrs

    def get(self, name):
        return self.attrs.get(name, [None])[0]

    def time(self, name):
        """Seconds; 0 where there is none."""
        return seconds(self.get(name)) if name in self else 0

    def number(self, name, default):
        return int(self.attrs.get(name, [default])[0])

    def has_class(self, name):
        return name in self.attrs["objectClass"]


class Checker:
    """.faults: what was found, as text."""

    def __init__(self, entries, now, swept):
        self.entries = {dn.lower(): Entry(dn, attrs) for dn, attrs in entries.items()}
        self.now, self.swept, self.faults = now, swept, []
        self.tenant = self.entries[b.BASE.lower()]
        rules = (("b2bGuest", self.guest), ("b2bNotice", self.notice),
                 ("b2bReviewDefinition", self.definition), ("b2bReviewItem", self.item),
                 ("b2bCollaboration", self.project), ("b2bRequest", self.request))
        for entry in self.entries.values():
            self.references(entry)
            for name, rule in rules:
                if entry.has_class(name):
                    rule(entry)

    def demand(self, condition, entry, what):
        if not condition:
            self.faults.append(f"{entry.dn}: {what}")

    def is_there(self, dn):
        return dn is not None and dn.lower() in self.entries

    def days(self, name, default):
        return self.tenant.number(name, default) * DAY

    def references(self, entry):
        """Nobody is a member, or answers for a guest, who is not there; who has just left answers
        until the next sweep."""
        for name in MEMBERS + (("b2bSponsor",) if self.swept else ()):
            for dn in entry.attrs.get(name, ()):
                self.demand(self.is_there(dn) or dn.lower() == f"cn=nobody,{b.BASE}", entry,
                            f"{name} {dn} is not there")

    # Guests

    def guest(self, guest):
        state, enabled = guest.get("b2bUserState"), guest.get("b2bAccountEnabled") == "TRUE"
        self.demand(state in ("Accepted", "PendingAcceptance"), guest, f"state {state}")
        self.demand("b2bUserStateChanged" in guest, guest, "a state that never came to be")
        if state == "Accepted":
            self.accepted(guest)
        else:
            self.pending(guest, enabled)
        for name in MARKS:
            self.demand((name in guest) != enabled, guest, f"enabled={enabled}, yet {name} "
                        f"{guest.get(name)}")
        if guest.time("b2bDeleteAfter") == DELETING:
            self.demand(not self.swept, guest, "deleted, but not quite")
        elif "b2bDeleteAfter" in guest and "b2bDisabledAt" in guest:
            grace = guest.time("b2bDeleteAfter") - guest.time("b2bDisabledAt")
            self.demand(0 <= grace <= self.days("b2bDeleteGrace", 30), guest, f"grace {grace}")
        # the hash, which nobody may read, goes with the tries; the time stays
        self.demand(("b2bPasscodeTries" in guest) <= ("b2bPasscodeUntil" in guest), guest,
                    "a passcode for ever")
        self.demand(guest.time("b2bLastSignIn") <= self.now, guest, "came in the future")
        self.review(guest)
        self.next_due(guest, self.moment(guest, enabled), "guest")

    def accepted(self, guest):
        self.demand("b2bHomeSubject" in guest, guest, "accepted by nobody")
        self.demand(guest.get("b2bInvitedAt") == guest.get("b2bInvitationSent"), guest,
                    "accepted, yet an invitation waits")

    def pending(self, guest, enabled):
        for name in ("b2bTermsAccepted", "b2bLastSignIn", "b2bReviewAsked", "b2bReviewedAt",
                     "b2bReviewDecision"):
            self.demand(name not in guest, guest, f"pending with {name}")
        if enabled and "b2bInvitedAt" in guest and self.swept:
            self.demand(guest.get("b2bInvitedAt") == guest.get("b2bInvitationSent"), guest,
                        "an invitation that was not handed over")

    def review(self, guest):
        """An open review has no decision from before it was asked."""
        asked = guest.time("b2bReviewAsked")
        self.demand(("b2bReviewedBy" in guest) <= ("b2bReviewedAt" in guest), guest,
                    "reviewed at no time")
        self.demand(not asked or "b2bReviewDue" in guest or "b2bReviewDecision" in guest, guest,
                    "asked without a deadline")
        if asked and "b2bReviewDecision" in guest:
            self.demand(guest.time("b2bReviewedAt") >= asked, guest,
                        "a decision from before it was asked")
            self.demand(guest.get("b2bReviewDecision") != "Approve"
                        or "b2bReviewJustification" in guest, guest, "approved without a reason")

    # When the task must look

    def moment(self, guest, enabled):
        """The earliest moment at which something is to be done, 0 for never (overlay/core/guest.c).
        """
        if not enabled:
            return guest.time("b2bDeleteAfter")
        moments = [guest.time("b2bValidUntil")] + self.review_moments(guest)
        if not guest.time("b2bValidUntil") and self.days("b2bGuestLifetime", 90):
            moments.append(guest.time("createTimestamp") + self.days("b2bGuestLifetime", 90))
        if guest.get("b2bUserState") == "Accepted":
            inactive = self.days("b2bInactivity", 0)
            seen = max(guest.time(name) for name in ("b2bLastSignIn", "b2bUserStateChanged",
                                                     "b2bEnabledAt"))
            moments.append(inactive and seen + inactive)
        elif "b2bInvitedAt" in guest:
            moments.append(guest.time("b2bInvitedAt") + self.days("b2bInvitationLifetime", 30))
        return min(filter(None, moments), default=0)

    def review_moments(self, guest):
        decision, due = guest.get("b2bReviewDecision"), guest.time("b2bReviewDue")
        asked, reminded = guest.time("b2bReviewAsked"), guest.time("b2bReviewReminded")
        moments = [1 if decision == "Deny" else 0 if decision == "Approve" else due]
        if guest.get("b2bUserState") != "Accepted":
            return moments
        start = due - self.days("b2bReviewDuration", 14)
        if not due:
            last = max(guest.time(name) for name in ("b2bReviewedAt", "b2bEnabledAt",
                                                     "b2bUserStateChanged"))
            interval = self.days("b2bReviewInterval", 90)
            start = interval and last + interval
        if start and (not asked or asked < start):
            moments.append(start)
        elif start and decision != "Approve" and due > asked > reminded:
            moments.append(asked + (due - asked) // 2)
        return moments

    def next_due(self, entry, moment, what):
        """b2bNextDue is that moment rounded to the hour, up where it was to come when that was
        written; and nothing is due now, for a sweep was."""
        if not self.swept:
            return
        due = entry.time("b2bNextDue")
        self.demand(bool(due) == bool(moment), entry, f"{what} due at {moment}, b2bNextDue {due}")
        if due and moment:
            self.demand(moment - HOUR < due < moment + HOUR, entry,
                        f"{what} due at {moment}, b2bNextDue {due}")
            self.demand(moment > self.now - HOUR, entry,
                        f"{what} was due at {moment}, it is {self.now}")

    # Other entries

    def notice(self, notice):
        kind, name = notice.get("b2bNoticeType"), notice.get("cn")
        self.demand(kind in NOTICES and name.startswith(f"{kind}-"), notice, f"type {kind}")
        self.demand(notice.dn.lower().endswith(f",{b2bd.OUTBOX.lower()}"), notice, "its place")
        self.demand("b2bNoticeState" not in notice, notice,
                    f"given up: {notice.get('b2bNoticeError')}")
        json.loads(notice.get("b2bNoticeData"))
        if kind != "deleted" and "b2bNoticeGuest" in notice:
            self.demand(self.is_there(notice.get("b2bNoticeGuest")), notice, "about nobody")
        known = {mail.lower() for entry in self.entries.values()
                 for mail in entry.attrs.get("mail", ())}
        self.demand(notice.get("b2bNoticeTo").lower() in known, notice,
                    f"to nobody: {notice.get('b2bNoticeTo')}")

    def definition(self, review):
        is_open = "b2bReviewStage" in review
        self.demand(is_open <= ("b2bReviewCloses" in review), review, "open for ever")
        if not self.swept:
            return
        if is_open:
            self.demand(review.time("b2bReviewCloses") > self.now - HOUR, review, "not closed")
        self.demand(review.time("b2bNextDue") > self.now - HOUR or "b2bNextDue" not in review,
                    review, f"was due at {review.get('b2bNextDue')}")

    def item(self, item):
        review = self.entries.get(item.dn.split(",", 1)[1].lower())
        self.demand(review and review.has_class("b2bReviewDefinition"), item, "of no definition")
        if not review:
            return
        instance, state = item.get("cn").split("-")[0], item.get("b2bReviewItemState")
        self.demand(state in ("asked", "answered", "applied"), item, f"state {state}")
        if self.swept:
            self.demand(instance == review.get("b2bReviewInstance"), item,
                        f"of a review that is {review.get('b2bReviewInstance')}")
            self.demand((state != "applied") == ("b2bReviewStage" in review), item,
                        f"{state}, its review is open: {'b2bReviewStage' in review}")
        self.demand((state == "asked") <= ("b2bReviewDecision" not in item), item,
                    f"asked with a decision {item.get('b2bReviewDecision')}")
        self.demand((state != "asked") <= ("b2bReviewDecision" in item), item, f"{state} by none")

    def project(self, project):
        end = project.time("b2bValidUntil")
        self.next_due(project, end if end > self.now else 0, "project")
        if self.swept and end and end <= self.now - HOUR:
            guests = [dn for dn in project.attrs.get("member", ())
                      if dn.lower().endswith(f",{b.GUESTS}")]
            self.demand(not guests, project, f"over, yet {guests} are in it")

    def request(self, request):
        state, invited = request.get("b2bRequestState"), "b2bRequestGuest" in request
        self.demand((state == "invited") == invited, request, f"{state}, its guest: {invited}")
        if self.swept:
            self.demand(state not in ("approved", "failed"), request, f"state {state}: "
                        f"{request.get('b2bRequestAnswer')}")


def faults(entries, now, swept=True):
    return Checker(entries, now, swept).faults
