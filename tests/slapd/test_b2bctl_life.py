"""b2bctl guest disable, restore, reset and delete against a real slapd: what changes, what stays,
what who may not hears."""

import os
import pty
import re
import time

import ldap
import pytest

from lib import builders as b, life
from lib.ctl import Ctl, cleaned
from lib.records import DAY, RELAX, ahead, replace, seconds
from lib.slapd import client_env, poll

ALICE = b.guest_dn("alice")
GROUP, UNIQUE = f"cn=atlas,{b.SUFFIX}", f"cn=unique,{b.SUFFIX}"
# ada manages guests, wim writes them, so does mia, who sponsors them, max reads
ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree="{b.GUESTS}" by dn.exact="{b.member_dn('ada')}" manage
 by dn.exact="{b.member_dn('wim')}" write by dn.exact="{b.member_dn('mia')}" write by * read
access to dn.exact="{GROUP}" by dn.exact="{b.member_dn('ada')}" write by * read
access to * by * read
"""


@pytest.fixture(scope="module")
def served(make_server, certs):
    ctl = Ctl(make_server(life.signing_server, certs=certs, access=ACCESS))
    ctl.server.load(b.people_ldif(["ada", "wim"], b.PEOPLE))
    return ctl


@pytest.fixture
def ctl(served, home):
    """alice, who has accepted, is in two groups and uses the wiki."""
    served.server.load(
        b.partner_ldif("home", home.uri, "b2bTenantDomain: home.example\n"
                       f"b2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}")
        + b.guest_ldif("alice", lines=f"b2bSponsor: {b.member_dn('mia')}")
        + b.guest_ldif("bob", lines=f"b2bSponsor: {b.member_dn('mia')}")
        + b.app_ldif("wiki", f"b2bAppAssignee: {ALICE}")
        + f"dn: {GROUP}\nobjectClass: groupOfNames\ncn: atlas\nmember: {ALICE}\n"
          f"member: {b.member_dn('mia')}\n\n"
        + f"dn: {UNIQUE}\nobjectClass: groupOfUniqueNames\ncn: unique\nuniqueMember: {ALICE}\n\n")
    served.server.conn(ALICE, "alice-pw").unbind_s()
    yield served
    for dn in (GROUP, UNIQUE):
        served.root.delete_s(dn)
    cleaned(served)


def by(ctl, name, *args, **options):
    return ctl.bare("-H", ctl.server.ldapi, "-b", b.SUFFIX, "-D", b.member_dn(name), "-w",
                    f"{name}-pw", *args, **options)


def force(ctl, dn, *changes):
    """Writes what the server alone writes."""
    ctl.root.modify_ext_s(dn, list(changes), serverctrls=RELAX)


def guest(ctl, *names, dn=ALICE):
    entry = ctl.server.entry(dn)
    found = [(entry.get(name) or [None])[0] for name in names]
    return found[0] if len(names) == 1 else found


# disable and restore

def test_disable_and_restore__keep_everything(ctl):
    """By any name; memberships and assignments stay; twice is no mistake."""
    for name in ("alice", ALICE, "alice@home.example"):
        assert ctl.run("guest", "disable", name).stdout == f"disabled {ALICE}\n"
        assert guest(ctl, "b2bAccountEnabled", "b2bDisabledReason") == ["FALSE", "administrator"]
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            ctl.server.conn(ALICE, "alice-pw")
        assert ctl.run("guest", "disable", name).stdout == \
            f"unchanged {ALICE}: disabled already (administrator)\n"
        until = guest(ctl, "b2bValidUntil")
        done = ctl.run("guest", "restore", name)
        assert re.fullmatch(rf"restored {ALICE} \(valid until: \S+Z\)\n", done.stdout)
        assert guest(ctl, "b2bAccountEnabled", "b2bDisabledReason", "b2bDeleteAfter",
                     "b2bValidUntil") == ["TRUE", None, None, until]
        assert ctl.run("guest", "restore", name).stdout == f"unchanged {ALICE}: it is enabled\n"
    assert ctl.server.entry(GROUP)["member"] == [ALICE, b.member_dn("mia")]
    ctl.server.conn(ALICE, "alice-pw").unbind_s()


def test_restore__of_who_expired(ctl):
    """A validity that is over begins anew for the tenant's lifetime; --until says otherwise, and
    does so for a guest that is enabled too; one that lasts stays."""
    for days, args, wanted in ((None, [], 90), (7, [], 7), (None, ["--until", "+3"], 3)):
        life.settings(ctl.server, f"b2bGuestLifetime:{f' {days}' if days else ''}")
        ctl.root.modify_s(ALICE, [replace("b2bValidUntil", ahead(-DAY)),
                                  replace("b2bAccountEnabled", "FALSE")])
        ctl.run("guest", "restore", *args, "alice")
        until = seconds(guest(ctl, "b2bValidUntil"))
        assert abs(until - time.time() - wanted * DAY) < 120, (days, args)
    life.settings(ctl.server, "b2bGuestLifetime: 0")
    ctl.root.modify_s(ALICE, [replace("b2bValidUntil", ahead(-DAY)),
                              replace("b2bAccountEnabled", "FALSE")])
    assert ctl.run("guest", "restore", "alice").stdout == \
        f"restored {ALICE} (valid until: no end)\n"
    assert guest(ctl, "b2bValidUntil", "b2bAccountEnabled") == [None, "TRUE"]
    ctl.run("guest", "restore", "--until", "2099-06-30", "alice")
    assert guest(ctl, "b2bValidUntil") == "20990701000000Z"
    life.settings(ctl.server, "b2bGuestLifetime:")


def test_restore__of_whose_review_lapsed(ctl):
    """A review that lapsed or was denied is open again, for as long as reviews last, and the guest
    is in; what was said in it is gone."""
    for answer in (None, "Deny"):
        changes = [replace("b2bReviewDue", ahead(-DAY)), replace("b2bAccountEnabled", "FALSE")]
        if answer:
            changes += [replace("b2bReviewDecision", answer),
                        replace("b2bReviewJustification", "left the project")]
        ctl.root.modify_s(ALICE, changes)
        done = ctl.run("guest", "restore", "alice")
        assert done.stdout.endswith("; its review is open again\n")
        assert guest(ctl, "b2bAccountEnabled", "b2bReviewDecision", "b2bReviewJustification") == [
            "TRUE", None, None]
        due = seconds(guest(ctl, "b2bReviewDue"))
        assert abs(due - time.time() - 14 * DAY) < 120
        ctl.server.conn(ALICE, "alice-pw").unbind_s()


def test_restore__who_may(ctl):
    """A sponsor restores a guest that expired, not one that an administrator disabled; who writes
    guests, not one whose review was denied, which a message explains; who manages them does."""
    ctl.run("guest", "disable", "alice")
    done = by(ctl, "mia", "guest", "restore", "alice")
    assert done.returncode == 1 and "an administrator disabled this guest" in done.stderr
    assert guest(ctl, "b2bAccountEnabled") == "FALSE"
    force(ctl, ALICE, replace("b2bDisabledReason", "expired"))
    assert by(ctl, "mia", "guest", "restore", "alice").returncode == 0
    ctl.root.modify_s(ALICE, [replace("b2bReviewDue", ahead(-DAY)),
                              replace("b2bReviewDecision", "Deny"),
                              replace("b2bAccountEnabled", "FALSE")])
    force(ctl, ALICE, replace("b2bDisabledReason", "review-lapsed"))
    done = by(ctl, "wim", "guest", "restore", "alice")
    assert done.returncode == 1 and "only the reviewers of this guest answer" in done.stderr
    assert "note: its review lapsed or was answered with Deny" in done.stderr
    assert guest(ctl, "b2bAccountEnabled", "b2bReviewDecision") == ["FALSE", "Deny"]
    assert by(ctl, "ada", "guest", "restore", "alice").returncode == 0
    for action in (["disable"], ["restore", "--until", "+5"], ["delete", "--yes"], ["reset"]):
        done = by(ctl, "max", "guest", *action, "alice")
        assert done.returncode == 1 and "Insufficient access" in done.stderr, action
    assert guest(ctl, "b2bAccountEnabled") == "TRUE"


@pytest.mark.parametrize("action", [["disable"], ["restore"], ["reset"], ["delete", "--yes"]])
def test_life__which_guest(ctl, action):
    """Nobody, several, and a member are not touched."""
    ctl.root.modify_s(b.guest_dn("bob"), [replace("mail", "alice@home.example")])
    for name, words in (("zoe", "there is no guest zoe"), ("*", "there is no guest *"),
                        (b.member_dn("mia"), "there is no guest"),
                        ("alice@home.example", "is 2 guests; name one by its DN")):
        done = ctl.run("guest", *action, name, code=1)
        assert words in done.stderr and done.stdout == ""


def test_life__usage(ctl):
    for args in (["disable"], ["restore"], ["reset"], ["delete"], ["disable", "a", "b"],
                 ["restore", "--until", "soon", "alice"], ["restore", "--until", "+0", "alice"],
                 ["restore", "--until", "2020-01-01", "alice"], ["disable", "--yes", "alice"]):
        assert ctl.bare("guest", *args).returncode == 2, args
    assert '"soon" is no date' in ctl.bare("guest", "restore", "--until", "soon", "a").stderr


# reset

def test_reset__another_person(ctl):
    """The entry and all it belongs to stay; the person goes; a new invitation is on its way, with
    which it comes back."""
    assert guest(ctl, "b2bUserState") == "Accepted"
    done = ctl.run("guest", "reset", "alice")
    assert done.stdout == f"reset {ALICE}\ninvited {ALICE} again\n"
    assert guest(ctl, "b2bUserState", "b2bHomeSubject", "b2bAccountEnabled") == [
        "PendingAcceptance", None, "TRUE"]
    assert ctl.server.entry(GROUP)["member"] == [ALICE, b.member_dn("mia")]
    uuid, moment = guest(ctl, "entryUUID", "b2bInvitedAt")
    poll(lambda: [data for _, data in life.notices(ctl.server, "invitation", "alice@home.example")
                  if (data["uuid"], data["invitedAt"]) == (uuid, moment)], 10, "the invitation")
    ctl.server.conn(ALICE, "alice-pw").unbind_s()  # its partner redeems by itself
    assert guest(ctl, "b2bUserState") == "Accepted"


def test_reset__who_is_disabled(ctl):
    """Is to be restored first; nothing is changed."""
    ctl.run("guest", "disable", "alice")
    done = ctl.run("guest", "reset", "alice", code=1)
    assert "is disabled: restore it first" in done.stderr
    assert guest(ctl, "b2bUserState", "b2bHomeSubject") == [
        "Accepted", f"uid=alice,{b.HOME_PEOPLE}"]


def test_reset__without_an_invitation(ctl):
    """Where the invitation is refused, it is said that the guest was reset, and what is to be
    done."""
    life.settings(ctl.server, "b2bAllowInvitesFrom: none")
    try:
        done = ctl.run("guest", "reset", "alice", code=1)
        assert done.stdout == f"reset {ALICE}\n"
        assert "invitation: " in done.stderr
        assert "b2bctl invite --mail alice@home.example does it" in done.stderr
    finally:
        life.settings(ctl.server, "b2bAllowInvitesFrom:")
    done = ctl.run("guest", "reset", "alice")
    assert done.stdout == f"invited {ALICE} again\n"


def test_reset__not_in_the_clear(ctl):
    done = ctl.bare("-H", ctl.server.uri, "-D", b.ROOTDN, "-w", b.ROOTPW, "guest", "reset", "alice")
    assert done.returncode == 1 and "without TLS" in done.stderr
    assert guest(ctl, "b2bUserState") == "Accepted"


# delete

def test_delete__with_its_memberships(ctl):
    """It is taken out of every group and application, a line each; a group that must have a member
    keeps one that is nobody."""
    done = ctl.run("guest", "delete", "--yes", "alice")
    lines = done.stdout.splitlines()
    assert sorted(lines[:-1]) == [f"taken out of {dn}" for dn in (
        GROUP, UNIQUE, f"cn=wiki,cn=applications,{b.BASE}")]
    assert lines[-1] == f"deleted {ALICE}" and ctl.server.entry(ALICE) is None
    assert ctl.server.entry(GROUP)["member"] == [b.member_dn("mia")]
    assert ctl.server.entry(UNIQUE)["uniqueMember"] == [f"cn=nobody,{b.BASE}"]
    assert "b2bAppAssignee" not in ctl.server.entry(f"cn=wiki,cn=applications,{b.BASE}")
    assert ctl.server.entry(b.guest_dn("bob"))


def test_delete__stops_where_it_may_not(ctl):
    """Who may not write one of the groups does not delete the guest either: no entry that is gone
    leaves its name behind for the next one."""
    done = by(ctl, "ada", "guest", "delete", "--yes", "alice")
    assert done.returncode == 1
    assert f"{UNIQUE}: Insufficient access" in done.stderr
    assert f"{ALICE} was not deleted" in done.stderr
    assert ctl.server.entry(ALICE)


def answer(ctl, text):
    """What the tool says on a terminal where somebody types this, and its code."""
    pid, leader = pty.fork()
    if pid == 0:
        os.execve(b.B2BCTL, [str(b.B2BCTL), "-H", ctl.server.ldapi, "-D", b.ROOTDN, "-w", b.ROOTPW,
                             "guest", "delete", "alice"], client_env())
    said = b""
    while b"[y/N] " not in said:
        said += os.read(leader, 4096)
    os.write(leader, text)
    try:
        while more := os.read(leader, 4096):
            said += more
    except OSError:
        pass
    os.close(leader)
    return said.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_delete__asks(ctl):
    """On a terminal it asks, and only yes is yes; without one nothing is done."""
    done = ctl.run("guest", "delete", "alice", code=1)
    assert "there is no terminal to ask on; --yes" in done.stderr
    for text in (b"\n", b"n\n", b"yesterday\n", b"\x04"):
        said, code = answer(ctl, text)
        assert code == 1 and "nothing was done" in said, text
    assert ctl.server.entry(ALICE)
    said, code = answer(ctl, b"y\n")
    assert code == 0 and f"Delete {ALICE}, which cannot be undone? [y/N]" in said
    assert ctl.server.entry(ALICE) is None
