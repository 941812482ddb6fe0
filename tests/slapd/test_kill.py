"""Whole lives of guests while slapd and b2bd are killed by signal 9 at random moments of them, and
the mail server hangs up after DATA: no mail is lost, and no state is impossible.

By hand: B2B_SEED=7 B2B_KILLS=1000 python3 -m pytest -s tests/slapd/test_kill.py"""

import contextlib
import os

from lib import life
from lib.builders import guest_dn, member_dn
from lib.chaos import Chaos, EachChange, FlakyMailServer
from lib.play import TENANT, Cast, Life, groups_ldif, project_ldif
from lib.preload import Number, library
from lib.years import PROBE, World

SEED, KILLS = int(os.environ.get("B2B_SEED", 1)), int(os.environ.get("B2B_KILLS", 100))
SHARE = 0.1  # of mails after which the mail server hangs up
STATIONS = 23
PROJECT_ENDS = 150


@contextlib.contextmanager
def dying(cast, chaos_class, share):
    """A life in a world where everything dies."""
    death = Number()
    world = World(guests=cast.home + cast.never, members=cast.members(), tenant=TENANT,
                  mail=FlakyMailServer(SEED, share), durable=True,
                  env={"LD_PRELOAD": library("death"), "B2B_TEST_DEATH": death.path},
                  data=groups_ldif())
    with world:
        world.server.load(project_ldif("atlas", world.clock.stamp(PROJECT_ENDS)))
        chaos = chaos_class(world, death, SEED)
        one = Life(world, chaos, cast)
        chaos.check = one.check
        try:
            with chaos:
                yield one
        finally:
            one.pool.shutdown(cancel_futures=True)
    death.close()


def test_killed_at_random():
    """Set-up: eighteen guests of six kinds. Steps: a whole life, with kills in each station of it,
    by five ways to die. Expected: no mail is lost and none comes by two names, no state is
    impossible (lib.possible), and each guest comes to what its life was to come to."""
    with dying(Cast(a=4, p=4, r=4, n=3, c=2, q=1), Chaos, SHARE) as one:
        share = max(1, KILLS // STATIONS)
        live(one, share, KILLS - (STATIONS - 1) * share)
        assert one.chaos.killed >= KILLS
        print(f"seed {SEED}, {one.chaos.done}, {one.ledger.check()}, {one.world.mail.dropped}")


def test_killed_after_each_change():
    """Set-up: six guests. Steps: the same life; slapd dies after each single change of its
    database, before the next: there is no moment between two changes at which it does not.
    Expected: the same."""
    with dying(Cast(a=1, p=1, r=2, n=1, q=1), EachChange, 0) as one:
        live(one, 1, 1)
        print(f"{one.chaos.killed} kills, {one.ledger.check()}")


def test_start_changes_nothing():
    """Set-up: guests accepted and pending, a project that is over and one that is not, a review
    that is closed and one that is open. Steps: slapd is killed and starts; its task looks at all of
    them. Expected: not one entry is written."""
    with dying(Cast(a=1, p=1, r=2, n=1), Chaos, 0) as one:
        begin(one, 0)
        first_reviews(one, 0)
        ends(one, 0)
        one.world.server.load(project_ldif("open", one.world.clock.stamp(400)))
        one.ledger.expect_all("review", ["a0"], to_guest=False)
        one.station(181.1, 0, (one.invite, ["n0"]), (one.join, ["a0"], "staff"),
                    (one.define, ["staff"]))
        before = life.everything(one.world.root)
        one.world.server.kill()
        one.world.server.start()
        one.world.root = one.world.server.root()
        one.world.swept()
        after = life.everything(one.world.root)
        assert {dn: entry["entryCSN"] for dn, entry in before.items() if dn != PROBE} == {
            dn: entry["entryCSN"] for dn, entry in after.items() if dn != PROBE}


# --- the life ---

def live(one, share, last_share):
    """All stations, with so many kills in each."""
    begin(one, share)
    first_reviews(one, share)
    ends(one, share)
    second_reviews(one, share)
    last_days(one, share, last_share)


def begin(one, share):
    """Days 0 to 31: six kinds of guests are invited; but for two kinds they accept; these go."""
    cast = one.cast
    one.station(0.01, share, (one.invite, cast.everybody), (one.apply, cast.asked))
    one.station(1, share, (one.redeem, cast.home), (one.redeem_by_code, cast.codes))
    one.states(cast.home + cast.codes, b2bUserState="Accepted")
    one.spent()
    one.station(2, share, (one.sign_in, cast.home), (one.join, cast.board, "board"),
                (one.join, cast.project + cast.long, "atlas"),
                (one.join, cast.project[:2], "staff"))
    one.ledger.expect_all("deleted", cast.never + cast.asked, to_guest=False)
    one.station(31.1, share)
    one.gone(cast.never)


def first_reviews(one, share):
    """Days 91 to 99: all sponsors are asked; some need to be reminded."""
    cast = one.cast
    one.ledger.expect_all("review", cast.home + cast.codes, to_guest=False)
    one.station(91.2, share, (one.answer, cast.project + cast.board + cast.codes))
    one.ledger.expect_all("reminder", cast.long, to_guest=False)
    one.station(98.5, share)
    one.station(99, share, (one.answer, cast.long))
    one.states(cast.home + cast.codes, b2bReviewDecision="Approve", b2bAccountEnabled="TRUE")


def ends(one, share):
    """Days 110 to 181: the board is reviewed, and half of it lapses; a project ends."""
    cast = one.cast
    one.ledger.expect_all("review", cast.board, to_guest=False)
    one.station(110, share, (one.define, ["board"]), (one.answer_item, cast.approved, "Approve"),
                (one.answer_item, cast.denied, "Deny"))
    one.ledger.expect_all("lapsed", cast.denied)
    one.station(124.1, share)
    one.states(cast.denied, b2bAccountEnabled="FALSE", b2bDisabledReason="review-lapsed")
    one.ledger.expect_all("disabled", cast.project)
    one.station(PROJECT_ENDS + 0.1, share, (one.sign_in, cast.long + cast.approved))
    one.states(cast.project, b2bAccountEnabled="FALSE", b2bDisabledReason="project-ended")
    one.states(cast.long + cast.approved, b2bAccountEnabled="TRUE")
    assert one.members("atlas") == {member_dn("mia")}
    one.ledger.expect_all("deleted", cast.denied, to_guest=False)
    one.station(155, share)
    one.gone(cast.denied)
    assert one.members("staff") == {member_dn("mia"), *map(guest_dn, cast.project[:2])}
    one.ledger.expect_all("deleted", cast.project, to_guest=False)
    one.station(181, share)
    one.gone(cast.project)


def second_reviews(one, share):
    """Days 182 to 210: nobody answers for the long lives; off, and brought back."""
    cast = one.cast
    one.ledger.expect_all("review", cast.approved + cast.codes, to_guest=False)
    one.station(182.5, share, (one.answer, cast.approved + cast.codes))
    one.ledger.expect_all("review", cast.long, to_guest=False)
    one.station(189.9, share)
    one.ledger.expect_all("reminder", cast.long, to_guest=False)
    one.station(197.2, share)
    one.ledger.expect_all("lapsed", cast.long)
    one.station(204.1, share)
    one.states(cast.long, b2bAccountEnabled="FALSE", b2bDisabledReason="review-lapsed")
    one.ledger.expect_all("review", cast.long, to_guest=False)
    one.station(210, share, (one.restore, cast.long), (one.answer, cast.long),
                (one.sign_in, cast.long))
    one.states(cast.long, b2bAccountEnabled="TRUE", b2bDisabledReason=None)
    assert one.world.assigned() == set(map(guest_dn, cast.long))


def last_days(one, share, last_share):
    """Days 230 to 331: a sponsor leaves; who does not come goes, and then all whose time is over.
    """
    cast = one.cast
    for name in cast.long:
        one.ledger.expect("sponsor-gone", f"s{name}")
    one.station(230, share, (one.go_away, [f"t{name}" for name in cast.long]))
    one.station(240, share, (one.disable, cast.approved))
    one.states(cast.approved, b2bAccountEnabled="FALSE", b2bDisabledReason="administrator")
    one.ledger.expect_all("disabled", cast.codes)
    one.station(252, share)
    one.states(cast.codes, b2bAccountEnabled="FALSE", b2bDisabledReason="inactive")
    one.ledger.expect_all("deleted", cast.codes + cast.approved, to_guest=False)
    one.station(283, share)
    one.gone(cast.codes + cast.approved)
    one.ledger.expect_all("disabled", cast.long, but=[f"t{name}" for name in cast.long])
    one.station(300.5, share)
    one.states(cast.long, b2bAccountEnabled="FALSE", b2bDisabledReason="expired")
    one.ledger.expect_all("deleted", cast.long, to_guest=False,
                          but=[f"t{name}" for name in cast.long])
    one.station(331, last_share)
    one.gone(cast.everybody)
    assert not one.world.assigned()
