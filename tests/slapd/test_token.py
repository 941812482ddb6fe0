"""A guest signs in with a token of its home's OpenID provider: the ways in, whose token it is, what
it is good for.  What must be refused stands in test_token_hostile.py."""

import threading

import ldap
import pytest

from lib import builders as b, records, ways
from lib.builders import guest_dn, partner_dn
from lib.eyes import code, seen
from lib.idp import ALGORITHMS, Idp
from lib.tokens import ALL_ALGORITHMS, Key, Signer, jwks
from lib.ways import Answer, is_in, is_out


@pytest.fixture(scope="module")
def server(tenant, idp):
    """Our tenant with the partner "home", whose people the real provider signs in."""
    tenant.load(b.partner_ldif("home", lines=idp.partner_lines()))
    return tenant


@pytest.fixture(scope="module")
def second_idp():
    """Another real provider, which serves several partners."""
    provider = Idp()
    yield provider
    provider.stop()


def guest(server, name, tenant="home", lines="", subject=None):
    """A guest whose subject at home is its name, unless another is given.  Gives its DN."""
    server.load(b.guest_ldif(name, tenant, lines, name if subject is None else subject))
    return guest_dn(name)


def partner(server, tenant_id, signer, lines=""):
    """A partner with a provider made by hand (lib.tokens.Signer)."""
    server.load(b.partner_ldif(tenant_id, lines=signer.partner_lines(lines)))


# --- the ways in ---

@pytest.mark.parametrize("alg", ALGORITHMS)
def test_token__ways_in(server, idp, alg):
    """Set-up: a guest of the real provider.  Steps: id_token and access token, signed by each
    algorithm that the provider knows, in each of the three ways.  Expected: in, under its name."""
    dn = guest(server, f"ways-{alg.lower()}")
    name = f"ways-{alg.lower()}"
    is_in(server, dn, idp.id_token(name, alg))
    is_in(server, dn, idp.access_token(name, alg))


def test_token__operations(server, idp):
    """A guest that came in by a token is a guest like any: it sees itself and nothing else."""
    dn = guest(server, "operations")
    connection = server.conn(dn, idp.id_token("operations"))
    assert set(seen(connection, b.SUFFIX)) == {dn}
    assert code(connection.delete_s, dn) == 50


@pytest.mark.parametrize("alg", ALL_ALGORITHMS)
def test_token__all_algorithms(server, alg):
    """Every algorithm of the list, by a key of its kind: in; and a partner that names another in
    b2bTokenAlgorithm does not take it."""
    signer = Signer(f"https://{alg}.example", key=Key.of(alg))
    tenant_id = f"alg-{alg.lower()}"
    partner(server, tenant_id, signer)
    dn = guest(server, tenant_id, tenant_id)
    is_in(server, dn, signer.token(tenant_id, alg=alg))
    other = "ES256" if alg != "ES256" else "RS256"
    root = server.root()
    root.modify_s(partner_dn(tenant_id), [(ldap.MOD_ADD, "b2bTokenAlgorithm", other.encode())])
    is_out(server, dn, signer.token(tenant_id, alg=alg))
    root.modify_s(partner_dn(tenant_id), [(ldap.MOD_ADD, "b2bTokenAlgorithm", alg.encode())])
    is_in(server, dn, signer.token(tenant_id, alg=alg))


def test_token__application_by_audience(server):
    """The audience names the application, whatever else the connection says: an application that
    the partner is blocked for is 53 with the reason, one that wants assignment too."""
    signer = Signer("https://apps.example")
    partner(server, "apps", signer, "b2bCollabInUsersAccess: allowed\n"
            "b2bCollabInAppsAccess: blocked\nb2bCollabInAppsTarget: payroll")
    server.load(b.app_ldif("payroll", "b2bAppAudience: urn:payroll")
                + b.app_ldif("atlas", "b2bAppAudience: urn:atlas\nb2bAppAssignmentRequired: TRUE"))
    dn = guest(server, "apps", "apps")
    mark = server.log_mark()
    is_in(server, dn, signer.token("apps"))
    is_out(server, dn, signer.token("apps", aud="urn:payroll"), 53, "b2b: inbound-apps")
    is_out(server, dn, signer.token("apps", aud="urn:atlas"), 53, "b2b: not-assigned")
    server.wait_log(r"app=payroll verdict=deny reason=inbound-apps", since=mark)
    server.modify(f"dn: cn=atlas,cn=applications,{b.BASE}\nchangetype: modify\n"
                  f"add: b2bAppAssignee\nb2bAppAssignee: {dn}\n")
    is_in(server, dn, signer.token("apps", aud="urn:atlas"))


def test_token__subject_claim(server, second_idp):
    """A partner that tells people by oid: the token's oid counts, its sub does not."""
    server.load(b.partner_ldif("by-oid", lines=second_idp.partner_lines(
        "b2bSubjectClaim: oid\nb2bTenantClaim: hd=oid.example")))
    dn = guest(server, "by-oid", "by-oid", subject="0f9a-22")
    hd = {"hd": "oid.example"}
    second_idp.people(**{"o-ann": {"oid": "0f9a-22", **hd}, "0f9a-22": {"oid": "other", **hd},
                         "o-none": hd})
    is_in(server, dn, second_idp.id_token("o-ann"))
    is_in(server, dn, second_idp.access_token("o-ann"))
    is_out(server, dn, second_idp.id_token("0f9a-22"))
    is_out(server, dn, second_idp.id_token("o-none"))


# --- whose token it is ---

def test_token__other_guests_name(server, idp):
    """Guest A's token under guest B's name, or under a member's, the rootdn's, a name of nobody:
    49 like any wrong password, and the token still opens A's own door."""
    mine, other = guest(server, "mine"), guest(server, "other")
    token = idp.id_token("mine")
    for dn in (other, guest_dn("nobody-here"), b.member_dn("mia"), b.ROOTDN, b.GUESTS,
               "cn=somewhere,dc=else"):
        assert ways.by_dn(server, dn, token) == Answer(49, "", ""), dn
    is_in(server, mine, token)
    assert ways.by_dn(server, other, idp.id_token("other")).who == f"dn:{other}"


def test_token__members_untouched(server):
    """A member whose password looks like a token has it checked as the password it is."""
    password = Signer().token("mia")
    server.load(b.people_ldif(("jay",), b.PEOPLE).replace("jay-pw", password))
    dn = b.member_dn("jay")
    assert ways.by_dn(server, dn, password) == Answer(0, "", f"dn:{dn}")
    assert ways.by_dn(server, dn, Signer().token("jay")) == Answer(49, "", "")
    assert ways.by_dn(server, b.member_dn("mia"), "mia-pw").code == 0


def test_token__two_partners_on_one_issuer(server):
    """Set-up: two partners of one provider, told apart by hd.  Expected: each one's people are in
    by their own domain, not by the other's, nor without one or with both; a third partner that
    nothing tells apart is refused."""
    signer = Signer("https://shared.example")
    for name in ("alpha", "beta"):
        partner(server, name, signer, f"b2bTenantClaim: hd={name}.example")
    with records.refused(server.root(), "b2bIssuer"):
        records.add_entry(server.root(), b.partner_ldif("gamma", lines=signer.partner_lines()))
    ann, ben = guest(server, "ann", "alpha", subject="1"), guest(server, "ben", "beta", subject="1")
    is_in(server, ann, signer.token("1", hd="alpha.example"))
    is_in(server, ben, signer.token("1", hd="beta.example"))
    for dn, hd in ((ann, "beta.example"), (ben, "alpha.example")):
        assert ways.by_dn(server, dn, signer.token("1", hd=hd)) == Answer(49, "", "")
    for hd in (None, "gamma.example", "", ["alpha.example", "beta.example"], True):
        is_out(server, ann, signer.token("1", hd=hd))


def test_token__real_provider_by_domain(server, second_idp):
    """The same with the real provider: whose account has no domain is no employee."""
    second_idp.people(eve={"hd": "firm.example"}, kim={"hd": "firm.test"}, free={})
    server.load(b.partner_ldif("firm", lines=second_idp.partner_lines(
        "b2bTenantClaim: hd=firm.example\nb2bTenantClaim: hd=firm.test")))
    for name in ("eve", "kim"):
        is_in(server, guest(server, name, "firm"), second_idp.id_token(name))
    is_out(server, guest(server, "free", "firm"), second_idp.id_token("free"))


# --- redemption ---

def test_token__first_token_redeems(server, idp):
    """PendingAcceptance before, Accepted after the first right token; a wrong one does nothing."""
    dn = guest(server, "redeems")
    is_out(server, dn, idp.id_token("somebody-else"), ways=["dn"])
    assert server.entry(dn)["b2bUserState"] == ["PendingAcceptance"]
    is_in(server, dn, idp.id_token("redeems"))
    entry = server.entry(dn)
    assert entry["b2bUserState"] == ["Accepted"] and entry["modifiersName"] == [b.ROOTDN]


@pytest.mark.parametrize("way", ways.WAYS)
def test_token__redeems_by_verified_mail(server, idp, way):
    """Set-up: an invitation to an address; nobody knows the subject yet.  Steps: tokens with that
    address unverified, another address, then the verified one.  Expected: 49, 49, in; from then on
    the guest is the subject that came first, and no other with the same address."""
    dn = guest(server, f"mail-{way}", subject="")
    mail = f"mail-{way}@home.example"
    people = {f"{way}-unverified": {"email": mail, "email_verified": False},
              f"{way}-text": {"email": mail, "email_verified": "true"},
              f"{way}-other": {"email": f"x{mail}"},
              f"{way}-first": {"email": mail.upper()}, f"{way}-second": {"email": mail}}
    idp.people(**people)
    for name in ("unverified", "other"):
        is_out(server, dn, idp.id_token(f"{way}-{name}"))
    assert "b2bHomeSubject" not in server.entry(dn)
    is_in(server, dn, idp.id_token(f"{way}-first"), ways=[way])
    entry = server.entry(dn)
    assert entry["b2bHomeSubject"] == [f"{way}-first"] and entry["b2bUserState"] == ["Accepted"]
    is_out(server, dn, idp.id_token(f"{way}-second"))
    is_in(server, dn, idp.id_token(f"{way}-first"))


def test_token__mail_is_for_invitations(server, idp):
    """Whoever accepted already, by another proof than a token, is not taken over by an address."""
    dn = guest(server, "accepted", subject="")
    server.root().modify_ext_s(dn, [records.replace("b2bUserState", "Accepted")],
                               serverctrls=records.RELAX)
    is_out(server, dn, idp.id_token("accepted"))
    assert "b2bHomeSubject" not in server.entry(dn)


def test_token__mail_of_two_guests(server, idp):
    """Two invitations to one address: without a name it is nobody's, and neither is taken."""
    dns = [guest(server, f"twin{n}", subject="", lines="") for n in (1, 2)]
    for dn in dns:
        server.modify(f"dn: {dn}\nchangetype: modify\nreplace: mail\nmail: twins@home.example\n")
    idp.people(twins={"email": "twins@home.example"})
    is_out(server, dns[0], idp.id_token("twins"), ways=["subject", "bearer"])
    assert all("b2bHomeSubject" not in server.entry(dn) for dn in dns)


def test_token__without_automatic_redemption(server):
    """Where redemption is a step of its own: the proof was right, so the guest hears why; mail
    binds nobody."""
    signer = Signer("https://manual.example")
    server.load(b.partner_ldif("manual", lines=signer.partner_lines()).replace(
        "b2bAutoRedeemIn: TRUE", "b2bAutoRedeemIn: FALSE"))
    dn = guest(server, "manual", "manual")
    is_out(server, dn, signer.token("manual"), 53, "b2b: not-redeemed")
    invited = guest(server, "manual2", "manual", subject="")
    token = signer.token("s-2", email="manual2@home.example", email_verified=True)
    assert ways.by_dn(server, invited, token).code in (49, 53)
    assert "b2bHomeSubject" not in server.entry(invited)


@pytest.mark.parametrize("lines, reason", [
    ("b2bValidFrom: 20990101000000Z\nb2bValidUntil: 20990201000000Z", "not-yet-valid"),
    ("b2bValidUntil: 20200101000000Z", "expired"),
    ("b2bReviewDue: 20200101000000Z", "review-lapsed"),
    ("b2bReviewDecision: Deny", "review-lapsed"),
    (None, "disabled"),
])
def test_token__off(server, idp, lines, reason):
    """Guests that are off and prove who they are hear why; with a wrong token they hear nothing."""
    name = f"off-{abs(hash(lines)) % 10**8}"
    dn = guest(server, name, lines=lines or "")
    if reason == "disabled":
        server.modify(f"dn: {dn}\nchangetype: modify\nreplace: b2bAccountEnabled\n"
                      "b2bAccountEnabled: FALSE\n")
    is_out(server, dn, idp.id_token(name), 53, f"b2b: {reason}")
    is_out(server, dn, idp.id_token("somebody-else"))


# --- once ---

def once(server, name, lines=""):
    """A partner whose tokens are good once, and a guest of it: (its DN, its provider)."""
    signer = Signer(f"https://{name}.example")
    partner(server, name, signer, "b2bTokenOnce: TRUE\n" + lines)
    return guest(server, name, name), signer


@pytest.mark.parametrize("jti", ["with", "without"])
def test_token__once(server, jti):
    """The second bind with a token is 49 without text, whichever way came first; the next token of
    the same guest is good."""
    dn, signer = once(server, f"once-{jti}")
    for number, first in enumerate(ways.WAYS):
        extra = {"jti": f"id-{number}"} if jti == "with" else {}
        token = signer.token(f"once-{jti}", number=number, **extra)
        is_in(server, dn, token, ways=[first])
        is_out(server, dn, token)


def test_token__once_by_jti(server):
    """It is the jti that counts where there is one: another token with it is used up too; the same
    jti of another partner is not."""
    dn, signer = once(server, "jti-one")
    other_dn, other = once(server, "jti-two")
    is_in(server, dn, signer.token("jti-one", jti="j", n=1), ways=["dn"])
    is_out(server, dn, signer.token("jti-one", jti="j", n=2))
    is_in(server, other_dn, other.token("jti-two", jti="j"), ways=["bearer"])


def test_token__once_is_not_used_up_in_vain(server):
    """A bind that policy denies, or that is for another's name, uses no token up."""
    dn, signer = once(server, "vain")
    token = signer.token("vain", jti="v")
    change = f"dn: {dn}\nchangetype: modify\nreplace: b2bAccountEnabled\nb2bAccountEnabled: "
    server.modify(change + "FALSE\n")
    is_out(server, dn, token, 53, "b2b: disabled")
    assert ways.by_dn(server, guest_dn("mine"), token) == Answer(49, "", "")
    server.modify(change + "TRUE\n")
    is_in(server, dn, token, ways=["subject"])


def test_token__once_lives_too_long(server):
    """A token that could be used again after a day cannot be remembered: 49."""
    dn, signer = once(server, "long")
    is_out(server, dn, signer.token("long", exp=signer.claims("x")["exp"] + 90000))


@pytest.mark.parametrize("way", ways.WAYS)
def test_token__once_at_once(server, way):
    """Sixteen connections bind with one token at once: exactly one is in, round after round."""
    name = f"race-{way}"
    dn, signer = once(server, name)
    for round_number in range(5):
        token = signer.token(name, jti=f"r{round_number}")
        barrier, answers = threading.Barrier(16), []

        def work():
            barrier.wait()
            answers.append(ways.WAYS[way](server, dn, token).code)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(answers) == [0] + [49] * 15


# --- groups ---

def test_token__groups_allowed(server):
    """Only engineers may come: who is one, by the provider's groups claim, is in; others, and those
    of whom home says nothing, hear that they may not."""
    provider = Signer("https://allowed.example")
    partner(server, "g-allowed", provider,
            "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: engineers\n"
            "b2bGroupTarget: engineers\nb2bCollabInAppsAccess: allowed\n"
            "b2bCollabInAppsTarget: AllApplications")
    dn = guest(server, "g-allowed", "g-allowed")
    is_in(server, dn, provider.token("g-allowed", groups=["sales", "engineers"]))
    for groups in (["sales"], [], None, ["Engineers"], "engineers-not"):
        is_out(server, dn, provider.token("g-allowed", groups=groups), 53, "b2b: inbound-users")


def test_token__groups_blocked(server):
    """Interns may not come, by a claim of another name: who is one, or might be one because home
    does not say, is out."""
    signer = Signer("https://blocked.example")
    partner(server, "g-blocked", signer,
            "b2bGroupsClaim: roles\nb2bCollabInUsersAccess: blocked\n"
            "b2bCollabInUsersTarget: interns\nb2bGroupTarget: interns\n"
            "b2bCollabInAppsAccess: blocked\nb2bCollabInAppsTarget: AllApplications")
    dn = guest(server, "g-blocked", "g-blocked")
    is_in(server, dn, signer.token("g-blocked", roles=["staff"]))
    for claims in ({"roles": ["interns"]}, {"roles": ["staff", "Interns"]}, {},
                   {"groups": ["staff"]}, {"roles": {"a": "b"}}):
        is_out(server, dn, signer.token("g-blocked", **claims), 53, "b2b: inbound-users")


def test_token__groups_of_real_provider(server, idp):
    """The real provider's groups, and a held connection: it keeps the groups that its token told,
    while the policy about them changes."""
    idp.people(**{"g-real": {"groups": ["a", "b"]}})
    dn = guest(server, "g-real")
    connection = server.conn(dn, idp.id_token("g-real"))
    root = server.root()
    settings = [("b2bCollabInUsersAccess", b"allowed"), ("b2bCollabInUsersTarget", b"b"),
                ("b2bGroupTarget", b"b"), ("b2bCollabInAppsAccess", b"allowed"),
                ("b2bCollabInAppsTarget", b"AllApplications")]
    root.modify_s(partner_dn("home"), [(ldap.MOD_ADD, k, v) for k, v in settings])
    try:
        assert set(seen(connection, b.SUFFIX)) == {dn}
        root.modify_s(partner_dn("home"), [(ldap.MOD_REPLACE, k, b"c") for k in
                                           ("b2bCollabInUsersTarget", "b2bGroupTarget")])
        assert records.denial(connection, dn) == "b2b: inbound-users"
    finally:
        root.modify_s(partner_dn("home"), [(ldap.MOD_DELETE, k, None) for k, _ in settings])
    assert records.denial(connection, dn) is None


# --- keys and connections ---

def test_token__key_rotation(server):
    """Steps: the provider gives its keys up for new ones; then b2bJwks is changed on the running
    server.  Expected: new tokens count from then on and old ones no more; who is in stays in."""
    provider = Idp()
    try:
        server.load(b.partner_ldif("rotates", lines=provider.partner_lines()))
        dn = guest(server, "rotates", "rotates")
        old = {alg: provider.id_token("rotates", alg) for alg in ALGORITHMS}
        held = server.conn(dn, old["ES256"])
        provider.rotate()
        new = {alg: provider.id_token("rotates", alg) for alg in ALGORITHMS}
        for alg in ALGORITHMS:
            is_in(server, dn, old[alg])
            is_out(server, dn, new[alg])
        server.root().modify_s(partner_dn("rotates"), [
            (ldap.MOD_REPLACE, "b2bJwks", provider.jwks().encode())])
        for alg in ALGORITHMS:
            is_in(server, dn, new[alg])
            is_out(server, dn, old[alg])
        assert set(seen(held, b.SUFFIX)) == {dn}
    finally:
        provider.stop()


def test_token__bad_key_sets_leave_no_trace(server):
    """Key sets with private or symmetric keys, a weak key, two of one kid, none, or no JSON are
    refused with the attribute's name, and nothing changes."""
    signer = Signer("https://keys.example")
    partner(server, "keys", signer)
    dn = guest(server, "keys", "keys")
    key, root = signer.key, server.root()
    private = {**key.jwk(), "d": key.jwk()["x"]}
    for text in (jwks(private), jwks({"kty": "oct", "k": "c2VjcmV0", "kid": "s"}),
                 jwks(Key("RSA", bits=1024)), jwks(key, Key(kid=key.kid)), '{"keys": []}',
                 "no json", '{"keys": [], "keys": []}', jwks({**key.jwk(), "y": key.jwk()["x"]}),
                 jwks({**key.jwk(), "alg": "RS256"})):
        with records.refused(root, "b2bJwks", base=b.SUFFIX):
            root.modify_s(partner_dn("keys"), [(ldap.MOD_REPLACE, "b2bJwks", text.encode())])
    is_in(server, dn, signer.token("keys"))


def test_token__partner_stops_taking_tokens(server):
    """oidc is taken from b2bIdp while a guest is in by a token: it must sign in anew, and cannot by
    a token."""
    signer = Signer("https://stops.example")
    partner(server, "stops", signer)
    dn = guest(server, "stops", "stops")
    token = signer.token("stops")
    held = server.conn(dn, token)
    server.root().modify_s(partner_dn("stops"), [(ldap.MOD_REPLACE, "b2bIdp", b"passcode")])
    assert records.denial(held, dn) == "b2b: sign-in-too-old"
    is_out(server, dn, token)


def test_token__needs_tls(server, idp):
    """b2bRequireTls (the default): over plain TCP the right token is 49 like a wrong one; over
    ldaps, StartTLS and ldapi it lets in."""
    dn = guest(server, "tls")
    token, root = idp.id_token("tls"), server.root()
    root.modify_s(b.BASE, [(ldap.MOD_DELETE, "b2bRequireTls", None)])
    try:
        mark = server.log_mark()
        is_out(server, dn, token, uri=server.uri)
        assert server.log(mark).count("tls-required") == 3
        is_in(server, dn, token, uri=server.uri, starttls=True)
        is_in(server, dn, token, uri=server.ldaps)
        is_in(server, dn, token)
    finally:
        root.modify_s(b.BASE, [(ldap.MOD_REPLACE, "b2bRequireTls", b"FALSE")])
    is_in(server, dn, token, uri=server.uri)


def test_token__is_never_shown_to_a_home_directory(server, fake_home):
    """Set-up: a partner that takes tokens and home passwords, whose home says yes to everything.
    Expected: what looks like a token is judged as one and never sent; other passwords are."""
    home, signer = fake_home("success"), Signer("https://both.example")
    server.load(b.partner_ldif("both", home.uri, signer.partner_lines(
        f"b2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}")))
    dn = guest(server, "both", "both")
    is_in(server, dn, signer.token("both"))
    is_out(server, dn, Signer("https://both.example").token("both"))
    assert home.connections == 0
    assert ways.by_dn(server, dn, "pass.word.1").code == 0
    assert home.binds[-1][1] == "pass.word.1"


def test_token__pinned_to_another_proof(server, fake_home):
    """A guest pinned to its home directory is not let in by a token: 49."""
    home, signer = fake_home("success"), Signer("https://pinned.example")
    server.load(b.partner_ldif("pinned", home.uri, signer.partner_lines()))
    dn = guest(server, "pinned", "pinned", "b2bIdentityProvider: ldap")
    is_out(server, dn, signer.token("pinned"))
    assert home.connections == 0
