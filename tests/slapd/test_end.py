"""The end of a guest: unredeemed, inactive, disabled, restored, deleted with all that names it;
nothing that comes back by itself, nothing that is lost while it may come back."""

import contextlib
import time

import ldap
import pytest

from lib import builders, life
from lib.builders import (
    BASE,
    GUESTS,
    SUFFIX,
    app_ldif,
    guest_dn,
    guest_ldif,
    member_dn,
    partner_dn,
     partner_ldif)
from lib.lives import (ACCESS, FUTURE, LDIF, NOBODY, PAST, Lives, expired, group_dn, lives_server,
                       named)
from lib.records import DAY, HOUR, RELAX, add, ahead, delete, next_hour, refused, replace, seconds
from lib.slapd import poll

ENABLED, AFTER, REASON = "b2bAccountEnabled", "b2bDeleteAfter", "b2bDisabledReason"
MARKS = {AFTER, REASON, "b2bDisabledAt"}
LONG_AGO = ahead(-400 * DAY)
_count = iter(range(1000))


@pytest.fixture(scope="module")
def world(make_server, home):
    """Signs tickets; guests ask their home directory."""
    lives = lives_server(make_server, key=True, data=partner_ldif(
        "home", home.uri, "b2bTenantDomain: home.example") + partner_ldif("other"))
    lives.settings("b2bMassLimit: 100%")
    return lives


def pending(world, days, *lines):
    """A guest that was invited so many days ago."""
    when = ahead(-days * DAY)
    return world.new("b2bUserState: PendingAcceptance", f"b2bInvitedAt: {when}",
                     f"b2bInvitationSent: {when}", f"b2bUserStateChanged: {when}", *lines)


def disabled(world, after=PAST, *lines):
    """A guest that was disabled, and may be deleted after a moment (None: nothing says so)."""
    return world.new(f"{ENABLED}: FALSE", f"{REASON}: expired", f"b2bDisabledAt: {LONG_AGO}",
                     *([f"{AFTER}: {after}"] if after else []), *lines)


def memberships(world, name):
    """A guest in a group of each kind, and assigned to an application; gives what names it."""
    dn, tag = guest_dn(name), f"{name}-{next(_count)}"
    world.group(f"{tag}a", dn, member_dn("mia"))
    world.group(f"{tag}b", dn)
    world.root.add_s(group_dn(f"{tag}c"), [
        ("objectClass", [b"groupOfUniqueNames"]), ("cn", [f"{tag}c".encode()]),
        ("uniqueMember", [dn.encode(), member_dn("mia").encode()])])
    world.root.add_s(group_dn(f"{tag}d"), [
        ("objectClass", [b"organizationalRole"]), ("cn", [f"{tag}d".encode()]),
        ("roleOccupant", [dn.encode()])])
    app = world.app(tag, dn, member_dn("mia"))
    return [*(group_dn(f"{tag}{one}") for one in "abcd"), app]


def naming(world, name):
    """DNs of all entries that name a guest as a member."""
    dn = guest_dn(name)
    text = "".join(f"({attr}={dn})" for attr in ("member", "uniqueMember", "roleOccupant",
                                                 "b2bAppAssignee"))
    return {found for found, _ in world.root.search_s(SUFFIX, ldap.SCOPE_SUBTREE, f"(|{text})",
                                                      ["1.1"])}


# --- never redeemed ---

def test_unredeemed(world):
    """Invited 31 days ago: deleted with its memberships, its sponsor is told, its name is free;
    invited 29 days ago: not."""
    old, young = pending(world, 31), pending(world, 29)
    names = memberships(world, old)
    world.wait_gone(old)
    assert naming(world, old) == set() and len(names) == 5
    assert world.told("deleted", old) == ["mia"]
    assert world.mails("deleted", old)[0][1]["reason"] == "unredeemed"
    assert world.is_on(young)
    assert world.get(young)["b2bNextDue"] == [next_hour(
        time.strftime("%Y%m%d%H%M%SZ", time.gmtime(
            seconds(world.get(young)["b2bInvitedAt"][0]) + 30 * DAY)))]
    world.guest(old, f"b2bValidUntil: {FUTURE}")


def test_accepted_in_time(world):
    """The same, redeemed before: it stays."""
    guest = pending(world, 31, "b2bAccountEnabled: TRUE")
    world.set(guest_dn(guest), replace("b2bUserState", "Accepted"))
    with world.quiet():
        pass
    assert world.is_on(guest)


def test_invited_again_in_time(world):
    """Invited again before the end: it has its time anew."""
    made = life.invite(world.root, "again@home.example")
    world.set(made["dn"], *(replace(name, ahead(-29 * DAY)) for name in (
        "b2bInvitedAt", "b2bInvitationSent", "b2bUserStateChanged")))
    life.invite(world.root, "again@home.example")
    entry = world.entry(made["dn"])
    assert seconds(entry["b2bInvitedAt"][0]) > time.time() - 60
    world.sweep()
    assert world.entry(made["dn"])["b2bUserState"] == ["PendingAcceptance"]


def test_without_key(make_server):
    """Set-up: no key file, so nobody is invited by mail; guests were added long ago, and by
    slapadd. Expected: nothing is deleted."""
    server = make_server(builders.tenant_server, start=False, sweep=3600)
    stamps = f"b2bUserState: PendingAcceptance\nb2bUserStateChanged: {LONG_AGO}\n"
    server.load(LDIF + guest_ldif("loaded", lines=stamps + f"b2bValidUntil: {FUTURE}"))
    server.start()
    world = Lives(server)
    world.guest("added", "b2bUserState: PendingAcceptance", f"b2bUserStateChanged: {LONG_AGO}",
                f"b2bValidUntil: {FUTURE}")
    world.sweep()
    world.sweep()
    assert world.on() == {"loaded", "added"} and "b2bInvitedAt" not in world.get("added")


def test_reset_without_key(make_server):
    """Set-up: a guest that was invited a year ago and accepted, in a group; the key file is no
    more. Steps: it is reset (its home subject goes). Expected: it has yet to redeem, and is not
    deleted for its old invitation."""
    world = lives_server(make_server)
    world.guest("old", f"b2bInvitedAt: {LONG_AGO}", f"b2bInvitationSent: {LONG_AGO}",
                f"b2bUserStateChanged: {LONG_AGO}", f"b2bReviewedAt: {ahead(-DAY)}",
                f"b2bValidUntil: {FUTURE}")
    group = world.group("friends", guest_dn("old"))
    world.root.modify_s(guest_dn("old"), [delete("b2bHomeSubject")])
    assert world.get("old")["b2bUserState"] == ["PendingAcceptance"]
    with world.quiet(group):
        pass
    assert world.is_on("old")


def test_reset(world):
    """The same with a key: invited anew, groups and assignments stay; unredeemed for 31 days more,
    it goes."""
    guest = world.new(f"b2bInvitedAt: {LONG_AGO}", f"b2bInvitationSent: {LONG_AGO}",
                      f"b2bUserStateChanged: {LONG_AGO}", f"b2bReviewedAt: {ahead(-DAY)}")
    names = memberships(world, guest)
    world.root.modify_s(guest_dn(guest), [delete("b2bHomeSubject")])
    world.wait(lambda: world.told("invitation", guest), "invited")
    world.sweep()
    assert naming(world, guest) == set(names) and world.is_on(guest)
    old = ahead(-31 * DAY)
    world.set(guest_dn(guest), *(replace(name, old) for name in (
        "b2bInvitedAt", "b2bInvitationSent", "b2bUserStateChanged")))
    world.wait_gone(guest)
    assert naming(world, guest) == set()


def test_restored_before_it_redeemed(world):
    """A guest that was off when its invitation lapsed is enabled again: it is not deleted at once.
    """
    guest = pending(world, 60, f"{ENABLED}: FALSE", f"{REASON}: expired", f"{AFTER}: {ahead(DAY)}")
    world.root.modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])
    world.sweep()
    world.sweep()
    assert world.is_on(guest)


def test_mail_waits_for_the_key(make_server):
    """Set-up: a guest was invited, and the server is started anew without its key file before the
    task came by. Expected: nothing says that the invitation was sent; with the key back it is,
    once."""
    server = make_server(builders.tenant_server, start=False, sweep=3600, data=LDIF,
                         b2b="b2b-key-file {dir}/key.pem\n")
    server.load(guest_ldif("early", lines=f"b2bValidUntil: {FUTURE}\nb2bInvitedAt: {ahead(-HOUR)}\n"
                           f"b2bUserStateChanged: {ahead(-HOUR)}\nb2bUserState: PendingAcceptance"))
    server.start()
    world = Lives(server)
    world.sweep()
    world.sweep()
    assert "b2bInvitationSent" not in world.get("early") and world.told("invitation") == []
    server.stop()
    life.make_key(server)
    server.start()
    world.root = server.root()
    world.wait(lambda: "b2bInvitationSent" in world.get("early"), "sent")
    assert world.told("invitation") == ["early"]


# --- inactive ---

@pytest.fixture
def inactivity(world):
    """Guests are disabled after 60 days without a sign-in."""
    world.settings("b2bInactivity: 60")
    yield
    world.settings("b2bInactivity:")
    world.sweep()


RECENT = f"b2bReviewedAt: {ahead(-DAY)}"


def test_inactive(world, inactivity):
    """The last sign-in is 61 days ago; it never signed in, and accepted 61 days ago: disabled as
    inactive.  59 days; accepted 59 days ago; enabled again yesterday; yet to redeem: not."""
    old, young = ahead(-61 * DAY), ahead(-59 * DAY)
    off = [world.new(f"b2bLastSignIn: {old}", f"b2bUserStateChanged: {ahead(-80 * DAY)}", RECENT),
           world.new(f"b2bUserStateChanged: {old}", RECENT)]
    on = [world.new(f"b2bLastSignIn: {young}", f"b2bUserStateChanged: {ahead(-80 * DAY)}", RECENT),
          world.new(f"b2bUserStateChanged: {young}", RECENT),
          world.new(f"b2bLastSignIn: {old}", f"b2bUserStateChanged: {ahead(-80 * DAY)}", RECENT,
                    f"b2bEnabledAt: {ahead(-DAY)}"),
          world.new("b2bUserState: PendingAcceptance", f"b2bLastSignIn: {old}")]
    for name in off:
        world.wait_off(name, "inactive")
    world.sweep()
    assert all(map(world.is_on, on))
    assert world.told("disabled", off[0]) == ["mia", off[0]]
    due = seconds(world.get(on[0])["b2bLastSignIn"][0]) + 60 * DAY
    assert seconds(world.get(on[0])["b2bNextDue"][0]) == -(-due // HOUR) * HOUR


def test_restored_inactive_guest(world, inactivity):
    """Enabled again it has its time anew, though it did not sign in."""
    guest = world.new(f"b2bLastSignIn: {ahead(-61 * DAY)}", RECENT,
                      f"b2bUserStateChanged: {ahead(-80 * DAY)}")
    world.wait_off(guest, "inactive")
    world.root.modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])
    world.sweep()
    entry = world.get(guest)
    assert world.is_on(guest) and not MARKS & set(entry)
    assert seconds(entry["b2bEnabledAt"][0]) > time.time() - 60


# --- disabled, restored, deleted ---

def test_whole_way(world):
    """Expired: disabled, sponsor and guest are told until when it may come back; nothing else
    changes. Past that: deleted with everything that names it, the sponsor is told, its name is free
    again."""
    guest = world.new(f"b2bValidUntil: {ahead(-HOUR)}")
    names = memberships(world, guest)
    entry = world.wait_off(guest, "expired")
    assert seconds(entry[AFTER][0]) == seconds(entry["b2bDisabledAt"][0]) + 30 * DAY
    assert world.told("disabled", guest) == ["mia", guest]
    for _, data in world.mails("disabled", guest):
        assert data["deleteAfter"] == entry[AFTER][0] and data["reason"] == "expired"
    with world.quiet(guest_dn(guest)):
        pass
    assert naming(world, guest) == set(names)
    world.past(guest, AFTER)
    world.wait_gone(guest)
    assert naming(world, guest) == set()
    assert world.entry(names[0])["member"] == [member_dn("mia")]
    assert world.entry(names[1])["member"] == [NOBODY]
    assert world.entry(names[2])["uniqueMember"] == [member_dn("mia")]
    assert "roleOccupant" not in world.entry(names[3])
    assert world.entry(names[4])["b2bAppAssignee"] == [member_dn("mia")]
    assert world.told("deleted", guest) == ["mia"]
    assert world.mails("deleted", guest)[0][1]["reason"] == "expired"
    world.guest(guest, f"b2bValidUntil: {FUTURE}")
    assert naming(world, guest) == set()


def test_restored_in_the_grace(world):
    """Enabled again within the grace: all that names it is as it was, and its marks are gone; the
    day on which it would have been deleted goes by."""
    guest = disabled(world, ahead(DAY))
    names = memberships(world, guest)
    world.root.modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])
    assert not MARKS & set(world.get(guest))
    with world.quiet(guest_dn(guest), *names):
        pass
    assert naming(world, guest) == set(names)


def test_grace_0(world):
    """b2bDeleteGrace 0: disabled, and deleted at the next sweep; both are told of."""
    world.settings("b2bDeleteGrace: 0")
    try:
        guest = world.new(f"b2bValidUntil: {ahead(-HOUR)}")
        world.wait_gone(guest)
        assert world.told("disabled", guest) == ["mia", guest]
        assert world.told("deleted", guest) == ["mia"]
    finally:
        world.settings("b2bDeleteGrace:")


def test_delete_after_is_moved(world):
    """b2bDeleteAfter is moved with relax: later, it waits; and nobody else moves it."""
    guest = disabled(world, ahead(DAY))
    with refused(world.root):
        world.root.modify_s(guest_dn(guest), [replace(AFTER, PAST)])
    with refused(world.root, error=(ldap.CONSTRAINT_VIOLATION, ldap.INSUFFICIENT_ACCESS)):
        world.bound("mia").modify_ext_s(guest_dn(guest), [replace(AFTER, PAST)], serverctrls=RELAX)
    world.past(guest, AFTER, FUTURE)
    assert world.get(guest)["b2bNextDue"] == [next_hour(FUTURE)]
    world.sweep()
    assert world.get(guest) is not None
    world.past(guest, AFTER)
    world.wait_gone(guest)


def test_loaded_disabled(world):
    """Disabled, and nothing says when it may be deleted (slapadd): it never is."""
    guest = disabled(world, None, f"b2bUserStateChanged: {LONG_AGO}")
    entry = world.get(guest)
    with world.quiet(guest_dn(guest)):
        pass
    assert "b2bNextDue" not in entry and AFTER not in entry


def test_disabled_guest_is_not_disabled_again(world):
    """An expired guest that is off stays off for the first reason, and nobody is told of another.
    """
    guest = disabled(world, FUTURE, f"b2bValidUntil: {PAST}", f"b2bReviewDue: {PAST}")
    with world.quiet(guest_dn(guest)):
        pass
    assert world.told("disabled", guest) == [] == world.told("lapsed", guest)


def test_partner_that_is_blocked(world):
    """A blocked partner's guests are not enabled again, by anybody: 53, with the reason."""
    guest = world.new(f"{ENABLED}: FALSE", tenant="other", subject="x")
    world.root.modify_s(partner_dn("other"), [replace("b2bCollabInUsersAccess", "blocked"),
                                              replace("b2bCollabInAppsAccess", "blocked")])
    try:
        for who in (world.root, world.bound("max"), world.bound("mia")):
            with refused(world.root, "b2b: inbound-users", error=ldap.UNWILLING_TO_PERFORM):
                who.modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])
    finally:
        world.root.modify_s(partner_dn("other"), [delete("b2bCollabInUsersAccess"),
                                                  delete("b2bCollabInAppsAccess")])
    world.bound("mia").modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])


# --- an administrator's word ---

def banned(world):
    guest = world.new()
    world.bound("max").modify_s(guest_dn(guest), [replace(ENABLED, "FALSE")])
    assert world.get(guest)[REASON] == ["administrator"]
    return guest


WAYS_ROUND = {
    "plainly": [[replace(ENABLED, "TRUE")]],
    "delete and add": [[delete(ENABLED, "FALSE"), add(ENABLED, "TRUE")]],
    "absent first": [[delete(ENABLED)], [add(ENABLED, "TRUE")]],
    "step aside": [[replace("b2bSponsor", member_dn("zoe"))], [replace(ENABLED, "TRUE")]],
    "step aside at once": [[replace("b2bSponsor", member_dn("zoe")), replace(ENABLED, "TRUE")]],
    "no sponsor": [[delete("b2bSponsor")], [replace(ENABLED, "TRUE")]],
    "no guest": [[replace("objectClass", "inetOrgPerson"), *(
        replace(name) for name in ("b2bHomeTenant", "b2bHomeSubject", "b2bSponsor", "b2bUserType",
                                   ENABLED, "b2bValidUntil"))],
                 [replace("objectClass", "inetOrgPerson", "b2bGuest"), replace(ENABLED, "TRUE"),
                  replace("b2bHomeTenant", "home")]],
    "anything": [[replace("objectClass", "inetOrgPerson", "extensibleObject"),
                  delete("b2bHomeTenant")],
                 [add("objectClass", "b2bGuest"), add("b2bHomeTenant", "home"),
                  replace(ENABLED, "TRUE")]],
    "approve": [[replace("b2bReviewDecision", "Approve"),
                 replace("b2bReviewJustification", "please")]],
    "extend": [[replace("b2bValidUntil", ahead(500 * DAY))]],
}


@pytest.mark.parametrize("way", WAYS_ROUND)
def test_sponsor_does_not_undo_it(world, way):
    """Hostile: whatever its sponsor writes into the entry, in one step or two, a guest that an
    administrator disabled stays off; a sweep does not enable it either."""
    guest = banned(world)
    mia = world.bound("mia")
    for changes in WAYS_ROUND[way]:
        with contextlib.suppress(ldap.LDAPError):
            mia.modify_s(guest_dn(guest), changes)
    world.sweep()
    entry = world.get(guest)
    assert entry.get(ENABLED) != ["TRUE"] and entry[REASON] == ["administrator"]


def test_who_manages_undoes_it(world):
    guest = banned(world)
    world.bound("max").modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])
    assert world.is_on(guest) and REASON not in world.get(guest)


def test_sponsor_undoes_the_tasks(world):
    """What the task disabled its sponsor enables, if slapd lets it write."""
    guest = disabled(world, FUTURE)
    world.bound("mia").modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])
    assert world.is_on(guest)


# --- at the same moment ---

def over(names, after=PAST):
    """Guests that were disabled, and may be deleted after a moment."""
    lines = "\n".join((f"b2bSponsor: {member_dn('mia')}", f"{REASON}: expired", f"{AFTER}: {after}",
                       f"b2bValidUntil: {FUTURE}", "b2bUserState: Accepted"))
    return "".join(guest_ldif(name, lines=lines) for name in names).replace(
        f"{ENABLED}: TRUE", f"{ENABLED}: FALSE")


def groups_ldif(groups, names):
    members = "".join(f"member: {dn}\n" for dn in [member_dn("mia"), *map(guest_dn, names)])
    return "".join(f"dn: {group_dn(one)}\nobjectClass: groupOfNames\ncn: {one}\n{members}\n"
                   for one in groups)


def test_deleted_by_another_hand(world):
    """A client deletes a guest: within a sweep nothing names it any more, so that who gets its name
    next is in no group; a member that is deleted is not the task's. A guest that has the name by
    then keeps what it is in."""
    guest, back = world.new(), world.new()
    names = memberships(world, guest)
    world.people("leaver")
    group = world.group("left-by-a-member", member_dn("leaver"))
    world.root.delete_s(guest_dn(guest))
    world.root.delete_s(member_dn("leaver"))
    world.wait(lambda: not naming(world, guest), "nothing names it")
    assert len(names) == 5 and world.entry(names[1])["member"] == [NOBODY]
    assert world.entry(group)["member"] == [member_dn("leaver")]
    kept = memberships(world, back)
    assert naming(world, back) == set(kept)


def test_renamed(world):
    """A guest gets another name: its old one is in no group when somebody else gets it."""
    guest = world.new()
    memberships(world, guest)
    world.root.modrdn_s(guest_dn(guest), f"uid={guest}-renamed")
    world.wait(lambda: not naming(world, guest), "nothing has the old name")


def test_deleted_while_halted(make_server):
    """The mass stop does not keep memberships of who is gone."""
    world = lives_server(make_server, tenant="b2bMassLimit: 1")
    world.guest("one", f"b2bValidUntil: {FUTURE}")
    group = world.group("g", guest_dn("one"), member_dn("mia"))
    world.server.load(expired(named("x", 2)))
    world.wait(lambda: "b2bMassHalted" in world.tenant(), "halted")
    world.root.delete_s(guest_dn("one"))
    world.wait(lambda: world.entry(group)["member"] == [member_dn("mia")], "left")

def test_restored_while_it_is_deleted(make_server):
    """Set-up: 150 guests whose grace is over, each in three groups. Steps: while the task deletes
    them, a client enables one after the other. Expected: who was enabled is there with all three;
    who was refused, or was not found, is gone from the database and from every group."""
    names = named("g", 150)
    server = make_server(builders.tenant_server, start=False, sweep=3600, access=ACCESS,
                         database="index member eq\n", tenant="b2bMassLimit: 100%")
    server.load(LDIF + over(names) + groups_ldif("abc", names))
    server.start()
    world = Lives(server)
    client, restored = world.server.root(), set()
    for name in [n for pair in zip(names, reversed(names)) for n in pair][:150]:
        try:
            client.modify_s(guest_dn(name), [replace(ENABLED, "TRUE")])
            restored.add(name)
        except (ldap.NO_SUCH_OBJECT, ldap.BUSY):
            pass
        except ldap.UNWILLING_TO_PERFORM as refusal:
            assert "is being deleted" in refusal.args[0]["info"]
    world.sweep()
    world.sweep()
    assert set(world.below(GUESTS)) == {guest_dn(name) for name in restored}
    assert 0 < len(restored) < 150 and world.on() == restored
    for group in map(group_dn, "abc"):
        assert set(world.entry(group)["member"]) == {member_dn("mia"), *map(guest_dn, restored)}


def test_deletion_that_was_begun_goes_on(world):
    """Set-up: the mark of a deletion that a crash stopped. Expected: nobody enables the guest any
    more; the next sweep ends it; its sponsor is told the first reason."""
    guest = disabled(world, FUTURE)
    names = memberships(world, guest)
    config_free = world.server.root()
    world.set(guest_dn(guest), replace(AFTER, "19700101000001Z"))
    with pytest.raises((ldap.UNWILLING_TO_PERFORM, ldap.NO_SUCH_OBJECT)):
        config_free.modify_s(guest_dn(guest), [replace(ENABLED, "TRUE")])
    world.wait_gone(guest)
    assert naming(world, guest) == set() and len(names) == 5
    assert world.mails("deleted", guest)[0][1]["reason"] == "expired"


def test_killed_while_it_deletes(make_server):
    """Set-up: 120 guests whose grace is over, in groups. Steps: slapd is killed (signal 9) again
    and again while it deletes them. Expected: at each start no guest that is left is enabled; in
    the end none is left, nothing names them, and the sponsor heard of each once."""
    server = make_server(builders.tenant_server, start=False, sweep=3600,
                         database="index member eq\n", tenant="b2bMassLimit: 100%")
    names = named("g", 120)
    server.load(LDIF + over(names) + groups_ldif("ab", names))
    for left in (100, 70, 40, 15):
        server.start()
        world = Lives(server)
        poll(lambda: len(world.below(GUESTS)) <= left, 20, f"{left} are left")
        assert world.on() == set()
        server.kill()
    server.start()
    world = Lives(server)
    world.wait(lambda: not world.below(GUESTS), "none is left")
    for one in "ab":
        assert world.entry(group_dn(one))["member"] == [member_dn("mia")]
    assert world.told("deleted") == ["mia"] * 120


def test_what_another_server_puts_back(make_server):
    """Set-up: a server with a peer, which is down.  Steps: the task deletes a guest; then, as from
    a peer that wrote the same group at that moment and knew nothing of it, the member is there
    again.  Expected: the next sweep takes it out."""
    world = lives_server(make_server, global_conf="serverID 1\n", modules=("syncprov",), database=(
        "index entryUUID,entryCSN eq\nsyncrepl rid=1 provider=ldap://127.0.0.1:1 "
        f"type=refreshAndPersist searchbase={SUFFIX} bindmethod=simple binddn={builders.ROOTDN} "
        'credentials=x retry="60 +"\nmultiprovider on\noverlay syncprov\n'))
    group = world.group("g", member_dn("mia"))
    world.guest("gone", f"{ENABLED}: FALSE", f"{AFTER}: {PAST}")
    world.wake()
    poll(lambda: world.get("gone") is None, 15, "deleted")
    world.root.modify_s(group, [add("member", guest_dn("gone"))])
    world.wait(lambda: world.entry(group)["member"] == [member_dn("mia")], "left")


def peers(stack, **options):
    """Two servers, each the other's provider."""
    servers = []
    for number in (1, 2):
        server = builders.tenant_server(
            start=False, load=False, sweep=1, modules=("syncprov",), name=f"peer{number}",
            global_conf=f"serverID {number}",
            database="index entryUUID,entryCSN,member eq\n{peer}\noverlay syncprov\n", **options)
        servers.append(server)
        stack.callback(server.remove)
    for server, other in zip(servers, reversed(servers)):
        server.conf_file.write_text(server.conf_file.read_text().replace(
            "{peer}", f"syncrepl rid=1 provider={other.uri} type=refreshAndPersist "
            f"searchbase={SUFFIX} bindmethod=simple binddn={builders.ROOTDN} "
            f"credentials={builders.ROOTPW} retry=\"1 +\"\nmultiprovider on"))
    return servers


def test_two_providers_delete_at_once():
    """Set-up: two providers of each other with the same 60 guests whose grace is over, in groups,
    and 10 others. Steps: both start, so that both tasks delete at once. Expected: both end with the
    same entries: without the 60, and without their memberships; the sponsor is told of each once.
    """
    names, kept = named("g", 60), named("ok", 10)
    with contextlib.ExitStack() as stack:
        first, second = peers(stack)
        first.load(builders.tree_ldif(SUFFIX, ("people", "guests"))
                   + builders.people_ldif(("mia", "max"), builders.PEOPLE)
                   + builders.policy_ldif(tenant="b2bMassLimit: 100%") + LDIF
                   + over(names) + groups_ldif(["all"], names + kept)
                   + "".join(guest_ldif(name, lines=f"b2bValidUntil: {FUTURE}") for name in kept)
                   + app_ldif("wiki", "\n".join(f"b2bAppAssignee: {guest_dn(name)}"
                                                for name in names)), "-w", "-S1")
        second.load(first.tool("slapcat", "-b", SUFFIX).stdout, "-w", "-S1")
        first.start()
        second.start()
        both = [Lives(server) for server in (first, second)]
        want, members = {guest_dn(name) for name in kept}, {member_dn("mia"), *map(guest_dn, kept)}
        for world in both:
            poll(lambda: set(world.below(GUESTS)) == want, 30, "only the others are left")
        poll(lambda: [set(world.entry(group_dn("all"))["member"]) for world in both]
             == [members, members], 20, "the group is the same everywhere")
        for world in both:
            assert world.on() == set(kept)
            poll(lambda: "b2bAppAssignee" not in world.entry(f"cn=wiki,cn=applications,{BASE}"), 20,
                 "nobody is assigned")
            poll(lambda: world.told("deleted") == ["mia"] * 60, 20, "told once")
        first.stop()
        second.stop()


def test_restored_at_the_other_provider():
    """Set-up: as above; a guest's grace is over in an hour. Steps: it is restored at one provider,
    and then its old day is over by the other's clock of that moment. Expected: it is on at both, in
    its group."""
    with contextlib.ExitStack() as stack:
        first, second = peers(stack)
        first.load(builders.tree_ldif(SUFFIX, ("people", "guests"))
                   + builders.people_ldif(("mia",), builders.PEOPLE) + builders.policy_ldif() + LDIF
                   + over(["back"], ahead(3)) + groups_ldif(["all"], ["back"]), "-w", "-S1")
        second.load(first.tool("slapcat", "-b", SUFFIX).stdout, "-w", "-S1")
        first.start()
        second.start()
        both = [Lives(server) for server in (first, second)]
        both[1].root.modify_s(guest_dn("back"), [replace(ENABLED, "TRUE")])
        poll(lambda: both[0].is_on("back"), 20, "on at the other")
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for world in both:
                assert world.is_on("back")
                assert guest_dn("back") in world.entry(group_dn("all"))["member"]
            time.sleep(0.2)
        first.stop()
        second.stop()


def test_two_clients_at_once(world):
    """Steps: again and again one manager disables a guest at the moment at which another says that
    it is enabled.  Expected: whoever was last, state and marks agree."""
    guest = world.new()
    dn, managers = guest_dn(guest), [world.server.root(), world.server.root()]
    for number in range(300):
        managers[0].modify_s(dn, [replace(ENABLED, "TRUE")])
        calls = [(one, one.modify_ext(dn, [replace(ENABLED, value)])) for one, value in
                 zip(managers[::1 - number % 2 * 2], ("FALSE", "TRUE"))]
        for one, call in calls:
            one.result(call)
        entry = world.get(guest)
        assert (entry[ENABLED] == ["FALSE"]) == (REASON in entry) == (AFTER in entry), number
