"""A guest signs in: its password goes to its home server, over TLS, and nowhere else."""

import threading

import ldap
import pytest

from lib import builders as b
from lib.slapd import poll

PATTERN = f"b2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}"


@pytest.fixture(scope="module")
def server(tenant, home):
    """A tenant with one partner (its real directory over LDAPS) and guests alice and bob."""
    tenant.load(b.partner_ldif("home", home.ldaps, f"b2bHomeCaFile: {home.certs.ca}\n{PATTERN}")
                + b.guest_ldif("alice") + b.guest_ldif("bob", subject=""))
    return tenant


def code_of(call, *args):
    """LDAP code and text of a bind: (0, "") or what was raised."""
    try:
        call(*args)
        return 0, ""
    except ldap.LDAPError as error:
        return error.args[0]["result"], error.args[0].get("info", "")


def bind(server, name, password, **where):
    connection = server.open(where.get("uri"))
    if where.get("starttls"):
        connection.start_tls_s()
    try:
        return code_of(connection.simple_bind_s, b.guest_dn(name), password)
    finally:
        connection.unbind_ext_s()


def partner(server, tenant_id, uri, lines=""):
    """A partner of its own for one test, with a guest of the same name as its tenant id."""
    server.load(b.partner_ldif(tenant_id, uri, lines or PATTERN)
                + b.guest_ldif(tenant_id, tenant=tenant_id, subject=""))
    return tenant_id


def test_bind__home_password(server):
    """Set-up: alice's subject is a DN, bob has the partner's pattern.  Steps: both bind with the
    home password, then with a wrong one.  Expected: success; 49 without text."""
    assert bind(server, "alice", "alice-pw") == (0, "")
    assert bind(server, "bob", "bob-pw") == (0, "")
    assert bind(server, "alice", "bob-pw") == (49, "")
    assert bind(server, "bob", "alice-pw") == (49, "")


def test_bind__first_proof_redeems(server):
    """A guest that was never here is PendingAcceptance, and Accepted after its first proof; a
    wrong proof redeems nothing."""
    server.load(b.guest_ldif("carol"))
    assert server.entry(b.guest_dn("carol"))["b2bUserState"] == ["PendingAcceptance"]
    assert bind(server, "carol", "wrong") == (49, "")
    assert server.entry(b.guest_dn("carol"))["b2bUserState"] == ["PendingAcceptance"]
    assert bind(server, "carol", "carol-pw") == (0, "")
    entry = server.entry(b.guest_dn("carol"))
    assert entry["b2bUserState"] == ["Accepted"]
    assert entry["modifiersName"] == [b.ROOTDN]


def test_bind__not_redeemed(server, home):
    """A partner without automatic redemption: the guest is not asked for its password at home."""
    server.load(b.partner_ldif("manual", home.ldaps, f"b2bHomeCaFile: {home.certs.ca}\n{PATTERN}")
                .replace("b2bAutoRedeemIn: TRUE", "b2bAutoRedeemIn: FALSE")
                + b.guest_ldif("dave", tenant="manual"))
    mark = server.log_mark()
    assert bind(server, "dave", "dave-pw") == (49, "")
    server.wait_log(r"b2b: conn=\d+ op=\d+ guest=\"uid=dave,[^\"]+\" tenant=manual app=directory "
                    r"verdict=deny reason=not-redeemed rule=", since=mark)


@pytest.mark.parametrize("lines, reason", [
    ("b2bAccountEnabled: FALSE", "disabled"),
    ("b2bValidFrom: 20990101000000Z\nb2bValidUntil: 20990201000000Z", "not-yet-valid"),
    ("b2bValidUntil: 20200101000000Z", "expired"),
    ("b2bReviewDue: 20200101000000Z", "review-lapsed"),
    ("b2bReviewDecision: Deny", "review-lapsed"),
])
def test_bind__off_is_not_forwarded(server, fake_home, lines, reason):
    """Guests that are off: 49 without text, the reason in the log, and home hears nothing, even
    though it would say yes."""
    home = fake_home("success")
    name = f"off{abs(hash(lines)) % 10**8}"
    guest = b.guest_ldif(name, tenant=name, subject="")
    if "AccountEnabled" in lines:
        guest = guest.replace("b2bAccountEnabled: TRUE\n", "")
    server.load(b.partner_ldif(name, home.uri, PATTERN) + guest.rstrip("\n") + f"\n{lines}\n\n")
    mark = server.log_mark()
    assert bind(server, name, "pw") == (49, "")
    server.wait_log(rf"guest=\"uid={name},[^\"]+\" .* verdict=deny reason={reason} ", since=mark)
    assert home.connections == 0


def test_bind__policy_is_not_forwarded(server, fake_home):
    """What policy denies by itself never reaches home: blocked users, blocked application."""
    home = fake_home("success")
    partner(server, "blocked", home.uri, PATTERN + "\nb2bCollabInUsersAccess: blocked\n"
            "b2bCollabInAppsAccess: blocked")
    partner(server, "noapp", home.uri, PATTERN + "\nb2bCollabInUsersAccess: allowed\n"
            "b2bCollabInAppsAccess: blocked\nb2bCollabInAppsTarget: directory")
    mark = server.log_mark()
    assert bind(server, "blocked", "pw") == (49, "")
    assert bind(server, "noapp", "pw") == (49, "")
    server.wait_log(r"tenant=blocked app=directory verdict=deny reason=inbound-users rule="
                    r"\"b2bTenantId=blocked,", since=mark)
    server.wait_log(r"tenant=noapp .*reason=inbound-apps", since=mark)
    assert home.connections == 0


def test_bind__needs_tls(server, fake_home):
    """b2bRequireTls (the default): over plain TCP a guest is 49 and home hears nothing; over
    ldaps, StartTLS and ldapi it comes in."""
    home = fake_home("success")
    partner(server, "tls", home.uri)
    root = server.root()
    root.modify_s(b.BASE, [(ldap.MOD_DELETE, "b2bRequireTls", None)])
    try:
        mark = server.log_mark()
        assert bind(server, "tls", "pw", uri=server.uri) == (49, "")
        server.wait_log(r"tenant=tls .*reason=tls-required", since=mark)
        assert home.connections == 0
        assert bind(server, "tls", "pw", uri=server.uri, starttls=True) == (0, "")
        assert bind(server, "tls", "pw", uri=server.ldaps) == (0, "")
        assert bind(server, "tls", "pw") == (0, "")
    finally:
        root.modify_s(b.BASE, [(ldap.MOD_REPLACE, "b2bRequireTls", b"FALSE")])


def test_bind__empty_password_never_leaves(server, fake_home):
    """A home that says yes to an empty password is not asked: slapd refuses the bind with a name
    and no password, and a password of NUL bytes is refused before the network."""
    home = fake_home("success")
    partner(server, "empty", home.uri)
    assert bind(server, "empty", "")[0] in (48, 53)
    assert bind(server, "empty", "\0") == (49, "")
    assert home.connections == 0


@pytest.mark.parametrize("behaviour, code", [
    ("code", 49), ("referral", 49),
    ("garbage", 52), ("close", 52), ("close_bind", 52), ("hang", 52), ("hang_bind", 52),
    ("wrong_id", 52), ("wrong_type", 52), ("huge", 52),
])
def test_bind__bad_home(certs, make_server, fake_home, behaviour, code):
    """Home servers that refuse, lie or break: a refusal and a referral are 49, all else 52; slapd
    goes on serving and lets a guest of another home in."""
    server = make_server_once(make_server, certs)
    home = fake_home(behaviour)
    name = behaviour.replace("_", "")
    partner(server, name, home.uri)
    assert bind(server, name, "pw") == (code, "")
    good = fake_home("success")
    partner(server, f"good{name}", good.uri)
    assert bind(server, f"good{name}", "pw") == (0, "")


_once = {}


def make_server_once(make_server, certs):
    """A tenant that waits one second for homes, shared by the tests of this file."""
    if "server" not in _once:
        _once["server"] = make_server(b.tenant_server, certs=certs,
                                      b2b="b2b-home-timeout 1\nb2b-home-concurrency 2")
    return _once["server"]


def test_bind__wrong_certificate(server, home, certs, fake_home):
    """A home whose certificate is an impostor's, or another host's, gets no password: 52."""
    cert, key = certs.impostor.server()
    impostor = fake_home("success", tls=(cert, key))
    partner(server, "impostor", impostor.uri, f"b2bHomeCaFile: {certs.ca}\n{PATTERN}")
    other = fake_home("success", tls=certs.authority.server(san="DNS:other.example"))
    partner(server, "otherhost", other.uri, f"b2bHomeCaFile: {certs.ca}\n{PATTERN}")
    assert bind(server, "impostor", "pw") == (52, "")
    assert bind(server, "otherhost", "pw") == (52, "")
    assert impostor.binds == [] and other.binds == []


def test_bind__starttls_home(server, certs, fake_home):
    """StartTLS where the partner demands it; a server that refuses it gets no password."""
    good = fake_home("success", starttls=certs.authority.server())
    bad = fake_home("success")
    lines = f"b2bHomeStartTls: TRUE\nb2bHomeCaFile: {certs.ca}\n{PATTERN}"
    partner(server, "startgood", good.uri, lines)
    partner(server, "startbad", bad.uri, lines)
    assert bind(server, "startgood", "pw") == (0, "")
    assert bind(server, "startbad", "pw") == (52, "")
    assert bad.binds == []


def test_bind__servers_in_order(server, fake_home):
    """Several home servers: the first that answers decides, in the order of their {n}."""
    dead = "ldap://127.0.0.1:1"
    first, second = fake_home("success"), fake_home("code")
    partner(server, "order", f"{{1}}{first.uri}",
            f"{PATTERN}\nb2bHomeUri: {{2}}{second.uri}\nb2bHomeUri: {{0}}{dead}")
    assert bind(server, "order", "pw") == (0, "")
    assert len(first.binds) == 1 and second.connections == 0


def test_bind__name_is_escaped(server, fake_home):
    """A uid full of DN syntax stays one attribute value in the name sent home (RFC 4514)."""
    home = fake_home("success")
    server.load(b.partner_ldif("escape", home.uri, "b2bHomeBindDn: uid=%u,dc=home"))
    evil = "x,ou=admins+cn=y\\"
    root = server.root()
    dn = f"cn=escape,{b.GUESTS}"
    root.add_s(dn, [("objectClass", [b"inetOrgPerson", b"b2bGuest"]), ("cn", b"escape"),
                    ("sn", b"e"), ("uid", evil.encode()), ("b2bHomeTenant", b"escape")])
    assert code_of(server.open().simple_bind_s, dn, "pw") == (0, "")
    assert home.binds == [("uid=x\\,ou\\=admins\\+cn\\=y\\\\,dc=home", "pw")] or \
        home.binds == [("uid=x\\,ou=admins\\+cn=y\\\\,dc=home", "pw")]


def test_bind__password_is_nowhere(server, fake_home):
    """The password is in no log line, also where home fails, and in no entry."""
    secret = "Geheim-7f3a9c"
    home = fake_home("garbage")
    partner(server, "secret", home.uri)
    bind(server, "secret", secret)
    home.behaviour = "success"
    poll(lambda: bind(server, "secret", secret)[0] in (0, 52), 10, "an answer")
    assert secret not in server.log()
    entries = server.root().search_s(b.SUFFIX, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["*", "+"])
    assert secret.encode() not in repr(entries).encode()


def test_bind__pins_and_providers(server, fake_home):
    """A partner without ldap among b2bIdp, and a guest pinned to another provider, are denied
    without a word to home."""
    home = fake_home("success")
    server.load(b.partner_ldif("noldap", home.uri, PATTERN).replace("b2bIdp: ldap", "b2bIdp: oidc")
                + b.guest_ldif("noldap", tenant="noldap", subject=""))
    partner(server, "pinned", home.uri)
    server.root().modify_s(b.guest_dn("pinned"),
                           [(ldap.MOD_ADD, "b2bIdentityProvider", b"oidc")])
    assert bind(server, "noldap", "pw") == (49, "")
    assert bind(server, "pinned", "pw") == (49, "")
    assert home.connections == 0


def test_bind__members_untouched(server):
    """Members bind with their own password as ever; an unknown name is 49."""
    assert code_of(server.open().simple_bind_s, b.member_dn("mia"), "mia-pw") == (0, "")
    assert code_of(server.open().simple_bind_s, b.member_dn("mia"), "no") == (49, "")
    assert bind(server, "nobody", "pw") == (49, "")


def test_bind__black_hole(certs, fake_home, make_server):
    """Set-up: 4 worker threads; a home that accepts and says nothing.  Steps: twelve guests bind at
    once; meanwhile members bind and search, and cn=config is changed.  Expected: members are all
    answered while the guests still wait; the change too; guests get 51 or 52 and slapd lives."""
    server = make_server(b.tenant_server, certs=certs, b2b="b2b-home-timeout 8",
                         global_conf="threads 4")
    home = fake_home("hang")
    partner(server, "hole", home.uri)
    answers = []

    def guest():
        answers.append(bind(server, "hole", "pw")[0])

    guests = [threading.Thread(target=guest) for _ in range(12)]
    for thread in guests:
        thread.start()
    poll(lambda: home.connections > 0, 10, "the hole being asked")
    for _ in range(20):
        member = server.conn(b.member_dn("mia"), "mia-pw")
        assert member.search_s(b.PEOPLE, ldap.SCOPE_SUBTREE, "(uid=max)")
        member.unbind_s()
    config = server.config()
    config.modify_s("cn=config", [(ldap.MOD_REPLACE, "olcIdleTimeout", b"600")])
    waiting = sum(thread.is_alive() for thread in guests)
    assert waiting > 0, "members and cn=config were served only after the guests"
    for thread in guests:
        thread.join(60)
    assert len(answers) == 12 and set(answers) <= {51, 52}
    assert server.alive()


def test_bind__breaker(certs, make_server, fake_home):
    """After three faults the server of a partner is left alone for a while: the next bind is 52
    without a connection."""
    server = make_server_once(make_server, certs)
    home = fake_home("close")
    partner(server, "breaker", home.uri)
    for _ in range(3):
        assert bind(server, "breaker", "pw") == (52, "")
    before = home.connections
    assert bind(server, "breaker", "pw") == (52, "")
    assert home.connections == before


def test_bind__overlay_deleted_while_waiting(certs, fake_home):
    """Steps: a guest's bind hangs at home; overlay b2b, then b2bgate, are deleted by cn=config.
    Expected: the bind is answered 52, slapd goes on and ends cleanly."""
    with b.tenant_server(start=False, certs=certs, convert=True,
                         b2b="b2b-home-timeout 4") as server:
        home = fake_home("hang")
        partner(server, "slow", home.uri)
        result = []
        thread = threading.Thread(target=lambda: result.append(bind(server, "slow", "pw")))
        thread.start()
        poll(lambda: home.connections > 0, 10, "home being asked")
        config = server.config()
        found = config.search_s("cn=config", ldap.SCOPE_SUBTREE, "(olcOverlay=*)", ["1.1"])
        names = sorted((dn for dn, _ in found), key=lambda dn: "b2bgate" in dn)
        assert len(names) == 2
        for dn in names:
            config.delete_s(dn)
        thread.join(30)
        assert result == [(52, "")]
        assert server.conn(b.member_dn("mia"), "mia-pw").whoami_s()


def test_bind__policy_changes_while_waiting(server, fake_home):
    """Steps: a guest's bind hangs at home; its partner is blocked; home says yes.  Expected: the
    proof was right but policy denies: 53 with the reason."""
    home = fake_home("drip")
    home.drip_secs = 0.15  # two seconds for an answer
    partner(server, "late", home.uri)
    result = []
    thread = threading.Thread(target=lambda: result.append(bind(server, "late", "pw")))
    thread.start()
    poll(lambda: home.binds, 10, "home being asked")
    server.root().modify_s(b.partner_dn("late"),
                           [(ldap.MOD_REPLACE, "b2bCollabInUsersAccess", b"blocked"),
                            (ldap.MOD_REPLACE, "b2bCollabInAppsAccess", b"blocked")])
    thread.join(30)
    assert result == [(53, "b2b: inbound-users")]
