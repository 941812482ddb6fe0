"""One-time codes by mail: who gets one, and that it is good once, for five tries, for a while."""

import json
import os
import threading
import time

import ldap
import pytest
from ldap.controls.libldap import AssertionControl
from ldap.controls.readentry import PreReadControl

from lib import builders as b, mint as m, records, totp, ways
from lib.builders import guest_dn
from lib.cnconfig import code_of
from lib.conditional import container_ldif, policy
from lib.eyes import code, seen
from lib.slapd import faketime_env, poll
from lib.stile import Stile, conf as stile_conf
from lib.tokens import Signer

HASH = "b2bPasscodeHash"
OUT = (49, "")
CODES = "b2bIdp: passcode"
_count = iter(range(10000))


@pytest.fixture(scope="module")
def server(make_server, certs):
    """The guests of codes, unless a test says otherwise, prove themselves by codes and are redeemed
    by the first; those of manual by a ticket alone."""
    server = make_server(b.tenant_server, start=False, certs=certs,
                         b2b="b2b-key-file {dir}/key.pem")
    server.mint = m.Mint(m.key_file(server))
    server.start()
    server.load(
    container_ldif() +
    b.partner_ldif(
        "codes",
        lines=CODES) +
        b.partner_ldif(
            "manual",
            lines=CODES).replace(
                "RedeemIn: TRUE",
                 "RedeemIn: FALSE"))
    return server


class Guest:
    """A guest of its own for a test, who asks from a peer of its own."""

    def __init__(self, server, tenant="codes", subject="", lines="", name=None):
        self.server, self.name = server, name or f"p{next(_count)}"
        self.dn, self.mail = guest_dn(self.name), f"{self.name}@home.example"
        server.load(b.guest_ldif(self.name, tenant, lines, subject=subject))

    def bind(self, password, peer=None):
        connection = m.connect(self.server, peer)
        try:
            return code_of(connection.simple_bind_s, self.dn, password)
        finally:
            connection.unbind_ext_s()
            self.server.ctl.remove(connection)

    def asked(self, by="bind", peer=None):
        """Asks, and gives what the client hears."""
        if by == "bind":
            return self.bind("?", peer)
        told = {"guest": self.dn, "mail": self.mail}.get(by)
        told = told or m.ticket_of(self.server, self.server.mint, self.dn)
        return m.ask(self.server, m.connect(self.server, peer), **{by: told})

    def code(self):
        """A code as the daemon mails it, asked for by a bind."""
        assert self.asked() == OUT
        return m.deliver(self.server, self.server.mint, self.dn)

    def stored(self, code="12345678", **options):
        m.store(self.server, self.server.mint, self.dn, code, **options)
        return code

    def state(self, name):
        return self.server.entry(self.dn).get(name)

    def has_hash(self):
        return HASH in self.server.tool("slapcat", "-a", f"(uid={self.name})").stdout


def wrong(right):
    return f"{(int(right) + 1) % 10**8:08}"


def notices(server, guest):
    return m.notices(server, "passcode", guest.dn)


def settle(server):
    """What was asked for before is done when the next one is: one job takes them in their order."""
    last = Guest(server)
    assert last.asked() == OUT
    poll(lambda: notices(server, last), 20, "a notice")


# --- asking ---

@pytest.mark.parametrize("by", ["bind", "guest", "mail", "ticket"])
def test_passcode__asked_and_used(server, by):
    """A guest asks in each way, gets a notice with all that a mail needs, and signs in with the
    code of it, once; the first sign-in redeems, and binds the address for ever."""
    guest = Guest(server, lines="displayName: Pia Partner\npreferredLanguage: de")
    assert guest.asked(by) == (OUT if by == "bind" else (0, {}))
    (_, notice), = poll(lambda: notices(server, guest), 20, "a notice")
    assert notice["b2bNoticeTo"] == [guest.mail] and notice["b2bNoticeName"] == ["Pia Partner"]
    assert notice["b2bNoticeLanguage"] == ["de"]
    data = json.loads(notice["b2bNoticeData"][0])
    assert data["uuid"] == guest.state("entryUUID")[0] and data["base"] == b.BASE
    assert data["tenant"] == "ours"
    right = m.deliver(server, server.mint, guest.dn)
    assert guest.bind(right) == (0, "")
    assert guest.state("b2bUserState") == ["Accepted"]
    assert guest.state("b2bHomeSubject") == [guest.mail]
    assert not guest.has_hash() and not guest.state("b2bPasscodeTries")
    assert guest.bind(right) == OUT


def test_passcode__new_codes(server):
    """Two codes of one guest differ, and the later one alone is good."""
    guest = Guest(server)
    first, second = guest.code(), guest.stored("87654321")
    assert first != second and guest.bind(first) == OUT
    assert guest.bind(second) == (0, "")


def test_passcode__goes_to_the_subject(server):
    """The address is the subject where that is one, else mail; it is redeemed by no code where it
    was said to be somebody else at home."""
    elsewhere = Guest(server, subject="Pia.Partner@else.example")
    other = Guest(server, subject="7c1e")
    accepted = Guest(server, subject="7c1f")
    server.root().modify_ext_s(accepted.dn, [records.replace("b2bUserState", "Accepted")],
                               serverctrls=records.RELAX)
    for guest in (elsewhere, other, accepted):
        guest.asked()
    settle(server)
    (_, notice), = notices(server, elsewhere)
    assert notice["b2bNoticeTo"] == ["Pia.Partner@else.example"]
    assert not notices(server, other)
    assert notices(server, accepted)[0][1]["b2bNoticeTo"] == [accepted.mail]
    assert other.bind(other.stored()) == OUT
    assert elsewhere.bind(elsewhere.stored()) == (0, "")
    assert elsewhere.state("b2bHomeSubject") == ["Pia.Partner@else.example"]
    found = m.ask(server, mail="pia.partner@ELSE.example")
    assert found == (0, {})


def test_passcode__nobody_is_told_apart(server, fake_home):
    """Known, unknown, disabled, expired, denied, of another proof, not redeemed, a member, the
    rootdn: every request is answered alike, and none but the first gets a notice."""
    server.load(b.partner_ldif("blocked", lines=CODES + "\nb2bCollabInUsersAccess: blocked\n"
                               "b2bCollabInAppsAccess: blocked")
                + b.partner_ldif("tokens", lines=Signer("https://x.example").partner_lines(CODES)))
    known = Guest(server)
    off = Guest(server)
    server.root().modify_s(off.dn, [records.replace("b2bAccountEnabled", "FALSE")])
    others = [off, Guest(server, lines="b2bValidUntil: 20200101000000Z"), Guest(server, "manual"),
              Guest(server, "blocked"), Guest(server, "nobody"), Guest(server, "tokens"),
              Guest(server, lines="b2bIdentityProvider: oidc")]
    dns = [g.dn for g in (known, *others)]
    dns += [guest_dn("nobody-here"), b.member_dn("mia"), b.BASE, b.ROOTDN, b.SUFFIX]
    for dn in dns:
        connection = m.connect(server)
        assert code_of(connection.simple_bind_s, dn, "?") == OUT, dn
        if dn != known.dn:
            assert m.ask(server, guest=dn) == (0, {}), dn
    for mail in ("nobody@nowhere.example", "*", "*)(objectClass=*", "x" * 5000, others[0].mail):
        assert m.ask(server, mail=mail) == (0, {})
    for ticket in ("x", "A" * 75, server.mint.ticket(known.state("entryUUID")[0], 1)):
        assert m.ask(server, ticket=ticket) == (0, {})
    settle(server)
    assert len(notices(server, known)) == 1
    assert not [g.dn for g in others if notices(server, g)]


def test_passcode__two_with_one_address(server):
    """Who is meant by an address must be sure."""
    guests = [Guest(server), Guest(server)]
    for guest in guests:
        server.root().modify_s(guest.dn, [records.replace("mail", "twins@home.example")])
    assert m.ask(server, mail="twins@home.example") == (0, {})
    settle(server)
    assert not notices(server, guests[0]) and not notices(server, guests[1])


def test_passcode__with_a_ticket(server):
    """A guest that is to redeem by a ticket gets a code with that alone: not with its name, not
    with a former ticket, one of another moment, or one whose time is over."""
    guest = Guest(server, "manual")
    server.root().modify_ext_s(guest.dn, [records.replace("b2bInvitedAt", records.ahead(-99))],
                               serverctrls=records.RELAX)
    former = m.ticket_of(server, server.mint, guest.dn)
    server.root().modify_ext_s(guest.dn, [records.replace("b2bInvitedAt", records.ahead(-9))],
                               serverctrls=records.RELAX)
    assert guest.asked("guest") == (0, {}) and guest.asked("mail") == (0, {})
    assert m.ask(server, ticket=former) == (0, {})
    settle(server)
    assert not notices(server, guest)
    assert guest.asked("ticket") == (0, {})
    settle(server)
    assert len(notices(server, guest)) == 1
    late = Guest(server, "manual")
    server.root().modify_ext_s(late.dn, [records.replace(
        "b2bInvitedAt", records.ahead(-30 * records.DAY - 5))], serverctrls=records.RELAX)
    assert late.asked("ticket") == (0, {})
    settle(server)
    assert not notices(server, late)


@pytest.mark.parametrize("value", [
    b"", b"[]", b"{}", b'{"guest":1}', b'{"mail":""}', b'{"guest":"no dn"}', b'{"more":"x"}',
    b'{"mail":"a@b.example","ticket":"x"}', b'{"mail":"a@b.example","mail":"a@b.example"}',
], ids=range(9))
def test_passcode__malformed_requests(server, value):
    """What is no request is a protocol error or an invalid DN."""
    with pytest.raises((ldap.PROTOCOL_ERROR, ldap.INVALID_DN_SYNTAX)):
        m.request(m.connect(server), m.PASSCODE, value)


def test_passcode__needs_tls(server):
    """Where the tenant demands TLS: nobody asks (13) nor gets a code in the clear, and a right code
    is 49 there, not even counted; over TLS both work."""
    guest, root = Guest(server), server.root()
    root.modify_s(b.BASE, [(ldap.MOD_DELETE, "b2bRequireTls", None)])
    try:
        assert guest.asked("guest")[0] == 13 and guest.asked() == OUT
        secure = server.open(server.ldaps)
        assert code_of(secure.simple_bind_s, guest_dn("nobody"), "?") == OUT
        right = guest.stored()
        assert guest.bind(right) == OUT
        assert guest.state("b2bPasscodeTries") == ["0"]
        assert not notices(server, guest)
        assert code_of(secure.simple_bind_s, guest.dn, right) == (0, "")
        assert m.ask(server, server.open(server.ldaps), guest=guest.dn) == (0, {})
        assert poll(lambda: notices(server, guest), 20, "a notice")
    finally:
        root.modify_s(b.BASE, [(ldap.MOD_REPLACE, "b2bRequireTls", b"FALSE")])


# --- partners with providers ---

def test_passcode__question_mark_is_a_password(server, fake_home):
    """A partner with a home directory, which takes codes besides: "?" and eight digits are
    passwords like any other, shown to home; a code is none."""
    home = fake_home("code")
    server.load(b.partner_ldif("both", home.uri, CODES))
    guest = Guest(server, "both", subject=f"uid=both,{b.HOME_PEOPLE}")
    right, mark = guest.stored(), server.log_mark()
    assert guest.bind("?") == OUT and guest.bind(right) == OUT
    assert [password for _, password in home.binds] == ["?", right]
    home.behaviour = "success"
    assert guest.bind("?") == (0, "")
    settle(server)
    assert not notices(server, guest) and "verdict=deny" not in server.log(mark)


def test_passcode__pinned(server, fake_home):
    """A guest of that partner that is pinned to codes gets one and signs in by it; nothing that it
    sends is shown to home.  Pinned otherwise, or no longer, its connection ends."""
    home = fake_home("success")
    server.load(b.partner_ldif("pins", home.uri, CODES))
    guest = Guest(server, "pins", lines="b2bIdentityProvider: passcode")
    right = guest.code()
    for password in ("secret", wrong(right), "1234567", "123456789", "?", right + "1"):
        assert guest.bind(password) == OUT
    connection = m.connect(server)
    connection.simple_bind_s(guest.dn, right)
    assert home.connections == 0
    assert guest.dn in seen(connection, b.SUFFIX)
    server.root().modify_s(guest.dn, [records.delete("b2bIdentityProvider")])
    assert code(seen, connection, b.SUFFIX) == 53
    server.root().modify_s(guest.dn, [records.add("b2bIdentityProvider", "passcode")])
    assert guest.dn in seen(connection, b.SUFFIX)
    server.root().modify_s(b.partner_dn("pins"), [records.delete("b2bIdp", "passcode")])
    assert code(seen, connection, b.SUFFIX) == 53
    assert guest.bind(guest.stored()) == OUT


# --- held connections ---

def test_passcode__held_connection(server):
    """A guest that came by a code goes on until it may not, and until its partner has a provider.
    """
    guest = Guest(server)
    connection = m.connect(server)
    connection.simple_bind_s(guest.dn, guest.stored())
    assert connection.whoami_s() == f"dn:{guest.dn}" and guest.dn in seen(connection, b.SUFFIX)
    with policy(server, f"b2bCaGrant: block\nb2bCaIncludeGuest: {guest.dn}"):
        assert code(seen, connection, b.SUFFIX) == 53
    assert guest.dn in seen(connection, b.SUFFIX)
    root, partner = server.root(), b.partner_dn("codes")
    root.modify_s(partner, [records.add("b2bIdp", "oidc")])
    try:
        assert code(seen, connection, b.SUFFIX) == 53
    finally:
        root.modify_s(partner, [records.delete("b2bIdp", "oidc")])
    assert guest.dn in seen(connection, b.SUFFIX)
    root.modify_s(guest.dn, [records.replace("b2bHomeSubject", "other@home.example")])
    assert code(seen, connection, b.SUFFIX) == 53


# --- trying ---

def test_passcode__five_tries(server):
    """Wrong codes are counted; the fifth takes the code away, so that the right one is no more; of
    five tries the last may be right.  What is no code is not counted."""
    guest = Guest(server)
    right = guest.stored()
    for number in range(1, 6):
        assert guest.bind(wrong(right)) == OUT
        assert guest.state("b2bPasscodeTries") == ([str(number)] if number < 5 else None)
    assert not guest.has_hash() and guest.bind(right) == OUT
    right = guest.stored()
    for _ in range(4):
        assert guest.bind(wrong(right)) == OUT
    for password in ("", "x", "1234567", "123456789", "1234567a", "?", "1" * 15):
        assert guest.bind(password)[0] in (48, 49, 53)
    assert guest.state("b2bPasscodeTries") == ["4"]
    assert guest.bind(right) == (0, "")
    assert not guest.has_hash() and guest.bind(right) == OUT


def test_passcode__half_an_hour(server):
    """A code whose time is over is refused, uncounted."""
    guest = Guest(server)
    right = guest.stored(secs=-1)
    assert guest.bind(right) == OUT
    assert guest.bind(guest.stored(right, secs=5)) == (0, "")


def test_passcode__of_another_guest(server):
    """The code of one guest, and the very hash in another's entry, are of no use to it."""
    one, two = Guest(server), Guest(server)
    right = one.stored()
    two.stored("11111111")
    assert two.bind(right) == OUT
    value = server.mint.hash(one.state("entryUUID")[0], two.mail, right)
    server.root().modify_ext_s(two.dn, [(ldap.MOD_REPLACE, HASH, [value])],
                               serverctrls=records.RELAX)
    assert two.bind(right) == OUT and one.bind(right) == (0, "")


def at_once(count, work):
    """Runs work(number) in so many threads at once; gives what they answered, sorted."""
    barrier, answers = threading.Barrier(count), []

    def run(number):
        barrier.wait()
        answers.append(work(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return sorted(answers)


def test_passcode__one_code_at_once(server):
    """Sixteen connections bring one code at once: exactly one is in."""
    guest = Guest(server)
    right = guest.stored()
    assert at_once(16, lambda _: guest.bind(right)[0]) == [0] + [49] * 15
    assert guest.bind(right) == OUT


def test_passcode__guesses_at_once(server):
    """Forty wrong codes at once, over as many connections: no more than five are compared, the code
    is gone, and the log tells of five."""
    guest = Guest(server)
    right, mark = guest.stored(), server.log_mark()
    guesses = [f"{(int(right) + n) % 10**8:08}" for n in range(1, 41)]
    assert at_once(40, lambda n: guest.bind(guesses[n])[0]) == [49] * 40
    assert server.log(mark).count("mailed code refused: it is wrong") == 5
    assert guest.bind(right) == OUT


@pytest.fixture
def stile(tmp_path):
    """(a guest of a server that holds one write to its entry, the stile)."""
    stile = Stile(tmp_path / "stile")
    server = b.tenant_server(start=False, sweep=0, modules=("back_sock",), b2b=(
        "b2b-key-file {dir}/key.pem\n" + stile_conf(tmp_path / "stile", "yan")))
    server.mint = m.Mint(m.key_file(server))
    with server:
        server.load(b.partner_ldif("codes", lines=CODES))
        stile.passes = 2
        guest = Guest(server, subject="yan@home.example", name="yan")
        guest.right = guest.stored()
        server.root().modify_ext_s(guest.dn, [records.replace("b2bUserState", "Accepted")],
                                   serverctrls=records.RELAX)
        yield guest, stile
        stile.stop()


def test_passcode__overtaken_at_the_use(stile):
    """Two bring one right code; as it is used up for the one, the other is let in.  Then the first
    goes on.  Expected: 49."""
    (guest, stile), answers = stile, []
    stile.passes = 1  # the try is counted, then the use is held
    first = threading.Thread(target=lambda: answers.append(guest.bind(guest.right)))
    first.start()
    assert stile.holds.wait(20) and HASH in stile.held
    assert guest.bind(guest.right) == (0, "")
    stile.go_on.set()
    first.join(20)
    assert answers == [OUT]


def test_passcode__overtaken_at_the_count(stile):
    """A wrong code is about to be counted as the first while four others are.  Expected: it is the
    fifth, and the code is gone."""
    guest, stile = stile
    first = threading.Thread(target=lambda: guest.bind(wrong(guest.right)))
    first.start()
    assert stile.holds.wait(20) and "b2bPasscodeTries: 1" in stile.held
    for _ in range(4):
        assert guest.bind(wrong(guest.right)) == OUT
    assert guest.state("b2bPasscodeTries") == ["4"]
    stile.go_on.set()
    first.join(20)
    assert not guest.has_hash() and guest.bind(guest.right) == OUT


@pytest.mark.parametrize("change", ["subject", "tenant", "mail"])
def test_passcode__entry_handed_over(server, change):
    """A code that was mailed is nobody's once the entry is another person's or has another
    address."""
    guest = Guest(server)
    right = guest.stored()
    server.root().modify_s(guest.dn, [{
        "subject": records.replace("b2bHomeSubject", "other@home.example"),
        "tenant": records.replace("b2bHomeTenant", "manual"),
        "mail": records.replace("mail", "other@home.example")}[change]])
    assert not guest.has_hash() and guest.bind(right) == OUT


# --- several factors ---

def test_passcode__with_a_one_time_password(server):
    """Where policy wants several factors: the code alone is 8 and not used up; with six digits of
    the guest's device behind it, it is in, once; wrong ones are 8."""
    guest = Guest(server)
    secret = totp.enrol(server.root(), guest.dn)
    mfa = (8, "b2b: mfa-required")
    with policy(server, f"b2bCaGrant: mfa\nb2bCaIncludeGuest: {guest.dn}"):
        right = guest.stored()
        assert guest.bind(right) == mfa
        assert guest.bind(right + totp.wrong_code(secret)) == mfa
        assert guest.bind(wrong(right) + totp.code(secret)) == OUT
        assert guest.bind(right + totp.code(secret)) == (0, "")
        assert guest.bind(right + totp.code(secret)) == OUT
    assert guest.bind(guest.stored()) == (0, "")


# --- limits ---

def test_passcode__limit_per_peer(server):
    """Ten in a minute from one peer, by whatever way and for whomever; the eleventh is answered
    alike and gets nothing; another peer does."""
    guests = [Guest(server) for _ in range(12)]
    peer = m.new_peer()
    for number, guest in enumerate(guests[:11]):
        assert guest.asked("guest" if number % 2 else "bind", peer) in (OUT, (0, {}))
    settle(server)
    assert [len(notices(server, guest)) for guest in guests[:11]] == [1] * 10 + [0]
    assert guests[10].asked() == OUT and guests[11].asked("mail", peer) == (0, {})
    settle(server)
    assert len(notices(server, guests[10])) == 1 and not notices(server, guests[11])


def test_passcode__limits_in_time(make_server):
    """Set-up: a server whose clock a test moves.  A guest gets one in a minute, and five in an
    hour."""
    server = make_server(b.tenant_server, start=False, b2b="b2b-key-file {dir}/key.pem")
    server.mint = m.Mint(m.key_file(server))
    clock = server.dir / "clock"
    clock.touch()
    server.env = {**faketime_env("%"), "FAKETIME_FOLLOW_FILE": str(clock),
                  "FAKETIME_NO_CACHE": "1"}
    server.start()
    server.load(b.partner_ldif("codes", lines=CODES))
    guest, start, got = Guest(server), time.time(), []
    for minutes in (0, 0.5, 1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 61):
        os.utime(clock, (start + 60 * minutes,) * 2)
        assert guest.asked() == OUT
        settle(server)
        got.append(len(notices(server, guest)))
    assert got == [1, 1, 2, 3, 4, 5, 5, 5, 6]


def test_passcode__limit_per_server(make_server):
    """A hundred in a minute, from however many peers, for whomever."""
    server = make_server(b.tenant_server, start=False, b2b="b2b-key-file {dir}/key.pem")
    server.mint = m.Mint(m.key_file(server))
    server.start()
    server.load(b.partner_ldif("codes", lines=CODES))
    guests = [Guest(server), Guest(server)]
    for number in range(100):
        if number % 9 == 0:
            peer = m.connect(server)
        asked = guests[0].dn if number == 99 else guest_dn(f"nobody{number}")
        assert m.ask(server, peer, guest=asked) == (0, {})
    assert guests[1].asked() == OUT
    poll(lambda: notices(server, guests[0]), 20, "a notice")
    assert "codes are asked for too often" in server.log()
    assert not notices(server, guests[1])


# --- what is seen of it ---

def test_passcode__hash_is_hidden(server):
    """By name, with all attributes, in filters, by compare, assertion and pre-read: nobody sees the
    hash."""
    guest, root = Guest(server), server.root()
    right = guest.stored()
    value = server.mint.hash(guest.state("entryUUID")[0], guest.mail, right)
    raw = "".join(f"\\{byte:02x}" for byte in value)
    for connection in (root, server.conn(b.member_dn("mia"), "mia-pw"), server.conn()):
        for attrs in (["*", "+"], [HASH], None):
            found = connection.search_s(guest.dn, ldap.SCOPE_BASE, "(objectClass=*)", attrs)
            assert not [k for _, e in found for k in e if k.lower() == HASH.lower()]
        for text in (f"({HASH}=*)", f"({HASH}={raw})", f"(!(!({HASH}=*)))"):
            assert guest.dn not in seen(connection, b.GUESTS, text=text), text
        assert code(connection.compare_s, guest.dn, HASH, value) != 6
        assert code(connection.search_ext_s, guest.dn, ldap.SCOPE_BASE,
                    serverctrls=[AssertionControl(True, f"({HASH}=*)")]) != 0
    controls = root.modify_ext_s(guest.dn, [records.replace("sn", "new")], serverctrls=[
        PreReadControl(criticality=True, attrList=[HASH, "*", "+"])])[3]
    assert controls and all(HASH.lower() not in map(str.lower, c.entry) for c in controls)
    assert code(root.modify_s, guest.dn, [(ldap.MOD_REPLACE, HASH, [value])]) == 19
    assert guest.has_hash()


def test_passcode__nothing_is_logged(server):
    """Codes are in no log line and in no entry; refusals are in the log, in words."""
    guest, mark = Guest(server), server.log_mark()
    right = guest.code()
    bad = wrong(right)
    assert guest.bind(bad) == OUT and guest.bind(right) == (0, "") and guest.bind(right) == OUT
    log = server.log(mark)
    assert "mailed code refused: it is wrong" in log and "mailed code refused: there is none" in log
    assert right not in log and bad not in log
    assert right not in server.tool("slapcat").stdout


# --- where it cannot be ---

def test_passcode__without_a_key(make_server):
    """Without b2b-key-file nothing is mailed, a hash that was stored somehow is of no use, and the
    log says what is missing."""
    server = make_server(b.tenant_server)
    server.load(b.partner_ldif("codes", lines=CODES))
    guest = Guest(server)
    assert guest.asked() == OUT and m.ask(server, guest=guest.dn) == (0, {})
    server.wait_log("no code can be mailed: that needs b2b-key-file")
    server.root().modify_ext_s(guest.dn, [
        records.replace(HASH, "x" * 32), records.replace("b2bPasscodeUntil", records.ahead(60))],
        serverctrls=records.RELAX)
    assert guest.bind("12345678") == OUT
    assert not m.notices(server, "passcode")


def test_passcode__read_only(make_server):
    """A server that may not write lets nobody in by a code, for it could not use it up."""
    server = make_server(b.tenant_server, start=False, convert=True,
                         b2b="b2b-key-file {dir}/key.pem")
    server.mint = m.Mint(m.key_file(server))
    server.start()
    server.load(b.partner_ldif("codes", lines=CODES))
    guest = Guest(server)
    right = guest.stored()
    config, database = server.config(), "olcDatabase={1}mdb,cn=config"
    config.modify_s(database, [records.replace("olcReadOnly", "TRUE")])
    assert guest.bind(right) == OUT and guest.asked() == OUT
    config.modify_s(database, [records.replace("olcReadOnly", "FALSE")])
    assert guest.bind(right) == (0, "")


def test_passcode__overlay_goes_while_asked(certs):
    """Steps: codes are asked for without a pause while the overlay is taken away and put back by
    cn=config, three times.  Expected: answers; slapd lives, and ends cleanly."""
    stopped = b.tenant_server(start=False, certs=certs, convert=True,
                              b2b="b2b-key-file {dir}/key.pem")
    m.key_file(stopped)
    with stopped as server:
        server.load(b.partner_ldif("codes", lines=CODES))
        guests, stop = [Guest(server) for _ in range(4)], threading.Event()

        def ask():
            number = 0
            while not stop.is_set():
                guests[number % 4].bind("?")
                number += 1

        thread = threading.Thread(target=ask)
        thread.start()
        config = server.config()
        database = "olcDatabase={1}mdb,cn=config"
        for _ in range(3):
            (dn, entry), = config.search_s(database, ldap.SCOPE_ONELEVEL, "(olcOverlay=*)")
            config.delete_s(dn)
            config.add_s(dn, [(k, v) for k, v in entry.items()])
        stop.set()
        thread.join(30)
        assert server.conn(b.member_dn("mia"), "mia-pw").whoami_s()


def test_passcode__served_by_ways(server):
    """No code is a token: without a name, or by OAUTHBEARER, it is nothing."""
    guest = Guest(server)
    right = guest.stored()
    assert ways.by_subject(server, guest.dn, right)[:2] == OUT
    assert ways.by_bearer(server, guest.dn, right)[0] == 49
    assert guest.bind(right) == (0, "")
