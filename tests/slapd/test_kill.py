"""Whole lives of guests while slapd and b2bd are killed by signal 9 at random moments of them, and the
mail server hangs up after DATA: no mail is lost, and no state is impossible.

By hand: B2B_SEED=7 B2B_KILLS=1000 python3 -m pytest -s tests/slapd/test_kill.py
"""

import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import ldap
import pytest

from lib import builders as b, life, possible
from lib.builders import guest_dn, member_dn
from lib.chaos import Chaos, FlakyMailServer, Patient
from lib.preload import Number, library
from lib.records import DAY, add, replace
from lib.slapd import poll
from lib.years import REVIEWS, World, group_dn, kind_of, ticket_in

SEED, KILLS = int(os.environ.get("B2B_SEED", 1)), int(os.environ.get("B2B_KILLS", 100))
CODE = re.compile(r"^    (\d{8})$", re.M)
SHARE = 0.1  # of connections that the mail server drops
LONG, PROJECT, BOARD = ([f"{kind}{n}" for n in range(4)] for kind in "apr")
NEVER, CODES = ["n0", "n1", "n2"], ["c0", "c1"]
HOME = LONG + PROJECT + BOARD
EVERYBODY = HOME + NEVER + CODES
DENIED, APPROVED = BOARD[:2], BOARD[2:]
ENDS = {**dict.fromkeys(LONG + BOARD, 300)}
TENANT = "b2bReviewInterval: 90\nb2bInactivity: 250\n"


def sponsors(name):
    return [f"s{name}"] + ([f"t{name}"] if name in LONG else [])


def mail_of(name):
    return f"{name}@codes.example" if name in CODES else f"{name}@home.example"


def group_ldif(name, lines=""):
    return (f"dn: {group_dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n"
            f"member: {member_dn('mia')}\n{lines}\n")


class Ledger:
    """Which mails had to come, by type and recipient; between a least and a most number of each."""

    def __init__(self, mail):
        self.mail, self.least, self.most = mail, Counter(), Counter()

    def expect(self, kind, name, least=1, most=None):
        to = f"{name}@ours.example" if name[0] in "st" else mail_of(name)
        self.least[kind, to] += least
        self.most[kind, to] += least if most is None else most

    def expect_all(self, kind, names, to_guest=True):
        """For each of the guests: to its sponsors, and to itself."""
        for name in names:
            for who in sponsors(name) + ([name] if to_guest else []):
                self.expect(kind, who)

    def check(self):
        """Each of them came, none came that was not expected; and what came twice was the same mail."""
        first, distinct, faults = {}, Counter(), []
        for mail in list(self.mail.mails):
            key = kind_of(mail), mail.to[0]
            content = mail.to, mail.subject, mail.text, mail.html
            if mail.id not in first:
                first[mail.id] = content
                distinct[key] += 1
            elif first[mail.id] != content:
                faults.append(f"{mail.id} twice and different:\n{first[mail.id]}\n{content}")
        for key in set(distinct) | set(self.most):
            if not self.least[key] <= distinct[key] <= self.most[key]:
                faults.append(f"{key}: {distinct[key]} mails, not {self.least[key]} to "
                              f"{self.most[key]}")
        assert not faults, "\n".join(faults)
        return len(first), len(self.mail.mails)


class Life:
    """The steps; each may be done again."""

    def __init__(self, world, chaos):
        self.world, self.chaos = world, chaos
        self.ledger = Ledger(world.mail)
        self.pool = ThreadPoolExecutor(4)
        self.invitations, self.used = Counter(), []

    # Stations

    def each(self, step, names, *args):
        """A step of each of the guests, several at once, each as the rootdn or as who step says."""
        for future in [self.pool.submit(step, name, *args) for name in names]:
            future.result(300)

    def station(self, day, kills, *steps):
        """A day comes, people do what they do, and meanwhile servers die."""
        self.chaos.allow(kills)
        self.world.to_day(day)
        for step, names, *args in steps:
            self.each(step, names, *args)
        self.chaos.wait()
        self.world.root = self._connect()  # stays until the next kill
        self.world.settle()
        self.ledger.check()

    def _connect(self):
        connection = ldap.initialize(self.world.server.ldapi)
        connection.simple_bind_s(b.ROOTDN, b.ROOTPW)
        return connection

    def check(self):
        """After each restart: what cannot be at any moment."""
        connection = self._connect()
        entries = life.everything(connection)
        connection.unbind_ext_s()
        faults = possible.faults(entries, self.world.clock.now(), swept=False)
        assert not faults, "\n".join([f"day {self.world.clock.day():.2f}"] + faults)

    def entry(self, name):
        def step(connection):
            try:
                found = connection.search_ext_s(guest_dn(name), ldap.SCOPE_BASE,
                                                attrlist=["*", "+"])
            except ldap.NO_SUCH_OBJECT:
                return None
            return {k: [v.decode("utf-8", "replace") for v in vs] for k, vs in found[0][1].items()}
        return Patient(self.world.server).once(step)

    def mails(self, kind, name):
        return [mail for mail in self.world.mail.to(mail_of(name)) if kind_of(mail) == kind]

    # What people do

    def invite(self, name):
        """By its sponsor, once more where nobody knows whether it was done."""
        request = {"mail": mail_of(name), "uid": name,
                   "sponsor": list(map(member_dn, sponsors(name)))}
        if name in LONG:
            request["applications"] = ["wiki"]
        if name in ENDS:
            request["validUntil"] = self.world.clock.stamp(ENDS[name])

        def step(connection):
            found = connection.search_ext_s(b.SUFFIX, ldap.SCOPE_SUBTREE,
                                            f"(b2bAppAssignee={guest_dn(name)})", ["1.1"])
            if self.entry(name) and (found or name not in LONG):
                return
            self.invitations[name] += 1
            life.request(connection, life.INVITE, request)
        self.sponsor(name).once(step)
        self.ledger.expect("invitation", name, 1, max(1, self.invitations[name]))

    def redeem(self, name):
        """With the newest ticket that came, until it is accepted."""
        def step(connection):
            if self.entry(name)["b2bUserState"] == ["Accepted"]:
                return True
            for mail in reversed(self.mails("invitation", name)):
                try:
                    life.request(connection, life.REDEEM,
                                 {"ticket": ticket_in(mail), "password": f"{name}-pw"})
                    return True
                except ldap.INVALID_CREDENTIALS:
                    continue
            return False
        Patient(self.world.server, "", "").until(step, f"{name} accepts")

    def sign_in(self, name):
        """Until it is noted, within the day."""
        since = self.world.clock.now() - 3600

        def noted():
            entry = self.entry(name)
            return "b2bLastSignIn" in entry and self.world.secs(entry, "b2bLastSignIn") > since

        def step(_):
            return noted() or (Patient(self.world.server, guest_dn(name), f"{name}-pw").once(
                lambda connection: connection.whoami_s()) and noted())
        Patient(self.world.server).until(step, f"the sign-in of {name}")

    def redeem_by_code(self, name):
        """Asks again only where slapd may have forgotten; the code is good once."""
        asked_of, used = None, []

        def step(connection):
            nonlocal asked_of
            if self.entry(name)["b2bUserState"] == ["Accepted"]:
                return True
            tickets = [ticket_in(mail) for mail in self.mails("invitation", name)]
            codes = [CODE.search(mail.text).group(1) for mail in self.mails("passcode", name)]
            if tickets and asked_of != self.chaos.killed:
                asked_of = self.chaos.killed
                self.ledger.expect("passcode", name, 0, 1)
                life.request(connection, life.PASSCODE, {"ticket": tickets[-1]})
            for code in set(codes) - set(used):
                used.append(code)
                self.used.append((name, code))
                life.request(connection, life.REDEEM, {"ticket": tickets[-1], "passcode": code})
            return False

        def careful(connection):
            try:
                return step(connection)
            except ldap.INVALID_CREDENTIALS:
                return False
        Patient(self.world.server, "", "").until(careful, f"{name} accepts")

    def answer(self, name, decision="Approve"):
        """Each sponsor that is there says so, once it was asked."""
        since = self.world.clock.now() - 10 * DAY

        def step(connection):
            entry = self.entry(name)
            if "b2bReviewAsked" not in entry or self.world.secs(entry, "b2bReviewAsked") < since:
                return False
            if entry.get("b2bReviewDecision") != [decision]:
                connection.modify_s(guest_dn(name), [replace("b2bReviewDecision", decision),
                                                     replace("b2bReviewJustification", "needed")])
            return True
        self.sponsor(name).until(step, f"the answer for {name}")

    def spent(self):
        """No code is good again once it was tried, whatever was mailed twice."""
        for name, code in self.used:
            with pytest.raises(ldap.INVALID_CREDENTIALS):
                self.world.server.open().simple_bind_s(guest_dn(name), code)

    def sponsor(self, name):
        who = sponsors(name)[0]
        return Patient(self.world.server, member_dn(who), f"{who}-pw")

    def define(self, name):
        """A review of a group, once."""
        def step(connection):
            try:
                connection.add_s(f"cn={name},{REVIEWS}", [
                    ("objectClass", [b"b2bReviewDefinition"]), ("cn", [name.encode()]),
                    ("b2bReviewBy", [b"sponsor"]), ("b2bReviewOnDeny", [b"disable"]),
                    ("b2bReviewScopeGroup", [group_dn(name).encode()])])
            except ldap.ALREADY_EXISTS:
                pass
        Patient(self.world.server).once(step)

    def answer_item(self, name, decision):
        uuid = self.entry(name)["entryUUID"][0]
        dn = f"cn=1-{uuid},cn=board,{REVIEWS}"

        def step(connection):
            try:
                (_, entry), = connection.search_s(dn, ldap.SCOPE_BASE)
                if "b2bReviewDecision" not in entry:
                    connection.modify_s(dn, [replace("b2bReviewDecision", decision),
                                             replace("b2bReviewJustification", "seen")])
                return True
            except (ldap.NO_SUCH_OBJECT, ldap.UNWILLING_TO_PERFORM):
                return False  # the review has not begun
        self.sponsor(name).until(step, f"the item of {name}")

    def tool(self, name, *words):
        """b2bctl as adam, until it is done."""
        poll(lambda: self.world.run("adam", *words, name).returncode == 0, 60, f"{words} {name}")

    def restore(self, name):
        self.tool(name, "guest", "restore")

    def disable(self, name):
        self.tool(name, "guest", "disable")

    # What came of it

    def states(self, names, **wanted):
        for name in names:
            entry = self.entry(name)
            found = {key: entry.get(key, [None])[0] for key in wanted}
            assert found == wanted, f"{name}: {entry}"

    def gone(self, names):
        assert not [name for name in names if self.entry(name)]

    def members(self, group):
        return Patient(self.world.server).once(lambda c: {dn.decode() for dn in c.search_s(
            group_dn(group), ldap.SCOPE_BASE)[0][1]["member"]})

    def join(self, name, group):
        def step(connection):
            try:
                connection.modify_s(group_dn(group), [add("member", guest_dn(name))])
            except ldap.TYPE_OR_VALUE_EXISTS:
                pass
        Patient(self.world.server).once(step)


@pytest.fixture
def dying():
    """A world and the chaos in it."""
    death = Number()
    people = [who for name in EVERYBODY for who in sponsors(name)]
    world = World(guests=HOME + NEVER, members=["mia", "adam"] + people, tenant=TENANT,
                  mail=FlakyMailServer(SEED, SHARE), durable=True,
                  env={"LD_PRELOAD": library("death"), "B2B_TEST_DEATH": death.path},
                  data=group_ldif("board") + group_ldif("staff"))
    world.server.load(group_ldif("atlas", "objectClass: b2bCollaboration\n"
                                 f"b2bValidUntil: {world.clock.stamp(150)}\n"))
    with world:
        chaos = Chaos(world.server, world.daemon, world.mail, death, SEED, lambda: None)
        one = Life(world, chaos)
        chaos.check = one.check
        try:
            with chaos:
                yield one
        finally:
            one.pool.shutdown(cancel_futures=True)
    death.close()


def test_killed(dying):
    """Set-up: seventeen guests of five kinds: long lives, a project, a board that is reviewed, never
    accepted, mailed codes.  Steps: all of two years, with kills in each of them.  Expected: see
    lib.possible and Ledger; and of each guest what its life was to come to."""
    one, share = dying, max(1, KILLS // 22)
    left = KILLS - 21 * share
    begin(one, share)
    first_reviews(one, share)
    ends(one, share)
    second_reviews(one, share)
    last_days(one, share, left)
    assert one.chaos.killed == 21 * share + left
    print(f"seed {SEED}, {one.chaos.done}, {one.ledger.check()}, {one.world.mail.dropped}")


def begin(one, share):
    """Days 0 to 31: five kinds of guests are invited; but three accept, and these go."""
    one.station(0.01, share, (one.invite, EVERYBODY))
    one.station(1, share, (one.redeem, HOME), (one.redeem_by_code, CODES))
    one.states(HOME + CODES, b2bUserState="Accepted")
    one.spent()
    one.station(2, share, (one.sign_in, HOME), (one.join, BOARD, "board"),
                (one.join, PROJECT + LONG, "atlas"), (one.join, PROJECT[:2], "staff"))
    one.ledger.expect_all("deleted", NEVER, to_guest=False)
    one.station(31.1, share)
    one.gone(NEVER)


def first_reviews(one, share):
    """Days 91 to 99: all sponsors are asked; some need to be reminded."""
    one.ledger.expect_all("review", HOME + CODES, to_guest=False)
    one.station(91.2, share, (one.answer, PROJECT + BOARD + CODES))
    one.ledger.expect_all("reminder", LONG, to_guest=False)
    one.station(98.5, share)
    one.station(99, share, (one.answer, LONG))
    one.states(HOME + CODES, b2bReviewDecision="Approve", b2bAccountEnabled="TRUE")


def ends(one, share):
    """Days 110 to 187: the board is reviewed, and half of it lapses; a project ends."""
    one.ledger.expect_all("review", BOARD, to_guest=False)
    one.station(110, share, (one.define, ["board"]), (one.answer_item, APPROVED, "Approve"),
                (one.answer_item, DENIED, "Deny"))
    one.ledger.expect_all("lapsed", DENIED)
    one.station(124.1, share)
    one.states(DENIED, b2bAccountEnabled="FALSE", b2bDisabledReason="review-lapsed")
    one.ledger.expect_all("disabled", PROJECT)
    one.station(150.1, share, (one.sign_in, LONG + APPROVED))
    one.states(PROJECT, b2bAccountEnabled="FALSE", b2bDisabledReason="project-ended")
    one.states(LONG + APPROVED, b2bAccountEnabled="TRUE")
    assert one.members("atlas") == {member_dn("mia")}
    one.ledger.expect_all("deleted", DENIED, to_guest=False)
    one.station(155, share)
    one.gone(DENIED)
    assert one.members("staff") == {member_dn("mia"), *map(guest_dn, PROJECT[:2])}
    one.ledger.expect_all("deleted", PROJECT, to_guest=False)
    one.station(181, share)
    one.gone(PROJECT)


def second_reviews(one, share):
    """Days 182 to 215: nobody answers for the long lives; off, and brought back."""
    one.ledger.expect_all("review", APPROVED + CODES, to_guest=False)
    one.station(182.5, share, (one.answer, APPROVED + CODES))
    one.ledger.expect_all("review", LONG, to_guest=False)
    one.station(189.9, share)
    one.ledger.expect_all("reminder", LONG, to_guest=False)
    one.station(197.2, share)
    one.ledger.expect_all("lapsed", LONG)
    one.station(204.1, share)
    one.states(LONG, b2bAccountEnabled="FALSE", b2bDisabledReason="review-lapsed")
    one.ledger.expect_all("review", LONG, to_guest=False)
    one.station(210, share, (one.restore, LONG), (one.answer, LONG), (one.sign_in, LONG))
    one.states(LONG, b2bAccountEnabled="TRUE", b2bDisabledReason=None)
    assert one.world.assigned() == set(map(guest_dn, LONG))


def last_days(one, share, left):
    """Days 240 to 331: who does not come goes, and then all whose time is over."""
    one.station(240, share, (one.disable, APPROVED))
    one.states(APPROVED, b2bAccountEnabled="FALSE", b2bDisabledReason="administrator")
    one.ledger.expect_all("disabled", CODES)
    one.station(252, share)
    one.states(CODES, b2bAccountEnabled="FALSE", b2bDisabledReason="inactive")
    one.ledger.expect_all("deleted", CODES + APPROVED, to_guest=False)
    one.station(283, share)
    one.gone(CODES + APPROVED)
    one.ledger.expect_all("disabled", LONG)
    one.station(300.5, share)
    one.states(LONG, b2bAccountEnabled="FALSE", b2bDisabledReason="expired")
    one.ledger.expect_all("deleted", LONG, to_guest=False)
    one.station(331, left)
    one.gone(EVERYBODY)
    assert not one.world.assigned()
