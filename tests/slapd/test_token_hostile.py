"""Tokens that must not be believed: each is refused as any wrong password is, and none of their
bytes is written down anywhere."""

import re
import statistics
import time

import pytest

from lib import builders as b, sasl, ways
from lib.builders import guest_dn
from lib.sasl import Raw
from lib.tokens import HOSTILE, Key, Signer, jws
from lib.ways import is_in, is_out

SIGNER = Signer("https://idp.hostile.example", tid="tenant-1")


@pytest.fixture(scope="module")
def server(tenant):
    """A partner that wants a tenant claim, with the guest victim; another without guests."""
    tenant.load(b.partner_ldif("hostile", lines=SIGNER.partner_lines(
        "b2bTenantClaim: tid=tenant-1"))
        + b.guest_ldif("victim", "hostile", subject="victim")
        + b.guest_ldif("bystander", "hostile", subject="bystander"))
    is_in(tenant, guest_dn("victim"), SIGNER.token("victim"))
    return tenant


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile__refused(server, name):
    """Each token of the table in each way: 49, no text, nobody bound; OAUTHBEARER tells no more
    than that the token is invalid (or, where it is no token by its letters, the request).  The
    right token of the same guest opens the door after it."""
    token = HOSTILE[name](SIGNER, "victim")
    is_out(server, guest_dn("victim"), token, statuses=("invalid_token", "invalid_request"))
    is_in(server, guest_dn("victim"), SIGNER.token("victim"), ways=["dn"])


def test_hostile__another_partners_key(server):
    """A partner signs, with its own key, in the name of another's issuer, and in its own name for
    another's guest: 49."""
    other = Signer("https://idp.other.example", tid="tenant-1")
    server.load(b.partner_ldif("other", lines=other.partner_lines()))
    for token in (other.token("victim"), other.token("victim", iss=SIGNER.issuer),
                  SIGNER.token("victim", iss=other.issuer),
                  other.token("victim", header={"kid": SIGNER.key.kid})):
        is_out(server, guest_dn("victim"), token)


@pytest.mark.parametrize("lines", ["b2bIdp: passcode\n", "b2bIdp: saml\n"])
def test_hostile__partner_without_tokens(server, lines):
    """A partner with an issuer and keys that does not name oidc among its proofs: 49."""
    name = re.sub(r"\W", "", lines)[6:].lower()
    signer = Signer(f"https://{name}.example")
    server.load(b.partner_ldif(name, lines=signer.partner_lines().replace("b2bIdp: oidc\n", lines))
                + b.guest_ldif(name, name, subject=name))
    is_out(server, guest_dn(name), signer.token(name))


def test_hostile__partner_without_keys(server):
    """No key set, no audience, no issuer: nothing is right."""
    for number, without in enumerate(("b2bJwks", "b2bAudience", "b2bIssuer")):
        signer, name = Signer(f"https://less{number}.example"), f"less{number}"
        lines = "".join(line + "\n" for line in signer.partner_lines().splitlines()
                        if not line.startswith(without))
        server.load(b.partner_ldif(name, lines=lines) + b.guest_ldif(name, name, subject=name))
        is_out(server, guest_dn(name), signer.token(name))


def test_hostile__clock(server):
    """Within a minute clocks may differ, beyond it they may not; a time of no clock is none."""
    now = int(time.time())
    for claims, good in (({"exp": now - 30, "iat": now - 90}, True),
                         ({"exp": now - 120, "iat": now - 900}, False),
                         ({"nbf": now + 30}, True), ({"nbf": now + 120}, False),
                         ({"iat": now + 30}, True), ({"iat": now + 120}, False),
                         ({"exp": now + 600.5}, True), ({"exp": 1e300}, False),
                         ({"exp": -1}, False), ({"iat": -1e300}, False), ({"nbf": 1e300}, False)):
        answer = ways.by_dn(server, guest_dn("victim"), SIGNER.token("victim", **claims))
        assert answer[:2] == (0 if good else 49, ""), claims


def test_hostile__right_in_other_words(server):
    """What the RFCs allow is let in: typ in other letters, with application/, at+jwt, none; an
    audience list with azp; members that nobody knows; no kid; claims in UTF-8 and escapes."""
    s, dn = SIGNER, guest_dn("victim")
    for token in (s.token("victim", header={"typ": "jwt"}), s.token("victim", header={"typ": None}),
                  s.token("victim", header={"typ": "application/at+JWT"}),
                  s.token("victim", header={"cty": "x", "unheard-of": [1]}),
                  s.token("victim", header={"kid": None}),
                  s.token("victim", aud=[s.audience]), s.token("victim", aud=[s.audience] * 2,
                                                               azp=s.audience),
                  s.token("victim", name="Zo\u00eb \u2603", more={"x": [None, 1.5, True]}),
                  s.token("victim", amr=["pwd"], acr="0", nonce="n")):
        is_in(server, dn, token, ways=["dn", "bearer"])
    escaped = jws(s.key, s.header(), b'{"\\u0069ss": "%s", "aud": "%s", "sub": "vi\\u0063tim", '
                  b'"iat": %d, "exp": %d, "tid": "tenant-1"}' %
                  (s.issuer.encode(), s.audience.encode(), time.time(), time.time() + 60))
    is_in(server, dn, escaped, ways=["dn"])


def sized(limit):
    """The longest token that a filler makes of at most so many bytes."""
    filler = limit
    while len(token := SIGNER.token("victim", filler="x" * filler)) > limit:
        filler -= max((len(token) - limit) * 3 // 4, 1)
    return token


@pytest.mark.parametrize("limit, good", [(16384, True), (16390, False), (200000, False)])
def test_hostile__size(server, limit, good):
    """A right token of the largest size is read, a larger one is not."""
    token = sized(limit)
    assert len(token) > limit - 4
    (is_in if good else is_out)(server, guest_dn("victim"), token)


# --- nothing is written down ---

@pytest.fixture(scope="module")
def talkative(make_server, tmp_path_factory):
    """A server that logs everything it can, with accesslog and auditlog over the database."""
    server = make_server(
        b.tenant_server, debug="any", modules=("accesslog", "auditlog"),
        database="overlay accesslog\nlogdb cn=accesslog\nlogops all\n\n"
        "overlay auditlog\nauditlog {dir}/audit.ldif\n",
        databases=f"database mdb\nsuffix cn=accesslog\nrootdn cn=accesslog\nrootpw {b.ROOTPW}\n"
        f"directory {tmp_path_factory.mktemp('accesslog')}\nmaxsize 1073741824\ndbnosync\n"
        "access to * by * read\n")
    server.load(b.partner_ldif("quiet", lines=SIGNER.partner_lines("b2bTokenOnce: TRUE"))
                + b.guest_ldif("quiet", "quiet", subject="quiet")
                + b.guest_ldif("quiet2", "quiet", subject=""))
    return server


def needles(token):
    """Pieces of a token that could be read in a log: longer than one line of slapd's dump of a
    packet's bytes, which any slapd writes at this level."""
    return [piece[i:i + 20] for piece in token.split(".") for i in (0, 20, 60, -24)
            if len(piece[i:i + 20]) == 20]


def test_hostile__token_is_nowhere(talkative):
    """Set-up: "-d any", accesslog of all operations, auditlog.  Steps: tokens that are right, used,
    denied, wrong in several ways, in each way, also to redeem an invitation by mail.  Expected:
    no part of any token is in log, accesslog, auditlog, entry or answer."""
    server, tokens = talkative, []
    for way in ways.WAYS:
        token = SIGNER.token("quiet", jti=way)
        is_in(server, guest_dn("quiet"), token, ways=[way])
        is_out(server, guest_dn("quiet"), token, ways=[way])
        tokens.append(token)
    mail = SIGNER.token("redeemer", email="quiet2@home.example", email_verified=True, jti="m")
    is_in(server, guest_dn("quiet2"), mail, ways=["subject"])
    server.modify(f"dn: {guest_dn('quiet2')}\nchangetype: modify\nreplace: b2bAccountEnabled\n"
                  "b2bAccountEnabled: FALSE\n")
    denied = SIGNER.token("redeemer", jti="d")
    is_out(server, guest_dn("quiet2"), denied, 53, "b2b: disabled")
    wrong = [HOSTILE[name](SIGNER, "quiet") for name in (
        "signature-bit", "none", "expired", "issuer-other", "subject-other", "crit", "padding",
        "subject-twice", "jwk-in-header", "kid-path", "payload-no-json")]
    for token in wrong:
        is_out(server, guest_dn("quiet"), token, statuses=("invalid_token", "invalid_request"))
    with Raw(server.ldapi) as raw:
        raw.bind(sasl.message(tokens[0], header="p=tls-unique,,"))
        raw.bind(sasl.message(tokens[0], authzid="dn:" + b.member_dn("mia")))
    tokens += [mail, denied, *wrong]
    written = server.log() + (server.dir / "audit.ldif").read_text()
    written += repr(server.root().search_s(b.SUFFIX, 2, "(objectClass=*)", ["*", "+"]))
    written += repr(server.conn("cn=accesslog", b.ROOTPW).search_s(
        "cn=accesslog", 2, "(objectClass=*)", ["*", "+"]))
    assert "auditBind" in written and "verdict=allow" in written
    found = [n for token in tokens for n in needles(token) if n in written]
    assert not found, found[:5]


def test_hostile__refusals_are_logged_in_words(server):
    """A refusal has one line with the operation and a reason in fixed words."""
    for name, words in (("expired", "token refused: "), ("none", "token refused: "),
                        ("subject-other", "no guest is this subject")):
        mark = server.log_mark()
        ways.by_subject(server, "", HOSTILE[name](SIGNER, "victim"))
        server.wait_log(rf"b2b: conn=\d+ op=\d+ .*{words}", since=mark)


# --- time ---

def timed(server, connection, dn, password):
    start = time.perf_counter()
    assert connection.simple(dn, password.encode())[0] == 49
    return time.perf_counter() - start


def test_hostile__time_tells_no_names(server):
    """Steps: wrong tokens, and the right token of another, under names of guests and of nobody, in
    turns on one connection.  Expected: the medians differ by less than a factor of three: a
    signature check that is done for one of the two alone would be far more."""
    wrong = HOSTILE["signature-bit"](SIGNER, "victim")
    others = SIGNER.token("bystander")
    names = {"known": guest_dn("victim"), "unknown": guest_dn("nobody-here")}
    times = {(name, kind): [] for name in names for kind in ("wrong", "other")}
    with Raw(server.ldapi) as raw:
        for _ in range(150):
            for (name, kind), spent in times.items():
                spent.append(timed(server, raw, names[name],
                                   wrong if kind == "wrong" else others))
    for kind in ("wrong", "other"):
        known, unknown = (statistics.median(times[name, kind]) for name in ("known", "unknown"))
        assert max(known, unknown) < 3 * min(known, unknown) + 0.0005, (kind, known, unknown)


def test_hostile__rsa_in_other_clothes(server):
    """A right RSA signature under a key the partner does not publish, and an RSA key where the
    header says it is PSS: 49."""
    signer = Signer("https://rsa.example", key=Key.of("PS256", "rsa"))
    server.load(b.partner_ldif("rsa", lines=signer.partner_lines("b2bTokenAlgorithm: PS256"))
                + b.guest_ldif("rsa", "rsa", subject="rsa"))
    dn = guest_dn("rsa")
    is_in(server, dn, signer.token("rsa", alg="PS256"), ways=["dn"])
    is_out(server, dn, signer.token("rsa", alg="RS256"))
    is_out(server, dn, signer.token("rsa", key=Key("RSA", "rsa"), alg="PS256"))
    claims = signer.claims("rsa")
    mixed = jws(signer.key, signer.header(alg="PS256"), claims, alg="RS256")
    is_out(server, dn, mixed)
    is_out(server, dn, jws(signer.key, signer.header(alg="HS256"), claims, alg="PS256"))
