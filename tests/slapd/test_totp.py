"""One-time passwords of ours: enrolment, the secret that nobody reads, codes that are good once."""

import base64
import re
import threading
from urllib.parse import parse_qs, unquote, urlsplit

import ldap
import pytest
from ldap.controls import RequestControl
from ldap.controls.libldap import AssertionControl
from ldap.controls.readentry import PreReadControl
from ldap.controls.sss import SSSRequestControl

from lib import builders as b, records, sasl, totp, ways
from lib.builders import guest_dn
from lib.cnconfig import code_of
from lib.conditional import container_ldif, policy, policy_ldif
from lib.eyes import code, proxy, seen
from lib.tokens import Signer
from lib.ways import Answer, is_in, is_out

SIGNER = Signer("https://idp.totp.example")
SECRET = "b2bTotpSecret"
MFA = (8, "b2b: mfa-required")
# Nothing but the module hides the secret from those who may read.
ACCESS = (f"access to attrs={SECRET} by dn.exact=\"{b.member_dn('mia')}\" manage by * read\n"
          + b.ACCESS)


@pytest.fixture(scope="module")
def server(make_server, certs, home):
    """A policy wants several factors of the guests of the partners strict (tokens) and home (a home
    directory), not of those of loose.  The member mia manages secrets."""
    server = make_server(b.tenant_server, certs=certs, access=ACCESS, modules=("syncprov",),
                         database="overlay syncprov\n", global_conf="authz-policy to\n")
    server.load(container_ldif() + b.partner_ldif("strict", lines=SIGNER.partner_lines())
                + b.partner_ldif("home", home.uri) + b.partner_ldif("loose", home.uri,
                Signer("https://loose.example").partner_lines())
                + policy_ldif("mfa", "b2bCaGrant: mfa\nb2bCaIncludePartner: strict\n"
                              "b2bCaIncludePartner: home"))
    return server


_count = iter(range(1000))


class Guest:
    """A guest of its own for a test, enrolled by the administrator unless enrolled is False."""

    def __init__(self, server, tenant="strict", enrolled=True, name=None, subject=None):
        self.server, self.name = server, name or f"g{next(_count)}"
        self.dn = guest_dn(self.name)
        if subject is None:
            subject = f"uid={self.name},{b.HOME_PEOPLE}" if tenant == "home" else self.name
        server.load(b.guest_ldif(self.name, tenant, subject=subject))
        self.secret = totp.enrol(server.root(), self.dn) if enrolled else None

    def token(self):
        return SIGNER.token(self.name)

    def code(self, offset=0):
        return totp.code(self.secret, offset)

    def state(self, name):
        return self.server.entry(self.dn).get(name)


def by_dn(guest, password):
    return ways.by_dn(guest.server, guest.dn, password)[:2]


# --- enrolment ---

def test_totp__enrolled_by_the_rootdn(server):
    """The answer has guest, secret (160 bits, base32) and a URI that a device can read; the policy
    that wanted several factors is content with token and code."""
    guest = Guest(server, enrolled=False)
    assert by_dn(guest, guest.token()) == MFA
    told = totp.ask(server.root(), "enroll", guest.dn)
    assert set(told) == {"guest", "secret", "uri"} and told["guest"] == guest.dn
    assert len(base64.b32decode(told["secret"])) == 20
    uri = urlsplit(told["uri"])
    asked = parse_qs(uri.query)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/ours:{guest.name}@home.example"
    assert asked == {"secret": [told["secret"]], "issuer": ["ours"], "algorithm": ["SHA1"],
                     "digits": ["6"], "period": ["30"]}
    guest.secret = told["secret"]
    assert by_dn(guest, guest.token()) == MFA
    assert by_dn(guest, guest.token() + guest.code()) == (0, "")


def test_totp__enrolled_by_a_member_that_may(server):
    """A member that may manage the attribute enrols and resets; one that may read it may not, and
    hears the same of a guest, a member and nobody."""
    guest = Guest(server, enrolled=False)
    mia = server.conn(b.member_dn("mia"), "mia-pw")
    max_ = server.conn(b.member_dn("max"), "max-pw")
    for connection in (max_, server.conn()):
        for dn in (guest.dn, b.member_dn("mia"), guest_dn("nobody-here"), "cn=else,dc=where", None):
            for action in ("enroll", "reset"):
                value = {"action": action, **({"guest": dn} if dn else {})}
                assert totp.refusal(connection, value) == (50, None), dn
    guest.secret = totp.enrol(mia, guest.dn)
    assert by_dn(guest, guest.token() + guest.code()) == (0, "")
    assert totp.refusal(mia, {"action": "enroll", "guest": guest.dn})[0] == 68
    assert totp.ask(mia, "reset", guest.dn) == {"guest": guest.dn}
    assert totp.refusal(mia, {"action": "enroll", "guest": b.member_dn("max")}) == (50, None)


def test_totp__enrols_itself(server, home):
    """A guest that is in enrols itself once; it may neither do so again nor reset it, nor enrol
    another guest; where policy wants several factors it does not come so far."""
    guest = Guest(server, "loose", enrolled=False)
    other = Guest(server, "loose", enrolled=False)
    loose = Signer("https://loose.example")
    server.modify(f"dn: {b.partner_dn('loose')}\nchangetype: modify\nreplace: b2bJwks\n"
                  f"b2bJwks: {sasl.json.dumps({'keys': [loose.key.jwk()]})}\n")
    connection = server.conn(guest.dn, loose.token(guest.name))
    assert totp.refusal(connection, {"action": "enroll", "guest": other.dn}) == (50, None)
    guest.secret = totp.enrol(connection)
    assert totp.refusal(connection, {"action": "enroll"})[0] == 68
    assert totp.refusal(connection, {"action": "reset"}) == (50, None)
    assert totp.refusal(connection, {"action": "enroll", "guest": guest.dn})[0] == 68
    assert not other.state(SECRET)
    with policy(server, "b2bCaGrant: mfa"):
        held = totp.refusal(connection, {"action": "enroll"})
        assert held == MFA
        assert by_dn(guest, loose.token(guest.name) + guest.code()) == (0, "")


def test_totp__nobody_enrols_as_a_guest(server):
    """Who may act as a guest by proxied authorization gets no secret of its."""
    guest = Guest(server, "loose", enrolled=False)
    server.modify(f"dn: {b.member_dn('max')}\nchangetype: modify\nreplace: authzTo\n"
                  f"authzTo: dn.onelevel:{b.GUESTS}\n")
    connection = server.conn(b.member_dn("max"), "max-pw")
    made = totp.ExtendedRequest(totp.OID, b'{"action":"enroll"}')
    assert code(connection.extop_s, made, serverctrls=[proxy(f"dn:{guest.dn}")]) != 0
    mine = totp.enrol(server.root(), guest.dn)
    assert mine


@pytest.mark.parametrize("value", [
    b"", b"{", b"null", b"[]", b"{}", b'{"action":1}', b'{"action":"delete"}',
    b'{"action":"enroll","action":"reset"}', b'{"action":"enroll","guest":1}',
    b'{"action":"enroll","guest":"nonsense"}', b'{"action":"enroll","guest":""}',
    b'{"action":"enroll","more":1}', b'{"action":"enroll"} x', b'{"action":"enroll\\u0000"}',
    b"\xff\xfe", b'{"action":"enroll","guest":"' + b"x" * 10000 + b'"}', b"[" * 5000,
], ids=range(17))
def test_totp__malformed_requests(server, value):
    """What is no request is a protocol error or an invalid DN, for an administrator too."""
    assert totp.refusal(server.root(), value)[0] in (2, 34)


def test_totp__no_request_at_all(server):
    """The operation without a value."""
    made = totp.ExtendedRequest(totp.OID, None)
    assert code(server.root().extop_s, made) == 2


def test_totp__needs_tls(server):
    """A secret is not sent in the clear where the tenant demands TLS: 13; over TLS it is."""
    guest, root = Guest(server, enrolled=False), server.root()
    root.modify_s(b.BASE, [(ldap.MOD_DELETE, "b2bRequireTls", None)])
    try:
        plain = server.conn(b.ROOTDN, b.ROOTPW, uri=server.uri)
        assert totp.refusal(plain, {"action": "enroll", "guest": guest.dn})[0] == 13
        assert not guest.state(SECRET)
        assert totp.enrol(server.conn(b.ROOTDN, b.ROOTPW, uri=server.ldaps), guest.dn)
    finally:
        root.modify_s(b.BASE, [(ldap.MOD_REPLACE, "b2bRequireTls", b"FALSE")])


# --- nobody reads the secret ---

def test_totp__secret_is_hidden(server):
    """By name, with all attributes, in filters of every kind, by compare and assertion: the rootdn,
    the administrator, members and anonymous see nothing of it."""
    guest = Guest(server, "loose", name="hidden")
    stored = server.tool("slapcat", "-a", "(uid=hidden)").stdout
    sealed = base64.b64decode(re.search(rf"^{SECRET}:: (\S+(?:\n \S+)*)", stored,
                                        re.M).group(1).replace("\n ", ""))
    raw = "".join(f"\\{byte:02x}" for byte in sealed)
    for connection in (server.root(), server.conn(b.member_dn("mia"), "mia-pw"),
                       server.conn(b.member_dn("max"), "max-pw"), server.conn()):
        for attrs in (["*", "+"], [SECRET], None):
            found = connection.search_s(guest.dn, ldap.SCOPE_BASE, "(objectClass=*)", attrs)
            assert not [k for _, e in found for k in e if k.lower() == SECRET.lower()]
        for text in (f"({SECRET}=*)", f"({SECRET}={raw})", f"(!(!({SECRET}=*)))",
                     f"(|({SECRET}=*)({SECRET}={raw}))", f"(&(uid=hidden)({SECRET}=*))",
                     f"({SECRET}:octetStringMatch:={raw})"):
            assert guest.dn not in seen(connection, b.GUESTS, text=text), text
        without = set(seen(connection, b.GUESTS, text=f"(!({SECRET}=*))"))
        assert guest.dn not in without or guest_dn("g0") in without
        assert code(connection.compare_s, guest.dn, SECRET, sealed) != 6
        asserted = AssertionControl(True, f"({SECRET}=*)")
        assert code(connection.search_ext_s, guest.dn, ldap.SCOPE_BASE,
                    serverctrls=[asserted]) != 0
    assert code(server.root().compare_s, guest.dn, SECRET, sealed) == \
        code(server.root().compare_s, guest.dn, SECRET, b"guess")


def test_totp__secret_is_hidden_in_answers_to_writes(server):
    """Pre-read of a change by the rootdn; changes that would tell whether a guess is right; sorting
    by it: nothing of the secret."""
    guest, root = Guest(server, "loose"), server.root()
    _, _, _, controls = root.modify_ext_s(
        guest.dn, [(ldap.MOD_REPLACE, "sn", b"new")],
        serverctrls=[PreReadControl(criticality=True, attrList=[SECRET, "*", "+"])])
    assert controls and all(SECRET.lower() not in map(str.lower, c.entry) for c in controls)
    for how in (ldap.MOD_DELETE, ldap.MOD_ADD, ldap.MOD_REPLACE):
        assert code(root.modify_s, guest.dn, [(how, SECRET, b"guess")]) != 0
    sorting = SSSRequestControl(False, [SECRET])
    found = root.search_ext_s(b.GUESTS, ldap.SCOPE_SUBTREE, attrlist=["*", "+"],
                              serverctrls=[sorting])
    assert not [e for _, e in found if SECRET.lower() in map(str.lower, e)]


def test_totp__secret_in_the_sync_protocol(server):
    """A server that follows this one gets the secret if it may manage it, as the rootdn and mia
    may; one that may read everything does not."""
    guest = Guest(server, "loose")
    sync = RequestControl("1.3.6.1.4.1.4203.1.9.1.1", True, b"\x30\x03\x0a\x01\x01")
    for who, password, manages in ((b.ROOTDN, b.ROOTPW, True), (b.member_dn("mia"), "mia-pw", True),
                                   (b.member_dn("max"), "max-pw", False), ("", "", False)):
        found = dict(server.conn(who, password).search_ext_s(
            b.GUESTS, ldap.SCOPE_SUBTREE, attrlist=["*", "+"], serverctrls=[sync]))
        assert (SECRET in found[guest.dn]) == manages, who


# --- codes ---

def test_totp__beside_a_token(server):
    """Token with the code behind it, in all three ways; in OAUTHBEARER as totp= too: each in, each
    code once."""
    for way in ways.WAYS:
        guest = Guest(server)
        is_out(server, guest.dn, guest.token(), *MFA)
        is_in(server, guest.dn, guest.token() + guest.code(), ways=[way])
    guest = Guest(server)
    used = guest.code()
    answer = ways.by_bearer(server, guest.dn, guest.token(), pairs={"totp": used})
    assert answer == Answer(0, "", f"dn:{guest.dn}")
    answer = ways.by_bearer(server, guest.dn, guest.token(), pairs={"totp": used})
    assert answer == Answer(*MFA, "", "insufficient_scope")


def test_totp__beside_a_home_password(server):
    """The home password with the code behind it: in; without, or with a wrong one: 8; a right code
    behind a wrong password: 49, and it is not used up by that."""
    guest = Guest(server, "home", name="alice")
    assert by_dn(guest, "alice-pw") == MFA
    assert by_dn(guest, "alice-pw" + totp.wrong_code(guest.secret)) == MFA
    right = guest.code()
    assert by_dn(guest, "wrong" + right) == (49, "")
    assert by_dn(guest, right) == (49, "")
    assert by_dn(guest, "alice-pw" + right) == (0, "")
    assert by_dn(guest, "alice-pw" + right) == MFA


def test_totp__password_that_ends_in_digits(server, fake_home):
    """A home password that ends in six digits is sent as it is where no policy wants a code,
    although the guest has a secret; even if they are the right code."""
    home = fake_home("success")
    server.load(b.partner_ldif("digits", home.uri))
    guest = Guest(server, "digits", subject=f"uid=digits,{b.HOME_PEOPLE}")
    password = "pw" + totp.wrong_code(guest.secret)
    assert by_dn(guest, password) == (0, "")
    right = "pw" + guest.code()
    assert by_dn(guest, right) == (0, "")
    assert [sent for _, sent in home.binds] == [password, right]


def test_totp__good_once(server):
    """A code is good once, and none of an earlier step after it; those of the next step are, by
    clocks that are half a minute wrong; older and later ones are not."""
    guest = Guest(server)
    totp.at_ease()
    codes = {offset: guest.code(offset) for offset in (-2, -1, 0, 1, 2)}

    def bind(offset):
        return by_dn(guest, guest.token() + codes[offset])

    assert bind(-2) == MFA and bind(2) == MFA
    assert bind(-1) == (0, "") and bind(-1) == MFA
    assert bind(1) == (0, "")
    assert bind(0) == MFA and bind(1) == MFA


def test_totp__wrong_proof_uses_nothing_up(server):
    """A right code with a token of another, an expired one, or one that policy denies for another
    reason: not used up, no failure counted."""
    guest = Guest(server)
    right = guest.code()
    for token in (SIGNER.token("somebody-else"), SIGNER.token(guest.name, exp=1, iat=0)):
        assert by_dn(guest, token + right) == (49, "")
    with policy(server, f"b2bCaGrant: block\nb2bCaIncludeGuest: {guest.dn}"):
        assert by_dn(guest, guest.token() + right)[0] == 53
        assert by_dn(guest, guest.token() + totp.wrong_code(guest.secret))[0] == 53
    assert not guest.state("b2bTotpFailures")
    assert by_dn(guest, guest.token() + right) == (0, "")


def test_totp__five_failures_lock(server):
    """Five wrong codes behind right tokens: then the right one is refused like them for a quarter
    of an hour; when the time is over it is good, and the count begins anew."""
    guest = Guest(server)
    bad = totp.wrong_code(guest.secret)
    for number in range(1, 6):
        assert not guest.state("b2bTotpLockedUntil")
        assert by_dn(guest, guest.token() + bad) == MFA
        assert guest.state("b2bTotpFailures") == [str(number)]
    until = records.seconds(guest.state("b2bTotpLockedUntil")[0])
    assert 890 < until - records.seconds(records.ahead(0)) <= 900
    right = guest.code()
    assert by_dn(guest, guest.token() + right) == MFA
    assert by_dn(guest, guest.token()) == MFA
    over = records.replace("b2bTotpLockedUntil", records.ahead(-1))
    server.root().modify_ext_s(guest.dn, [over], serverctrls=records.RELAX)
    assert by_dn(guest, guest.token() + right) == (0, "")
    assert not guest.state("b2bTotpFailures") and not guest.state("b2bTotpLockedUntil")


@pytest.mark.parametrize("way", ["dn", "bearer"])
def test_totp__one_code_at_once(server, way):
    """Sixteen connections bring one code at once: exactly one is in."""
    guest = Guest(server)
    right = guest.token() + guest.code()
    barrier, answers = threading.Barrier(16), []

    def work():
        connection = server.open()
        barrier.wait()
        if way == "dn":
            answers.append(code_of(connection.simple_bind_s, guest.dn, right)[0])
        else:
            answers.append(sasl.bind(connection, right)[0])

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [0] + [8] * 15


def test_totp__reset(server):
    """After a reset the old secret's codes are nothing; a new enrolment has another secret."""
    guest = Guest(server)
    assert totp.ask(server.root(), "reset", guest.dn) == {"guest": guest.dn}
    assert by_dn(guest, guest.token() + guest.code()) == MFA
    stored = server.tool("slapcat", "-a", f"(uid={guest.name})").stdout
    assert SECRET not in stored and "b2bTotpLastStep" not in stored
    old, guest.secret = guest.secret, totp.enrol(server.root(), guest.dn)
    assert guest.secret != old
    assert by_dn(guest, guest.token() + totp.code(old)) == MFA
    assert by_dn(guest, guest.token() + guest.code()) == (0, "")


def test_totp__reset_reaches_held_connections(server):
    """Set-up: a guest bound with a code.  Steps: it searches; an administrator resets it, as for a
    device that was stolen; it searches again.  Expected: it finds itself; then 8 mfa-required."""
    guest = Guest(server)
    held = server.conn(guest.dn, guest.token() + guest.code())
    assert guest.dn in seen(held, b.SUFFIX)
    totp.ask(server.root(), "reset", guest.dn)
    assert code(seen, held, b.SUFFIX) == MFA[0]


def test_totp__invitation_by_mail(server):
    """A guest invited by address and enrolled before anybody knows its subject: its first sign-in
    binds the subject, and the secret stays."""
    guest = Guest(server, subject="")
    totp.at_ease()
    codes = guest.code(-1), guest.code()
    token = SIGNER.token(guest.name, email=f"{guest.name}@home.example", email_verified=True)
    assert by_dn(guest, token) == MFA
    assert "b2bHomeSubject" not in server.entry(guest.dn)
    assert by_dn(guest, token + codes[0]) == (0, "")
    assert guest.state("b2bHomeSubject") == [guest.name]
    assert by_dn(guest, guest.token() + codes[1]) == (0, "")


def test_totp__entry_handed_over(server):
    """Another person gets the entry: the one before it had the secret, so it is gone."""
    guest = Guest(server)
    server.modify(f"dn: {guest.dn}\nchangetype: modify\nreplace: b2bHomeSubject\n"
                  "b2bHomeSubject: another\n")
    assert by_dn(guest, SIGNER.token("another") + guest.code()) == MFA
    assert SECRET not in server.tool("slapcat", "-a", f"(uid={guest.name})").stdout


def test_totp__nothing_is_logged(server):
    """Neither secrets nor codes are in the log; refusals are, in words."""
    guest, mark = Guest(server), server.log_mark()
    bad, right = totp.wrong_code(guest.secret), guest.code()
    by_dn(guest, guest.token() + bad)
    by_dn(guest, guest.token() + right)
    by_dn(guest, guest.token() + right)
    log = server.log(mark)
    assert "one-time password refused: it is wrong" in log
    assert "one-time password refused: it was used before" in log
    assert guest.secret not in log and not re.search(rf"\b({bad}|{right})\b", log)


def key_file(server, name):
    path = server.dir / name
    server.tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", path, plain=True)
    path.chmod(0o600)
    return path


def test_totp__sealed_with_the_tenants_key(make_server):
    """Set-up: b2b-key-file.  Expected: the database keeps nothing of the secret in the clear; under
    another key, or in another guest's entry, it is of no use; with the old key again it is."""
    server = make_server(b.tenant_server, start=False, b2b="b2b-key-file {dir}/key.pem")
    keys = key_file(server, "key.pem"), key_file(server, "other.pem")
    server.start()
    server.load(container_ldif() + b.partner_ldif("strict", lines=SIGNER.partner_lines())
                + policy_ldif("mfa", "b2bCaGrant: mfa"))
    guest, thief = Guest(server), Guest(server, enrolled=False)
    totp.at_ease()
    assert by_dn(guest, guest.token() + guest.code(-1)) == (0, "")
    server.stop()
    stored = server.tool("slapcat").stdout
    sealed = re.search(rf"^{SECRET}:: (\S+(?:\n \S+)*)", stored, re.M).group(0)
    value = base64.b64decode(sealed.split(":: ")[1].replace("\n ", ""))
    assert base64.b32decode(guest.secret) not in value
    server.tool("slapmodify", input=f"dn: {thief.dn}\nchangetype: modify\nadd: {SECRET}\n"
                f"{sealed}\n")
    conf = server.conf_file.read_text()
    server.conf_file.write_text(conf.replace(str(keys[0]), str(keys[1])))
    server.start()
    assert by_dn(guest, guest.token() + guest.code()) == MFA
    server.stop()
    server.conf_file.write_text(conf)
    server.start()
    assert by_dn(thief, thief.token() + guest.code()) == MFA
    assert by_dn(guest, guest.token() + guest.code()) == (0, "")
