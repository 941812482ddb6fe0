"""b2bctl invite, guest redeem and guest passcode against a real slapd: one guest and many, what is
wrong with a command line or a file, and a guest that comes in with the ticket that was printed."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import time

import ldap
import pytest

from lib import builders as b, life, mint
from lib.ctl import Ctl, cleaned
from lib.records import DAY, replace, seconds
from lib.slapd import client_env
from lib.tokens import Signer

SIGNER = Signer("https://idp.tokens.example")
TICKET = r"[A-Za-z0-9_-]{75}"
URL = "https://guests.ours.example/?ticket="


def manual(ldif):
    return ldif.replace("b2bAutoRedeemIn: TRUE", "b2bAutoRedeemIn: FALSE")


@pytest.fixture(scope="module")
def served(make_server, certs, home):
    return Ctl(make_server(life.signing_server, certs=certs,
                           tenant="b2bRedemptionUrl: https://guests.ours.example/"))


@pytest.fixture
def ctl(served, home):
    """Partners home (its people have passwords there), tokens and codes, none of which redeems
    without a ticket; an application wiki."""
    served.server.load(manual(
        b.partner_ldif("home", home.uri, "b2bTenantDomain: home.example\n"
                       f"b2bHomeBindDn: uid=%{{uid}},{b.HOME_PEOPLE}\n"
                       "b2bTenantDomain: xn--bcher-kva.example")
        + b.partner_ldif("tokens", lines=SIGNER.partner_lines("b2bTenantDomain: tokens.example"))
        + b.partner_ldif("codes", lines="b2bIdp: passcode\nb2bTenantDomain: codes.example"))
        + b.app_ldif("wiki", "b2bAppAssignmentRequired: TRUE"))
    yield served
    cleaned(served)


def by(ctl, name, *args, **options):
    """b2bctl as one of our members, or as a guest."""
    return ctl.bare("-H", ctl.server.ldapi, "-b", b.SUFFIX, "-D", b.member_dn(name), "-w",
                    f"{name}-pw", *args, **options)


def nobody(ctl, *args, **options):
    return ctl.bare("-H", ctl.server.ldapi, "-x", *args, **options)


def ticket_for(ctl, mail, *args):
    done = ctl.run("invite", "--mail", mail, "--show-ticket", "--sponsor", "mia", *args)
    return re.search(f"^  ticket: ({TICKET})$", done.stdout, re.M).group(1)


# One guest

def test_invite__one(ctl):
    """Everything that can be said of a guest; the answer is its DN and a URL that ends with the
    ticket.  What the directory has is what was said."""
    done = ctl.run("invite", "--mail", "Ada@home.example", "--name", "Ada Lovelace", "--tenant",
                   "home", "--sponsor", "mia", "--sponsor", b.member_dn("max"), "--app", "wiki",
                   "--until", "2099-01-31", "--message", "Welcome", "--language", "de", "--subject",
                   f"uid=ada,{b.HOME_PEOPLE}", "--uid", "ada")
    dn = b.guest_dn("ada")
    assert re.fullmatch(f"invited {dn}\n  url: {re.escape(URL)}{TICKET}\n", done.stdout)
    assert done.stderr == ""
    entry = ctl.server.entry(dn)
    assert {name: entry.get(name) for name in (
        "displayName", "b2bHomeTenant", "b2bValidUntil", "b2bHomeSubject", "b2bUserState",
        "b2bInvitationMessage", "preferredLanguage")} == {
            "displayName": ["Ada Lovelace"], "b2bHomeTenant": ["home"],
            "b2bValidUntil": ["20990201000000Z"], "b2bHomeSubject": [f"uid=ada,{b.HOME_PEOPLE}"],
            "b2bUserState": ["PendingAcceptance"], "b2bInvitationMessage": ["Welcome"],
            "preferredLanguage": ["de"]}
    assert entry["mail"][0].lower() == "ada@home.example"
    assert sorted(entry["b2bSponsor"]) == sorted(map(b.member_dn, ("mia", "max")))
    app = ctl.server.entry(f"cn=wiki,cn=applications,{b.BASE}")
    assert app["b2bAppAssignee"] == [dn]


def test_invite__domains_in_any_script(ctl):
    """An internationalised domain becomes its xn-- form, which is what the partner's says; one that
    cannot be is refused before anything is sent."""
    done = ctl.run("invite", "--mail", "bo@b\u00fccher.example", "--sponsor", "mia")
    assert "invited uid=bo@xn--bcher-kva.example," in done.stdout
    found = ctl.root.search_s(b.GUESTS, ldap.SCOPE_ONELEVEL, "(mail=bo@xn--bcher-kva.example)")
    assert len(found) == 1
    mark = ctl.server.log_mark()
    for mail in ("bo@b\u00fccher..example", "bo@-\u00fc-.example", "bo"):
        done = ctl.run("invite", "--mail", mail, "--sponsor", "mia", code=1)
        assert "mail: " in done.stderr and done.stdout == ""
    assert life.INVITE not in ctl.server.log(mark)


def test_invite__again(ctl):
    """A second invitation has another ticket and makes no second guest; who is in is left alone."""
    first = ticket_for(ctl, "alice@home.example", "--uid", "alice")
    second = ticket_for(ctl, "alice@home.example")
    assert first != second
    assert nobody(ctl, "guest", "redeem", "--password-file", "-", first,
                  input="alice-pw").returncode == 1
    done = nobody(ctl, "guest", "redeem", "--password-file", "-", second, input="alice-pw")
    assert (done.returncode, done.stdout) == (0, f"redeemed {b.guest_dn('alice')}: Accepted\n"), \
        done.stderr
    done = ctl.run("invite", "--mail", "alice@home.example", "--sponsor", "mia", "--show-ticket")
    assert done.stdout == f"unchanged {b.guest_dn('alice')}: Accepted\n"


@pytest.mark.parametrize("args, words", [
    (["--sponsor", "zoe"], "there is nobody zoe"),
    (["--sponsor", "*"], "there is nobody *"),
    (["--sponsor", "both"], "both is 2 people; name one by its DN: "),
    (["--until", "tomorrow"], 'until: "tomorrow" is no date'),
    (["--until", "2027-02-30"], 'until: "2027-02-30" is no date'),
    (["--until", "2020-01-31"], "until: 2020-01-31 is past"),
    (["--until", "+0"], 'until: "+0" is not + and a number of days'),
    (["--until", "+1e3"], 'until: "+1e3" is not'),
    (["--name", b"\xff"], "displayName: not in UTF-8"),
    (["--message", "@/nonexistent"], "/nonexistent: No such file"),
])
def test_invite__wrong_words(ctl, args, words):
    """What is wrong is named, and the server is not asked."""
    ctl.server.load(b.people_ldif(["both"], b.PEOPLE)
                    + b.people_ldif(["more"], b.PEOPLE).replace("more@", "both@")
                    .replace("uid: more", "uid: more\nuid: both"))
    mark = ctl.server.log_mark()
    done = subprocess.run([b.B2BCTL, "-H", ctl.server.ldapi, "-D", b.ROOTDN, "-w", b.ROOTPW,
                           "invite", "--mail", "x@home.example", *args], capture_output=True,
                          text=True, timeout=60, env=client_env())
    for name in ("both", "more"):
        ctl.root.delete_s(b.member_dn(name))
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert done.stdout == "" and life.INVITE not in ctl.server.log(mark)


def test_invite__until_in_every_way(ctl):
    """A day means to its end in UTC; +DAYS counts from now; moments are taken as they stand."""
    for number, (given, wanted) in enumerate((
            ("2099-01-31", "20990201000000Z"), ("2099-01-31T12:00:00Z", "20990131120000Z"),
            ("2099-01-31T12:00:00+02:00", "20990131100000Z"),
            ("2099-01-31T12:00:00.5-01:30", "20990131133000Z"),
            ("20990131120000Z", "20990131120000Z"))):
        ctl.run("invite", "--mail", f"u{number}@home.example", "--sponsor", "mia", "--until", given)
        entry = ctl.server.entry(b.guest_dn(f"u{number}@home.example"))
        assert entry["b2bValidUntil"] == [wanted], given
    ctl.run("invite", "--mail", "ten@home.example", "--sponsor", "mia", "--until", "+10")
    entry = ctl.server.entry(b.guest_dn("ten@home.example"))
    assert abs(seconds(entry["b2bValidUntil"][0]) - time.time() - 10 * DAY) < 60


def test_invite__who_may_not(ctl):
    """What the server says is shown: who may not invite, whom nobody may invite."""
    done = by(ctl, "mia", "invite", "--mail", "x@home.example")
    assert done.returncode == 1 and "x@home.example: Insufficient access (50)" in done.stderr
    done = ctl.run("invite", "--mail", "x@stranger.example", "--sponsor", "mia", code=1)
    assert "x@stranger.example: " in done.stderr and "b2b: " in done.stderr
    life.settings(ctl.server, "b2bAllowInvitesFrom: members")
    try:
        done = by(ctl, "mia", "invite", "--mail", "x@home.example")
        assert (done.returncode, done.stdout.split()[0]) == (0, "invited"), done.stderr
        entry = ctl.server.entry(b.guest_dn("x@home.example"))
        assert entry["b2bSponsor"] == [b.member_dn("mia")]
    finally:
        life.settings(ctl.server, "b2bAllowInvitesFrom:")


def test_invite__dry_run(ctl):
    """Says what would be done, with -v the whole request; nothing is asked for."""
    mark = ctl.server.log_mark()
    done = ctl.run("-v", "invite", "--mail", "x@home.example", "--sponsor", "mia", "--app", "wiki",
                   "--dry-run")
    first, second = done.stdout.splitlines()
    assert first == "would invite x@home.example"
    assert json.loads(second) == {"mail": "x@home.example", "sponsor": [b.member_dn("mia")],
                                  "applications": ["wiki"]}
    assert life.INVITE not in ctl.server.log(mark)


def test_invite__formats(ctl):
    """JSON has the ticket; CSV has it only where it is asked for, and then the URL too."""
    args = ["invite", "--mail", "x@home.example", "--sponsor", "mia", "--format"]
    [one] = json.loads(ctl.run(*args, "json").stdout)
    assert set(one) == {"dn", "state", "expires", "url", "ticket"}
    assert one["dn"] == b.guest_dn("x@home.example") and re.fullmatch(TICKET, one["ticket"])
    assert one["url"] == URL + one["ticket"] and one["state"] == "PendingAcceptance"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["expires"])
    [row] = csv.DictReader(io.StringIO(ctl.run(*args, "csv").stdout))
    assert set(row) == {"dn", "state", "expires"}
    [row] = csv.DictReader(io.StringIO(ctl.run(*args, "csv", "--show-ticket").stdout))
    assert re.fullmatch(TICKET, row["ticket"]) and row["url"] == URL + row["ticket"]


def test_invite__not_in_the_clear(ctl):
    """A ticket is not asked for over plain TCP."""
    mark = ctl.server.log_mark()
    done = ctl.bare("-H", ctl.server.uri, "-D", b.ROOTDN, "-w", b.ROOTPW, "invite", "--mail",
                    "x@home.example")
    assert done.returncode == 1 and "without TLS" in done.stderr
    assert life.INVITE not in ctl.server.log(mark)


def test_invite__usage(ctl):
    for args in (["invite"], ["invite", "--mail", "a@b.example", "--file", "x"],
                 ["invite", "--file", "x", "--uid", "u"], ["invite", "--file", "x", "--name", "n"],
                 ["invite", "--mail", "a@b.example", "word"],
                 ["invite", "--mail", "a@b.example", "--format", "xml"],
                 ["guest", "redeem"], ["guest", "redeem", "--guest", "x", "ticket"],
                 ["guest", "redeem", "--guest", "x"],
                 ["guest", "redeem", "--token", "a", "--passcode", "1", "ticket"],
                 ["guest", "redeem", "--token", "-", "-"], ["guest", "passcode"]):
        assert ctl.bare(*args).returncode == 2, args


# Many

def test_file__goes_on_after_failures(ctl, tmp_path):
    """Right lines are invited; each wrong one is named with its file and line, also where a field
    spans lines; the code is 1."""
    path = tmp_path / "guests.csv"
    path.write_bytes(
        b"\xef\xbb\xbfmail,name,tenant,sponsor,app,until\r\n"
        b"one@home.example,One,,mia;max,wiki,+30\r\n"
        b'two@home.example,"Two ""the\r\nsecond""",,mia,,\r\n'      # lines 3 and 4: a bad name
        b"three@home.example,Three,home,nobody,,\r\n"
        b"four@home.example,Four,home,mia,,yesterday\r\n"
        b"\r\n"
        b"five@home.example,Five\r\n"
        b'"six@home.example,Six,,,,\r\n'
        b"ONE@home.example,One again,,mia,,\r\n"
        b"seven@stranger.example,,,mia,,\r\n"
        b"eight@home.example,\xff,,mia,,\r\n"
        b'nine@home.example,"Nine, Ltd.",,mia,,2099-12-31')
    done = ctl.run("invite", "--file", path, code=1)
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("invited")] == [
        f"invited {b.guest_dn(name + '@home.example')}" for name in ("one", "nine")]
    errors = done.stderr.splitlines()
    for number, words in ((3, "two@home.example: "), (5, "there is nobody nobody"),
                          (6, 'until: "yesterday" is no date'),
                          (8, "2 fields, the header has 6"), (9, "a quoted field does not end"),
                          (10, "ONE@home.example was in line 2 already"),
                          (11, "seven@stranger.example: "), (12, "displayName: not in UTF-8")):
        assert any(line.startswith(f"b2bctl: {path}:{number}: {words}") for line in errors), \
            (number, done.stderr)
    assert errors[-1] == f"b2bctl: {path}: 8 of 10 failed" and len(errors) == 9
    nine = ctl.server.entry(b.guest_dn("nine@home.example"))
    assert nine["displayName"] == ["Nine, Ltd."] and nine["b2bValidUntil"] == ["21000101000000Z"]
    assert len(ctl.server.entry(b.guest_dn("one@home.example"))["b2bSponsor"]) == 2


def test_file__command_line_fills_in(ctl):
    """What a line leaves empty is taken from the command line; what it says wins."""
    done = ctl.run("invite", "--file", "-", "--sponsor", "max", "--app", "wiki", "--until",
                   "2099-01-01", "--message", "Hello",
                   input="Sponsor,MAIL,until\nmia,a@home.example,\n,b@home.example,2098-01-01\n")
    assert done.stderr == ""
    first, second = (ctl.server.entry(b.guest_dn(f"{name}@home.example")) for name in "ab")
    assert (first["b2bSponsor"], first["b2bValidUntil"]) == ([b.member_dn("mia")],
                                                             ["20990102000000Z"])
    assert (second["b2bSponsor"], second["b2bValidUntil"]) == ([b.member_dn("max")],
                                                               ["20980102000000Z"])
    assert first["b2bInvitationMessage"] == second["b2bInvitationMessage"] == ["Hello"]
    app = ctl.server.entry(f"cn=wiki,cn=applications,{b.BASE}")
    assert len(app["b2bAppAssignee"]) == 2


@pytest.mark.parametrize("text, words", [
    ("", "the file is empty"), ("\n\n", "the file is empty"),
    ("name,tenant\nx,y\n", 'there is no column "mail"'),
    ("mail;name\n", 'column "mail;name" is not known; columns are separated by commas'),
    ("mail,mail\n", 'column "mail" is there twice'),
    ("mail,\n", 'column "" is not known'),
    ('"mail,name\n', "a quoted field does not end"),
    ("mail\nx@home.example\0\n", "a zero byte"),
])
def test_file__is_none(ctl, text, words):
    """A file whose header is wrong is refused whole."""
    mark = ctl.server.log_mark()
    done = ctl.run("invite", "--file", "-", "--sponsor", "mia", input=text, code=1)
    assert words in done.stderr and done.stdout == ""
    assert life.INVITE not in ctl.server.log(mark)


def test_file__no_file(ctl):
    assert "No such file" in ctl.run("invite", "--file", "/nonexistent", code=1).stderr


def test_file__many(ctl):
    """Two hundred; in JSON it is one list, also where lines failed."""
    text = "mail\n" + "".join(f"m{n}@home.example\n" for n in range(200)) + "wrong\n"
    done = ctl.run("invite", "--file", "-", "--sponsor", "mia", "--format", "json", code=1,
                   input=text)
    found = json.loads(done.stdout)
    assert [guest["dn"] for guest in found] == [b.guest_dn(f"m{n}@home.example")
                                                for n in range(200)]
    assert len({guest["ticket"] for guest in found}) == 200
    assert done.stderr.splitlines() == ['b2bctl: -:202: mail: "wrong" has no @',
                                        "b2bctl: -: 1 of 201 failed"]


def test_file__progress_on_a_terminal(ctl, tmp_path):
    """A bar on the terminal that standard error is, which is taken away at the end and before each
    message; into a file goes none."""
    path = tmp_path / "guests.csv"
    path.write_text("mail\n" + "".join(f"p{n}@home.example\n" for n in range(120)) + "wrong\n")
    leader, follower = pty.openpty()
    try:
        done = subprocess.run([str(b.B2BCTL), "-H", ctl.server.ldapi, "-D", b.ROOTDN, "-w",
                               b.ROOTPW, "invite", "--file", str(path), "--sponsor", "mia",
                               "--dry-run"], stdout=subprocess.DEVNULL, stderr=follower,
                              env=client_env(), timeout=60)
        text = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 1
    assert re.search(r"\rb2bctl: \[#+\.+\] 100 of 122", text), text
    assert "\r\033[Kb2bctl: " in text and text.index("wrong") > text.index("100 of")
    assert "of 122" not in text[text.index("wrong"):]


# Redemption

def test_redeem__by_password(ctl):
    """By ticket, by the URL that ends with it, by standard input; the proof from a file.  None of
    them is printed."""
    for name, form in (("alice", "{}"), ("bob", URL + "{}"), ("carol", "-")):
        ticket = ticket_for(ctl, f"{name}@home.example", "--uid", name)
        secret = ctl.server.dir / "password"
        secret.write_text(f"{name}-pw")
        secret.chmod(0o600)
        done = nobody(ctl, "guest", "redeem", "--password-file", secret, form.format(ticket),
                      input=ticket + "\n" if form == "-" else None)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert done.stdout == f"redeemed {b.guest_dn(name)}: Accepted\n"
        assert ctl.server.entry(b.guest_dn(name))["b2bUserState"] == ["Accepted"]
        ctl.server.conn(b.guest_dn(name), f"{name}-pw")


def test_redeem__by_token_and_terms(ctl, tmp_path):
    """The terms that the tenant asks for; without them what the server says is shown.  A guest that
    is in accepts newer ones by its name."""
    life.settings(ctl.server, "b2bTermsVersion: 2026-01")
    try:
        ticket = ticket_for(ctl, "ada@tokens.example", "--uid", "ada")
        path = tmp_path / "token"
        path.write_text(SIGNER.token("ada-at-home", email="ada@tokens.example",
                                     email_verified=True) + "\n")
        done = nobody(ctl, "guest", "redeem", "--token", path, ticket)
        assert done.returncode == 1 and "b2b: terms-required" in done.stderr
        done = nobody(ctl, "guest", "redeem", "--token", path, "--terms", "2026-01", ticket)
        assert done.returncode == 0, done.stderr
        entry = ctl.server.entry(b.guest_dn("ada"))
        assert entry["b2bTermsAccepted"][0].startswith("2026-01")
        assert entry["b2bHomeSubject"] == ["ada-at-home"]
        life.settings(ctl.server, "b2bTermsVersion: 2026-02")
        done = nobody(ctl, "guest", "redeem", "--token", "-", "--terms", "2026-02", "--guest",
                      b.guest_dn("ada"), input=SIGNER.token("ada-at-home"))
        assert done.returncode == 0, done.stderr
        entry = ctl.server.entry(b.guest_dn("ada"))
        assert entry["b2bTermsAccepted"][0].startswith("2026-02")
    finally:
        life.settings(ctl.server, "b2bTermsVersion:")


def test_redeem__wrong(ctl):
    """A wrong ticket and a wrong proof look alike; neither is printed."""
    ticket = ticket_for(ctl, "dave@home.example", "--uid", "dave")
    other = ticket[:-1] + ("A" if ticket[-1] != "A" else "B")
    for given, password in ((ticket, "sesame-1234"), (other, "dave-pw"), ("x", "dave-pw")):
        done = nobody(ctl, "guest", "redeem", "--password-file", "-", given, input=password)
        assert done.returncode == 1
        assert done.stderr == "b2bctl: redeem: Invalid credentials (49)\n"
    for text, words in (("", "empty"), ("x\0y", "a zero byte")):
        done = nobody(ctl, "guest", "redeem", "--password-file", "-", ticket, input=text)
        assert done.returncode == 1 and words in done.stderr
    done = nobody(ctl, "guest", "redeem", ticket)
    assert done.returncode == 1 and "there is no terminal to ask on" in done.stderr


def test_redeem__asks_on_the_terminal(ctl):
    """Without a proof the password is asked for, and not shown."""
    ticket = ticket_for(ctl, "erin@home.example", "--uid", "erin")
    pid, leader = pty.fork()
    if pid == 0:
        os.environ["LDAPNOINIT"] = "1"
        os.execv(b.B2BCTL, [str(b.B2BCTL), "-H", ctl.server.ldapi, "-x", "guest", "redeem", ticket])
    text = b""
    while b"organisation: " not in text:
        text += os.read(leader, 4096)
    os.write(leader, b"erin-pw\n")
    try:
        while more := os.read(leader, 4096):
            text += more
    except OSError:
        pass
    os.close(leader)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert f"redeemed {b.guest_dn('erin')}".encode() in text and b"erin-pw" not in text


def test_redeem__not_in_the_clear(ctl):
    """Over plain TCP no proof is sent, nor a ticket."""
    mark = ctl.server.log_mark()
    for args in (["redeem", "--passcode", "12345678", "x"], ["passcode", "A" * 75]):
        done = ctl.bare("-H", ctl.server.uri, "-x", "guest", *args)
        assert done.returncode == 1 and "without TLS" in done.stderr
    log = ctl.server.log(mark)
    assert life.REDEEM not in log and life.PASSCODE not in log


def test_passcode__asked_and_used(ctl):
    """By DN, mail, ticket and URL a code is asked for; whoever it is, the answer is the same.  With
    the code the guest is in."""
    ticket = ticket_for(ctl, "kim@codes.example", "--uid", "kim")
    for word in ("kim@codes.example", b.guest_dn("kim"), ticket, URL + ticket, "-",
                 "nobody@codes.example", b.guest_dn("nobody"), "nonsense"):
        done = nobody(ctl, "guest", "passcode", word, input=ticket if word == "-" else None)
        assert (done.returncode, done.stderr) == (0, ""), (word, done.stderr)
        assert done.stdout == "asked: a guest who may have a code gets it by mail\n"
    life.wait_notices(ctl.server, "passcode", "kim@codes.example")
    tenant_mint = mint.Mint(ctl.server.dir / "key.pem")
    code = mint.deliver(ctl.server, tenant_mint, b.guest_dn("kim"))
    done = nobody(ctl, "guest", "redeem", "--passcode", code, ticket)
    assert (done.returncode, done.stdout) == (0, f"redeemed {b.guest_dn('kim')}: Accepted\n"), \
        done.stderr


def test_invite__without_a_key(make_server):
    """A server that cannot sign tickets says so."""
    ctl = Ctl(make_server(b.tenant_server, data=b.partner_ldif(
        "home", lines="b2bTenantDomain: home.example")))
    done = ctl.run("invite", "--mail", "x@home.example", code=1)
    assert "b2b-key-file is not configured: tickets cannot be signed" in done.stderr
    ctl.root.modify_s(b.BASE, [replace("b2bAllowInvitesFrom", "none")])
    assert ctl.run("invite", "--mail", "x@home.example", code=1).stdout == ""
