"""b2bctl partner add --refresh, partner show and partner test: keys that rotate, an entry in words,
and tokens that are believed or not."""

import json
import ldap
import pytest
import time

from lib import builders
from lib.builders import BASE, guest_ldif, partner_dn, partner_ldif
from lib.ctl import Ctl
from lib.idp import Idp
from lib.records import replace, subtree
from lib.tokens import Key, Signer, jwks
from lib.web import WELL_KNOWN, endless, redirect, send

ACME = partner_dn("acme")


# partner add --refresh

@pytest.fixture
def joined(ctl, web, keys):
    """A partner whose keys were fetched from the web server."""
    ctl.add_partner("--discovery", web.publish(keys["ec"].jwk()), "--audience", "b2b")
    return ctl


def test_refresh__writes_what_changed(joined, web, keys):
    """Silent where the keys are the same, also in another order, and with notes only where
    something changed; one line where they are others."""
    ctl, symmetric = joined, {"kty": "oct", "kid": "sym", "k": "AAAA"}
    web.publish(symmetric, keys["ec"].jwk(note="x"))
    before = subtree(ctl.root, BASE)
    done = ctl.refresh()
    assert (done.stdout, done.stderr) == ("", "")
    done = ctl.refresh("-v")
    assert done.stdout == f"unchanged {ACME}\n" and "sym" in done.stderr
    web.publish(symmetric, keys["new"].jwk(), keys["ec"].jwk())
    assert ctl.refresh("--dry-run").stdout == f"would change {ACME}\n"
    assert subtree(ctl.root, BASE) == before
    done = ctl.refresh()
    assert done.stdout == f"changed {ACME}\n" and "sym" in done.stderr
    assert set(ctl.keys(ACME)) == {"ec", "new"}
    web.publish(keys["ec"].jwk(), keys["new"].jwk())
    done = ctl.refresh()
    assert (done.stdout, done.stderr) == ("", "")
    after = subtree(ctl.root, BASE)
    for dn in before:
        before[dn].pop("b2bJwks", None), after[dn].pop("b2bJwks", None)
    assert {dn: {k: v for k, v in entry.items() if k.startswith("b2b")}
            for dn, entry in after.items()} == \
        {dn: {k: v for k, v in entry.items() if k.startswith("b2b")}
         for dn, entry in before.items()}


def test_refresh__one_fails_the_others_go_on(joined, web, keys):
    """Three partners, of which the second's keys are not to be had: its keys stay, it is named, and
    the code is 1; the first and the third have theirs."""
    ctl = joined
    for name in ("beta", "gamma"):
        ctl.add_partner("--discovery", web.publish(keys["ec"].jwk(), path=f"/{name}"), "--audience",
                        "b", partner=name)
    ctl.server.load(builders.partner_ldif("home", "ldaps://home.example"))
    for path in ("", "/beta", "/gamma"):
        web.publish(keys["new"].jwk(), path=path)
    web.routes["/beta/keys"] = None
    done = ctl.refresh(code=1)
    assert sorted(done.stdout.splitlines()) == sorted(
        f"changed {dn}" for dn in (ACME, partner_dn("gamma")))
    assert f"{partner_dn('beta')}: the keys that it has stay" in done.stderr
    assert list(ctl.keys(partner_dn("beta"))) == ["ec"]
    assert list(ctl.keys(ACME)) == list(ctl.keys(partner_dn("gamma"))) == ["new"]
    assert ctl.refresh("--partner", "gamma").stdout == ""
    for name, words in (("home", "has no b2bJwksUri"), ("none", "there is no partner")):
        assert words in ctl.refresh("--partner", name, code=1).stderr


def test_refresh__never_replaces_good_keys_by_none(joined, web, keys):
    """Whatever comes that is no set of usable keys, or a set that b2bTokenAlgorithm makes useless:
    the keys stay and the code is 1."""
    ctl = joined
    ctl.root.modify_s(ACME, [replace("b2bTokenAlgorithm", "ES256")])
    before = subtree(ctl.root, BASE)
    for route in ({"keys": []}, [], b"", b"<html>", {"keys": [{**keys["ec"].jwk(), "d": "AA"}]},
                  {"keys": [keys["ec"].jwk(use="enc")]}, {"keys": [keys["rsa"].jwk()]},
                  redirect("/elsewhere"), {"error": "x"}, endless,
                  lambda handler: send(handler, json.dumps({"keys": [keys["new"].jwk()]}).encode(),
                                       500)):
        web.routes["/keys"] = route
        done = ctl.refresh(code=1)
        assert done.stdout == "" and "the keys that it has stay" in done.stderr
        assert subtree(ctl.root, BASE) == before


def test_refresh__of_two_that_write_at_once(joined, web, keys):
    """While the keys are fetched, somebody else writes: the same keys, and all is well; others, and
    they stay; another issuer, and nothing is written beside it."""
    ctl = joined
    same = json.dumps({"keys": [keys["new"].jwk()]})
    other = jwks(Key("P-256", "third"))

    def meanwhile(*changes):
        ctl.root.modify_s(ACME, [replace("b2bJwks", jwks(keys["ec"]))])

        def route(handler):
            ctl.root.modify_s(ACME, [replace(name, value) for name, value in changes])
            send(handler, same.encode())
        web.routes["/keys"] = route
    meanwhile(("b2bJwks", same))
    done = ctl.refresh()
    assert (done.stdout, done.stderr) == ("", "")
    meanwhile(("b2bJwks", other))
    assert "changed by somebody else meanwhile" in ctl.refresh(code=1).stderr
    assert list(ctl.keys(ACME)) == ["third"]
    meanwhile(("b2bIssuer", "https://idp.other.example"))
    assert "changed by somebody else meanwhile" in ctl.refresh(code=1).stderr
    assert list(ctl.keys(ACME)) == ["ec"]
    meanwhile(("b2bJwks", other))
    ctl.root.modify_s(ACME, [replace("b2bJwks")])
    assert "changed by somebody else meanwhile" in ctl.refresh(code=1).stderr
    assert list(ctl.keys(ACME)) == ["third"]


def test_refresh__first_keys(ctl, web, keys):
    """An entry that was made by hand, with b2bJwksUri and no keys yet."""
    issuer = web.publish(keys["ec"].jwk())
    ctl.server.load(partner_ldif("acme", lines=f"b2bIdp: oidc\nb2bIssuer: {issuer}\n"
                                               f"b2bAudience: b\nb2bJwksUri: {issuer}/keys"))
    assert ctl.refresh().stdout == f"changed {ACME}\n"
    assert list(ctl.keys(ACME)) == ["ec"]


def test_refresh__takes_effect_without_a_restart(joined, web, keys):
    """A guest of the partner signs in with a token; the provider rotates its key; after --refresh,
    and without anything else, tokens of the new key are right and those of the old one are not."""
    ctl = joined
    ctl.root.modify_s(ACME, [replace("b2bAutoRedeemIn", "TRUE")])
    ctl.server.load(guest_ldif("alice", tenant="acme", subject="alice-at-acme"))
    old, new = (Signer(web.url, "b2b", keys[name]) for name in ("ec", "new"))

    def signs_in(signer):
        try:
            ctl.server.conn(builders.guest_dn("alice"), signer.token("alice-at-acme"))
            return True
        except ldap.INVALID_CREDENTIALS:
            return False
    pid = ctl.server.pid
    assert signs_in(old) and not signs_in(new)
    web.publish(keys["new"].jwk())
    assert signs_in(old) and not signs_in(new)
    assert ctl.refresh().stdout == f"changed {ACME}\n"
    assert signs_in(new) and not signs_in(old)
    assert ctl.server.pid == pid


@pytest.fixture
def own_idp():
    """A real OpenID provider of this test's own, whose keys it may rotate."""
    provider = Idp()
    yield provider
    provider.stop()


def test_refresh__a_real_provider_rotates(ctl, own_idp):
    """The same with a real OpenID provider: its document and keys as they are published, a guest
    who logs in there and here; partner test sees the rotation, and after --refresh all is well."""
    own_idp.people(alice={})
    ctl.add_partner("--discovery", own_idp.issuer, "--audience", "b2b-RS256", "--audience",
                    "b2b-ES256", partner="peer")
    dn = partner_dn("peer")
    ctl.root.modify_s(dn, [replace("b2bAutoRedeemIn", "TRUE")])
    ctl.server.load(guest_ldif("alice", tenant="peer", subject="alice"))
    old = own_idp.id_token("alice")
    ctl.server.conn(builders.guest_dn("alice"), old)
    assert "ok: token" in token_test(ctl, old, partner="peer").stdout
    own_idp.rotate()
    new = own_idp.id_token("alice", "ES256")
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        ctl.server.conn(builders.guest_dn("alice"), new)
    assert "published, but not stored" in token_test(ctl, new, partner="peer", code=1).stdout
    assert ctl.refresh().stdout == f"changed {dn}\n"
    ctl.server.conn(builders.guest_dn("alice"), new)
    assert "ok: token" in token_test(ctl, new, partner="peer").stdout
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        ctl.server.conn(builders.guest_dn("alice"), old)
    assert ctl.refresh().stdout == ""


# partner show

def show(ctl, name="acme", **options):
    return ctl.run("partner", "show", name, **options).stdout.splitlines()


def test_show__in_words(ctl, web, keys):
    """Settings, proofs, claims, keys and trust, one line each; what is inherited says so."""
    issuer = web.publish(keys["rsa"].jwk(alg="RS256"), keys["ec"].jwk())
    ctl.add_partner("--discovery", issuer, "--audience", "b2b", "--tenant-claim", "tid=1")
    ctl.root.modify_s(f"cn=default,{BASE}", [replace("b2bTrustMfa", "TRUE")])
    ctl.root.modify_s(ACME, [replace(name, *values.split()) for name, values in (
        ("b2bCollabInUsersAccess", "allowed"), ("b2bCollabInUsersTarget", "g1 u1"),
        ("b2bGroupTarget", "g1"), ("b2bCollabInAppsAccess", "allowed"),
        ("b2bTrustCompliantDevice", "FALSE"))])
    lines = show(ctl)
    for line in (f"dn: {ACME}", "partner: acme", "signs in by: oidc", f"issuer: {issuer}",
                 "audiences: b2b", "tenant claims: tid=1", "subject claim: sub",
                 "algorithms: RS256, ES256", f"keys are published at: {issuer}/keys",
                 'key "rsa": RSA 2048 bits, for RS256', 'key "ec": EC P-256',
                 "inbound collaboration: users allowed: g1 (group), u1; applications allowed: all",
                 "outbound direct connect: as the default",
                 "trusts several factors of home: yes, as the default",
                 "trusts compliant devices of home: no"):
        assert line in lines, f"{line}\nis not in\n" + "\n".join(lines)
    assert not [line for line in lines if line.startswith("warning: ")]


def test_show__warns(ctl, keys):
    """What keeps every token out, or may not be meant."""
    right = f"b2bIssuer: https://a.example\nb2bJwks: {jwks(keys['ec'])}\n"
    for name, lines, words in (
            ("a", right + "b2bIdp: oidc", "no b2bAudience"),
            ("b", "b2bIdp: oidc\nb2bIssuer: https://b.example\nb2bAudience: b", "no b2bJwks"),
            ("c", f"b2bIdp: oidc\nb2bAudience: b\nb2bJwks: {jwks(keys['ec'])}", "no b2bIssuer"),
            ("d", "b2bIdp: ldap\nb2bHomeUri: ldaps://home.example\nb2bAudience: b\n"
             f"b2bIssuer: https://d.example\nb2bJwks: {jwks(keys['ec'])}",
             "oidc is not among b2bIdp"),
            ("e", "b2bIdp: oidc\nb2bAudience: b\nb2bTokenAlgorithm: RS256\n"
             + right.replace("a.example", "e.example"), "no key fits b2bTokenAlgorithm"),
            ("f", "", "no b2bIdp")):
        ctl.server.load(partner_ldif(name, lines=lines))
        warnings = [line for line in show(ctl, name) if line.startswith("warning: ")]
        assert len(warnings) == 1 and words in warnings[0], (name, warnings)
    assert "there is no partner" in ctl.run("partner", "show", "none", code=1).stderr


def test_show__an_entry_that_is_invalid(make_server):
    """It came by slapadd, past the overlay: what the server sees is said."""
    server = make_server(builders.tenant_server, start=False, name="invalid")
    server.load(partner_ldif("acme", lines="b2bIdp: carrier-pigeon\nb2bJwks: {}\n"
                                           "b2bTenantDomain: x\\1b[31m"))
    server.start()
    lines = show(Ctl(server))
    assert any(line.startswith("warning: the entry is invalid") and "carrier-pigeon" in line
               for line in lines)
    assert any(line.startswith("keys: none that could be used") for line in lines)


# partner test

def test_test__keys_of_today(joined, web, keys):
    """All is well; then the provider rotates, moves its keys, signs otherwise, or is gone."""
    ctl = joined
    lines = ctl.run("partner", "test", "acme").stdout.splitlines()
    assert lines == ["ok: entry", "ok: discovery",
                     "ok: keys: the stored ones are the published ones"]
    web.publish(keys["new"].jwk())
    done = ctl.run("partner", "test", "acme", code=1)
    assert 'wrong: keys: "new" is published, but not stored' in done.stdout
    assert 'wrong: keys: "ec" is stored, but no longer published' in done.stdout
    web.publish(keys["ec"].jwk(), jwks_uri=f"{web.url}/moved")
    assert f"published at {web.url}/moved" in ctl.run("partner", "test", "acme", code=1).stdout
    web.publish(keys["ec"].jwk(), id_token_signing_alg_values_supported=["PS512"])
    assert "signs with PS512" in ctl.run("partner", "test", "acme", code=1).stdout
    del web.routes[WELL_KNOWN]
    assert "note: discovery: " in ctl.run("partner", "test", "acme").stdout
    web.stop()
    done = ctl.run("partner", "test", "acme", code=1)
    assert "wrong: discovery: " in done.stdout and "wrong: keys: " in done.stdout


def token_test(ctl, token, partner="acme", **options):
    done = ctl.run("partner", "test", partner, "--token", "-", input=token + "\n", **options)
    for part in token.split("."):
        assert len(part) < 10 or part not in done.stdout + done.stderr
    return done


def test_test__a_token(joined, web, keys):
    """Whose it is and what it says; never the token itself."""
    ctl = joined
    ctl.server.load(guest_ldif("alice", tenant="acme", subject="alice-at-acme")
                    + builders.app_ldif("wiki", "b2bAppAudience: wiki-app"))
    signer = Signer(web.url, "b2b", keys["ec"])
    out = token_test(ctl, signer.token("alice-at-acme", groups=["g1", "g2"],
                                       amr=["mfa"])).stdout.splitlines()
    for line in ("ok: token: signature and claims", "token: subject: alice-at-acme",
                 f"token: guest: {builders.guest_dn('alice')}", "token: group: g1",
                 "token: application: none by its audience",
                 "token: several factors: home says so, but is not trusted in this",
                 "token: a compliant device: home does not say so"):
        assert line in out, "\n".join(out)
    ctl.root.modify_s(ACME, [replace("b2bTrustMfa", "TRUE")])
    out = token_test(ctl, signer.token("bob\u001b[31m", aud="wiki-app", amr=["mfa"]), code=1).stdout
    assert "\u001b" not in out
    out = token_test(ctl, signer.token("bob", aud="wiki-app", amr=["mfa"])).stdout.splitlines()
    for line in ("token: guest: 0 guests have this subject", "token: application: wiki",
                 "token: several factors: home says so, and is trusted", "token: groups: unknown"):
        assert line in out, "\n".join(out)


def test_test__tokens_that_are_wrong(joined, web, keys):
    """Each is wrong, with a word on why and code 1."""
    ctl = joined
    signer = Signer(web.url, "b2b", keys["ec"])
    third = Signer(web.publish(keys["new"].jwk(), path="/beta"), "b2b", keys["new"])
    ctl.add_partner("--discovery", third.issuer, "--audience", "b2b", partner="beta")
    now = int(time.time())
    for token in (signer.token("a", key=keys["new"]), signer.token("a", aud="other"),
                  signer.token("a", iat=now - 900, exp=now - 600), signer.token("a")[:-4],
                  signer.token("a", iss="https://other.example"), "hello", "", "x" * 100000):
        done = token_test(ctl, token, code=1)
        assert "wrong: token: " in done.stdout, done.stdout
    done = token_test(ctl, third.token("a"), code=1)
    assert f"wrong: token: is of another partner, {partner_dn('beta')}" in done.stdout
    assert "ok: token" in token_test(ctl, third.token("a"), partner="beta").stdout
