"""The internal task: slapd itself disables guests whose time is over, in small steps, visibly, and
without getting in anybody's way."""

import ldap
import pytest
import threading
import time

from lib import builders
from lib.builders import ROOTDN, guest_dn, guest_ldif, member_dn
from lib.records import (DAY, HOUR, RELAX, add, add_entry, ahead, delete, next_hour, replace,
                         seconds)
from lib.slapd import faketime_env, poll

PAST, FUTURE = ahead(-2 * HOUR), ahead(50 * DAY)
MARKS = {"b2bDisabledReason", "b2bDisabledAt", "b2bDeleteAfter"}
ACCESS = f"""access to dn.subtree="{builders.GUESTS}"
    by dn.exact="{member_dn('mia')}" write by * read
access to attrs=userPassword by anonymous auth by self write by * none
access to * by * read
"""


def guest(name, *lines):
    return guest_ldif(name, lines="\n".join(lines))


def expired(count, prefix="g"):
    return "".join(guest(f"{prefix}{n}", f"b2bValidUntil: {PAST}") for n in range(count))


def guests(server, filterstr="(objectClass=b2bGuest)"):
    """{name: entry} of the guests that match."""
    connection = server.root()
    found = connection.search_ext_s(builders.GUESTS, ldap.SCOPE_ONELEVEL, filterstr,
                                    attrlist=["*", "+"])
    connection.unbind_ext_s()
    return {entry["uid"][0].decode(): {k: [v.decode() for v in vs] for k, vs in entry.items()}
            for _, entry in found}


def enabled(server):
    return set(guests(server, "(&(objectClass=b2bGuest)(b2bAccountEnabled=TRUE))"))


def wait_enabled(server, names, secs=15):
    poll(lambda: enabled(server) == set(names), secs, f"only {sorted(names)} enabled")


def set_interval(server, secs):
    """Also makes the task run at once."""
    config = server.config()
    dn = next(dn for dn, _ in config.search_s("cn=config", ldap.SCOPE_SUBTREE,
                                              "(objectClass=olcB2bConfig)", ["1.1"]))
    config.modify_s(dn, [replace("olcB2bSweepInterval", str(secs))])
    config.unbind_ext_s()


@pytest.fixture(scope="module")
def server(make_server):
    """Sweeps every second; its guests are the tests' own."""
    return make_server(builders.tenant_server, sweep=1, access=ACCESS)


@pytest.fixture
def clean(server):
    yield server
    root = server.root()
    for name in guests(server):
        root.delete_s(guest_dn(name))


WORLD = {  # name: (what stands in the entry, reason to be disabled)
    "expired": ((f"b2bValidUntil: {PAST}",), "expired"),
    "lapsed": ((f"b2bValidUntil: {FUTURE}", f"b2bReviewDue: {PAST}"), "review-lapsed"),
    "unsure": ((f"b2bReviewDue: {PAST}", "b2bReviewDecision: DontKnow"), "review-lapsed"),
    "denied": ((f"b2bReviewDue: {FUTURE}", "b2bReviewDecision: Deny"), "review-lapsed"),
    "early": ((f"b2bValidFrom: {ahead(DAY)}", "b2bReviewDecision: Deny"), "review-lapsed"),
    "future": ((f"b2bValidFrom: {ahead(DAY)}",), None),
    "approved": ((f"b2bReviewDue: {PAST}", "b2bReviewDecision: Approve"), None),
    "running": ((f"b2bReviewDue: {ahead(10 * DAY)}",), None),
    "fresh": ((), None),
    "off": ((f"b2bValidUntil: {PAST}", "b2bAccountEnabled: FALSE"), None),
}


def world_ldif():
    text = ""
    for name, (lines, _) in WORLD.items():
        one = guest(name, *lines)
        if name == "off":
            one = one.replace("b2bAccountEnabled: TRUE\n", "")
        text += one
    return text


def check_world(server, since):
    """Who had to be disabled is, with reason, times, stamps and a log line; nobody else is."""
    wait_enabled(server, {"approved", "running", "fresh", "future"})
    log = server.log(since)
    for name, entry in guests(server).items():
        reason = WORLD[name][1]
        line = f'b2b: task guest="{guest_dn(name)}" disabled reason={reason}'
        assert (line in log) == bool(reason)
        if not reason:
            assert not MARKS & set(entry) or name == "off"
            continue
        assert entry["b2bAccountEnabled"] == ["FALSE"]
        assert entry["b2bDisabledReason"] == [reason]
        at = seconds(entry["b2bDisabledAt"][0])
        assert abs(at - time.time()) < 60
        assert seconds(entry["b2bDeleteAfter"][0]) == at + 30 * DAY
        assert entry["b2bNextDue"] == [next_hour(entry["b2bDeleteAfter"][0])]
        assert entry["modifiersName"] == [ROOTDN]
    entry = guests(server)["running"]
    assert entry["b2bNextDue"] == [next_hour(entry["b2bReviewDue"][0])]


def test_guests_whose_time_is_over(clean):
    """Set-up: guests added that are expired, lapsed, undecided, denied, denied before they begin,
    yet to begin, approved, running, new, already off.  Expected: within a sweep the first five
    are disabled."""
    mark = clean.log_mark()
    clean.load(world_ldif())
    check_world(clean, mark)


def test_guests_loaded_without_due(make_server):
    """Set-up: the same by slapadd, so that nothing says when they are due.  Expected: the task
    finds out at the start, disables who is over, and notes when the others are due."""
    server = make_server(builders.tenant_server, start=False, data=world_ldif(), sweep=3600)
    assert "b2bNextDue" not in server.tool("slapcat", "-b", builders.SUFFIX).stdout
    mark = server.log_mark()
    server.start()
    check_world(server, mark)
    entry = guests(server)["fresh"]
    assert seconds(entry["b2bNextDue"][0]) >= seconds(entry["createTimestamp"][0]) + 90 * DAY


def test_stamps_are_of_the_change(clean):
    """entryCSN moves on, modifiersName is the rootdn, though another added the guest."""
    mia = clean.conn(member_dn("mia"), "mia-pw")
    dn = add_entry(mia, guest("over"))
    before = clean.entry(dn)
    assert before["modifiersName"] == [member_dn("mia")]
    mia.modify_s(dn, [replace("b2bValidUntil", PAST)])
    wait_enabled(clean, ())
    after = clean.entry(dn)
    assert after["modifiersName"] == [ROOTDN]
    assert after["entryCSN"][0] > before["entryCSN"][0]
    assert after["modifyTimestamp"][0] >= before["modifyTimestamp"][0]
    assert after["entryUUID"] == before["entryUUID"]


def test_decision_deny_is_carried_out(clean):
    """A guest whose open review is answered with Deny is off at the next sweep; one answered with
    Approve goes on though the deadline passes."""
    clean.load(guest("one", f"b2bReviewDue: {FUTURE}") + guest("two", f"b2bReviewDue: {FUTURE}"))
    root = clean.root()
    root.modify_s(guest_dn("two"), [replace("b2bReviewDecision", "Approve"),
                                    replace("b2bReviewDue", PAST)])
    root.modify_s(guest_dn("one"), [replace("b2bReviewDecision", "Deny")])
    wait_enabled(clean, {"two"})
    assert guests(clean)["one"]["b2bDisabledReason"] == ["review-lapsed"]


def test_batches(make_server):
    """Set-up: 23 expired guests by slapadd, 23 by ldapadd, batches of 5.  Expected: one sweep
    handles all."""
    server = make_server(builders.tenant_server, start=False, data=expired(23), sweep=3600,
                         b2b="b2b-sweep-batch 5")
    server.start()
    wait_enabled(server, ())
    server.load(expired(23, "h"))
    assert len(enabled(server)) == 23
    set_interval(server, 7200)
    wait_enabled(server, ())
    assert len(guests(server, "(b2bDisabledReason=expired)")) == 46


def test_stuck_guests_do_not_stop_others(make_server):
    """Set-up: batches of 2; the first guests of the database are five whose entries slapd's schema
    check refuses to write (slapadd -s let them in), then expired ones.  Expected: those are
    dealt with all the same, and the log says who was not."""
    due = f"b2bUserType: Guest\nb2bNextDue: {ahead(-DAY)[:10]}0000Z\n"
    server = make_server(builders.tenant_server, start=False, sweep=1, b2b="b2b-sweep-batch 2")
    server.load(expired(5, "broken").replace("b2bUserType: Guest\n", due), "-s")
    server.load(expired(6).replace("b2bUserType: Guest\n", due))
    server.start()
    broken = {f"broken{n}" for n in range(5)}
    wait_enabled(server, broken)
    for name in broken:
        server.wait_log(f'b2b: task guest="{guest_dn(name)}": not written')


@pytest.fixture
def logged():
    """Our tenant with slapo-accesslog; the records are below cn=log."""
    log = builders.database_conf("cn=log", directory="{dir}/logdb")
    server = builders.tenant_server(
        start=False, load=False, sweep=3600, modules=("accesslog",), databases=log,
        database="overlay accesslog\nlogdb cn=log\nlogops writes\nlogsuccess TRUE\n")
    (server.dir / "logdb").mkdir()
    with server:
        server.load(builders.tree_ldif(builders.SUFFIX, ("people", "guests"))
                    + builders.policy_ldif())
        yield server


def records(server):
    """(reqDN, reqAuthzID, reqStart, changes as text) of all modifications logged."""
    connection = server.conn("cn=admin,cn=log", "secret")
    found = connection.search_s("cn=log", ldap.SCOPE_SUBTREE, "(objectClass=auditModify)")
    return [(*(entry[name][0].decode() for name in ("reqDN", "reqAuthzID", "reqStart")),
             "\n".join(mod.decode("utf-8", "replace") for mod in entry["reqMod"]))
            for _, entry in found]


def test_accesslog_has_the_changes(logged):
    """Steps: a sweep disables seven guests.  Expected: one record for each, in the rootdn's name,
    with what was changed."""
    logged.load(expired(7))
    set_interval(logged, 7200)
    wait_enabled(logged, ())
    done = [record for record in records(logged) if "b2bAccountEnabled:= FALSE" in record[3]]
    assert sorted(dn for dn, *_ in done) == sorted(guest_dn(f"g{n}") for n in range(7))
    assert len({start for _, _, start, _ in done}) == 7
    for _, who, _, changes in done:
        assert who == ROOTDN
        assert "b2bDisabledReason:= expired" in changes and "b2bNextDue:- " in changes


def test_accesslog_has_what_follows_a_change(logged):
    """Set-up: two managers change a guest with a long entry at the same moment, so that the record
    keeper puts b2bNextDue right.  Expected: whatever state the entry had, its change is in the
    log."""
    dn = add_entry(logged.root(), guest("busy"))
    writers = [logged.root() for _ in range(2)]
    writers[0].modify_s(dn, [replace("description", *(f"{n} " + 500 * "x" for n in range(400)))])
    states = set()
    for n in range(100):
        times = [ahead((30 + 20 * (n % 2)) * DAY), ahead((40 + 20 * (n % 2)) * DAY)]
        calls = [(writer, writer.modify_ext(dn, [replace(name, when)])) for writer, name, when in
                 zip(writers, ("b2bValidUntil", "b2bReviewDue"), times[::1 - n // 2 % 2 * 2])]
        for writer, call in calls:
            writer.result(call)
        states |= set(logged.entry(dn, ("entryCSN",), writers[0])["entryCSN"])
    text = "\n".join(changes for *_, changes in records(logged))
    assert not [csn for csn in states if f"entryCSN:= {csn}" not in text]


def test_interval_at_run_time(make_server):
    """Set-up: a sweep an hour.  Steps: add an expired guest; set the interval to one second; add
    another; 0 switches the task off.  Expected: each is disabled soon while the task is on, a
    third one added after not."""
    server = make_server(builders.tenant_server, sweep=3600)
    set_interval(server, 3599)
    server.load(expired(1, "a"))
    set_interval(server, 1)
    wait_enabled(server, ())
    server.load(expired(1, "b"))
    wait_enabled(server, ())
    set_interval(server, 0)
    server.load(expired(1, "c"))
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert enabled(server) == {"c0"}
        time.sleep(0.1)
    set_interval(server, 1)
    wait_enabled(server, ())


def test_read_only_database_is_left_alone(make_server):
    """Set-up: the database is read-only, an expired guest in it.  Expected: the task writes
    nothing until the database may be written again."""
    server = make_server(builders.tenant_server, start=False, data=expired(1), sweep=1,
                         database="readonly on\n")
    server.start()
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert enabled(server) == {"g0"}
        time.sleep(0.1)
    server.config().modify_s("olcDatabase={1}mdb,cn=config", [replace("olcReadOnly", "FALSE")])
    wait_enabled(server, ())


def test_extended_guest_is_not_disabled(make_server):
    """Set-up: 300 expired guests by slapadd.  Steps: while the task works through them, a manager
    extends one after the other, each on the condition that it is still enabled.  Expected: every
    guest whose extension was accepted stays enabled; every other is disabled."""
    server = make_server(builders.tenant_server, start=False, data=expired(300), sweep=1,
                         access=ACCESS, tenant="b2bMassLimit: 100%")
    server.start()
    mia = server.conn(member_dn("mia"), "mia-pw")
    extended = set()
    for n in [n for pair in zip(range(150), range(299, 149, -1)) for n in pair]:
        try:
            mia.modify_s(guest_dn(f"g{n}"), [
                delete("b2bAccountEnabled", "TRUE"), add("b2bAccountEnabled", "TRUE"),
                replace("b2bValidUntil", FUTURE)])
            extended.add(f"g{n}")
        except ldap.NO_SUCH_ATTRIBUTE:
            pass
    wait_enabled(server, extended)
    mark = server.log_mark()
    server.load(expired(1, "last"))
    server.wait_log("task guest=.*last0.* disabled", since=mark)
    assert enabled(server) == extended
    for name, entry in guests(server).items():
        assert bool(MARKS & set(entry)) == (name not in extended)
        due = "b2bValidUntil" if name in extended else "b2bDeleteAfter"
        assert entry["b2bNextDue"] == [next_hour(entry[due][0])]


def test_extension_loop(clean):
    """Steps: again and again a guest expires and is, at the same moment as the task runs, extended
    by a manager on the condition that it is enabled.  Expected: an accepted extension holds."""
    mia = clean.conn(member_dn("mia"), "mia-pw")
    dn = add_entry(mia, guest("loop"))
    stop, faults, held = threading.Event(), [], 0

    def expire():
        connection = clean.conn(member_dn("mia"), "mia-pw")
        while not stop.is_set():
            connection.modify_s(dn, [replace("b2bValidUntil", PAST),
                                     replace("b2bAccountEnabled", "TRUE")])
            time.sleep(0.01)

    def check():
        entry = clean.entry(dn, connection=mia)
        off = entry["b2bAccountEnabled"] == ["FALSE"]
        if off and entry["b2bValidUntil"] == [FUTURE] and entry["modifiersName"] == [ROOTDN]:
            faults.append(entry)

    expirer = threading.Thread(target=expire, daemon=True)
    expirer.start()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        try:
            mia.modify_s(dn, [delete("b2bAccountEnabled", "TRUE"), add("b2bAccountEnabled", "TRUE"),
                              replace("b2bValidUntil", FUTURE)])
            held += 1
        except ldap.NO_SUCH_ATTRIBUTE:
            pass
        check()
    stop.set()
    expirer.join(10)
    assert held and not faults


def test_repeated_disabling_writes_once(clean):
    """A guest that is off is left alone: sweeps that follow do not write it again."""
    clean.load(expired(1))
    wait_enabled(clean, ())
    csn = clean.entry(guest_dn("g0"))["entryCSN"]
    mark = clean.log_mark()
    for name in ("a", "b"):
        clean.load(expired(1, name))
        clean.wait_log(f"task guest=.*{name}0.* disabled", since=mark)
    assert clean.entry(guest_dn("g0"))["entryCSN"] == csn
    assert clean.log(mark).count(" disabled reason=") == 2


def test_re_enabled_guest_is_disabled_again(clean):
    """Enabling an expired guest without a new end lasts until the next sweep; with one it lasts."""
    clean.load(expired(1))
    wait_enabled(clean, ())
    root = clean.root()
    mark = clean.log_mark()
    root.modify_s(guest_dn("g0"), [replace("b2bAccountEnabled", "TRUE")])
    clean.wait_log("task guest=.* disabled reason=expired", since=mark)
    root.modify_s(guest_dn("g0"), [replace("b2bAccountEnabled", "TRUE"),
                                   replace("b2bValidUntil", FUTURE)])
    clean.load(expired(1, "next"))
    wait_enabled(clean, {"g0"})


def test_shutdown_in_a_big_sweep(make_server):
    """Set-up: 5,000 expired guests by slapadd.  Steps: stop while the task is at work.  Expected:
    slapd ends cleanly within seconds, with some guests done and some not; the next start does
    the rest."""
    server = builders.tenant_server(start=False, sweep=3600, b2b="b2b-sweep-batch 50",
                                    tenant="b2bMassLimit: 100%")
    server.load(expired(5000), "-q")
    try:
        server.start()
        server.wait_log("b2b: task guest=.* disabled")
        begin = time.monotonic()
        server.stop(secs=10)
        assert time.monotonic() - begin < 10
        data = server.tool("slapcat", "-b", builders.SUFFIX).stdout
        assert 0 < data.count("b2bDisabledReason: expired") < 5000
        server.start()
        poll(lambda: not enabled(server), 60, "the rest is done", step=0.5)
        server.stop()
    finally:
        server.remove()


def test_time_passes(make_server):
    """Set-up: a guest added today.  Steps: slapd comes up 91 days later (libfaketime).  Expected:
    the guest, still enabled in the database, is disabled as expired at that time."""
    server = make_server(builders.tenant_server, sweep=3600)
    server.load(guest("today"))
    server.stop()
    server.env = faketime_env("+91d")
    server.start()
    wait_enabled(server, ())
    entry = guests(server)["today"]
    assert entry["b2bDisabledReason"] == ["expired"]
    assert seconds(entry["b2bDisabledAt"][0]) > time.time() + 90 * DAY


def test_tenant_settings_are_followed(make_server):
    """Set-up: slapadd loads guests without b2bValidUntil, created 10 days ago; the tenant gives 5
    days and a grace of 2.  Expected: disabled as expired, to be deleted after 2 days."""
    server = builders.tenant_server(start=False, load=False, sweep=3600)
    old = guest("old", f"createTimestamp: {ahead(-10 * DAY)}")
    server.load(builders.tree_ldif(builders.SUFFIX, ("people", "guests"))
                + builders.policy_ldif(tenant="b2bGuestLifetime: 5\nb2bDeleteGrace: 2") + old)
    with server:
        wait_enabled(server, ())
        entry = guests(server)["old"]
        assert entry["b2bDisabledReason"] == ["expired"]
        assert (seconds(entry["b2bDeleteAfter"][0])
                == seconds(entry["b2bDisabledAt"][0]) + 2 * DAY)


def test_lost_relax_marks_are_not_trusted(clean):
    """b2bNextDue set wrongly with relax is put right by the next change, and a guest that is not
    due is not disabled by a b2bNextDue in the past: its date is moved on."""
    clean.load(guest("fine", f"b2bValidUntil: {FUTURE}"))
    root = clean.root()
    root.modify_ext_s(guest_dn("fine"), [replace("b2bNextDue", PAST)], serverctrls=RELAX)
    poll(lambda: guests(clean)["fine"]["b2bNextDue"] == [next_hour(FUTURE)], 10, "moved on")
    assert enabled(clean) == {"fine"}
