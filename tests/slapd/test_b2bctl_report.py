"""b2bctl report against a real slapd: what wants attention, in all formats, and for many guests."""

import csv
import io
import json
import re

import pytest

from lib import builders as b, life
from lib.builders import guest_dn, member_dn
from lib.ctl import Ctl, cleaned
from lib.records import DAY, RELAX, ahead, replace

SECTIONS = ["expiring", "lapsed", "orphaned", "unredeemed", "partners"]
MIA, GONE, LOCKED = member_dn("mia"), member_dn("gone"), member_dn("locked")


@pytest.fixture(scope="module")
def served(make_server):
    """locked is locked as a server with a lock attribute of its own would have it."""
    ctl = Ctl(make_server(b.tenant_server))
    ctl.server.load(b.people_ldif(["locked"], b.PEOPLE))
    return ctl


@pytest.fixture
def ctl(served):
    served.server.load(b.partner_ldif("home") + b.partner_ldif("empty"))
    yield served
    life.settings(served.server, "b2bGuestLifetime:\nb2bInvitationLifetime:")
    served.root.modify_ext_s(b.BASE, [replace("b2bMassHalted")], serverctrls=RELAX)
    cleaned(served)


def stored(ctl, name, *lines, tenant="home", enabled=True):
    """A guest as it is stored, whatever the server would make of it."""
    ldif = b.guest_ldif(name, tenant=tenant, lines="\n".join(lines))
    if not enabled:
        ldif = ldif.replace("Enabled: TRUE", "Enabled: FALSE")
    entry = {}
    for line in ldif.strip().splitlines():
        key, value = line.split(": ", 1)
        entry.setdefault(key, []).append(value.encode())
    dn = entry.pop("dn")[0].decode()
    ctl.root.add_ext_s(dn, list(entry.items()), serverctrls=RELAX)
    return dn


def report(ctl, *args, code=0):
    return json.loads(ctl.run("report", "--format", "json", *args, code=code).stdout)


def uids(found, section):
    return {row["uid"] for row in found[section]}


def test_report__expiring(ctl):
    """What ends within thirty days, or as many as one says, by its own date or the tenant's; what
    is over and still enabled is in it, what is disabled is not."""
    for name, lines in (("soon", [f"b2bValidUntil: {ahead(20 * DAY + 60)}"]),
                        ("later", [f"b2bValidUntil: {ahead(40 * DAY)}"]),
                        ("over", [f"b2bValidUntil: {ahead(-2 * DAY)}"])):
        stored(ctl, name, f"b2bSponsor: {MIA}", *lines)
    stored(ctl, "off", f"b2bValidUntil: {ahead(DAY)}", enabled=False)
    found = report(ctl, "--what", "expiring")
    assert uids(found, "expiring") == {"soon", "over"}
    days = {row["uid"]: row["days"] for row in found["expiring"]}
    assert days["soon"] == 20 and days["over"] in (-2, -3)
    [soon] = [row for row in found["expiring"] if row["uid"] == "soon"]
    assert soon["sponsors"] == [MIA] and soon["mail"] == "soon@home.example"
    assert uids(report(ctl, "--days", "50", "--what", "expiring"), "expiring") == {
        "soon", "later", "over"}
    assert uids(report(ctl, "--days", "0", "--what", "expiring"), "expiring") == {"over"}
    life.settings(ctl.server, "b2bGuestLifetime: 10")
    ctl.root.modify_s(guest_dn("later"), [replace("b2bValidUntil")])
    assert uids(report(ctl, "--what", "expiring"), "expiring") == {"soon", "over", "later"}


def test_report__lapsed(ctl):
    """Why, and after when it is deleted."""
    dn = stored(ctl, "alice", f"b2bSponsor: {MIA}")
    ctl.root.modify_s(dn, [replace("b2bAccountEnabled", "FALSE")])
    stored(ctl, "bob", f"b2bSponsor: {MIA}")
    [row] = report(ctl, "--what", "lapsed")["lapsed"]
    assert (row["uid"], row["why"]) == ("alice", "administrator") and row["days"] in (29, 30)
    after = ctl.server.entry(dn)["b2bDeleteAfter"][0]
    assert row["when"].replace("-", "").replace(":", "").replace("T", "") == after


def test_report__orphaned(ctl):
    """None, gone, locked, one of two gone; a sponsor that is there, the rootdn without an entry,
    and one of another tree are no orphan's."""
    stored(ctl, "none")
    ctl.root.modify_s(guest_dn("none"), [replace("b2bSponsor")])
    stored(ctl, "gone", f"b2bSponsor: {GONE}")
    stored(ctl, "half", f"b2bSponsor: {GONE}", f"b2bSponsor: {MIA}")
    stored(ctl, "both", f"b2bSponsor: {GONE}", f"b2bSponsor: {guest_dn('off')}")
    stored(ctl, "off", f"b2bSponsor: {MIA}", enabled=False)
    stored(ctl, "fine", f"b2bSponsor: {MIA}")
    stored(ctl, "root", f"b2bSponsor: {b.ROOTDN}")
    stored(ctl, "far", "b2bSponsor: uid=x,dc=elsewhere")
    why = {row["uid"]: row["why"] for row in report(ctl, "--what", "orphaned")["orphaned"]}
    assert why == {"none": "no sponsor", "gone": "no sponsor is left",
                   "half": "1 of 2 sponsors gone", "both": "no sponsor is left"}


def test_report__unredeemed():
    """How old, and when the invitation lapses; whose mail is not yet on its way; what was never
    invited does not lapse.  Without the module there is no task that would change them."""
    alice, bob = (ahead(-4 * DAY - 60), ahead(-60))
    data = (b.guest_ldif("alice", lines=f"b2bUserState: PendingAcceptance\nb2bInvitedAt: {alice}\n"
                         f"b2bInvitationSent: {alice}")
            + b.guest_ldif("bob", lines=f"b2bUserState: PendingAcceptance\nb2bInvitedAt: {bob}")
            + b.guest_ldif("carol", lines="b2bUserState: Accepted") + b.guest_ldif("dave"))
    with b.tenant_server(module=False, start=False, data=data) as server:
        life.settings(server, "b2bInvitationLifetime: 10")
        found = report(Ctl(server), "--what", "unredeemed")["unredeemed"]
    rows = {row["uid"]: (row["days"], row["why"], row["when"] and row["when"][:10])
            for row in found}

    def day(secs):
        return "-".join(re.match(r"(\d{4})(\d\d)(\d\d)", ahead(secs)).groups())
    assert rows == {"alice": (4, None, day(6 * DAY - 60)), "bob": (0, "no mail yet", day(10 * DAY)),
                    "dave": (0, "never invited", None)}


def test_report__partners(ctl):
    """Counts by home tenant, whatever its case; partners without guests, and guests without a
    partner, are told."""
    stored(ctl, "a", "b2bUserState: Accepted", f"b2bValidUntil: {ahead(5 * DAY)}")
    stored(ctl, "b", tenant="HOME")
    stored(ctl, "c", enabled=False)
    stored(ctl, "d", tenant="stranger")
    rows = report(ctl, "--what", "partners")["partners"]
    keys = ("guests", "accepted", "pending", "disabled", "expiring", "why")
    assert {row["homeTenant"]: tuple(row[k] for k in keys) for row in rows} == {
        "home": (3, 1, 1, 1, 1, None), "empty": (0, 0, 0, 0, 0, None),
        "stranger": (1, 0, 1, 0, 0, "no partner of ours")}


def failed_notice(ctl):
    for dn, oc, name in ((life.OUTBOX, "b2bContainer", "outbox"),):
        if not ctl.server.entry(dn):
            ctl.root.add_s(dn, [("objectClass", [oc.encode()]), ("cn", [name.encode()])])
    dn = f"cn=invitation-1,{life.OUTBOX}"
    ctl.root.add_ext_s(dn, [
        ("objectClass", [b"b2bNotice"]), ("cn", [b"invitation-1"]),
        ("b2bNoticeType", [b"invitation"]), ("b2bNoticeTo", [b"x@y.example"]),
        ("b2bNoticeState", [b"failed"]), ("b2bNoticeError", ["550 no \u001b[1mway".encode()])],
        serverctrls=RELAX)


def test_report__what_went_wrong_comes_first(ctl):
    """A halted task and mail that could not be sent stand at the top, whatever is asked for."""
    failed_notice(ctl)
    ctl.root.modify_ext_s(b.BASE, [replace("b2bMassHalted", "612")], serverctrls=RELAX)
    lines = ctl.run("report", "--what", "lapsed").stdout.splitlines()
    assert lines[0].startswith("The task has halted: 612 guests were to be disabled or deleted")
    assert lines[1].startswith("b2bMassConfirm: 612 ")
    assert lines[3] == "Mail that could not be sent"
    assert lines[6].split() == ["x@y.example", "invitation:", "550", "no", "?[1mway"]
    assert lines[-2] == "Guests that are disabled: none"
    found = report(ctl, "--what", "lapsed")
    assert found["halted"] == 612 and found["lapsed"] == []
    assert found["failedNotices"] == [{"mail": "x@y.example", "why": "invitation: 550 no ?[1mway",
                                       "dn": f"cn=invitation-1,{life.OUTBOX}"}]
    rows = list(csv.DictReader(io.StringIO(ctl.run("report", "--format", "csv").stdout)))
    assert [(row["what"], row["guests"]) for row in rows[:2]] == [("halted", "612"),
                                                                  ("failedNotices", "")]


def test_report__formats(ctl):
    """All sections: headings and tables; one JSON object; CSV whose rows have the same columns."""
    stored(ctl, "alice", f"b2bValidUntil: {ahead(5 * DAY)}", f"b2bSponsor: {GONE}",
           f"b2bSponsor: {MIA}")
    text = ctl.run("report").stdout
    for heading in ("Guests whose time is over soon\n", "Guests that are disabled: none\n",
                    "Guests whose sponsors are gone\n", "Partners and their guests\n"):
        assert heading in text
    assert "could not be sent" not in text and "halted" not in text
    row = next(line for line in text.splitlines() if line.startswith("alice"))
    assert row.split()[-3:] == ["gone,", "mia", "alice@home.example"]
    found = report(ctl)
    assert list(found) == ["halted", "failedNotices", *SECTIONS] and found["halted"] is None
    raw = ctl.run("report", "--format", "csv").stdout
    table = list(csv.reader(io.StringIO(raw, newline="")))
    assert {len(line) for line in table} == {len(table[0])} and raw.count("\r\n") == len(table)
    rows = list(csv.DictReader(io.StringIO(raw)))
    assert {row["what"] for row in rows} == {"expiring", "orphaned", "unredeemed", "partners"}
    assert rows[0]["sponsors"] == f"{GONE}; {MIA}"


def test_report__many(ctl):
    """Twelve hundred, page by page, with sponsors looked up in between; who may not have them all
    is told that the report is not complete."""
    ctl.server.load("".join(b.guest_ldif(f"g{n}", lines=f"b2bSponsor: {GONE if n % 3 else MIA}")
                            for n in range(1200)))
    mark = ctl.server.log_mark()
    found = report(ctl, "--what", "orphaned")
    assert len(found["orphaned"]) == 800
    assert len(re.findall(rf'SRCH base="{GONE}"', ctl.server.log(mark))) == 1
    done = ctl.bare("-H", ctl.server.ldapi, "-D", MIA, "-w", "mia-pw", "report", "--what",
                    "orphaned", "--format", "json")
    assert done.returncode == 1 and "the report is not complete" in done.stderr
    assert "Size limit" in done.stderr and json.loads(done.stdout)["orphaned"]
    table = ctl.run("report", "--what", "orphaned").stdout.splitlines()
    assert len(table) == 3 + 800 + 1


def test_report__usage(ctl):
    for args in (["--what", "everything"], ["--days", "x"], ["--days", "-1"], ["--days", "99999"],
                 ["--format", "xml"], ["word"], ["--what", "failedNotices"]):
        assert ctl.bare("report", *args).returncode == 2, args


def test_report__nobody_there(ctl):
    done = ctl.bare("-H", "ldap://127.0.0.1:1", "report")
    assert done.returncode == 1 and "Can't contact LDAP server" in done.stderr
