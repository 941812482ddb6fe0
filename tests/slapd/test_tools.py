"""slapd's own tools with the module loaded, the schema it brings, and what slapadd let in without
a check."""

import re
import subprocess

import ldap
import pytest
from ldap.controls.simple import RelaxRulesControl

from lib import builders as b, cnconfig as c

SCHEMA = (b.TOP / "schema" / "b2b.schema").read_text()
DEFINITIONS = {name: " ".join(text.split()) for text, name in re.findall(
    r"^((?:attributetype|objectclass) [^\n]* NAME '(\w+)'.*?)(?=^\S|\Z)", SCHEMA, re.M | re.S)}
SERVER_ONLY = sorted(name for name, text in DEFINITIONS.items()
                     if "NO-USER-MODIFICATION" in text)


# What the design promises, written down apart from the schema file.
SECTION_4 = """
b2bGuest b2bHomeTenant b2bHomeSubject b2bIdentityProvider b2bUserType b2bUserState
b2bUserStateChanged b2bAccountEnabled b2bDisabledReason b2bDisabledAt b2bDeleteAfter b2bValidFrom
b2bValidUntil b2bSponsor b2bInvitedBy b2bReviewDue b2bReviewer b2bReviewDecision
b2bReviewJustification b2bReviewedBy b2bReviewedAt b2bReviewHistory b2bClearance b2bTermsAccepted
b2bLastSignIn b2bNextDue b2bDefaultPolicy b2bTrustMfa b2bTrustCompliantDevice b2bTrustHybridJoined
b2bAutoRedeemIn b2bAutoRedeemOut b2bSyncIn b2bPartner b2bTenantId b2bTenantDomain b2bIdp b2bIssuer
b2bAudience b2bJwks b2bJwksUri b2bSubjectClaim b2bHomeUri b2bHomeBindDn b2bHomeStartTls
b2bHomeCaFile b2bApplication b2bAppId b2bAppServiceDN b2bAppListener b2bAppPeer b2bAppAudience
b2bAppAssignmentRequired b2bAppAssignee b2bAppScope b2bAppMaxLabel b2bLabelled b2bLabel
b2bLabelOrder b2bDefaultLabel b2bTenant b2bGuestBase b2bGuestLifetime b2bReviewInterval
b2bReviewDuration b2bInvitationLifetime b2bDeleteGrace b2bGuestAccess b2bAllowInvitesFrom b2bInviter
b2bAllowedDomain b2bBlockedDomain b2bInactivity
"""
SERVERS_OWN = """
b2bUserState b2bUserStateChanged b2bDisabledReason b2bDisabledAt b2bDeleteAfter b2bInvitedBy
b2bReviewedBy b2bReviewedAt b2bReviewHistory b2bTermsAccepted b2bLastSignIn b2bNextDue
b2bTotpSecret b2bTotpLastStep b2bTotpFailures b2bTotpLockedUntil b2bMassHalted b2bInvitedAt
b2bInvitationSent b2bReviewAsked b2bReviewReminded b2bEnabledAt b2bPasscodeHash b2bPasscodeUntil
b2bPasscodeTries b2bTicket b2bRequestBy b2bRequestDecidedBy b2bRequestGuest b2bReviewInstance
b2bReviewOpened b2bReviewStage b2bReviewCloses b2bReviewGuest b2bReviewItemState
b2bReviewItemError b2bReviewRecommendation
"""


@pytest.fixture(scope="module")
def server(make_server):
    """A tenant where members may write everything, but manage nothing."""
    access = ("access to attrs=userPassword by anonymous auth by users write\n"
              "access to * by users write by * read\n")
    return make_server(b.tenant_server, access=access)


@pytest.fixture
def stopped():
    """stopped(**options): a tenant that does not run yet."""
    made = []

    def make(**options):
        made.append(b.tenant_server(start=False, **options))
        return made[-1]

    yield make
    for each in made:
        try:
            each.stop()
        finally:
            each.remove()


# --- schema ---

def test_schema__comes_with_the_module(server):
    """The subschema has every attribute type and class of schema/b2b.schema, each with its OID,
    and all names that the design's section 4 gives are among them."""
    subschema = server.entry("cn=Subschema", ("objectClasses", "attributeTypes"), server.conn())
    published = {re.search(r"NAME '(\w+)'", value).group(1): value
                 for values in subschema.values() for value in values
                 if "NAME 'b2b" in value}
    assert len(DEFINITIONS) > 80 and set(published) == set(DEFINITIONS)
    root = "2.25.197761738801757102242170991844305268053"
    assert SERVER_ONLY == sorted(SERVERS_OWN.split())
    for name, text in DEFINITIONS.items():
        kind, number = re.search(r"\( B2B(Attr|Class):(\d+) ", text).groups()
        assert published[name].startswith(
            f"( {root}.{dict(Attr=1, Class=2)[kind]}.{number} NAME"), name
        assert ("NO-USER-MODIFICATION" in published[name]) == (name in SERVER_ONLY), name
    halves = {f"b2b{kind}{way}{half}{what}" for kind in ("Collab", "Direct")
              for way in ("In", "Out") for half in ("Users", "Apps")
              for what in ("Access", "Target")}
    assert halves < set(published)
    assert set(SECTION_4.split()) < set(published)


def test_schema__ldif_is_fresh():
    """schema/b2b.ldif is what schema/b2b.schema makes today."""
    made = subprocess.run([b.TOP / "scripts" / "schema-gen", "ldif",
                           b.TOP / "schema" / "b2b.schema"], check=True, capture_output=True)
    assert made.stdout == (b.TOP / "schema" / "b2b.ldif").read_bytes()


def test_schema__plain_server_holds_our_entries(stopped):
    """A slapd without the module, with schema/b2b.ldif alone, takes what slapcat gave of a tenant
    with a guest, a partner and an application, and gives it back."""
    source = stopped(data=b.partner_ldif("home", "ldaps://home.example") + b.app_ldif("wiki")
                     + b.guest_ldif("gina", lines="b2bUserState: Accepted"))
    text = source.tool("slapcat").stdout
    plain = stopped(module=False, load=False)
    plain.load(text)
    assert plain.tool("slapcat").stdout == text
    plain.start()
    assert plain.entry(b.guest_dn("gina"))["b2bUserState"] == ["Accepted"]


# --- what the server alone writes ---

def value_for(name):
    text = DEFINITIONS[name]
    if "1466.115.121.1.24" in text:
        return b"20300101000000Z"
    if "1466.115.121.1.12" in text:
        return b.member_dn("max").encode()
    if "1466.115.121.1.27" in text:
        return b"7"
    return b"PendingAcceptance" if name == "b2bUserState" else b"expired"


@pytest.mark.parametrize("name", SERVER_ONLY)
def test_server_only__modify(server, name):
    """Of each attribute that the server alone writes: a plain modification by the rootdn answers
    constraintViolation; with the relax control the rootdn may; a member who may write the entry
    but not manage it may not, control or not."""
    dn = b.guest_dn("rita")
    if not server.entry(dn):
        server.load(b.guest_ldif("rita"))
        server.root().modify_s(dn, [(ldap.MOD_REPLACE, "b2bAccountEnabled", [b"FALSE"])])
    change = [(ldap.MOD_REPLACE, name, [value_for(name)])]
    before = server.entry(dn).get(name)
    with pytest.raises(ldap.CONSTRAINT_VIOLATION):
        server.root().modify_s(dn, change)
    member = server.conn(b.member_dn("mia"), "mia-pw")
    member.modify_s(dn, [(ldap.MOD_REPLACE, "description", [b"written by a member"])])
    relax = [RelaxRulesControl()]
    for controls, refusals in ((None, (ldap.CONSTRAINT_VIOLATION,)),
                               (relax, (ldap.INSUFFICIENT_ACCESS, ldap.CONSTRAINT_VIOLATION))):
        with pytest.raises(refusals):
            member.modify_ext_s(dn, change, serverctrls=controls)
    assert server.entry(dn).get(name) == before
    server.root().modify_ext_s(dn, change, serverctrls=relax)
    # the overlay keeps the date right, and nobody reads the secrets
    if name not in ("b2bNextDue", "b2bTotpSecret", "b2bPasscodeHash"):
        assert server.entry(dn)[name] == [value_for(name).decode()]


@pytest.mark.parametrize("relaxed", [False, True])
def test_server_only__add_by_member(server, relaxed):
    """A member who may add guests cannot add one that was already accepted, with or without the
    relax control."""
    dn = b.guest_dn("eve")
    entry = [("objectClass", [b"inetOrgPerson", b"b2bGuest"]), ("uid", b"eve"), ("cn", b"e"),
             ("sn", b"e"), ("b2bHomeTenant", b"home")]
    member = server.conn(b.member_dn("mia"), "mia-pw")
    controls = [RelaxRulesControl()] if relaxed else None
    with pytest.raises((ldap.INSUFFICIENT_ACCESS, ldap.CONSTRAINT_VIOLATION)):
        member.add_ext_s(dn, entry + [("b2bUserState", b"Accepted")], serverctrls=controls)
    assert server.entry(dn) is None
    member.add_s(dn, entry)
    assert server.entry(dn)["b2bUserState"] == ["PendingAcceptance"]
    server.root().delete_s(dn)


def test_server_only__relax_does_not_keep_acceptance(server):
    """Set-up: an accepted guest.  Steps: a member who may write it makes it stand for another
    person, with the relax control.  Expected: whoever it is now has yet to accept; the rootdn alone
    may keep the acceptance."""
    dn = b.guest_dn("olaf")
    server.load(b.guest_ldif("olaf"))
    relax = [RelaxRulesControl()]
    root, member = server.root(), server.conn(b.member_dn("mia"), "mia-pw")
    root.modify_ext_s(dn, [(ldap.MOD_REPLACE, "b2bUserState", [b"Accepted"])], serverctrls=relax)
    for who, state in ((root, "Accepted"), (member, "PendingAcceptance")):
        subject = f"uid={state},{b.HOME_PEOPLE}".encode()
        who.modify_ext_s(dn, [(ldap.MOD_REPLACE, "b2bHomeSubject", [subject])], serverctrls=relax)
        assert server.entry(dn)["b2bUserState"] == [state]


# --- slapd's tools ---

@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("convert", [True, False])
def test_tools__work(stopped, gate, convert):
    """slapadd, slapcat, slapindex, slapmodify, slapacl, slapauth, slapdn, slapschema and slaptest
    work with the module loaded, from slapd.conf and from cn=config, and do not ask for a gate."""
    server = stopped(gate=gate, convert=convert)
    server.load(b.partner_ldif("home", "ldaps://home.example") + b.guest_ldif("gina")
                + b.guest_ldif("hugo", lines="b2bSponsor: cn=nobody"))
    text = server.tool("slapcat").stdout
    assert f"dn: {b.guest_dn('gina')}\n" in text and b.partner_dn("home") in text
    server.tool("slapindex", "-q")
    server.tool("slapindex", "-q", "b2bNextDue")
    server.tool("slapmodify", "-b", b.SUFFIX, input=f"dn: {b.guest_dn('gina')}\n"
                "changetype: modify\nreplace: b2bAccountEnabled\nb2bAccountEnabled: FALSE\n")
    entry = re.search(rf"dn: {b.guest_dn('gina')}\n.*?\n\n", server.tool("slapcat").stdout, re.S)
    assert "b2bAccountEnabled: FALSE\n" in entry.group(0)
    server.tool("slaptest", "-u")
    server.tool("slapschema")
    server.tool("slapdn", b.guest_dn("gina"))
    done = server.tool("slapacl", "-b", b.guest_dn("gina"), "-D", b.member_dn("mia"), "entry/read")
    assert "ALLOWED" in done.stderr
    if convert:
        assert "olcOverlay={0}b2b," in c.stored(server)


def test_tools__another_database(stopped):
    """What slapcat gave goes into an empty database by slapadd, entry by entry the same."""
    first = stopped(data=b.partner_ldif("home", "ldaps://home.example") + b.guest_ldif("gina"))
    text = first.tool("slapcat").stdout
    second = stopped(load=False)
    second.load(text)
    assert second.tool("slapcat").stdout == text


def test_tools__while_it_runs(server):
    """slapcat reads the database of a slapd that runs."""
    assert f"dn: {b.BASE}\n" in server.tool("slapcat").stdout


# --- what slapadd let in ---

BROKEN_PARTNERS = [
    ("b2bCollabInUsersAccess: perhaps", "b2bCollabInUsersAccess"),
    ("b2bIdp: telepathy", "b2bIdp"),
    ("b2bHomeUri: gopher://home.example", "b2bHomeUri"),
    ("b2bHomeCaFile: relative.pem", "b2bHomeCaFile"),
    ("b2bHomeBindDn: uid=%{uid", "b2bHomeBindDn"),
    ("b2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: allowed", "b2bCollabIn"),
    ("b2bCollabInUsersTarget: AllUsers", "b2bCollabInUsers"),
]


def denied(server, name, reason):
    """The guest is denied without a word, home is not asked, and the log says why."""
    mark = server.log_mark()
    assert c.code_of(server.conn, b.guest_dn(name), "x") == (49, "")
    server.wait_log(rf'guest="{b.guest_dn(name)}" .*verdict=deny reason={reason}', since=mark)


@pytest.mark.parametrize("lines, attr", BROKEN_PARTNERS, ids=[x[0] for x in BROKEN_PARTNERS])
def test_broken__partner(stopped, fake_home, lines, attr):
    """Set-up: by slapadd, a partner entry that does not parse, beside a sound one.  Expected: slapd
    starts and logs entry and attribute; guests of the broken partner are denied (never judged by
    the default policy), those of the other are let in; once mended, the partner counts."""
    home = fake_home()
    server = stopped(data=b.partner_ldif("broken", home.uri, lines)
                     + b.partner_ldif("sound", home.uri)
                     + b.guest_ldif("gina", tenant="broken") + b.guest_ldif("hugo", tenant="sound"))
    server.start()
    server.wait_log(rf'policy entry "{b.partner_dn("broken")}": .*{attr}')
    denied(server, "gina", "policy-invalid")
    assert home.binds == []
    assert server.conn(b.guest_dn("hugo"), "x")
    server.load(b.guest_ldif("ida", tenant="sound"))  # the server still takes lawful writes
    root = server.root()
    root.delete_s(b.partner_dn("broken"))
    denied(server, "gina", "partner-unknown")
    server.load(b.partner_ldif("broken", home.uri))
    assert server.conn(b.guest_dn("gina"), "x")


@pytest.mark.parametrize("lines, attr", [
    ("b2bGuestAccess: everything", "b2bGuestAccess"),
    ("b2bAllowedDomain: a.example\nb2bBlockedDomain: b.example", "b2bBlockedDomain"),
    ("b2bGuestLifetime: -1", "b2bGuestLifetime"),
])
def test_broken__tenant(stopped, fake_home, lines, attr):
    """A tenant entry that does not parse denies every guest; members are served."""
    home = fake_home()
    entry = b.policy_ldif(tenant=lines)
    server = stopped(load=False, data=b.tree_ldif(b.SUFFIX, ("people", "guests"))
                     + b.people_ldif(("mia",), b.PEOPLE) + entry
                     + b.partner_ldif("home", home.uri) + b.guest_ldif("gina"))
    server.start()
    server.wait_log(rf'policy entry "{b.BASE}": .*{attr}')
    denied(server, "gina", "policy-invalid")
    assert home.binds == []
    assert server.conn(b.member_dn("mia"), "mia-pw")
    server.root().modify_s(b.BASE, [(ldap.MOD_DELETE, line.split(":")[0], None)
                                    for line in lines.split("\n")])
    assert server.conn(b.guest_dn("gina"), "x")


def test_broken__default(stopped, fake_home):
    """A default policy that does not parse denies whoever it would have governed."""
    home = fake_home()
    server = stopped(load=False, data=b.tree_ldif(b.SUFFIX, ("people", "guests"))
                     + b.policy_ldif(default="b2bCollabInAppsAccess: sometimes")
                     + b.partner_ldif("home", home.uri) + b.guest_ldif("gina"))
    server.start()
    server.wait_log(rf'policy entry "cn=default,{b.BASE}": .*b2bCollabInAppsAccess')
    denied(server, "gina", "policy-invalid")
    assert home.binds == []


def test_broken__no_tenant_entry(stopped, fake_home):
    """Without any policy every guest is denied, and slapd says so at the start."""
    server = stopped(load=False, data=b.tree_ldif(b.SUFFIX, ("people", "guests"))
                     + b.people_ldif(("mia",), b.PEOPLE) + b.guest_ldif("gina"))
    server.start()
    server.wait_log(rf'no tenant entry "{b.BASE}": every guest is denied')
    assert c.code_of(server.conn, b.guest_dn("gina"), "x") == (49, "")
    assert server.conn(b.member_dn("mia"), "mia-pw")


@pytest.mark.parametrize("lines", ["b2bValidUntil: 20200101000000Z", "b2bIdentityProvider: charm",
                                   "b2bUserType: Robot"])
def test_broken__guest(stopped, fake_home, lines):
    """A guest's entry that is over, or does not parse, is off, though slapadd took it."""
    home = fake_home()
    server = stopped(data=b.partner_ldif("home", home.uri) + b.guest_ldif("gina").replace(
        "b2bUserType: Guest\n", "" if "UserType" in lines else "b2bUserType: Guest\n").rstrip("\n")
        + f"\n{lines}\n\n")
    server.start()
    denied(server, "gina", "(expired|policy-invalid|disabled)")
    assert home.binds == []
