"""Programs as Debian ships them and as their manuals configure them obey applications with no
change of their own: Dovecot signs users in for mail, nslcd for the machine (PAM) and knows them by
name (NSS).  Each has a service account, and guests are assigned to each by a group within a group.

Apache httpd has a file of its own, test_apache.py."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import ldap
import pytest

from lib import builders as b
from lib import preload
from lib.slapd import poll

sys.path.insert(0, "/usr/share/nslcd-utils")
import constants  # noqa: E402  of nslcd-utils: Debian's client of nslcd
import nslcd  # noqa: E402

GROUPS = f"ou=groups,{b.SUFFIX}"


class Program:
    """A daemon that stays in the foreground, everything of it in .dir."""

    def __init__(self, server, name):
        self.dir = Path(tempfile.mkdtemp(prefix=f"b2bt-{name}-", dir="/tmp"))
        self.dir.chmod(0o755)
        shutil.copy(server.certs.ca, self.dir / "ca.pem")
        (self.dir / "ca.pem").chmod(0o644)

    def start(self, *command, env=None):
        with open(self.dir / "out.log", "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**os.environ, **(env or {})})
        try:
            poll(self._answers, 20, command[0])
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self.process.poll() is None, self.log()
        return self.is_ready()

    def log(self):
        return (self.dir / "out.log").read_text(errors="replace")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)


class Dovecot(Program):
    """Its authentication server; who has signed in is asked by doveadm, which speaks for IMAP."""

    def __init__(self, server):
        super().__init__(server, "dovecot")
        (self.dir / "ldap.conf.ext").write_text(f"""
uris = {server.ldaps}
tls_ca_cert_file = {self.dir}/ca.pem
tls_require_cert = hard
dn = {b.service_dn("mail")}
dnpass = mail-pw
auth_bind = yes
base = {b.SUFFIX}
scope = subtree
pass_filter = (&(objectClass=inetOrgPerson)(uid=%u))
""")
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(f"""
base_dir = {self.dir}/run
state_dir = {self.dir}/state
instance_name = {self.dir.name}
log_path = /dev/stderr
protocols =
ssl = no
auth_verbose = yes
auth_failure_delay = 0
# nor is anybody made to wait for the failures before
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = ldap
  args = {self.dir}/ldap.conf.ext
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
""")
        self.start("/usr/sbin/dovecot", "-F", "-c", str(self.conf))

    def is_ready(self):
        return (self.dir / "run" / "auth-client").exists()

    def admits(self, name, password):
        done = subprocess.run(["/usr/bin/doveadm", "-c", str(self.conf), "auth", "test", "-x",
                               "service=imap", name, password], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode in (0, 77), done.stdout + done.stderr + self.log()
        return done.returncode == 0


class Nslcd(Program):
    """nslcd, asked as pam_ldap and nss_ldap ask it."""

    def __init__(self, server):
        super().__init__(server, "nslcd")
        (self.dir / "run").mkdir()
        conf = self.dir / "nslcd.conf"
        conf.write_text(f"""
uri {server.ldaps}
base {b.SUFFIX}
binddn {b.service_dn("shell")}
bindpw shell-pw
tls_reqcert demand
tls_cacertfile {self.dir}/ca.pem
filter passwd (objectClass=posixAccount)
""")
        conf.chmod(0o600)
        self.start("/usr/sbin/nslcd", "-n",
                   env={"LD_PRELOAD": preload.library("moved"), "B2B_MOVED": str(self.dir)})

    def is_ready(self):
        constants.NSLCD_SOCKET = str(self.dir / "run" / "socket")
        with contextlib.suppress(OSError):
            nslcd.NslcdClient(constants.NSLCD_ACTION_CONFIG_GET).close()
            return True
        return False

    def _ask(self, action, *texts):
        client = nslcd.NslcdClient(action)
        for text in texts:
            client.write_string(text)
        return client, client.get_response() == constants.NSLCD_RESULT_BEGIN

    def admits(self, name, password):
        """What pam_authenticate hears: PAM_SUCCESS is 0."""
        client, there = self._ask(constants.NSLCD_ACTION_PAM_AUTHC, name, "login", "", "", "",
                                  password)
        answer = client.read_int32() if there else None
        client.close()
        return answer == 0

    def knows(self, name):
        """What getpwnam hears."""
        client, there = self._ask(constants.NSLCD_ACTION_PASSWD_BYNAME, name)
        client.close()
        return there


def posix(name, number):
    return (f"objectClass: posixAccount\nuidNumber: {number}\ngidNumber: {number}\n"
            f"homeDirectory: /home/{name}\n")


def group_ldif(name, *members):
    return (f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n"
            + "".join(f"member: {m}\n" for m in members) + "\n")


def group_dn(name):
    return f"cn={name},{GROUPS}"


@pytest.fixture(scope="module")
def server(certs, home, make_server):
    """Alice may use mail and bob the machine, both by a group in a group; carol neither; dave, of
    mail's group, is expired; mia is a member of ours."""
    server = make_server(b.tenant_server, certs=certs,
                         frontend="include /etc/ldap/schema/nis.schema\n")
    lines = f"b2bHomeCaFile: {home.certs.ca}\nb2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}\n"

    def app(name):
        return b.service_ldif(name) + b.app_ldif(
            name, f"b2bAppServiceDN: {b.service_dn(name)}\nb2bAppAssignmentRequired: TRUE\n"
                  f"b2bAppAssignee: {group_dn(name + '-all')}")
    past = "b2bValidUntil: 20200101000000Z\n"
    guests = "".join(b.guest_ldif(name, lines=posix(name, 2000 + i) + (past * (name == "dave")))
                     for i, name in enumerate(("alice", "bob", "carol", "dave")))
    server.load(b.partner_ldif("home", home.ldaps, lines) + app("mail") + app("shell") + guests
                + f"dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n\n"
                + group_ldif("mail-all", group_dn("mail-some"))
                + group_ldif("mail-some", b.guest_dn("alice"), b.guest_dn("dave"))
                + group_ldif("shell-all", group_dn("shell-some"))
                + group_ldif("shell-some", b.guest_dn("bob")))
    server.root().modify_s(b.member_dn("mia"), [
        (ldap.MOD_ADD, "objectClass", b"posixAccount"), (ldap.MOD_ADD, "uidNumber", b"1999"),
        (ldap.MOD_ADD, "gidNumber", b"1999"), (ldap.MOD_ADD, "homeDirectory", b"/home/mia")])
    return server


@pytest.fixture(scope="module")
def dovecot(server):
    program = Dovecot(server)
    yield program
    program.stop()


@pytest.fixture(scope="module")
def machine(server):
    program = Nslcd(server)
    yield program
    program.stop()


def test_dovecot(dovecot):
    """Only the guest that is assigned to mail signs in, with its home password; members do as ever;
    nobody with a wrong password."""
    asked = [(name, f"{name}-pw") for name in ("alice", "bob", "carol", "dave", "mia")]
    assert [name for name, word in asked if dovecot.admits(name, word)] == ["alice", "mia"]
    assert not any(dovecot.admits(name, "wrong") for name in ("alice", "bob", "mia"))


def test_nslcd(machine):
    """The same of the machine: names of other guests are not even known."""
    names = ("alice", "bob", "carol", "dave", "mia")
    assert [n for n in names if machine.knows(n)] == ["bob", "mia"]
    assert [n for n in names if machine.admits(n, f"{n}-pw")] == ["bob", "mia"], machine.log()
    assert not any(machine.admits(name, "wrong") for name in names)


def test_programs__assignment_ends_and_begins(server, dovecot, machine):
    """Carol comes into the inner group of both, and goes: each program follows with its next
    question."""
    root = server.root()
    inner = [group_dn("mail-some"), group_dn("shell-some")]

    def seen():
        return (dovecot.admits("carol", "carol-pw"), machine.admits("carol", "carol-pw"),
                machine.knows("carol"))
    assert seen() == (False, False, False)
    for dn in inner:
        root.modify_s(dn, [(ldap.MOD_ADD, "member", b.guest_dn("carol").encode())])
    assert seen() == (True, True, True)
    for dn in inner:
        root.modify_s(dn, [(ldap.MOD_DELETE, "member", b.guest_dn("carol").encode())])
    assert seen() == (False, False, False)


def test_programs__partner_is_blocked(server, dovecot, machine):
    """The partner's users are blocked: all its guests are gone for both programs, members are not;
    and all come back."""
    root = server.root()
    block = [("b2bCollabInUsersAccess", b"blocked"), ("b2bCollabInAppsAccess", b"blocked")]

    def seen():
        return (dovecot.admits("alice", "alice-pw"), machine.admits("bob", "bob-pw"),
                machine.knows("bob"))
    assert seen() == (True, True, True)
    root.modify_s(b.partner_dn("home"), [(ldap.MOD_ADD, n, v) for n, v in block])
    assert seen() == (False, False, False)
    assert dovecot.admits("mia", "mia-pw") and machine.admits("mia", "mia-pw")
    root.modify_s(b.partner_dn("home"), [(ldap.MOD_DELETE, n, None) for n, _ in block])
    assert seen() == (True, True, True)
