"""Sponsors who are gone or locked: the others are told; where none is left a review starts at once,
and silence revokes. Who only seems to be gone keeps its guests."""

import time

import ldap
import pytest

from lib import builders
from lib.builders import BASE, PEOPLE, ROOTDN, guest_dn, guest_ldif, member_dn
from lib.lives import FUTURE, LDIF, PAST, Lives, group_dn, lives_server, named
from lib.records import DAY, HOUR, add, ahead, delete, replace, seconds

SPONSOR = "b2bSponsor"
# 389 Directory Server's mark; that of draft-behera-ldap-password-policy comes with ppolicy.
LOCKS = ("attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' "
         "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n"
         "objectclass ( 1.3.6.1.4.1.55555.1 NAME 'locked' SUP top AUXILIARY MAY nsAccountLock )\n")
POLICY = f"cn=lockout,{builders.SUFFIX}"
POLICY_LDIF = (f"dn: {POLICY}\nobjectClass: applicationProcess\nobjectClass: pwdPolicy\n"
               "cn: lockout\npwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 2\n\n")
FOREVER = "000001010000Z"
_count = iter(range(1000))


@pytest.fixture(scope="module")
def world(make_server):
    """bea stands in where nobody is left."""
    lives = lives_server(make_server, modules=("ppolicy",), global_conf="",
                         frontend=LOCKS, data=POLICY_LDIF,
                         database=f"overlay ppolicy\nppolicy_default {POLICY}\n")
    lives.settings(f"b2bFallbackReviewer: {member_dn('bea')}")
    return lives


@pytest.fixture
def people(world):
    """Makes members that no other test has; gives their names."""
    def make(count):
        names = [f"s{next(_count)}" for _ in range(count)]
        world.people(*names)
        return names
    return make


def of(*names):
    return tuple(f"{SPONSOR}: {member_dn(name)}" for name in names)


def sponsors(world, guest):
    return set(world.get(guest).get(SPONSOR, ()))


def wait_sponsors(world, guest, *names):
    world.wait(lambda: sponsors(world, guest) == set(map(member_dn, names)), f"sponsors {names}")


def lock(world, name, how):
    dn = member_dn(name)
    if how == "deleted":
        world.root.delete_s(dn)
    elif how == "pwdAccountLockedTime":
        world.root.modify_s(dn, [replace("pwdAccountLockedTime", FOREVER)])
    else:
        world.root.modify_s(dn, [add("objectClass", "locked"), add("nsAccountLock", "true")])


@pytest.mark.parametrize("how", ["deleted", "pwdAccountLockedTime", "nsAccountLock"])
def test_others_are_told(world, people, how):
    """Set-up: a guest of three sponsors. Steps: one goes. Expected: the two others answer for it,
    each was told once, nobody else was, and the guest itself is as it was."""
    gone, one, two = people(3)
    guest = world.new(*of(gone, one, two))
    lock(world, gone, how)
    wait_sponsors(world, guest, one, two)
    world.sweep()
    assert world.told("sponsor-gone", guest) == [one, two]
    assert {data["sponsor"] for _, data in world.mails("sponsor-gone", guest)} == {member_dn(gone)}
    entry = world.get(guest)
    assert world.is_on(guest) and "b2bReviewDue" not in entry and "b2bReviewAsked" not in entry


def test_guest_as_sponsor(world, people):
    """A sponsor that is a guest itself and is disabled is gone, too."""
    one, = people(1)
    inner = world.new()
    guest = world.new(*of(one), f"{SPONSOR}: {guest_dn(inner)}")
    world.root.modify_s(guest_dn(inner), [replace("b2bAccountEnabled", "FALSE")])
    wait_sponsors(world, guest, one)


def test_last_one(world, people):
    """Set-up: a guest that was approved a while ago, with one sponsor, who goes. Expected: at once
    a review is open for the tenant's 14 days, without the former decision; who stands in is asked,
    once. Silence revokes."""
    gone, = people(1)
    guest = world.new(*of(gone), "b2bReviewDecision: Approve", "b2bReviewJustification: fine",
                      f"b2bReviewedAt: {ahead(-DAY)}", f"b2bReviewDue: {ahead(200 * DAY)}")
    world.root.delete_s(member_dn(gone))
    entry = world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    assert SPONSOR not in entry and "b2bReviewDecision" not in entry
    assert "b2bReviewJustification" not in entry
    assert abs(seconds(entry["b2bReviewDue"][0]) - time.time() - 14 * DAY) < 60
    world.sweep()
    assert world.told("review", guest) == ["bea"] and world.told("sponsor-gone", guest) == []
    assert world.is_on(guest)
    world.past(guest, "b2bReviewDue")
    world.wait_off(guest, "review-lapsed")
    assert world.told("lapsed", guest) == [guest]


def test_last_one_and_the_fallback_approves(world, people):
    """Who stands in answers; the guest goes on, and is given another sponsor."""
    gone, = people(1)
    guest = world.new(*of(gone))
    world.root.delete_s(member_dn(gone))
    world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    world.bound("bea").modify_s(guest_dn(guest), [replace("b2bReviewDecision", "Approve"),
                                                  replace("b2bReviewJustification", "still here"),
                                                  add(SPONSOR, member_dn("bea"))])
    entry = world.get(guest)
    assert entry["b2bReviewedBy"] == [member_dn("bea")]
    assert seconds(entry["b2bReviewDue"][0]) > time.time() + 100 * DAY


def test_both_at_once(world, people):
    """Both sponsors go between two sweeps: neither is told of the other, the review starts."""
    one, two = people(2)
    guest = world.new(*of(one, two))
    for call in [world.root.delete(member_dn(name)) for name in (one, two)]:
        world.root.result(call)
    world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    assert sponsors(world, guest) == set() and world.told("review", guest) == ["bea"]


def test_nobody_is_left(make_server):
    """Set-up: nobody stands in. Steps: the last sponsor goes. Expected: the log says that nobody is
    left; the review runs all the same, and silence revokes."""
    world = lives_server(make_server)
    world.people("gone")
    guest = world.new(*of("gone"))
    world.root.delete_s(member_dn("gone"))
    world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    world.server.wait_log(f'b2b: task guest="{guest_dn(guest)}": nobody is left to review it')
    world.past(guest, "b2bReviewDue")
    world.wait_off(guest, "review-lapsed")


def test_pending_and_disabled_guests(world, people):
    """A guest that has yet to redeem, or is off, loses its sponsor, and no review starts."""
    gone, = people(1)
    pending = world.new(*of(gone), "b2bUserState: PendingAcceptance")
    off = world.new(*of(gone), "b2bAccountEnabled: FALSE")
    world.root.delete_s(member_dn(gone))
    for guest in (pending, off):
        wait_sponsors(world, guest)
    world.sweep()
    for guest in (pending, off):
        assert "b2bReviewDue" not in world.get(guest) and world.told("review", guest) == []


def test_project(world, people):
    """A project's sponsors are told of each other; with the last one gone the project goes on."""
    gone, one, = people(2)
    name = f"project-{gone}"
    dn = world.project(name, member_dn("mia"), until=FUTURE, lines=of(gone, one))
    world.root.delete_s(member_dn(gone))
    world.wait(lambda: world.entry(dn).get(SPONSOR) == [member_dn(one)], "one is left")
    assert [(to, data["guestName"]) for to, data in world.mails("sponsor-gone")
            if data["sponsor"] == member_dn(gone)] == [(one, name)]
    world.root.delete_s(member_dn(one))
    world.wait(lambda: SPONSOR not in world.entry(dn), "none is left")
    assert "b2bReviewDue" not in world.entry(dn)


def test_wrong_passwords_take_nobody_away(world, people):
    """Hostile: a stranger gives wrong passwords under a sponsor's name until slapo-ppolicy locks
    the account. Expected: it stays the sponsor of its guests, with nobody told, and is asked about
    them."""
    victim, = people(1)
    guest = world.new(*of(victim))
    for _ in range(3):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            world.server.conn(member_dn(victim), "guess")
    assert "pwdAccountLockedTime" in world.entry(member_dn(victim))
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        world.bound(victim)
    world.sweep()
    assert sponsors(world, guest) == {member_dn(victim)} and "b2bReviewDue" not in world.get(guest)
    world.root.modify_s(guest_dn(guest), [replace("b2bReviewDue", ahead(DAY))])
    world.wait_entry(guest, lambda e: "b2bReviewAsked" in e, "asked about")
    assert world.told("review", guest) == [victim]


def test_who_is_not_missed(world, people):
    """The rootdn, names outside of the database, and a member that was changed in another way, are
    never gone; not after a restart either."""
    here, = people(1)
    outside = "uid=mia,dc=elsewhere"
    kept = {ROOTDN, outside, member_dn(here)}
    guest = world.new(*(f"{SPONSOR}: {dn}" for dn in kept))
    world.root.modify_s(member_dn(here), [replace("description", "new"),
                                          add("objectClass", "locked"),
                                          add("nsAccountLock", "FALSE")])
    world.sweep()
    assert sponsors(world, guest) == kept
    world.server.restart()
    world.root = world.server.root()
    world.sweep()
    assert sponsors(world, guest) == kept


@pytest.fixture(scope="module")
def slow(make_server):
    return lives_server(make_server, sweep=3600, modules=("ppolicy",), frontend=LOCKS,
                        database="overlay ppolicy\n",
                        tenant=f"b2bFallbackReviewer: {member_dn('bea')}")


def test_back_before_the_sweep(slow):
    """Locked and unlocked, deleted and made again, between two sweeps: nothing happens."""
    slow.people("sam", "tim")
    guest = slow.new(*of("sam", "tim"))
    slow.sweep()
    lock(slow, "sam", "pwdAccountLockedTime")
    slow.root.delete_s(member_dn("tim"))
    slow.root.modify_s(member_dn("sam"), [delete("pwdAccountLockedTime")])
    slow.people("tim")
    before = slow.get(guest)
    slow.sweep()
    slow.sweep()
    assert slow.get(guest) == before and slow.told("sponsor-gone", guest) == []


def test_gone_while_slapd_was_down(slow):
    """Deleted before a sweep, and slapd is killed: the next start finds out."""
    slow.people("kim", "liv")
    guest = slow.new(*of("kim", "liv"))
    slow.root.delete_s(member_dn("kim"))
    slow.server.kill()
    slow.server.start()
    slow.root = slow.server.root()
    slow.sweep()
    wait_sponsors(slow, guest, "liv")
    assert slow.told("sponsor-gone", guest) == ["liv"]


def test_many_are_deleted(make_server):
    """Set-up: 1000 members, one of them a sponsor, no index on b2bSponsor. Steps: all are deleted,
    then the task runs. Expected: it does not search the database once for each of them."""
    server = make_server(builders.tenant_server, start=False, sweep=3600, debug="trace")
    names = named("m", 1000)
    server.load(LDIF + builders.people_ldif(names, PEOPLE)
                + guest_ldif("guest", lines="\n".join((f"b2bValidUntil: {FUTURE}",
                                                       *of("m500", "mia")))), "-q")
    server.start()
    world = Lives(server)
    world.sweep()
    world.wait(lambda: "b2bNextDue" in world.get("guest"), "the first sweep")
    for call in [world.root.delete(member_dn(name)) for name in names]:
        world.root.result(call)
    mark = server.log_mark()
    world.sweep()
    wait_sponsors(world, "guest", "mia")
    world.sweep()
    log = server.log(mark)
    inner = log.count("=> mdb_search") - log.count(" do_search")
    assert 10 <= inner < 60, inner


def test_others_need_not_wait(make_server):
    """Set-up: 1500 guests of two sponsors. Steps: one goes, and while the task is at it cn=config
    is changed; and slapd is stopped and started. Expected: neither waits for the task; in the end
    every guest has the other sponsor alone, who was told of each once."""
    server = make_server(builders.tenant_server, start=False, sweep=3600)
    names = named("g", 1500)
    lines = "\n".join((f"b2bValidUntil: {FUTURE}", *of("zoe", "mia")))
    server.load(LDIF + "".join(guest_ldif(name, lines=lines) for name in names), "-q")
    server.start()
    world = Lives(server)
    world.wait(lambda: all("b2bNextDue" in e for e in world.below(builders.GUESTS).values()), "due")
    world.root.delete_s(member_dn("zoe"))
    world.wake()
    server.wait_log('sponsor ".*" is gone')
    begun = time.monotonic()
    server.config().modify_s("cn=config", [replace("olcIdleTimeout", "3600")])
    assert time.monotonic() - begun < 1
    left = len(world.below(builders.GUESTS, f"(b2bSponsor={member_dn('zoe')})"))
    assert left > 0
    server.restart()
    world.root = server.root()
    world.wait(lambda: not world.below(builders.GUESTS, f"(b2bSponsor={member_dn('zoe')})"),
               "all are released", 60)
    assert len(world.below(builders.GUESTS, f"(b2bSponsor={member_dn('mia')})")) == 1500
    assert len(world.notices("sponsor-gone")) == 1500
