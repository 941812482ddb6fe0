"""Access reviews by definition on a server that dies (signal 9) in the middle of a step, and of two
servers that work on one review: nobody is left out, nothing is done twice."""

import contextlib
import ldap
import pytest
import random
import time

from lib import builders
from lib.builders import GUESTS, guest_dn, guest_ldif, member_dn
from lib.records import HOUR, ahead, replace
from lib.review import ACCESS, LDIF, OUTBOX, Reviews, definition_dn
from lib.slapd import poll

COUNT = 300  # guests: enough that a step takes longer than a wink
KILLS = 10
SPONSORS = ("mia", "max", "zoe")


def guests_ldif(count=COUNT):
    return "".join(guest_ldif(f"g{n}", lines="b2bUserState: Accepted\n"
                              f"b2bSponsor: {member_dn(SPONSORS[n % 3])}") for n in range(count))


class Mortal(Reviews):
    """A server that is killed again and again until something is reached."""

    def __init__(self, server, seed):
        super().__init__(server)
        self.random = random.Random(seed)
        self.killed = 0

    def kill(self):
        """In a moment that is different each time; and up again."""
        time.sleep(self.random.uniform(0, 0.06))
        self.server.kill()
        self.killed += 1
        self.server.start()
        self.root = self.server.root()

    def kill_while(self, condition):
        for _ in range(KILLS):
            self.kill()
            if not condition():
                return


@pytest.fixture(params=range(3))
def mortal(request):
    """Guests by slapadd; the mass limit is out of the way."""
    server = builders.tenant_server(sweep=1, start=False, access=ACCESS, data=LDIF + guests_ldif())
    try:
        server.start()
        reviews = Mortal(server, request.param)
        reviews.root.modify_s(builders.BASE, [replace("b2bMassLimit", "100000")])
        yield reviews
        server.stop()
    finally:
        server.remove()


def test_killed_in_each_step(mortal):
    """Set-up: 300 guests of three sponsors, a review of two stages.  Steps: slapd is killed up to
    ten times at random moments while it starts, hands on, and closes.  Expected: each guest has
    one item, each reviewer of a stage one mail; after the end every item is applied, who was
    approved is on and says so once, who was not is off."""
    mortal.define("crash", "b2bReviewBy: {0}sponsor", f"b2bReviewBy: {{1}}{member_dn('bea')}")
    mortal.kill_while(lambda: mortal.state("crash") == (0, None))
    items = mortal.wait_state("crash", 1, 0)
    assert set(items) == {f"g{n}" for n in range(COUNT)}
    assert [address.split("@")[0] for address, _ in mortal.notices("review", "crash")] == [
        "max", "mia", "zoe"]
    connection = {name: mortal.server.conn(member_dn(name), f"{name}-pw") for name in SPONSORS}
    for n in range(0, COUNT, 3):
        connection["mia"].modify_s(items[f"g{n}"]["dn"], [
            replace("b2bReviewDecision", "Deny" if n % 2 else "Approve"),
            replace("b2bReviewJustification", "looked at")])
    mortal.end_stage("crash")
    mortal.kill_while(lambda: mortal.state("crash") == (1, 0))
    items = mortal.wait_state("crash", 1, 1)
    for n in range(COUNT):
        denied = n % 3 == 0 and n % 2 == 1
        item = items[f"g{n}"]
        assert item["b2bReviewStage"] == ["0" if denied else "1"]
        assert ("b2bReviewDecision" in item) == denied
        assert len(item.get("b2bReviewHistory", [])) == (n % 3 == 0)
    assert len(mortal.notices("review", "crash")) == 4
    bea = mortal.server.conn(member_dn("bea"), "bea-pw")
    for n in range(0, COUNT, 4):
        if not (n % 3 == 0 and n % 2 == 1):
            bea.modify_s(items[f"g{n}"]["dn"], [replace("b2bReviewDecision", "Approve"),
                                                replace("b2bReviewJustification", "approved")])
    mortal.end_stage("crash")
    mortal.kill_while(lambda: mortal.state("crash") == (1, 1))
    items = mortal.wait_state("crash", 1, None)
    assert len(items) == COUNT and mortal.killed >= 3
    for n in range(COUNT):
        guest, item = mortal.entry(guest_dn(f"g{n}")), items[f"g{n}"]
        assert item["b2bReviewItemState"] == ["applied"]
        approved = n % 4 == 0
        assert item["b2bReviewDecision"] == ["Approve" if approved else "Deny"]
        assert guest["b2bAccountEnabled"] == ["TRUE" if approved else "FALSE"]
        assert ("b2bDisabledReason" in guest) != approved
        assert len(guest.get("b2bReviewHistory", [])) == approved
    # a guest and its sponsor hear once that it is off
    lapsed = mortal.below(OUTBOX, "(b2bNoticeType=lapsed)")
    assert len(lapsed) == 2 * sum(1 for n in range(COUNT) if n % 4)


def test_killed_while_it_starts_again(mortal):
    """Killed while the second review takes the place of the first: no item of the first is left,
    each guest has one of the second."""
    mortal.define("again", "b2bReviewDefault: Approve", "b2bReviewRecurrence: days=10",
                  "b2bReviewDuration: 1", f"b2bReviewStart: {ahead(-24 * HOUR * 15)}")
    mortal.wait_state("again", 1, 0)
    mortal.close("again", 1)
    mortal.set(definition_dn("again"), replace("b2bReviewOpened", ahead(-24 * HOUR * 11)))
    mortal.kill_while(lambda: mortal.state("again") == (1, None))
    items = mortal.wait_state("again", 2, 0)
    assert set(items) == {f"g{n}" for n in range(COUNT)}
    assert all(item["dn"].startswith("cn=2-") for item in items.values())
    assert all(item["b2bReviewItemState"] == ["asked"] for item in items.values())


def test_pause_and_shutdown_in_a_large_review(make_server):
    """Set-up: 2000 guests.  Steps: a review starts, and while it does cn=config is changed and the
    server is stopped in an orderly way.  Expected: neither waits for the review, which is whole
    after the next start."""
    server = make_server(builders.tenant_server, sweep=1, start=False, access=ACCESS,
                         data=LDIF + guests_ldif(2000))
    server.start()
    reviews = Reviews(server)
    reviews.define("large")
    begun = time.monotonic()
    config = server.config()
    config.modify_s("cn=config", [replace("olcIdleTimeout", "3600")])
    assert time.monotonic() - begun < 2
    server.stop()
    assert time.monotonic() - begun < 5
    server.start()
    reviews.root = server.root()
    items = reviews.wait_state("large", 1, 0, secs=60)
    assert len(items) == 2000


@pytest.fixture
def pair():
    """Two servers, each the other's provider, both sweeping."""
    servers = []
    with contextlib.ExitStack() as stack:
        for number in (1, 2):
            server = builders.tenant_server(
                start=False, load=False, sweep=1, access=ACCESS, modules=("syncprov",),
                global_conf=f"serverID {number}", name=f"peer{number}",
                database="index entryUUID,entryCSN eq\n{peer}\noverlay syncprov\n")
            servers.append(server)
            stack.callback(server.remove)
        for server, other in zip(servers, reversed(servers)):
            text = server.conf_file.read_text().replace(
                "{peer}", f"syncrepl rid=1 provider={other.uri} type=refreshAndPersist "
                f"searchbase={builders.SUFFIX} bindmethod=simple binddn={builders.ROOTDN} "
                f"credentials={builders.ROOTPW} retry=\"1 +\"\nmultiprovider on")
            server.conf_file.write_text(text)
        yield servers


def test_two_servers_share_a_review(pair):
    """Set-up: two providers that follow each other.  Steps: a definition is written on one; the
    review is closed on both at once.  Expected: both hold the same items, one a guest; both agree
    on who is off."""
    count = 20
    pair[0].load(builders.tree_ldif(builders.SUFFIX, ("people", "guests"))
                 + builders.people_ldif(("mia", "max", "zoe"), builders.PEOPLE)
                 + builders.policy_ldif() + f"dn: cn=reviews,{builders.BASE}\n"
                 "objectClass: b2bContainer\ncn: reviews\n\n" + guests_ldif(count))
    for server in pair:
        server.start()
    both = [Reviews(server) for server in pair]
    poll(lambda: len(both[1].below(GUESTS)) == count, 30, "replicated")
    both[0].define("shared", "b2bReviewDefault: Deny")
    for reviews in both:
        reviews.wait_state("shared", 1, 0, secs=30)
    poll(lambda: both[0].items("shared").keys() == both[1].items("shared").keys(), 30, "alike")
    assert len(both[0].items("shared")) == count
    for reviews in both:
        with contextlib.suppress(ldap.LDAPError):
            reviews.end_stage("shared")
    for reviews in both:
        reviews.wait_state("shared", 1, None, secs=30)

    def alike():
        views = [{dn: (e["b2bAccountEnabled"], e.get("b2bDisabledReason"))
                  for dn, e in reviews.below(GUESTS).items()} for reviews in both]
        return views[0] == views[1] and views[0]
    view = poll(alike, 30, "the same guests")
    assert set(map(str, view.values())) == {str((["FALSE"], ["review-lapsed"]))}
    poll(lambda: all(item["b2bReviewItemState"] == ["applied"]
                     for reviews in both for item in reviews.items("shared").values()),
         30, "applied")
