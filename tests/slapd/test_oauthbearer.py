"""SASL OAUTHBEARER (RFC 7628): its messages, its steps, and what else a client may do in the middle
of them.  Which tokens are right is tested elsewhere."""

import contextlib
import itertools
import subprocess
import threading

import ldap
import pytest

from lib import builders as b, sasl, ways
from lib.builders import guest_dn
from lib.eyes import seen
from lib.sasl import DENIED, DUMMY, IN_PROGRESS, INVALID_REQUEST, INVALID_TOKEN, Raw, message, step
from lib.slapd import client_env
from lib.tokens import Signer

SIGNER = Signer("https://idp.bearer.example")
ALICE, OFF = guest_dn("alice"), guest_dn("off")


@pytest.fixture(scope="module")
def server(tenant, home):
    """alice, who may come in; off, who is disabled; bob, whose home is a directory."""
    tenant.load(b.partner_ldif("bearer", lines=SIGNER.partner_lines())
                + b.partner_ldif("home", home.uri)
                + b.guest_ldif("alice", "bearer", subject="alice") + b.guest_ldif("bob")
                + b.guest_ldif("off", "bearer", subject="off").replace(
                    "b2bAccountEnabled: TRUE", "b2bAccountEnabled: FALSE"))
    return tenant


@pytest.fixture
def raw(server):
    with Raw(server.ldapi) as connection:
        yield connection


def token():
    return SIGNER.token("alice")


def test_bearer__announced(server, make_server):
    """The root DSE names the mechanism, over every listener, once; a slapd without the module does
    not."""
    for uri in (server.ldapi, server.uri, server.ldaps):
        found = server.conn(uri=uri).search_s("", ldap.SCOPE_BASE, "(objectClass=*)",
                                              ["supportedSASLMechanisms"])
        names = found[0][1]["supportedSASLMechanisms"]
        assert names.count(b"OAUTHBEARER") == 1 and b"DIGEST-MD5" in names
    plain = make_server(b.tenant_server, module=False)
    found = plain.conn().search_s("", ldap.SCOPE_BASE, "(objectClass=*)",
                                  ["supportedSASLMechanisms"])
    assert b"OAUTHBEARER" not in found[0][1].get("supportedSASLMechanisms", [])


# --- messages ---

def test_bearer__session(server):
    """After the bind the guest is a guest: it sees what it may, and who it is."""
    connection = server.open()
    assert sasl.bind(connection, token()) == (0, "", None)
    assert connection.whoami_s() == f"dn:{ALICE}"
    assert set(seen(connection, b.SUFFIX)) == {ALICE}


@pytest.mark.parametrize("build", [
    lambda: message(token()),
    lambda: message(token(), header="y,,"),
    lambda: message(token(), authzid=f"dn:{ALICE}"),
    lambda: message(token(), authzid=f"dn:{ALICE.upper()}"),
    lambda: message(token(), authzid=f"DN: {ALICE.replace(',', ' , ')}"),
    lambda: message(token(), authzid="u:alice"),
    lambda: message(token(), authzid="alice"),
    lambda: message(token(), authzid="Alice@home.example"),
    lambda: message(token(), authzid="u:alice@home.example"),
    lambda: message(token(), host="ldap.ours.example", port="636"),
    lambda: message(token(), host="::1", port="389", mthd="GET", path="/", qs="a=b"),
    lambda: message(None, host="x", auth=f"bearer {token()}"),
    lambda: message(None, auth=f"BEARER   {token()}"),
], ids=itertools.count())
def test_bearer__messages(raw, build):
    """Forms that RFC 7628, RFC 5801 and RFC 9110 allow, and the names of the guest itself."""
    assert raw.bind(build()) == (0, "", None)
    assert raw.whoami() == f"dn:{ALICE}"


@pytest.mark.parametrize("build", [
    lambda: b"\x01",
    lambda: b"\x00",
    lambda: b"n,,",
    lambda: b"n,,\x01",
    lambda: b"n,,\x01\x01",
    lambda: message(token())[:-1],
    lambda: message(token())[:-2],
    lambda: message(token()) + b"\x01",
    lambda: message(token()) + b"auth=Bearer x\x01\x01",
    lambda: message(token(), header=""),
    lambda: message(token(), header="n"),
    lambda: message(token(), header="n,"),
    lambda: message(token(), header=","),
    lambda: message(token(), header="N,,"),
    lambda: message(token(), header="p=tls-unique,,"),
    lambda: message(token(), header="p=tls-exporter,a=alice,"),
    lambda: message(token(), header="n,alice,"),
    lambda: message(token(), header="n,a=,"),
    lambda: message(token(), header="n,a=al=20ice,"),
    lambda: message(token(), header="n,a=alice=,"),
    lambda: message(token(), header="n,a=alice=2,"),
    lambda: message(token(), header="n,a=" + "x" * 2000 + ","),
    lambda: message(token(), header="n,a=al\0ice,"),
    lambda: message(token(), header="n,,n,,"),
    lambda: message(None),
    lambda: message(None, auth=token()),
    lambda: message(None, auth=f"Basic {token()}"),
    lambda: message(None, auth="Bearer "),
    lambda: message(None, auth="Bearer"),
    lambda: message(None, auth=f"Bearer\t{token()}"),
    lambda: message(None, auth=f"Bearer {token()} "),
    lambda: message(None, auth=f"Bearer {token()[:9]}\0{token()[9:]}"),
    lambda: message(None, AUTH=f"Bearer {token()}"),
    lambda: message(token(), auth=f"Bearer {token()}"),
    lambda: message(token(), **{"": "x"}),
    lambda: message(token(), **{"ho st": "x"}),
    lambda: message(token(), host=""),
    lambda: message(token(), port="0"),
    lambda: message(token(), port="65536"),
    lambda: message(token(), port="ldap"),
    lambda: message(token(), totp="12345"),
    lambda: message(token(), totp="1234567"),
    lambda: message(token(), totp="12345x"),
    lambda: b"n,,\x01novalue\x01" + message(token())[4:],
    lambda: message(token()).decode().encode("utf-16"),
    lambda: b"\x30\x84\xff\xff\xff\xff" * 50,
    lambda: b"n,," + b"\x01" * 5000,
    lambda: b"n" * 200000,
], ids=itertools.count())
def test_bearer__malformed(raw, build):
    """Anything else is told to be an invalid request, then 49 without text; the same connection
    then takes a right one."""
    credentials = build()
    code, text, challenge = raw.bind(credentials)
    assert (code, text) == (IN_PROGRESS, "")
    assert sasl.json.loads(challenge) == INVALID_REQUEST
    assert raw.bind(DUMMY) == (49, "", None)
    assert raw.whoami() == ""
    assert raw.bind(message(token())) == (0, "", None)


@pytest.mark.parametrize("authzid", [
    f"dn:{guest_dn('bob')}", f"dn:{b.member_dn('mia')}", f"dn:{b.ROOTDN}", "dn:", "dn:cn=config",
    "dn:nonsense", "u:bob", "u:mia", "mia", "u:", "u:alicex", "alice@home.exampl", "*", "u:*",
    "u:alice,x", "bearer", "anonymous", "dn:" + ALICE + ",dc=x",
])
def test_bearer__acts_for_nobody_else(server, authzid):
    """A right token with another's name as authzid is refused like a wrong token."""
    connection = server.open()
    assert sasl.bind(connection, token(), authzid) == (49, "", INVALID_TOKEN)
    assert connection.whoami_s() == ""


def test_bearer__bind_name(server):
    """The bind request's own name may be empty or the guest's; another one is refused."""
    for dn, good in ((ALICE, True), (guest_dn("bob"), False), (b.member_dn("mia"), False),
                     (b.ROOTDN, False), ("cn=nobody", False)):
        connection = server.open()
        answer = sasl.finish(connection, step(connection, message(token()), dn=dn))
        assert answer == ((0, "", None) if good else (49, "", INVALID_TOKEN)), dn


def test_bearer__mechanism_name(raw):
    """Mechanisms are named in capitals; what slapd does of another is slapd's affair, but nobody is
    in by it."""
    for name in ("OAUTHBEARER2", "OAUTHBEARE", "XOAUTH2", "", "OAUTHBEARER\0"):
        assert raw.bind(message(token()), name)[0] not in (0, IN_PROGRESS)
        assert raw.whoami() == ""
    assert raw.bind(message(token())) == (0, "", None)


# --- steps ---

def test_bearer__without_initial_response(server, raw):
    """No credentials, or empty ones: the server asks with empty ones, then takes the message."""
    for nothing in (None, b""):
        assert raw.bind(nothing) == (IN_PROGRESS, "", b"")
        assert raw.bind(message(token())) == (0, "", None)
        assert raw.whoami() == f"dn:{ALICE}"
        raw.simple()
    connection = server.open()
    assert sasl.bind(connection, token(), initial=False) == (0, "", None)


def test_bearer__asks_again(raw):
    """A client that keeps sending nothing is asked as often; nobody is bound meanwhile."""
    for _ in range(20):
        assert raw.bind(b"") == (IN_PROGRESS, "", b"")
    raw.send_whoami()
    assert raw.receive()[2] == 1
    assert raw.bind(message(token())) == (0, "", None)


def test_bearer__error_then_anything_is_final(raw):
    """After the error any bind of the mechanism ends the exchange, a right message too: only the
    next one counts."""
    for answer in (DUMMY, b"", None, message(token()), b"\xff" * 1000):
        challenge = raw.bind(message("wrong.token.x"))
        assert challenge[0] == IN_PROGRESS and sasl.json.loads(challenge[2]) == INVALID_TOKEN
        assert raw.bind(answer) == (49, "", None), answer
        assert raw.whoami() == ""
    assert raw.bind(message(token())) == (0, "", None)


def test_bearer__denied_by_policy(server):
    """A right token of a guest that is off: insufficient_scope, then 53 with the reason, once."""
    connection = server.open()
    right = SIGNER.token("off")
    assert sasl.bind(connection, right) == (53, "b2b: disabled", DENIED)
    assert sasl.bind(connection, right, initial=False) == (53, "b2b: disabled", DENIED)
    assert sasl.bind(connection, "x.y.z") == (49, "", INVALID_TOKEN)
    assert connection.whoami_s() == ""


def test_bearer__binds_end_sessions(server):
    """A bind that begins, fails or succeeds ends what the connection was before, as any bind does;
    a member after a guest is that member."""
    connection = server.open()
    for before in ((b.member_dn("mia"), "mia-pw"), (ALICE, token()), (guest_dn("bob"), "bob-pw")):
        connection.simple_bind_s(*before)
        assert connection.whoami_s() == f"dn:{before[0]}"
        assert sasl.bind(connection, "x.y.z")[0] == 49
        assert connection.whoami_s() == ""
        assert sasl.bind(connection, token())[0] == 0
        assert connection.whoami_s() == f"dn:{ALICE}"
    connection.simple_bind_s(b.member_dn("mia"), "mia-pw")
    assert b.member_dn("max") in seen(connection, b.SUFFIX)


def begin(raw, how):
    """Leaves a bind of the mechanism half done."""
    if how == "asked":
        assert raw.bind(b"")[0] == IN_PROGRESS
    elif how == "refused":
        assert raw.bind(message("x.y.z"))[0] == IN_PROGRESS
    else:
        assert raw.bind(message(SIGNER.token("off")))[0] == IN_PROGRESS


OTHERS = {
    "anonymous": lambda raw: raw.simple()[0],
    "member": lambda raw: raw.simple(b.member_dn("mia"), b"mia-pw")[0],
    "wrong-password": lambda raw: raw.simple(b.member_dn("mia"), b"x")[0],
    "guest": lambda raw: raw.simple(guest_dn("bob"), b"bob-pw")[0],
    "token": lambda raw: raw.simple("", token().encode())[0],
    "external": lambda raw: raw.bind(b"", "EXTERNAL")[0],
    "external-none": lambda raw: raw.bind(None, "EXTERNAL")[0],
    "digest": lambda raw: raw.bind(None, "DIGEST-MD5")[0],
    "digest-data": lambda raw: raw.bind(b"x", "DIGEST-MD5")[0],
    "unknown": lambda raw: raw.bind(b"x", "NO-SUCH-MECHANISM")[0],
    "empty-name": lambda raw: raw.bind(b"x", "")[0],
}


@pytest.fixture(scope="module")
def as_ever(server):
    """What each of them is answered on a connection of its own."""
    answers = {}
    for name, work in OTHERS.items():
        with Raw(server.ldapi) as raw:
            answers[name] = work(raw)
    assert [answers[name] for name in ("anonymous", "member", "guest", "token", "external",
                                       "wrong-password", "digest")] == [0] * 5 + [49, IN_PROGRESS]
    return answers


@pytest.mark.parametrize("how", ["asked", "refused", "denied"])
@pytest.mark.parametrize("other", OTHERS)
def test_bearer__other_binds_in_the_middle(server, as_ever, how, other):
    """Steps: a bind of the mechanism is half done; another bind comes, twice; then a bind anew.
    Expected: the other one is answered as ever; what was half done is forgotten; slapd lives."""
    with Raw(server.ldapi) as raw:
        for _ in range(2):
            begin(raw, how)
            assert OTHERS[other](raw) == as_ever[other]
        assert raw.bind(message(token())) == (0, "", None)
        assert raw.whoami() == f"dn:{ALICE}"
    assert server.alive()


@pytest.mark.parametrize("how", ["asked", "refused", "denied"])
def test_bearer__other_operations_in_the_middle(server, how):
    """Other operations are refused by slapd while a bind is half done; it is still half done."""
    with Raw(server.ldapi) as raw:
        begin(raw, how)
        raw.send_whoami()
        assert raw.receive()[2:4] == (1, "SASL bind in progress")
        code, text, challenge = raw.bind(message(token()))
        assert code == {"asked": 0, "refused": 49, "denied": 53}[how] and challenge is None


def test_bearer__in_the_middle_of_others(server):
    """The other way round: DIGEST-MD5 waits for its second step when the mechanism comes."""
    with Raw(server.ldapi) as raw:
        for credentials in (message(token()), b"", message("x.y.z"), None):
            assert raw.bind(None, "DIGEST-MD5")[0] == IN_PROGRESS
            assert raw.bind(credentials)[0] in (0, IN_PROGRESS)
            assert raw.bind(b'username="mia"', "DIGEST-MD5")[0] != 0
            raw.bind(None, "DIGEST-MD5")
            assert raw.bind(b"", "EXTERNAL")[0] == 0
    assert server.conn(b.member_dn("mia"), "mia-pw").whoami_s() == f"dn:{b.member_dn('mia')}"


def test_bearer__left_half_done(server):
    """Connections that leave in every state: closed, unbound, abandoned, cut."""
    for how in ("asked", "refused", "denied"):
        for leave in ("close", "unbind", "abandon", "cut"):
            with Raw(server.ldapi) as raw:
                begin(raw, how)
                if leave == "unbind":
                    raw.unbind()
                elif leave == "abandon":
                    raw.send_abandon(1)
                elif leave == "cut":
                    raw.stream.sendall(b"\x30\x50\x02\x01\x09\x60\x4b\x02\x01\x03")
    assert server.alive()


def test_bearer__pipelined(server):
    """Requests that do not wait for answers, in every order: slapd abandons a bind that another
    overtakes, so not each is answered; those that are come in order, the last one is, slapd
    lives."""
    requests = {"ask": lambda raw: raw.send_bind(None),
                "right": lambda raw: raw.send_bind(message(token())),
                "wrong": lambda raw: raw.send_bind(message("x.y.z")),
                "simple": lambda raw: raw.send_simple(b.member_dn("mia"), b"mia-pw"),
                "external": lambda raw: raw.send_bind(b"", "EXTERNAL")}
    for sequence in itertools.permutations(requests):
        with Raw(server.ldapi) as raw:
            sent = [requests[name](raw) for name in sequence] + [raw.send_whoami()]
            got = [raw.receive()]
            while got[-1][0] != sent[-1]:
                got.append(raw.receive())
            numbers = [answer[0] for answer in got]
            assert numbers == sorted(numbers) and set(numbers) <= set(sent)
    assert server.alive()


def test_bearer__many_connections(server, as_ever):
    """Steps: eight threads, each with connections in all states, mix the mechanism with others.
    Expected: every right bind is in under its own name, slapd lives."""
    faults, right = [], token()

    def work(seed):
        try:
            with contextlib.ExitStack() as stack:
                raws = [stack.enter_context(Raw(server.ldapi)) for _ in range(3)]
                for turn, (number, raw) in itertools.product(range(25), enumerate(raws)):
                    begin(raw, ("asked", "refused", "denied")[(turn + number) % 3])
                    name = list(OTHERS)[(turn + number + seed) % len(OTHERS)]
                    found = OTHERS[name](raw), raw.bind(message(right))[0], raw.whoami()
                    if found != (as_ever[name], 0, f"dn:{ALICE}"):
                        faults.append((name, found))
        except Exception as error:  # a thread's own traceback would be lost
            faults.append(repr(error))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults, faults[:5]
    assert server.alive()


# --- listeners, limits, a client nobody here wrote ---

def test_bearer__listeners(server):
    """ldapi, plain, StartTLS, ldaps: in, where TLS is not demanded."""
    right = token()
    for where in ({}, {"uri": server.uri}, {"uri": server.uri, "starttls": True},
                  {"uri": server.ldaps}):
        assert ways.by_bearer(server, ALICE, right, **where).who == f"dn:{ALICE}"
    with Raw(server.ldaps, server.certs.ca) as raw:
        assert raw.bind(message(right)) == (0, "", None)


def test_bearer__restrictions_of_slapd(make_server):
    """What slapd's own configuration says of binds holds: disallowed by "restrict bind", and by
    "require" of strong authentication it is not."""
    server = make_server(b.tenant_server, global_conf="restrict bind")
    with Raw(server.ldapi) as raw:
        assert raw.bind(message(token()))[0] == 53


def curl(server, bearer, uri, user="alice"):
    """curl (libcurl has SASL code of its own) reads the guest's entry: a process that runs."""
    return subprocess.Popen(
        ["curl", "-s", "-S", "--max-time", "40", "--noproxy", "*", "--login-options",
         "AUTH=OAUTHBEARER", "-u", f"{user}:", "--cacert", str(server.certs.ca),
         "--oauth2-bearer", bearer, f"{uri}/{ALICE}?uid?base"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=client_env())


def test_bearer__curl(server):
    """curl, which nobody here wrote, comes in over plain LDAP and LDAPS and reads the guest's own
    entry; with a wrong token or another's name it does not.  (It takes seconds for each of its
    steps, so all run at once.)"""
    runs = [(curl(server, token(), server.uri), True), (curl(server, token(), server.ldaps), True),
            (curl(server, "x.y.z", server.uri), False),
            (curl(server, token(), server.uri, user="bob"), False)]
    for run, good in runs:
        output, _ = run.communicate(timeout=60)
        assert (run.returncode == 0) == good and ("uid: alice" in output) == good, output
    assert server.alive()
