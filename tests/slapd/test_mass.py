"""The mass stop (b2bMassLimit): where one sweep would disable or delete more guests than it may,
nothing at all is done until an administrator confirms, and nobody misses it.

The server sweeps when a test says so."""

import time

import ldap
import pytest

from lib import builders
from lib.builders import BASE, guest_dn, guest_ldif, member_dn, partner_ldif
from lib.lives import (FUTURE, LDIF, PAST, Lives, expired, group_dn, lives_server, named)
from lib.records import DAY, ahead, replace
from lib.slapd import poll

LOUD = r"b2b: task HALTED: (\d+) guests were to be disabled or deleted at once, (\d+) may be"
WAIT = 0.3  # a sweep that does nothing is over by then


def fine(count, prefix="ok", lines=""):
    return "".join(guest_ldif(name, lines=f"b2bValidUntil: {FUTURE}\n{lines}")
                   for name in named(prefix, count))


def empty(world):
    for base in (builders.GUESTS, f"cn=outbox,{BASE}", f"ou=groups,{builders.SUFFIX}"):
        for dn in world.below(base):
            world.root.delete_s(dn)
    world.settings("b2bMassLimit:\nb2bMassConfirm:\nb2bFallbackReviewer:")
    world.sweep()
    poll(lambda: "b2bMassHalted" not in world.tenant(), 5, "no halt")


@pytest.fixture(scope="module")
def server(make_server, home):
    """The first sweep, which looks at everything, is over."""
    world = lives_server(make_server, sweep=3600, data=partner_ldif("home", home.uri))
    world.server.load(expired(["first"]))
    goes_on(world, ["first"])
    empty(world)
    return world


@pytest.fixture
def world(server):
    """No guests, no limit, no halt; mia and bea stand in where nobody else does."""
    server.settings(f"b2bFallbackReviewer: {member_dn('mia')}\n"
                    f"b2bFallbackReviewer: {member_dn('bea')}")
    server.mark = server.server.log_mark()
    yield server
    empty(server)


def halts(world, number, may=None):
    """The next sweep halts at this number of guests."""
    before = world.below(builders.GUESTS)
    world.wake()
    poll(lambda: world.tenant().get("b2bMassHalted") == [str(number)], 15, f"halted at {number}")
    time.sleep(WAIT)
    assert world.below(builders.GUESTS) == before
    if may is not None:
        lines = [line for line in world.server.log(world.mark).split("\n") if "HALTED" in line]
        assert f"HALTED: {number} guests" in lines[-1] and f" {may} may be" in lines[-1]


def goes_on(world, names):
    """The next sweep disables them."""
    world.sweep()
    poll(lambda: not world.on() & set(names), 15, "all are off")
    poll(lambda: not {"b2bMassHalted", "b2bMassConfirm"} & set(world.tenant()), 5, "no halt")


def test_number(world):
    """Set-up: at most 3. Steps: 3 guests expire; 4 do; sweeps go by. Expected: the 3 are disabled,
    of the 4 none; the log and each fallback reviewer hear it once."""
    world.settings("b2bMassLimit: 3")
    world.server.load(fine(2) + expired(named("g", 3)))
    goes_on(world, named("g", 3))
    assert world.mails("halted") == []
    world.server.load(expired(named("h", 4)))
    for _ in range(3):
        halts(world, 4, 3)
    assert world.on() == {"ok0", "ok1", *named("h", 4)}
    assert [(to, data["count"]) for to, data in world.mails("halted")] == [("bea", "4"),
                                                                          ("mia", "4")]
    log = world.server.log(world.mark)
    assert log.count("HALTED") == 1 and f'b2bMassConfirm: 4 stands in "{BASE}"' in log


def test_percentage(world):
    """At most 50 % of all guests, disabled ones among them: of 10 guests 5 go, 6 do not."""
    world.settings("b2bMassLimit: 50%")
    world.server.load(fine(4) + expired(named("g", 6)))
    halts(world, 6, 5)
    world.root.delete_s(guest_dn("g5"))
    world.server.load(fine(1, "late"))
    goes_on(world, named("g", 5))


def test_default(world):
    """Without b2bMassLimit 25 guests may go however few there are, of 26 none; of 150, 30 (20 %).
    """
    world.server.load(expired(named("g", 25)))
    goes_on(world, named("g", 25))
    world.server.load(expired(named("h", 26)))
    halts(world, 26, 25)
    world.server.load(fine(99))
    goes_on(world, named("h", 26))


def test_default_is_500_at_most(make_server):
    """Set-up: 2600 guests, 501 of them expired, by slapadd. Expected: halted, though a fifth would
    be 520."""
    server = make_server(builders.tenant_server, start=False, sweep=3600, load=True)
    server.load(LDIF + fine(2099) + expired(named("g", 501)), "-q")
    server.start()
    world = Lives(server)
    world.mark = 0
    halts(world, 501, 500)


def test_confirmed(world):
    """Set-up: halted at 5. Steps: an administrator confirms 4, then 5; then 5 more expire.
    Expected: 4 is too few and stays; 5 is enough and is used up, so that the next 5 halt the task
    again."""
    world.settings("b2bMassLimit: 1")
    world.server.load(fine(1) + expired(named("g", 5)))
    halts(world, 5, 1)
    world.settings("b2bMassConfirm: 4")
    halts(world, 5)
    assert world.tenant()["b2bMassConfirm"] == ["4"]
    world.settings("b2bMassConfirm: 5")
    goes_on(world, named("g", 5))
    assert world.on() == {"ok0"}
    world.server.load(expired(named("h", 5)))
    halts(world, 5, 1)
    assert world.server.log(world.mark).count("HALTED") == 2


def in_batches(make_server, size, stuck):
    """A server that was killed in the middle: so many guests are due, the first of which slapd's
    schema check lets nobody write; what else it looks at when it starts stands behind them."""
    server = make_server(builders.tenant_server, start=False, sweep=3600,
                         b2b=f"b2b-sweep-batch {size}", tenant="b2bMassLimit: 1")
    due = f"b2bNextDue: {PAST[:10]}0000Z"
    server.load(expired(named("stuck", stuck), due).replace("sn: Stuck", "description: x"), "-s")
    server.load(expired(named("g", 12), due) + LDIF)
    server.start()
    world = Lives(server)
    poll(lambda: world.tenant().get("b2bMassHalted") == [str(12 + stuck)], 15, "halted")
    world.settings(f"b2bMassConfirm: {12 + stuck}")
    return world


def test_confirmed_in_batches(make_server):
    """Set-up: 12 guests are due, batches of 5. Expected: confirmed once, all of them go in one
    sweep."""
    world = in_batches(make_server, 5, 0)
    world.wake()
    poll(lambda: not world.on(), 15, "all are off")


def test_confirmed_behind_stuck_ones(make_server):
    """Set-up: batches of 2, of which the first cannot be written. Expected: the sweep after that
    goes on behind them, by the same confirmation."""
    world = in_batches(make_server, 2, 3)
    world.wait(lambda: world.on() == set(named("stuck", 3)), "all others are off")
    poll(lambda: "b2bMassConfirm" not in world.tenant(), 15, "used up")


def test_settings_reach_those_before_stuck_ones(make_server):
    """Set-up: a batch of which nothing could be written: the next run would go on behind it.
    Steps: the tenant's settings make a guest before them inactive.  Expected: it is looked at."""
    server = make_server(builders.tenant_server, start=False, sweep=3600,
                         b2b="b2b-sweep-batch 2", data=LDIF)
    old = (f"b2bUserState: Accepted\nb2bValidUntil: {FUTURE}\n"
           f"b2bUserStateChanged: {ahead(-60 * DAY)}")
    server.load(guest_ldif("low", lines=old))
    server.load(expired(named("stuck", 3), f"b2bNextDue: {PAST[:10]}0000Z").replace(
        "sn: Stuck", "description: x"), "-s")
    server.start()
    world = Lives(server)
    for name in named("stuck", 2):
        server.wait_log(f'guest="{guest_dn(name)}": not written')
    assert "b2bNextDue" in world.get("low")
    world.settings("b2bInactivity: 50")
    world.wait_off("low", "inactive")


def test_over_by_itself(world):
    """Set-up: halted at 3.  Steps: two of them are extended.  Expected: the third goes, and nothing
    shows a halt any more; nobody had to confirm."""
    world.settings("b2bMassLimit: 2")
    world.server.load(expired(named("g", 3)))
    halts(world, 3, 2)
    for name in ("g0", "g1"):
        world.root.modify_s(guest_dn(name), [replace("b2bValidUntil", FUTURE)])
    goes_on(world, ["g2"])
    assert world.on() == {"g0", "g1"}


def test_all_that_goes_counts(world):
    """At most 4. An expired guest, one whose invitation lapsed, one to be deleted, one whose review
    lapsed and a project's guest are 5: not even the first of them is touched."""
    world.settings("b2bMassLimit: 4")
    world.guest("lapsed", f"b2bReviewDue: {PAST}", f"b2bValidUntil: {FUTURE}")
    old = ahead(-31 * DAY)
    world.guest("unredeemed", "b2bUserState: PendingAcceptance", f"b2bInvitedAt: {old}",
                f"b2bInvitationSent: {old}", f"b2bUserStateChanged: {old}",
                f"b2bValidUntil: {FUTURE}")
    world.guest("gone", "b2bAccountEnabled: FALSE", f"b2bDeleteAfter: {PAST}",
                "b2bDisabledReason: expired")
    world.guest("builder", f"b2bValidUntil: {FUTURE}")
    world.server.load(expired(["over"]))
    project = world.project("works", guest_dn("builder"), until=PAST)
    halts(world, 5, 4)
    assert world.entry(project)["member"] == [guest_dn("builder")]
    world.settings("b2bMassConfirm: 5")
    goes_on(world, ["lapsed", "builder", "over"])
    assert world.get("unredeemed") is None
    assert world.get("gone") is None


def test_two_projects_and_a_review_count_together(world):
    """At most 4: two projects of two guests and a review that ends with one denial are 5, each of
    them alone would do. Expected: no membership and no guest is touched, in this sweep or the next.
    """
    world.settings("b2bMassLimit: 4")
    for name in ("a0", "a1", "b0", "b1", "c0"):
        world.guest(name, f"b2bValidUntil: {FUTURE}", f"b2bSponsor: {member_dn('mia')}")
    world.define("judge", "b2bReviewScopeFilter: (uid=c0)")
    world.sweep()
    world.wait_state("judge", 1, 0)
    projects = [world.project(p, guest_dn(f"{p}0"), guest_dn(f"{p}1"), until=PAST) for p in "ab"]
    world.end_stage("judge")
    try:
        for _ in range(2):
            halts(world, 5, 4)
            assert [len(world.entry(dn)["member"]) for dn in projects] == [2, 2]
            assert world.state("judge") == (1, 0)
        world.settings("b2bMassConfirm: 5")
        goes_on(world, ["a0", "a1", "b0", "b1", "c0"])
    finally:
        world.root.delete_s(f"cn=judge,cn=reviews,{BASE}")


def test_nobody_counts_twice(world):
    """At most 2.  Of two guests of two projects that end at once one is expired, too: they are 2,
    and nothing halts."""
    world.settings("b2bMassLimit: 2")
    world.guest("one", f"b2bValidUntil: {FUTURE}")
    world.server.load(expired(["two"]))
    for name in "ab":
        world.project(name, guest_dn("one"), guest_dn("two"), member_dn("mia"), until=PAST)
    goes_on(world, ["one", "two"])
    assert "HALTED" not in world.server.log(world.mark)


def test_who_keeps_something_does_not_count(world):
    """At most 1. A project of four guests ends: one has another project, one an application, one is
    off already, so one goes, and nothing halts."""
    world.settings("b2bMassLimit: 1")
    for name in ("stays", "app", "goes"):
        world.guest(name, f"b2bValidUntil: {FUTURE}")
    world.guest("off", "b2bAccountEnabled: FALSE")
    members = [guest_dn(name) for name in ("stays", "app", "goes", "off")]
    world.project("next", guest_dn("stays"), until=FUTURE)
    project = world.project("ended", *members, member_dn("mia"), until=PAST)
    app = world.app("wiki", guest_dn("app"))
    try:
        goes_on(world, ["goes"])
        world.wait(lambda: world.entry(project)["member"] == [member_dn("mia")], "left")
        assert world.on() == {"stays", "app"}
    finally:
        world.root.delete_s(app)


def test_restart_while_halted(make_server):
    """Set-up: halted. Steps: slapd is stopped, killed, started. Expected: still nothing is done, no
    second notice; confirmed, it goes on."""
    world = lives_server(make_server, sweep=3600, tenant=f"b2bMassLimit: 1\n"
                                                       f"b2bFallbackReviewer: {member_dn('mia')}")
    world.mark = 0
    world.server.load(expired(named("g", 3)))
    halts(world, 3, 1)
    for end in (world.server.stop, world.server.kill):
        end()
        world.server.start()
        world.root = world.server.root()
        halts(world, 3)
        assert len(world.mails("halted")) == 1
    world.settings("b2bMassConfirm: 3")
    goes_on(world, named("g", 3))


def test_who_comes_late_waits(world):
    """Set-up: 100 guests expired, at most 150; batches of 10. Steps: while the task disables them,
    100 others expire. Expected: whatever the order, that sweep disables no more than the 100 that
    it had counted before; the others are left to the next one, which goes on."""
    config = world.server.config()
    dn = next(dn for dn, _ in config.search_s("cn=config", ldap.SCOPE_SUBTREE,
                                              "(objectClass=olcB2bConfig)", ["1.1"]))
    config.modify_s(dn, [replace("olcB2bSweepBatch", "10")])
    world.settings("b2bMassLimit: 150")
    sponsors = "\n".join(f"b2bSponsor: {member_dn(name)}" for name in ("mia", "max", "zoe"))
    late = named("late", 100)
    world.server.load("".join(guest_ldif(name, lines=f"b2bValidUntil: {PAST}\n{sponsors}")
                              for name in named("g", 100)) + fine(100, "late"))
    world.wake()
    world.server.wait_log("b2b: task guest=.* disabled", since=world.mark)
    calls = [world.root.modify_ext(guest_dn(name), [replace("b2bValidUntil", PAST)])
             for name in late]
    for call in calls:
        world.root.result(call)
    poll(lambda: len(world.on()) <= 100, 15, "a hundred are off")
    time.sleep(WAIT)
    assert len(world.on()) == 100 and world.on() & set(late)
    goes_on(world, late)
    config.modify_s(dn, [replace("olcB2bSweepBatch", "1000")])


def test_number_stays_from_sweep_to_sweep(world):
    """The halt itself, written into the tenant's entry, does not change what is counted: guests
    whose hour has not come (b2bNextDue is rounded up) do not raise the number that must be
    confirmed."""
    world.settings("b2bMassLimit: 1")
    world.server.load(expired(named("g", 2)))
    world.guest("soon", f"b2bValidUntil: {ahead(2)}")
    halts(world, 2, 1)
    world.wait(lambda: world.get("soon")["b2bValidUntil"][0] < ahead(0), "its time is over")
    halts(world, 2)
    assert world.server.log(world.mark).count("HALTED") == 1


def test_guests_are_denied_while_halted(world, home):
    """An expired guest may not sign in, halted or not; one that is fine may."""
    world.settings("b2bMassLimit: 1")
    for name, until in (("alice", PAST), ("bob", PAST), ("carol", FUTURE)):
        world.guest(name, f"b2bValidUntil: {until}")
    halts(world, 2, 1)
    for name in ("alice", "bob"):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            world.server.conn(guest_dn(name), f"{name}-pw", uri=world.server.uri)
        world.server.wait_log(f'guest="{guest_dn(name)}".* reason=expired', since=world.mark)
    assert world.is_on("alice")
    world.server.conn(guest_dn("carol"), "carol-pw", uri=world.server.uri)


def test_nothing_else_is_done_either(world):
    """Halted: no review is started, no invitation sent, no sponsor taken away."""
    world.settings("b2bMassLimit: 1")
    world.people("sue")
    world.guest("due", f"b2bReviewDue: {ahead(86400)}", f"b2bValidUntil: {FUTURE}",
                f"b2bSponsor: {member_dn('sue')}")
    world.server.load(expired(named("g", 2)))
    world.root.delete_s(member_dn("sue"))
    halts(world, 2, 1)
    assert world.below(f"cn=outbox,{BASE}").keys() and world.mails("review") == []
    world.settings("b2bMassConfirm: 2")
    goes_on(world, named("g", 2))
    world.wait(lambda: world.told("review") == ["bea", "mia"], "the review is asked")


def test_tenants_halt_for_themselves(make_server):
    """Set-up: two databases with overlay b2b, at most 1 in each; two guests expire in one, one in
    the other. Expected: one halts, the other goes on."""
    other = "dc=theirs,dc=example"
    databases = builders.database_conf(suffix=other, directory="{dir}", lines=(
        "index b2bNextDue eq\noverlay b2b\nb2b-sweep-interval 1\n"))
    server = make_server(builders.tenant_server, start=False, sweep=1, databases=databases,
                         tenant="b2bMassLimit: 1", data=LDIF + expired(named("g", 2)))
    ldif = (builders.tree_ldif(builders.SUFFIX, ("guests",)) + builders.policy_ldif(
        tenant="b2bMassLimit: 1") + expired(["g0"])).replace(builders.SUFFIX, other)
    server.tool("slapadd", "-b", other, input=ldif.replace("dc: ours", "dc: theirs"))
    server.start()
    world = Lives(server)
    world.wait(lambda: world.tenant().get("b2bMassHalted") == ["2"], "halted")
    root = server.conn(f"cn=admin,{other}", builders.ROOTPW)
    dn = guest_dn("g0").replace(builders.SUFFIX, other)
    world.wait(lambda: server.entry(dn, connection=root)["b2bAccountEnabled"] == ["FALSE"], "off")
    assert "b2bMassHalted" not in server.entry(
        BASE.replace(builders.SUFFIX, other), connection=root)
    assert world.on() == {"g0", "g1"}


@pytest.mark.parametrize("value", ["0", "0%", "101%", "-1", "many", "20 %", "%", "1.5%"])
def test_limits_that_are_none(world, value):
    """What is no limit is refused, and the former one stays."""
    with pytest.raises(AssertionError, match="b2bMassLimit"):
        world.settings(f"b2bMassLimit: {value}")
    assert "b2bMassLimit" not in world.tenant()


def test_only_the_task_says_that_it_halted(world):
    """b2bMassHalted is the server's: no client writes it, not even the rootdn without relax."""
    with pytest.raises(ldap.CONSTRAINT_VIOLATION):
        world.root.modify_s(BASE, [replace("b2bMassHalted", "1")])
