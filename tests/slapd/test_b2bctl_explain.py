"""b2bctl explain against a real slapd: what each rule says, and the verdict, which is the one that
the server itself comes to."""

import base64
import json
import ldap
import pytest
import re
import time

from lib import builders
from lib.builders import (BASE, SUFFIX, app_ldif, guest_dn, guest_ldif, partner_dn, partner_ldif)
from lib.ctl import Ctl, cleaned
from lib.records import ahead, delete, replace
from lib.tokens import Key, Signer

HOME, ACCESS = partner_dn("home"), f"cn=conditional-access,{BASE}"
LABELS = ("{0}Public", "{1}General", "{2}Confidential")


@pytest.fixture(scope="module")
def served(make_server):
    return Ctl(make_server(builders.tenant_server))


@pytest.fixture
def ctl(served):
    """A partner of tokens and passwords, its guest alice, an application; no conditional access."""
    served.server.load(
        partner_ldif("home", "ldaps://home.example").replace("b2bIdp: ldap", "b2bIdp: {1}ldap")
        .strip("\n") + "\n" + SIGNER.partner_lines().replace("b2bIdp: oidc", "b2bIdp: {0}oidc")
        + "\n" + guest_ldif("alice", subject="alice-at-home")
        + app_ldif("wiki", "b2bAppAudience: wiki-app\nb2bAppPeer: 10.1.0.0/16")
        + f"dn: {ACCESS}\nobjectClass: b2bContainer\ncn: conditional-access\n\n")
    yield served
    cleaned(served)


SIGNER = Signer("https://idp.home.example", "b2b", Key("P-256", "ec"))


def policy_ldif(name, lines):
    return (f"dn: cn={name},{ACCESS}\nobjectClass: b2bAccessPolicy\ncn: {name}\n"
            + lines.strip("\n") + "\n\n")


def line(step):
    words = f"{'passed' if step['passed'] else 'DENIES'}: {step['detail']}"
    return words + (f" ({step['dn']})" if "dn" in step else "")


def explain(ctl, *args, guest="alice", claims=None, **options):
    """What is said, as {rule: ["passed: <why> (<entry>)"]}, with guest, application and verdict."""
    if claims is not None:
        args += ("--claims", "-")
        options["input"] = json.dumps(claims)
    answer = json.loads(ctl.run("explain", "--guest", guest, "--format", "json", *args,
                                **options).stdout)
    said = {"guest": [answer["guest"]], "application": [answer["application"]]}
    for step in answer["steps"]:
        said.setdefault(step["rule"], []).append(line(step))
    text = answer["verdict"]
    if text == "deny":
        text += f": {answer['reason']}"
    text += f", by {answer['rule']}" if "rule" in answer else ""
    text += f", until {answer['until']}" if "until" in answer else ""
    said["verdict"] = [text]
    return said


def test_explain__a_guest_that_is_in_order(ctl):
    """By DN, uid and mail: every rule has its line."""
    for name in (guest_dn("alice"), "alice", "alice@home.example"):
        said = explain(ctl, guest=name)
        assert said["guest"] == [guest_dn("alice")]
        assert said["sign-in"] == ["passed: without claims: just now, with one factor"]
        assert said["application"] == ["directory"]
        assert said["connection"] == [f"passed: protected ({BASE})"]
        assert said["policy"] == [f"passed: the policy can be read ({BASE})"]
        assert said["guest record"][0].startswith("passed: in order, until ")
        assert "; the invitation is not redeemed" in said["guest record"][0]
        assert said["partner"] == [f"passed: known ({HOME})"]
        assert said["cross-tenant settings"] == [f"passed: permitted (cn=default,{BASE})"]
        assert said["assignment"] == ["passed: not required"]
        assert "conditional access" not in said
        assert said["verdict"][0].startswith(f"allow, by cn=default,{BASE}, until ")


def test_explain__the_table(ctl):
    """For people: a row for each rule, the entry that spoke by its own name, the verdict last."""
    ctl.server.load(policy_ldif("mfa", "b2bCaState: enabled\nb2bCaGrant: mfa"))
    lines = ctl.run("explain", "--guest", "alice").stdout.splitlines()
    assert lines[:2] == [f"guest: {guest_dn('alice')}", "application: directory"]
    assert lines[2].split() == ["RULE", "PASSED", "ENTRY", "WHY"]
    rows = [re.split("  +", row) for row in lines[3:-1]]
    assert ["guest record", "yes", "alice"] in [row[:3] for row in rows]
    assert ["conditional access", "NO", "mfa", "applies, as it is about everybody: denies: "
            "mfa-required (missing: mfa)"] in rows
    assert lines[-1] == f"verdict: deny: mfa-required, by cn=mfa,{ACCESS}"


def test_explain__an_entry(ctl):
    """Whether the guest sees it; of its own, what is hidden from it."""
    text = ctl.run("explain", "--guest", "alice", "--entry", guest_dn("alice")).stdout
    assert f"entry: {guest_dn('alice')}: visible\nentry: by: own entry\n" in text
    text = ctl.run("explain", "--guest", "alice", "--entry", builders.PEOPLE).stdout
    assert f"entry: {builders.PEOPLE}: HIDDEN\n" in text
    assert "is no DN" in ctl.run("explain", "--guest", "alice", "--entry", "x", code=1).stderr


def test_explain__a_server_that_does_not_know_it():
    """One without the module: an error that says so."""
    with builders.home_server(start=False) as home:
        done = Ctl(home).bare("-H", home.ldapi, "explain", "--guest", "uid=alice,ou=people")
    assert done.returncode == 1 and "the server does not explain" in done.stderr


def test_explain__the_record(ctl):
    """Each thing that may be wrong with it; what the settings say is told all the same."""
    for change, words in ((replace("b2bAccountEnabled", "FALSE"), "disabled"),
                          (replace("b2bValidUntil", ahead(-60)), "expired"),
                          (replace("b2bValidFrom", ahead(3600)), "not-yet-valid"),
                          (replace("b2bReviewDue", ahead(-60)), "review-lapsed")):
        ctl.server.load(guest_ldif("bob", subject="bob-at-home"))
        ctl.root.modify_s(guest_dn("bob"), [change])
        said = explain(ctl, guest="bob")
        assert said["guest record"] == [f"DENIES: {words} ({guest_dn('bob')})"]
        assert said["cross-tenant settings"][0].startswith("passed")
        assert said["verdict"] == [f"deny: {words}, by {guest_dn('bob')}"]
        ctl.root.delete_s(guest_dn("bob"))
    ctl.root.modify_s(HOME, [replace("b2bAutoRedeemIn", "FALSE")])
    assert explain(ctl)["verdict"] == [f"deny: not-redeemed, by {guest_dn('alice')}"]


def test_explain__cross_tenant_settings(ctl):
    """The partner's own, one half alone, a partner that is unknown."""
    ctl.root.modify_s(HOME, [replace("b2bCollabInAppsAccess", "blocked"),
                             replace("b2bCollabInAppsTarget", "wiki"),
                             replace("b2bCollabInUsersAccess", "blocked")])
    said = explain(ctl, "--app", "WIKI")
    assert said["application"] == ["wiki"]
    assert said["cross-tenant settings"] == [f"DENIES: inbound-apps ({HOME})"]
    assert said["verdict"] == [f"deny: inbound-apps, by {HOME}"]
    assert explain(ctl)["cross-tenant settings"] == [f"passed: permitted ({HOME})"]
    ctl.root.modify_s(HOME, [replace("b2bCollabInUsersAccess"), replace("b2bCollabInAppsTarget"),
                             replace("b2bCollabInAppsAccess", "allowed")])
    said = explain(ctl, "--app", "wiki")
    assert said["cross-tenant settings"] == [
        f"passed: permitted; one half alone is set in {HOME}: the default must permit as "
        f"well ({HOME})"]
    ctl.server.load(guest_ldif("bob", tenant="nobody"))
    said = explain(ctl, guest="bob")
    assert said["partner"] == ["DENIES: there is no partner nobody"]
    assert said["verdict"] == ["deny: partner-unknown"]
    assert "there is no such application" in ctl.run("explain", "--guest", "alice", "--app",
                                                     "none", code=1).stderr


def test_explain__assignment(ctl):
    """To the guest itself, whatever way its DN is written; to a group with it; to others."""
    wiki = f"cn=wiki,cn=applications,{BASE}"
    ctl.root.modify_s(wiki, [replace("b2bAppAssignmentRequired", "TRUE")])
    said = explain(ctl, "--app", "wiki")
    assert said["assignment"] == [f"DENIES: not-assigned ({wiki})"]
    assert said["verdict"] == [f"deny: not-assigned, by {wiki}"]
    for dn in (guest_dn("alice"), guest_dn("alice").upper().replace(",", " , ")):
        ctl.root.modify_s(wiki, [replace("b2bAppAssignee", dn, guest_dn("zoe"))])
        said = explain(ctl, "--app", "wiki")
        assert said["assignment"] == [f"passed: the guest itself ({wiki})"]
        assert said["verdict"][0].startswith("allow")
    group = f"cn=team,{builders.GUESTS}"
    ctl.root.modify_s(wiki, [replace("b2bAppAssignee", f"cn=none,{builders.GUESTS}", group)])
    assert explain(ctl, "--app", "wiki")["assignment"] == [f"DENIES: not-assigned ({wiki})"]
    ctl.server.load(f"dn: {group}\nobjectClass: groupOfNames\ncn: team\n"
                    f"member: {guest_dn('alice').upper()}\n\n")
    said = explain(ctl, "--app", "wiki")
    assert said["assignment"] == [f"passed: by the group {group} ({wiki})"]
    ctl.server.load(f"dn: cn=all,{builders.GUESTS}\nobjectClass: groupOfNames\ncn: all\n"
                    f"member: {group}\n\n")
    ctl.root.modify_s(wiki, [replace("b2bAppAssignee", f"cn=all,{builders.GUESTS}")])
    said = explain(ctl, "--app", "wiki")
    assert said["assignment"] == [f"passed: by the group cn=all,{builders.GUESTS} ({wiki})"]
    assert said["verdict"][0].startswith("allow")


def test_explain__the_application_by_the_address(ctl):
    assert explain(ctl, "--peer", "10.1.2.3")["application"] == ["wiki"]
    assert explain(ctl, "--peer", "2001:db8::1")["application"] == ["directory"]
    assert explain(ctl, "--peer", "10.1.2.3", "--app", "directory")["application"] == ["directory"]


def policies(said):
    """{cn: rest} of the lines about conditional access."""
    lines = {}
    for line in said.get("conditional access", []):
        words, dn = line.removesuffix(")").rsplit(" (", 1)
        lines[dn.split(",")[0].removeprefix("cn=")] = words
    return lines


def test_explain__conditional_access(ctl):
    """Each policy with whether it applies, why, what it lacks; those that only report, or are
    disabled, decide nothing."""
    ctl.server.load(
        policy_ldif("a-mfa", "b2bCaState: enabled\nb2bCaIncludeApp: wiki\nb2bCaGrant: mfa\n"
                    "b2bCaExcludeNetwork: 192.0.2.0/24")
        + policy_ldif("b-report", "b2bCaState: reportOnly\nb2bCaGrant: compliantDevice\n"
                      "b2bCaGrant: hybridJoinedDevice\nb2bCaGrantOperator: OR")
        + policy_ldif("c-off", "b2bCaState: disabled\nb2bCaGrant: block")
        + policy_ldif("d-others", f"b2bCaState: enabled\nb2bCaGrant: block\n"
                      f"b2bCaExcludeGuest: {guest_dn('ALICE')}")
        + policy_ldif("e-day", "b2bCaState: enabled\nb2bCaSignInFrequency: 86400")
        + policy_ldif("f-weak", "b2bCaState: enabled\nb2bCaGrant: tls\nb2bCaBelowSsf: 128"))
    said = explain(ctl, "--app", "wiki")
    lines = policies(said)
    assert lines["a-mfa"] == ("DENIES: applies, as it is about this application, it is about this "
                              "network: denies: mfa-required (missing: mfa)")
    assert lines["b-report"] == ("passed: would apply, as it is about everybody: reportOnly: "
                                 "denies: device-required (missing one of: compliantDevice, "
                                 "hybridJoinedDevice)")
    assert lines["c-off"] == "passed: disabled"
    assert lines["d-others"] == "passed: does not apply: it is not about this guest"
    assert lines["e-day"].startswith("passed: applies, as it is about everybody: satisfied, until ")
    assert lines["f-weak"] == "passed: does not apply: the connection is strong enough"
    assert said["verdict"] == [f"deny: mfa-required, by cn=a-mfa,{ACCESS}"]
    assert said["cross-tenant settings"][0].startswith("passed")
    said = explain(ctl, "--app", "wiki", "--peer", "192.0.2.7", "--ssf", "0")
    lines = policies(said)
    assert said["connection"] == [f"passed: not protected ({BASE})"]
    assert lines["a-mfa"] == "passed: does not apply: it is not about this network"
    assert lines["f-weak"] == ("DENIES: applies, as the connection is too weak: denies: "
                               "tls-required (missing: tls)")
    assert said["verdict"] == [f"deny: tls-required, by cn=f-weak,{ACCESS}"]
    said = explain(ctl, "--ssf", "128")
    assert policies(said)["a-mfa"] == "passed: does not apply: it is not about this application"
    assert said["verdict"][0].startswith("allow")


def test_explain__an_included_guest(ctl):
    """The server's comparison of DNs counts, not the spelling."""
    ctl.server.load(policy_ldif("one", "b2bCaState: enabled\nb2bCaGrant: block\nb2bCaIncludeGuest: "
                                + guest_dn("alice").replace(",", " ,  ").upper()))
    said = explain(ctl)
    assert policies(said)["one"] == "DENIES: applies, as it is about this guest: denies: blocked"
    assert said["verdict"] == [f"deny: blocked, by cn=one,{ACCESS}"]


def test_explain__labels(ctl):
    """What the guest sees at most, after clearance, application and policies."""
    ctl.root.modify_s(BASE, [replace("b2bLabelOrder", *LABELS), replace("b2bDefaultLabel",
                                                                        "Public")])
    try:
        assert explain(ctl)["label"] == [f"passed: sees labels up to Public ({BASE})"]
        ctl.root.modify_s(guest_dn("alice"), [replace("b2bClearance", "Confidential")])
        assert explain(ctl)["label"] == [f"passed: sees labels up to Confidential ({BASE})"]
        ctl.server.load(policy_ldif("cap", "b2bCaState: enabled\nb2bCaMaxLabel: General\n"
                                    "b2bCaBelowSsf: 128"))
        assert explain(ctl)["label"] == [f"passed: sees labels up to Confidential ({BASE})"]
        said = explain(ctl, "--ssf", "56")
        assert said["label"] == [f"passed: sees labels up to General ({BASE})"]
        assert policies(said)["cap"].endswith("satisfied; labels up to General")
    finally:
        ctl.root.modify_s(BASE, [delete("b2bLabelOrder"), delete("b2bDefaultLabel")])


def test_explain__claims(ctl):
    """What a token would say: proofs that count where they are trusted, groups, the application of
    its audience."""
    ctl.server.load(policy_ldif("mfa", "b2bCaState: enabled\nb2bCaGrant: mfa"))
    claims = SIGNER.claims("alice-at-home", amr=["pwd", "mfa"], groups=["g1"], aud="wiki-app")
    said = explain(ctl, claims=claims)
    assert said["application"] == ["wiki"]
    assert said["claims"][0].startswith("passed: signed in at home: ")
    assert "; several factors, which is not trusted of this partner; 1 home group" in \
        said["claims"][0]
    assert said["verdict"] == [f"deny: mfa-required, by cn=mfa,{ACCESS}"]
    ctl.root.modify_s(HOME, [replace("b2bTrustMfa", "TRUE")])
    said = explain(ctl, claims=claims)
    assert "; several factors, which is trusted;" in said["claims"][0]
    assert policies(said)["mfa"] == ("passed: applies, as it is about everybody: satisfied "
                                     "(asks for: mfa)")
    assert said["verdict"][0].startswith("allow")
    ctl.root.modify_s(HOME, [replace("b2bCollabInUsersAccess", "allowed"),
                             replace("b2bCollabInUsersTarget", "g2"), replace("b2bGroupTarget",
                                                                              "g2"),
                             replace("b2bCollabInAppsAccess", "allowed")])
    assert explain(ctl, claims=claims)["verdict"] == [f"deny: inbound-users, by {HOME}"]
    claims["groups"] = ["g2"]
    assert explain(ctl, claims=claims)["verdict"][0].startswith("allow")


def test_explain__claims_that_would_be_refused(ctl):
    """Another's, expired ones, those of another issuer or for others; a partner without tokens."""
    now = int(time.time())
    for changes in ({"sub": "bob"}, {"exp": now - 900, "iat": now - 1000}, {"aud": "other"},
                    {"exp": None}, {"sub": None}):
        said = explain(ctl, claims=SIGNER.claims("alice-at-home", **changes))
        assert said["verdict"][0].startswith("deny: proof, by ")
        assert said["claims"][0].startswith("DENIES: ")
    assert "one JSON object" in ctl.run("explain", "--guest", "alice", "--claims", "-", code=1,
                                        input="[1]").stderr
    ctl.root.modify_s(HOME, [replace("b2bIdp", "ldap")])
    said = explain(ctl, claims=SIGNER.claims("alice-at-home"))
    assert said["claims"][0].startswith("DENIES: oidc is not among the proofs")


def test_explain__claims_in_part(ctl):
    """Without any of what tells one token from another, the rest is as in a token of this guest."""
    ctl.server.load(policy_ldif("mfa", "b2bCaState: enabled\nb2bCaGrant: mfa"))
    ctl.root.modify_s(HOME, [replace("b2bTrustMfa", "TRUE")])
    ctl.server.load(guest_ldif("bob", subject=""))
    for name in ("alice", "bob"):
        assert explain(ctl, guest=name, claims={"amr": ["mfa"]})["verdict"][0].startswith("allow")
        assert explain(ctl, guest=name, claims={"amr": ["pwd"]})["verdict"] == [
            f"deny: mfa-required, by cn=mfa,{ACCESS}"]
    for part in ({"amr": ["mfa"], "sub": "eve"}, {"amr": ["mfa"], "aud": "b2b"},
                 {"amr": ["mfa"], "iss": "https://idp.home.example"}, {"auth_time": "now"}):
        assert explain(ctl, claims=part)["verdict"][0].startswith("deny: proof"), part


def test_explain__an_invitation_by_address(ctl):
    """A guest without a subject: whose verified address it is may come."""
    ctl.server.load(guest_ldif("bob", subject=""))
    right = SIGNER.claims("bob-at-home", email="BOB@home.example", email_verified=True)
    assert explain(ctl, guest="bob", claims=right)["verdict"][0].startswith("allow")
    for changes in ({"email_verified": False}, {"email": "eve@home.example"}, {"email": None}):
        claims = {k: v for k, v in {**right, **changes}.items() if v is not None}
        said = explain(ctl, guest="bob", claims=claims)
        assert said["verdict"] == [f"deny: proof, by {guest_dn('bob')}"]
        assert said["claims"][0].startswith("DENIES: this would be another's proof")


def test_explain__says_what_the_server_does(ctl):
    """Tokens of every kind, bound for real and explained: the same verdict."""
    ctl.server.load(
        policy_ldif("mfa", "b2bCaState: enabled\nb2bCaGrant: mfa\nb2bCaIncludeApp: wiki")
        + policy_ldif("hour", "b2bCaState: enabled\nb2bCaSignInFrequency: 3600\n"
                      "b2bCaExcludeApp: wiki"))
    ctl.root.modify_s(HOME, [replace("b2bTrustMfa", "TRUE")])
    now, seen = int(time.time()), set()
    for changes in ({}, {"auth_time": now - 7200}, {"aud": "wiki-app"}, {"sub": "bob"},
                    {"aud": "wiki-app", "amr": ["mfa"]}, {"aud": "elsewhere"},
                    {"iat": now - 900, "exp": now - 700}):
        claims = SIGNER.claims("alice-at-home", **changes)
        verdict = explain(ctl, claims=claims)["verdict"][0]
        try:
            ctl.server.conn(guest_dn("alice"), SIGNER.token("alice-at-home", **changes))
            server = "allow"
        except ldap.INVALID_CREDENTIALS:
            server = "deny: proof"
        except (ldap.UNWILLING_TO_PERFORM, ldap.STRONG_AUTH_REQUIRED) as error:
            server = "deny: " + error.args[0]["info"].removeprefix("b2b: ")
        assert verdict.startswith(server), changes
        seen.add(server)
    assert seen == {"allow", "deny: proof", "deny: mfa-required", "deny: sign-in-too-old"}


def test_explain__tls_that_the_tenant_demands(ctl):
    ctl.root.modify_s(BASE, [replace("b2bRequireTls", "TRUE")])
    try:
        said = explain(ctl, "--ssf", "1")
        assert said["connection"] == [
            f"DENIES: the tenant demands TLS of its guests (b2bRequireTls) ({BASE})"]
        assert said["verdict"] == [f"deny: tls-required, by {BASE}"]
        assert explain(ctl, "--ssf", "2")["verdict"][0].startswith("allow")
    finally:
        ctl.root.modify_s(BASE, [replace("b2bRequireTls", "FALSE")])


def test_explain__hostile_names(ctl):
    """Nothing that the directory or the claims hold steers the terminal."""
    trap = "x\u001b[31m\u202e"
    hostile = base64.b64encode(trap.encode()).decode()
    ctl.server.load(guest_ldif("eve", subject="").strip() + f"\nb2bHomeSubject:: {hostile}\n\n")
    done = ctl.run("explain", "--guest", "eve")
    assert "\u001b" not in done.stdout + done.stderr and "\u202e" not in done.stdout
    claims = json.dumps(SIGNER.claims("alice-at-home", groups=[trap]))
    done = ctl.run("explain", "--guest", "alice", "--claims", "-", input=claims)
    assert "\u001b" not in done.stdout + done.stderr and "\u202e" not in done.stdout


def test_explain__usage(ctl):
    for args in ([], ["--guest", ""], ["--guest", "a", "b"], ["--guest", "a", "--ssf", "x"],
                 ["--guest", "a", "--ssf", "-1"], ["--guest", "a", "--ssf", "99999999999999999999"],
                 ["--guest", "a", "--peer", "10.0.0.0/8"], ["--guest", "a", "--partner", "x"],
                 ["--guest", "a", "--format", "csv"], ["--guest", "a", "--format", "x"]):
        assert ctl.bare("explain", *args).returncode == 2, args
    for nobody in ("*", "zoe", builders.member_dn("mia"), SUFFIX):
        assert "there is no guest" in ctl.run("explain", "--guest", nobody, code=1).stderr
