"""Whole lives of guests, as steps that may be done again: in a world where everything dies, nobody
knows whether a step was done before, and everybody looks first.

What a guest is follows from the first letter of its name: a long life with two sponsors and an
application; p in a project and nothing else; r reviewed on the board; n who never accepts; c who
gets mailed codes; q who was asked for."""

import contextlib
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import ldap
import pytest

from . import builders as b, life, possible
from .builders import guest_dn, member_dn
from .chaos import EachChange, Patient
from .records import DAY, add, replace
from .slapd import poll
from .years import REVIEWS, app_dn, group_dn, kind_of, ticket_in

CODE = re.compile(r"^    (\d{8})$", re.M)
TENANT = f"""b2bReviewInterval: 90
b2bInactivity: 250
b2bSelfService: members
b2bApprover: {member_dn('adam')}
"""
ENDS = {"a": 300, "r": 300}  # days of validity, where there is an end


class Cast:
    """Who is in the play: of each kind so many."""

    def __init__(self, **counts):
        def names(kind):
            return [f"{kind}{n}" for n in range(counts.get(kind, 0))]
        self.long, self.project, self.board, self.never, self.codes, self.asked = map(
            names, "aprncq")
        half = len(self.board) // 2
        self.denied, self.approved = self.board[:half], self.board[half:]
        self.home = self.long + self.project + self.board
        self.everybody = self.home + self.never + self.codes

    def members(self):
        """Of our directory: who looks after them."""
        return ["mia", "adam"] + [who for name in self.everybody for who in sponsors(name)]


def sponsors(name):
    if name[0] == "q":
        return ["adam"]
    return [f"s{name}"] + ([f"t{name}"] if name[0] == "a" else [])


def mail_of(name):
    """A guest's, or a member's."""
    if name[0] in "st" or name in ("adam", "mia"):
        return f"{name}@ours.example"
    return f"{name}@codes.example" if name[0] == "c" else f"{name}@home.example"


def groups_ldif():
    """Before the world starts: the board, and another group."""
    return group_ldif("board") + group_ldif("staff")


def group_ldif(name, lines=""):
    return (f"dn: {group_dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n"
            f"member: {member_dn('mia')}\n{lines}\n")


def project_ldif(name, until):
    return group_ldif(name, f"objectClass: b2bCollaboration\nb2bValidUntil: {until}\n")


class Ledger:
    """Which mails had to come, by type and recipient; between a least and a most number of each."""

    def __init__(self, mail):
        self.mail, self.least, self.most = mail, Counter(), Counter()

    def expect(self, kind, name, least=1, most=None):
        self.least[kind, mail_of(name)] += least
        self.most[kind, mail_of(name)] += least if most is None else most

    def expect_all(self, kind, names, to_guest=True, but=()):
        """For each of the guests: to its sponsors, and to itself."""
        for name in names:
            for who in sponsors(name) + ([name] if to_guest else []):
                if who not in but:
                    self.expect(kind, who)

    def check(self):
        """Each of them came, none came that was not expected; and what came twice was the same
        mail."""
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

    def __init__(self, world, chaos, cast):
        self.world, self.chaos, self.cast = world, chaos, cast
        self.whole = not isinstance(chaos, EachChange)  # an operation may make several changes
        self.ledger = Ledger(world.mail)
        self.pool = ThreadPoolExecutor(4)
        self.invitations, self.used = Counter(), []

    # Stations

    def each(self, step, names, *args):
        """A step of each of the guests, several at once, each as the rootdn or as who step says."""
        for future in [self.pool.submit(step, name, *args) for name in names]:
            try:
                future.result(300)
            except Exception:
                assert not self.chaos.faults, self.chaos.faults
                raise

    def station(self, day, kills, *steps):
        """A day comes, people do what they do, and meanwhile servers die."""
        self.world.to_day(day)
        self.chaos.allow(kills)
        for step, names, *args in steps:
            self.each(step, names, *args)
        self.chaos.wait()
        self.world.root = self._connect()
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
        if name[0] == "a" and self.whole:
            request["applications"] = ["wiki"]
        if name[0] in ENDS:
            request["validUntil"] = self.world.clock.stamp(ENDS[name[0]])

        def step(connection):
            found = connection.search_ext_s(b.SUFFIX, ldap.SCOPE_SUBTREE,
                                            f"(b2bAppAssignee={guest_dn(name)})", ["1.1"])
            if self.entry(name) and (found or "applications" not in request):
                return
            self.invitations[name] += 1
            life.request(connection, life.INVITE, request)
        self.sponsor(name).once(step)
        self.ledger.expect("invitation", name, 1, max(1, self.invitations[name]))
        if name[0] == "a" and not self.whole:
            self.assign(name)

    def assign(self, name):
        """To the application, by an administrator."""
        def step(connection):
            with contextlib.suppress(ldap.TYPE_OR_VALUE_EXISTS):
                connection.modify_s(app_dn("wiki"), [add("b2bAppAssignee", guest_dn(name))])
        Patient(self.world.server).once(step)

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
            with contextlib.suppress(ldap.ALREADY_EXISTS):
                connection.add_s(f"cn={name},{REVIEWS}", [
                    ("objectClass", [b"b2bReviewDefinition"]), ("cn", [name.encode()]),
                    ("b2bReviewBy", [b"sponsor"]), ("b2bReviewOnDeny", [b"disable"]),
                    ("b2bReviewScopeGroup", [group_dn(name).encode()])])
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

    def apply(self, name):
        """mia asks whether somebody may become a guest; adam says yes."""
        def ask(connection):
            if not self.requests(name):
                life.request(connection, life.REQUEST, {"mail": mail_of(name)})

        def approve(connection):
            dn, entry = self.requests(name)[0]
            if entry["b2bRequestState"] == [b"pending"]:
                connection.modify_s(dn, [replace("b2bRequestState", "approved")])
        Patient(self.world.server, member_dn("mia"), "mia-pw").once(ask)
        Patient(self.world.server, member_dn("adam"), "adam-pw").once(approve)
        self.ledger.expect("request", "adam", 0, 1)  # adam may have been faster
        self.ledger.expect("invitation", name)

    def requests(self, name):
        def step(connection):
            try:
                return connection.search_s(life.REQUESTS, ldap.SCOPE_ONELEVEL,
                                           f"(b2bRequestMail={mail_of(name)})")
            except ldap.NO_SUCH_OBJECT:
                return []
        return Patient(self.world.server).once(step)

    def go_away(self, member):
        """Somebody leaves our organisation."""
        def step(connection):
            with contextlib.suppress(ldap.NO_SUCH_OBJECT):
                connection.delete_s(member_dn(member))
        Patient(self.world.server).once(step)

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
            with contextlib.suppress(ldap.TYPE_OR_VALUE_EXISTS):
                connection.modify_s(group_dn(group), [add("member", guest_dn(name))])
        Patient(self.world.server).once(step)
