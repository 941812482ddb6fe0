"""A guest's two years, played in seconds against a real slapd, b2bd, mail server and home
directory.

Time is moved while all of them run, by lib.clock (which says why not libfaketime): slapd's run
queue goes by the time of day, so after a jump the task runs at once; nothing else in slapd is
touched by it. Every station asks for the state, the mails (these and no others, each once), the log
line, and what the guest may do."""

import re

import ldap
import pytest

from lib import builders as b
from lib.builders import guest_dn, member_dn
from lib.records import DAY, replace
from lib.slapd import poll
from lib.years import REVIEWS, World, group_dn, ticket_in

PIA, QUIN, NORA, CODY = map(guest_dn, ("pia", "quin", "nora", "cody"))
CODE = re.compile(r"^    (\d{8})$", re.M)
MAIL = {"pia": "pia@home.example", "quin": "quin@home.example", "nora": "nora@home.example",
        "cody": "cody@codes.example", "mia": "mia@ours.example", "max": "max@ours.example"}
ATLAS_ENDS, REVIEWED, INACTIVE = 300, 180, 300  # days


def group_ldif(name, lines=""):
    return (f"dn: {group_dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n"
            f"member: {member_dn('mia')}\n{lines}\n")


@pytest.fixture
def world():
    with World() as one:
        one.server.load(
    group_ldif("staff") +
    group_ldif("board") +
    group_ldif(
        "atlas",
        f"objectClass: b2bCollaboration\nb2bValidUntil: {one.clock.stamp(ATLAS_ENDS)}\n"
        f"b2bSponsor: {member_dn('mia')}\n"))
        yield one


def came(world, *expected):
    """The mails, each a word like "review-mia": type and recipient."""
    pairs = [word.rsplit("-", 1) for word in expected]
    return world.mails(*((kind, MAIL[name]) for kind, name in pairs))


def is_in(world, name, password=None):
    """The guest signs in, and the application finds it."""
    assert world.bind(guest_dn(name), password or f"{name}-pw") == (0, "")
    assert world.found_by_wiki(name)


def is_out(world, name, reason):
    """Neither; and why is in the log alone, for home is not asked."""
    mark = world.server.log_mark()
    assert world.bind(guest_dn(name), f"{name}-pw") == (49, "")
    assert f'guest="{guest_dn(name)}"' in world.server.log(mark)
    assert f"verdict=deny reason={reason} " in world.server.log(mark)
    assert not world.found_by_wiki(name)


def is_off(world, name, reason, mark):
    """Disabled today, to be deleted after the grace; the guest and its record say so."""
    entry = world.guest(name)
    assert entry["b2bAccountEnabled"] == ["FALSE"] and entry["b2bDisabledReason"] == [reason]
    assert world.clock.now() - world.secs(entry, "b2bDisabledAt") < DAY
    grace = world.secs(entry, "b2bDeleteAfter") - world.secs(entry, "b2bDisabledAt")
    assert grace == 30 * DAY
    assert f'task guest="{guest_dn(name)}" disabled reason={reason}' in world.server.log(mark)
    is_out(world, name, "disabled")


def is_gone(world, name, reason, mark):
    """Nothing is left: no entry, no membership, no assignment; and it is as if it never was."""
    assert world.guest(name) is None
    assert not world.root.search_s(b.SUFFIX, ldap.SCOPE_SUBTREE,
                                   f"(|(member={guest_dn(name)})(b2bAppAssignee={guest_dn(name)}))")
    assert f'task guest="{guest_dn(name)}" deleted reason={reason}' in world.server.log(mark)
    assert world.bind(guest_dn(name), f"{name}-pw") == (49, "")


# --- stations ---

def invited(world):
    """Day 0.  mia invites pia and nora, max invites quin and cody: PendingAcceptance, and a mail to
    each guest alone, with its ticket."""
    mark = world.server.log_mark()
    for who, name, *more in (("mia", "pia", "--name", "Pia", "--app", "wiki", "--until", "+730",
                              "--message", "Welcome to Atlas"), ("mia", "nora", "--app", "wiki"),
                             ("max", "quin"), ("max", "cody")):
        out = world.ctl(who, "invite", "--mail", MAIL[name], "--uid", name, *more)
        assert out.startswith(f"invited {guest_dn(name)}\n")
        assert (f'invitation guest="{guest_dn(name)}" by="{member_dn(who)}": made (0)'
                in world.server.log(mark))
    mails = came(world, "invitation-pia", "invitation-nora", "invitation-quin", "invitation-cody")
    assert mails[0].subject == "Mia invites you to ours"
    assert "> Welcome to Atlas\n" in mails[0].text
    for name in ("pia", "nora", "quin", "cody"):
        entry = world.guest(name)
        assert entry["b2bUserState"] == ["PendingAcceptance"]
        assert entry["b2bInvitationSent"] == entry["b2bInvitedAt"]
        assert entry["b2bSponsor"] == entry["b2bInvitedBy"]
    assert world.assigned() == {PIA, NORA}
    return {name: ticket_in(mail) for name, mail in zip(("pia", "nora", "quin", "cody"), mails)}


def redeemed(world, tickets):
    """Day 1.  While the invitation is not accepted home is not even asked; with the ticket the home
    password accepts, once, and neither another password nor another's ticket does."""
    world.to_day(1)
    is_out(world, "pia", "not-redeemed")
    forged = tickets["pia"][:50] + tickets["nora"][50:]
    for ticket, password in ((tickets["pia"], "other"), (tickets["quin"], "pia-pw"),
                             (forged, "pia-pw")):
        assert "Invalid credentials" in world.redeem(ticket, password, code=1)
    for name in ("pia", "quin"):
        assert (world.redeem(tickets[name], f"{name}-pw")
                == f"redeemed {guest_dn(name)}: Accepted\n")
        assert "Invalid credentials" in world.redeem(tickets[name], f"{name}-pw", code=1)
        entry = world.guest(name)
        assert entry["b2bUserState"] == ["Accepted"]
        assert entry["b2bHomeSubject"] == [f"uid={name},{b.HOME_PEOPLE}"]
    came(world)


def mailed_code(world):
    """Asks for a code, gets it by mail: one mail for one asking."""
    mail, = came(world, "passcode-cody")
    code, = CODE.findall(mail.text)
    return code


def redeemed_by_code(world, ticket):
    """cody has no provider: a code is mailed to who has the ticket, and with it the invitation is
    accepted; the code is good for nothing then."""
    world.ctl(None, "guest", "passcode", ticket)
    code = mailed_code(world)
    assert "Invalid credentials" in world.ctl(None, "guest", "redeem", "--passcode", "00000000",
                                              ticket, code=1)
    out = world.ctl(None, "guest", "redeem", "--passcode", code, ticket)
    assert out == f"redeemed {CODY}: Accepted\n"
    assert world.guest("cody")["b2bHomeSubject"] == [MAIL["cody"]]
    assert world.bind(CODY, code) == (49, "")


def signed_in(world):
    """pia signs in: noted once, for a day."""
    is_in(world, "pia")
    entry = poll(lambda: (e := world.guest("pia")).get("b2bLastSignIn") and e, 10, "the sign-in")
    assert world.clock.now() - world.secs(entry, "b2bLastSignIn") < 60
    assert world.bind(PIA, "other") == (49, "")
    came(world)


def at_work(world):
    """Day 2. mia puts pia and quin into the project atlas, and pia and cody on the board; quin is
    in no application, so the wiki does not find it."""
    world.to_day(2)
    for group, name in (("atlas", "pia"), ("atlas", "quin"), ("board", "pia"), ("board", "cody"),
                        ("staff", "quin")):
        world.join(group, name)
    assert not world.found_by_wiki("quin") and world.bind(QUIN, "quin-pw") == (0, "")
    came(world)


def dropped(world):
    """Day 30. nora never accepted: gone, and its ticket is good for nothing; the sponsor hears it.
    """
    world.to_day(29.9)
    came(world)
    assert world.guest("nora")
    mark = world.server.log_mark()
    world.to_day(30.1)
    mail, = came(world, "deleted-mia")
    assert "The invitation was never accepted." in mail.text and "nora@home.example" in mail.text
    is_gone(world, "nora", "unredeemed", mark)


def asked(world):
    """Day 181.  The sponsors of who came on day 1 are asked; max answers at once."""
    world.to_day(1 + REVIEWED - 0.1)
    came(world)
    world.to_day(1 + REVIEWED + 0.1)
    mails = came(world, "review-mia", "review-max", "review-max")
    assert "does" in mails[0].subject.lower() and "Pia" in mails[0].text and PIA in mails[0].text
    entry = world.guest("pia")
    assert world.clock.now() - world.secs(entry, "b2bReviewAsked") < 60
    assert (world.secs(entry, "b2bReviewDue")
            == world.secs(entry, "b2bReviewAsked") + 14 * DAY)
    for name in ("quin", "cody"):
        out = world.ctl("max", "review", "approve", "--justification", "still at it", name)
        assert guest_dn(name) in out


def approved(world):
    """Day 188: mia is reminded.  Day 190: max may not answer for pia, a justification of blanks is
    none; mia says why, and has her peace for half a year."""
    world.to_day(188.2)
    mail, = came(world, "reminder-mia")
    assert "Pia" in mail.text
    world.to_day(190)
    is_in(world, "pia")
    answer = [replace("b2bReviewDecision", "Approve"), replace("b2bReviewJustification", "  ")]
    for who, error in (("max", ldap.INSUFFICIENT_ACCESS), ("mia", ldap.CONSTRAINT_VIOLATION)):
        with pytest.raises(error):
            world.server.conn(member_dn(who), f"{who}-pw").modify_s(PIA, answer)
    world.ctl("mia", "review", "approve", "--justification", "Atlas goes on", "pia")
    entry = world.guest("pia")
    assert entry["b2bReviewedBy"] == [member_dn("mia")]
    assert [text for text in entry["b2bReviewHistory"] if "Atlas goes on" in text]
    assert abs(world.secs(entry, "b2bReviewDue") - world.clock.now() - 194 * DAY) < 60
    world.to_day(196)  # the old deadline means nothing
    came(world)
    is_in(world, "pia")


def board_reviewed(world):
    """Days 230 to 244. adam has the board reviewed once: each sponsor is asked for its own; pia
    stays, cody leaves the group and nothing else."""
    world.to_day(230)
    adam = world.server.conn(member_dn("adam"), "adam-pw")
    mark = world.server.log_mark()
    adam.add_s(f"cn=board,{REVIEWS}", [
        ("objectClass", [b"b2bReviewDefinition"]), ("cn", [b"board"]),
        ("b2bReviewBy", [b"sponsor"]), ("b2bReviewScopeGroup", [group_dn("board").encode()])])
    came(world, "review-mia", "review-max")
    assert f'review="cn=board,{REVIEWS}" started instance=1 guests=2' in world.server.log(mark)
    world.ctl("mia", "review", "approve", "--justification", "sits on it", "pia")
    world.ctl("max", "review", "deny", "--justification", "left it", "cody")
    world.to_day(244.2)
    came(world)
    assert f'review="cn=board,{REVIEWS}" closed instance=1' in world.server.log(mark)
    assert world.members("board") == {member_dn("mia"), PIA}
    assert world.guest("cody")["b2bAccountEnabled"] == ["TRUE"]
    items = world.root.search_s(f"cn=board,{REVIEWS}", ldap.SCOPE_ONELEVEL,
                                "(b2bReviewItemState=applied)")
    assert len(items) == 2


def came_by_code(world):
    """Day 245.  cody's program knows nothing but a password: "?" has a code mailed, which is good
    once, and for half an hour."""
    world.to_day(245)
    assert world.bind(CODY, "?") == (49, "")
    code = mailed_code(world)
    assert world.bind(CODY, code) == (0, "")
    assert world.bind(CODY, code) == (49, "")
    world.to_day(245 + 2 / 1440)
    assert world.bind(CODY, "?") == (49, "")
    code = mailed_code(world)
    world.to_day(world.clock.day() + 31 / 1440)
    assert world.bind(CODY, code) == (49, "")


def project_ended(world):
    """Day 300. atlas ends: nobody is a guest in it any more; quin, who had nothing else, is off,
    and pia, who has the wiki, is not."""
    world.to_day(ATLAS_ENDS - 0.1)
    came(world)
    is_in(world, "pia")
    mark = world.server.log_mark()
    world.to_day(ATLAS_ENDS + 0.1)
    mails = came(world, "disabled-quin", "disabled-max")
    assert all("The project it was for has ended." in mail.text for mail in mails)
    assert f'task project="{group_dn("atlas")}" ended' in world.server.log(mark)
    assert world.members("atlas") == {member_dn("mia")}
    is_off(world, "quin", "project-ended", mark)
    assert QUIN in world.members("staff")
    is_in(world, "pia")


def quin_deleted(world):
    """Day 330.  Thirty days later quin is gone, out of all groups."""
    mark = world.server.log_mark()
    world.to_day(ATLAS_ENDS + 29.9)
    came(world)
    world.to_day(ATLAS_ENDS + 30.3)
    mail, = came(world, "deleted-max")
    assert "The project it was for has ended." in mail.text and "quin@home.example" in mail.text
    is_gone(world, "quin", "project-ended", mark)
    assert world.members("staff") == {member_dn("mia")}


def cody_asked(world):
    """Day 362.  The review of cody comes round again; max says yes."""
    world.to_day(182.2 + REVIEWED)
    came(world, "review-max")
    world.ctl("max", "review", "approve", "--justification", "still at it", "cody")


def ignored(world):
    """Days 370 to 384. This time mia does not answer: asked, reminded, and pia's access lapses; its
    groups and assignments stay."""
    world.to_day(190.2 + REVIEWED)
    came(world, "review-mia")
    world.to_day(190.2 + REVIEWED + 7.2)
    came(world, "reminder-mia")
    is_in(world, "pia")
    mark = world.server.log_mark()
    world.to_day(190.2 + REVIEWED + 14)
    mails = came(world, "lapsed-pia", "lapsed-mia")
    assert "your access as a guest of ours has ended" in mails[0].text
    assert "Pia <pia@home.example>" in mails[1].text
    is_off(world, "pia", "review-lapsed", mark)
    assert PIA in world.members("board") and world.assigned() == {PIA}


def restored(world):
    """Day 395. mia cannot bring pia back; adam can, within the grace, and all is as before:
    sign-in, groups, assignments. The review is open again, and this time it is answered."""
    world.to_day(395)
    came(world)
    world.ctl("mia", "guest", "restore", "pia", code=1)
    assert world.guest("pia")["b2bAccountEnabled"] == ["FALSE"]
    world.ctl("adam", "guest", "restore", "pia")
    came(world, "review-mia")
    entry = world.guest("pia")
    assert entry["b2bAccountEnabled"] == ["TRUE"]
    assert not {"b2bDisabledReason", "b2bDisabledAt", "b2bDeleteAfter"} & set(entry)
    is_in(world, "pia")
    assert PIA in world.members("board") and world.assigned() == {PIA}
    world.to_day(396)
    world.ctl("mia", "review", "approve", "--justification", "was on leave", "pia")
    world.to_day(425)  # the day of its deletion passes
    came(world)
    is_in(world, "pia")


def went_away(world):
    """Days 545 and 576.  cody has not come for 300 days: off, and deleted a month later."""
    world.to_day(245 + INACTIVE - 0.2)
    came(world, "review-max")
    mark = world.server.log_mark()
    world.to_day(245 + INACTIVE + 0.2)
    mails = came(world, "disabled-cody", "disabled-max")
    assert all("It was not used for long." in mail.text for mail in mails)
    entry = world.guest("cody")
    assert entry["b2bDisabledReason"] == ["inactive"]
    assert world.bind(CODY, "?") == (49, "")
    world.to_day(245 + INACTIVE + 30.5)
    came(world, "deleted-max")
    is_gone(world, "cody", "inactive", mark)


def expired(world):
    """Days 576, 731 and 761. pia is approved once more; then its two years are over: off, and gone.
    """
    world.to_day(396.2 + REVIEWED)
    came(world, "review-mia")
    world.ctl("mia", "review", "approve", "--justification", "until the end", "pia")
    is_in(world, "pia")
    world.to_day(729.5)
    came(world)
    is_in(world, "pia")
    mark = world.server.log_mark()
    world.to_day(731.5)
    mails = came(world, "disabled-pia", "disabled-mia")
    assert all("Its time is over." in mail.text for mail in mails)
    is_off(world, "pia", "expired", mark)
    world.to_day(762)
    came(world, "deleted-mia")
    is_gone(world, "pia", "expired", mark)
    assert not world.assigned() and world.members("board") == {member_dn("mia")}


def test_two_years(world):
    """The whole life, station by station. Expected at the end: no guest, no notice, nobody in a
    group but members; and no mail that was not asked for by name."""
    tickets = invited(world)
    redeemed(world, tickets)
    redeemed_by_code(world, tickets["cody"])
    for station in (signed_in, at_work, dropped, asked, approved, board_reviewed, came_by_code,
                    project_ended, quin_deleted, cody_asked, ignored, restored, went_away, expired):
        station(world)
    assert not world.root.search_s(b.GUESTS, ldap.SCOPE_ONELEVEL)
    assert not world.assigned()
    assert world.members("atlas") == world.members("staff") == {member_dn("mia")}


def test_time_alone(world):
    """Set-up: nora is invited.  Steps: thirty days go by, and nobody does anything.  Expected: the
    task, which sweeps each second, notices by itself; and b2bd mails what comes of it."""
    world.ctl("mia", "invite", "--mail", MAIL["nora"], "--uid", "nora")
    came(world, "invitation-nora")
    world.to_day(30.1)
    poll(lambda: world.mail.to(MAIL["mia"]), 15, "a mail to mia")
    assert world.guest("nora") is None
    came(world, "deleted-mia")
