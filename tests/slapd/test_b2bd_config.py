"""b2bd's configuration, and how it speaks to mail servers: TLS, names, passwords."""

import os
import re

import pytest

from lib import b2bd as daemon, builders as b
from lib.b2bd import B2bd, gone, notice, notice_with
from lib.mailserver import MailServer

USER = ("b2bd-mail", "mail-pw")


@pytest.fixture(scope="module")
def server(make_server, certs):
    server = make_server(b.tenant_server, certs=certs, **daemon.conf())
    server.load(daemon.account() + daemon.container("outbox"))
    return server


@pytest.fixture
def bd():
    """Not running, with a configuration that is good."""
    made = B2bd(None, None)
    yield made
    made.remove()


# --- TLS and passwords ---

@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_smtp__tls(server, certs, tls):
    """Set-up: a mail server with TLS, by STARTTLS or from the start, and its authority as
    smtp-ca-file.  Steps: a notice.  Expected: sent, over TLS."""
    with MailServer(certs, tls) as mail, Trusting(server, mail, certs.ca):
        gone(server, notice(server))
    assert len(mail.mails) == 1


class Trusting(B2bd):
    """b2bd with smtp-ca-file, and a name and password where they are given."""

    def __init__(self, server, mail, ca, user=None):
        super().__init__(server, mail, timeout="2s")
        self.set(smtp_ca_file=self.file("ca.pem", ca.read_text()))
        if user:
            self.set(smtp_user=user[0], smtp_password_file=self.file("smtp", user[1] + "\n"))


def put_off(server, bd):
    """Puts a notice, gives why it is not sent."""
    with bd:
        dn = notice(server)
        found = notice_with(server, dn, "b2bNoticeError")
    server.root().delete_s(dn)
    assert "b2bNoticeState" not in found
    return found["b2bNoticeError"][0]


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_smtp__impostor(server, certs, tls):
    """Set-up: a mail server whose certificate is of another authority.  Steps: a notice.  Expected:
    nothing is sent to it, the notice is put off and says why."""
    with MailServer(certs.impostor.server(), tls) as mail:
        why = put_off(server, Trusting(server, mail, certs.ca))
    assert "certificate" in why and mail.mails == []


def test_smtp__another_name(server, certs):
    """Set-up: a mail server with a good certificate of another name.  Steps: a notice.  Expected:
    nothing is sent."""
    with MailServer(certs.authority.server("DNS:other.example")) as mail:
        why = put_off(server, Trusting(server, mail, certs.ca))
    assert "match" in why and mail.mails == []


def test_smtp__starttls_is_not_given_up(server, certs):
    """Set-up: TLS is demanded; a mail server that does not offer it.  Steps: a notice.  Expected:
    nothing is sent in the clear, no name and password either."""
    with MailServer(user=USER) as mail:
        why = put_off(server, Trusting(server, mail, certs.ca, USER))
    assert "STARTTLS" in why and mail.mails == [] and mail.logins == []


def test_smtp__name_and_password(server, certs):
    """Set-up: a mail server that demands them.  Steps: a notice with the right password, with a
    wrong one, without.  Expected: sent; put off and not failed, for it is not the mail's fault; the
    password is not in the log."""
    with MailServer(certs, user=USER) as mail:
        with Trusting(server, mail, certs.ca, USER) as bd:
            gone(server, notice(server))
        assert mail.logins[0] == USER and len(mail.mails) == 1
        put_off(server, Trusting(server, mail, certs.ca, (USER[0], "wrong")))
        put_off(server, Trusting(server, mail, certs.ca))
        assert len(mail.mails) == 1 and USER[1] not in bd.log()


# --- the directory ---

@pytest.mark.parametrize("how", ["ldaps", "starttls"])
def test_ldap__tls(server, certs, how):
    """Set-up: slapd with TLS.  Steps: b2bd with its authority, then with an impostor's.  Expected:
    the first sends, the second does not connect."""
    config = {"uri": server.ldaps} if how == "ldaps" else \
        {"uri": server.uri, "starttls": "yes"}
    with MailServer() as mail:
        bd = B2bd(server, mail, **config)
        with bd.set(ca_file=bd.file("ca.pem", certs.ca.read_text())):
            gone(server, notice(server))
        bd = B2bd(server, mail, **config)
        bd.set(ca_file=bd.file("ca.pem", certs.impostor.ca.read_text()))
        assert bd.run("-1").returncode == 1
        bd.remove()


def test_ldap__external(make_server):
    """Set-up: b2bd's user is known by ldapi.  Steps: b2bd without bind-dn.  Expected: it is let in as
    this user, and sends."""
    uid, gid = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    name = f"gidNumber={gid}+uidNumber={uid},cn=peercred,cn=external,cn=auth"
    server = make_server(b.tenant_server, **daemon.conf(
        access=f'access to dn.subtree="{daemon.OUTBOX}" by dn.exact="{name}" write\n'))
    server.dir.chmod(0o755)
    (server.dir / "ldapi").chmod(0o777)
    server.load(daemon.container("outbox"))
    with MailServer() as mail, B2bd(server, mail, uri=server.ldapi, bind_dn=None,
                                    password_file=None):
        gone(server, notice(server))


def test_ldap__wrong_password(server):
    """Set-up: a wrong password, then the right one.  Steps: b2bd starts; the file is changed.
    Expected: it says so and keeps trying, and gets in without a restart."""
    with MailServer() as mail:
        bd = B2bd(server, mail)
        bd.file("password", "wrong\n")
        with bd:
            bd.wait_log(r"warning: .*bind: Invalid credentials \(49\); next attempt in 1 s")
            bd.wait_log("next attempt in 2 s")
            bd.file("password", "b2bd-pw\n")
            gone(server, notice(server), secs=30)
        assert "wrong" not in bd.log() and "b2bd-pw" not in bd.log()


# --- the file ---

def test_config__good(bd):
    """Set-up: a good configuration.  Steps: b2bd -t; the example that is shipped.  Expected: 0, and
    it says so."""
    done = bd.run("-t")
    assert done.returncode == 0 and "are good" in done.stderr, done.stderr


def test_config__comments_and_blanks(bd):
    """Set-up: comments, empty lines, tabs, CR at the ends.  Steps: b2bd -t.  Expected: good."""
    bd.conf.write_text("# comment\r\n\r\n\t # another\n" + bd.conf.read_text().replace(" ", "\t ")
                       .replace("Ours\t ", "Ours ") + "\n")
    assert bd.run("-t").returncode == 0


@pytest.mark.parametrize("line, words", [
    ("colour blue", 'unknown word "colour"'), ("uri", "uri: no value"),
    ("base cn=x", "base: given twice"), ("starttls maybe", '"maybe" is neither yes nor no'),
    ("give-up 3w", '"3w" is no time'), ("give-up 0", "is no time"), ("timeout -1", "is no time"),
    ("give-up 99999999999d", "is no time"), ("language d\x01e", "control character")])
def test_config__bad_line(bd, line, words):
    """Set-up: a line that is wrong, as the third.  Steps: b2bd -t.  Expected: code 1; file, line and
    word are named."""
    lines = bd.conf.read_text().splitlines()
    key = line.split(" ")[0]
    if "twice" not in words:
        lines = [given for given in lines if given.split(" ")[0] != key]
    number = 3 if "twice" not in words else len(lines) + 1
    lines.insert(number - 1, line)
    bd.conf.write_text("\n".join(lines) + "\n")
    done = bd.run("-t")
    assert done.returncode == 1 and f"{bd.conf}:{number}: " in done.stderr, done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("config, words", [
    ({"base": None}, '"base" is missing'), ({"smtp_url": None}, '"smtp-url" is missing'),
    ({"from": None}, '"from" is missing'), ({"bind_dn": None}, "belong together"),
    ({"smtp_user": "x"}, "belong together"), ({"from": "nobody"}, "from: "),
    ({"from": "A <a@b.example"}, "from: "), ({"domain": "a b"}, "domain: "),
    ({"smtp_url": "http://127.0.0.1"}, "smtp-url: "), ({"smtp_url": "mail.example"}, "smtp-url: "),
    ({"smtp_url": "smtp://user:pw@127.0.0.1"}, "smtp-url: "),
    ({"smtp_url": "smtp://127.0.0.1/name"}, "smtp-url: "),
    ({"smtp_url": "smtp://127.0.0.1?x"}, "smtp-url: "),
    ({"uri": "ldap://directory.example"}, 'starttls yes'), ({"uri": "http://x"}, "uri: "),
    ({"request_hook": "http://hook.example/"}, "request-hook: "),
    ({"request_hook": "https://me:pw@hook.example/"}, "request-hook: "),
    ({"request_hook": "file:///etc/passwd"}, "request-hook: "),
    ({"key_file": "/nowhere"}, "/nowhere: No such file"),
    ({"password_file": "/nowhere"}, "/nowhere: No such file"),
    ({"templates": "/nowhere"}, "/nowhere/")])
def test_config__bad_together(bd, config, words):
    """Set-up: lines that are missing, or contradict, or would send secrets in the clear.  Steps:
    b2bd -t.  Expected: code 1, naming what is wrong, no password."""
    done = bd.set(**config).run("-t")
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert "pw@" not in done.stderr or "smtp_url" in config


def test_config__key_that_is_none(bd):
    """Set-up: a key file that holds something else.  Steps: b2bd -t.  Expected: 1; the file is named,
    nothing of it is shown."""
    done = bd.set(key_file=bd.file("key.pem", "not a key at all\n")).run("-t")
    assert done.returncode == 1 and re.search("key.pem: is no .*private key", done.stderr)
    assert "not a key at all" not in done.stderr


@pytest.mark.parametrize("name, text, words", [
    ("disabled.txt", "Subject: x\n\nline\n%{guestNane}\n", "disabled.txt:4: unknown placeholder"),
    ("disabled.txt", "Subject: x\n\n%{code}\n", "disabled.txt:3: unknown placeholder"),
    ("disabled.txt", "Hello\n", 'disabled.txt:1: the first line is no "Subject: ..."'),
    ("disabled.txt", "Subject: %{x}\n\nx\n", "disabled.txt:1: unknown placeholder"),
    ("disabled.txt", "Subject: x\n\n%{if reason}\nx\n", "without its %{end}"),
    ("disabled.txt", "Subject: x\n\n%{end}\n", "disabled.txt:3: nothing is open"),
    ("disabled.txt", "Subject: x\n", "disabled.txt: no text"),
    ("disabled.html", "<p>\n%{reason\n</p>", "disabled.html:2: no } in this line"),
    ("de/deleted.html", "<p>%{nope}</p>", "de/deleted.html:1: unknown placeholder"),
    ("disabled.html", "caf\udce9", "not a text in UTF-8"),
    ("disabeld.txt", "Subject: x\n\nx\n", "disabeld.txt: there is no such kind of mail")])
def test_templates__bad(bd, name, text, words):
    """Set-up: a template with a mistake.  Steps: b2bd -t.  Expected: 1; file, line and what is wrong
    are named."""
    (bd.templates / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    done = bd.run("-t")
    assert done.returncode == 1 and words in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["halted.txt", "halted.html", "de/halted.txt", "de/halted.html"])
def test_templates__missing(bd, name):
    """Set-up: half of a template is missing.  Steps: b2bd -t.  Expected: 1; the file is named."""
    os.unlink(bd.templates / name)
    done = bd.run("-t")
    assert done.returncode == 1 and f"{bd.templates}/{name}: No such file" in done.stderr


def test_command_line(bd):
    """Set-up: none.  Steps: -V, an unknown option, a word too many, a file that is not there.
    Expected: the version; how it is used, code 2, twice; 1."""
    assert "slapo-b2b" in bd.run("-V").stdout
    for args in (("-x",), ("word",)):
        done = bd.run(*args)
        assert done.returncode == 2 and "usage: b2bd" in done.stderr
    assert bd.run("-t", "-f", "/nowhere").returncode == 1


def test_man_page_knows_all():
    """Set-up: b2bd(8), the example, the sources.  Steps: compare.  Expected: each keyword stands in
    the page and in the example, each kind of notice and each name of a value in the page."""
    page = (b.TOP / "man/b2bd.8").read_text()
    example = (b.TOP / "daemon/b2bd.conf").read_text()
    keys = re.findall(r'\{ "([a-z-]+)", (?:TEXT|YES_NO|SECS)',
                      (b.TOP / "daemon/bd_config.c").read_text())
    assert len(keys) > 20
    assert not [key for key in keys if f".It Cm {key}" not in page]
    assert not [key for key in keys if not re.search(rf"^#?{key}\s", example, re.M)]
    table = re.search(r"\} types\[\] = \{(.*?)\};", (b.TOP / "daemon/mail_folder.c").read_text(),
                      re.S).group(1)
    words = re.findall(r"[A-Za-z-]+", " ".join(re.findall(r'"([^"]*)"', table)))
    assert len(words) > 40
    assert not [word for word in words if not re.search(rf"\b{word}\b", page)]
