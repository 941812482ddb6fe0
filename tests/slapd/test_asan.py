"""The module in slapd under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer: no
fault and no leak while overlays come and go, guests come in, and everything is used once."""

import os
import subprocess
import threading

import ldap
from ldap.controls import RequestControl
import pytest

from lib import builders as b, cnconfig as c, life, lives, mint as m, sasl, totp, ways
from lib.conditional import container_ldif, policy, policy_ldif
from lib.gate_world import entry
from lib.direct_world import DIRECT, ODD, UNLIKE, name
from lib.records import DAY, add, ahead, delete, replace
from lib.review import LDIF as REVIEW_LDIF, Reviews, definition_dn
from lib.slapd import poll
from lib.tokens import HOSTILE, Signer

BUILD = b.MODULE.parent
CONTROL = "2.25.197761738801757102242170991844305268053.4.1"
SLOW = 5  # how much longer things take under the sanitizers


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """(module, environment for slapd): the module built with the sanitizers, by make, and what
    makes slapd bear it."""
    fragment = dict(line.split(" := ") for line in
                    (BUILD / "slapd.mk").read_text().splitlines())
    env = {key: value for key, value in os.environ.items()
           if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")}
    done = subprocess.run(["make", "-s", f"BUILD={BUILD}/asan", "SAN=address,undefined",
                           # slapd's own macros give memcmp NULL beside a length of 0
                           "EXTRA=-fno-sanitize=nonnull-attribute", "OPT=-O1 -g",
                           f"SLAPD_SRC={fragment['SLAPD_INCLUDE']}", "module"],
                          cwd=b.TOP, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    directory = tmp_path_factory.mktemp("asan")
    shim, quiet = directory / "leave.so", directory / "quiet"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim,
                    b.TOP / "tests/slapd/lib/leave.c"], check=True, timeout=60)
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, text=True,
                          capture_output=True).stdout.strip()
    quiet.write_text("leak:slap_sasl_init\n")  # 31 bytes of slapd's own
    return BUILD / "asan" / "b2b.so", {
        "LD_PRELOAD": f"{os.path.realpath(asan)} {shim}",
        "ASAN_OPTIONS": "fast_unwind_on_malloc=0:detect_leaks=1:detect_odr_violation=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "LSAN_OPTIONS": f"suppressions={quiet}:print_suppressions=0"}


@pytest.fixture
def server(sanitized, tmp_path, monkeypatch):
    """A tenant under the sanitizers, with cn=config.  slapd's tools, which prepare it, use the
    plain module under the same name."""
    module, env = sanitized
    link = tmp_path / "b2b.so"
    link.symlink_to(b.MODULE)
    monkeypatch.setattr(b, "MODULE", link)
    server = b.tenant_server(convert=True, env=env, start=False, sweep=1)
    link.unlink()
    link.symlink_to(module)
    server.start(20 * SLOW)
    yield server
    try:
        server.stop(secs=60)  # leaks end slapd with a code, faults with an alarm in its log
    finally:
        server.remove()


def use(server, home, round_number):
    """What a tenant is for, once: guests in and out, policy written, wrong writes refused."""
    name, root = f"guest{round_number}", server.root()
    dn = b.guest_dn(name)
    server.load(b.partner_ldif("home", home.uri) + b.guest_ldif(name)
                + b.app_ldif("wiki", f"b2bAppServiceDN: {b.service_dn('wiki')}\n"
                             f"b2bAppPeer: 10.0.0.0/8\nb2bAppScope: {b.PEOPLE}\n"
                             f"b2bAppAssignmentRequired: TRUE\nb2bAppAssignee: {dn}")
                + b.service_ldif("wiki"))
    home.behaviour = "success"
    guest = server.conn(dn, "x")
    service = server.conn(b.service_dn("wiki"), "wiki-pw")
    assert guest.search_s(b.SUFFIX, ldap.SCOPE_SUBTREE)
    assert service.search_s(b.SUFFIX, ldap.SCOPE_SUBTREE, f"(uid={name})")
    assert c.code_of(guest.modify_s, dn, [(ldap.MOD_REPLACE, "sn", [b"x"])])[0] == 50
    for behaviour, code in (("code", 49), ("close_bind", 52), ("garbage", 52)):
        home.behaviour = behaviour
        assert c.code_of(server.conn, dn, "x")[0] == code
    for lines, attr in ((b.guest_ldif("bad", lines="b2bReviewDecision: Perhaps"), "b2bReview"),
                        (b.partner_ldif("bad", "gopher://x"), "b2bHomeUri"),
                        (b.app_ldif("bad", "b2bAppPeer: 10.0.0.0/99"), "b2bAppPeer")):
        with pytest.raises(AssertionError, match=attr):
            server.load(lines)
    root.modify_s(b.BASE, [(ldap.MOD_REPLACE, "b2bLabelOrder", [b"{0}Public", b"{1}Secret"])])
    root.modify_s(b.partner_dn("home"), [(ldap.MOD_REPLACE, "b2bTrustMfa", [b"TRUE"])])
    assert guest.search_s(b.SUFFIX, ldap.SCOPE_SUBTREE)
    root.modify_s(dn, [(ldap.MOD_REPLACE, "b2bValidUntil", [b"20200101000000Z"])])
    poll(lambda: server.entry(dn)["b2bAccountEnabled"] == ["FALSE"], 20 * SLOW, "the task")
    assert c.code_of(guest.whoami_s)[0] == 53
    for each in (dn, b.partner_dn("home"), f"cn=wiki,cn=applications,{b.BASE}",
                 b.service_dn("wiki")):
        root.delete_s(each)


def test_asan__come_and_go(server, fake_home):
    """Overlays deleted, added, disabled, enabled and changed while members and a guest bind and
    search, and everything is used in between, three times.  Expected: slapd ends by itself, without
    a fault, a leak or undefined behaviour."""
    home, slow = fake_home(), fake_home("drip")
    slow.drip_secs = 0.01
    server.load(b.partner_ldif("slow", slow.uri) + b.guest_ldif("gina", tenant="slow"))
    stop, surprises = threading.Event(), []

    def work():
        connection = server.open(timeout=60)
        while not stop.is_set():
            # 53: the policy went while home, which then said yes, was asked
            for dn, password, codes in ((b.member_dn("mia"), "mia-pw", (0, 49, 51, 52)),
                                        (b.guest_dn("gina"), "x", (0, 49, 51, 52, 53))):
                code = c.code_of(connection.simple_bind_s, dn, password)[0]
                if code not in codes:
                    surprises.append(code)
                c.code_of(connection.search_s, b.SUFFIX, ldap.SCOPE_SUBTREE)
        connection.unbind_ext_s()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(3):
            use(server, home, number)
            for attr, value in (("olcB2bBase", f"cn=other,{b.SUFFIX}"),
                                ("olcB2bHomeTimeout", "3"), ("olcB2bKeyFile", "/nowhere")):
                assert c.put(server, c.KEEPER, attr, value) == (0, "")
                assert c.put(server, c.KEEPER, attr) == (0, "")
            assert c.put(server, c.KEEPER, "olcB2bSweepBatch", "0")[0] != 0
            assert c.put(server, c.KEEPER, "olcB2bBase", "dc=elsewhere")[0] != 0
            for value in ("TRUE", "TRUE", "FALSE"):
                assert c.put(server, c.KEEPER, "olcDisabled", value) == (0, "")
            assert c.remove(server, c.GATE) == (0, "") == c.add_gate(server)
            assert c.remove(server, c.KEEPER) == (0, "") == c.remove(server, c.GATE)
            # (b2b before its gate is refused elsewhere: slapd itself then logs freed memory)
            assert c.add_overlay(server, "b2bgate", c.MAIN)[0] != 0
            assert c.add_overlay(server, "b2b", c.FRONTEND)[0] != 0
            assert c.add_gate(server) == (0, "")
            assert c.add_keeper(server, olcB2bSweepInterval="1") == (0, "")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert surprises == []


def test_asan__tokens(server):
    """Every hostile token and a right one in each way, OAUTHBEARER cut off at every byte and in the
    middle of other binds, one-time passwords, policies.  Expected: as above."""
    signer, dn = Signer(tid="tenant-1"), b.guest_dn("alice")
    server.load(b.partner_ldif("home", lines=signer.partner_lines("b2bTokenOnce: TRUE\n"
                               "b2bTenantClaim: tid=tenant-1")) + container_ldif()
                + b.guest_ldif("alice", subject="alice") + b.guest_ldif("mail", subject=""))
    for make in HOSTILE.values():
        ways.is_out(server, dn, make(signer, "alice"), statuses=("invalid_token",
                                                                "invalid_request"))
    claims = {"email": "mail@home.example", "email_verified": True, "groups": ["a"] * 50}
    for number, name in enumerate(ways.WAYS):
        ways.is_in(server, dn, signer.token("alice", n=number), ways=[name])
        ways.is_in(server, b.guest_dn("mail"), signer.token("m", n=number, **claims), ways=[name])
    with sasl.Raw(server.ldapi, timeout=60) as raw:
        whole = sasl.message("a.b.c", f"dn:{dn}", host="h", port="1", totp="123456")
        for size in range(len(whole) + 1):
            raw.bind(whole[:size])
            raw.bind(sasl.DUMMY)
            raw.bind(None)
            raw.bind(None, "DIGEST-MD5")
        for _ in range(3):  # the gate refuses a simple bind in the middle of slapd's own mechanism
            assert raw.simple("", signer.token("nobody").encode())[0] == 49
            assert raw.bind(None, "DIGEST-MD5")[0] == sasl.IN_PROGRESS
    secret = totp.enrol(server.root(), dn)
    for lines, code in (("b2bCaGrant: mfa", 8), ("b2bCaGrant: block", 53),
                        ("b2bCaSignInFrequency: 1\nb2bCaMaxLabel: x", 53)):
        with policy(server, lines, state="reportOnly"), policy(server, lines):
            token = signer.token("alice", auth_time=1, code=code)
            assert ways.by_dn(server, dn, token)[0] == code
            ways.by_dn(server, dn, token + totp.wrong_code(secret))
            ways.by_dn(server, dn, token + totp.code(secret))
    totp.ask(server.root(), "reset", dn)
    for value in (b"{", b"[]", b'{"action":"enroll","guest":"x"}'):
        assert totp.refusal(server.root(), value)[0] in (2, 34)


def test_asan__redemptions(server, fake_home):
    """Codes asked for in every way and used, wrong and right; tickets with every kind of proof, of
    another person too, with terms and without; while all that is asked for, the overlay goes and
    comes.  Expected: as above."""
    home, signer = fake_home(), Signer()
    mint = m.Mint(m.key_file(server))
    assert c.put(server, c.KEEPER, "olcB2bKeyFile", str(server.dir / "key.pem")) == (0, "")
    server.load(b.partner_ldif("codes", lines="b2bIdp: passcode")
                + b.partner_ldif("tokens", lines=signer.partner_lines())
                + b.partner_ldif("words", home.uri, f"b2bHomeBindDn: uid=%u,{b.HOME_PEOPLE}"))
    for tenant in ("codes", "tokens", "words"):
        dn = b.guest_dn(tenant)
        server.load(b.guest_ldif(tenant, tenant, f"b2bSponsor: {b.member_dn('mia')}", subject=""))
        ticket = m.ticket_of(server, mint, dn)
        for value in ({"guest": dn}, {"mail": f"{tenant}@home.example"}, {"ticket": ticket}):
            assert m.ask(server, **value) == (0, {})
        assert c.code_of(m.connect(server).simple_bind_s, dn, "?")[0] in (0, 49)
        m.store(server, mint, dn, "12345678")
        c.code_of(server.open().simple_bind_s, dn, "11111111")
        right = {"codes": {"passcode": "12345678"}, "words": {"password": "x"},
                 "tokens": {"token": signer.token("t", email="tokens@home.example",
                                                  email_verified=True)}}[tenant]
        for proof in ({"token": "x"}, {"passcode": "1"}, {"token": signer.token(
                "thief", email="thief@home.example", email_verified=True)}):
            assert m.redeem(server, ticket=ticket, **proof)[0] == 49
        root = server.root()
        root.modify_s(b.BASE, [(ldap.MOD_REPLACE, "b2bTermsVersion", [b"v1"])])
        assert m.redeem(server, ticket=ticket, **right)[0] in (49, 53)
        answer = m.redeem(server, ticket=ticket, terms="v1", totp="123456", **right)
        assert answer == (0, {"dn": dn, "state": "Accepted"}) or tenant == "words"
        for value in (b"{", {"ticket": 1}, {"ticket": "x", "token": "x", "password": "y"}):
            assert c.code_of(m.request, server.open(), m.REDEEM, value)[0] == 2
    for number in range(3):
        for n in range(8):
            m.ask(server, guest=b.guest_dn(f"nobody{number}-{n}"))
        assert c.remove(server, c.KEEPER) == (0, "")
        assert c.add_keeper(server, olcB2bKeyFile=str(server.dir / "key.pem")) == (0, "")


def test_asan__reviews(server):
    """Set-up: guests in a nested group; reviewers that are there, gone, a group, the guests
    themselves.  Steps: reviews of two stages with each effect are started, answered, refused,
    reminded of, handed on, closed, started again, deleted while open.  Expected: as above."""
    reviews = Reviews(server)
    server.load(REVIEW_LDIF)
    names = [f"g{n}" for n in range(6)]
    for name in names:
        reviews.guest(name, f"manager: {b.guest_dn('nobody')}")
    inner = reviews.group("inner", *map(b.guest_dn, names[3:]), b.member_dn("mia"))
    outer = reviews.group("outer", *map(b.guest_dn, names[:3]), b.member_dn("mia"), inner,
                          owner=b.member_dn("max"))
    board = reviews.group("board", b.member_dn("zoe"), b.member_dn("mia"))
    for lines in (["b2bReviewBy: {1}self"], ["b2bReviewScopeFilter: (x"],
                  ["b2bReviewScopeFilter: (nosuch=x)"], ["b2bReviewBy: nosuch=x"]):
        assert c.code_of(reviews.define, "bad", *lines)[0] in (19, 21)
    for deny in ("remove", "disable", "delete"):
        reviews.define(deny, f"b2bReviewBy: {{0}}{b.ROOTDN}", "b2bReviewBy: {1}manager",
                       "b2bReviewBy: {0}owner", "b2bReviewBy: {0}self",
                       f"b2bReviewBy: {{0}}{board}",
                       f"b2bReviewFallback: {board}", f"b2bReviewScopeGroup: {outer}",
                       "b2bReviewScopePartner: home", "b2bReviewScopeFilter: (!(uid=x*))",
                       "b2bReviewRecurrence: days=10", "b2bReviewDuration: 3",
                       "b2bReviewReminder: 1",
                       f"b2bReviewOnDeny: {deny}", "b2bReviewDefault: Recommendation")
        items = reviews.wait_state(deny, 1, 0, 20 * SLOW)
        for number, item in enumerate(items.values()):
            answer = [(ldap.MOD_REPLACE, "b2bReviewDecision", [(b"Deny", b"Approve")[number % 2]]),
                      (ldap.MOD_REPLACE, "b2bReviewJustification", [b"because"])]
            reviews.root.modify_s(item["dn"], answer)
            assert c.code_of(reviews.root.modify_s, item["dn"], answer[:1] + [
                (ldap.MOD_REPLACE, "b2bReviewJustification", [b" "])])[0] in (0, 19)
            assert c.code_of(reviews.root.modify_s, item["dn"],
                             [(ldap.MOD_ADD, "cn", [b"x"])])[0] == 19
        reviews.ends_in(deny, 1)
        reviews.settle(deny)
        reviews.end_stage(deny)
        reviews.wait_state(deny, 1, 1, 20 * SLOW)
        reviews.end_stage(deny)
        reviews.wait_state(deny, 1, None, 20 * SLOW)
        reviews.set(definition_dn(deny), (ldap.MOD_REPLACE, "b2bReviewStart", [b"20200101000000Z"]),
                    (ldap.MOD_REPLACE, "b2bReviewOpened", [b"20200101000000Z"]))
        reviews.wait_state(deny, 2, 0, 20 * SLOW)
        reviews.root.delete_s(definition_dn(deny))


def test_asan__lives(server):
    """Guests who expire, lapse, are inactive, were never redeemed, are reminded of, are deleted;
    with sponsors who go, projects that end, memberships of each kind, recipients without mail;
    halted, and then confirmed; client and task at once; the overlay goes while there is something
    to do. Expected: as above."""
    server.load(lives.LDIF + b.app_ldif("wiki", f"b2bAppAssignee: {lives.group_dn('team')}"))
    world = lives.Lives(server)
    m.key_file(server)
    assert c.put(server, c.KEEPER, "olcB2bKeyFile", str(server.dir / "key.pem")) == (0, "")
    world.settings(f"b2bFallbackReviewer: {b.member_dn('bea')}\nb2bInactivity: 60\n"
                   f"b2bFallbackReviewer: {b.ROOTDN}\nb2bMassLimit: 1")
    world.people("sue", "sid")
    old, kept = ahead(-70 * DAY), f"b2bValidUntil: {lives.FUTURE}"
    reviewed, off = f"b2bReviewedAt: {ahead(-DAY)}", "b2bAccountEnabled: FALSE"
    sponsors = (f"b2bSponsor: {b.member_dn('sue')}", f"b2bSponsor: {b.member_dn('sid')}")
    lines = {
    "over": (
        f"b2bValidUntil: {lives.PAST}",
        ),
        "lapsed": (
            f"b2bReviewDue: {lives.PAST}",
            kept),
            "denied": (
                "b2bReviewDecision: Deny",
                kept),
                "idle": (
                    f"b2bLastSignIn: {old}",
                    reviewed,
                    kept,
                    f"b2bUserStateChanged: {old}"),
                    "never": (
                        "b2bUserState: PendingAcceptance",
                        f"b2bInvitedAt: {old}",
                        kept,
                        f"b2bUserStateChanged: {old}",
                        f"b2bInvitationSent: {old}"),
                        "mailed": (
                            "b2bUserState: PendingAcceptance",
                            f"b2bInvitedAt: {ahead(-DAY)}",
                            kept),
                            "gone": (
                                off,
                                f"b2bDeleteAfter: {lives.PAST}",
                                "b2bDisabledReason: expired"),
                                "asked": (
                                    f"b2bReviewDue: {ahead(DAY)}",
                                    f"b2bReviewer: {b.member_dn('nobody')}",
                                    kept),
                                    "late": (
                                        f"b2bReviewDue: {ahead(DAY)}",
                                        f"b2bReviewAsked: {ahead(-3 * DAY)}",
                                        kept),
                                        "orphan": (
                                            f"b2bSponsor: {b.member_dn('sue')}",
                                            kept),
                                            "shared": (
                                                *sponsors,
                                                kept),
                                                "busy": (
                                                    kept,
                                                    ),
                                                    "built": (
                                                        kept,
                                                         off)}
    for name, more in lines.items():
        world.guest(name, *more)
    names = [b.guest_dn(name) for name in lines]
    world.root.modify_s(b.member_dn("sid"), [delete("mail")])
    world.group("team", *names)
    world.project("ends", *names, b.member_dn("mia"), until=lives.PAST, lines=sponsors)
    world.project("goes on", b.guest_dn("busy"), until=lives.FUTURE)
    world.root.add_s(lives.group_dn("unique"), [
        ("objectClass", [b"groupOfUniqueNames", b"b2bCollaboration"]), ("cn", [b"unique"]),
        ("uniqueMember", [b.guest_dn("gone").encode(), b.guest_dn("built").encode()])])
    world.root.delete_s(b.member_dn("sue"))
    world.root.modify_s(b.member_dn("sid"), [replace("description", "still here")])
    poll(lambda: "b2bMassHalted" in world.tenant(), 20 * SLOW, "halted")
    assert world.get("gone") and world.is_on("over")
    assert c.remove(server, c.KEEPER) == (0, "") == c.add_keeper(
        server, olcB2bKeyFile=str(server.dir / "key.pem"), olcB2bSweepInterval="1",
        olcB2bSweepBatch="2")
    world.settings("b2bMassConfirm: 1000")
    world.wait(lambda: not world.get("gone") and not world.get("never"), "deleted", 20 * SLOW)
    world.wait(lambda: not world.on() & {"over", "lapsed", "denied", "idle"}, "off", 20 * SLOW)
    for kind, guest in (("invitation", "mailed"), ("review", "asked"), ("reviewer-gone", "asked"),
                        ("reminder", "late"), ("review", "orphan"), ("lapsed", "lapsed"),
                        ("disabled", "over"), ("deleted", "gone")):
        world.wait(lambda: world.told(kind, guest), f"{kind} of {guest}", 20 * SLOW)
    world.wait(
    lambda: world.entry(
        lives.group_dn("ends"))["member"] == [
            b.member_dn("mia")],
            "ended",
             20 * SLOW)
    for number in range(10):
        world.wake()
        for name in ("over", "idle", "built"):
            c.code_of(world.root.modify_s, b.guest_dn(name), [
                replace("b2bAccountEnabled", ("TRUE", "FALSE")[number % 2]),
                replace("b2bReviewDecision", "Approve"), replace("b2bReviewJustification", "x")])
    for change in ([replace("b2bNoticeTo", "x@y.example")], [add("objectClass", "b2bGuest")]):
        for dn in world.below(f"cn=outbox,{b.BASE}"):
            assert c.code_of(world.root.modify_s, dn, change)[0] in (19, 65)
    for name in ("over", "busy", "shared"):
        world.root.delete_s(b.guest_dn(name))
    world.root.delete_s(b.member_dn("sid"))
    assert c.remove(server, c.KEEPER) == (0, "")  # with names that nobody has looked for yet
    assert c.add_keeper(server, olcB2bSweepInterval="1") == (0, "")


def test_asan__asked_about_members(server):
    """Set-up: a partner, blocked for a group that has mia, and whose wiki alone is open.  Steps:
    mia, a guest, the rootdn and nobody bind with the control in all its shapes, one connection
    after another on the same name.  Expected: what test_control.py expects, and no fault."""
    staff = f"cn=staff,{b.SUFFIX}"
    server.load(b.partner_ldif("home", "ldap://127.0.0.1:1") + b.guest_ldif("gina")
                + f"dn: {staff}\nobjectClass: groupOfNames\ncn: staff\nmember: {b.member_dn('mia')}"
                  "\n\n")
    root, mia = server.root(), b.member_dn("mia")
    asking = b'{"tenant":"home","application":"wiki"}'
    for target, code in ((staff, 49), ("no dn, but = in it", 49), ("other", 0)):
        root.modify_s(b.partner_dn("home"), [
            replace("b2bCollabOutUsersAccess", "blocked"),
            replace("b2bCollabOutUsersTarget", target), replace("b2bGroupTarget", target),
            replace("b2bCollabOutAppsAccess", "blocked")] if code else [
            delete("b2bGroupTarget"), replace("b2bCollabOutUsersTarget", target)])
        for value, expected in ((asking, code), (b'{"tenant":"x"}', 49), (b"{", 2), (None, 2),
                                (b'{"tenant":"home","application":7}', 2)):
            connection = server.open()
            for name in (mia, b.guest_dn("gina"), b.ROOTDN, "cn=config", b.member_dn("nobody")):
                found = c.code_of(connection.simple_bind_s, name, "mia-pw",
                                  serverctrls=[RequestControl(CONTROL, False, value)])
                assert found[0] == (expected if name == mia or expected == 2 else 49)


def test_asan__direct_connect(server):
    """Set-up: a partner whose people connect directly.  Steps: tokens of odd subjects in each way,
    again and again on one connection, while policy changes and guests of these subjects come and
    go.  Expected: in, or a denial, and no fault."""
    signer, root = Signer(), server.root()
    server.load(b.app_ldif("wiki", f"b2bAppAudience: urn:wiki\nb2bAppScope: {b.PEOPLE}")
                + b.partner_ldif("home", lines=signer.partner_lines(
                    "b2bDirectInUsersAccess: allowed\nb2bDirectInAppsAccess: allowed")))
    for round_number, subject in enumerate(ODD + UNLIKE):
        token = signer.token(subject, azp="urn:wiki", groups=["a", "b"], email="x@home.example",
                             email_verified=True)
        code = 49 if subject in UNLIKE else 0
        connection = server.open()
        for who in (name(subject), "", name("else"), DIRECT, ""):
            found = c.code_of(connection.simple_bind_s, who, token)
            assert found[0] == (49 if who in (name("else"), DIRECT) else code), (subject, who)
        assert sasl.bind(server.open(), token)[0] == code
        if code:
            continue
        assert connection.search_s(b.PEOPLE, ldap.SCOPE_SUBTREE)
        root.modify_s(b.partner_dn("home"), [replace("b2bDirectInAppsAccess", "blocked"),
                                             replace("b2bDirectInAppsTarget", "wiki")])
        assert c.code_of(connection.search_s, b.PEOPLE, ldap.SCOPE_BASE)[0] == 53
        root.modify_s(b.partner_dn("home"), [replace("b2bDirectInAppsAccess", "allowed")])
        server.load(b.guest_ldif(f"g{round_number}", subject="").replace(
            f"g{round_number}@home", "x@home"))
        assert c.code_of(connection.whoami_s)[0] == 53
        root.delete_s(b.guest_dn(f"g{round_number}"))
        assert connection.whoami_s()
        inside = connection
    assert c.remove(server, c.KEEPER) == (0, "")
    assert c.code_of(inside.search_s, b.PEOPLE, ldap.SCOPE_BASE)[0] != 0


def test_asan__explained(server):
    """Steps: everything that .3.5 can be asked, of guests, of those without an entry and of nobody,
    with claims that are believed and not.  Expected: no fault, no leak."""
    signer = Signer()
    wiki, team = f"cn=wiki,cn=applications,{b.BASE}", f"cn=team,{b.SUFFIX}"
    direct = f"b2bSubject=ann+b2bTenantId=home,cn=direct,{b.BASE}"
    server.load(
        b.partner_ldif("home", lines=signer.partner_lines(
            "b2bTrustMfa: TRUE\nb2bDirectInUsersAccess: allowed\nb2bDirectInAppsAccess: allowed"))
        + b.guest_ldif("gina", subject="gina") + b.guest_ldif("gus", tenant="none")
        + f"dn: {team}\nobjectClass: groupOfNames\ncn: team\nmember: {b.guest_dn('gina')}\n\n"
        + b.app_ldif("wiki", f"b2bAppAudience: wiki\nb2bAppScope: {b.PEOPLE}\n"
                     f"b2bAppAssignmentRequired: TRUE\nb2bAppAssignee: {team}\n"
                     "b2bAppMaxLabel: Public")
        + container_ldif() + policy_ldif("p", "b2bCaGrant: mfa\nb2bCaSignInFrequency: 60"))
    server.root().modify_s(b.BASE, [replace("b2bLabelOrder", "{0}Public", "{1}Secret")])
    right = [signer.claims(who, **more) for who in ("gina", "ann")
             for more in ({}, {"aud": "wiki", "amr": ["mfa"], "groups": ["a", "b"]})]
    for guest in (b.guest_dn("gina"), b.guest_dn("gus"), direct, b.member_dn("mia"), f"x,{direct}"):
        for claims in (None, {}, {"amr": ["mfa"]}, {"exp": 1}, {"aud": [], "sub": 5}, *right):
            for members in ({}, {"application": "wiki"}, {"application": "none"}, {"ssf": "x"},
                            {"entry": b.member_dn("mia"), "peer": "127.0.0.1"},
                            {"entry": wiki, "application": "directory"}, {"entry": "cn=config"}):
                request = {"guest": guest, **members}
                if claims is not None:
                    request["claims"] = claims
                for connection in (server.root(), server.open()):
                    life.refusal(connection, f"{life.ROOT}.5", request)
    said = life.request(server.root(), f"{life.ROOT}.5", {
        "guest": b.guest_dn("gina"), "claims": {"amr": ["mfa"]}, "application": "wiki",
        "entry": b.member_dn("mia")})
    assert said["verdict"] == "allow" and said["entry"]["by"] == "scope", said


def test_asan__gate_goes_in_the_middle_of_a_search(server, fake_home):
    """Set-up: a guest with two scopes of large entries; another overlay beside the gate.  Steps: a
    search of which little is read, so that slapd waits in the first scope; the gate goes and comes;
    the rest is read.  Expected: busy, and no fault."""
    config, scopes = server.config(), [f"ou={name},{b.SUFFIX}" for name in ("one", "two")]
    server.load(b.partner_ldif("home", fake_home().uri) + b.guest_ldif("gina") + b.app_ldif(
        "wiki", "\n".join(f"b2bAppScope: {scope}" for scope in scopes)) + "".join(
        entry(scope, "organizationalUnit") + "".join(
            entry(f"cn=m{i},{scope}", "applicationProcess", f"description: {'x' * 20000}")
            for i in range(40)) for scope in scopes))
    config.modify_s("cn=module{0},cn=config", [add("olcModuleLoad", "refint")])
    config.add_s(f"olcOverlay=refint,{c.FRONTEND}", [("objectClass", b"olcRefintConfig"),
                                                     ("olcOverlay", b"refint")])
    gina = server.conn(b.guest_dn("gina"), "x", uri=server.ldapi)
    message = gina.search_ext(b.SUFFIX, ldap.SCOPE_SUBTREE)
    assert gina.result3(message, 0)[0] == ldap.RES_SEARCH_ENTRY
    assert c.remove(server, c.GATE) == (0, "") == c.add_gate(server)
    assert c.code_of(gina.result3, message, 1)[0] == ldap.BUSY.errnum
