"""b2bctl totp: a guest gets a secret from a real slapd, sees it as a URI and as a QR code, and
comes in with the passwords that it makes."""

import base64
import ctypes
import os
import pty
import subprocess
from urllib.parse import parse_qs, unquote, urlsplit

import ldap
import pytest

from lib import builders
from lib.builders import BASE, ROOTDN, ROOTPW, guest_dn, guest_ldif, member_dn, partner_ldif
from lib.ctl import Ctl, cleaned
from lib.slapd import client_env
from lib.tokens import Key, Signer
from lib.totp import OID, code

ALICE = guest_dn("alice")
SIGNER = Signer("https://idp.home.example", "b2b", Key("P-256", "ec"))
QUIET = 4


@pytest.fixture(scope="module")
def served(make_server, certs):
    """max is an administrator of one-time passwords and of nothing else."""
    return Ctl(make_server(builders.tenant_server, certs=certs, access=(
        f'access to attrs=b2bTotpSecret by dn.exact="{member_dn("max")}" manage by * none\n'
        + builders.ACCESS)))


@pytest.fixture
def ctl(served):
    """A partner of tokens and its guest alice."""
    served.server.load(partner_ldif("home", lines=SIGNER.partner_lines())
                       + guest_ldif("alice", subject="alice-at-home"))
    yield served
    cleaned(served)


def uri_of(done):
    """The URI that was printed, taken apart: (label, {name: value})."""
    lines = done.stdout.splitlines()
    assert lines[0] == f"enrolled {ALICE.lower()}"
    parts = urlsplit(lines[1])
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    return unquote(parts.path), {k: v[0] for k, v in parse_qs(parts.query).items()}


def modules(lines):
    """A drawing as rows of modules, True where it is dark."""
    rows = []
    for line in lines:
        rows.append([letter not in "\u2580\u2588" for letter in line])
        rows.append([letter not in "\u2584\u2588" for letter in line])
    return rows


def encoded(text):
    """The modules of a text by libqrencode, asked directly."""
    class Code(ctypes.Structure):
        _fields_ = [("version", ctypes.c_int), ("width", ctypes.c_int),
                    ("data", ctypes.POINTER(ctypes.c_ubyte))]
    library = ctypes.CDLL("libqrencode.so.4")
    library.QRcode_encodeString8bit.restype = ctypes.POINTER(Code)
    made = library.QRcode_encodeString8bit(text.encode(), 0, 0).contents
    return [[bool(made.data[y * made.width + x] & 1) for x in range(made.width)]
            for y in range(made.width)]


def check_drawing(uri, lines):
    """The code with its quiet zone, and nothing else; its three corners are where they belong."""
    rows, wanted = modules(lines), encoded(uri)
    size = len(wanted)
    assert {len(row) for row in rows} == {size + 2 * QUIET}
    assert len(rows) in (size + 2 * QUIET, size + 2 * QUIET + 1)
    inner = [row[QUIET:-QUIET] for row in rows[QUIET:QUIET + size]]
    assert inner == wanted
    outside = rows[:QUIET] + rows[QUIET + size:] + [
        row[:QUIET] + row[-QUIET:] for row in rows]
    assert not any(any(row) for row in outside)
    for x, y in ((0, 0), (size - 7, 0), (0, size - 7)):
        assert all(inner[y][x:x + 7]) and inner[y + 1][x:x + 7] == [True] + [False] * 5 + [True]


def test_enroll__a_uri(ctl):
    """By DN, uid and mail; a secret of 160 bits, and another each time.  Into a file or a pipe goes
    no drawing unless it is asked for."""
    seen = set()
    for name in (ALICE, "alice", "alice@home.example"):
        done = ctl.run("totp", "enroll", name)
        assert len(done.stdout.splitlines()) == 2 and done.stderr == ""
        label, values = uri_of(done)
        assert label == "/ours:alice@home.example"
        assert {k: v for k, v in values.items() if k != "secret"} == {
            "issuer": "ours", "algorithm": "SHA1", "digits": "6", "period": "30"}
        assert len(base64.b32decode(values["secret"])) == 20
        seen.add(values["secret"])
        done = ctl.run("totp", "reset", name)
        assert (done.stdout, done.stderr) == (f"reset {ALICE.lower()}\n", "")
    assert len(seen) == 3


def test_enroll__only_once(ctl):
    first = ctl.run("totp", "enroll", "alice").stdout
    done = ctl.run("totp", "enroll", "alice", code=1)
    assert "must be reset first" in done.stderr and done.stdout == ""
    assert first.splitlines()[1] not in done.stderr


def test_enroll__the_drawing(ctl):
    """--qr draws into a pipe, without colours; it is what libqrencode makes of the URI."""
    lines = ctl.run("totp", "enroll", "--qr", "alice").stdout.splitlines()
    assert not any("\033" in line for line in lines)
    check_drawing(lines[1], lines[2:])


@pytest.mark.parametrize("more, drawn", [([], True), (["--no-qr"], False)])
def test_enroll__on_a_terminal(ctl, more, drawn):
    """Drawn by itself, in colours that do not depend on those of the terminal."""
    leader, follower = pty.openpty()
    try:
        done = subprocess.Popen(
            [str(builders.B2BCTL), "-H", ctl.server.ldapi, "-D", ROOTDN, "-w", ROOTPW, "totp",
             "enroll", *more, "alice"], stdout=follower, stderr=subprocess.PIPE, env=client_env())
        os.close(follower)
        text = b""
        while True:
            try:
                more_text = os.read(leader, 65536)
            except OSError:
                break
            if not more_text:
                break
            text += more_text
        _, errors = done.communicate(timeout=30)
    finally:
        os.close(leader)
    assert (done.returncode, errors) == (0, b"")
    lines = text.decode().replace("\r\n", "\n").splitlines()
    assert bool(lines[2:]) == drawn
    if drawn:
        assert all(line.startswith("\033[97;40m") and line.endswith("\033[0m")
                   for line in lines[2:])
        check_drawing(lines[1], [line.removeprefix("\033[97;40m").removesuffix("\033[0m")
                                 for line in lines[2:]])


def test_enroll__self_and_in(ctl):
    """A guest enrols while policy does not yet ask for several factors, then comes in with a token
    and a password of its device; after a reset that one is no good."""
    token = SIGNER.token("alice-at-home")
    done = ctl.bare("-H", ctl.server.ldapi, "-D", ALICE, "-w", token, "totp", "enroll", "self")
    assert done.returncode == 0, done.stderr
    secret = uri_of(done)[1]["secret"]
    assert token not in done.stdout + done.stderr
    access = f"cn=conditional-access,{BASE}"
    ctl.server.load(f"dn: {access}\nobjectClass: b2bContainer\ncn: conditional-access\n\n"
                    f"dn: cn=mfa,{access}\nobjectClass: b2bAccessPolicy\ncn: mfa\n"
                    "b2bCaState: enabled\nb2bCaGrant: mfa\n\n")
    with pytest.raises(ldap.STRONG_AUTH_REQUIRED):
        ctl.server.conn(ALICE, token)
    ctl.server.conn(ALICE, token + code(secret))
    ctl.run("totp", "reset", "alice")
    with pytest.raises(ldap.STRONG_AUTH_REQUIRED):
        ctl.server.conn(ALICE, token + code(secret, 1))


def test_enroll__who_may_not(ctl):
    """A member without the right, and one guest for another: refused, and nothing is told."""
    ctl.server.load(guest_ldif("bob", subject="bob-at-home"))
    for dn, password, action in ((member_dn("mia"), "mia-pw", "enroll"),
                                 (member_dn("mia"), "mia-pw", "reset"),
                                 (guest_dn("bob"), SIGNER.token("bob-at-home"), "enroll"),
                                 (ALICE, SIGNER.token("alice-at-home"), "reset")):
        done = ctl.bare("-H", ctl.server.ldapi, "-b", BASE, "-D", dn, "-w", password, "totp",
                        action, ALICE)
        assert done.returncode == 1 and "otpauth" not in done.stdout + done.stderr
    for action, words in (("enroll", "enrolled"), ("reset", "reset")):
        done = ctl.bare("-H", ctl.server.ldapi, "-b", BASE, "-D", member_dn("max"), "-w", "max-pw",
                        "totp", action, "alice")
        assert done.returncode == 0 and done.stdout.startswith(words), done.stderr
    for nobody in ("zoe", "*", member_dn("mia")):
        assert "there is no guest" in ctl.run("totp", "enroll", nobody, code=1).stderr


def test_enroll__not_in_the_clear(ctl, certs):
    """Over plain TCP nothing is asked; over TLS it is."""
    lead = ("-H", ctl.server.uri, "-D", ROOTDN, "-w", ROOTPW)
    env = {key: value for key, value in client_env().items() if key != "LDAPNOINIT"}
    env["LDAPTLS_CACERT"] = str(certs.ca)

    def run(*args):
        return subprocess.run([str(builders.B2BCTL), *lead, *args], capture_output=True, text=True,
                              timeout=60, env=env)
    mark = ctl.server.log_mark()
    for words in (["totp", "enroll", "alice"], ["totp", "enroll", "self"],
                  ["totp", "reset", "alice"]):
        done = run(*words)
        assert done.returncode == 1 and "without TLS" in done.stderr
    assert OID not in ctl.server.log(mark)
    done = run("-ZZ", "totp", "enroll", "alice")
    assert done.returncode == 0 and "otpauth://" in done.stdout
    ctl.server.wait_log(OID, since=mark)


def test_totp__usage(ctl):
    for args in (["enroll"], ["reset"], ["reset", "--qr", "alice"], ["burn", "alice"],
                 ["enroll", "--qr", "--no-qr", "alice"], ["enroll", "a", "b"]):
        assert ctl.bare("totp", *args).returncode == 2, args
