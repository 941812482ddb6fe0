"""Apache httpd with mod_authnz_ldap, as Debian ships it and as its manual configures it, obeys the
policy with no change of its own: it searches as its service account, then binds as the user."""

import base64
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import ldap
import pytest

from lib import builders as b
from lib.slapd import free_port, poll

MODULES = "/usr/lib/apache2/modules"


class Httpd:
    """A private httpd that guards one page by our directory; everything in one directory."""

    def __init__(self, server):
        # pytest's directories are the owner's alone; httpd's workers are another user
        self.dir, self.port = Path(tempfile.mkdtemp(prefix="b2bt-httpd-", dir="/tmp")), free_port()
        shutil.copy(server.certs.ca, self.dir / "ca.pem")
        (self.dir / "www").mkdir()
        (self.dir / "www" / "page.txt").write_text("the page\n")
        self.conf = self.dir / "httpd.conf"
        names = ("mpm_event", "authz_core", "authz_user", "authn_core", "auth_basic", "ldap",
                 "authnz_ldap")
        user = "User www-data\nGroup www-data\n" if os.getuid() == 0 else ""
        loads = "".join(f"LoadModule {n}_module {MODULES}/mod_{n}.so\n" for n in names)
        url = server.ldaps + f"/{b.SUFFIX}?uid?sub?(objectClass=inetOrgPerson)"
        self.conf.write_text(loads + user + f"""
ServerRoot {self.dir}
ServerName localhost
Listen 127.0.0.1:{self.port}
PidFile {self.dir}/pid
ErrorLog {self.dir}/error.log
LogLevel debug
DocumentRoot {self.dir}/www
LDAPTrustedGlobalCert CA_BASE64 {self.dir}/ca.pem
# httpd would remember answers; a guest whose access ends must be asked for at once
LDAPCacheEntries 0
LDAPOpCacheEntries 0
<Directory {self.dir}/www>
  AuthType Basic
  AuthName "guests welcome"
  AuthBasicProvider ldap
  AuthLDAPURL "{url}"
  AuthLDAPBindDN "{b.service_dn('web')}"
  AuthLDAPBindPassword web-pw
  Require valid-user
</Directory>
""")
        self.dir.chmod(0o755)
        with open(self.dir / "out.log", "wb") as log:
            self.process = subprocess.Popen(["/usr/sbin/apache2", "-f", str(self.conf),
                                             "-DFOREGROUND"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        poll(self._answers, 20, "httpd")

    def _answers(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.get()
        except OSError:
            return None

    def get(self, name="", password=""):
        """Status and body of the page."""
        http_conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {}
        if name:
            word = base64.b64encode(f"{name}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        http_conn.request("GET", "/page.txt", headers=headers)
        answer = http_conn.getresponse()
        result = answer.status, answer.read().decode()
        http_conn.close()
        return result

    def log(self):
        return "".join((self.dir / n).read_text() for n in ("out.log", "error.log")
                       if (self.dir / n).exists())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def world(certs, home, make_server):
    """(our directory, httpd): guests of a permitted partner, a blocked one, an expired guest, and
    the application "web" with its service account."""
    server = make_server(b.tenant_server, certs=certs)
    lines = (f"b2bHomeCaFile: {home.certs.ca}\n"
             f"b2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}\n")
    blocked = "b2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: blocked\n"
    apps = ("b2bCollabInUsersAccess: allowed\nb2bCollabInAppsAccess: allowed\n"
            "b2bCollabInAppsTarget: other\n")
    server.load(b.service_ldif("web") + b.app_ldif("web", f"b2bAppServiceDN: {b.service_dn('web')}")
                + b.partner_ldif("good", home.ldaps, lines)
                + b.partner_ldif("bad", home.ldaps, lines + blocked)
                + b.partner_ldif("otherapp", home.ldaps, lines + apps)
                + b.guest_ldif("alice", tenant="good") + b.guest_ldif("bob", tenant="bad")
                + b.guest_ldif("carol", tenant="good", lines="b2bValidUntil: 20200101000000Z")
                + b.guest_ldif("dave", tenant="otherapp"))
    httpd = Httpd(server)
    yield server, httpd
    httpd.stop()


def test_apache__permitted_guest_and_member(world):
    """The permitted guest gets the page with its home password, a member with its own; neither
    with a wrong one, and nobody without."""
    _, httpd = world
    assert httpd.get("alice", "alice-pw") == (200, "the page\n"), httpd.log()
    assert httpd.get("mia", "mia-pw") == (200, "the page\n")
    assert httpd.get("alice", "wrong")[0] == 401
    assert httpd.get("alice", "")[0] == 401
    assert httpd.get()[0] == 401


def test_apache__denied_guests(world):
    """A guest of a blocked partner, an expired one and one for whom this application is blocked do
    not get the page although their home password is right: httpd does not even find them."""
    server, httpd = world
    for name in ("bob", "carol", "dave"):
        assert httpd.get(name, f"{name}-pw")[0] == 401, name
    service = server.conn(b.service_dn("web"), "web-pw")
    found = service.search_s(b.SUFFIX, ldap.SCOPE_SUBTREE, "(objectClass=inetOrgPerson)", ["uid"])
    assert sorted(e["uid"][0] for _, e in found) == [b"alice", b"max", b"mia"]


def test_apache__access_ends(world):
    """A guest that had the page loses it with the next request when it is disabled, and has it
    again when it is enabled."""
    server, httpd = world
    root = server.root()
    assert httpd.get("alice", "alice-pw")[0] == 200
    root.modify_s(b.guest_dn("alice"), [(ldap.MOD_REPLACE, "b2bAccountEnabled", b"FALSE")])
    assert httpd.get("alice", "alice-pw")[0] == 401
    root.modify_s(b.guest_dn("alice"), [(ldap.MOD_REPLACE, "b2bAccountEnabled", b"TRUE")])
    assert httpd.get("alice", "alice-pw")[0] == 200
