"""A world in which years go by: our tenant on a real slapd, the guests' home directory, b2bd, a
mail server, people, and the clock that all of them but the mail server live by.

    with World() as world:
        world.ctl("mia", "invite", "--mail", "pia@home.example")
        mails = world.mails(("invitation", "pia@home.example"))
        world.to_day(30)
"""

import re

import ldap

from . import b2bd as daemon_lib, builders as b, life, possible
from .clock import Clock
from .cnconfig import code_of
from .ctl import Ctl
from .mailserver import MailServer
from .preload import joined
from .records import RELAX, add, delete, replace, seconds
from .slapd import poll

REVIEWS, GROUPS = f"cn=reviews,{b.BASE}", f"ou=groups,{b.SUFFIX}"
PROBE = f"cn=probe,{REVIEWS}"
MEMBERS = ("mia", "max", "adam")
GUESTS = ("pia", "quin", "nora")  # who has a password at home
MESSAGE_ID = re.compile(r"<([a-z-]+)-[0-9a-f]{32}@ours\.example>")
TICKET = re.compile(r"[?&]ticket=([A-Za-z0-9_-]{75})\n")
# adam looks after guests and reviews; sponsors and reviewers answer, and that is all they do.
ACCESS = daemon_lib.ACCESS + \
    f"""access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree="{daemon_lib.REQUESTS}" by dn.exact="{b.member_dn('adam')}" write by * none
access to dn.subtree="{REVIEWS}" attrs=b2bReviewDecision,b2bReviewJustification
    by dnattr=b2bReviewer write by users read
access to dn.subtree="{REVIEWS}" by dn.exact="{b.member_dn('adam')}" write by users read
access to dn.subtree="{b.GUESTS}" attrs=b2bReviewDecision,b2bReviewJustification
    by dn.exact="{b.member_dn('adam')}" manage by dnattr=b2bSponsor write by users read
access to dn.subtree="{b.GUESTS}" by dn.exact="{b.member_dn('adam')}" manage by users read
access to dn.subtree="{GROUPS}" by dn.exact="{b.member_dn('mia')}" write by users read
access to * by users read
"""
TENANT = """b2bTenantDomain: ours.example
b2bRedemptionUrl: https://guests.ours.example/
b2bAllowInvitesFrom: members
b2bGuestLifetime: 0
b2bReviewInterval: 180
b2bReviewDuration: 14
b2bInvitationLifetime: 30
b2bDeleteGrace: 30
b2bInactivity: 300
"""


def group_dn(name):
    return f"cn={name},{GROUPS}"


def app_dn(name):
    return f"cn={name},cn=applications,{b.BASE}"


def kind_of(mail):
    return MESSAGE_ID.fullmatch(mail.id).group(1)


def ticket_in(mail):
    return TICKET.search(mail.text).group(1)


class World:
    """.server, .home, .mail, .daemon, .clock; .root is bound as the rootdn.

    tenant: other lines of the tenant entry; data: more entries, by ldapadd. Guests of the partner
    home have passwords there, those of codes get mailed codes, and neither redeem without a ticket;
    the application wiki wants guests assigned. mail: a mail server of another kind; env: of slapd,
    besides the clock; durable: each change is on the disk before it is answered."""

    def __init__(self, guests=GUESTS, members=MEMBERS, tenant="", data="", mail=None, env=None,
                 durable=False, **options):
        self.clock, self._closers, self._seen = Clock(), [], 0
        self.ids = {}  # Message-ID: the mail that had it first
        try:
            self._closers.append(self.clock.close)
            self.mail = self._held(mail or MailServer())
            self.home = b.home_server(names=guests, env=self.clock.env)
            self._closers.append(self.home.remove)
            self._make_server(members, joined(self.clock.env, env or {}), durable,
                              tenant=_settings(tenant), **options)
            self.server.start()
            self.server.load(_tree(self.home.uri) + data)
            self.daemon = self._make_daemon()
            self.root, self._ctl = self.server.root(), Ctl(self.server)
        except BaseException:
            self.close()
            raise

    def _held(self, thing):
        self._closers.append(thing.stop)
        return thing

    def _make_server(self, members, env, durable, **options):
        conf = {**daemon_lib.conf(), **dict(b2b="b2b-key-file {dir}/key.pem\n", access=ACCESS,
                                            sweep=1, **options)}
        self.server = b.tenant_server(start=False, env=env, **conf)
        self._closers.append(self.server.remove)
        if durable:
            file = self.server.conf_file
            file.write_text(file.read_text().replace("dbnosync\n", ""))
        self.key = life.make_key(self.server)
        self.server.load(b.people_ldif(set(members) - {"mia", "max"}, b.PEOPLE)
                         + daemon_lib.account() + b.service_ldif("wiki"))

    def _make_daemon(self):
        daemon = daemon_lib.B2bd(self.server, self.mail, key=self.key, env=self.clock.env,
                                 give_up="300d")
        self._closers.append(daemon.remove)
        return daemon

    def __enter__(self):
        self.daemon.start()
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.daemon.stop()
                self.server.stop()
                self.home.stop()
        finally:
            self.close()

    def close(self):
        while self._closers:
            self._closers.pop()()

    # What people do

    def run(self, who, *args, **options):
        """b2bctl as a member, or as nobody in particular (None): a CompletedProcess."""
        lead = ("-D", b.member_dn(who), "-w", f"{who}-pw") if who else ("-x",)
        return self._ctl.bare("-H", self.server.ldapi, "-b", b.SUFFIX, *lead, *args,
                              env=self.clock.env, **options)

    def ctl(self, who, *args, code=0, **options):
        """The same; gives what it printed."""
        done = self.run(who, *args, **options)
        assert done.returncode == code, f"{args}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def redeem(self, ticket, password, **options):
        return self.ctl(None, "guest", "redeem", "--password-file", "-", ticket, input=password,
                        **options)

    def bind(self, dn, password):
        """(code, text) of a guest's bind, over TCP."""
        connection = self.server.open(self.server.uri)
        try:
            return code_of(connection.simple_bind_s, dn, password)
        finally:
            connection.unbind_ext_s()
            self.server.ctl.remove(connection)

    def found_by_wiki(self, name):
        """Whether the application finds the guest, as before a bind."""
        connection = self.server.conn(b.service_dn("wiki"), "wiki-pw")
        return bool(connection.search_s(b.GUESTS, ldap.SCOPE_SUBTREE, f"(uid={name})", ["uid"]))

    def join(self, group, name, who="mia"):
        """Into a group, by a member who may."""
        self.server.conn(b.member_dn(who), f"{who}-pw").modify_s(
            group_dn(group), [add("member", b.guest_dn(name))])

    def leave(self, group, name):
        self.root.modify_s(group_dn(group), [delete("member", b.guest_dn(name))])

    # What is there

    def guest(self, name):
        return self.server.entry(b.guest_dn(name), connection=self.root)

    def members(self, group):
        return set(self.server.entry(group_dn(group), connection=self.root)["member"])

    def assigned(self, app="wiki"):
        entry = self.server.entry(app_dn(app), connection=self.root)
        return set(entry.get("b2bAppAssignee", ()))

    def outbox(self):
        return life.entries(self.server, daemon_lib.OUTBOX)

    def secs(self, entry, name):
        return seconds(entry[name][0])

    # Time

    def to_day(self, day):
        self.clock.advance_to(day)

    def swept(self):
        """Waits until a sweep that began after this call has done all that was due."""
        for _ in range(2):  # the first may be handled at the end of one that had begun
            self._probe()

    def _probe(self):
        """A definition of which nothing ever comes: a change of it wakes the task, which then moves
        its b2bNextDue on."""
        def is_due():
            entry = self.server.entry(PROBE, ["b2bNextDue"], self.root)
            return seconds(entry["b2bNextDue"][0]) <= self.clock.now()
        self.root.modify_s(PROBE, [replace("description", str(self.clock.now()))])
        poll(lambda: not is_due(), 30, "a sweep", step=0.005)

    def settle(self):
        """All that is due is done, and mailed; and what is there can be."""
        self.swept()
        poll(lambda: not self.outbox(), 30, "an empty outbox", step=0.01)
        self.check()

    def check(self):
        """What cannot be is not; to be asked after a sweep."""
        faults = possible.faults(life.everything(self.root), self.clock.now())
        assert not faults, "\n".join([f"day {self.clock.day():.2f}"] + faults)

    # Mail

    def mails(self, *expected):
        """Once all is done: these mails, each (type, address), and no others came since this was
        asked last; none twice. Gives the mails in this order."""
        self.settle()
        mails = self.mail.mails[self._seen:]
        self._seen += len(mails)
        found = {}
        for mail in mails:
            assert mail.id not in self.ids, f"{mail.id} came twice"
            self.ids[mail.id] = mail
            address, = mail.to
            found.setdefault((kind_of(mail), address), []).append(mail)
        assert sorted(key for key in found for _ in found[key]) == sorted(expected)
        return [found[each].pop(0) for each in expected]


def _settings(text):
    """TENANT, in which these lines replace those of the same name."""
    lines = dict(line.split(": ", 1) for line in (TENANT + text).strip().split("\n"))
    return "".join(f"{name}: {value}\n" for name, value in lines.items())


def _tree(home_uri):
    """What the policy lacks, and groups; the probe of World.swept."""
    return (f"dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n\n"
            f"dn: {REVIEWS}\nobjectClass: b2bContainer\ncn: reviews\n\n"
            f"dn: {PROBE}\nobjectClass: b2bReviewDefinition\ncn: probe\nb2bReviewBy: sponsor\n"
            "b2bReviewStart: 20990101000000Z\n\n"
            + b.partner_ldif("home", home_uri, "b2bTenantDomain: home.example\n"
                             f"b2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}")
            + b.partner_ldif("codes", lines="b2bIdp: passcode\nb2bTenantDomain: codes.example")
            + b.app_ldif("wiki", "b2bAppAssignmentRequired: TRUE\n"
                         f"b2bAppServiceDN: {b.service_dn('wiki')}")
            ).replace("b2bAutoRedeemIn: TRUE", "b2bAutoRedeemIn: FALSE")
