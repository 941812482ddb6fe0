"""What b2bd writes: tickets, codes, names, languages, templates; and nothing else."""

import base64
import email.header
import os
import re
import shutil

import pytest

from lib import b2bd as daemon, builders as b, mint as mints, records
from lib.b2bd import OUTBOX, B2bd, address_of, gone, notice, notice_with
from lib.mailserver import MailServer

UUID = "0b6e3c26-9c1d-4d3e-8a2f-5b7d6c8e9f01"
INVITED = "20261124180000Z"
URL = "https://guests.ours.example/redeem"
TYPES = ("invitation", "passcode", "review", "reminder", "lapsed", "disabled", "deleted",
         "sponsor-gone", "reviewer-gone", "wrong-person", "halted", "request", "refused")


def make_tenant(make_server, **options):
    """alice comes by slapadd, so that she is sent no invitation."""
    server = make_server(b.tenant_server, start=False, data=daemon.account()
                         + daemon.container("outbox") + b.partner_ldif("home")
                         + b.guest_ldif("alice"), **daemon.conf(key="{dir}/key.pem", **options))
    mints.key_file(server)
    return server.start()


@pytest.fixture(scope="module")
def server(make_server):
    """Our tenant with a key file, syncprov and an outbox; alice is a guest."""
    return make_tenant(make_server)


@pytest.fixture(scope="module")
def mint(server):
    return mints.Mint(server.dir / "key.pem")


@pytest.fixture
def mail():
    with MailServer() as server:
        yield server


def daemon_of(server, mail, **config):
    return B2bd(server, mail, key=server.dir / "key.pem", **config)


@pytest.fixture
def bd(server, mail):
    with daemon_of(server, mail) as running:
        yield running
    for dn, _ in server.root().search_ext_s(OUTBOX, 1, "(objectClass=b2bNotice)", ["1.1"]):
        server.root().delete_s(dn)


def sent(server, mail, kind="disabled", data=None, **more):
    """Puts a notice and gives its mail."""
    dn = notice(server, kind, data=data, **more)
    gone(server, dn)
    return mail.mails[-1]


def failed(server, kind="disabled", **more):
    """Puts a notice that can never be a mail; gives why."""
    dn = notice(server, kind, **more)
    found = notice_with(server, dn, "b2bNoticeState", "failed")
    assert found["b2bNoticeAttempts"] == ["1"]
    return found["b2bNoticeError"][0]


def invitation(**more):
    return {"uuid": UUID, "invitedAt": INVITED, "redemptionUrl": URL, **more}


# --- tickets ---

@pytest.mark.parametrize("base, lead", [
    (URL, f"{URL}?ticket="), (f"{URL}?tenant=ours", f"{URL}?tenant=ours&ticket="),
    (f"{URL}?a=1&b=<2>#top", None)])
def test_mail__ticket_in_the_url(server, mail, mint, bd, base, lead):
    """Set-up: an invitation with a redemption URL.  Steps: read the mail.  Expected: both forms
    hold the URL with the ticket that Python makes of key, tenant, entryUUID and moment."""
    mails = sent(server, mail, "invitation",
                 invitation(redemptionUrl=base, sponsorName="Mia", expires="20261224120000Z",
                            message="Hello & welcome"))
    ticket = mint.ticket(UUID, INVITED)
    if lead:
        assert f"{lead}{ticket}\n" in mails.text
        assert f'<a href="{(lead + ticket).replace("&", "&amp;")}">' in mails.html
    else:
        assert f"{URL}?a=1&b=<2>&ticket={ticket}#top\n" in mails.text
        assert "b=<2>" not in mails.html and f"&amp;ticket={ticket}#top" in mails.html
    assert mails.subject == "Mia invites you to Ours"
    assert "until 2026-12-24 12:00 UTC" in mails.text
    assert "> Hello & welcome\n" in mails.text and "Hello &amp; welcome" in mails.html
    assert ticket not in bd.log()


@pytest.mark.parametrize("base", ["b2b:redeem", "javascript:alert(1)//", "https://x y/", ""])
def test_mail__ticket_without_a_web_page(server, mail, mint, bd, base):
    """Set-up: an invitation whose redemption URL is b2b:redeem, or no web address.  Steps: read the
    mail.  Expected: the ticket itself, and no link."""
    mails = sent(server, mail, "invitation", invitation(redemptionUrl=base))
    assert f"    {mint.ticket(UUID, INVITED)}\n" in mails.text
    assert "href" not in mails.html and mint.ticket(UUID, INVITED) in mails.html
    assert not base or base not in mails.text + mails.html


@pytest.mark.parametrize("data, words", [
    ({"uuid": "none"}, "base and uuid"), ({"invitedAt": "yesterday"}, "invitedAt"),
    ({"base": ""}, "base and uuid")])
def test_mail__no_ticket_can_be_made(server, mail, bd, data, words):
    """Set-up: an invitation with data of which no ticket can be made.  Steps: wait.  Expected:
    failed, with the member's name; no mail."""
    assert words in failed(server, "invitation", data=invitation(**data))
    assert mail.mails == []


def test_mail__data_cannot_replace_the_ticket(server, mail, mint, bd):
    """Set-up: an invitation whose data has members "url", "ticket", "self", "name".  Steps: read
    the mail.  Expected: ours stand in it, theirs do not."""
    mails = sent(server, mail, "invitation",
                 invitation(url="https://evil.example/", ticket="forged", code="12345678"),
                 b2bNoticeName="Alice")
    assert mint.ticket(UUID, INVITED) in mails.text
    assert "evil.example" not in mails.text + mails.html and "forged" not in mails.text


# --- codes ---

def stored(server):
    """What stands in alice, of which no client may read the hash."""
    text = server.tool("slapcat", "-o", "ldif-wrap=no", "-a", "(uid=alice)").stdout
    rows = re.findall(r"^(\w+)(::?) (.*)$", text, re.M)
    return {name: base64.b64decode(value) if mark == "::" else value.encode()
            for name, mark, value in rows}


def passcode(server, guest=b.guest_dn("alice"), **more):
    uuid = server.entry(b.guest_dn("alice"))["entryUUID"][0]
    return notice(server, "passcode", data={"uuid": uuid}, b2bNoticeGuest=guest, **more)


def test_mail__code_and_its_hash(server, mail, mint, bd):
    """Set-up: a notice of a code for alice, who had two wrong tries.  Steps: read the mail and
    alice.  Expected: the code that Python makes of key and notice is in the mail; its hash, 30
    minutes and no tries stand in alice; no code is in the log or in an entry."""
    mints.store(server, mint, b.guest_dn("alice"), "00000000", 60, tries=2)
    dn = passcode(server)
    gone(server, dn)
    code = mint.code(daemon.name_of(dn))
    assert f"    {code}\n" in mail.mails[0].text and code in mail.mails[0].html
    assert code not in mail.mails[0].subject
    found = stored(server)
    assert found["b2bPasscodeHash"] == mint.hash(found["entryUUID"].decode(), mail.mails[0].to[0],
                                                 code)
    assert found["b2bPasscodeTries"] == b"0"
    until = records.seconds(found["b2bPasscodeUntil"].decode())
    assert abs(until - mail.mails[0].when - mints.CODE_SECS) < 10
    assert code not in bd.log() + server.log()


def test_mail__same_notice_same_code(server, mail, mint, bd):
    """Set-up: the mail server drops the first.  Steps: a notice of a code.  Expected: both mails
    have one Message-ID and one code, whose hash stands in alice."""
    mints.store(server, mint, b.guest_dn("alice"), "00000000", 60)
    mail.behave("drop-data")
    dn = passcode(server)
    gone(server, dn)
    first, second = mail.mails
    code = mint.code(daemon.name_of(dn))
    assert first.id == second.id and code in first.text and code in second.text
    found = stored(server)
    assert found["b2bPasscodeHash"] == mint.hash(found["entryUUID"].decode(), mail.mails[0].to[0],
                                                 code)


def test_mail__used_code_stays_used(server, mail, mint, bd):
    """Set-up: the mail server takes the mail and hangs up, so that b2bd sends it again. Steps:
    alice uses the code of the first mail. Expected: the second has the same, and it is not good
    again."""
    mints.store(server, mint, b.guest_dn("alice"), "00000000", 60)
    mail.behave("drop-data")
    dn = passcode(server)
    mail.wait()
    server.root().modify_ext_s(b.guest_dn("alice"), [
        records.replace("b2bPasscodeHash"), records.replace("b2bPasscodeTries")],
        serverctrls=records.RELAX)  # as slapd does with a code that was right
    gone(server, dn)
    assert len(mail.mails) == 2 and mail.mails[0].text == mail.mails[1].text
    assert "b2bPasscodeHash" not in stored(server)


def test_mail__code_for_a_guest_who_is_gone(server, mail, bd):
    """Set-up: a notice of a code for a guest that is no more.  Steps: wait.  Expected: deleted with
    a line in the log, no mail."""
    gone(server, passcode(server, b.guest_dn("nobody")))
    assert mail.mails == [] and re.search("dropped .*type=passcode", bd.log())


def test_mail__code_too_old(server, mail, bd):
    """Set-up: a notice of a code that is 31 minutes old.  Steps: wait.  Expected: deleted with a
    line in the log, no mail, and nothing is stored in the guest."""
    before = stored(server)
    gone(server, passcode(server, createTimestamp=records.ahead(-1860)))
    assert mail.mails == [] and "older than a code may be" in bd.log()
    assert stored(server) == before


def test_mail__no_code_without_its_hash(make_server, mail):
    """Set-up: the account may not manage b2bPasscodeHash.  Steps: a notice of a code.  Expected: no
    mail goes out; the notice says why and is put off."""
    server = make_tenant(make_server, access="access to attrs=b2bPasscodeHash by * read\n")
    with daemon_of(server, mail) as bd:
        dn = passcode(server)
        found = notice_with(server, dn, "b2bNoticeError")
        assert "cannot be stored" in found["b2bNoticeError"][0]
        assert "b2bNoticeState" not in found
        bd.wait_log("attempts=2")
    assert mail.mails == []


# --- hostile values ---

@pytest.mark.parametrize("name", [
    'Alice "The Boss" O\'Neil', "Alice, Bob <bob@evil.example>", "=?UTF-8?Q?evil?=",
    "Zoë Müller-Großherzogtum zu Österreich und Übersee, Präsidentin der Gäste " * 2,
    "愛麗絲 " * 20, "a" * 200, "Alice;evil@evil.example"])
def test_mail__name_that_needs_care(server, mail, bd, name):
    """Set-up: a recipient with a difficult name.  Steps: read the mail.  Expected: one recipient,
    the name arrives as it is, all headers are ASCII with lines of at most 78."""
    name = name.strip()
    mails = sent(server, mail, b2bNoticeName=name)
    head = mails.raw.split(b"\r\n\r\n")[0]
    lines = head.decode("ascii").split("\r\n")
    # the newer parser of Python's keeps the blanks between encoded words, against RFC 2047, 6.2
    field = re.search(r"^To: (.*?)\s+<([^>]*)>\r\n[^ ]", head.decode(), re.M | re.S)
    words = field.group(1).replace("\r\n", "")
    assert str(email.header.make_header(email.header.decode_header(words))) == name
    assert [field.group(2)] == mails.to and "evil" not in mails.to[0]
    assert len(mails.message["To"].addresses) == 1
    assert max(len(line) for line in lines if not line.startswith("Content-Type:")) <= 78


@pytest.mark.parametrize("name", [
    "Alice\r\nBcc: evil@evil.example", "Alice\nSubject: evil", "Alice\x00", "Alice\x1b[2J",
    "Alice\u202eelpmaxe.live", "\u0085Alice", "b" * 257])
def test_mail__name_that_is_refused(server, mail, bd, name):
    """Set-up: a recipient whose name has line ends, controls, or turns the text around.  Steps:
    wait.  Expected: failed, naming the attribute; no mail."""
    why = failed(server, b2bNoticeName=name)
    assert "b2bNoticeName" in why and "\n" not in why and "\u202e" not in why
    assert mail.mails == []


@pytest.mark.parametrize("to, words", [
    ("alice@home.example\r\nRCPT TO:<evil@evil.example>", "b2bNoticeTo"),
    ("alice@home.example>, <evil@evil.example", "b2bNoticeTo"), ("alice", "b2bNoticeTo"),
    ("<alice@home.example>", "b2bNoticeTo"), ("alice@münchen.example", "xn--"),
    ("älice@home.example", "b2bNoticeTo"), (b"alice@home.example\0", "b2bNoticeTo"),
    ("a" * 65 + "@home.example", "b2bNoticeTo")])
def test_mail__address_that_is_refused(server, mail, bd, to, words):
    """Set-up: a notice to what is no address, or to an internationalised domain not written as
    xn--.  Steps: wait.  Expected: failed, naming what is wrong; nobody gets a mail."""
    assert words in failed(server, to=to)
    assert mail.mails == []


def test_mail__internationalised_domain(server, mail, bd):
    """Set-up: a notice to alice@xn--mnchen-3ya.example.  Steps: wait.  Expected: sent there."""
    assert sent(server, mail, to="alice@xn--mnchen-3ya.example").to == \
        ["alice@xn--mnchen-3ya.example"]


@pytest.mark.parametrize("more, words", [
    ({"raw": "{"}, "b2bNoticeData"), ({"raw": "[]"}, "b2bNoticeData"),
    ({"raw": '{"tenant":5}'}, "b2bNoticeData"), ({"raw": '{"tenant":"a","tenant":"b"}'}, "Data"),
    ({"raw": '{"tenant":"\\ud800"}'}, "b2bNoticeData"),
    ({"data": {f"n{i}": "x" for i in range(60)}}, "too many"),
    ({"kind": "../../etc/passwd", "cn": "odd"}, "b2bNoticeType"),
    ({"kind": "unknown"}, "b2bNoticeType"),
    ({"cn": "a b"}, "Message-ID"), ({"cn": "a>b"}, "Message-ID"), ({"cn": "ä"}, "Message-ID")])
def test_mail__malformed_notice(server, mail, bd, more, words):
    """Set-up: notices that the server would never make.  Steps: wait; put a good one.  Expected:
    failed, with what is wrong; the good one is sent."""
    assert words in failed(server, **more)
    sent(server, mail)
    assert len(mail.mails) == 1


def test_mail__values_are_only_text(server, mail, bd):
    """Set-up: a notice whose values hold HTML, header lines, placeholders and a page of lines.
    Steps: read the mail.  Expected: in HTML all is escaped, the subject is one line, nothing is
    filled in twice, each line of somebody's words is marked."""
    evil = "<script>alert(1)</script>"
    mails = sent(server, mail, "invitation", invitation(
        tenant="Ours\r\nBcc: evil@evil.example", sponsorName=f"{evil} %{{ticket}}\u202e",
        message=f"Dear guest,\r\n{evil}\n\nContent-Type: text/html\n.\nbye\x07"))
    assert "<script" not in mails.html and "&lt;script&gt;" in mails.html
    assert mails.message["Bcc"] is None and "Bcc: evil@evil.example" in mails.subject
    assert "%{ticket}" in mails.text and "\u202e" not in mails.text
    words = ("> Dear guest,\n> <script>alert(1)</script>\n> \n> Content-Type: text/html\n> .\n"
             "> bye \n")
    assert words in mails.text
    assert len(mails.message.keys()) == len(set(mails.message.keys()))


# --- languages and templates ---

@pytest.mark.parametrize("wanted, given", [
    (None, "en"), ("de", "de"), ("de-AT, en;q=0.5", "de"), ("fr, de;q=0.3, en;q=0.7", "en"),
    ("fr", "en"), ("de;q=0, fr", "en"), ("*", "en"), ("DE-de", "de"), (";;,,q=1", "en"),
    ("en-GB;q=0.2, de;q=0.1", "en")])
def test_mail__language(server, mail, bd, wanted, given):
    """Set-up: templates in English and German.  Steps: notices with preferredLanguage.  Expected:
    the first by weight for which there are templates, else English."""
    mails = sent(server, mail, b2bNoticeLanguage=wanted)
    assert mails.message["Content-Language"] == given
    assert ("Guten Tag" in mails.text) == (given == "de") == ('lang="de"' in mails.html)


def test_mail__own_default_and_partial_language(server, mail):
    """Set-up: language de; German lacks "deleted", French has nothing else.  Steps: notices.
    Expected: German is the default, French where it is wanted and there, English where German
    lacks it."""
    bd = daemon_of(server, mail, language="de")
    (bd.templates / "fr").mkdir()
    bd.file("templates/fr/deleted.txt", "Subject: Adieu %{guestName}\nParti.\n")
    bd.file("templates/fr/deleted.html", "<p>Parti.</p>\n")
    for ending in ("txt", "html"):
        os.unlink(bd.templates / f"de/deleted.{ending}")
    with bd:
        def language(kind, wanted=None):
            return sent(server, mail, kind, b2bNoticeLanguage=wanted).message["Content-Language"]
        assert language("disabled") == "de" and language("deleted") == "en"
        assert language("deleted", "fr") == "fr" and mail.mails[-1].subject == "Adieu Alice"
        assert language("disabled", "fr") == "de"


@pytest.mark.parametrize("language", ["en", "de"])
def test_mail__every_kind(server, mail, bd, language):
    """Set-up: a notice of every kind, with as little data as there may be.  Steps: read them.
    Expected: all are sent, no placeholder and no line of directives is left."""
    for kind in TYPES:
        if kind == "passcode":
            dn = passcode(server, b2bNoticeLanguage=language)
        else:
            dn = notice(server, kind, data=invitation(redemptionUrl=""),
                        b2bNoticeLanguage=language)
        gone(server, dn)
        got = mail.mails[-1]
        assert got.to == [address_of(dn)] and got.message["Content-Language"] == language
        assert "Ours" in got.text and "Ours" in got.html
        assert "%{" not in got.text + got.html + got.subject
        assert "\n\n\n" not in got.text and not got.text.startswith("\n")


@pytest.mark.parametrize("kind, data, words", [
    ("review", {"due": "20261201000000Z", "item": "cn=i,cn=r", "lastSignIn": "20260101080000Z",
                "recommendation": "Deny", "review": "Quarterly"},
     ("2026-12-01 00:00 UTC", "cn=i,cn=r", "2026-01-01 08:00 UTC", "Deny", "Quarterly")),
    ("disabled", {"reason": "expired", "deleteAfter": "20261231000000Z"},
     ("Its time is over", "expired", "2026-12-31 00:00 UTC")),
    ("deleted", {"reason": "something-new"}, ("something-new",)),
    ("wrong-person", {"person": "mallory@evil.example", "personTenant": "evil"},
     ("mallory@evil.example", "(evil)")),
    ("sponsor-gone", {"sponsor": "uid=max,ou=people"}, ("uid=max,ou=people",)),
    ("reviewer-gone", {"reviewer": "uid=max,ou=people"}, ("uid=max,ou=people",)),
    ("halted", {"count": "601"}, ("601",)),
    ("request", {"request": "r-1", "reason": "Please\nlet me in", "applications": "wiki, git"},
     ("r-1", "> Please\n> let me in", "wiki, git")),
    ("refused", {"answer": "Not now"}, ("> Not now",))])
def test_mail__says_what_the_notice_says(server, mail, bd, kind, data, words):
    """Set-up: notices with all that the server puts into them.  Steps: read them.  Expected: it is
    there."""
    text = sent(server, mail, kind, data).text
    assert not [word for word in words if word not in text], text


def test_mail__guest_itself_is_told_so(server, mail, bd):
    """Set-up: notices about alice to herself and to another.  Steps: read them.  Expected: "your
    access" and "the access of the guest"."""
    assert "your access" in sent(server, mail, to="Alice@HOME.example").text
    assert "the access of the guest Alice" in sent(server, mail).text


def test_mail__templates_are_read_again(server, mail):
    """Set-up: b2bd runs.  Steps: a template changes, SIGHUP; it breaks, SIGHUP.  Expected: the new
    one is used; then the log names file and line, and the former stays."""
    with daemon_of(server, mail) as bd:
        bd.file("templates/disabled.txt", "Subject: Changed\n\nNew words for %{guestName}.\n")
        bd.reload()
        bd.wait_log("read the templates again")
        assert sent(server, mail).text == "New words for Alice.\n"
        bd.file("templates/disabled.txt", "Subject: Broken\n\n%{guestName\n")
        bd.reload()
        bd.wait_log(r"error: .*/templates/disabled.txt:3: .*from before stay")
        assert sent(server, mail).subject == "Changed"


def test_mail__works_without_its_folder(server, mail):
    """Set-up: b2bd runs.  Steps: the templates are deleted; a notice.  Expected: sent."""
    with daemon_of(server, mail) as bd:
        shutil.rmtree(bd.templates)
        assert sent(server, mail).subject
