"""b2bd: what stands in cn=outbox is mailed at least once and then deleted, whatever the mail server
does, and gives up visibly."""

import os
import signal
import time

import pytest

from lib import b2bd as daemon, builders as b, records
from lib.b2bd import OUTBOX, B2bd, address_of, gone, name_of, notice, notice_with, set_notice
from lib.mailserver import MailServer
from lib.slapd import poll


@pytest.fixture(scope="module")
def server(make_server):
    """Our tenant with syncprov, an account for b2bd and an empty outbox."""
    server = make_server(b.tenant_server, **daemon.conf())
    server.load(daemon.account() + daemon.container("outbox"))
    return server


@pytest.fixture
def mail():
    with MailServer() as server:
        yield server


@pytest.fixture
def bd(server, mail):
    """A b2bd that follows the outbox, which the test leaves empty."""
    with B2bd(server, mail) as running:
        yield running
    left = server.root().search_ext_s(OUTBOX, 1, "(objectClass=b2bNotice)", ["1.1"])
    for dn, _ in left:
        server.root().delete_s(dn)


def ids(mails):
    return [mail.id for mail in mails]


# --- sent and deleted ---

def test_b2bd__sent_and_deleted(server, mail, bd):
    """Set-up: b2bd follows an empty outbox.  Steps: a notice is put.  Expected: one mail to its
    address, Message-ID by its name, in two forms, marked as made by a machine (RFC 3834); the
    notice is gone."""
    dn = notice(server)
    sent, = mail.wait()
    gone(server, dn)
    assert sent.to == [address_of(dn)] and sent.sender == daemon.FROM
    assert sent.id == f"<{name_of(dn)}@ours.example>"
    assert sent.message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in sent.message.iter_parts()] == \
        ["text/plain", "text/html"]
    assert sent.message["Auto-Submitted"] == "auto-generated"
    assert sent.message["Content-Language"] == "en"
    assert str(sent.message["From"]) == f"Ours <{daemon.FROM}>"
    assert not [name for name in sent.message.keys() if name.lower().startswith("list-")]
    assert abs(sent.message["Date"].datetime.timestamp() - sent.when) < 10
    assert "Alice" in sent.text and "Alice" in sent.html and sent.greeting == "ours.example"
    assert len(mail.mails) == 1


def test_b2bd__what_was_there_before(make_server, mail):
    """Set-up: no cn=outbox.  Steps: b2bd starts; the container and a notice come; b2bd ends; two
    more come; b2bd starts.  Expected: it says once that there is no container, and sends all
    three, each once."""
    server = make_server(b.tenant_server, **daemon.conf())
    server.load(daemon.account())
    bd = B2bd(server, mail)
    with bd:
        bd.wait_log(f"{OUTBOX} is not there yet")
        server.load(daemon.container("outbox"))
        first = notice(server)
        gone(server, first)
    others = [notice(server), notice(server)]
    with B2bd(server, mail):
        gone(server, *others)
    assert sorted(ids(mail.mails)) == sorted(f"<{name_of(dn)}@ours.example>"
                                             for dn in [first, *others])
    assert bd.log().count("is not there yet") == 1


def test_b2bd__many_on_one_connection(server, mail, bd):
    """Set-up: b2bd runs.  Steps: forty notices.  Expected: each is sent once, over a few
    connections."""
    dns = [notice(server) for _ in range(40)]
    gone(server, *dns)
    assert sorted(ids(mail.mails)) == sorted(f"<{name_of(dn)}@ours.example>" for dn in dns)
    assert mail.connections < 40


def test_b2bd__who_waits_goes_first(server, mail):
    """Set-up: notices of reviews stand there, the mail server is down.  Steps: a request of another
    kind and a passcode come last; the mail server comes.  Expected: the passcode is handled first
    of all (without a key file it cannot be sent, which its notice says)."""
    dns = [notice(server, "review") for _ in range(5)]
    code = notice(server, "passcode")
    with B2bd(server, mail) as bd:
        notice_with(server, code, "b2bNoticeError")
        gone(server, *dns)
        log = bd.log()
    assert 0 < log.index("passcode") < log.index("type=review")
    assert "key-file" in server.entry(code)["b2bNoticeError"][0]
    server.root().delete_s(code)


# --- put off, given up ---

@pytest.mark.parametrize("how, words", [("busy", "451 4.2.1"), ("busy-data", "451 4.3.0"),
                                        ("refuse-sender", "550 5.7.1"), ("away", "421 4.3.2")])
def test_b2bd__put_off(server, mail, bd, how, words):
    """Set-up: the mail server refuses for now, or refuses us and not this mail.  Steps: a notice.
    Expected: the attempt, when to try next and the server's words stand in the notice, its state
    stays; then it is sent, once."""
    mail.behave(how, how)
    dn = notice(server)
    found = notice_with(server, dn, "b2bNoticeAttempts", "1")
    assert words in found["b2bNoticeError"][0]
    assert "b2bNoticeState" not in found
    assert records.seconds(found["b2bNoticeRetryAt"][0]) >= mail_time(found)
    gone(server, dn)
    assert ids(mail.mails) == [f"<{name_of(dn)}@ours.example>"]
    assert mail.behaved == 2


def mail_time(found):
    return records.seconds(found["createTimestamp"][0])


def test_b2bd__retry_waits_longer_each_time(server, mail):
    """Set-up: retry 2 seconds; the mail server is busy thrice.  Steps: a notice.  Expected: next
    attempts are 2, then 4, then 8 seconds off."""
    mail.behaviour = "busy"
    with B2bd(server, mail, retry="2s") as bd:
        dn = notice(server)
        waits = [bd.wait_log(f"attempts={n} next=([0-9]+)s", 20).group(1) for n in (1, 2, 3)]
        assert waits == ["2", "4", "8"]
    server.root().delete_s(dn)


@pytest.mark.parametrize("how, words", [("refuse", "550 5.1.1 no such user"),
                                        ("refuse-data", "554 5.6.0 not this")])
def test_b2bd__refused_for_ever(server, mail, bd, how, words):
    """Set-up: the mail server refuses the recipient, or the mail, for good.  Steps: a notice, then
    another to somebody else; the state is taken away.  Expected: failed, with the server's words,
    an error in the log, no second attempt; the other is sent; without the state it is tried
    again and sent."""
    mail.behave(how)
    dn = notice(server)
    found = notice_with(server, dn, "b2bNoticeState", "failed")
    assert words in found["b2bNoticeError"][0] and "b2bNoticeRetryAt" not in found
    assert bd.wait_log(rf"error: gave up notice={name_of(dn)} .*{words[:3]}")
    other = notice(server)
    gone(server, other)
    assert mail.to(address_of(dn)) == [] and server.entry(dn)["b2bNoticeAttempts"] == ["1"]
    set_notice(server, dn, records.delete("b2bNoticeState"))
    gone(server, dn)
    assert len(mail.to(address_of(dn))) == 1


def test_b2bd__gives_up(server, mail):
    """Set-up: give-up after 2 seconds; the mail server is busy.  Steps: a notice.  Expected: tried
    more than once, then failed, with the last words, logged as an error."""
    mail.behaviour = "busy"
    with B2bd(server, mail, give_up="2s") as bd:
        dn = notice(server)
        found = notice_with(server, dn, "b2bNoticeState", "failed")
        assert int(found["b2bNoticeAttempts"][0]) >= 2
        assert "451" in found["b2bNoticeError"][0]
        bd.wait_log(f"error: gave up notice={name_of(dn)}")
    server.root().delete_s(dn)


def test_b2bd__not_before_its_time(server, mail, bd):
    """Set-up: a notice whose b2bNoticeRetryAt is an hour off.  Steps: another comes and is sent;
    the time is set back.  Expected: it is sent only then."""
    dn = notice(server, b2bNoticeRetryAt=records.ahead(3600))
    gone(server, notice(server))
    assert mail.to(address_of(dn)) == []
    set_notice(server, dn, records.replace("b2bNoticeRetryAt", records.ahead(-1)))
    gone(server, dn)


# --- hostile mail servers ---

def test_b2bd__no_greeting(server, mail):
    """Set-up: time-out 1 second; the mail server accepts a connection and says nothing.  Steps: a
    notice.  Expected: put off, then sent by the next connection."""
    mail.behave("stall")
    with B2bd(server, mail, timeout="1s"):
        dn = notice(server)
        notice_with(server, dn, "b2bNoticeAttempts", "1")
        gone(server, dn)
    assert len(mail.mails) == 1 and mail.connections == 2


@pytest.mark.parametrize("how", ["stall-rcpt", "forget-data"])
def test_b2bd__mail_that_was_not_taken(server, mail, how):
    """Set-up: the mail server stalls at RCPT, or hangs up after the mail and loses it.  Steps: a
    notice.  Expected: it is sent again."""
    mail.behave(how)
    with B2bd(server, mail, timeout="1s"):
        dn = notice(server)
        gone(server, dn)
    assert ids(mail.mails) == [f"<{name_of(dn)}@ours.example>"] and mail.behaved == 1


@pytest.mark.parametrize("how", ["stall-data", "drop-data"])
def test_b2bd__mail_without_an_answer(server, mail, how):
    """Set-up: the mail server keeps the mail, but stalls or hangs up in place of an answer.  Steps:
    a notice.  Expected: sent again with the same Message-ID, as nobody can know."""
    mail.behave(how)
    with B2bd(server, mail, timeout="1s"):
        dn = notice(server)
        found = notice_with(server, dn, "b2bNoticeAttempts", "1")
        assert "no answer after the mail" in found["b2bNoticeError"][0]
        gone(server, dn)
    assert ids(mail.mails) == [f"<{name_of(dn)}@ours.example>"] * 2


def test_b2bd__mail_server_down(server, mail, bd):
    """Set-up: the mail server is down.  Steps: twenty notices; it comes back.  Expected: while it
    is down most are not even tried; then all are sent, each once."""
    mail.stop()
    dns = [notice(server) for _ in range(20)]
    bd.wait_log("put off")
    tried = [dn for dn in dns if "b2bNoticeAttempts" in server.entry(dn)]
    assert len(tried) < 10
    mail.start()
    gone(server, *dns, secs=60)
    assert sorted(ids(mail.mails)) == sorted(f"<{name_of(dn)}@ours.example>" for dn in dns)


# --- both sides end at any moment ---

def test_b2bd__killed_before_the_answer(server, mail):
    """Set-up: the mail server has the whole mail and does not answer.  Steps: b2bd is killed; it
    starts again.  Expected: the same Message-ID comes again; the notice is gone."""
    mail.behave("stall-data")
    bd = B2bd(server, mail).start()
    dn = notice(server)
    mail.wait()
    bd.kill()
    assert server.entry(dn) is not None
    with bd:
        gone(server, dn)
    assert ids(mail.mails) == [f"<{name_of(dn)}@ours.example>"] * 2


def test_b2bd__killed_again_and_again(server, mail):
    """Set-up: sixty notices.  Steps: b2bd is killed six times while it sends.  Expected: all are
    sent, some twice at most by the kill; nothing is left."""
    dns = [notice(server) for _ in range(60)]
    bd = B2bd(server, mail)
    for number in range(1, 7):
        bd.start()
        mail.wait(number * 5)
        bd.kill()
    with bd:
        gone(server, *dns)
    wanted = {f"<{name_of(dn)}@ours.example>" for dn in dns}
    assert set(ids(mail.mails)) == wanted and len(mail.mails) <= len(wanted) + 6


def test_b2bd__told_to_end_while_the_server_stalls(server, mail):
    """Set-up: the mail server says nothing, time-out 60 seconds.  Steps: SIGTERM.  Expected: b2bd
    ends within 3 seconds with code 0; the notice is as it was."""
    mail.behave("stall")
    bd = B2bd(server, mail, timeout="60s").start()
    dn = notice(server)
    poll(lambda: mail.behaved, 10, "the stall")
    bd.stop(secs=3)
    assert "b2bNoticeAttempts" not in server.entry(dn)
    bd.remove()
    server.root().delete_s(dn)


def test_b2bd__slapd_restarts(make_server, mail):
    """Set-up: b2bd follows.  Steps: slapd ends, and comes again after a while; a notice.  Expected:
    b2bd says that it is down, and sends."""
    server = make_server(b.tenant_server, **daemon.conf())
    server.load(daemon.account() + daemon.container("outbox"))
    with B2bd(server, mail) as bd:
        gone(server, notice(server))
        server.stop()
        bd.wait_log("warning: .*next attempt in")
        server.start()
        dn = notice(server)
        gone(server, dn)
        assert f"following {OUTBOX}" in bd.log()
    assert len(mail.mails) == 2


@pytest.mark.parametrize("when", ["connecting", "writing"])
def test_b2bd__slapd_hangs(make_server, mail, when):
    """Set-up: slapd is stopped (SIGSTOP) when b2bd connects, or wants to delete a notice.  Steps:
    SIGTERM; slapd goes on; b2bd starts again.  Expected: it ends within 4 seconds; nothing is
    lost."""
    server = make_server(b.tenant_server, **daemon.conf())
    server.load(daemon.account() + daemon.container("outbox"))
    bd = B2bd(server, mail, timeout="60s")
    dn = notice(server)
    mail.behave("hold-data")
    try:
        if when == "connecting":
            os.kill(server.pid, signal.SIGSTOP)
            bd.start()
        else:
            bd.start()
            mail.wait()
            os.kill(server.pid, signal.SIGSTOP)
            mail.release()
            bd.wait_log("sent notice")
        time.sleep(0.3)  # so that it is in the middle of it
        bd.stop(secs=4)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    mail.release()
    with bd:
        gone(server, dn)
    assert set(ids(mail.mails)) == {f"<{name_of(dn)}@ours.example>"}


def test_b2bd__slapd_ends_before_the_notice_is_deleted(make_server, mail):
    """Set-up: the mail server has a mail and lets us wait for its answer.  Steps: slapd ends; the
    answer comes; slapd starts.  Expected: the notice is deleted, and nothing is sent twice."""
    server = make_server(b.tenant_server, **daemon.conf())
    server.load(daemon.account() + daemon.container("outbox"))
    mail.behave("hold-data")
    with B2bd(server, mail, timeout="30s") as bd:
        dn = notice(server)
        mail.wait()
        server.stop()
        mail.release()
        bd.wait_log(f"sent notice={name_of(dn)}")
        server.start()
        gone(server, dn)
    assert len(mail.mails) == 1


def test_b2bd__may_not_delete(make_server, mail):
    """Set-up: the account may read the outbox, not write it.  Steps: a notice.  Expected: it is
    sent once and no more while b2bd runs, and the log says what is wrong."""
    access = f'access to dn.subtree="{OUTBOX}" by dn.exact="{daemon.ACCOUNT}" read by * none\n'
    server = make_server(b.tenant_server, **daemon.conf(access=access))
    server.load(daemon.account() + daemon.container("outbox"))
    with B2bd(server, mail) as bd:
        notice(server)
        bd.wait_log("error: .*cannot be deleted: Insufficient access")
        mark = bd.log_mark()
        bd.wait_log("error: .*cannot be deleted", since=mark)
    assert len(mail.mails) == 1


def test_b2bd__server_without_syncprov(make_server, mail):
    """Set-up: a database without overlay syncprov.  Steps: b2bd starts; the overlay is added.
    Expected: the log names the overlay; b2bd keeps trying, and sends once it is there."""
    options = daemon.conf(database="")
    server = make_server(b.tenant_server, convert=True, **options)
    server.load(daemon.account() + daemon.container("outbox"))
    with B2bd(server, mail) as bd:
        dn = notice(server)
        bd.wait_log("error: .*overlay syncprov")
        server.modify("dn: olcOverlay=syncprov,olcDatabase={1}mdb,cn=config\nchangetype: add\n"
                      "objectClass: olcSyncProvConfig\nolcOverlay: syncprov\n", dn="cn=config")
        gone(server, dn)
    assert len(mail.mails) == 1


def test_b2bd__more_than_it_may_see_at_once(make_server, mail):
    """Set-up: the account may be shown five entries; thirteen notices stand there.  Steps: b2bd
    starts; one more comes.  Expected: all are sent, each once, and the log speaks of limits."""
    limits = f'limits dn.exact="{daemon.ACCOUNT}" size=5\n'
    server = make_server(b.tenant_server, **daemon.conf(database=f"{limits}overlay syncprov\n"))
    server.load(daemon.account() + daemon.container("outbox"))
    dns = [notice(server) for _ in range(13)]
    with B2bd(server, mail) as bd:
        gone(server, *dns)
        gone(server, notice(server))
        bd.wait_log("more than this account may see")
    assert len(mail.mails) == 14 == len(set(ids(mail.mails)))


# --- one round ---

def test_b2bd__once(server, mail):
    """Set-up: a notice, and one that is not due.  Steps: b2bd -1; again with a mail server that
    refuses a third; with slapd at no address.  Expected: 0, and only what is due is sent; 1, and
    the third failed; 1 at once."""
    due, later = notice(server), notice(server, b2bNoticeRetryAt=records.ahead(3600))
    bd = B2bd(server, mail)
    done = bd.run("-1")
    assert done.returncode == 0, done.stderr
    assert server.entry(due) is None and server.entry(later) is not None
    assert len(mail.mails) == 1
    bad = notice(server)
    mail.behave("refuse")
    assert bd.run("-1").returncode == 1
    assert server.entry(bad)["b2bNoticeState"] == ["failed"]
    bd.set(uri="ldap://127.0.0.1:1")
    assert bd.run("-1", timeout=10).returncode == 1
    bd.remove()
    for dn in (later, bad):
        server.root().delete_s(dn)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_b2bd__does_not_run_as_root(server, mail):
    """Set-up: started by root.  Steps: without user, with user root, with one that is nobody here,
    with nobody.  Expected: refused, refused, refused; the last runs as nobody without root's
    groups."""
    bd = B2bd(server, mail)
    for user, words in ((None, "does not run as root"), ("root", "is root"),
                        ("no-such", "is nobody here")):
        done = bd.set(user=user).run("-1")
        assert done.returncode == 1 and words in done.stderr
    with bd.set(user="nobody"):
        status = open(f"/proc/{bd.process.pid}/status").read()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    groups = lines["Gid"].split() + lines["Groups"].split()
    assert "0" not in lines["Uid"].split() + groups and "4" not in groups
    assert int(lines["CapEff"], 16) == 0
