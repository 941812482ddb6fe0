"""The control of a partner's server (.4.1): the Out settings decide before the password is seen."""

import json
import socket

import ldap
import pytest
from ldap.controls import RequestControl, RequestControlTuples

from lib import builders as b, sasl
from lib.hostile import ber, ber_int, ber_split
from lib.records import replace

CONTROL = "2.25.197761738801757102242170991844305268053.4.1"
PARTNER = b.partner_dn("theirs")
MIA, MAX = b.member_dn("mia"), b.member_dn("max")
STAFF = f"cn=staff,ou=groups,{b.SUFFIX}"
GROUPS = (f"dn: ou=groups,{b.SUFFIX}\nobjectClass: organizationalUnit\nou: groups\n\n"
          f"dn: {STAFF}\nobjectClass: groupOfNames\ncn: staff\nmember: {MIA}\n\n")
LOCKOUT = f"cn=lockout,{b.SUFFIX}"
LOCKING = (f"dn: {LOCKOUT}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: lockout\n"
           f"pwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 100\n\n")
OTHER_SUFFIX = "dc=other,dc=example"
OTHER = f"uid=zoe,ou=people,{OTHER_SUFFIX}"
OUT = ("b2bCollabOutUsersAccess", "b2bCollabOutUsersTarget", "b2bCollabOutAppsAccess",
       "b2bCollabOutAppsTarget", "b2bGroupTarget")


@pytest.fixture(scope="module")
def server(make_server):
    """A tenant with a partner that asks, members, a group, a guest, a service account, a
    password policy that counts failures, and a database without a tenant."""
    other = b.database_conf(suffix=OTHER_SUFFIX, directory="{dir}")
    server = make_server(b.tenant_server, start=False, databases=other, modules=("ppolicy",),
                         database=f"overlay ppolicy\nppolicy_default {LOCKOUT}\n")
    server.tool("slapadd", "-b", OTHER_SUFFIX, input=b.tree_ldif(OTHER_SUFFIX, ("people",))
                + b.people_ldif(("zoe",), f"ou=people,{OTHER_SUFFIX}"))
    server.start()
    server.load(b.partner_ldif("theirs", "ldap://127.0.0.1:1") + b.guest_ldif("alice", "theirs")
                + b.service_ldif("wiki") + GROUPS + LOCKING
                + b.app_ldif("wiki", f"b2bAppServiceDN: {b.service_dn('wiki')}"))
    return server


@pytest.fixture
def out(server):
    """out(dn, **settings): the Out settings of an entry, gone again afterwards."""
    touched, root = set(), server.root()

    def put(dn, **settings):
        touched.add(dn)
        mods = [(ldap.MOD_REPLACE, f"b2bCollabOut{name}" if name != "groups" else "b2bGroupTarget",
                 [v.encode() for v in ([value] if isinstance(value, str) else value)])
                for name, value in settings.items()]
        root.modify_s(dn, mods)
    yield put
    for dn in touched:
        root.modify_s(dn, [(ldap.MOD_REPLACE, name, None) for name in OUT])
    root.unbind_ext_s()


def asking(tenant="theirs", application=None, critical=False, value=None):
    if value is None:
        value = {"tenant": tenant}
        if application is not None:
            value["application"] = application
        value = json.dumps(value)
    return RequestControl(CONTROL, critical, value if value is None or isinstance(value, bytes)
                          else value.encode())


def answer(call, *args, **options):
    try:
        call(*args, **options)
        return 0, ""
    except ldap.LDAPError as error:
        return error.args[0]["result"], error.args[0].get("info", "")


def bind(server, dn=MIA, password="mia-pw", controls=None, **of):
    """(code, text) of a bind with the control."""
    connection = server.open()
    try:
        return answer(connection.simple_bind_s, dn, password,
                      serverctrls=[asking(**of)] if controls is None else controls)
    finally:
        connection.unbind_ext_s()


def denied(server, mark, reason, who=MIA, tenant="theirs", app="directory", rule=None):
    return server.wait_log(
        rf'b2b: conn=\d+ op=\d+ member="{who}" tenant={tenant} app={app} verdict=deny '
        rf'reason={reason} rule="{PARTNER if rule is None else rule}"', since=mark)


def test_control__is_announced(server):
    """The root DSE's supportedControl has it."""
    dse = server.open().read_rootdse_s(attrlist=["supportedControl"])
    assert CONTROL.encode() in dse["supportedControl"]


def test_control__is_for_binds_alone(server):
    """Critical on another operation: unavailableCriticalExtension; not critical: ignored there."""
    connection = server.conn(MIA, "mia-pw")
    for critical, code in ((True, 12), (False, 0)):
        assert answer(connection.search_ext_s, MIA, ldap.SCOPE_BASE,
                      serverctrls=[asking(critical=critical)])[0] == code


@pytest.mark.parametrize("critical", (True, False))
def test_control__permits(server, critical):
    """Nothing is set, collaboration is allowed: the right password is right, a wrong one is 49,
    and whose it is the connection is as after any bind."""
    assert bind(server, critical=critical) == (0, "")
    assert bind(server, application="wiki", critical=critical) == (0, "")
    assert bind(server, password="wrong", critical=critical) == (49, "")
    connection = server.open()
    connection.simple_bind_s(MIA, "mia-pw", serverctrls=[asking(critical=critical)])
    assert connection.whoami_s() == f"dn:{MIA}"


@pytest.mark.parametrize("critical", (True, False))
@pytest.mark.parametrize("value", (
    b"", b"{", b"[]", b'"theirs"', b"{}", b'{"tenant":""}', b'{"tenant":1}', b'{"tenant":null}',
    b'{"tenant":["theirs"]}', b'{"application":"wiki"}', b'{"tenant":"theirs","application":""}',
    b'{"tenant":"theirs","application":7}', b'{"tenant":"theirs","tenant":"ours"}',
    b'{"tenant":"theirs","more":1}', b'{"tenant":"theirs"} x', b'{"tenant":"the\\u0000irs"}',
    b'{"tenant":"\xff"}', b'{"tenant":"' + b"x" * 5000 + b'"}', b"[" * 4000,
), ids=range(19))
def test_control__malformed(server, value, critical):
    """A value that is no such object: protocolError, critical or not, the right password or not;
    nobody is bound."""
    connection = server.open()
    control = asking(value=value, critical=critical)
    assert answer(connection.simple_bind_s, MIA, "mia-pw", serverctrls=[control])[0] == 2
    assert connection.whoami_s() == ""
    assert answer(connection.simple_bind_s, MIA, "wrong", serverctrls=[control])[0] == 2


def test_control__without_a_value_or_twice(server):
    """No value at all, and the control twice: protocolError."""
    assert bind(server, controls=[RequestControl(CONTROL, False, None)])[0] == 2
    assert bind(server, controls=[asking(), asking()])[0] == 2
    assert bind(server, controls=[asking(), asking("stranger")])[0] == 2


@pytest.mark.parametrize("critical", (True, False))
def test_control__unknown_tenant(server, critical):
    """A tenant that is no partner of ours: 49 without text though the password is right, and the
    log line cannot be forged by the name."""
    mark = server.log_mark()
    assert bind(server, tenant="stranger", critical=critical) == (49, "")
    denied(server, mark, "partner-unknown", tenant="stranger", rule="")
    mark = server.log_mark()
    assert bind(server, tenant='x" verdict=allow\nb2b: y', critical=critical) == (49, "")
    denied(server, mark, "partner-unknown", tenant=r"x\?\?verdict=allow\?b2b:\?y", rule="")


USERS = [  # users target, and whether it means mia
    (MIA, True), (MIA.replace("uid=mia", "UID = Mia"), True), (MAX, False), (STAFF, True),
    (STAFF.upper().replace(",", " , "), True), ("theirs", True), ("Theirs", True),
    ("other", False), ("entryUUID", True), (f"cn=gone,ou=groups,{b.SUFFIX}", False),
]


@pytest.mark.parametrize("at", ("partner", "default"))
@pytest.mark.parametrize("target, means", USERS)
def test_control__users(server, out, at, target, means):
    """Each kind of users target, spelled as it may be, allowed and blocked, at the partner and at
    the default: mia comes through exactly where the table says so."""
    dn = PARTNER if at == "partner" else f"cn=default,{b.BASE}"
    if target == "entryUUID":
        target = server.entry(MIA)["entryUUID"][0]
    for access in ("allowed", "blocked"):
        out(dn, UsersAccess=access, UsersTarget=target, AppsAccess=access)
        mark = server.log_mark()
        if means == (access == "allowed"):
            assert bind(server) == (0, "")
            continue
        assert bind(server) == (49, "")
        denied(server, mark, "outbound-users", rule=dn)


def test_control__apps(server, out):
    """Applications are ids of the partner's, whether or not we have one of that name."""
    out(PARTNER, UsersAccess="allowed", AppsAccess="allowed", AppsTarget=["wiki", "pay"])
    assert bind(server, application="wiki") == (0, "")
    assert bind(server, application="PAY") == (0, "")
    for application in ("shop", "directory", None):
        mark = server.log_mark()
        assert bind(server, application=application) == (49, "")
        denied(server, mark, "outbound-apps", app=application or "directory")
    out(PARTNER, AppsAccess="blocked", AppsTarget="directory")
    assert bind(server) == (49, "")
    assert bind(server, application="wiki") == (0, "")


def test_control__blocked_groups_that_are_not_known(server, out):
    """A target that is marked as a group and cannot be read, or is no DN, may have mia in it:
    blocked, it keeps her in, and the log says why."""
    for group in (f"cn=gone,ou=groups,{b.SUFFIX}", "staff"):
        out(PARTNER, UsersAccess="blocked", UsersTarget=group, AppsAccess="blocked", groups=group)
        mark = server.log_mark()
        assert bind(server) == (49, "")
        denied(server, mark, "outbound-users")
        server.wait_log(f'users target "{group}" is ', since=mark)


def test_control__at_once(server, out):
    """A block holds for the very next bind, its end too; a member who leaves the group that is
    let out stays in from then on; other binds of the same person are untouched."""
    out(PARTNER, UsersAccess="allowed", UsersTarget=STAFF, AppsAccess="allowed", groups=STAFF)
    assert bind(server) == (0, "")
    root = server.root()
    root.modify_s(STAFF, [replace("member", MAX)])
    try:
        assert bind(server) == (49, "")
        assert bind(server, MAX, "max-pw") == (0, "")
        assert bind(server, controls=[]) == (0, "")
    finally:
        root.modify_s(STAFF, [replace("member", MIA)])
    assert bind(server) == (0, "")


def test_control__who_is_no_member(server):
    """A guest, the rootdn, a service account, policy, a name where nothing stands, a database that
    is no tenant's, cn=config: 49 without text with the right password, whoever asks; the reason
    is in the log.  Without the control each of those that has a password of its own comes in."""
    for dn, password, reason, rule in (
            (b.guest_dn("alice"), "alice-pw", "outbound-users", ""),
            (b.ROOTDN, b.ROOTPW, "outbound-users", ""),
            (b.service_dn("wiki"), "wiki-pw", "outbound-users", ""),
            (PARTNER, "x", "outbound-users", ""),
            (b.member_dn("nobody"), "x", "outbound-users", ""),
            (OTHER, "zoe-pw", "policy-invalid", ""),
            ("cn=config", b.ROOTPW, "policy-invalid", ""),
            ("uid=x,dc=nowhere", "x", "policy-invalid", "")):
        mark = server.log_mark()
        assert bind(server, dn, password) == (49, ""), dn
        denied(server, mark, reason, who=dn, rule=rule)
    for dn, password in ((b.ROOTDN, b.ROOTPW), (b.service_dn("wiki"), "wiki-pw"),
                         (OTHER, "zoe-pw"), ("cn=config", b.ROOTPW)):
        assert bind(server, dn, password, controls=[]) == (0, "")


def test_control__no_name_no_password(server):
    """An anonymous bind stays one; a name without a password is refused as ever; a password
    without a name too, a token as well."""
    connection = server.open()
    connection.simple_bind_s("", "", serverctrls=[asking("stranger")])
    assert connection.whoami_s() == ""
    for name, password in ((MIA, ""), ("", "mia-pw"), ("", "e30.e30.e30")):
        assert bind(server, name, password) == bind(server, name, password, controls=[])


def sasl_bind(connection, mechanism, controls):
    """The code of one step of a SASL bind."""
    return answer(connection._l.sasl_bind_s, "", mechanism, b"",
                  RequestControlTuples(controls), None)[0]


@pytest.mark.parametrize("mechanism", ("EXTERNAL", "OAUTHBEARER", "DIGEST-MD5", "NONSENSE"))
def test_control__sasl(server, mechanism):
    """No SASL mechanism answers a partner's question: 49, over ldapi as root (EXTERNAL) too, and
    the connection is as usable afterwards as before."""
    connection = server.open()
    mark = server.log_mark()
    assert sasl_bind(connection, mechanism, [asking()]) == 49
    assert server.wait_log("tenant=theirs app=directory verdict=deny", since=mark)
    assert connection.whoami_s() == ""
    connection.sasl_interactive_bind_s("", ldap.sasl.external())
    assert connection.whoami_s().startswith("dn:")
    assert sasl_bind(connection, mechanism, [asking()]) == 49
    assert connection.whoami_s() == ""


@pytest.mark.parametrize("begun", ("OAUTHBEARER", "DIGEST-MD5"))
def test_control__in_the_middle_of_a_sasl_bind(server, begun):
    """A SASL bind that the client was asked to go on with is given up by what comes
    instead, with the control: a SASL bind, a simple one that is denied, one that is permitted.
    Nobody is bound by what was given up, and slapd lives."""
    for reply, code, who in (
            (lambda c: sasl_bind(c, "EXTERNAL", [asking()]), 49, ""),
            (lambda c: sasl_bind(c, "OAUTHBEARER", [asking()]), 49, ""),
            (lambda c: answer(c.simple_bind_s, MIA, "mia-pw", [asking("stranger")])[0], 49, ""),
            (lambda c: answer(c.simple_bind_s, MIA, "mia-pw", [asking()])[0], 0, f"dn:{MIA}")):
        connection = server.open()
        assert sasl.step(connection, b"", begun)[0] == sasl.IN_PROGRESS
        assert reply(connection) == code
        assert connection.whoami_s() == who
        connection.sasl_interactive_bind_s("", ldap.sasl.external())
    assert server.alive()


def failures(server):
    return len(server.entry(MIA).get("pwdFailureTime", []))


def test_control__password_is_not_looked_at(server, out):
    """A wrong password counts as a failure of mia's (slapo-ppolicy) where she may visit the tenant
    that asks, and where she may not it does not: nobody looked at it."""
    before = failures(server)
    assert bind(server, password="wrong") == (49, "")
    assert failures(server) == before + 1
    out(PARTNER, UsersAccess="blocked", AppsAccess="blocked")
    assert bind(server, password="wrong") == (49, "")
    assert bind(server, tenant="stranger", password="wrong") == (49, "")
    assert failures(server) == before + 1


def test_control__nothing_can_stand_where_it_leads(server, out):
    """Who may write below its own entry can put no password where a denied bind goes on: such an
    entry has another name."""
    out(PARTNER, UsersAccess="blocked", AppsAccess="blocked")
    below = f"cn=nowhere,{MIA}"
    server.load(f"dn: {below}\nobjectClass: applicationProcess\n"
                f"objectClass: simpleSecurityObject\ncn: nowhere\nuserPassword: below-pw\n\n")
    try:
        assert bind(server, below, "below-pw", controls=[]) == (0, "")
        assert bind(server, password="below-pw") == (49, "")
    finally:
        server.root().delete_s(below)


def raw_bind(server, control_value):
    """The whole answer to a bind of mia, as bytes; control_value None: without the control."""
    request = ber(0x60, ber_int(3) + ber(0x04, MIA.encode()) + ber(0x80, b"wrong"))
    controls = b""
    if control_value is not None:
        controls = ber(0xA0, ber(0x30, ber(0x04, CONTROL.encode()) + ber(0x04, control_value)))
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
        wire.sendall(ber(0x30, ber_int(1) + request + controls))
        data = wire.recv(4096)
    tag, content, rest = ber_split(data)
    assert tag == 0x30 and not rest
    return content


def test_control__answers_are_alike(server):
    """Byte by byte: denied by policy, a wrong password with the control, and without it."""
    plain = raw_bind(server, None)
    assert raw_bind(server, b'{"tenant":"theirs"}') == plain
    assert raw_bind(server, b'{"tenant":"stranger"}') == plain
