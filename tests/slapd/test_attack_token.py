"""Attacks on sign-in by token and on one-time passwords: half-done binds when the gate goes, guests
that change while they are let in, guesses that nobody counts."""

import contextlib
import json
import queue
import threading

import ldap
import pytest

from lib import builders as b, cnconfig as c, sasl, totp
from lib.builders import guest_dn
from lib.conditional import container_ldif, policy_ldif
from lib.hostile import ber
from lib.stile import Stile, conf as stile_conf
from lib.tokens import Signer

SIGNER = Signer("https://idp.attack.example")
MFA = (8, "b2b: mfa-required")
WIKI = f"ou=wiki,{b.SUFFIX}"


# --- half-done binds ---

STEPS = {"asked": b"", "refused": sasl.message("x.y.z")}
NEXT = {"EXTERNAL": b"", "OAUTHBEARER": b"\x01", "DIGEST-MD5": b"x", "NO-SUCH": b"x"}


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_attack__gate_goes_in_the_middle_of_a_bind(make_server, how):
    """Set-up: strangers have left OAUTHBEARER binds half done.  Steps: the administrator takes the
    gate away; each stranger goes on, with that mechanism or another, so that slapd's own code gets
    it.  Expected: an answer that is no success; slapd lives, for it would go on in Cyrus with a
    mechanism that never began."""
    server = make_server(b.tenant_server, convert=True)
    strangers = [(sasl.Raw(server.uri), mechanism) for mechanism in NEXT for _ in STEPS]
    for (raw, _), step in zip(strangers, list(STEPS.values()) * len(NEXT)):
        assert raw.bind(step)[0] == sasl.IN_PROGRESS
    if how == "deleted":
        assert c.remove(server, c.GATE) == (0, "")
    else:
        assert c.put(server, c.GATE, "olcDisabled", "TRUE") == (0, "")
    for raw, mechanism in strangers:
        assert raw.bind(NEXT[mechanism], mechanism)[0] != 0
        raw.close()
    assert server.alive() and server.root().whoami_s() == f"dn:{b.ROOTDN}"


# --- guests that change while they are let in ---

@pytest.fixture
def stile(tmp_path):
    """(a server whose writes to uid=zoe are held, the stile): zoe was invited by her address."""
    stile = Stile(tmp_path / "stile")
    hold = stile_conf(tmp_path / "stile", "zoe")
    server = b.tenant_server(modules=("back_sock",), b2b=hold, data=(
        b.partner_ldif("home", lines=SIGNER.partner_lines()) + b.guest_ldif("zoe", subject="")))
    yield server, stile
    stile.stop()
    try:
        server.stop()
    finally:
        server.remove()


def of_zoe(subject):
    """A token of somebody who has zoe's address at home."""
    return SIGNER.token(subject, email="zoe@home.example", email_verified=True)


@contextlib.contextmanager
def signing_in(server, password):
    """A sign-in as zoe that goes on beside the block; gives a queue with what it was answered."""
    answers = queue.Queue()
    connection = server.open()
    thread = threading.Thread(target=lambda: answers.put(
        c.code_of(connection.simple_bind_s, guest_dn("zoe"), password)))
    thread.start()
    yield answers
    thread.join(20)


def test_attack__partner_goes_during_redemption(stile):
    """Steps: zoe's first token is right, and while her redemption is written the administrator
    deletes her partner.  Expected: an answer; slapd lives; nothing is hers any more."""
    server, stile = stile
    with signing_in(server, of_zoe("zoe-1")) as answers:
        assert stile.holds.wait(20) and "b2bHomeSubject: zoe-1" in stile.held
        server.root().delete_s(b.partner_dn("home"))
        stile.go_on.set()
        assert answers.get(timeout=20) in ((0, ""), (49, ""))
    assert server.alive()
    assert c.code_of(server.conn, guest_dn("zoe"), of_zoe("zoe-1")) == (49, "")


def test_attack__second_subject_during_redemption(stile):
    """Set-up: zoe has a one-time password, known to an attacker with her address at home.  Steps:
    his sign-in is let in, but its code is not noted yet, when hers redeems the invitation and binds
    her subject; then his goes on.  Expected: he is refused, the guest stays hers."""
    server, stile = stile
    stile.holds.set()  # let the enrolment pass
    secret = totp.enrol(server.root(), guest_dn("zoe"))
    stile.holds.clear()
    with signing_in(server, of_zoe("attacker") + totp.code(secret)) as answers:
        assert stile.holds.wait(20) and "b2bTotpLastStep" in stile.held
        assert c.code_of(server.conn, guest_dn("zoe"), of_zoe("zoe-1")) == (0, "")
        assert server.entry(guest_dn("zoe"))["b2bHomeSubject"] == ["zoe-1"]
        stile.go_on.set()
        assert answers.get(timeout=20) == (49, "")
    assert server.entry(guest_dn("zoe"))["b2bHomeSubject"] == ["zoe-1"]
    assert server.conn(guest_dn("zoe"), SIGNER.token("zoe-1"))


# --- one-time passwords ---

@pytest.fixture(scope="module")
def server(make_server, home):
    """Several factors are asked for by the application wiki alone; the guests alice and bob are
    those of the home directory, ann is one by token."""
    server = make_server(b.tenant_server, database="index b2bHomeSubject eq\n")
    server.load(f"dn: {WIKI}\nobjectClass: organizationalUnit\nou: wiki\n\n" + container_ldif()
                + b.partner_ldif("home", home.uri)
                + b.partner_ldif("signer", lines=SIGNER.partner_lines())
                + b.guest_ldif("alice") + b.guest_ldif("bob")
                + b.guest_ldif("ann", "signer", subject="ann")
                + b.app_ldif("wiki", f"b2bAppScope: {WIKI}")
                + policy_ldif("mfa", "b2bCaGrant: mfa\nb2bCaIncludeApp: wiki"))
    return server


def sees_wiki(server, name, password):
    return c.code_of(server.conn(guest_dn(name), password).search_s, WIKI, ldap.SCOPE_BASE)[0] == 0


def test_attack__every_guess_is_counted(server):
    """Set-up: a thief has alice's home password, enough for the directory; the wiki wants a
    second factor.  Steps: he guesses codes behind the password, where none is asked for.  Expected:
    each guess is counted, and after five the right code is refused too; without a code the
    directory is open as ever, the wiki is not."""
    secret = totp.enrol(server.root(), guest_dn("alice"))
    bad = totp.wrong_code(secret)
    for number in range(1, 6):
        assert c.code_of(server.conn, guest_dn("alice"), "alice-pw" + bad) == MFA
        assert server.entry(guest_dn("alice"))["b2bTotpFailures"] == [str(number)]
    assert c.code_of(server.conn, guest_dn("alice"), "alice-pw" + totp.code(secret)) == MFA
    assert not sees_wiki(server, "alice", "alice-pw")


def test_attack__a_code_opens_what_asks_for_it(server):
    """bob's code is taken off his password although the directory asks for none: he sees the wiki
    with it, and not without."""
    secret = totp.enrol(server.root(), guest_dn("bob"))
    assert not sees_wiki(server, "bob", "bob-pw")
    assert sees_wiki(server, "bob", "bob-pw" + totp.code(secret))


def test_attack__two_enrolments_at_once(server):
    """Steps: six connections enrol a guest at the same moment, two hundred times.  Expected: one is
    told a secret, and none replaces it; else who came first would hold a dead one."""
    order = {"action": "enroll", "guest": guest_dn("ann")}
    request = ber(0x80, totp.OID.encode()) + ber(0x81, json.dumps(order).encode())
    root = server.root()
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(sasl.Raw(server.ldapi)) for _ in range(6)]
        for raw in raws:
            assert raw.simple(b.ROOTDN, b.ROOTPW.encode())[0] == 0
        for _ in range(200):
            for raw in raws:
                raw.send(0x77, request)
            codes = [raw.receive()[2] for raw in raws]
            assert codes.count(0) == 1, codes
            totp.ask(root, "reset", guest_dn("ann"))
