"""The extended operation .3.5: what it says of a guest is what a real operation of that guest
meets, rule by rule; administrators alone may ask; asking leaves no trace."""

import json
import ldap
import pytest
import time

from lib import builders, life
from lib.builders import (BASE, GUESTS, app_ldif, guest_dn, guest_ldif, member_dn, partner_dn,
                          partner_ldif, service_dn, service_ldif)
from lib.ctl import Ctl, cleaned
from lib.eyes import answer, code, proxy, seen
from lib.records import ahead, replace
from lib.tokens import Key, Signer

EXPLAIN = f"{life.ROOT}.5"
HOME, ACCESS = partner_dn("home"), f"cn=conditional-access,{BASE}"
WIKI = f"cn=wiki,cn=applications,{BASE}"
SIGNER = Signer("https://idp.home.example", "b2b", Key("P-256", "ec"))
# mia administers; neither a guest nor a program does, though slapd would let them write
PROJECTS = f"ou=projects,{builders.SUFFIX}"
RIGHTS = (f'access to dn.exact="cn=closed,{PROJECTS}" by * none\n'
          f'access to dn.subtree="{PROJECTS}" attrs=description by * none\n'
          f'access to dn.subtree="{BASE}" by dn.exact="{member_dn("mia")}" write '
          f'by dn.exact="{guest_dn("alice")}" write by dn.exact="{service_dn("wiki")}" write '
          "by * read\n" + builders.ACCESS)


@pytest.fixture(scope="module")
def served(make_server):
    server = make_server(builders.tenant_server, access=RIGHTS, global_conf="authz-policy to\n",
                         data=service_ldif("wiki"))
    server.modify(f"dn: {member_dn('mia')}\nchangetype: modify\nadd: authzTo\n"
                  f"authzTo: dn.onelevel:{GUESTS}\n\n")
    return Ctl(server)


@pytest.fixture
def ctl(served):
    """A partner of tokens, its guests alice (redeemed by a sign-in) and bob, an application."""
    served.server.load(
        partner_ldif("home").strip("\n") + "\n" + SIGNER.partner_lines() + "\n"
        + guest_ldif("alice", subject="alice-at-home") + guest_ldif("bob", subject="bob-at-home")
        + app_ldif("wiki", f"b2bAppAudience: wiki-app\nb2bAppServiceDN: {service_dn('wiki')}")
        + f"dn: {ACCESS}\nobjectClass: b2bContainer\ncn: conditional-access\n\n")
    sign_in(served)
    yield served
    cleaned(served)


def sign_in(ctl, name="alice", **claims):
    """By TCP: from 127.0.0.1, without TLS."""
    return ctl.server.conn(guest_dn(name), SIGNER.token(f"{name}-at-home", **claims),
                           uri=ctl.server.uri)


def explain(connection, name="alice", **members):
    return life.request(connection, EXPLAIN, {"guest": guest_dn(name), **members})


def refused(connection, name="alice", **members):
    """(code, text)"""
    return life.refusal(connection, EXPLAIN, {"guest": guest_dn(name), **members})


def policy(name, lines):
    return (f"dn: cn={name},{ACCESS}\nobjectClass: b2bAccessPolicy\ncn: {name}\n"
            "b2bCaState: enabled\n" + lines + "\n\n")


def agreed(ctl, meet, name="alice", **claims):
    """What a guest's operation meets, and what is explained of the same circumstances: the same
    reason, and the rule that the server logged with it.  Gives the answer."""
    mark = ctl.server.log_mark()
    result, _, text, _, _ = answer(meet)
    said = explain(ctl.root, name, peer="127.0.0.1", ssf=0,
                   claims=SIGNER.claims(f"{name}-at-home", **claims))
    failed = [step for step in said["steps"] if not step["passed"]]
    if result == 0:
        assert said["verdict"] == "allow" and said["reason"] == "none" and not failed, said
        return said
    assert result == (8 if said["reason"] == "mfa-required" else 53)
    assert said["verdict"] == "deny" and text == f"b2b: {said['reason']}", (text, said)
    assert failed[0]["reason"] == said["reason"] and failed[0].get("dn") == said.get("rule")
    if "rule" in said:
        ctl.server.wait_log(f'reason={said["reason"]} rule="{said["rule"]}"', since=mark)
    return said


ALICE = guest_dn("alice")
SETTINGS = {  # reason: what is changed at whom
    "inbound-users": (HOME, [replace("b2bCollabInUsersAccess", "blocked"),
                             replace("b2bCollabInUsersTarget", "alice-at-home"),
                             replace("b2bCollabInAppsAccess", "allowed")]),
    "inbound-apps": (HOME, [replace("b2bCollabInUsersAccess", "allowed"),
                            replace("b2bCollabInAppsAccess", "blocked"),
                            replace("b2bCollabInAppsTarget", "wiki")]),
    "disabled": (ALICE, [replace("b2bAccountEnabled", "FALSE")]),
    "expired": (ALICE, [replace("b2bValidUntil", ahead(-60))]),
    "not-yet-valid": (ALICE, [replace("b2bValidFrom", ahead(3600))]),
    "review-lapsed": (ALICE, [replace("b2bReviewDue", ahead(-60))]),
    "not-assigned": (WIKI, [replace("b2bAppAssignmentRequired", "TRUE")]),
}
POLICIES = {  # reason: a conditional access policy
    "mfa-required": "b2bCaGrant: mfa",
    "device-required": "b2bCaGrant: compliantDevice",
    "terms-required": "b2bCaGrant: terms",
    "network": "b2bCaGrant: block\nb2bCaIncludeNetwork: 127.0.0.0/8",
    "sign-in-too-old": "b2bCaSignInFrequency: 600",
    "tls-required": "b2bCaGrant: tls",
    "blocked": "b2bCaGrant: block\nb2bCaIncludeApp: wiki",
}


@pytest.mark.parametrize("reason", [*SETTINGS, *POLICIES, "partner-unknown"])
def test_explain__says_what_an_operation_meets(ctl, reason):
    """Set-up: alice is signed in with a token for the application wiki, whose sign-in was a quarter
    of an hour ago. Steps: an operation of hers; one rule changes; the operation again. Expected:
    both times what was explained, with the rule and the reason."""
    claims = {"aud": "wiki-app", "auth_time": int(time.time()) - 900}
    alice = sign_in(ctl, **claims)

    def meet():
        return seen(alice, ALICE, 0)
    assert agreed(ctl, meet, **claims)["application"] == "wiki"
    if reason in SETTINGS:
        dn, changes = SETTINGS[reason]
        ctl.root.modify_s(dn, changes)
    elif reason in POLICIES:
        ctl.server.load(policy("p", POLICIES[reason]))
    else:
        ctl.root.delete_s(HOME)
    said = agreed(ctl, meet, **claims)
    assert said["reason"] == reason
    assert {step["rule"] for step in said["steps"]} >= {"connection", "policy", "guest record",
                                                        "partner", "assignment"}


def test_explain__not_redeemed(ctl):
    """A guest that has not redeemed, by a partner that does not redeem by itself."""
    ctl.root.modify_s(HOME, [replace("b2bAutoRedeemIn", "FALSE")])
    assert agreed(ctl, lambda: sign_in(ctl, "bob"), "bob")["reason"] == "not-redeemed"


def test_explain__a_guest_of_another_proof(ctl):
    """Pinned to its home's passwords, it signs in with no token, however right that is."""
    ctl.root.modify_s(ALICE, [replace("b2bIdentityProvider", "ldap")])
    assert code(sign_in, ctl) == 49
    said = explain(ctl.root, claims=SIGNER.claims("alice-at-home"))
    assert said["reason"] == "proof" and said["verdict"] == "deny"


def test_explain__the_circumstances_are_not_those_of_who_asks(ctl):
    """Asked from 127.0.0.1 in the clear: without an address the guest is in no excluded network and
    its connection is protected."""
    ctl.server.load(policy("p", "b2bCaGrant: block\nb2bCaExcludeNetwork: 127.0.0.0/8")
                    + policy("q", "b2bCaGrant: tls"))
    here = ctl.server.conn(builders.ROOTDN, builders.ROOTPW, uri=ctl.server.uri)
    assert explain(here)["rule"] == f"cn=p,{ACCESS}"
    assert explain(here, peer="127.0.0.1")["verdict"] == "allow"
    assert explain(here, peer="127.0.0.1", ssf=0)["rule"] == f"cn=q,{ACCESS}"


def test_explain__off_under_another_name(ctl):
    """The same person, disabled as alice, is invited again under another address."""
    ctl.server.load(guest_ldif("eve", subject="alice-at-home"))
    token = SIGNER.token("alice-at-home")
    ctl.root.modify_s(ALICE, [replace("b2bAccountEnabled", "FALSE")])
    result, _, text, _, _ = answer(ctl.server.conn, guest_dn("eve"), token)
    said = explain(ctl.root, "eve", claims=SIGNER.claims("alice-at-home"))
    assert (result, text) == (53, "b2b: disabled") and said["reason"] == "disabled"
    assert explain(ctl.root, "eve")["verdict"] == "allow"


def test_explain__an_invalid_policy(ctl):
    """Put there past the overlay: it denies everybody, and what is wrong with it is told."""
    ctl.server.stop()
    ctl.server.load(policy("odd", "b2bCaGrant: nonsense"))
    ctl.server.start()
    ctl.root = ctl.server.root()
    said = agreed(ctl, lambda: sign_in(ctl))
    assert said["reason"] == "policy-invalid" and said["rule"] == f"cn=odd,{ACCESS}"
    assert "nonsense" in [s for s in said["steps"] if not s["passed"]][0]["detail"]


def test_explain__administrators_alone(ctl):
    """Whom slapd lets write the tenant entry; not a guest or a program, whatever slapd says; for
    the others there is no difference between guests, members and nobody."""
    mia = ctl.server.conn(member_dn("mia"), "mia-pw")
    assert explain(mia)["verdict"] == "allow"
    others = {"max": ctl.server.conn(member_dn("max"), "max-pw"), "anonymous": ctl.server.open(),
              "guest": sign_in(ctl), "program": ctl.server.conn(service_dn("wiki"), "wiki-pw")}
    for who, connection in others.items():
        told = {refused(connection, name, **members)
                for name in ("alice", "zoe") for members in ({}, {"application": "none"})}
        told.add(life.refusal(connection, EXPLAIN, {"guest": member_dn("mia")}))
        assert len(told) == 1 and told.pop()[0] == 50, who
    assert life.refusal(mia, EXPLAIN, {"guest": ALICE}, [proxy(f"dn:{ALICE}")])[0] in (12, 50)


def test_explain__who_is_no_guest(ctl):
    """Told to administrators in words; another database's names are nobody's."""
    for dn in (guest_dn("zoe"), member_dn("mia"), BASE, "cn=x,dc=elsewhere,dc=example"):
        assert life.refusal(ctl.root, EXPLAIN, {"guest": dn}) == (
            32, "b2b: guest: there is no guest of this name"), dn
    assert refused(ctl.root, application="none") == (
        32, "b2b: application: there is no such application")


@pytest.mark.parametrize("members,result", [
    ({"guest": None}, 2), ({"guest": 1}, 2), ({"guest": [ALICE]}, 2), ({"guest": ""}, 2),
    ({"guest": "alice"}, 34), ({"guest": f"{ALICE})(objectClass=*"}, 32),
    ({"guest": f"uid=*,{GUESTS}"}, 32), ({"guest": f"uid=\\2a,{GUESTS}"}, 32),
    ({"guest": f"uid={'a' * 60000},{GUESTS}"}, 32), ({"guest": f"{ALICE},"}, 34),
    ({"application": 1}, 2), ({"application": "*"}, 32), ({"application": "wiki)(cn=*"}, 32),
    ({"application": "x" * 60000}, 32), ({"application": "wiki\n"}, 32),
    ({"peer": "127.0.0.1/8"}, 2), ({"peer": "localhost"}, 2), ({"peer": 7}, 2),
    ({"ssf": "256"}, 2), ({"ssf": -1}, 2), ({"ssf": 65536}, 2), ({"ssf": 1.5}, 2),
    ({"ssf": 10 ** 18}, 2), ({"claims": []}, 2), ({"claims": "{}"}, 2), ({"claims": None}, 2),
    ({"entry": "x"}, 34), ({"entry": {}}, 2), ({"suffix": "dc=none"}, 53),
    ({"now": 1}, 2), ({"scope": "all"}, 2),
], ids=range(31))
def test_explain__hostile_requests(ctl, members, result):
    """Wrong kinds, long texts, tricks with names and filters: refused, and never as another's."""
    request = {"guest": ALICE, **members}
    told = life.refusal(ctl.root, EXPLAIN, request)
    assert told[0] == result and (told[1] or "").startswith("b2b: ") and "\n" not in told[1]


def test_explain__a_token_for_no_application(ctl):
    """With b2b_out and no azp home judged the directory: what is an application's door is shut."""
    for said, reason in (({}, "none"), ({"b2b_out": ["collaboration"]}, "outbound-apps")):
        told = explain(ctl.root, application="wiki", claims=SIGNER.claims("alice-at-home", **said))
        assert told["reason"] == reason, told


@pytest.mark.parametrize("claims", [
    {"exp": "soon"}, {"aud": [1]}, {"amr": [[[["mfa"]]]]}, {"groups": [None]}, {"iss": 5},
    {"sub": {"a": 1}}, {"sub": "x" * 5000}, {"groups": ["g" * 50] * 100}, {"auth_time": -1},
    {"auth_time": 1e300}, {"": ""}, {"amr": "\u202emfa"}, {"sub": "alice-at-home\u0007"},
], ids=range(13))
def test_explain__hostile_claims(ctl, claims):
    """Claims of any kind are believed as a token of the partner would be, or not; never more."""
    full = {**SIGNER.claims("alice-at-home"), **claims}
    said = explain(ctl.root, claims=full)
    believed = code(ctl.server.conn, ALICE, SIGNER.token("alice-at-home", **claims)) == 0
    assert (said["verdict"] == "allow") == believed
    assert said["verdict"] == "allow" or said["reason"] == "proof"


def entry(name, lines=""):
    return (f"dn: cn={name},{PROJECTS}\nobjectClass: applicationProcess\n"
            f"objectClass: b2bLabelled\ncn: {name}\n{lines}\n")


@pytest.fixture
def projects(ctl):
    """Entries in the scope of an application, one that slapd's access control closes, one with a
    label above the guest's, one with a hidden attribute."""
    ctl.server.load(
        f"dn: {PROJECTS}\nobjectClass: organizationalUnit\nou: projects\n\n"
        + entry("atlas", "description: for none\n") + entry("closed")
        + entry("general", "b2bLabel: General\n") + entry("secret", "b2bLabel: Secret\n")
        + entry("odd", "b2bLabel: Unheard Of\n"))
    ctl.root.modify_s(WIKI, [replace("b2bAppScope", PROJECTS)])
    ctl.root.modify_s(ALICE, [replace("b2bClearance", "General")])
    ctl.root.modify_s(BASE, [replace("b2bLabelOrder", "{0}Public", "{1}General", "{2}Secret"),
                             replace("b2bAttributeLabel", "mail=Secret", "ou=Public")])
    yield ctl
    for dn in sorted(life.everything(ctl.root, PROJECTS), key=len, reverse=True):
        ctl.root.delete_s(dn)
    ctl.root.modify_s(BASE, [replace("b2bAttributeLabel"), replace("b2bLabelOrder"),
                             replace("b2bGuestAccess")])


ATLAS = f"cn=atlas,{PROJECTS}"
MADE_UP = {"hassubordinates", "entrydn", "subschemasubentry"}  # stand in no entry
OUTSIDE = "neither its own nor in a scope that it may see"
WAYS = {"restricted": {OUTSIDE},
        "limited": {OUTSIDE, "scope", "naming attributes", "its label is above the bound",
                    "slapd's access control hides it"},
        "member": {"member", "its label is above the bound", "slapd's access control hides it"}}


@pytest.mark.parametrize("level", WAYS)
def test_explain__sees_what_the_guest_sees(projects, level):
    """Set-up: a tree with labels, scopes and access control. Steps: a guest searches it; each entry
    of the tree is explained, and what does not exist. Expected: the same entries, and of each the
    same attributes."""
    ctl = projects
    ctl.root.modify_s(BASE, [replace("b2bGuestAccess", level)])
    alice = sign_in(ctl)
    found = seen(alice, builders.SUFFIX)
    claims = SIGNER.claims("alice-at-home")
    ways = set()
    for dn, attributes in life.everything(ctl.root).items():
        said = explain(ctl.root, claims=claims, entry=dn)["entry"]
        assert said["dn"] == dn.lower().replace("b2btenantid", "b2bTenantId"), said
        ways.add(said["by"])
        hidden = {name.lower() for name in said.get("hidden", ())}
        kept = {a.lower() for a in attributes} - hidden - MADE_UP
        if said["by"] == "naming attributes":
            assert dn.lower() not in found
            assert kept == {*seen(alice, dn, 0)[dn.lower()]} - MADE_UP
        elif said["visible"]:
            assert kept == {*found[dn.lower()]} - MADE_UP, dn
        else:
            assert dn.lower() not in found, (dn, said)
    assert ways == {"own entry", *WAYS[level]}
    said = explain(ctl.root, claims=claims, entry=f"cn=general,{PROJECTS}")["entry"]
    assert said["label"] == "General" and said["bound"] == "General"
    assert said["visible"] == (level != "restricted")


def test_explain__the_bound_of_a_scope(projects):
    """Set-up: the cap of an application is below the guest's clearance. Expected: of an entry in
    its scope that is above the cap, the cap is told as the bound."""
    ctl = projects
    ctl.root.modify_s(WIKI, [replace("b2bAppMaxLabel", "Public")])
    said = explain(ctl.root, claims=SIGNER.claims("alice-at-home"),
                   entry=f"cn=general,{PROJECTS}")["entry"]
    ctl.root.modify_s(WIKI, [replace("b2bAppMaxLabel")])
    assert said["label"] == "General" and said["bound"] == "Public"
    assert not said["visible"] and said["by"] == "its label is above the bound"


def test_explain__what_a_sign_in_opens(projects):
    """A scope that wants several factors is seen by whose claims have them, as by a sign-in with
    them; the verdict at this door is the same."""
    ctl = projects
    ctl.server.load(policy("p", "b2bCaGrant: mfa\nb2bCaIncludeApp: wiki"))
    ctl.root.modify_s(HOME, [replace("b2bTrustMfa", "TRUE")])
    for proofs in ({}, {"amr": ["mfa"]}):
        found = seen(sign_in(ctl, **proofs), builders.SUFFIX)
        said = explain(ctl.root, claims=SIGNER.claims("alice-at-home", **proofs), entry=ATLAS)
        assert said["verdict"] == "allow"
        assert said["entry"]["visible"] == bool(proofs) == (ATLAS in found), proofs


def test_explain__entries_that_are_not_seen(projects):
    """Why: a denial, slapd's own access control, another database, nothing there."""
    ctl = projects
    ask = {"claims": SIGNER.claims("alice-at-home")}
    for dn, why in ((f"cn=closed,{PROJECTS}", "slapd's access control hides it"),
                    (f"cn=none,{PROJECTS}", "there is no such entry"),
                    ("cn=config", "it is none of this tenant's database"),
                    ("dc=x", "it is none of this tenant's database")):
        said = explain(ctl.root, **ask, entry=dn)["entry"]
        assert (said["visible"], said["by"]) == (False, why), dn
    ctl.root.modify_s(ALICE, [replace("b2bAccountEnabled", "FALSE")])
    said = explain(ctl.root, **ask, entry=ATLAS)["entry"]
    assert (said["visible"], said["by"]) == (False, "the verdict denies")


def test_explain__leaves_no_trace(ctl):
    """Set-up: a policy that only reports and would deny. Steps: all is explained, several times.
    Expected: no entry changed, nothing was counted or signed in."""
    ctl.server.load(policy("report", "b2bCaGrant: block").replace("enabled", "reportOnly"))
    ctl.root.modify_s(HOME, [replace("b2bTokenOnce", "TRUE")])
    before, mark = life.everything(ctl.root), ctl.server.log_mark()
    claims = SIGNER.claims("bob-at-home", jti="once")
    for _ in range(3):
        assert explain(ctl.root, "bob", claims=claims)["verdict"] == "allow"
    assert life.everything(ctl.root) == before
    assert "would=" not in ctl.server.log(mark) and "verdict=" not in ctl.server.log(mark)
    assert code(ctl.server.conn, guest_dn("bob"), SIGNER.token("bob-at-home", jti="once")) == 0
    assert "would=deny reason=blocked count=1 " in ctl.server.log(mark)


def test_explain__the_answer_is_json(ctl):
    """Names that want quoting come back whole."""
    ctl.server.load(guest_ldif("q").replace("uid=q,", 'uid=q\\"\\2c\u00fc,').replace(
        "uid: q\n", 'uid: q",\u00fc\n'))
    said = life.request(ctl.root, EXPLAIN, {"guest": f'uid=q\\22\\,\\C3\\BC,{GUESTS}'})
    assert said["verdict"] == "allow" and "\u00fc" in json.dumps(said, ensure_ascii=False)


SHADOW = (f"syncrepl rid=1 provider=ldap://127.0.0.1:9 bindmethod=simple type=refreshOnly "
          f"searchbase={builders.SUFFIX} retry=\"60 +\"\nupdateref ldap://provider.example/\n")


def test_explain__by_servers_that_do_not_write(make_server):
    """A read-only database, one that wants more for updates, and a consumer answer as well; what
    configuration says of every operation holds."""
    server = make_server(builders.tenant_server, start=False)
    server.load(partner_ldif("home") + guest_ldif("alice"))
    conf = server.conf_file.read_text()
    for lines in ("readonly on\n", "security update_ssf=128\n", SHADOW):
        server.conf_file.write_text(conf.replace("dbnosync\n", f"dbnosync\n{lines}"))
        server.start()
        assert explain(server.root())["verdict"] == "allow", lines
        assert code(life.request, server.root(), life.INVITE, {"mail": "a@home.example"}) != 0
        server.stop()
    server.conf_file.write_text(conf.replace("dbnosync\n", "dbnosync\nrestrict search\n"))
    server.start()
    assert refused(server.root())[0] == 53


def test_explain__announced(served):
    dse = served.server.open().search_s("", ldap.SCOPE_BASE, attrlist=["supportedExtension"])
    assert EXPLAIN.encode() in dse[0][1]["supportedExtension"]
