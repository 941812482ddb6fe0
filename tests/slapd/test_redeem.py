"""Redemption (.3.2): ticket, proof and terms, once; everything that is nearly right is refused."""

import json
import threading

import ldap
import pytest

from lib import builders as b, mint as m, records, totp
from lib.builders import guest_dn
from lib.cnconfig import code_of
from lib.conditional import container_ldif, policy
from lib.eyes import code, seen
from lib.slapd import poll
from lib.stile import Stile, conf as stile_conf
from lib.tokens import Signer

SIGNER = Signer("https://idp.redeem.example")
OTHER = Signer("https://idp.other.example")
OUT = (49, "")
BUSY = (51, "b2b: too many attempts from there")
TERMS = (53, "b2b: terms-required")
PATTERN = f"b2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}"
_count = iter(range(10000))


def manual(ldif):
    return ldif.replace("b2bAutoRedeemIn: TRUE", "b2bAutoRedeemIn: FALSE")


@pytest.fixture(scope="module")
def server(make_server, certs, home):
    """Nobody of tokens, words (a home directory) and codes is redeemed without a ticket; mia
    sponsors them."""
    server = make_server(b.tenant_server, start=False, certs=certs,
                         b2b="b2b-key-file {dir}/key.pem")
    server.mint = m.Mint(m.key_file(server))
    server.start()
    server.load(container_ldif() + manual(
        b.partner_ldif("tokens", lines=SIGNER.partner_lines())
        + b.partner_ldif("others", lines=OTHER.partner_lines())
        + b.partner_ldif("words", home.uri, PATTERN)
        + b.partner_ldif("codes", lines="b2bIdp: passcode")))
    return server


class Guest:
    """A guest that was invited, of its own for a test; what it has at home is a password, a token
    or codes, by its partner."""

    def __init__(self, server, tenant="tokens", subject="", lines="", name=None):
        self.server, self.tenant = server, tenant
        self.name = name or f"r{next(_count)}"
        self.dn, self.mail = guest_dn(self.name), f"{self.name}@home.example"
        server.load(b.guest_ldif(self.name, tenant, f"b2bSponsor: {b.member_dn('mia')}\n{lines}",
                                 subject=subject))
        self.ticket = m.ticket_of(server, server.mint, self.dn)

    def token(self, subject=None, **claims):
        return SIGNER.token(subject or self.name, **{"email": self.mail, "email_verified": True,
                                                     **claims})

    def proof(self):
        if self.tenant == "words":
            return {"password": f"{self.name}-pw"}
        if self.tenant == "codes":
            m.store(self.server, self.server.mint, self.dn, "12345678")
            return {"passcode": "12345678"}
        return {"token": self.token()}

    def redeem(self, connection=None, proof=None, **options):
        """With everything right but for what is given."""
        value = {"ticket": self.ticket, **(self.proof() if proof is None else proof), **options}
        return m.redeem(self.server, connection, **value)

    def is_in(self):
        """What redemption answers a guest that is in."""
        return 0, {"dn": self.dn, "state": "Accepted"}

    def state(self, name="b2bUserState"):
        return (self.server.entry(self.dn).get(name) or [None])[0]

    def set(self, *changes):
        self.server.root().modify_ext_s(self.dn, list(changes), serverctrls=records.RELAX)


NAMES = iter(("carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"))


def of_words(server, **options):
    return Guest(server, "words", name=next(NAMES), **options)


def wrong_persons(server, guest):
    return m.notices(server, "wrong-person", guest.dn)


# --- every way ---

@pytest.mark.parametrize("tenant", ["tokens", "words", "codes"])
def test_redeem__by_every_proof(server, tenant):
    """Ticket and proof: Accepted, at the time, and the subject at home is bound; a second time the
    ticket is nothing, and the guest signs in."""
    guest = of_words(server) if tenant == "words" else Guest(server, tenant)
    assert guest.state() == "PendingAcceptance"
    assert guest.redeem() == guest.is_in()
    assert guest.state() == "Accepted"
    assert abs(records.seconds(guest.state("b2bUserStateChanged"))
               - records.seconds(records.ahead(0))) < 5
    subject = {"tokens": guest.name, "words": f"uid={guest.name},{b.HOME_PEOPLE}",
               "codes": guest.mail}[tenant]
    assert guest.state("b2bHomeSubject") == subject
    assert guest.redeem() == OUT
    password, = guest.proof().values()
    assert code_of(server.open().simple_bind_s, guest.dn, password) == (0, "")


def test_redeem__subject_that_is_known(server):
    """Where the invitation says who it is at home, that one redeems."""
    guest = Guest(server, subject="known")
    assert guest.redeem(proof={"token": guest.token("unknown")}) == OUT
    assert guest.redeem(proof={"token": SIGNER.token("known")}) == guest.is_in()
    assert guest.state("b2bHomeSubject") == "known"


def test_redeem__due_is_moved(server):
    """Nothing of the invitation is due for a guest that redeemed it."""
    guest = Guest(server)
    guest.set(records.replace("b2bNextDue", records.next_hour(records.ahead(30 * records.DAY))))
    assert guest.redeem() == guest.is_in()
    assert records.seconds(guest.state("b2bNextDue")) > records.seconds(
        records.ahead(60 * records.DAY))


def test_redeem__tls(server):
    """Where the tenant demands TLS: 13 in the clear, whatever the ticket; over TLS as ever."""
    guest, root = Guest(server), server.root()
    root.modify_s(b.BASE, [(ldap.MOD_DELETE, "b2bRequireTls", None)])
    try:
        assert guest.redeem()[0] == 13
        assert guest.redeem(server.open(server.ldaps)) == guest.is_in()
    finally:
        root.modify_s(b.BASE, [(ldap.MOD_REPLACE, "b2bRequireTls", b"FALSE")])


@pytest.mark.parametrize("value", [
    {}, {"ticket": "x"}, {"token": "x"}, {"ticket": "x", "token": "x", "password": "y"},
    {"ticket": "x", "guest": "y", "token": "z"}, {"ticket": 1, "token": "x"},
    {"ticket": "", "token": "x"}, {"ticket": "x", "token": "x", "more": "y"},
    {"ticket": "x", "token": "x", "totp": "12345"}, {"ticket": "x", "token": "x", "totp": "12345x"},
    {"ticket": "x", "token": ["y"]}, {"ticket": "x", "password": ""},
], ids=range(12))
def test_redeem__malformed_requests(server, value):
    """What is no request is a protocol error."""
    assert m.redeem(server, **value)[0] == 2


# --- tickets ---

def flipped(ticket, at):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return ticket[:at] + letters[letters.index(ticket[at]) ^ 8] + ticket[at + 1:]


def test_redeem__forged_tickets(server):
    """Changed anywhere, cut, longer, of another guest, of another moment, under another key, for
    another tenant: 49 like a ticket that is none, and nothing is written."""
    guest, other = Guest(server), Guest(server)
    uuid, moment = guest.state("entryUUID"), records.seconds(guest.state("b2bInvitedAt"))
    impostor = m.Mint(m.key_file(server, f"{guest.name}.pem"))
    forged = [flipped(guest.ticket, at) for at in range(0, 75, 5)]
    forged += [guest.ticket[:-1], guest.ticket + "A", guest.ticket.upper(), other.ticket, "x",
               guest.ticket + "=", " " + guest.ticket, "A" * 75, "*",
               server.mint.ticket(uuid, moment - 1), server.mint.ticket(uuid, moment + 1),
               impostor.ticket(uuid, moment),
               server.mint.ticket(uuid, moment, f"cn=b2b,{b.PEOPLE}"),
               server.mint.ticket("00000000-0000-0000-0000-000000000000", moment)]
    before = server.entry(guest.dn)
    connection = None
    for number, ticket in enumerate(forged):
        connection = m.connect(server) if number % 20 == 0 else connection
        answer = guest.redeem(connection, {"token": SIGNER.token(guest.name)}, ticket=ticket)
        assert answer == OUT, ticket
    assert server.entry(guest.dn) == before
    assert guest.redeem() == guest.is_in()


def test_redeem__foreign_tenant(make_server, server):
    """Set-up: two tenants under one key and one server, one guest in each.  A ticket of one is
    nothing in the other, by suffix or by what it was made for."""
    suffix = "dc=second,dc=example"
    second = b.database_conf(suffix=suffix, directory="{dir}", lines=(
        "index b2bNextDue eq\noverlay b2b\nb2b-key-file {dir}/key.pem\n"))
    two = make_server(b.tenant_server, start=False, b2b="b2b-key-file {dir}/key.pem",
                      databases=second)
    two.mint = m.Mint(m.key_file(two))
    two.tool("slapadd", "-b", suffix, input=(
        b.tree_ldif(suffix, ("people", "guests")) + b.policy_ldif().replace(b.SUFFIX, suffix)))
    two.start()
    two.load(manual(b.partner_ldif("tokens", lines=SIGNER.partner_lines())))
    guest = Guest(two)
    said = {"ticket": guest.ticket, "token": guest.token()}
    assert m.redeem(two, suffix=suffix, **said) == OUT
    assert m.redeem(two, **said)[0] == 53  # which tenant, it must say
    assert m.redeem(two, suffix="dc=none", **said)[0] == 53
    foreign = two.mint.ticket(guest.state("entryUUID"), guest.state("b2bInvitedAt"),
                              f"cn=b2b,{suffix}")
    assert m.redeem(two, suffix=b.SUFFIX, ticket=foreign, token=guest.token()) == OUT
    assert m.redeem(two, suffix=suffix, ticket=foreign, token=guest.token()) == OUT
    assert m.redeem(two, suffix=b.SUFFIX, **said) == guest.is_in()


def test_redeem__lapsed(server):
    """Once the invitation's time is over its ticket is nothing, though the guest is still there;
    just before it is, it is good."""
    guest = Guest(server)
    for secs, answer in ((-5, OUT), (5, guest.is_in())):
        guest.set(records.replace("b2bInvitedAt", records.ahead(-30 * records.DAY + secs)))
        guest.ticket = m.ticket_of(server, server.mint, guest.dn)
        assert guest.redeem() == answer


def test_redeem__voided_by_a_later_invitation(server):
    """A second invitation voids the ticket of the first."""
    guest = Guest(server)
    former = guest.ticket
    guest.set(records.replace("b2bInvitedAt", records.ahead(7)))
    assert guest.redeem() == OUT
    guest.ticket = m.ticket_of(server, server.mint, guest.dn)
    assert guest.ticket != former and guest.redeem() == guest.is_in()


def test_redeem__after_a_reset(server):
    """A guest that was redeemed and is made to redeem again, by its subject being taken away or by
    hand: no ticket of before is good; one of now is."""
    guest = Guest(server)
    former = guest.ticket
    assert guest.redeem() == guest.is_in()
    guest.set(records.replace("b2bUserState", "PendingAcceptance"))
    assert guest.redeem() == OUT
    guest.set(records.replace("b2bUserState", "Accepted"))
    server.root().modify_s(guest.dn, [records.delete("b2bHomeSubject")])
    assert guest.state() == "PendingAcceptance"
    assert guest.redeem() == OUT
    guest.ticket = m.ticket_of(server, server.mint, guest.dn)
    assert guest.ticket != former
    assert guest.redeem(proof={"token": guest.token("new-subject")}) == guest.is_in()
    assert guest.state("b2bHomeSubject") == "new-subject"


def test_redeem__accepted_already(server):
    """A guest that an administrator accepted by hand needs no ticket, and its own is nothing."""
    guest = Guest(server, subject="by-hand")
    guest.set(records.replace("b2bUserState", "Accepted"))
    with terms(server, "v1"):
        assert guest.redeem(proof={"token": SIGNER.token("by-hand")}, terms="v1") == OUT
    assert not guest.state("b2bTermsAccepted")


@pytest.mark.parametrize("change", ["disabled", "expired", "deleted", "made anew", "class"])
def test_redeem__guest_that_is_off(server, change):
    """Disabled: 49; expired: what policy says, to who proved itself; deleted, made anew under the
    same name, or no guest any more: 49."""
    guest = Guest(server)
    root = server.root()
    if change == "disabled":
        root.modify_s(guest.dn, [records.replace("b2bAccountEnabled", "FALSE")])
    elif change == "expired":
        root.modify_s(guest.dn, [records.replace("b2bValidUntil", "20200101000000Z")])
    elif change == "class":
        root.modify_s(guest.dn, [records.delete("objectClass", "b2bGuest"),
                                 records.delete("b2bHomeTenant"),
                                 records.delete("b2bSponsor"), records.delete("b2bUserType"),
                                 records.delete("b2bAccountEnabled"),
                                 records.delete("b2bValidUntil")])
    else:
        root.delete_s(guest.dn)
        if change == "made anew":
            server.load(b.guest_ldif(guest.name, "tokens", subject=""))
    assert guest.redeem() == ((53, "b2b: expired") if change == "expired" else OUT)
    assert change in ("deleted", "class") or guest.state() == "PendingAcceptance"


# --- proofs ---

def test_redeem__wrong_proofs(server):
    """A ticket with a wrong proof, or with one that this guest's partner does not take: 49, and
    nobody is told."""
    guest = Guest(server)
    for proof in ({"token": "x"}, {"token": OTHER.token(guest.name)[:-4] + "AAAA"},
                  {"password": "secret"}, {"passcode": "12345678"},
                  {"token": guest.token(exp=1, iat=0)}):
        other = Guest(server)  # five wrong ones are enough for a ticket
        assert other.redeem(proof=proof) == OUT
        assert not wrong_persons(server, other) and other.state() == "PendingAcceptance"
    coded = Guest(server, "codes")
    m.store(server, server.mint, coded.dn, "12345678")
    for proof in ({"passcode": "87654321"}, {"passcode": "1234567"}, {"password": "12345678"},
                  {"token": SIGNER.token(coded.name)}):
        assert coded.redeem(proof=proof) == OUT
    assert coded.state("b2bPasscodeTries") == "1"


def test_redeem__codes_that_are_not_taken(server, home):
    """A right code, stored somehow, of a guest that has a provider and is not pinned to codes, is
    pinned to something else, or was said to be somebody else at home: 49, and not even counted."""
    server.load(manual(b.partner_ldif("mixed", home.uri, f"{PATTERN}\nb2bIdp: passcode")))
    pinned = Guest(server, "mixed", lines="b2bIdentityProvider: passcode")
    for guest in (Guest(server, "mixed"), Guest(server, "codes", subject="7c1e"),
                  Guest(server, "codes", lines="b2bIdentityProvider: oidc"), Guest(server),
                  Guest(server, "mixed", lines="b2bIdentityProvider: ldap")):
        m.store(server, server.mint, guest.dn, "12345678")
        assert guest.redeem(proof={"passcode": "12345678"}) == OUT
        assert guest.state("b2bPasscodeTries") == "0"
    m.store(server, server.mint, pinned.dn, "12345678")
    assert pinned.redeem(proof={"passcode": "12345678"}) == pinned.is_in()


@pytest.mark.parametrize("change", ["policy", "ticket"])
def test_redeem__changes_while_home_is_asked(server, fake_home, change):
    """Steps: home is asked, and takes its time; meanwhile the partner is blocked, or the guest
    invited anew; home says yes. Expected: what policy says then; 49."""
    home = fake_home("drip")
    home.drip_secs = 0.15  # two seconds for an answer
    name = f"late{change}"
    server.load(manual(b.partner_ldif(name, home.uri, PATTERN)))
    guest, answers = Guest(server, name), []
    thread = threading.Thread(target=lambda: answers.append(guest.redeem(proof={"password": "x"})))
    thread.start()
    poll(lambda: home.binds, 10, "home being asked")
    if change == "policy":
        server.root().modify_s(b.partner_dn(name), [
            records.replace("b2bCollabInUsersAccess", "blocked"),
            records.replace("b2bCollabInAppsAccess", "blocked")])
    else:
        guest.set(records.replace("b2bInvitedAt", records.ahead(9)))
    thread.join(30)
    assert answers == [(53, "b2b: inbound-users") if change == "policy" else OUT]
    assert guest.state() == "PendingAcceptance"


def test_redeem__home_password(server, fake_home):
    """A wrong password is 49; a home that is down, 52; and neither a guest that policy denies nor
    one that was said to be another at home is shown there."""
    home = fake_home("code")
    server.load(manual(b.partner_ldif("asked", home.uri, PATTERN)
                       + b.partner_ldif("down", "ldap://127.0.0.1:1", PATTERN)
                       + b.partner_ldif("shut", home.uri, PATTERN + "\nb2bCollabInUsersAccess: "
                                        "blocked\nb2bCollabInAppsAccess: blocked")))
    assert Guest(server, "asked").redeem(proof={"password": "x"}) == OUT
    assert home.connections == 1
    home.behaviour = "success"
    assert Guest(server, "shut").redeem(proof={"password": "x"}) == OUT
    assert Guest(server, "asked", subject="7c1e").redeem(proof={"password": "x"}) == OUT
    assert home.connections == 1
    assert Guest(server, "down").redeem(proof={"password": "x"}) == (52, "")
    guest = Guest(server, "asked", subject=f"uid=else,{b.HOME_PEOPLE}")
    assert guest.redeem(proof={"password": "x"}) == guest.is_in()
    assert home.binds[-1][0] == f"uid=else,{b.HOME_PEOPLE}"


@pytest.mark.parametrize("wrong", ["subject", "mail", "tenant"])
def test_redeem__another_person(server, wrong):
    """A right token of another person than was invited, by subject, by verified mail, or of another
    organisation: 49, nothing written, and the sponsor is told, once a person."""
    guest = Guest(server, subject="invited" if wrong == "subject" else "")
    tokens = {"subject": [SIGNER.token(f"thief{n}") for n in (1, 1, 2)],
              "mail": [guest.token(f"thief{n}", email=f"t{n}@home.example") for n in (1, 1, 2)],
              "tenant": [OTHER.token(f"thief{n}", email=guest.mail, email_verified=True)
                         for n in (1, 1, 2)]}[wrong]
    for number, token in enumerate(tokens):
        assert guest.redeem(proof={"token": token}) == OUT
        assert len(wrong_persons(server, guest)) == (1, 1, 2)[number]
    (_, notice), _ = wrong_persons(server, guest)
    assert notice["b2bNoticeTo"] == ["mia@ours.example"]
    data = json.loads(notice["b2bNoticeData"][0])
    assert data["guestMail"] == guest.mail and data["person"]
    assert data["personTenant"] == ("others" if wrong == "tenant" else "tokens")
    for name, _ in wrong_persons(server, guest):
        server.root().delete_s(name)  # they were mailed
    assert guest.redeem(proof={"token": tokens[0]}) == OUT and not wrong_persons(server, guest)
    assert guest.state() == "PendingAcceptance"
    right = SIGNER.token("invited") if wrong == "subject" else guest.token()
    assert guest.redeem(proof={"token": right}) == guest.is_in()


def test_redeem__token_that_says_too_little(server):
    """Without a verified mail nobody can tell whose token it is: 49, and nobody is told."""
    guest = Guest(server)
    for claims in ({"email": None}, {"email_verified": False}):
        assert guest.redeem(proof={"token": guest.token(**claims)}) == OUT
    assert not wrong_persons(server, guest)


def test_redeem__tokens_that_are_good_once(server):
    """b2bTokenOnce: one that was denied for want of terms is good still, and once."""
    once = Signer("https://idp.once.example")
    server.load(manual(b.partner_ldif("once", lines=once.partner_lines("b2bTokenOnce: TRUE"))))
    guest = Guest(server, "once", subject="a")
    token = once.token("a", jti="1")
    with terms(server, "v1"):
        assert guest.redeem(proof={"token": token}) == TERMS
        assert guest.redeem(proof={"token": token}, terms="v1") == guest.is_in()
    assert code_of(server.open().simple_bind_s, guest.dn, token) == OUT


# --- policy and terms ---

class terms:  # noqa: N801
    """The tenant has terms of a version for the time of a block."""

    def __init__(self, server, version):
        self.root, self.version = server.root(), version

    def __enter__(self):
        self.root.modify_s(b.BASE, [records.replace("b2bTermsVersion", self.version)])

    def __exit__(self, *_):
        self.root.modify_s(b.BASE, [records.replace("b2bTermsVersion")])


@pytest.mark.parametrize("tenant", ["tokens", "words", "codes"])
def test_redeem__terms(server, tenant):
    """Terms must be those of the tenant, to the letter, and are asked for only once ticket and
    proof are right; then they stand in the entry. The proof is not used up by the question."""
    guest = of_words(server) if tenant == "words" else Guest(server, tenant)
    proof = guest.proof()
    with terms(server, "2026-01"):
        assert guest.redeem(proof={"token": "x"}) == OUT
        for said in ({}, {"terms": "2025-12"}, {"terms": "2026-01 "}):
            assert guest.redeem(proof=proof, **said) == TERMS
        assert guest.state() == "PendingAcceptance" and not guest.state("b2bTermsAccepted")
        assert guest.redeem(proof=proof, terms="2026-01") == guest.is_in()
    assert guest.state("b2bTermsAccepted") == "2026-01"


def test_redeem__grant_of_terms(server):
    """End to end: a policy wants terms. Redemption with them satisfies it; a newer version takes
    the guest's access, on held connections too, until it accepts that: without a ticket, by name or
    by address, with a right proof."""
    guest = Guest(server)
    with terms(server, "v1"), policy(server, "b2bCaGrant: terms"):
        assert guest.redeem(terms="v1") == guest.is_in()
        held = server.conn(guest.dn, guest.token())
        assert guest.dn in seen(held, b.SUFFIX)
        with terms(server, "v2"):
            assert code(seen, held, b.SUFFIX) == 53
            assert code_of(server.open().simple_bind_s, guest.dn, guest.token()) == TERMS
            newer = {"guest": guest.dn, "token": guest.token(), "terms": "v2"}
            assert m.redeem(server, **{**newer, "token": SIGNER.token("else")}) == OUT
            assert m.redeem(server, **{**newer, "terms": "v1"}) == TERMS
            assert m.redeem(server, **{**newer, "guest": guest_dn("nobody")}) == OUT
            assert m.redeem(server, **{**newer, "guest": b.member_dn("mia")}) == OUT
            assert m.redeem(server, **newer) == guest.is_in()
            assert guest.dn in seen(held, b.SUFFIX)
            with terms(server, "v3"):
                newer = {**newer, "guest": guest.mail, "terms": "v3"}
                assert m.redeem(server, **newer) == guest.is_in()
                assert guest.state("b2bTermsAccepted") == "v3"


def test_redeem__name_is_no_ticket(server):
    """Who is yet to redeem, where nobody is redeemed by a proof alone, cannot do so by its name."""
    guest = Guest(server)
    answer = m.redeem(server, guest=guest.dn, token=guest.token())
    assert answer == (53, "b2b: not-redeemed") and guest.state() == "PendingAcceptance"


def test_redeem__policy(server):
    """After ticket and proof are right, denials are those of a bind; several factors are shown by
    totp, or behind a token."""
    for way in ("member", "token"):
        guest = Guest(server)
        with policy(server, f"b2bCaGrant: block\nb2bCaIncludeGuest: {guest.dn}"):
            assert guest.redeem() == (53, "b2b: blocked")
        secret = totp.enrol(server.root(), guest.dn)
        with policy(server, f"b2bCaGrant: mfa\nb2bCaIncludeGuest: {guest.dn}"):
            assert guest.redeem() == (8, "b2b: mfa-required")
            assert guest.redeem(totp=totp.wrong_code(secret)) == (8, "b2b: mfa-required")
            right = totp.code(secret)
            assert guest.redeem(proof={"token": SIGNER.token("else")}, totp=right) == OUT
            told = {"totp": right} if way == "member" else {
                "proof": {"token": guest.token() + right}}
            assert guest.redeem(**told) == guest.is_in()


# --- many at once, and limits ---

def test_redeem__overtaken_at_the_write(tmp_path):
    """Set-up: a guest was invited by its address. Steps: somebody who has that at home redeems, and
    as it is written the guest itself does, and is in; then his goes on. Expected: 49, and the guest
    stays its own."""
    stile = Stile(tmp_path / "stile")
    stopped = b.tenant_server(start=False, sweep=0, modules=("back_sock",), b2b=(
        "b2b-key-file {dir}/key.pem\n" + stile_conf(tmp_path / "stile", "zoe")))
    stopped.mint = m.Mint(m.key_file(stopped))
    with stopped as server:
        server.load(manual(b.partner_ldif("tokens", lines=SIGNER.partner_lines())))
        guest, answers = Guest(server, name="zoe"), []
        thief = threading.Thread(target=lambda: answers.append(
            guest.redeem(proof={"token": guest.token("thief")})))
        thief.start()
        assert stile.holds.wait(20) and "b2bHomeSubject: thief" in stile.held
        assert guest.redeem() == guest.is_in()
        stile.go_on.set()
        thief.join(20)
        assert answers == [OUT] and guest.state("b2bHomeSubject") == "zoe"
        stile.stop()


@pytest.mark.parametrize("tenant", ["tokens", "codes"])
def test_redeem__two_at_once(server, tenant):
    """Four at once with one ticket, each with a proof of its own: one of them wins, the guest is
    its."""
    guest = Guest(server, tenant)
    if tenant == "codes":
        proofs = [guest.proof()] * 4
    else:
        proofs = [{"token": guest.token(f"{guest.name}-{n}")} for n in range(4)]
    connections = [m.connect(server) for _ in proofs]
    barrier, answers = threading.Barrier(4), {}

    def work(number):
        barrier.wait()
        answers[number] = guest.redeem(connections[number], proofs[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    winners = [number for number in answers if answers[number][0] == 0]
    assert len(winners) == 1 and all(a in (OUT, guest.is_in()) for a in answers.values()), answers
    subject = guest.mail if tenant == "codes" else f"{guest.name}-{winners[0]}"
    assert guest.state("b2bHomeSubject") == subject


def test_redeem__guessing_behind_a_ticket(server, fake_home):
    """Set-up: a stolen ticket of a guest with a password at home. Five wrong passwords in an hour:
    home hears no more, and the right one is refused too. Another ticket of the same peer goes on.
    """
    home = fake_home("code")
    server.load(manual(b.partner_ldif("guessed", home.uri, PATTERN)))
    guest, peer = Guest(server, "guessed"), m.new_peer()
    for number in range(8):
        assert guest.redeem(m.connect(server, peer), {"password": f"guess{number}"}) == OUT
    assert len(home.binds) == 5
    home.behaviour = "success"
    assert guest.redeem(proof={"password": "right"}) == OUT and len(home.binds) == 5
    other = Guest(server, "guessed")
    assert other.redeem(m.connect(server, peer), {"password": "right"}) == other.is_in()


def test_redeem__right_proofs_are_not_counted(server):
    """A guest that lacks terms, however often, can go on when it has them; and so when its home was
    down."""
    guest = Guest(server)
    with terms(server, "v1"):
        assert [guest.redeem() for _ in range(7)] == [TERMS] * 7
        assert guest.redeem(terms="v1") == guest.is_in()


def test_redeem__limit_per_peer(server):
    """Thirty in a minute from one peer, whatever it brings; then 51, for a right one too, which
    another peer may bring."""
    guest, peer = Guest(server), m.new_peer()
    connection = m.connect(server, peer)
    for number in range(30):
        assert m.redeem(server, connection, ticket=f"x{number}", token="x") == OUT
    assert m.redeem(server, connection, ticket="x", token="x") == BUSY
    assert guest.redeem(m.connect(server, peer)) == BUSY
    assert guest.redeem() == guest.is_in()


# --- automatic redemption binds the subject too ---

def test_redeem__first_bind_binds_the_subject(server, home):
    """A partner with automatic redemption and a home directory: the first sign-in binds the name at
    home for ever, so that another uid, and thereby another name at home, lets nobody in; where the
    invitation says who it is, and the pattern makes another, nobody is asked."""
    server.load(b.partner_ldif("auto", home.uri, PATTERN))
    guest = Guest(server, "auto", name="alice")
    assert code_of(server.open().simple_bind_s, guest.dn, "alice-pw") == (0, "")
    assert guest.state("b2bHomeSubject") == f"uid=alice,{b.HOME_PEOPLE}"
    assert guest.state() == "Accepted"
    server.root().modify_s(guest.dn, [records.add("uid", "mallory")])
    assert code_of(server.open().simple_bind_s, guest.dn, "alice-pw") == (0, "")
    known = Guest(server, "auto", name="bob", subject="7c1e")
    assert code_of(server.open().simple_bind_s, known.dn, "bob-pw") == OUT
    assert known.state() == "PendingAcceptance"


def test_redeem__overlay_goes_meanwhile(certs, fake_home):
    """Steps: a redemption waits for a home that hangs; overlay b2b, then b2bgate, are deleted by
    cn=config.  Expected: 52; slapd goes on and ends cleanly."""
    stopped = b.tenant_server(start=False, certs=certs, convert=True,
                              b2b="b2b-home-timeout 4\nb2b-key-file {dir}/key.pem")
    mint, home = m.Mint(m.key_file(stopped)), fake_home("hang")
    with stopped as server:
        server.load(manual(b.partner_ldif("slow", home.uri, PATTERN)))
        answers = []
        server.load(b.guest_ldif("slow", "slow", subject=""))
        ticket = m.ticket_of(server, mint, guest_dn("slow"))
        thread = threading.Thread(target=lambda: answers.append(
            m.redeem(server, ticket=ticket, password="x")))
        thread.start()
        poll(lambda: home.connections > 0, 10, "home being asked")
        config = server.config()
        found = config.search_s("cn=config", ldap.SCOPE_SUBTREE, "(olcOverlay=*)", ["1.1"])
        for dn in sorted((dn for dn, _ in found), key=lambda dn: "b2bgate" in dn):
            config.delete_s(dn)
        thread.join(30)
        assert answers == [(52, "")]
        assert server.conn(b.member_dn("mia"), "mia-pw").whoami_s()


def test_redeem__nothing_is_logged(server):
    """Neither tickets nor proofs are in the log; what was wrong is, in words."""
    guest, mark = Guest(server), server.log_mark()
    words = of_words(server)
    assert words.redeem(proof={"password": "Geheim-77"}) == OUT
    token = guest.token()
    assert guest.redeem(ticket="x" + guest.ticket[1:]) == OUT
    assert guest.redeem(proof={"token": token}) == guest.is_in()
    log = server.log(mark)
    assert "redemption refused: the password is wrong" in log
    assert "redemption refused: no such ticket" in log and "accepted its invitation" in log
    assert "Geheim-77" not in log and guest.ticket[1:] not in log and token[:40] not in log
