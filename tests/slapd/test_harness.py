"""The harness itself, against a plain slapd without the module: if one of these fails, do not
believe the others."""

import ldap
import os
import pytest
import re
import socket
from pathlib import Path

from lib import builders
from lib.slapd import HarnessError, Slapd, faketime_env


@pytest.fixture(scope="module")
def plain(certs, make_server):
    return make_server(builders.tenant_server, module=False, certs=certs)


def test_serves_ldap_ldapi_ldaps_and_starttls(plain):
    """A member binds over each listener and is who it should be."""
    dn = builders.member_dn("mia")
    for options in ({}, {"uri": plain.uri}, {"uri": plain.ldaps},
                    {"uri": plain.uri, "starttls": True}):
        bound = plain.conn(dn, "mia-pw", **options)
        assert bound.whoami_s() == f"dn:{dn}"
        bound.unbind_ext_s()


def test_wrong_password_is_refused(plain):
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        plain.conn(builders.member_dn("mia"), "wrong")


def test_impostor_certificate_is_refused(plain, certs, fake_home):
    """The clients of this harness check certificates: one of another authority is not believed."""
    fake = fake_home("success", tls=certs.impostor.server())
    with pytest.raises(ldap.SERVER_DOWN):
        plain.conn("cn=x", "y", uri=fake.uri)
    assert fake.binds == []


def test_schema_ldif_loads_and_is_whole():
    """slapadd takes schema/b2b.ldif, the server publishes every definition of b2b.schema, and an
    entry with the server's own attributes can be stored."""
    ldif = ("dn: cn=config\nobjectClass: olcGlobal\ncn: config\n\n"
            "dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n\n")
    for name in ("core", "cosine", "inetorgperson"):
        ldif += Path(f"/etc/ldap/schema/{name}.ldif").read_text() + "\n"
    ldif += (builders.TOP / "schema" / "b2b.ldif").read_text()
    source = (builders.TOP / "schema" / "b2b.schema").read_text()
    wanted = set(re.findall(r"^(?:attributetype|objectclass) .* NAME '(\w+)'", source, re.M))
    assert len(wanted) > 80
    with Slapd(ldif=ldif) as server:
        subschema = server.entry("cn=Subschema", ("objectClasses", "attributeTypes"),
                                 server.conn())
    published = {name for values in subschema.values() for value in values
                 for name in re.findall(r"NAME '(b2b\w+)'", value)}
    assert published == wanted


def test_restart_keeps_entries_and_log_grows(plain):
    """Stop and start on the same ports; entries stay; wait_log finds lines of the new life."""
    plain.load(builders.guest_ldif("tmp", lines="b2bUserState: Accepted"))
    mark = plain.log_mark()
    plain.restart()
    plain.wait_log(r"slapd starting", since=mark)
    assert plain.entry(builders.guest_dn("tmp"))["b2bHomeTenant"] == ["home"]
    with pytest.raises(HarnessError):
        plain.wait_log("a line that never comes", timeout=0.1)


def test_converted_configuration_survives_restart(make_server):
    """slaptest turns slapd.conf into cn=config; a change at run time is there after a restart."""
    server = make_server(builders.tenant_server, module=False, convert=True)
    server.modify("dn: cn=config\nchangetype: modify\nreplace: olcSizeLimit\nolcSizeLimit: 7\n",
                  dn="cn=config")
    server.restart()
    entry = server.entry("cn=config", connection=server.config())
    assert entry["olcSizeLimit"] == ["7"]


def test_bad_configuration_is_reported_not_hidden():
    """A server that refuses to start is an error with its own words."""
    server = Slapd(conf="no-such-directive 1\n")
    try:
        assert "no-such-directive" in server.start_fails()
    finally:
        server.remove()


def test_time_can_be_moved(make_server):
    """libfaketime moves slapd's clock: an entry is stamped ninety days ahead."""
    server = make_server(builders.home_server, names=("alice",), env=faketime_env("+90d"))
    now = make_server(builders.home_server, names=("alice",))
    for each in (server, now):
        each.load(builders.people_ldif(("zoe",), builders.HOME_PEOPLE))
    stamps = [each.entry(f"uid=zoe,{builders.HOME_PEOPLE}")["createTimestamp"][0]
              for each in (server, now)]
    assert stamps[0][:8] > stamps[1][:8]


def test_stop_notices_a_crash():
    """A slapd that dies by a signal is not taken for one that ended well."""
    server = builders.home_server(names=("alice",))
    os.kill(server.pid, 9)
    with pytest.raises(AssertionError, match="code -9"):
        server.stop()
    server.remove()


@pytest.mark.parametrize("behaviour, error", [
    ("success", None), ("code", ldap.INVALID_CREDENTIALS), ("referral", ldap.REFERRAL),
    ("close", ldap.SERVER_DOWN), ("close_bind", ldap.SERVER_DOWN), ("garbage", ldap.SERVER_DOWN),
    ("hang", ldap.TIMEOUT), ("hang_bind", ldap.TIMEOUT), ("wrong_id", ldap.TIMEOUT),
    ("no_accept", (ldap.SERVER_DOWN, ldap.TIMEOUT)),
])
def test_fake_home_behaves(fake_home, behaviour, error):
    """Each behaviour of the fake looks to libldap as its name says."""
    fake = fake_home(behaviour)
    client = ldap.initialize(fake.uri)
    client.set_option(ldap.OPT_NETWORK_TIMEOUT, 0.5)
    client.set_option(ldap.OPT_REFERRALS, 0)
    client.timeout = 0.5
    if error:
        with pytest.raises(error):
            client.simple_bind_s("cn=x", "pw")
    else:
        client.simple_bind_s("cn=x", "")
        client.simple_bind_s("cn=x", "pw")
        assert fake.binds == [("cn=x", ""), ("cn=x", "pw")]
        assert fake.connections == 1
    client.unbind_ext_s()


def test_fake_home_starttls(fake_home, certs):
    """The fake speaks StartTLS with the certificate it was given."""
    fake = fake_home("success", starttls=(certs.cert, certs.key))
    client = ldap.initialize(fake.uri)
    client.set_option(ldap.OPT_X_TLS_CACERTFILE, str(certs.ca))
    client.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    client.start_tls_s()
    client.simple_bind_s("cn=x", "pw")
    assert fake.binds == [("cn=x", "pw")]
    client.unbind_ext_s()


def test_ports_are_free():
    from lib.slapd import free_port
    ports = {free_port() for _ in range(20)}
    assert len(ports) == 20
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
