"""The extended operation .3.4: members, and nobody else, get tokens for a partner where the Out
settings let them; the partner believes them by the keys that the tenant entry publishes."""

import json
import time

import ldap
import pytest

from lib import builders as b, life
from lib.cnconfig import MAIN, code_of
from lib.direct_world import changed
from lib.eyes import BASE, proxy
from lib.mint import key_file
from lib.orgs import Org
from lib.slapd import poll
from lib.tokens import unb64
from test_replication import SYNCPROV, consumer_conf, wait_same

ISSUE = f"{life.ROOT}.4"
REPLACE, DELETE = ldap.MOD_REPLACE, ldap.MOD_DELETE
BLOCKED = {"CollabOutUsersAccess": "blocked", "CollabOutAppsAccess": "blocked",
           "DirectOutUsersAccess": "blocked", "DirectOutAppsAccess": "blocked"}
OPEN = {"CollabOutUsersAccess": "allowed", "CollabOutAppsAccess": "allowed"}
DIRECT = {"DirectOutUsersAccess": "allowed", "DirectOutAppsAccess": "allowed"}


def new_key(server, name, *how):
    path = server.dir / name
    server.tool("openssl", "genpkey", *(how or ("-algorithm", "ed25519")), "-out", path, plain=True)
    return path.read_text()


RSA = ("-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")
P256 = ("-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


class Keys:
    """alpha's key file: what it says is read again when its option is written."""

    def __init__(self, org):
        self.org, self.path = org, org.server.dir / "keys.pem"
        dn = org.server.config().search_s("cn=config", ldap.SCOPE_SUBTREE,
                                          "(objectClass=olcB2bConfig)")[0][0]
        self.dn = dn

    def write(self, *pems):
        self.path.write_text("".join(pems))
        self.path.chmod(0o600)
        self.set(self.path)

    def set(self, path):
        self.org.server.config().modify_s(
            self.dn, [(REPLACE, "olcB2bKeyFile", path and [str(path).encode()])])

    def published(self):
        entry = self.org.server.entry(self.org.base)
        return [key["kid"] for key in json.loads(entry.get("b2bJwks", ['{"keys":[]}'])[0])["keys"]]

    def wait(self, count):
        return poll(lambda: len(self.published()) == count and self.published(), 20, "the keys")


@pytest.fixture(scope="module")
def world(make_server):
    """alpha issues; beta, its partner, has mia as a guest who brings alpha's tokens."""
    alpha = make_server(Org, org_id="alpha", global_conf="authz-policy to\n")
    beta = make_server(Org, org_id="beta")
    alpha.load(b.partner_ldif("beta") + b.service_ldif("wiki")
               + b.app_ldif("wiki", f"b2bAppServiceDN: {b.service_dn('wiki')}")
               + b.guest_ldif("gus", "beta", subject="gus"))
    root = alpha.server.root()
    root.modify_s(alpha.base, [(REPLACE, "b2bTenantDomain", [b"alpha.example"]),
                               (REPLACE, "b2bIssuer", [b"urn:alpha"])])
    root.modify_s(alpha.member("max"), [(REPLACE, "authzTo",
                                         [f"dn.exact:{alpha.member('mia')}".encode()])])
    keys = Keys(alpha)
    keys.first, keys.second = new_key(alpha.server, "one.pem"), new_key(alpha.server, "two.pem",
                                                                        *P256)
    keys.write(keys.first)
    keys.wait(1)
    alpha.set(alpha.partner(beta), **OPEN)
    beta.load(b.partner_ldif("alpha", lines="b2bIdp: oidc\nb2bIssuer: urn:alpha\n"
                             "b2bAudience: beta\n"))
    trust(alpha, beta)
    beta.load(b.guest_ldif("mia", "alpha", subject=alpha.server.entry(
        alpha.member("mia"))["entryUUID"][0]))
    return alpha, beta, keys


def trust(alpha, beta):
    """What partner add --update does."""
    beta.server.root().modify_s(beta.partner(alpha), [
        (REPLACE, "b2bJwks", [alpha.server.entry(alpha.base)["b2bJwks"][0].encode()])])


def ask(connection, tenant="beta", **members):
    return life.request(connection, ISSUE, {"tenant": tenant, **members})


def refusal(connection, *args, **members):
    return code_of(ask, connection, *args, **members)


def mia(alpha, uri=None):
    return alpha.server.conn(alpha.member("mia"), "mia-pw", uri=uri)


def claims_of(token):
    return json.loads(unb64(token.split(".")[1]))


def enters(beta, token):
    connection = beta.server.open()
    return code_of(connection.simple_bind_s, beta.guest("mia"), token)[0]


def test_issue__claims(world):
    """What a token says, how long it is good, who believes it; one line of the log tells of it,
    and nothing of the token; twice asked are two tokens."""
    alpha, beta, keys = world
    mark, before = alpha.server.log_mark(), int(time.time())
    answer = ask(mia(alpha), "BETA", application="urn:app")
    claims = claims_of(answer["token"])
    entry = alpha.server.entry(alpha.member("mia"))
    assert {k: claims.pop(k) for k in ("iss", "sub", "aud", "azp", "tid", "name", "email",
                                       "email_verified", "b2b_out")} == {
        "iss": "urn:alpha", "sub": entry["entryUUID"][0], "aud": "beta", "azp": "urn:app",
        "tid": "alpha", "name": "Mia", "email": entry["mail"][0],
        "email_verified": entry["mail"][0].endswith("@alpha.example"), "b2b_out": ["collaboration"]}
    assert claims["iat"] == claims["nbf"] >= before >= claims["auth_time"] - 1
    assert claims["exp"] == claims["iat"] + 300 == answer["expires"]
    assert set(claims) == {"iat", "nbf", "exp", "jti", "auth_time"}
    header = json.loads(unb64(answer["token"].split(".")[0]))
    assert header == {"alg": "EdDSA", "kid": keys.published()[-1], "typ": "JWT"}
    alpha.server.wait_log(rf'member="{alpha.member("mia")}" tenant=BETA app=urn:app '
                          rf'token jti={claims["jti"]}', since=mark)
    assert not any(part in alpha.server.log(mark) for part in answer["token"].split("."))
    second = ask(mia(alpha))["token"]
    assert claims_of(second)["jti"] != claims["jti"] and "azp" not in claims_of(second)
    assert enters(beta, second) == 0


def test_issue__mail_of_others(world):
    """An address of a domain that is not ours is given, but not vouched for; one that is none is
    left out."""
    alpha, beta, keys = world
    for mail, expected in (("mia@elsewhere.example", ("mia@elsewhere.example", False)),
                           ("mia@ALPHA.example", ("mia@ALPHA.example", True)),
                           ("mia at home", (None, None))):
        with changed(alpha.server, alpha.member("mia"), (REPLACE, "mail", mail)):
            claims = claims_of(ask(mia(alpha))["token"])
            assert (claims.get("email"), claims.get("email_verified")) == expected


def test_issue__b2b_out(world):
    """The token carries each way that is permitted; with neither there is none."""
    alpha, beta, keys = world
    dn = alpha.partner(beta)
    try:
        for settings, ways in (({**OPEN, **DIRECT}, ["collaboration", "direct"]),
                               ({**BLOCKED, **DIRECT}, ["direct"]), ({**BLOCKED, **OPEN},
                                                                     ["collaboration"])):
            alpha.set(dn, **settings)
            token = ask(mia(alpha))["token"]
            assert claims_of(token)["b2b_out"] == ways
            assert enters(beta, token) == (0 if "collaboration" in ways else 53)
    finally:
        alpha.set(dn, **OPEN)


def test_issue__policy_blocks(world):
    """Blocked users, applications and unknown partners: 53 with the reason, logged."""
    alpha, beta, keys = world
    dn = alpha.partner(beta)
    mine = alpha.member("mia")
    rows = ((BLOCKED, {}, "outbound-users"),
            (dict(BLOCKED, CollabOutUsersTarget=mine, CollabOutAppsAccess="allowed"), {},
             "outbound-users"),
            (dict(BLOCKED, **OPEN, CollabOutAppsTarget="wiki"), {}, "outbound-apps"),
            (dict(BLOCKED, **OPEN, CollabOutAppsTarget="wiki"), {"application": "pay"},
             "outbound-apps"),
            (OPEN, {"tenant": "gamma"}, "partner-unknown"))
    try:
        for settings, members, reason in rows:
            alpha.set(dn, **settings)
            mark = alpha.server.log_mark()
            assert refusal(mia(alpha), **members) == (53, f"b2b: {reason}"), reason
            alpha.server.wait_log(f'member="{mine}" .*verdict=deny reason={reason}', since=mark)
        alpha.set(dn, **dict(BLOCKED, **OPEN, CollabOutAppsTarget="wiki"))
        assert claims_of(ask(mia(alpha), application="WIKI")["token"])["azp"] == "WIKI"
    finally:
        alpha.set(dn, **OPEN)


def test_issue__strangers(world):
    """Anonymous, a guest, the rootdn, a service account of an application, who stands in another
    database (cn=config's rootdn): 50 without text, or what the gate says of any such operation."""
    alpha, beta, keys = world
    server = alpha.server
    assert refusal(server.open())[0] == 50
    assert refusal(server.root()) == (50, "")
    assert refusal(server.conn(alpha.own(b.service_dn("wiki")), "wiki-pw")) == (50, "")
    assert refusal(server.config(), suffix=alpha.suffix) == (50, "")


def test_issue__guest(world):
    """beta's mia, a guest there, gets no token of beta's."""
    alpha, beta, keys = world
    token = ask(mia(alpha))["token"]
    guest = beta.server.conn(beta.guest("mia"), token)
    assert refusal(guest, "alpha") == (50, "b2b: guests may not use this operation")


def test_issue__proxied(world):
    """max, whom slapd lets act as mia, gets no token that says he is her; nor as an authzid."""
    alpha, beta, keys = world
    connection = alpha.server.conn(alpha.member("max"), "max-pw")
    request = life.ExtendedRequest(ISSUE, b'{"tenant":"beta"}')
    as_mia = [proxy(f"dn:{alpha.member('mia')}")]
    assert connection.extop_s(life.ExtendedRequest("1.3.6.1.4.1.4203.1.11.3", None), as_mia)[1] \
        == f"dn:{alpha.member('mia')}".encode()
    assert code_of(connection.extop_s, request, as_mia)[0] == 12
    assert claims_of(ask(connection)["token"])["sub"] == \
        alpha.server.entry(alpha.member("max"))["entryUUID"][0]


def test_issue__locked(world):
    """A member who is locked while bound gets none; nor one whose entry went away."""
    alpha, beta, keys = world
    connection = alpha.server.conn(alpha.member("max"), "max-pw")
    root = alpha.server.root()
    root.modify_s(alpha.member("max"), [
        (ldap.MOD_ADD, "objectClass", [b"extensibleObject"]),
        (ldap.MOD_ADD, "b2bAccountEnabled", [b"FALSE"])])
    try:
        assert refusal(connection) == (50, "")
    finally:
        root.modify_s(alpha.member("max"), [(DELETE, "b2bAccountEnabled", None)])
    assert ask(connection)["token"]
    entry = root.search_s(alpha.member("max"), BASE)[0][1]
    root.delete_s(alpha.member("max"))
    try:
        assert refusal(connection) == (50, "")
    finally:
        root.add_s(alpha.member("max"), list(entry.items()))


def test_issue__requests(world):
    """What is no request: 2; without TLS, where the tenant demands it: 13."""
    alpha, beta, keys = world
    connection = mia(alpha)
    for members in ({"tenant": ""}, {"tenant": 1}, {"tenant": "b" * 300}, {"other": "x"},
                    {"application": "a" * 300}, {"application": []}, {"tenant": "b" * 70000}):
        assert refusal(connection, **members)[0] == 2, members
    with changed(alpha.server, alpha.base, (REPLACE, "b2bRequireTls", "TRUE")):
        assert refusal(mia(alpha, alpha.server.uri))[0] == 13
        assert ask(mia(alpha, alpha.server.ldapi))["token"]


def test_issue__tenant_without_id(world):
    alpha, beta, keys = world
    with changed(alpha.server, alpha.base, (DELETE, "b2bTenantId")):
        assert refusal(mia(alpha)) == (53, "b2b: the tenant entry has no b2bTenantId")


def test_issue__issuer(world):
    """Without b2bIssuer the tenant's id is the issuer."""
    alpha, beta, keys = world
    with changed(alpha.server, alpha.base, (DELETE, "b2bIssuer")):
        assert claims_of(ask(mia(alpha))["token"])["iss"] == "alpha"


def test_issue__read_only_server(world):
    """It writes nothing: a server that does not write issues as well."""
    alpha, beta, keys = world
    config = alpha.server.config()
    config.modify_s(MAIN, [(REPLACE, "olcReadOnly", [b"TRUE"])])
    try:
        assert ask(mia(alpha))["token"]
    finally:
        config.modify_s(MAIN, [(REPLACE, "olcReadOnly", [b"FALSE"])])


def test_issue__consumer(make_server):
    """A consumer with the same key file has the provider's b2bJwks, writes none itself, though its
    task runs every second, and issues tokens that this set believes."""
    provider = make_server(b.tenant_server, name="provider", modules=("syncprov",),
                           database=SYNCPROV, b2b="b2b-key-file {dir}/key.pem", start=False)
    key = key_file(provider)
    provider.start()
    provider.load(b.partner_ldif("beta", lines="b2bCollabOutUsersAccess: allowed\n"
                                 "b2bCollabOutAppsAccess: allowed\n"))
    consumer = make_server(b.tenant_server, name="consumer", load=False, sweep=1,
                           database=consumer_conf(provider), b2b=f"b2b-key-file {key}")
    wait_same(provider, consumer)
    poll(lambda: "b2bJwks" in provider.entry(b.BASE), 20, "the keys")
    wait_same(provider, consumer)
    token = ask(consumer.conn(b.member_dn("mia"), "mia-pw"))["token"]
    kid = json.loads(unb64(token.split(".")[0]))["kid"]
    assert [k["kid"] for k in json.loads(consumer.entry(b.BASE)["b2bJwks"][0])["keys"]] == [kid]
    assert "keys cannot be published" not in consumer.log()


def test_keys__kept(world):
    """An administrator who takes b2bJwks away, or writes another set, gets it back."""
    alpha, beta, keys = world
    before = alpha.server.entry(alpha.base)["b2bJwks"]
    for value in (None, [b'{"keys":[]}']):
        alpha.server.root().modify_s(alpha.base, [(REPLACE, "b2bJwks", value)])
        poll(lambda: alpha.server.entry(alpha.base).get("b2bJwks") == before, 20, "the keys")


def test_keys__rotation(world):
    """A key that is appended signs from then on; what the old one signed stays good where the new
    set was read.  A key taken out is no longer believed, and the first keeps drawing tickets."""
    alpha, beta, keys = world
    old = ask(mia(alpha))["token"]
    try:
        keys.write(keys.first, keys.second)
        first, second = keys.wait(2)
        new = ask(mia(alpha))["token"]
        assert json.loads(unb64(new.split(".")[0])) == {"alg": "ES256", "kid": second,
                                                        "typ": "JWT"}
        assert (enters(beta, old), enters(beta, new)) == (0, 49)
        trust(alpha, beta)
        assert (enters(beta, old), enters(beta, new)) == (0, 0)
        keys.write(new_key(alpha.server, "rsa.pem", *RSA), keys.second)
        assert keys.wait(1) == [second]
        trust(alpha, beta)
        assert (enters(beta, old), enters(beta, new)) == (49, 0)
        # announced before it signs
        keys.write(keys.second, keys.first, keys.second)
        assert keys.wait(2) == [second, first]
        assert json.loads(unb64(ask(mia(alpha))["token"].split(".")[0]))["kid"] == second
    finally:
        keys.write(keys.first)
        keys.wait(1)
        trust(alpha, beta)


def test_keys__none(world):
    """Without a key file, or with one that cannot sign, there are no tokens, and the set that is
    published stays as it is."""
    alpha, beta, keys = world
    before = keys.published()
    try:
        mark = alpha.server.log_mark()
        for pems in ((new_key(alpha.server, "rsa.pem", *RSA),), ("nothing",)):
            keys.write(keys.first)
            assert ask(mia(alpha))["token"]
            keys.write(*pems)
            assert refusal(mia(alpha)) == (53, "b2b: b2b-key-file has no key that signs tokens")
        alpha.server.wait_log("holds no key that is Ed25519 or P-256: no tokens are signed",
                              since=mark)
        for path in (None, alpha.server.dir / "missing.pem"):
            keys.write(keys.first)
            assert ask(mia(alpha))["token"]
            keys.set(path)
            assert refusal(mia(alpha))[0] == 53
        assert keys.published() == before
    finally:
        keys.write(keys.first)
    assert ask(mia(alpha))["token"]
