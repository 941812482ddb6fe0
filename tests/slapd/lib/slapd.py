"""A private slapd: own directory, free loopback port, ldapi socket, optional TLS listener.

Readiness is polled, the log is kept, and stop() demands a clean exit.  Nothing here knows the
module; builders.py does.
"""

import contextlib
import ldap
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

SBIN = "/usr/sbin"
START_SECS = 20
STOP_SECS = 30
# In a log, each of these means that something went wrong inside slapd.
ALARMS = re.compile(r"LeakSanitizer|AddressSanitizer|runtime error:|[Aa]ssertion .* failed|"
                    r"double free|corrupted|stack smashing")

_given_ports = set()
_running = []


class HarnessError(AssertionError):
    """The harness could not do what a test asked; the text carries the end of the log."""


def free_port():
    """A TCP port that nobody listens on, outside the range of outgoing connections, so that none
    of those takes it before the server does."""
    while True:
        port = random.randrange(20000, 32000)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


def poll(condition, secs, what, step=0.02):
    """Calls condition until it gives something true and returns that; else HarnessError."""
    end = time.monotonic() + secs
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= end:
            raise HarnessError(f"{what}: not within {secs} s")
        time.sleep(step)


def faketime_env(offset):
    """Environment for a slapd that lives at another time ("+90d"); the process clock alone."""
    found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is not installed"
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def client_env(extra=None):
    """Environment without anybody's ldap.conf or LDAP* variables."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LDAP")}
    env.update({"LDAPNOINIT": "1", "LC_ALL": "C"})
    env.update(extra or {})
    return env


def stop_all():
    """Ends every slapd still running, whatever its state; gives the list of complaints."""
    complaints = []
    for server in list(_running):
        try:
            server.stop()
        except AssertionError as error:
            complaints.append(str(error))
        server.remove()
    return complaints


class Slapd:
    """One slapd.

    conf: slapd.conf as text, or ldif: cn=config as LDIF for slapadd -n0.  "{dir}" in either
    stands for the server's directory (databases go below it; "{dir}/db" exists).
    certs: a Certs object; adds an ldaps listener and offers StartTLS.
    convert: turn conf into cn=config by slaptest, so that changes at run time survive a restart.
    """

    def __init__(self, conf=None, ldif=None, certs=None, convert=False, env=None, debug="stats",
                 rootdn=None, rootpw=None, suffix=None, urls=(), name="slapd"):
        assert (conf is None) != (ldif is None), "give conf or ldif"
        self.name, self.env, self.debug, self.certs = name, dict(env or {}), debug, certs
        self.rootdn, self.rootpw, self.suffix = rootdn, rootpw, suffix
        self.dir = Path(tempfile.mkdtemp(prefix="b2bt-", dir="/tmp"))
        (self.dir / "db").mkdir()
        self.port = free_port()
        self.uri = f"ldap://127.0.0.1:{self.port}"
        self.ldapi = "ldapi://" + quote(str(self.dir / "ldapi"), safe="")
        self.ldaps = f"ldaps://127.0.0.1:{free_port()}" if certs else None
        self.extra_urls = list(urls)
        self.logfile = self.dir / "log"
        self.process = None
        self.conf_file, self.conf_dir = None, None
        self.ctl = []  # connections given out, closed at stop
        try:
            if conf is not None:
                self._write_conf(conf, convert)
            else:
                self._load_config(ldif)
        except BaseException:
            self.remove()
            raise

    # Configuration

    def _write_conf(self, conf, convert):
        self.conf_file = self.dir / "slapd.conf"
        self.conf_file.write_text(self._tls_conf() + conf.replace("{dir}", str(self.dir)))
        if convert:
            (self.dir / "slapd.d").mkdir()
            # slaptest wants the databases to be there, and with -u writes nothing.
            kinds = re.findall(r"^database\s+(\w+)", conf, re.M)
            stored = [kind for kind in kinds if kind not in ("frontend", "config")]
            for number, kind in enumerate(stored, 1):
                if kind == "mdb":
                    self.tool("slapadd", "-q", "-n", number, input="")
            self.tool("slaptest", "-f", self.conf_file, "-F", self.dir / "slapd.d", plain=True)
            self.conf_file, self.conf_dir = None, self.dir / "slapd.d"

    def _tls_conf(self):
        if not self.certs:
            return ""
        return (f"TLSCACertificateFile {self.certs.ca}\nTLSCertificateFile {self.certs.cert}\n"
                f"TLSCertificateKeyFile {self.certs.key}\nTLSVerifyClient never\n")

    def _load_config(self, ldif):
        self.conf_dir = self.dir / "slapd.d"
        self.conf_dir.mkdir()
        self.tool("slapadd", "-n0", input=ldif.replace("{dir}", str(self.dir)))

    def config_args(self):
        return ["-F", str(self.conf_dir)] if self.conf_dir else ["-f", str(self.conf_file)]

    # Life

    def urls(self):
        urls = [f"{self.uri}/", self.ldapi] + self.extra_urls
        return urls + [f"{self.ldaps}/"] if self.ldaps else urls

    def start(self, secs=START_SECS):
        """Starts slapd and waits until it answers.  Returns self."""
        assert self.process is None, "already running"
        with open(self.logfile, "ab") as log:
            self.process = subprocess.Popen(
                [f"{SBIN}/slapd", "-h", " ".join(self.urls()), *self.config_args(),
                 "-d", self.debug],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._slapd_env(),
                cwd=self.dir, start_new_session=True)
        _running.append(self)
        try:
            poll(self._answers, secs, f"{self.name}: readiness")
        except HarnessError as error:
            self._end_process(signal.SIGKILL)
            raise HarnessError(f"{error}\n{self.tail()}") from None
        return self

    def start_fails(self, secs=START_SECS):
        """Starts slapd, demands that it refuses by itself, and gives what it said."""
        mark = self.log_mark()
        try:
            self.start(secs)
        except HarnessError:
            text = self.log(mark)
            assert "not within" not in text
            return text
        self.stop()
        raise HarnessError(f"{self.name} started although it should have refused")

    def _slapd_env(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("LDAP")}
        env["LC_ALL"] = "C"
        env.update(self.env)
        return env

    def _answers(self):
        if self.process.poll() is not None:
            code = self.process.returncode
            raise HarnessError(f"{self.name} ended at the start with code {code}")
        if not (self.dir / "ldapi").exists():
            return False
        probe = ldap.initialize(self.ldapi)
        probe.set_option(ldap.OPT_NETWORK_TIMEOUT, 2)
        probe.timeout = 5
        try:
            probe.search_ext_s("", ldap.SCOPE_BASE, attrlist=["1.1"])
            return True
        except ldap.SERVER_DOWN:
            return False
        except ldap.LDAPError:
            return True  # it answers, if only with a refusal
        finally:
            with contextlib.suppress(ldap.LDAPError):
                probe.unbind_ext_s()

    def _end_process(self, how, secs=STOP_SECS):
        """Signals slapd and waits; gives its exit code, None if it had to be killed."""
        process, self.process = self.process, None
        if self in _running:
            _running.remove(self)
        if process is None:
            return 0
        for connection in self.ctl:
            with contextlib.suppress(ldap.LDAPError, AttributeError):
                connection.unbind_ext_s()
        self.ctl.clear()
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(secs)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def stop(self, how=signal.SIGINT, secs=STOP_SECS):
        """Ends slapd; it must go by itself, with code 0 and without an alarm in its log."""
        code = self._end_process(how, secs)
        assert code is not None, f"{self.name} did not end within {secs} s\n{self.tail()}"
        # slapd answers before its main thread knows that it is ready (daemon.c): told to end in
        # between, it ends as it should, and calls that a failed start
        early = code == 1 and "listener initialization failed" in self.log()
        assert code == 0 or early, f"{self.name} ended with code {code}\n{self.tail()}"
        alarm = ALARMS.search(self.log())
        assert not alarm, f"{self.name}: {alarm.group(0)} in the log\n{self.tail(80)}"

    def kill(self):
        """Ends slapd in the middle of whatever it does."""
        self._end_process(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def remove(self):
        """Ends what runs, without questions, and takes the directory away."""
        self._end_process(signal.SIGKILL)
        if not os.environ.get("B2B_KEEP_DIRS"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
        finally:
            self.remove()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    # Clients

    def open(self, uri=None, timeout=20):
        """A connection that nobody is bound on yet; over ldapi unless uri says otherwise."""
        connection = ldap.initialize(uri or self.ldapi)
        connection.protocol_version = 3
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, timeout)
        connection.timeout = timeout
        if self.certs:
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(self.certs.ca))
            connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        self.ctl.append(connection)
        return connection

    def conn(self, dn="", password="", uri=None, starttls=False, timeout=20):
        """A bound connection (anonymous by default).  Raises ldap.INVALID_CREDENTIALS and so on,
        with the server's text in error.args[0].get("info")."""
        connection = self.open(uri, timeout)
        if starttls:
            connection.start_tls_s()
        connection.simple_bind_s(dn, password)
        return connection

    def root(self):
        """Bound as the rootdn of the database."""
        return self.conn(self.rootdn, self.rootpw)

    def config(self):
        """Bound as the rootdn of cn=config (builders set one)."""
        return self.conn("cn=config", self.rootpw)

    def entry(self, dn, attrs=("*", "+"), connection=None):
        """An entry as {attribute: [text, ...]}, or None where it is not found."""
        own = connection or self.root()
        try:
            found = own.search_ext_s(dn, ldap.SCOPE_BASE, attrlist=list(attrs))
        except ldap.NO_SUCH_OBJECT:
            return None
        finally:
            if connection is None:
                own.unbind_ext_s()
        if not found:
            return None
        return {k: [v.decode("utf-8", "replace") for v in vs] for k, vs in found[0][1].items()}

    # Tools

    def tool(self, program, *args, input=None, check=True, plain=False, timeout=120, env=None):
        """Runs slapadd, ldapsearch, ... with this server's configuration or address before args.
        Gives a CompletedProcess with text; a code other than 0 is a HarnessError unless check is
        False.  plain: args alone."""
        program = str(program)
        if plain:
            lead = []
        elif program.startswith("slap"):
            lead = self.config_args()
        else:
            lead = ["-x", "-H", self.ldapi]
        path = f"{SBIN}/{program}" if program.startswith("slap") else program
        done = subprocess.run([path, *lead, *map(str, args)], input=input, text=True,
                              capture_output=True, timeout=timeout, env=client_env(env))
        if check and done.returncode:
            raise HarnessError(f"{program} ended with code {done.returncode}:\n{done.stdout}"
                               f"{done.stderr}")
        return done

    def load(self, ldif, *args):
        """Puts entries in: slapadd while stopped, ldapadd as the rootdn while running."""
        ldif = ldif.replace("{dir}", str(self.dir))
        if self.process is None:
            return self.tool("slapadd", *args, "-b", self.suffix, input=ldif)
        return self.tool("ldapadd", "-D", self.rootdn, "-w", self.rootpw, *args, input=ldif)

    def modify(self, ldif, *args, dn=None, password=None, check=True):
        """Applies change records by ldapmodify, as the rootdn unless dn is given; cn=config
        changes as dn="cn=config"."""
        ldif = ldif.replace("{dir}", str(self.dir))
        return self.tool("ldapmodify", "-D", dn or self.rootdn, "-w", password or self.rootpw,
                         *args, input=ldif, check=check)

    # Log

    def log(self, since=0):
        """What slapd said, from a mark on."""
        try:
            return self.logfile.read_bytes()[since:].decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def log_mark(self):
        try:
            return self.logfile.stat().st_size
        except FileNotFoundError:
            return 0

    def wait_log(self, regex, timeout=10, since=0):
        """Waits for a line of the log; gives the match."""
        pattern = re.compile(regex)
        try:
            return poll(lambda: pattern.search(self.log(since)), timeout, f"log line /{regex}/")
        except HarnessError as error:
            raise HarnessError(f"{error}\n{self.tail()}") from None

    def tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])
