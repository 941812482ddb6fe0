"""A b2bd of its own for a test: configuration, account, start, end, and what it said.

    server = builders.tenant_server(**b2bd.conf(key=KEY), data=b2bd.account())
    with MailServer() as mail, B2bd(server, mail) as daemon:
        ...

As root it runs as nobody, as it would not run as root; its files are in a directory of its own.
"""

import itertools
import json
import ldap
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from . import builders as b, records
from .slapd import ALARMS, HarnessError, client_env, poll

B2BD = Path(os.environ.get("B2B_BD", b.TOP / "build" / "b2bd"))
TEMPLATES = b.TOP / "templates"
OUTBOX, REQUESTS = f"cn=outbox,{b.BASE}", f"cn=requests,{b.BASE}"
ACCOUNT = b.service_dn("b2bd")
FROM = "guests@ours.example"
_count = itertools.count()

# What the account needs, as b2bd(8) says it.
ACCESS = f"""access to dn.subtree="{OUTBOX}" by dn.exact="{ACCOUNT}" write by * none
access to dn.subtree="{REQUESTS}" attrs=b2bRequestState by dn.exact="{ACCOUNT}" manage by * break
access to dn.subtree="{REQUESTS}" attrs=b2bRequestAnswer by dn.exact="{ACCOUNT}" write by * break
access to dn.subtree="{REQUESTS}" by dn.exact="{ACCOUNT}" read by * break
access to attrs=b2bPasscodeHash,b2bPasscodeUntil,b2bPasscodeTries
    by dn.exact="{ACCOUNT}" manage by * none
"""


def conf(key=None, access="", **more):
    """Options for builders.tenant_server: syncprov, access control, the key file."""
    options = dict(modules=("syncprov",), database="overlay syncprov\n",
                   access=access + ACCESS + b.ACCESS)
    if key:
        options["b2b"] = f"b2b-key-file {key}\n"
    options.update(more)
    return options


def account():
    return b.service_ldif("b2bd")


def container(name):
    return f"dn: cn={name},{b.BASE}\nobjectClass: b2bContainer\ncn: {name}\n\n"


# --- notices, as the server makes them ---

def add(server, dn, **values):
    """Adds an entry as the rootdn, who says that it is meant so."""
    def octets(value):
        return value if isinstance(value, bytes) else str(value).encode()
    lists = [(name, [octets(v) for v in (value if isinstance(value, list) else [value])])
             for name, value in values.items() if value is not None]
    connection = server.root()
    connection.add_ext_s(dn, lists, serverctrls=records.RELAX)
    connection.unbind_ext_s()
    return dn


def notice(server, kind="disabled", to=None, data=None, raw=None, cn=None, **more):
    """A notice, with as much in its data as the server always puts there; gives its DN.  raw: data
    as it stands."""
    name = cn or f"{kind}-{next(_count):032x}"
    facts = {"tenant": "Ours", "base": b.BASE.lower(), "guestName": "Alice",
             "guestMail": "alice@home.example", **(data or {})}
    values = {"b2bNoticeType": kind, "b2bNoticeTo": to or f"{name}@to.example",
              "b2bNoticeData": raw if raw is not None else json.dumps(facts), **more}
    dn = f"cn={ldap.dn.escape_dn_chars(name)},{OUTBOX}"
    return add(server, dn, objectClass="b2bNotice", cn=name, **values)


def name_of(dn):
    return ldap.dn.explode_dn(dn, notypes=True)[0]


def address_of(dn):
    return f"{name_of(dn)}@to.example"


def gone(server, *dns, secs=20):
    """Waits until notices are deleted."""
    connection = server.root()
    for dn in dns:
        poll(lambda: server.entry(dn, connection=connection) is None, secs, f"{dn} is deleted")


def notice_with(server, dn, attribute, value=None, secs=20):
    """Waits until a notice has an attribute (with that value); gives the notice."""
    def look():
        found = server.entry(dn)
        assert found is not None, f"{dn} is gone"
        return found if found.get(attribute, []) != [] and value in (None, found[attribute][0]) \
            else None
    return poll(look, secs, f"{dn} {attribute} {value}")


def set_notice(server, dn, *changes):
    connection = server.root()
    connection.modify_ext_s(dn, list(changes), serverctrls=records.RELAX)
    connection.unbind_ext_s()


class B2bd:
    """config: lines of b2bd.conf, "_" for "-"; None leaves a line out."""

    def __init__(self, server, mail, key=None, env=None, **config):
        self.server, self.mail, self.process, self._last = server, mail, None, b""
        self.dir = Path(tempfile.mkdtemp(prefix="b2bd-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.env = dict(env or {})
        self.logfile, self.conf = self.dir / "log", self.dir / "b2bd.conf"
        self.templates = self.dir / "templates"
        if TEMPLATES.exists():
            shutil.copytree(TEMPLATES, self.templates)
        self.config = {
            "uri": server.uri if server else "ldapi:///", "base": b.BASE, "bind_dn": ACCOUNT,
            "password_file": self.file("password", "b2bd-pw\n"),
            "smtp_url": mail.url if mail else "smtp://127.0.0.1:9", "from": f"Ours <{FROM}>",
            "templates": self.templates, "retry": "1s", "timeout": "5s",
            "key_file": self.file("key.pem", Path(key).read_text()) if key else None,
            "user": "nobody" if os.geteuid() == 0 else None}
        self.set(**config)

    def file(self, name, text, mode=0o644):
        """A file that the daemon may read; gives its path."""
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def set(self, **config):
        """Changes lines of the configuration; the daemon reads them when it starts."""
        self.config.update(config)
        self.file("b2bd.conf", "".join(f"{key.replace('_', '-')} {value}\n" for key, value
                                       in self.config.items() if value is not None))
        return self

    def _env(self):
        env = client_env(self.env)
        env.setdefault("ASAN_OPTIONS", os.environ.get("B2B_BD_ASAN", "detect_leaks=0"))
        return env

    # Life

    def start(self, *args, ready=True):
        """ready: waits until it follows the directory, or says why not."""
        assert self.process is None, "already running"
        mark = self.log_mark()
        # what root has, for the daemon to give up
        more = {"extra_groups": [0, 4]} if os.geteuid() == 0 else {}
        with open(self.logfile, "ab") as log:
            self.process = subprocess.Popen([B2BD, "-d", "-f", self.conf, *args],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self._env(), cwd="/", start_new_session=True,
                                            **more)
        if ready:
            self.wait_log(r"started, for", since=mark)
        return self

    def _end(self, how, secs):
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(secs)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def stop(self, secs=5):
        """Told to end, it does so at once and with code 0."""
        code = self._end(signal.SIGTERM, secs)
        assert code == 0, f"b2bd ended with code {code}\n{self.tail()}"
        alarm = ALARMS.search(self.log())
        assert not alarm, f"b2bd: {alarm.group(0)}\n{self.tail()}"

    def kill(self):
        """Without a word."""
        self._end(signal.SIGKILL, 5)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def run(self, *args, timeout=60):
        """Runs it to its end (-t, -1); a CompletedProcess."""
        return subprocess.run([B2BD, "-d", "-f", self.conf, *args], capture_output=True, text=True,
                              env=self._env(), timeout=timeout, stdin=subprocess.DEVNULL)

    def remove(self):
        """The log can still be read."""
        self.kill()
        self._last = self.log().encode()
        if not os.environ.get("B2B_KEEP_DIRS"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
            else:
                print(f"b2bd said:\n{self.tail()}")
        finally:
            self.remove()

    # Log

    def log(self, since=0):
        try:
            text = self.logfile.read_bytes()
        except FileNotFoundError:
            text = self._last
        return text[since:].decode("utf-8", "replace")

    def log_mark(self):
        return self.logfile.stat().st_size if self.logfile.exists() else 0

    def tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def wait_log(self, regex, timeout=10, since=0):
        pattern = re.compile(regex)
        try:
            return poll(lambda: pattern.search(self.log(since)), timeout, f"log line /{regex}/")
        except HarnessError as error:
            raise HarnessError(f"{error}\n{self.tail()}") from None
