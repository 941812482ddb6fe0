"""Two organisations with nothing else: b2bctl partner add --from makes the partner, b2bctl token
gets the token at home, and the guest comes in abroad with it."""

import json
import re
import subprocess

import ldap
import pytest

from lib import builders as b
from lib.builders import TOP
from lib.cnconfig import code_of
from lib.ctl import Ctl
from lib.eyes import seen
from lib.orgs import Org
from lib.slapd import client_env
from test_issue import BLOCKED, OPEN, P256, REPLACE, Keys, new_key


def recommended_access():
    """ldif/acl.ldif as lines of slapd.conf."""
    text = (TOP / "ldif" / "acl.ldif").read_text()
    return "".join(f"access {rule}\n" for rule in re.findall(r"^olcAccess: {\d+}(.*)$", text, re.M))


class OrgCtl(Ctl):
    """b2bctl at an organisation: as its rootdn (run), or as a member (member)."""

    def __init__(self, org):
        self.org, self.server, self.root = org, org.server, org.server.root()

    def run(self, *args, code=0, **options):
        done = self.bare("-H", self.server.ldapi, "-D", self.org.rootdn, "-w", b.ROOTPW, *args,
                         **options)
        assert done.returncode == code, f"{done.stdout}{done.stderr}"
        return done

    def token(self, *args, code=0, uri=None, name="mia"):
        done = self.bare("-H", uri or self.server.ldapi, "-D", self.org.member(name), "-w",
                         f"{name}-pw", "token", *args)
        assert done.returncode == code, f"{done.stdout}{done.stderr}"
        return done

    def add_from(self, url, *args, code=0, **options):
        return self.run("partner", "add", "--from", url, *args, code=code, **options)


@pytest.fixture(scope="module")
def world(make_server, certs):
    """alpha, with the recommended access control, issues; beta has nothing about it yet."""
    alpha = make_server(Org, org_id="alpha", access=recommended_access(), certs=certs)
    beta = make_server(Org, org_id="beta")
    root = alpha.server.root()
    root.modify_s(alpha.base, [(REPLACE, "b2bTenantName", [b"Alpha \x1b[1m Ltd"]),
                               (REPLACE, "b2bTenantDomain", [b"alpha.example", b"a.example"])])
    alpha.load(b.partner_ldif("beta"))
    alpha.set(alpha.partner(beta), **OPEN)
    keys = Keys(alpha)
    keys.one, keys.two = new_key(alpha.server, "one.pem", *P256), new_key(alpha.server, "two.pem")
    keys.write(keys.one)
    keys.wait(1)
    alpha.ctl, beta.ctl = OrgCtl(alpha), OrgCtl(beta)
    return alpha, beta, keys


@pytest.fixture
def known(world):
    """beta has alpha for a partner, and mia for a guest; not afterwards."""
    alpha, beta, keys = world
    beta.ctl.add_from(alpha.server.uri)
    beta.ctl.root.modify_s(beta.partner(alpha), [(REPLACE, "b2bAutoRedeemIn", [b"TRUE"])])
    uuid = alpha.server.entry(alpha.member("mia"))["entryUUID"][0]
    beta.load(b.guest_ldif("mia", "alpha", subject=uuid))
    yield world
    for dn in (beta.guest("mia"), beta.partner(alpha)):
        beta.ctl.root.delete_s(dn)


def whoami(beta, token):
    """(exit code, what it prints) of ldapwhoami."""
    done = subprocess.run(["ldapwhoami", "-x", "-H", beta.server.uri, "-D", beta.guest("mia"), "-w",
                           token], capture_output=True, text=True, env=client_env(), timeout=60)
    return done.returncode, done.stdout.strip()


def test_federation(known):
    """The whole way, with no other tool and no password abroad; each side's block stops it."""
    alpha, beta, keys = known
    token = alpha.ctl.token("--tenant", "beta")
    assert token.stderr == "" and re.fullmatch(r"[\w.-]+\n", token.stdout)
    mia = beta.guest("mia")
    assert whoami(beta, token.stdout.strip()) == (0, f"dn:{mia}")
    alpha.set(alpha.partner(beta), **BLOCKED)
    done = alpha.ctl.token("--tenant", "beta", code=1)
    assert done.stdout == "" and "b2b: outbound-users" in done.stderr
    alpha.set(alpha.partner(beta), **OPEN)
    beta.set(beta.partner(alpha), CollabInUsersAccess="blocked", CollabInAppsAccess="blocked")
    assert whoami(beta, token.stdout.strip())[0] == 53
    beta.set(beta.partner(alpha))
    assert whoami(beta, token.stdout.strip())[0] == 0


def test_rotation(known):
    """alpha appends a key: a token of before stays good at beta, also once partner add --update has
    taken the new keys; what the administrator set by hand stays.  A key that alpha takes out, and
    that beta has heard of, is no longer believed."""
    alpha, beta, keys = known
    dn = beta.partner(alpha)
    old = alpha.ctl.token("--tenant", "beta").stdout.strip()
    beta.ctl.root.modify_s(dn, [(REPLACE, "b2bTenantDomain", [b"a.example"]),
                                (REPLACE, "b2bTrustMfa", [b"TRUE"]),
                                (REPLACE, "b2bAudience", [b"beta", b"other"])])
    try:
        keys.write(keys.one, keys.two)
        keys.wait(2)
        before = beta.server.entry(dn)
        new = alpha.ctl.token("--tenant", "beta").stdout.strip()
        assert (whoami(beta, old)[0], whoami(beta, new)[0]) == (0, 49)
        done = beta.ctl.add_from(alpha.server.uri, code=1)
        assert f"{dn} is there already; see --update" in done.stderr
        assert "would change" in beta.ctl.add_from(alpha.server.uri, "--update",
                                                   "--dry-run").stdout
        assert beta.server.entry(dn) == before
        done = beta.ctl.add_from(alpha.server.uri, "--update")
        assert re.findall(r"^  (\w+)", done.stdout, re.M) == ["b2bJwks"] * 2
        after = beta.server.entry(dn)
        assert {k for k in after if after[k] != before[k]} - {"modifyTimestamp"} == {
            "b2bJwks", "entryCSN"}
        assert (whoami(beta, old)[0], whoami(beta, new)[0]) == (0, 0)
        assert "unchanged" in beta.ctl.add_from(alpha.server.uri, "--update").stdout
        keys.write(keys.two)
        keys.wait(1)
        beta.ctl.add_from(alpha.server.uri, "--update")
        assert (whoami(beta, old)[0], whoami(beta, new)[0]) == (49, 0)
    finally:
        keys.write(keys.one)
        keys.wait(1)


def test_from__what_is_written(world):
    """Shown first; --dry-run writes nothing; --home makes it a partner of passwords too."""
    alpha, beta, keys = world
    dn = beta.partner(alpha)
    shown = beta.ctl.add_from(alpha.server.uri, "--dry-run").stdout
    assert "is alpha (Alpha ?[1m Ltd), " in shown and "\x1b" not in shown
    assert f'  b2bJwks: "{keys.published()[0]}", EC P-256' in shown
    assert f"would add {dn}\n" in shown
    assert code_of(beta.ctl.root.search_s, dn, ldap.SCOPE_BASE)[0] == 32
    try:
        done = beta.ctl.add_from(f"{alpha.server.uri}/{alpha.base}", "--home", alpha.server.uri,
                                 "--partner", "ALPHA")
        assert done.stdout.endswith(f"added {dn}\n")
        entry = beta.server.entry(dn)
        assert {k: sorted(v) for k, v in entry.items()
                if k.startswith("b2b") and k != "b2bJwks"} == {
            "b2bTenantId": ["alpha"], "b2bIssuer": ["alpha"], "b2bAudience": ["beta"],
            "b2bTokenAlgorithm": ["ES256", "EdDSA"], "b2bIdp": ["{0}oidc", "{1}ldap"],
            "b2bHomeUri": [alpha.server.uri], "b2bTenantDomain": ["a.example", "alpha.example"]}
        assert [k["kid"] for k in json.loads(entry["b2bJwks"][0])["keys"]] == keys.published()
    finally:
        beta.ctl.root.delete_s(dn)


def test_from__another_issuer(known):
    """An issuer that changed is not taken over by the way."""
    alpha, beta, keys = known
    root = alpha.server.root()
    root.modify_s(alpha.base, [(REPLACE, "b2bIssuer", [b"urn:evil"])])
    try:
        done = beta.ctl.add_from(alpha.server.uri, "--update", code=1)
        assert "has another issuer" in done.stderr
    finally:
        root.modify_s(alpha.base, [(REPLACE, "b2bIssuer", None)])


def test_from__refused(world):
    """No tenant to be read, another one than expected, ourselves, no keys, wrong usage, a server
    whose certificate nobody trusts: nothing is written."""
    alpha, beta, keys = world
    before = set(seen(beta.ctl.root, beta.base))
    uri = alpha.server.uri
    for args, text in (((f"{uri}/ou=people,{alpha.suffix}",), "there is no b2bTenant entry"),
                       ((uri, "--partner", "gamma"), "that is alpha, not gamma"),
                       ((uri, "--update"), "there is no partner alpha"),
                       ((beta.server.uri,), "has no b2bJwks"),
                       (("ldap://127.0.0.1:1",), "127.0.0.1:1"),
                       ((alpha.server.ldaps,), alpha.server.ldaps)):
        assert text in beta.ctl.add_from(*args, code=1).stderr, args
    for args in (("nonsense",), ("https://x.example",), (uri, "--audience", "x"),
                 (uri, "--home", uri, "--update"), (uri, "--refresh")):
        beta.ctl.add_from(*args, code=2)
    beta.ctl.run("partner", "add", "--update", "--refresh", code=2)
    beta.ctl.run("partner", "add", "--partner", "x", "--home", uri, code=2)
    alpha.ctl.root.modify_s(alpha.base, [(REPLACE, "b2bTenantId", [b"beta"])])
    try:
        assert "is our own b2bTenantId" in beta.ctl.add_from(uri, code=1).stderr
    finally:
        alpha.ctl.root.modify_s(alpha.base, [(REPLACE, "b2bTenantId", [b"alpha"])])
    assert set(seen(beta.ctl.root, beta.base)) == before


def test_from__domains(world, make_server):
    """Nobody says by its tenant entry that our domain, another partner's, or every one is its own;
    a server without the module could say anything."""
    alpha, beta, keys = world
    root = beta.ctl.root
    root.modify_s(beta.base, [(REPLACE, "b2bTenantDomain", [b"A.Example"])])
    try:
        assert "a.example is ours" in beta.ctl.add_from(alpha.server.uri, code=1).stderr
    finally:
        root.modify_s(beta.base, [(REPLACE, "b2bTenantDomain", None)])
    beta.load(b.partner_ldif("third", lines="b2bTenantDomain: ALPHA.example"))
    third = beta.own(b.partner_dn("third"))
    try:
        assert f"alpha.example is that of {third}" in beta.ctl.add_from(alpha.server.uri,
                                                                         code=1).stderr
    finally:
        root.delete_s(third)
    rogue = make_server(b.tenant_server, module=False)
    rogue.root().modify_s(b.BASE, [
        (REPLACE, "b2bTenantDomain", [b"*"]),
        (REPLACE, "b2bJwks", [alpha.server.entry(alpha.base)["b2bJwks"][0].encode()])])
    done = beta.ctl.add_from(rogue.uri, code=1)
    assert 'b2bTenantDomain "*" ' in done.stderr
    assert code_of(root.search_s, beta.own(b.partner_dn("ours")), ldap.SCOPE_BASE)[0] == 32


def test_from__tls(world, certs):
    """ldaps with the authority that signs its certificate; ldap:// to what is not surely this
    machine begins with StartTLS."""
    alpha, beta, keys = world
    done = beta.ctl.add_from("ldap://nowhere.invalid", "--dry-run", code=1)
    assert "StartTLS" in done.stderr and done.stdout == ""
    done = beta.ctl.add_from(alpha.server.ldaps, "--ca-file", certs.ca, "--dry-run")
    assert "would add" in done.stdout


def test_access__anonymous(world):
    """By the recommended access control anybody reads who the tenant is and its keys, of that entry
    alone, and nothing else of the policy."""
    alpha, beta, keys = world
    anonymous = alpha.server.open()
    found = anonymous.search_s(alpha.base, ldap.SCOPE_BASE, attrlist=["*", "+"])
    assert set(found[0][1]) == {"objectClass", "cn", "b2bTenantId", "b2bTenantName",
                                "b2bTenantDomain", "b2bJwks"}
    assert code_of(anonymous.search_s, alpha.default, ldap.SCOPE_BASE)[0] == 32
    assert code_of(anonymous.search_s, alpha.suffix, ldap.SCOPE_BASE)[0] == 32


def test_token__refused(world):
    """Clear words, and nothing on standard output: without TLS, an unknown partner, usage, somebody
    who is no member."""
    alpha, beta, keys = world
    for args, text, options in (
            (("--tenant", "beta"), "without TLS", {"uri": alpha.server.uri}),
            (("--tenant", "gamma"), "b2b: partner-unknown", {}),
            (("--tenant", "beta", "--app", "x" * 300), "application", {})):
        done = alpha.ctl.token(*args, code=1, **options)
        assert done.stdout == "" and text in done.stderr
    for args in ((), ("--tenant", ""), ("--tenant", "beta", "--app", "a", "--app", "b")):
        assert alpha.ctl.token(*args, code=2).stdout == ""
    assert "Insufficient access" in alpha.ctl.run("token", "--tenant", "beta", code=1).stderr
