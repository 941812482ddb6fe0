"""Guests whose time comes, as the tests of the task play them: accepted and pending guests,
projects, applications, sponsors, and moments that are moved back with the relax control instead of
being waited for."""

import contextlib
import time

import ldap

from . import builders, life, review
from .builders import BASE, GUESTS, PEOPLE, guest_dn, guest_ldif, member_dn
from .records import DAY, HOUR, add_entry, ahead, replace, stamp
from .review import REVIEWS, Reviews, group_dn
from .slapd import poll

PAST, SOON, FUTURE = ahead(-2 * HOUR), ahead(2 * HOUR), ahead(400 * DAY)
NOBODY, PROBE = f"cn=nobody,{BASE}", f"cn=probe,{REVIEWS}"
WAKE = 0.2  # seconds between two sweeps while a test waits
LDIF = review.LDIF + (f"dn: {PROBE}\nobjectClass: b2bReviewDefinition\ncn: probe\n"
                      f"b2bReviewBy: sponsor\nb2bReviewStart: {FUTURE}\n\n")
# max manages guests, everybody writes them: it is not slapd's access control that is tested.
ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree="{GUESTS}" by dn.exact="{member_dn('max')}" manage by users write by * read
access to dn.subtree="{REVIEWS}" by users write by * read
access to * by * read
"""


def app_dn(name):
    return f"cn={name},cn=applications,{BASE}"


def expired(names, *lines):
    """Guests that the task disables at once."""
    return "".join(guest_ldif(name, lines="\n".join((f"b2bValidUntil: {PAST}", *lines)))
                   for name in names)


def named(prefix, count):
    return [f"{prefix}{n}" for n in range(count)]


def patient(work, *args):
    """Back-mdb is busy for a moment after a slapd was killed: its readers' slots are taken."""
    for _ in range(20):
        with contextlib.suppress(ldap.BUSY):
            return work(*args)
        time.sleep(0.05)
    return work(*args)


class Lives(Reviews):
    """One server and its rootdn."""

    def __init__(self, server):
        super().__init__(server)
        self.counter = 0

    # Entries

    def guest(self, name, *lines, **options):
        """Accepted, enabled and mia's, unless lines say otherwise; of what is absent the server
        gives the defaults."""
        text = "\n".join(lines)
        for line in ("b2bUserState: Accepted", f"b2bSponsor: {member_dn('mia')}"):
            if line.split(":")[0] + ":" not in text:
                text += f"\n{line}"
        ldif = guest_ldif(name, lines=text, **options)
        if "b2bAccountEnabled:" in text:
            ldif = ldif.replace("b2bAccountEnabled: TRUE\n", "", 1)
        add_entry(self.root, ldif, relax=True)
        return guest_dn(name)

    def new(self, *lines, **options):
        """The name of an accepted guest that no other test has, of which nothing is due."""
        self.counter += 1
        name = f"n{self.counter}"
        if not any(line.startswith("b2bValidUntil") for line in lines):
            lines = (*lines, f"b2bValidUntil: {FUTURE}")
        self.guest(name, *lines, **options)
        return name

    def people(self, *names):
        self.server.load(builders.people_ldif(names, PEOPLE))

    def project(self, name, *members, until=None, classes=("groupOfNames", "b2bCollaboration"),
                attribute="member", lines=()):
        """A group that is a project; members are DNs."""
        text = "".join(f"objectClass: {each}\n" for each in classes)
        text += "".join(f"{attribute}: {dn}\n" for dn in members)
        text += f"b2bValidUntil: {until}\n" if until else ""
        add_entry(self.root, f"dn: {group_dn(name)}\ncn: {name}\n{text}" + "\n".join(lines))
        return group_dn(name)

    def app(self, name, *assignees):
        self.server.load(builders.app_ldif(name, "b2bAppAssignmentRequired: TRUE\n" + "\n".join(
            f"b2bAppAssignee: {dn}" for dn in assignees)))
        return app_dn(name)

    def settings(self, text):
        life.settings(self.server, text)

    # What is there

    def entry(self, dn):
        return patient(super().entry, dn)

    def below(self, dn, filterstr="(objectClass=*)"):
        return patient(super().below, dn, filterstr)

    def get(self, name):
        """A guest's entry, or None."""
        return self.entry(guest_dn(name))

    def tenant(self):
        return self.entry(BASE)

    def is_on(self, name):
        return self.get(name)["b2bAccountEnabled"] == ["TRUE"]

    def on(self):
        """Names of the guests that are enabled."""
        return {dn.split(",")[0][4:] for dn in self.below(
            builders.GUESTS, "(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE))")}

    def mails(self, kind, guest=None):
        """[(local part of the address, data)] of the notices of a kind, about a guest."""
        return [(to.split("@")[0], data) for to, data in self.notices(kind)
                if guest is None or data.get("guestMail", "").split("@")[0] == guest]

    def told(self, kind, guest=None):
        """Who was told, by the local part of the address."""
        return sorted(to for to, _ in self.mails(kind, guest))

    # Waiting

    def wait(self, condition, what, secs=15):
        """Lets the task run until condition gives something true; gives that."""
        def look():
            result = condition()
            if not result and time.monotonic() > look.next:
                self.wake()
                look.next = time.monotonic() + WAKE
            return result
        look.next = 0
        return poll(look, secs, what)

    def wait_off(self, name, reason=None):
        self.wait(lambda: not self.is_on(name), f"{name} is disabled")
        entry = self.get(name)
        assert reason is None or entry["b2bDisabledReason"] == [reason], entry
        return entry

    def wait_gone(self, name):
        self.wait(lambda: self.get(name) is None, f"{name} is deleted")

    def wait_entry(self, name, condition, what="as wanted"):
        def look():
            entry = self.get(name)
            return entry if entry and condition(entry) else None
        return self.wait(look, f"guest {name} {what}")

    def wake(self):
        """The task runs at once, for a definition that was written wants to be looked at."""
        self.counter += 1
        self.root.modify_s(PROBE, [replace("description", str(self.counter))])

    def sweep(self):
        """The task has run, and was not halted: it has looked at the definition, last of all."""
        self.wake()
        poll(lambda: self.entry(PROBE)["b2bNextDue"][0] > stamp(time.time()), 15, "a sweep")

    @contextlib.contextmanager
    def quiet(self, *dns):
        """While sweeps go by, nothing of these entries changes."""
        before = [self.entry(dn) for dn in dns]
        yield
        for _ in range(2):
            self.sweep()
            assert [self.entry(dn) for dn in dns] == before

    # Time

    def past(self, name, attribute, when=PAST):
        """A moment of a guest is over."""
        self.set(guest_dn(name), replace(attribute, when))

    def bound(self, name, password=None):
        return self.server.conn(member_dn(name), password or f"{name}-pw")


def lives_server(make_server, **options):
    """A server as Lives, whose task runs when a test says so or waits; with key=True it signs
    tickets."""
    data = LDIF + options.pop("data", "")
    builder = life.signing_server if options.pop("key", False) else builders.tenant_server
    options.setdefault("access", ACCESS)
    return Lives(make_server(builder, sweep=options.pop("sweep", 3600), data=data, **options))

