"""Access reviews by definition, as the tests play them: definitions, guests in scope, items,
answers, and time that is moved back with the relax control instead of being waited for."""

import json
import ldap
import time

from . import builders
from .builders import BASE, GUESTS, PEOPLE, guest_dn, guest_ldif, member_dn
from .records import DAY, HOUR, RELAX, add_entry, ahead, replace, seconds
from .slapd import HarnessError, poll

REVIEWS = f"cn=reviews,{BASE}"
OUTBOX = f"cn=outbox,{BASE}"
GROUPS = f"ou=groups,{builders.SUFFIX}"
# Whom slapd would let write is no question here but in the test about it.
ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree="{REVIEWS}" by users write by * read
access to * by * read
"""
LDIF = (f"dn: {REVIEWS}\nobjectClass: b2bContainer\ncn: reviews\n\n"
        f"dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n\n"
        + builders.people_ldif(("zoe", "bea", "cem"), PEOPLE))


def definition_dn(name):
    return f"cn={name},{REVIEWS}"


def group_dn(name):
    return f"cn={name},{GROUPS}"


def as_text(attrs):
    return {name: [value.decode("utf-8", "replace") for value in values]
            for name, values in attrs.items()}


class Reviews:
    """What the tests do with one server; everything as its rootdn with the relax control."""

    def __init__(self, server):
        self.server = server
        self.root = server.root()

    # Entries

    def guest(self, name, *lines, **options):
        """An accepted guest whose sponsor is mia, unless lines say otherwise."""
        text = "\n".join(lines)
        if "b2bSponsor" not in text:
            text += f"\nb2bSponsor: {member_dn('mia')}"
        if "b2bUserState:" not in text:
            text += "\nb2bUserState: Accepted"
        add_entry(self.root, guest_ldif(name, lines=text, **options), relax=True)
        return guest_dn(name)

    def member(self, name):
        add_entry(self.root, builders.people_ldif((name,), PEOPLE))
        return member_dn(name)

    def group(self, name, *members, owner=None):
        attrs = [("objectClass", [b"groupOfNames"]), ("cn", [name.encode()]),
                 ("member", [dn.encode() for dn in members])]
        if owner:
            attrs.append(("owner", [owner.encode()]))
        self.root.add_s(group_dn(name), attrs)
        return group_dn(name)

    def define(self, name, *lines, by="sponsor"):
        """A definition; the review starts at once unless lines say otherwise."""
        text = "\n".join(lines)
        if "b2bReviewBy" not in text:
            text += f"\nb2bReviewBy: {by}"
        add_entry(self.root, f"dn: {definition_dn(name)}\nobjectClass: b2bReviewDefinition\n"
                             f"cn: {name}\n" + text.strip("\n") + "\n")
        return definition_dn(name)

    def set(self, dn, *changes):
        self.root.modify_ext_s(dn, list(changes), serverctrls=RELAX)

    # What is there

    def entry(self, dn):
        try:
            found = self.root.search_ext_s(dn, ldap.SCOPE_BASE, attrlist=["*", "+"])
        except ldap.NO_SUCH_OBJECT:
            return None
        return as_text(found[0][1])

    def below(self, dn, filterstr="(objectClass=*)"):
        try:
            found = self.root.search_ext_s(dn, ldap.SCOPE_ONELEVEL, filterstr,
                                           attrlist=["*", "+"])
        except ldap.NO_SUCH_OBJECT:
            return {}
        return {dn: as_text(attrs) for dn, attrs in found}

    def items(self, name):
        """{name of the guest: item}; dn is among the item's attributes."""
        result = {}
        for dn, item in self.below(definition_dn(name)).items():
            guest = item["b2bReviewGuest"][0].split(",")[0].split("=")[1]
            assert guest not in result
            result[guest] = {**item, "dn": dn}
        return result

    def notices(self, kind, review=None):
        """[(address, data)] of the notices of a type, about a review."""
        found = []
        for notice in self.below(OUTBOX, f"(b2bNoticeType={kind})").values():
            data = json.loads(notice["b2bNoticeData"][0])
            if review is None or data.get("review") == review:
                found.append((notice["b2bNoticeTo"][0], data))
        return sorted(found, key=lambda pair: pair[0])

    def state(self, name):
        """(instance, open stage or None)"""
        entry = self.entry(definition_dn(name)) or {}
        stage = entry.get("b2bReviewStage", [None])[0]
        return int(entry.get("b2bReviewInstance", ["0"])[0]), stage and int(stage)

    def wait_state(self, name, instance, stage, secs=20):
        try:
            poll(lambda: self.state(name) == (instance, stage), secs,
                 f"review {name} at instance {instance} stage {stage}")
        except HarnessError as error:
            raise HarnessError(f"{error}, but {self.entry(definition_dn(name))}\n"
                               f"{self.server.tail()}") from None
        return self.items(name)

    def settle(self, name):
        """Waits until the task has looked at a definition that was written."""
        def looked():
            due = self.entry(definition_dn(name)).get("b2bNextDue")
            return not due or seconds(due[0]) > time.time()
        poll(looked, 20, f"review {name} looked at")

    # Time

    def end_stage(self, name):
        """The open stage is over: the task closes it or opens the next."""
        self.set(definition_dn(name), replace("b2bReviewCloses", ahead(-HOUR)))

    def ends_in(self, name, days, *changes):
        """The open stage has so many days left, and half an hour less."""
        self.set(definition_dn(name), replace("b2bReviewCloses", ahead(days * DAY - HOUR // 2)),
                 *changes)

    def close(self, name, instance=1):
        self.end_stage(name)
        return self.wait_state(name, instance, None)

    # Answers

    def answer(self, name, guest, who, decision, why=None, connection=None):
        """As a member (or on a connection); raises what slapd answers."""
        connection = connection or self.server.conn(member_dn(who), f"{who}-pw")
        changes = [replace("b2bReviewDecision", decision)]
        if why is not None:
            changes.append(replace("b2bReviewJustification", why))
        connection.modify_s(self.items(name)[guest]["dn"], changes)
