"""The table of the manual page, section WHAT EACH OPERATION DOES, cell by cell against a slapd with
every overlay that brings a control, whose ACLs give everybody everything: only the gate refuses."""

import re
import ldap
import pytest

from lib import builders, table_world, wire
from lib.builders import BASE, GUESTS, PEOPLE, SUFFIX, guest_dn
from lib.cells import CONTROLS, OURS, passwords, refreshes, sent
from lib.gate_world import LEVELS, PROJECTS, set_level
from lib.hostile import ber, ber_int
from lib.table_world import GLUED
from lib.wire import Wire, compare, extended, names, result, search

OWN = guest_dn("alice")
MAN = builders.TOP / "man" / "slapo-b2b.5"
WHOAMI = "1.3.6.1.4.1.4203.1.11.3"

# yes: it is done, as for anybody else, on what the guest sees.  A number: the code of a refusal.
OPERATIONS = {
    "search, every scope": "yes",
    "search that follows aliases": "yes",
    "compare": "yes",
    "compare of hasSubordinates": "50",
    "add": "50",
    "delete": "50",
    "modify": "50",
    "increment": "50",
    "rename": "50",
    "move": "50",
    "abandon": "yes",
    "Who am I?": "yes",
    "Cancel": "yes",
    "StartTLS": "yes",
    "password modify": "50",
    "refresh": "50",
    "start of a transaction": "50",
    "end of a transaction": "50",
    "verify credentials": "50",
    "invitation, .3.1": "50",
    "redemption, .3.2": "yes",
    "passcode, .3.3": "50",
    "token, .3.4": "50",
    "explanation, .3.5": "50",
    "sign-up, .3.6": "50",
    "one-time password, .3.7": "yes",
    "any other extended operation": "50",
}
# By search, compare, Who am I?; a/b: a where the control is not critical, b where it is.
TABLE = {
    "paged results": ("yes", "yes/12", "yes/12"),
    "manageDsaIT": ("yes", "yes", "yes/12"),
    "subentries": ("yes", "yes/12", "yes/12"),
    "values return filter": ("yes", "yes/12", "yes/12"),
    "domain scope": ("yes", "yes/12", "yes/12"),
    "session tracking": ("yes/2", "yes/2", "yes/2"),
    "proxied authorization": ("123", "123", "123"),
    "proxied authorization v1": ("50/12", "50/12", "50/12"),
    "sync, refreshOnly": ("50", "50/12", "50/12"),
    "sync, refreshAndPersist": ("50", "50/12", "50/12"),
    "sort": ("50", "50/12", "50/12"),
    "virtual list view": ("50", "50/12", "50/12"),
    "dereference": ("50", "50/12", "50/12"),
    "relax": ("50/12", "50/12", "50/12"),
    "assertion": ("50", "50", "50/12"),
    "pre-read": ("50/12", "50/12", "50/12"),
    "post-read": ("50/12", "50/12", "50/12"),
    "no-op": ("50", "50", "50/12"),
    "no subordinates": ("50/12", "50/12", "50/12"),
    "don't use copy": ("50", "50", "50/12"),
    "tree delete": ("50/12", "50/12", "50/12"),
    "password policy": ("50/12", "50/12", "50/12"),
    "account usability": ("50", "50/12", "50/12"),
    "authorization identity": ("50/12", "50/12", "50/12"),
    "transaction": ("50/12", "50/12", "50/12"),
    "for whom, .4.1": ("50/12", "50/12", "50/12"),
    "any other": ("50/12", "50/12", "50/12"),
}
DATABASES = {  # by level: restricted, limited, member
    "the tenant's": ("own entry", "scopes", "all"),
    "glued below it": ("32", "scopes", "all"),
    "another tenant's": ("32", "32", "32"),
    "without overlay b2b": ("32", "32", "32"),
    "cn=config": ("32", "32", "32"),
    "cn=monitor": ("32", "32", "32"),
    "an access log": ("32", "32", "32"),
    "the root DSE": ("yes", "yes", "yes"),
    "cn=Subschema": ("yes", "yes", "yes"),
}


@pytest.fixture(scope="module")
def world(home, make_server, tmp_path_factory, certs):
    return table_world.build(home, make_server, tmp_path_factory.mktemp, certs)


@pytest.fixture(params=LEVELS)
def alice(world, request):
    set_level(world, request.param)
    with Wire(world, OWN, "alice-pw") as wired:
        wired.level = request.param
        yield wired


def outcome(pdus):
    """As the tables have it.  Once an operation of ours is allowed, it has its own rules."""
    code, _, text = result(pdus)[:3]
    allowed = code in (0, 5, 6) or text.startswith(("b2b: one of", "b2b: action"))
    return "yes" if allowed else str(code)


# --- operations ---

def of_ours(number):
    return extended(f"{OURS}.3.{number}", b'{"guest": "%s"}' % OWN.encode())


def requests(dn):
    """What is sent for each operation; several: all must have the outcome."""
    return {
        "search, every scope": [search(dn, scope) for scope in range(4)],
        "search that follows aliases": [search(dn, scope, deref) for scope in range(4)
                                        for deref in (1, 2, 3)],
        "compare": [compare(dn), compare(dn, "uid", "alice")],
        "compare of hasSubordinates": [compare(dn, "hasSubordinates", "FALSE")],
        "add": [wire.add(f"cn=new,{dn}"), wire.add(f"cn=new,{PEOPLE}")],
        "delete": [wire.delete(dn)],
        "modify": [wire.modify(dn, how) for how in (0, 1, 2)]
        + [wire.modify(dn, attr="userPassword")],
        "increment": [wire.modify(dn, how=3, attr="uidNumber", value="1")],
        "rename": [wire.rename(dn, "uid=new")],
        "move": [wire.rename(dn, "uid=new", PEOPLE)],
        "Who am I?": [extended(WHOAMI)],
        "StartTLS": [extended("1.3.6.1.4.1.1466.20037")],
        "password modify": [extended("1.3.6.1.4.1.4203.1.11.1"), *passwords(dn)],
        "refresh": list(refreshes(dn)),
        "start of a transaction": [extended("1.3.6.1.1.21.1")],
        "end of a transaction": [extended("1.3.6.1.1.21.3", ber(0x30, ber(0x04, b"1")))],
        "verify credentials": [extended("1.3.6.1.4.1.4203.666.6.5")],
        "invitation, .3.1": [of_ours(1)], "redemption, .3.2": [of_ours(2)],
        "passcode, .3.3": [of_ours(3)], "token, .3.4": [of_ours(4)],
        "explanation, .3.5": [of_ours(5)], "sign-up, .3.6": [of_ours(6)],
        "one-time password, .3.7": [of_ours(7)],
        "any other extended operation": [extended("1.2.3.4", b"x"), extended("1.2.3.5")],
    }


def test_operations(world, alice):
    """Every operation on the guest's own entry has the outcome of the table, and what the table
    refuses is refused alike on entries that are hidden and that do not exist."""
    before = world.tool("slapcat", "-b", SUFFIX).stdout
    for name, wanted in OPERATIONS.items():
        if name in ("abandon", "Cancel", "StartTLS"):
            continue  # below
        for dn in (OWN, guest_dn("bob"), f"uid=nobody,{GUESTS}"):
            if dn == OWN or wanted != "yes":
                for request in requests(dn)[name]:
                    assert outcome(alice.ask(request)) == wanted, (name, dn)
    assert world.tool("slapcat", "-b", SUFFIX).stdout == before


def test_abandon_cancel_starttls(world, alice):
    """Abandon has no answer, Cancel and StartTLS have their own; the connection serves on."""
    doomed = alice.send(search(SUFFIX, wire.SUB))
    alice.send(wire.abandon(doomed))
    assert outcome(alice.ask(extended(WHOAMI))) == OPERATIONS["abandon"] == "yes"
    doomed = alice.send(search(SUFFIX, wire.SUB))
    cancelled = alice.ask(extended("1.3.6.1.1.8", ber(0x30, ber_int(doomed))))
    assert result(cancelled)[0] in (0, 118, 119, 120, 121) and OPERATIONS["Cancel"] == "yes"
    assert outcome(alice.ask(requests(OWN)["StartTLS"][0])) == OPERATIONS["StartTLS"]


# --- controls ---

def test_controls(world, alice):
    """Each control with each operation that a guest may use, critical and not."""
    assert list(TABLE) == [name.replace(" (.4.1)", ", .4.1") for name in CONTROLS]
    for (name, wanted), control in zip(TABLE.items(), CONTROLS):
        got = []
        for request in (search(OWN), compare(OWN), extended(WHOAMI)):
            pair = [outcome(alice.ask(request, sent(control, critical)))
                    for critical in (False, True)]
            got.append(pair[0] if pair[0] == pair[1] else "/".join(pair))
        assert tuple(got) == wanted, name


def test_controls_do_not_lift_a_refusal(world, alice):
    """No control makes an operation pass that the table refuses."""
    refused = [request for name, made in requests(OWN).items() if OPERATIONS[name] != "yes"
               for request in made]
    before = world.tool("slapcat", "-b", SUFFIX).stdout
    for control in CONTROLS:
        for critical in (False, True):
            for request in refused:
                assert outcome(alice.ask(request, sent(control, critical))) != "yes", control
    assert world.tool("slapcat", "-b", SUFFIX).stdout == before


def test_allowed_controls_work(world):
    """Set-up: a limited guest, whose scope has a referral, a subentry and an alias.  The controls
    that it may send do what they are for."""
    set_level(world, "limited")
    referral, subentry = f"cn=elsewhere,{PROJECTS}", f"cn=subentry,{PROJECTS}"
    with Wire(world, OWN, "alice-pw") as alice:
        def found(*controls):
            return alice.ask(search(PROJECTS, wire.SUB), [c for n in controls for c in sent(n)])
        plain = found()
        assert wire.REFERENCE in wire.kinds(plain) and referral not in names(plain)
        managed = found("manageDsaIT")
        assert referral in names(managed) and wire.REFERENCE not in wire.kinds(managed)
        assert wire.REFERENCE not in wire.kinds(found("domain scope"))
        assert names(found("subentries")) == [subentry] and subentry not in names(plain)
        assert b"1.2.840.113556.1.4.319" in result(found("paged results"))[4]
        filtered = found("values return filter")
        assert names(filtered) == names(plain) and b"description" not in b"".join(filtered)
        assert found("session tracking") == plain
        assert [alice.ask(search(PROJECTS, wire.SUB, deref))[-1] for deref in range(4)] == [
            plain[-1]] * 4
        for deref in range(4):
            assert names(alice.ask(search(PROJECTS, wire.SUB, deref))) == names(plain)


# --- databases ---

WHERE = {
    "the tenant's": SUFFIX, "glued below it": GLUED, "another tenant's": "dc=two,dc=example",
    "without overlay b2b": "dc=plain,dc=example", "cn=config": "cn=config",
    "cn=monitor": "cn=Monitor", "an access log": "cn=accesslog", "the root DSE": "",
    "cn=Subschema": "cn=Subschema",
}


def test_databases(world, alice):
    """Set-up: a scope in the glued database too.  Each database, at each level: nothing (32),
    the guest's own entry, what lies in scopes, or everything that is not labelled too high."""
    wiki = f"dn: cn=wiki,cn=applications,{BASE}\nchangetype: modify\n"
    world.modify(f"{wiki}add: b2bAppScope\nb2bAppScope: {GLUED}\n")
    try:
        got = {name: seen_at(world, alice, name, dn) for name, dn in WHERE.items()}
    finally:
        world.modify(f"{wiki}delete: b2bAppScope\nb2bAppScope: {GLUED}\n")
    column = LEVELS.index(alice.level)
    assert got == {name: row[column] for name, row in DATABASES.items()}


def seen_at(world, alice, name, dn):
    scope = wire.BASE if name in ("the root DSE", "cn=Subschema") else wire.SUB
    pdus = alice.ask(search(dn, scope))
    code, found = result(pdus)[0], set(names(pdus))
    if code:
        return str(code)
    if scope == wire.BASE:
        return "yes"
    root = world.root()
    entries = root.search_ext_s(dn, ldap.SCOPE_SUBTREE, attrlist=["1.1"])
    every = {each.lower() for each, _ in entries if each}
    root.unbind_ext_s()
    scopes = {each for each in every if each.endswith((PROJECTS, GLUED))}
    if found == {OWN}:
        return "own entry"
    if alice.level != "member" and found <= scopes | {OWN} and found & scopes:
        return "scopes"
    private = {each for each in every if re.search("cn=(outbox|requests|reviews),cn=b2b", each)}
    labelled = {f"cn={label},{PROJECTS}" for label in ("general", "secret", "odd")}
    labelled.add(f"uid=vip,{PEOPLE}")
    referrals = {each for each in every if "elsewhere" in each or "hidden-referral" in each}
    subentries = {each for each in every if "subentry" in each}
    missing = every - found - private - labelled - referrals - subentries
    return "all" if not missing else f"not {missing}"


# --- several at once ---

def test_pipelined_binds(world):
    """Steps: a bind and searches in one packet, without waiting, as alice, as bob, and with a wrong
    password.  Result: each search sees what its own bind lets it."""
    set_level(world, "restricted")
    look = (search(SUFFIX, wire.SUB), search(OWN), extended(WHOAMI))
    with Wire(world) as wired:
        wired.ask(extended(WHOAMI))
        for name, password in (("alice", "alice-pw"), ("bob", "bob-pw"), ("alice", "wrong"),
                               ("alice", "alice-pw")):
            dn = guest_dn(name)
            first = wired.message + 1
            wired.socket.sendall(b"".join(wired.packet(request)
                                          for request in (wire.bind(dn, password), *look)))
            bound, found, own, who = (wired.wait(first + n) for n in range(4))
            if password == "wrong":
                assert result(bound)[0] == 49 and dn.encode() not in who[0]
                continue
            assert result(bound)[0] == 0 and names(found) == [dn] and dn.encode() in who[0]
            assert names(own) == ([OWN] if name == "alice" else [])


def test_many_at_once_while_policy_changes(world):
    """Steps: on one connection, 60 searches without waiting, every third abandoned, at each of nine
    changes of the level.  Result: none shows more than the level before and after it; once a change
    was answered, the next search knows it."""
    order = ("restricted", "member", "limited") * 3
    set_level(world, "restricted")
    with Wire(world, OWN, "alice-pw") as alice:
        sees, before = {}, "restricted"
        for level in ("member", "limited", "restricted"):
            set_level(world, level)
            sees[level] = set(names(alice.ask(search(SUFFIX, wire.SUB))))
        for level in order:
            kept = []
            for number in range(60):
                message = alice.send(search(SUFFIX, wire.SUB))
                if number % 3:
                    kept.append(message)
                else:
                    alice.send(wire.abandon(message))
                if number == 30:
                    set_level(world, level)
            for message in kept:
                assert set(names(alice.wait(message))) <= sees[before] | sees[level]
            assert set(names(alice.ask(search(SUFFIX, wire.SUB)))) == sees[level]
            before = level


# --- the manual page ---

def rows(text):
    """Lines of the lists in columns of a piece of mdoc, headings left out."""
    found = [re.split(" Ta ", line[4:]) for line in text.splitlines()
             if line.startswith(".It ") and " Ta " in line]
    return {row[0].replace("\\&", ""): row[1:] for row in found if not row[0].startswith("Em")}


def test_manual_page_says_the_same():
    """The tables above and those of the manual page are the same, row by row and in their order."""
    text = MAN.read_text().split(".Sh WHAT EACH OPERATION DOES\n")[1].split("\n.Sh ")[0]
    parts = re.split(r"\n?\.Ss ", text)[1:]
    said = {part.split("\n")[0]: rows(part) for part in parts}
    wanted = {"Operations": {name: [cell] for name, cell in OPERATIONS.items()},
              "Controls": {name: list(cells) for name, cells in TABLE.items()},
              "Databases": {name: list(cells) for name, cells in DATABASES.items()}}
    for part, table in wanted.items():
        assert list(said[part].items()) == list(table.items()), part
