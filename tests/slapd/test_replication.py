"""Replication: what the task and the record keeper write reaches consumers whole; a consumer obeys
a new policy at once and its own task stays still; two providers that sweep at once agree."""

import ldap
import pytest
import time

from lib import builders
from lib.builders import (ROOTDN, ROOTPW, SUFFIX, guest_dn, guest_ldif, member_dn, partner_dn,
                          partner_ldif)
from lib.hostile import FakeHome
from lib.records import (DAY, HOUR, RELAX, add_entry, ahead, delete, denial, next_hour, replace,
                         subtree)
from lib.slapd import poll

PAST = ahead(-2 * HOUR)
INDEX = "index entryCSN,entryUUID eq\n"
SYNCPROV = INDEX + "overlay syncprov\nsyncprov-checkpoint 100 10\n"


def syncrepl(uri, rid=1):
    return (f"syncrepl rid={rid:03d} provider={uri} type=refreshAndPersist bindmethod=simple "
            f'binddn="{ROOTDN}" credentials={ROOTPW} searchbase="{SUFFIX}" schemachecking=off '
            'retry="1 +"\n')


def consumer_conf(provider):
    return INDEX + syncrepl(provider.uri) + f"updateref {provider.uri}\n"


def expired(count, prefix="g"):
    return "".join(guest_ldif(f"{prefix}{n}", lines=f"b2bValidUntil: {PAST}")
                   for n in range(count))


def state(server):
    """Every entry of the database with every attribute that replicates."""
    connection = server.root()
    entries = subtree(connection, SUFFIX)
    connection.unbind_ext_s()
    return entries


def difference(one, other):
    a, b = state(one), state(other)
    return sorted(dn for dn in set(a) | set(b) if a.get(dn) != b.get(dn))


def wait_same(one, other, secs=30):
    poll(lambda: not difference(one, other), secs, "both servers hold the same", step=0.1)


# slapd looks whether an entry from another provider is newer, and writes it, in two steps: a change
# of its own in between is lost.  Where both made the same change at once, each may end with the
# other's moment.
MOMENT = {"entryCSN", "modifyTimestamp", "b2bDisabledAt", "b2bDeleteAfter"}


def wait_alike(one, other, secs=30):
    """The same but for the moment at which both servers did the same."""
    def alike():
        a, b = state(one), state(other)
        return set(a) == set(b) and all(
            {name for name in {*a[dn], *b[dn]} if a[dn].get(name) != b[dn].get(name)} <= MOMENT
            for dn in a)
    poll(alike, secs, "both servers hold the same", step=0.1)


def enabled(server):
    connection = server.root()
    found = connection.search_s(builders.GUESTS, ldap.SCOPE_ONELEVEL,
                                "(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE))", ["uid"])
    connection.unbind_ext_s()
    return {entry["uid"][0].decode() for _, entry in found}


def wait_enabled(server, names, secs=30):
    poll(lambda: enabled(server) == set(names), secs, f"only {sorted(names)} enabled", step=0.05)


def set_sweep(server, secs):
    config = server.config()
    dn = next(dn for dn, _ in config.search_s("cn=config", ldap.SCOPE_SUBTREE,
                                              "(objectClass=olcB2bConfig)", ["1.1"]))
    config.modify_s(dn, [replace("olcB2bSweepInterval", str(secs))])
    config.unbind_ext_s()


class Pair:
    """A provider whose task is off, and a consumer whose task runs every second."""

    def __init__(self):
        self.home = FakeHome("success")
        self.provider = builders.tenant_server(
            sweep=0, modules=("syncprov",), database=SYNCPROV, name="provider",
            tenant="b2bMassLimit: 100%",
            data=partner_ldif("home", self.home.uri))
        self.root = self.provider.root()
        self.consumer = builders.tenant_server(
            load=False, sweep=1, database=consumer_conf(self.provider), name="consumer")
        self.same()

    def same(self):
        wait_same(self.provider, self.consumer)

    def end(self):
        try:
            self.consumer.stop()
            self.provider.stop()
        finally:
            self.consumer.remove()
            self.provider.remove()
            self.home.stop()


@pytest.fixture(scope="module")
def pair():
    made = Pair()
    yield made
    made.end()


@pytest.fixture
def clean(pair):
    yield pair
    set_sweep(pair.provider, 0)
    for dn, _ in pair.root.search_s(builders.GUESTS, ldap.SCOPE_ONELEVEL, attrlist=["1.1"]):
        pair.root.delete_s(dn)
    pair.same()


def test_a_sweep_reaches_the_consumer_whole(clean):
    """Set-up: 200 expired guests at the provider, already at the consumer, which is in its persist
    phase.  Steps: the provider's task runs once.  Expected: all 200 changes arrive, by
    themselves, with the provider's entryCSN, and the consumer never starts over."""
    clean.provider.load(expired(200))
    clean.same()
    assert len(enabled(clean.consumer)) == 200
    mark, consumer_mark = clean.provider.log_mark(), clean.consumer.log_mark()
    set_sweep(clean.provider, 3600)
    wait_enabled(clean.provider, ())
    wait_enabled(clean.consumer, ())
    clean.same()
    assert clean.provider.log(mark).count(" disabled reason=expired") == 200
    assert "retrying" not in clean.consumer.log(consumer_mark)
    csns = {entry["entryCSN"][0] for dn, entry in state(clean.provider).items()
            if dn.startswith("uid=g")}
    assert len(csns) == 200


def test_writes_of_clients_reach_the_consumer_whole(clean):
    """Set-up: a guest with a long entry.  Steps: two managers change it at the same moment, again
    and again, so that the record keeper has to put b2bNextDue right.  Expected: the consumer
    ends with the same entry each time."""
    dn = add_entry(clean.root, guest_ldif("busy"))
    clean.root.modify_s(dn, [replace("description", *(f"{n} " + 500 * "x" for n in range(400)))])
    writers = [clean.provider.root() for _ in range(2)]
    for n in range(60):
        times = [ahead((30 + 20 * (n % 2)) * DAY), ahead((40 + 20 * (n % 2)) * DAY)]
        names = ("b2bValidUntil", "b2bReviewDue") if n % 4 < 2 else ("b2bReviewDue",
                                                                     "b2bValidUntil")
        calls = [(writer, writer.modify_ext(dn, [replace(name, when)]))
                 for writer, name, when in zip(writers, names, times)]
        for writer, call in calls:
            writer.result(call)
        clean.same()
        assert clean.consumer.entry(dn)["b2bNextDue"] == [next_hour(min(times))]


def test_policy_change_takes_effect_at_the_consumer(clean):
    """Set-up: a guest holds a connection to the consumer.  Steps: at the provider its partner is
    blocked, then not; its application needs an assignment; it is disabled.  Expected: the
    connection is refused and served accordingly, with the reason, and a new sign-in too."""
    add_entry(clean.root, guest_ldif("alice", lines="b2bUserState: Accepted"), relax=True)
    clean.same()
    alice = clean.consumer.conn(guest_dn("alice"), "x", uri=clean.consumer.uri)
    assert denial(alice) is None
    partner = partner_dn("home")

    def wait_denial(reason):
        poll(lambda: denial(alice) == reason, 10, f"{reason} at the consumer")

    clean.root.modify_s(partner, [replace("b2bCollabInUsersAccess", "blocked"),
                                  replace("b2bCollabInAppsAccess", "blocked")])
    wait_denial("b2b: inbound-users")
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        clean.consumer.conn(guest_dn("alice"), "x")
    clean.root.modify_s(partner, [delete("b2bCollabInUsersAccess"),
                                  delete("b2bCollabInAppsAccess")])
    wait_denial(None)
    app = add_entry(clean.root, builders.app_ldif("loop", "b2bAppPeer: 127.0.0.1\n"
                                                          "b2bAppAssignmentRequired: TRUE"))
    wait_denial("b2b: not-assigned")
    clean.root.delete_s(app)
    wait_denial(None)
    clean.root.modify_s(guest_dn("alice"), [replace("b2bAccountEnabled", "FALSE")])
    wait_denial("b2b: disabled")


def test_invitation_is_redeemed_at_the_provider_only(clean):
    """A guest whose invitation is open signs in at the consumer: let in, and the consumer writes
    nothing of its own."""
    add_entry(clean.root, guest_ldif("bob"))
    clean.same()
    clean.consumer.conn(guest_dn("bob"), "x").unbind_ext_s()
    assert clean.consumer.entry(guest_dn("bob"))["b2bUserState"] == ["PendingAcceptance"]
    clean.provider.conn(guest_dn("bob"), "x").unbind_ext_s()
    clean.same()
    assert clean.consumer.entry(guest_dn("bob"))["b2bUserState"] == ["Accepted"]


def test_sign_in_is_noted_at_the_provider_only(clean):
    """A guest signs in at the consumer, then at the provider: only the latter is noted, without a
    word of who wrote it, and the consumer learns of it all the same."""
    dn = add_entry(clean.root, guest_ldif("bob", lines="b2bUserState: Accepted"), relax=True)
    clean.same()
    stamp = clean.provider.entry(dn)["modifyTimestamp"]
    clean.consumer.conn(dn, "x").unbind_ext_s()
    clean.same()
    assert "b2bLastSignIn" not in clean.consumer.entry(dn)
    clean.provider.conn(dn, "x").unbind_ext_s()
    poll(lambda: "b2bLastSignIn" in clean.consumer.entry(dn), 20, "the note at the consumer")
    clean.same()
    assert clean.consumer.entry(dn)["modifyTimestamp"] == stamp


def test_consumer_refers_writes(clean):
    """Clients cannot write at the consumer; its record keeper does not stand in the way of what
    the provider sends, unlawful or not: an entry that slapadd or relax made is replicated."""
    dn = add_entry(clean.root, guest_ldif("odd"))
    with pytest.raises(ldap.REFERRAL):
        clean.consumer.root().modify_s(dn, [replace("description", "x")])
    clean.root.modify_ext_s(dn, [replace("b2bNextDue", ahead(DAY))], serverctrls=RELAX)
    clean.root.modify_s(dn, [replace("b2bReviewDecision", "Deny")])
    clean.same()


def test_consumer_task_stays_still(clean):
    """Set-up: expired guests; the provider's task is off, the consumer's runs every second.
    Expected: for as long as it is a consumer nothing is written there; when its syncrepl is taken
    away at run time, its own task does the work, so it was alive.  (Last: it is no consumer any
    more.)"""
    clean.provider.load(expired(5))
    clean.same()
    mark = clean.consumer.log_mark()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert len(enabled(clean.consumer)) == 5
        time.sleep(0.1)
    assert "b2b: task" not in clean.consumer.log(mark)
    assert not difference(clean.provider, clean.consumer)
    config = clean.consumer.config()
    config.modify_s("olcDatabase={1}mdb,cn=config", [delete("olcSyncrepl"), delete("olcUpdateRef")])
    wait_enabled(clean.consumer, ())
    assert len(enabled(clean.provider)) == 5
    root = clean.consumer.root()  # what it would have mailed is not known to its provider
    for dn in sorted(set(state(clean.consumer)) -
     set(state(clean.provider)), key=len, reverse=True):
        root.delete_s(dn)
    config.modify_s("olcDatabase={1}mdb,cn=config", [
        (ldap.MOD_ADD, "olcSyncrepl", [syncrepl(clean.provider.uri)[9:].strip().encode()])])


def provider_conf(number, other_port):
    return {"global_conf": f"serverID {number}\n", "modules": ("syncprov",), "sweep": 1,
            "database": INDEX + syncrepl(f"ldap://127.0.0.1:{other_port}", 3 - number)
            + "multiprovider on\noverlay syncprov\n", "start": False, "load": False,
            "name": f"provider{number}"}


def test_two_providers_sweep_at_once():
    """Set-up: two providers of each other with the same 100 expired guests and 20 others, by
    slapcat and slapadd.  Steps: both start, so that both tasks work at once; a while later more
    expired guests are added at both.  Expected: both end with the same entries and attributes
    (but for the moment, see MOMENT), every expired guest disabled once for all, nobody else; what
    is unlawful is refused here too."""
    first = builders.tenant_server(**provider_conf(1, 1))
    second = builders.tenant_server(**provider_conf(2, first.port))
    try:
        text = first.conf_file.read_text().replace("//127.0.0.1:1 ", f"//127.0.0.1:{second.port} ")
        first.conf_file.write_text(text)
        first.load(builders.tree_ldif(SUFFIX, ("people", "guests"))
                   + builders.people_ldif(("mia",), builders.PEOPLE)
                   + builders.policy_ldif(tenant="b2bMassLimit: 100%") + expired(100)
                   + "".join(guest_ldif(f"ok{n}") for n in range(20)), "-w", "-S1")
        second.load(first.tool("slapcat", "-b", SUFFIX).stdout, "-w", "-S1")
        first.start()
        second.start()
        fine = {f"ok{n}" for n in range(20)}
        for server in (first, second):
            wait_enabled(server, fine)
        wait_alike(first, second)
        first.load(expired(30, "x"))
        second.load(expired(30, "y"))
        poll(lambda: len(state(first)) == len(state(second)) >= 180, 30, "all are everywhere")
        for server in (first, second):
            wait_enabled(server, fine)
        wait_alike(first, second)
        for dn, entry in state(first).items():
            if entry.get("b2bAccountEnabled") == [b"FALSE"]:
                assert entry["b2bDisabledReason"] == [b"expired"]
                assert len(entry["b2bDisabledAt"]) == len(entry["b2bNextDue"]) == 1
        assert member_dn("mia") in state(second)
        # the rootdn, in whose name changes replicate, is checked like everybody
        for change in (replace("userPassword", "x"), replace("b2bUserType", "Robot")):
            with pytest.raises(ldap.CONSTRAINT_VIOLATION):
                first.root().modify_s(guest_dn("ok0"), [change])
        first.stop()
        second.stop()
    finally:
        first.remove()
        second.remove()
