"""b2bctl partner add: a provider's issuer, keys and algorithms into a real slapd, from a web server
with every fault that one can have."""

import json
import pytest
import time

from lib.builders import BASE, partner_dn
from lib.records import replace, subtree
from lib.tokens import Key, jwks
from lib.web import WELL_KNOWN, Web, drip, endless, redirect

ACME = partner_dn("acme")
ESCAPES = set(map(chr, [*range(10), *range(11, 32), 127]))


# partner add

def test_add__from_the_issuer(ctl, web, keys):
    """Everything of the document that matters goes into a new entry; of keys what is public and
    needed; the same once more changes nothing."""
    issuer = web.publish(keys["rsa"].jwk(x5c=["MIIB"], alg="RS256", note="x"), keys["ec"].jwk(),
                         id_token_signing_alg_values_supported=["none", "HS256", "ES256", "RS256"])
    args = ("--discovery", issuer, "--audience", "b2b", "--audience", "other",
            "--tenant-claim", "tid=1", "--subject-claim", "oid")
    done = ctl.add_partner(*args)
    assert (done.stdout, done.stderr) == (f"added {ACME}\n", "")
    have = ctl.settings(ACME)
    keys_stored = json.loads(have.pop("b2bJwks")[0])["keys"]
    assert have == {"b2bIdp": ["oidc"], "b2bIssuer": [issuer], "b2bJwksUri": [f"{issuer}/keys"],
                    "b2bTokenAlgorithm": ["ES256", "RS256"], "b2bAudience": ["b2b", "other"],
                    "b2bTenantClaim": ["tid=1"], "b2bSubjectClaim": ["oid"]}
    assert [set(key) for key in keys_stored] == [{"kty", "kid", "use", "alg", "n", "e"},
                                                 {"kty", "kid", "use", "crv", "x", "y"}]
    assert web.asked == [WELL_KNOWN, "/keys"]
    before = subtree(ctl.root, BASE)
    assert ctl.add_partner(*args).stdout == f"unchanged {ACME}\n"
    web.routes["/keys"]["keys"].reverse()
    assert ctl.add_partner(*args).stdout == f"unchanged {ACME}\n"
    assert subtree(ctl.root, BASE) == before


@pytest.mark.parametrize("path, given, issuer", [
    ("", WELL_KNOWN, ""), ("", "/", "/"), ("/realms/staff", "", ""),
    ("/realms/staff", WELL_KNOWN, ""), ("/realms/staff", "/", "/"), ("/realms/staff", "/", "")])
def test_add__where_the_document_stands(ctl, web, keys, path, given, issuer):
    """The issuer, with or without the '/' at its end, and the document's own URL lead to one place;
    the issuer is written as the document has it."""
    web.publish(keys["ec"].jwk(), path=path, issuer=f"{web.url}{path}{issuer}")
    ctl.add_partner("--discovery", f"{web.url}{path}{given}", "--audience", "b2b")
    assert ctl.settings(ACME)["b2bIssuer"] == [f"{web.url}{path}{issuer}"]
    assert web.asked[0] == path + WELL_KNOWN


def test_add__from_files(ctl, tmp_path, keys):
    """A document and a key set from files: nothing is fetched.  Without a document, the issuer is
    what the command line says, and the algorithms are those that fit the keys."""
    document, key_set = tmp_path / "document", tmp_path / "keys"
    document.write_text(json.dumps({"issuer": "https://idp.acme.example",
                                    "jwks_uri": "https://idp.acme.example/keys"}))
    key_set.write_text(jwks(keys["ec"]))
    ctl.add_partner("--discovery", document, "--keys", key_set, "--audience", "b2b")
    have = ctl.settings(ACME)
    assert have["b2bJwksUri"] == ["https://idp.acme.example/keys"]
    assert have["b2bTokenAlgorithm"] == ["ES256"]
    key_set.write_text(jwks(keys["rsa"]))
    done = ctl.add_partner("--keys", key_set, "--issuer", "https://idp.beta.example",
                           partner="beta")
    assert "no b2bAudience" in done.stderr
    have = ctl.settings(partner_dn("beta"))
    assert have["b2bIssuer"] == ["https://idp.beta.example"] and "b2bJwksUri" not in have
    assert have["b2bTokenAlgorithm"] == ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]


def test_add__from_standard_input(ctl, keys):
    ctl.add_partner("--keys", "-", "--issuer", "https://idp.acme.example", "--audience", "b2b",
        input=jwks(keys["ec"]))
    assert list(ctl.keys(ACME)) == ["ec"]


def test_add__completes_an_entry(ctl, web, keys):
    """Settings and proofs of an entry stay as they are and in their order; oidc comes last."""
    issuer = web.publish(keys["ec"].jwk())
    for name, idps, wanted in (
            ("one", ["ldap"], ["ldap", "oidc"]), ("two", ["{3}ldap"], ["{3}ldap", "{4}oidc"]),
            ("three", ["{0}passcode", "{1}ldap"], ["{0}passcode", "{1}ldap", "{2}oidc"]),
            ("four", ["OIDC", "ldap"], ["OIDC", "ldap"]), ("five", [], ["oidc"])):
        dn = partner_dn(name)
        ctl.root.add_s(dn, [(key, [value.encode() for value in values]) for key, values in {
            "objectClass": ["b2bPartner"], "b2bTenantId": [name], "b2bTrustMfa": ["TRUE"],
            "b2bHomeUri": ["ldaps://home.example"], "b2bIdp": idps}.items() if values])
        done = ctl.add_partner("--discovery", issuer, "--audience", name, "--tenant-claim",
                               f"tid={name}", partner=name)
        assert done.stdout == f"changed {dn}\n"
        entry = ctl.server.entry(dn, ("*",), ctl.root)
        assert entry["b2bIdp"] == wanted
        assert entry["b2bTrustMfa"] == ["TRUE"] and entry["b2bHomeUri"] == ["ldaps://home.example"]
        assert list(ctl.keys(dn)) == ["ec"]


def test_add__what_was_chosen_by_hand_stays(ctl, web, keys):
    """Algorithms are not widened; where none of them fits, or the issuer is another, nothing is
    written.  Audiences that are given take the place of those that were."""
    issuer = web.publish(keys["ec"].jwk(), keys["rsa"].jwk())
    ctl.add_partner("--discovery", issuer, "--audience", "one")
    ctl.root.modify_s(ACME, [replace("b2bTokenAlgorithm", "ES256")])
    ctl.add_partner("--discovery", issuer, "--audience", "two")
    have = ctl.settings(ACME)
    assert have["b2bTokenAlgorithm"] == ["ES256"] and have["b2bAudience"] == ["two"]
    web.publish(keys["rsa"].jwk())
    before = subtree(ctl.root, BASE)
    done = ctl.add_partner("--discovery", issuer, code=1)
    assert "b2bTokenAlgorithm (ES256) has none of those that the provider uses" in done.stderr
    done = ctl.add_partner("--discovery", web.publish(keys["ec"].jwk(), path="/other"), code=1)
    assert f'has another issuer, "{issuer}"' in done.stderr
    assert subtree(ctl.root, BASE) == before


def test_add__dry_run(ctl, web, keys):
    before = subtree(ctl.root, BASE)
    done = ctl.add_partner("--discovery", web.publish(keys["ec"].jwk()), "--audience", "b",
                           "--dry-run")
    assert done.stdout == f"would add {ACME}\n"
    assert subtree(ctl.root, BASE) == before


def test_add__two_partners_of_one_issuer(ctl, web, keys):
    """Nobody could tell whose a token is: refused before anything is written, unless a claim tells
    them apart."""
    issuer = web.publish(keys["ec"].jwk())
    args = ("--discovery", issuer, "--audience", "b2b")
    ctl.add_partner(*args, "--tenant-claim", "hd=a.example")
    before = subtree(ctl.root, BASE)
    for more in ([], ["--tenant-claim", "hd=a.example"], ["--tenant-claim", "tid=1"]):
        done = ctl.add_partner(*args, *more, "--dry-run", partner="beta", code=1)
        assert ACME in done.stderr and "b2bIssuer" in done.stderr
    assert subtree(ctl.root, BASE) == before
    ctl.add_partner(*args, "--tenant-claim", "hd=b.example", partner="beta")


def bad_documents(url, keys):
    """name: (discovery document or bytes, key set or bytes, words of the refusal)"""
    def document(**changes):
        return {"issuer": url, "jwks_uri": f"{url}/keys", **changes}
    right = {"keys": [keys["ec"].jwk()]}
    private = {**keys["ec"].jwk(), "d": "AAAA"}
    return {
        "no JSON": (b"<html>sign in</html>", right, "not JSON"),
        "behind it": (json.dumps(document()).encode() + b"{}", right, "not JSON"),
        "member twice": (b'{"issuer":"' + url.encode() + b'","issuer":"x"}', right, "not JSON"),
        "a list": ([document()], right, "not a discovery document"),
        "empty": (b"", right, "not JSON"),
        "no issuer": (document(issuer=None), right, "names no issuer"),
        "issuer is a number": (document(issuer=7), right, "names no issuer"),
        "issuer of another": (document(issuer="https://idp.evil.example"), right,
                              "is not the one whose document this is"),
        "issuer below": (document(issuer=f"{url}/below"), right, "is not the one whose"),
        "issuer with more": (document(issuer=f"{url}.evil.example"), right, ""),
        "issuer with a query": (document(issuer=f"{url}?x=y"), right, "has a query"),
        "template": (document(issuer="https://login.microsoftonline.com/{tenantid}/v2.0"), right,
                     "use the URL of the tenant itself"),
        "escapes": (document(issuer="https://x\u001b[31m\u202e"), right, ""),
        "no jwks_uri": (document(jwks_uri=None), right, "names no jwks_uri"),
        "keys in the clear": (document(jwks_uri="http://192.0.2.1/keys"), right,
                              "only https:// is fetched"),
        "keys of a file": (document(jwks_uri="file:///etc/passwd"), right, "not a URL"),
        "keys by ftp": (document(jwks_uri="ftp://127.0.0.1/keys"), right, "only https://"),
        "keys with a user": (document(jwks_uri=f"http://user:secret@127.0.0.1/"), right,
                             "user's name"),
        "algorithms no list": (document(id_token_signing_alg_values_supported="ES256"), right,
                               "is not a list"),
        "algorithms unknown": (document(id_token_signing_alg_values_supported=["none", "HS256"]),
                               right, "none of the algorithms"),
        "algorithms of other keys": (document(id_token_signing_alg_values_supported=["RS256"]),
                                     right, "no key fits"),
        "no keys": (document(), {"keys": []}, "/keys"),
        "keys no JSON": (document(), b"{", "/keys"),
        "keys no set": (document(), [], "/keys"),
        "keys member twice": (document(), json.dumps(right).encode()[:-1] + b',"keys":[]}',
                              "/keys"),
        "private key alone": (document(), {"keys": [private]}, "/keys"),
        "symmetric key alone": (document(), {"keys": [{"kty": "oct", "k": "AAAA"}]}, "/keys"),
        "keys not there": (document(jwks_uri=f"{url}/none"), right, "HTTP status 404"),
    }


@pytest.mark.parametrize("name", bad_documents("http://127.0.0.1:1", {"ec": Key()}))
def test_add__bad_documents_change_nothing(ctl, web, keys, name):
    """Each ends with code 1 and words that say what is wrong, without a byte that steers a
    terminal; the directory is as it was."""
    document, key_set, words = bad_documents(web.url, keys)[name]
    web.routes[WELL_KNOWN], web.routes["/keys"] = document, key_set
    before = subtree(ctl.root, BASE)
    done = ctl.add_partner("--discovery", web.url, "--audience", "b2b", code=1)
    assert words in done.stderr and done.stdout == ""
    assert not ESCAPES & set(done.stderr) and "\u202e" not in done.stderr
    assert "secret" not in done.stderr
    assert subtree(ctl.root, BASE) == before


def test_add__a_private_key_among_others(ctl, web, keys):
    """It is left out, and named; it does not get into the directory."""
    issuer = web.publish(keys["ec"].jwk(), {**keys["new"].jwk(), "d": "c2VjcmV0"},
                         {"kty": "oct", "kid": "sym", "k": "c2VjcmV0"},
                         {**keys["rsa"].jwk(), "kid": "enc", "use": "enc"})
    done = ctl.add_partner("--discovery", issuer, "--audience", "b2b")
    for kid in ("new", "sym"):
        assert [line for line in done.stderr.splitlines()
                if "note: " in line and kid in line and "left out" in line], done.stderr
    assert "c2VjcmV0" not in done.stderr + done.stdout
    assert list(ctl.keys(ACME)) == ["ec"] and "d" not in ctl.keys(ACME)["ec"]


def test_add__only_what_may_be_fetched(ctl):
    """http of another machine, other schemes, names and passwords, control characters: refused
    before anything is sent."""
    for url in ("http://192.0.2.1/", "http://idp.example", "http://localhost.evil.example",
                "http://127.0.0.1.evil.example", "ftp://127.0.0.1/", "file:///etc/passwd",
                "https://user:secret@idp.example", "https://", "https://idp.example/ x",
                "https://idp.example/#x", "https://idp.example/?x", "http://[::2]/",
                "gopher://127.0.0.1/"):
        start = time.monotonic()
        done = ctl.add_partner("--discovery", url, code=1)
        assert time.monotonic() - start < 4, url
        assert "secret" not in done.stderr and "b2bctl: " in done.stderr


def test_add__redirects_are_not_followed(ctl, web, keys):
    """Neither the document's nor the keys'; the message says where to."""
    issuer = web.publish(keys["ec"].jwk())
    for path in (WELL_KNOWN, "/keys"):
        web.publish(keys["ec"].jwk())
        web.routes["/elsewhere"] = web.routes[path]
        web.routes[path] = redirect(f"{web.url}/elsewhere")
        done = ctl.add_partner("--discovery", issuer, "--audience", "b2b", code=1)
        assert f"redirects to {web.url}/elsewhere, which is not followed" in done.stderr
    assert "/elsewhere" not in web.asked


def test_add__too_large(ctl, web, keys):
    """A document that says that it is large, one that has no end, and a file."""
    issuer = web.publish(keys["ec"].jwk())
    for route in (b" " * (1 << 20) + b"{}", endless):
        web.routes[WELL_KNOWN] = route
        done = ctl.add_partner("--discovery", issuer, code=1)
        assert "larger than 1024 KiB" in done.stderr


def test_add__too_slow(ctl, web, keys):
    """A byte a second is given up after 15 seconds."""
    issuer = web.publish(keys["ec"].jwk())
    web.routes[WELL_KNOWN] = drip(web)
    start = time.monotonic()
    done = ctl.add_partner("--discovery", issuer, code=1)
    assert 10 < time.monotonic() - start < 25
    assert WELL_KNOWN in done.stderr


def test_add__tls(ctl, certs, keys):
    """An authority that the system does not know wants --ca-file; another's is not believed, nor a
    name that the certificate has not."""
    with Web((certs.cert, certs.key)) as web:
        issuer = web.publish(keys["ec"].jwk())
        args = ("--discovery", issuer, "--audience", "b2b")
        before = subtree(ctl.root, BASE)
        for more in ([], ["--ca-file", certs.impostor.ca], ["--ca-file", "/nonexistent"]):
            assert issuer in ctl.add_partner(*args, *more, code=1).stderr
        # TLS does not send us to where there is none
        plain = f"http://127.0.0.1:{web.port}/keys"
        web.publish(keys["ec"].jwk(), jwks_uri=plain)
        assert "is not https:// as the issuer is" in ctl.add_partner(*args, "--ca-file", certs.ca,
                                                         code=1).stderr
        assert subtree(ctl.root, BASE) == before
        web.publish(keys["ec"].jwk())
        ctl.add_partner(*args, "--ca-file", certs.ca)
        assert ctl.settings(ACME)["b2bJwksUri"] == [f"{issuer}/keys"]
    with Web(certs.authority.server(san="DNS:other.example")) as web:
        done = ctl.add_partner("--discovery", web.publish(keys["ec"].jwk()), "--ca-file", certs.ca,
                   partner="beta", code=1)
        assert web.url in done.stderr and web.asked == []


def test_add__usage(ctl):
    for args in ([], ["--partner", "a"], ["--discovery", "x"], ["--partner", "a", "--keys", "x"],
                 ["--partner", "a", "--issuer", "x"], ["--partner", "", "--discovery", "x"],
                 ["--partner", "a", "--discovery", "x", "--issuer", "y"],
                 ["--refresh", "--discovery", "x"], ["--refresh", "--audience", "x"],
                 ["--partner", "a", "--discovery", "x", "--token", "x"]):
        assert ctl.bare("partner", "add", *args).returncode == 2, args
    for args in (["show"], ["test"], ["show", "a", "b"], ["burn", "a"]):
        assert ctl.bare("partner", *args).returncode == 2, args
