"""Conditional access, end to end: whom a policy is about, where it applies, what it asks for, and
that a bad one leaves no trace."""

import re
import time

import ldap
import pytest

from lib import builders as b, records, ways
from lib.builders import guest_dn, partner_dn, service_dn
from lib.conditional import CONTAINER, container_ldif, policy, policy_dn, policy_ldif
from lib.eyes import answer, code, seen
from lib.idp import MFA
from lib.slapd import free_port, poll
from lib.tokens import Signer
from lib.ways import is_in, is_out

ONE, TWO = Signer("https://one.example"), Signer("https://two.example")
ANN, MEM, BEN = guest_dn("ann"), guest_dn("mem"), guest_dn("ben")
TOKENS = {ANN: lambda **c: ONE.token("ann", **c), MEM: lambda **c: ONE.token("mem", **c),
          BEN: lambda **c: TWO.token("ben", **c)}
BLOCK = "b2bCaGrant: block"
PORT6 = free_port()
V6 = f"ldap://[::1]:{PORT6}"
DOCS = f"ou=docs,{b.SUFFIX}"
LABELS = ("b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\nb2bLabelOrder: {2}Confidential\n"
          "b2bDefaultLabel: Public\nb2bGuestAccess: member\n")


@pytest.fixture(scope="module")
def server(make_server, certs, idp, home):
    """Guests ann and mem (of kind Member) of one partner, ben of another; partners with the real
    provider and with a home directory (bob's); labelled documents; the application wiki."""
    server = make_server(b.tenant_server, certs=certs, urls=[f"{V6}/"])
    server.modify(f"dn: {b.BASE}\nchangetype: modify\n" + "".join(
        f"replace: {name}\n" + "".join(f"{line}\n" for line in LABELS.splitlines()
                                       if line.startswith(name + ":")) + "-\n"
        for name in ("b2bLabelOrder", "b2bDefaultLabel", "b2bGuestAccess")))
    server.load(
        container_ldif() + b.service_ldif("wiki")
        + b.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}\nb2bAppAudience: urn:wiki")
        + b.partner_ldif("one", lines=ONE.partner_lines())
        + b.partner_ldif("two", lines=TWO.partner_lines())
        + b.partner_ldif("real", lines=idp.partner_lines()) + b.partner_ldif("home", home.uri)
        + b.guest_ldif("ann", "one", "b2bClearance: Confidential", "ann")
        + b.guest_ldif("mem", "one", "", "mem").replace("UserType: Guest", "UserType: Member")
        + b.guest_ldif("ben", "two", "", "ben") + b.guest_ldif("bob")
        + f"dn: {DOCS}\nobjectClass: organizationalUnit\nou: docs\n\n" + "".join(
            f"dn: cn={label},{DOCS}\nobjectClass: applicationProcess\nobjectClass: b2bLabelled\n"
            f"cn: {label}\nb2bLabel: {label}\n\n" for label in ("Public", "General",
                                                                "Confidential")))
    return server


def token_in(server, dn, **where):
    """Whether the guest is in, by a token: True; else what it hears."""
    result = ways.by_dn(server, dn, TOKENS[dn](), **where)
    return result.code == 0 or result.text


# --- whom ---

@pytest.mark.parametrize("lines, about", [
    ("", (ANN, MEM, BEN)),
    ("b2bCaIncludePartner: one", (ANN, MEM)),
    ("b2bCaIncludePartner: ONE\nb2bCaIncludePartner: nobody", (ANN, MEM)),
    ("b2bCaIncludePartner: nobody", ()),
    ("b2bCaExcludePartner: one", (BEN,)),
    ("b2bCaIncludePartner: one\nb2bCaExcludePartner: one", ()),
    ("b2bCaIncludeUserType: Member", (MEM,)),
    ("b2bCaIncludeUserType: guest", (ANN, BEN)),
    ("b2bCaExcludeUserType: Guest", (MEM,)),
    ("b2bCaIncludePartner: one\nb2bCaIncludeUserType: Guest", (ANN,)),
    (f"b2bCaIncludeGuest: {ANN}", (ANN,)),
    (f"b2bCaIncludeGuest: {ANN.upper()}\nb2bCaIncludePartner: two", (ANN, BEN)),
    (f"b2bCaIncludeGuest: {ANN}\nb2bCaIncludePartner: two\nb2bCaIncludeUserType: Member", (ANN,)),
    (f"b2bCaExcludeGuest: {ANN}", (MEM, BEN)),
    (f"b2bCaIncludePartner: one\nb2bCaExcludeGuest: {ANN}", (MEM,)),
    (f"b2bCaIncludeGuest: {ANN}\nb2bCaExcludeGuest: {ANN}", ()),
    (f"b2bCaIncludeGuest: {ANN}\nb2bCaExcludePartner: one", ()),
])
def test_conditional__whom(server, lines, about):
    """A policy that blocks is about these guests and no others; members never."""
    with policy(server, f"{BLOCK}\n{lines}"):
        for dn in TOKENS:
            assert token_in(server, dn) is True or dn in about, dn
            assert token_in(server, dn) == "b2b: blocked" or dn not in about, dn
        assert ways.by_dn(server, b.member_dn("mia"), "mia-pw").code == 0
    assert all(token_in(server, dn) is True for dn in TOKENS)


@pytest.mark.parametrize("lines, wiki, directory", [
    ("b2bCaIncludeApp: wiki", True, False),
    ("b2bCaIncludeApp: WIKI\nb2bCaIncludeApp: other", True, False),
    ("b2bCaIncludeApp: directory", False, True),
    ("b2bCaIncludeApp: AllApplications", True, True),
    ("b2bCaExcludeApp: wiki", False, True),
    ("b2bCaIncludeApp: AllApplications\nb2bCaExcludeApp: directory", True, False),
])
def test_conditional__app(server, lines, wiki, directory):
    """A policy about applications: the token's audience says which one it is."""
    with policy(server, f"{BLOCK}\n{lines}"):
        for audience, blocked in (("urn:wiki", wiki), (None, directory)):
            token = ONE.token("ann", aud=audience or ONE.audience)
            if blocked:
                is_out(server, ANN, token, 53, "b2b: blocked")
            else:
                is_in(server, ANN, token)


# --- where ---

@pytest.mark.parametrize("lines, v4, v6, local", [
    ("b2bCaIncludeNetwork: 127.0.0.0/8", True, False, True),
    ("b2bCaIncludeNetwork: 127.0.0.1/32", True, False, True),
    ("b2bCaIncludeNetwork: 127.0.0.2/32", False, False, True),
    ("b2bCaIncludeNetwork: 10.0.0.0/8\nb2bCaIncludeNetwork: ::1/128", False, True, True),
    ("b2bCaIncludeNetwork: ::/0", True, True, True),  # IPv4 is ::ffff:0:0/96
    ("b2bCaIncludeNetwork: 0.0.0.0/0", True, False, True),
    ("b2bCaExcludeNetwork: 127.0.0.0/8", False, True, True),
    ("b2bCaExcludeNetwork: ::1/128", True, False, True),
    ("b2bCaIncludeNetwork: 127.0.0.0/8\nb2bCaExcludeNetwork: 127.0.0.1/32", False, False, True),
    ("b2bCaExcludeNetwork: 0.0.0.0/0\nb2bCaExcludeNetwork: ::/0", False, False, True),
])
def test_conditional__network(server, lines, v4, v6, local):
    """A policy about networks, seen from 127.0.0.1, ::1 and a local socket, which is nowhere: it is
    in every network that is included and in none that is excluded."""
    with policy(server, f"{BLOCK}\n{lines}"):
        for uri, blocked in ((server.uri, v4), (V6, v6), (server.ldapi, local)):
            told = token_in(server, ANN, uri=uri)
            assert (told == "b2b: network") if blocked else told is True, (uri, told)


def test_conditional__network_of_held_connection(server):
    """A policy that comes while a guest is in holds for its connection from the next operation on,
    by where that connection comes from."""
    held4 = server.conn(ANN, TOKENS[ANN](), uri=server.uri)
    held6 = server.conn(ANN, TOKENS[ANN](), uri=V6)
    with policy(server, f"{BLOCK}\nb2bCaIncludeNetwork: 127.0.0.0/8"):
        assert records.denial(held4, ANN) == "b2b: network"
        assert records.denial(held6, ANN) is None
    assert records.denial(held4, ANN) is None


def test_conditional__below_ssf(server):
    """A policy about weak connections: plain and ldapi (71) are below 128, TLS is not; the reason
    says what would help."""
    with policy(server, f"{BLOCK}\nb2bCaBelowSsf: 128"):
        assert token_in(server, ANN, uri=server.uri) == "b2b: tls-required"
        assert token_in(server, ANN) == "b2b: tls-required"
        assert token_in(server, ANN, uri=server.ldaps) is True
        assert token_in(server, ANN, uri=server.uri, starttls=True) is True
    with policy(server, f"{BLOCK}\nb2bCaBelowSsf: 71"):
        assert token_in(server, ANN) is True
        assert token_in(server, ANN, uri=server.uri) == "b2b: tls-required"


# --- what ---

def test_conditional__tls(server):
    """The grant tls: TLS and ldapi satisfy it, plain TCP does not; nor on a held connection."""
    held = server.conn(ANN, TOKENS[ANN](), uri=server.uri)
    with policy(server, "b2bCaGrant: tls"):
        is_out(server, ANN, TOKENS[ANN](), 53, "b2b: tls-required", uri=server.uri)
        for where in ({"uri": server.ldaps}, {"uri": server.uri, "starttls": True}, {}):
            is_in(server, ANN, TOKENS[ANN](), **where)
        assert records.denial(held, ANN) == "b2b: tls-required"


def trust(server, tenant_id, **settings):
    """Trust settings of a partner; None takes one away."""
    server.root().modify_s(partner_dn(tenant_id), [
        (ldap.MOD_REPLACE, name, None if value is None else [str(value).upper().encode()])
        for name, value in settings.items()])


def test_conditional__mfa_of_real_provider(server, idp):
    """Set-up: a policy wants mfa.  Expected: 8 with the reason while the partner is not trusted,
    whatever its tokens say; once trusted, in with amr mfa and acr of several factors, 8 without."""
    idp.people(**{"mfa-one": {}, "mfa-two": MFA, "mfa-acr": {
        "acr": "https://refeds.org/profile/mfa"}})
    names = ("mfa-one", "mfa-two", "mfa-acr")
    server.load("".join(b.guest_ldif(name, "real", subject=name) for name in names))
    with policy(server, "b2bCaGrant: mfa"):
        for name in names:
            is_out(server, guest_dn(name), idp.id_token(name), 8, "b2b: mfa-required")
        trust(server, "real", b2bTrustMfa=True)
        try:
            is_out(server, guest_dn("mfa-one"), idp.id_token("mfa-one"), 8, "b2b: mfa-required")
            is_in(server, guest_dn("mfa-two"), idp.id_token("mfa-two"))
            is_in(server, guest_dn("mfa-acr"), idp.id_token("mfa-acr"))
            held = server.conn(guest_dn("mfa-two"), idp.id_token("mfa-two", "ES256"))
        finally:
            trust(server, "real", b2bTrustMfa=None)
        assert answer(held.whoami_s)[:3] == (8, None, "b2b: mfa-required")
    assert held.whoami_s() == f"dn:{guest_dn('mfa-two')}"


def test_conditional__mfa_trusted_by_default_policy(server):
    """Trust stands in the default policy; a partner that says FALSE overrides it."""
    default, root = f"cn=default,{b.BASE}", server.root()
    root.modify_s(default, [(ldap.MOD_ADD, "b2bTrustMfa", b"TRUE")])
    try:
        with policy(server, "b2bCaGrant: mfa"):
            is_in(server, ANN, ONE.token("ann", amr=["pwd", "mfa"]))
            trust(server, "one", b2bTrustMfa=False)
            is_out(server, ANN, ONE.token("ann", amr=["pwd", "mfa"]), 8, "b2b: mfa-required")
    finally:
        trust(server, "one", b2bTrustMfa=None)
        root.modify_s(default, [(ldap.MOD_DELETE, "b2bTrustMfa", None)])


@pytest.mark.parametrize("lines, claims, good", [
    ("", {"amr": ["mfa"]}, True), ("", {"amr": "mfa"}, True), ("", {"amr": ["MFA"]}, False),
    ("", {"amr": ["pwd", "otp"]}, False), ("", {"amr": {"mfa": True}}, False), ("", {}, False),
    ("", {"amr": ["http://schemas.microsoft.com/claims/multipleauthn"]}, True),
    ("", {"acr": "https://refeds.org/profile/mfa"}, True), ("", {"acr": "mfa"}, False),
    ("acr=2", {"acr": "2"}, True), ("acr=2", {"acr": "22"}, False),
    ("acr=2", {"amr": ["mfa"]}, False),
    ("strong=true", {"strong": True}, True), ("strong=true", {"strong": False}, False),
])
def test_conditional__mfa_claims(server, lines, claims, good):
    """What counts as several factors, by itself and by b2bMfaClaim."""
    root = server.root()
    trust(server, "one", b2bTrustMfa=True)
    if lines:
        root.modify_s(partner_dn("one"), [(ldap.MOD_ADD, "b2bMfaClaim", lines.encode())])
    try:
        with policy(server, "b2bCaGrant: mfa"):
            result = ways.by_dn(server, ANN, ONE.token("ann", **claims))
            assert result[:2] == ((0, "") if good else (8, "b2b: mfa-required"))
    finally:
        trust(server, "one", b2bTrustMfa=None)
        if lines:
            root.modify_s(partner_dn("one"), [(ldap.MOD_DELETE, "b2bMfaClaim", None)])


@pytest.mark.parametrize("grant, setting, claim", [
    ("compliantDevice", "b2bTrustCompliantDevice", "b2bCompliantDeviceClaim"),
    ("hybridJoinedDevice", "b2bTrustHybridJoined", "b2bHybridJoinedClaim")])
def test_conditional__devices(server, grant, setting, claim):
    """A device counts where the partner's claim says so and the partner is trusted."""
    server.root().modify_s(partner_dn("one"), [(ldap.MOD_REPLACE, claim, b"dev=good")])
    try:
        with policy(server, f"b2bCaGrant: {grant}"):
            is_out(server, ANN, ONE.token("ann", dev="good"), 53, "b2b: device-required")
            trust(server, "one", **{setting: True})
            is_in(server, ANN, ONE.token("ann", dev="good"))
            is_out(server, ANN, ONE.token("ann", dev="bad"), 53, "b2b: device-required")
            is_out(server, ANN, ONE.token("ann"), 53, "b2b: device-required")
    finally:
        server.root().modify_s(partner_dn("one"), [(ldap.MOD_REPLACE, name, None)
                                                   for name in (claim, setting)])


def test_conditional__and_or(server):
    """Two grants: both by default, one where the policy says OR; and two policies: both."""
    two = "b2bCaGrant: mfa\nb2bCaGrant: compliantDevice"
    root = server.root()
    root.modify_s(partner_dn("one"), [(ldap.MOD_REPLACE, "b2bCompliantDeviceClaim", b"dev=good")])
    trust(server, "one", b2bTrustMfa=True, b2bTrustCompliantDevice=True)
    tokens = {(mfa, device): ONE.token("ann", **({"amr": ["mfa"]} if mfa else {}),
                                       **({"dev": "good"} if device else {}))
              for mfa in (0, 1) for device in (0, 1)}
    try:
        for texts, enough in (((two,), {(1, 1)}), ((two + "\nb2bCaGrantOperator: AND",), {(1, 1)}),
                              ((two + "\nb2bCaGrantOperator: OR",), {(0, 1), (1, 0), (1, 1)}),
                              (two.split("\n"), {(1, 1)})):
            with policy(server, *texts):
                came_in = {shown for shown, token in tokens.items()
                           if ways.by_dn(server, ANN, token).code == 0}
                assert came_in == enough, texts
    finally:
        root.modify_s(partner_dn("one"), [(ldap.MOD_REPLACE, name, None) for name in (
            "b2bCompliantDeviceClaim", "b2bTrustMfa", "b2bTrustCompliantDevice")])


def test_conditional__terms(server):
    """Terms of use: who accepted the tenant's version is in; a new version asks anew, on a held
    connection too; without a version nobody can have accepted it."""
    root, admin = server.root(), records.RELAX

    def put(dn, name, value):
        root.modify_ext_s(dn, [records.replace(name, *([value] if value else []))],
                          serverctrls=admin)

    with policy(server, "b2bCaGrant: terms"):
        is_out(server, ANN, TOKENS[ANN](), 53, "b2b: terms-required")
        put(b.BASE, "b2bTermsVersion", "v1")
        is_out(server, ANN, TOKENS[ANN](), 53, "b2b: terms-required")
        put(ANN, "b2bTermsAccepted", "v1")
        held = server.conn(ANN, TOKENS[ANN]())
        assert records.denial(held, ANN) is None
        put(b.BASE, "b2bTermsVersion", "v2")
        assert records.denial(held, ANN) == "b2b: terms-required"
        is_out(server, BEN, TOKENS[BEN](), 53, "b2b: terms-required")
    put(b.BASE, "b2bTermsVersion", None)
    put(ANN, "b2bTermsAccepted", None)


def test_conditional__sign_in_frequency(server, home):
    """Set-up: a policy wants a sign-in of the last two seconds.  Expected: a token whose auth_time
    is older is 53; one that is new is in, and its connection is told so when the time has passed,
    without anything being written; so is one by home password; a new sign-in is good."""
    with policy(server, "b2bCaSignInFrequency: 2"):
        now = int(time.time())
        is_out(server, ANN, ONE.token("ann", auth_time=now - 60), 53, "b2b: sign-in-too-old")
        held = server.conn(ANN, ONE.token("ann", auth_time=int(time.time())))
        by_password = server.conn(guest_dn("bob"), "bob-pw")
        assert records.denial(held, ANN) is None
        poll(lambda: records.denial(held, ANN), 5, "the end of the sign-in")
        poll(lambda: records.denial(by_password, guest_dn("bob")), 5, "the end of the other")
        assert answer(seen, held, b.SUFFIX)[:3] == (53, None, "b2b: sign-in-too-old")
        assert answer(held.whoami_s)[:3] == (53, None, "b2b: sign-in-too-old")
        held.simple_bind_s(ANN, ONE.token("ann", auth_time=int(time.time())))
        assert records.denial(held, ANN) is None
    assert records.denial(by_password, guest_dn("bob")) is None


def test_conditional__frequency_of_real_provider(server, idp):
    """The provider's own auth_time: who logged in there an hour ago must do so again."""
    now = int(time.time())
    idp.people(**{"old-login": {"auth_time": now - 3600}, "new-login": {"auth_time": now - 60}})
    server.load("".join(b.guest_ldif(name, "real", subject=name)
                        for name in ("old-login", "new-login")))
    with policy(server, "b2bCaSignInFrequency: 900"):
        is_out(server, guest_dn("old-login"), idp.id_token("old-login"), 53,
               "b2b: sign-in-too-old")
        is_in(server, guest_dn("new-login"), idp.id_token("new-login"))


def labels_seen(server, dn, **where):
    connection = ways.connect(server, **where)
    connection.simple_bind_s(dn, TOKENS[dn]())
    found = set(seen(connection, DOCS))
    connection.unbind_ext_s()
    return {name.split(",")[0][3:] for name in found} - {"docs"}


def test_conditional__label_cap(server):
    """A policy caps labels on weak connections: there a guest sees less than its clearance, over
    TLS all of it; several caps: the lowest; a cap opens nothing."""
    everything = {"public", "general", "confidential"}
    assert labels_seen(server, ANN) == everything
    weak = "b2bCaBelowSsf: 128\nb2bCaMaxLabel: "
    with policy(server, weak + "General"):
        assert labels_seen(server, ANN, uri=server.uri) == {"public", "general"}
        assert labels_seen(server, ANN, uri=server.ldaps) == everything
        assert labels_seen(server, BEN, uri=server.uri) == {"public"}
        with policy(server, weak + "Public"):
            assert labels_seen(server, ANN, uri=server.uri) == {"public"}
    with policy(server, weak + "Confidential"):
        assert labels_seen(server, BEN, uri=server.uri) == {"public"}


def test_conditional__home_password(server, home, fake_home):
    """Before a password goes home: what blocks the guest whatever it proves blocks it there, 49 and
    not a word to home; what a proof might show is asked for after the password was right."""
    quiet = fake_home("success")
    server.load(b.partner_ldif("fake", quiet.uri) + b.guest_ldif("fay", "fake"))
    for lines in (BLOCK, "b2bCaGrant: block\nb2bCaIncludeNetwork: 127.0.0.0/8"):
        with policy(server, lines):
            assert ways.by_dn(server, guest_dn("fay"), "pw", uri=server.uri)[:2] == (49, "")
    assert quiet.connections == 0
    with policy(server, "b2bCaGrant: mfa"):
        assert ways.by_dn(server, guest_dn("bob"), "wrong")[:2] == (49, "")
        assert ways.by_dn(server, guest_dn("bob"), "bob-pw")[:2] == (8, "b2b: mfa-required")


def test_conditional__service_accounts(server):
    """A guest that a policy blocks for an application does not exist for its service account; where
    the guest would come from, or what it could show, is not held against it there."""
    service = server.conn(service_dn("wiki"), "wiki-pw")

    def found():
        return {dn for dn in seen(service, b.GUESTS) if dn in TOKENS}

    assert found() == set(TOKENS)
    with policy(server, f"{BLOCK}\nb2bCaIncludeApp: wiki\nb2bCaIncludePartner: one"):
        assert found() == {BEN}
    for lines in ("b2bCaGrant: mfa", "b2bCaSignInFrequency: 1", "b2bCaGrant: tls",
                  f"{BLOCK}\nb2bCaIncludeNetwork: 10.0.0.0/8"):
        with policy(server, lines):
            assert found() == set(TOKENS), lines


# --- states, and bad policies ---

def test_conditional__disabled(server):
    """A policy that is disabled does nothing and says nothing."""
    mark = server.log_mark()
    with policy(server, BLOCK, state="disabled"):
        is_in(server, ANN, TOKENS[ANN]())
    assert "would=deny" not in server.log(mark)


def test_conditional__report_only(server):
    """reportOnly: everything is as before; each sign-in that would be denied has one line, with the
    count; operations have none, nor have guests that satisfy it."""
    mark = server.log_mark()
    with policy(server, f"{BLOCK}\nb2bCaIncludePartner: one", state="reportOnly") as dn:
        for number in range(1, 4):
            connection = server.conn(ANN, TOKENS[ANN]())
            assert ANN in seen(connection, b.SUFFIX) and records.denial(connection, ANN) is None
            server.wait_log(rf'b2b: conn=\d+ op=\d+ guest="{ANN}" tenant=one app=directory '
                            rf'would=deny reason=blocked count={number} policy="{re.escape(dn)}"',
                            since=mark)
        is_in(server, BEN, TOKENS[BEN](), ways=["dn"])
        is_out(server, ANN, ONE.token("mem"), 49, ways=["dn"])
        assert server.log(mark).count("would=deny") == 3
    for lines, reason in (("b2bCaGrant: mfa", "mfa-required"), ("b2bCaGrant: tls", "tls-required"),
                          ("b2bCaSignInFrequency: 60", "sign-in-too-old")):
        mark = server.log_mark()
        with policy(server, lines, state="reportOnly"):
            token = ONE.token("ann", auth_time=int(time.time()) - 600)
            is_in(server, ANN, token, ways=["dn"], uri=server.uri)
            server.wait_log(f"would=deny reason={reason} count=1 ", since=mark)


@pytest.mark.parametrize("lines, attribute", [
    ("", "b2bCaGrant"), ("b2bCaGrant: nonsense", "b2bCaGrant"),
    ("b2bCaGrant: block\nb2bCaGrant: mfa", "b2bCaGrant"),
    ("b2bCaGrantOperator: OR\nb2bCaMaxLabel: General", "b2bCaGrantOperator"),
    ("b2bCaGrant: mfa\nb2bCaGrantOperator: XOR", "b2bCaGrantOperator"),
    (f"{BLOCK}\nb2bCaIncludeNetwork: 10.0.0.0/33", "b2bCaIncludeNetwork"),
    (f"{BLOCK}\nb2bCaIncludeNetwork: 10.0.0.1/8", "b2bCaIncludeNetwork"),
    (f"{BLOCK}\nb2bCaExcludeNetwork: localhost", "b2bCaExcludeNetwork"),
    (f"{BLOCK}\nb2bCaExcludeNetwork: ::1/129", "b2bCaExcludeNetwork"),
    (f"{BLOCK}\nb2bCaExcludeApp: AllApplications", "b2bCaExcludeApp"),
    (f"{BLOCK}\nb2bCaIncludeUserType: Alien", "b2bCaIncludeUserType"),
    ("b2bCaSignInFrequency: 0", "b2bCaSignInFrequency"),
    ("b2bCaSignInFrequency: -5", "b2bCaSignInFrequency"),
    ("b2bCaSignInFrequency: 99999999999", "b2bCaSignInFrequency"),
    (f"{BLOCK}\nb2bCaBelowSsf: 0", "b2bCaBelowSsf"),
])
def test_conditional__bad_policies_leave_no_trace(server, lines, attribute):
    """A policy that means nothing, or two things, is refused with the attribute at fault: as a new
    entry, and as a change of a good one; nothing is different then."""
    root = server.root()
    with records.refused(root, attribute):
        records.add_entry(root, policy_ldif("bad", lines))
    with policy(server, f"{BLOCK}\nb2bCaIncludePartner: nobody") as dn:
        wanted = dict(records.parse(policy_ldif("bad", lines))[1])
        changes = [(ldap.MOD_REPLACE, name, wanted.get(name)) for name in
                   {"b2bCaGrant", *wanted} - {"cn", "objectClass", "b2bCaState"}]
        with records.refused(root, attribute):
            root.modify_s(dn, changes)
    is_in(server, ANN, TOKENS[ANN](), ways=["dn"])


def test_conditional__bad_states_and_places(server):
    """No state, an unknown one, a policy outside its container, another class in it: refused."""
    root = server.root()
    for state in (None, "on"):
        with records.refused(root, "b2bCaState"):
            records.add_entry(root, policy_ldif("bad", BLOCK, state=state))
    for place in (b.BASE, f"cn=partners,{b.BASE}", f"cn=applications,{b.BASE}", b.PEOPLE):
        with records.refused(root):
            records.add_entry(root, policy_ldif("bad", BLOCK).replace(CONTAINER, place))
    with records.refused(root):
        records.add_entry(root, b.app_ldif("bad").replace("cn=applications," + b.BASE, CONTAINER))


def test_conditional__unreadable_policy_denies(make_server):
    """A policy that got in past the overlay and cannot be read denies everybody, members excepted;
    in the state reportOnly or disabled it does not; corrected, it is what it says."""
    server = make_server(b.tenant_server, start=False)
    server.load(b.partner_ldif("one", lines=ONE.partner_lines())
                + b.guest_ldif("ann", "one", "b2bUserState: Accepted", "ann") + container_ldif()
                + policy_ldif("broken", "b2bCaGrant: nonsense"))
    server.start()
    is_out(server, ANN, TOKENS[ANN](), 53, "b2b: policy-invalid")
    assert ways.by_dn(server, b.member_dn("mia"), "mia-pw").code == 0
    root = server.root()
    root.modify_s(policy_dn("broken"), [(ldap.MOD_REPLACE, "b2bCaGrant", b"tls")])
    is_in(server, ANN, TOKENS[ANN]())
    assert code(root.delete_s, policy_dn("broken")) == 0
