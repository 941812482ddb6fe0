"""The frame of our extended operations: what is no request, which tenant, TLS, restrictions,
consumers, a server without its gate."""

import ldap
import pytest

from lib import builders as b, life

PARTNER = b.partner_ldif("home", lines="b2bTenantDomain: home.example\nb2bIdp: passcode\n")
OIDS = (life.INVITE, life.REQUEST, life.TOTP)


@pytest.fixture(scope="module")
def server(make_server, certs):
    """A tenant that signs; strangers may ask."""
    return make_server(life.signing_server, certs=certs, data=PARTNER,
                       tenant="b2bSelfService: anonymous")


@pytest.mark.parametrize("value", [
    None, b"", b"{", b"null", b"[]", b'"mail"', b"{} x", b'{"mail":"a@home.example"',
    b"\xff\xfe", b"[" * 5000, b'{"mail":"a@home.example","mail":"b@home.example"}',
    b'{"mail":"a\\u0000@home.example"}', b'{"mail":"a@home.example","more":1}',
    b'{"Mail":"a@home.example"}', b'{"suffix":1}', b'{"suffix":""}',
    b'{"message":"' + b"x" * 70000 + b'"}',
], ids=range(17))
def test_exop__no_request(server, value):
    """What is no JSON object, names a member twice or one that is not known, is too long, or holds
    a NUL is a protocol error for each operation, whoever asks. Nothing is made of it."""
    for oid in OIDS:
        assert life.refusal(server.root(), oid, value)[0] == 2, oid
    assert not life.entries(server, b.GUESTS) and not life.entries(server, life.REQUESTS)


def test_exop__unknown_member_is_named(server):
    """The refusal says which; what would break a line is not told back."""
    assert life.refusal(server.root(), life.INVITE, {"mail": "a@home.example", "sponsors": []}) == \
        (2, "b2b: sponsors: unknown member")
    code, text = life.refusal(server.root(), life.INVITE, {"a\nb": 1})
    assert code == 2 and "\n" not in text


@pytest.mark.parametrize("members,said", [
    ({"mail": 1}, "mail"), ({"mail": ""}, "mail"), ({"mail": ["a@home.example"]}, "mail"),
    ({"applications": [1]}, "applications"), ({"applications": {}}, "applications"),
    ({"applications": [""]}, "applications"), ({"applications": ["a"] * 65}, "applications"),
    ({"sponsor": [None]}, "sponsor"), ({"validUntil": 5}, "validUntil"),
    ({"validUntil": "tomorrow"}, "validUntil"),
    ({"validUntil": "2030-13-01T00:00:00Z"}, "validUntil"),
    ({"validUntil": "2030-01-01"}, "validUntil"),
    ({"validUntil": "2030-01-01T00:00:00"}, "validUntil"),
], ids=range(13))
def test_exop__wrong_kind_of_value(server, members, said):
    """A member of another kind than wanted is a protocol error that names it."""
    code, text = life.refusal(server.root(), life.INVITE, {"mail": "a@home.example", **members})
    assert code == 2 and text.startswith(f"b2b: {said}:"), text


def test_exop__no_dn(server):
    """A name that is none is told with its value."""
    refused = life.refusal(
    server.root(), life.INVITE, {
        "mail": "a@home.example", "sponsor": "boss"})
    assert refused == (34, 'b2b: sponsor: value "boss" is no DN')


@pytest.mark.parametrize("text,kept", [
    ("20350131120000Z", "20350131120000Z"), ("203501311200Z", "20350131120000Z"),
    ("2035-01-31T12:00:00Z", "20350131120000Z"), ("2035-01-31T12:00:00.25Z", "20350131120000Z"),
    ("2035-01-31T12:00:00+02:00", "20350131100000Z"),
    ("2035-01-31T12:00:00-00:30", "20350131123000Z"),
], ids=range(6))
def test_exop__times(server, text, kept):
    """GeneralizedTime and RFC 3339, with fraction and offset."""
    dn = life.invite(server.root(), "time@home.example", validUntil=text)["dn"]
    assert server.entry(dn)["b2bValidUntil"] == [kept]
    server.root().delete_s(dn)


def test_exop__announced(server):
    """The root DSE names the operations."""
    found = server.conn().search_s("", ldap.SCOPE_BASE, attrlist=["supportedExtension"])
    assert {oid.encode() for oid in OIDS} <= set(found[0][1]["supportedExtension"])


def test_exop__needs_tls(server):
    """Where the tenant demands TLS each is refused with 13 in the clear, before anything else is
    judged; over TLS and ldapi they are not."""
    life.settings(server, "b2bRequireTls:")
    try:
        plain = server.conn(b.ROOTDN, b.ROOTPW, uri=server.uri)
        for oid in OIDS:
            assert life.refusal(plain, oid, {})[0] == 13
        assert life.refusal(server.conn(uri=server.uri), life.REQUEST, {})[0] == 13
        for connection in (server.conn(b.ROOTDN, b.ROOTPW, uri=server.ldaps), server.root()):
            life.invite(connection, "tls@home.example")
    finally:
        life.settings(server, "b2bRequireTls: FALSE")


def test_exop__anonymous(server):
    """Who is not bound may make requests; invitations and one-time passwords are refused without a
    word, even for what is no request."""
    for value in ({"mail": "a@home.example"}, {"x": 1}, b"{"):
        for oid in (life.INVITE, life.TOTP):
            assert life.refusal(server.conn(), oid, value) == (50, None)
    assert life.refusal(server.conn(), life.REQUEST, {"mail": "not"})[0] == 19


def test_exop__restrictions_of_configuration(make_server):
    """A read-only database, and one that wants a security strength for updates, refuse for these
    operations too, of strangers as well."""
    server = make_server(life.signing_server, data=PARTNER, tenant="b2bSelfService: anonymous")
    conf = server.conf_file.read_text()
    for line, code in (("readonly on", 53), ("security update_ssf=128", 13)):
        server.stop()
        server.conf_file.write_text(conf.replace("dbnosync\n", f"dbnosync\n{line}\n"))
        server.start()
        for connection in (server.root(), server.conn()):
            refused = life.refusal(connection, life.REQUEST, {"mail": "a@home.example"})
            assert refused[0] == code, line
        assert life.uninvited(server.root(), "a@home.example")[0] == code
    server.stop()
    server.conf_file.write_text(conf.replace("dbnosync\n", "dbnosync\nrequires authc\n"))
    server.start()
    assert life.refusal(server.conn(), life.REQUEST, {"mail": "a@home.example"})[0] == 53
    assert life.request(server.root(), life.REQUEST, {"mail": "a@home.example"})


def consumer_conf(referral):
    lines = (f"syncrepl rid=1 provider=ldap://127.0.0.1:9 bindmethod=simple type=refreshOnly "
             f"searchbase={b.SUFFIX} retry=\"60 +\"\n")
    return lines + (f"updateref {referral}\n" if referral else "")


@pytest.mark.parametrize("referral", [None, "ldap://provider.example:389/"])
def test_exop__on_a_consumer(make_server, referral):
    """A server that follows another one sends the client there where it knows the address, and
    writes nothing itself."""
    server = make_server(b.tenant_server, database=consumer_conf(referral), start=False,
                         b2b="b2b-key-file {dir}/key.pem\n")
    life.make_key(server)
    server.start()
    root = server.root()
    code, _, text, _, _ = life.answer(life.request, root, life.INVITE, {"mail": "a@home.example"})
    if referral:
        assert code == 10 and "ldap://provider.example" in text
    else:
        assert (code, text) == (53, "b2b: this server does not write: ask its provider")
    assert not life.entries(server, b.GUESTS)


def test_exop__which_tenant(make_server):
    """Set-up: a server with two tenants, and members in both. Expected: who is bound in one is
    served there; suffix names the other one; a stranger, and who is bound nowhere, must say which;
    a suffix of none is refused."""
    other = "dc=other,dc=example"
    second = b.database_conf(suffix=other, directory="{dir}",
                             lines="overlay b2b\nb2b-key-file {dir}/key.pem\n")
    server = make_server(b.tenant_server, databases=second, start=False, data=PARTNER,
                         b2b="b2b-key-file {dir}/key.pem\n")
    life.make_key(server)
    ours = b.tree_ldif(b.SUFFIX, ("people", "guests")) + b.policy_ldif() + PARTNER
    server.tool("slapadd", "-b", other, input=ours.replace(b.SUFFIX, other)
                .replace("dc: ours", "dc: other"))
    server.start()
    here, there = server.root(), server.conn(f"cn=admin,{other}", b.ROOTPW)
    elsewhere = server.config()
    assert life.invite(here, "a@home.example")["dn"].endswith(b.GUESTS)
    assert life.invite(there, "a@home.example")["dn"].endswith(f"ou=guests,{other}")
    mia = server.conn(b.member_dn("mia"), "mia-pw")
    there.modify_s(f"cn=b2b,{other}", [(ldap.MOD_REPLACE, "b2bAllowInvitesFrom", b"members"),
                                       (ldap.MOD_REPLACE, "b2bSelfService", b"members")])
    for connection in (here, mia):
        assert life.uninvited(connection, "b@home.example", suffix=other)[0] == 50
        assert life.refusal(connection, life.REQUEST,
                            {"mail": "b@home.example", "suffix": other})[0] == 50
    assert life.uninvited(elsewhere, "b@home.example") == \
        (53, "b2b: suffix: it must be said which tenant")
    assert life.refusal(server.conn(), life.REQUEST, {"mail": "b@home.example"}) == \
        (53, "b2b: suffix: it must be said which tenant")
    for name in ("dc=nowhere", "cn=config", "nonsense"):
        refused = life.uninvited(here, "b@home.example", suffix=name)
        assert refused == (53, f'b2b: suffix: value "{name}" is of no tenant of this server')


def test_exop__names_of_other_databases(make_server):
    """A guest or sponsor named by a DN of another database, shorter or longer than ours, is not
    looked up in ours."""
    server = make_server(life.signing_server, data=PARTNER)
    root = server.root()
    for dn in ("dc=x", "cn=config", "uid=a,ou=b,ou=c,ou=d,ou=e,dc=other,dc=example"):
        assert life.refusal(root, life.TOTP, {"action": "enroll", "guest": dn}) == (50, None)
        assert life.uninvited(root, "a@home.example", sponsor=dn)[0] == 19
    assert server.alive()


def test_exop__without_gate(make_server):
    """Set-up: the gate is taken away at run time.  Expected: each operation answers that."""
    server = make_server(b.tenant_server, start=False, convert=True,
                         b2b="b2b-key-file {dir}/key.pem\n")
    life.make_key(server)
    server.start()
    server.config().delete_s("olcOverlay={0}b2bgate,olcDatabase={-1}frontend,cn=config")
    for oid in OIDS:
        for connection in (server.root(), server.conn()):
            assert life.refusal(connection, oid, {}) == (52, "b2b: the gate is missing")


def test_exop__nothing_secret_is_logged(make_server):
    """Neither tickets nor what a request held are in the log of "stats"."""
    server = make_server(life.signing_server, data=PARTNER)
    made = life.invite(server.root(), "a@home.example", message="between us alone")
    life.wait_notices(server, "invitation")
    log = server.log()
    assert made["ticket"] not in log and "between us" not in log
