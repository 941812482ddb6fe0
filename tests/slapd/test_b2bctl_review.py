"""b2bctl review against a real slapd that asks by itself: what is open and for whom, answers, how
far definitions have come, and Graph's definitions brought in."""

import csv
import io
import json
import re

import ldap
import pytest

from lib import builders as b, review as r
from lib.builders import guest_dn, member_dn
from lib.ctl import Ctl, cleaned
from lib.records import DAY, ahead, replace, subtree
from lib.review import Reviews, definition_dn
from lib.slapd import poll

SAMPLE = b.TOP / "tests" / "data" / "graph" / "13-access-review-inactive-guests-request.json"
SOMEBODY = "fc9a2c2b-1ddc-486d-a211-5fe8ca77fa1f"
ACCESS = r.ACCESS.replace("access to * by * read",
                          f'access to dn.subtree="{b.GUESTS}" by users write by * read\n'
                          "access to * by * read")


@pytest.fixture(scope="module")
def served(make_server):
    ctl = Ctl(make_server(b.tenant_server, sweep=1, access=ACCESS))
    ctl.server.load(b.people_ldif(("zoe", "bea", "cem"), b.PEOPLE))
    ctl.reviews = Reviews(ctl.server)
    return ctl


@pytest.fixture
def ctl(served):
    served.server.load(f"dn: {r.REVIEWS}\nobjectClass: b2bContainer\ncn: reviews\n\n"
                       f"dn: {r.GROUPS}\nobjectClass: organizationalUnit\nou: groups\n\n"
                       + b.partner_ldif("home"))
    yield served
    for dn in sorted(subtree(served.root, r.GROUPS), key=len, reverse=True):
        served.root.delete_s(dn)
    cleaned(served)


def by(ctl, name, *args, **options):
    return ctl.bare("-H", ctl.server.ldapi, "-b", b.SUFFIX, "-D", member_dn(name), "-w",
                    f"{name}-pw", *args, **options)


def own(ctl, name, *lines):
    """A guest whose own review is open, and whose reviewers were asked."""
    ctl.reviews.guest(name, f"b2bReviewDue: {ahead(5 * DAY)}", *lines)
    poll(lambda: "b2bReviewAsked" in ctl.server.entry(guest_dn(name)), 10, f"{name} is asked about")
    return guest_dn(name)


def found(ctl, *args, name=None):
    """{(guest, review): row} of review list as JSON."""
    args = ("review", "list", "--format", "json", *args)
    done = by(ctl, name, *args) if name else ctl.run(*args)
    assert done.returncode == 0, done.stderr
    return {(row["guest"], row["review"]): row for row in json.loads(done.stdout)}


# list

def test_list__own_reviews_and_items(ctl):
    """A guest's own review and an item of a definition, in all formats: who is to answer, until
    when, and what is recommended.  What is answered, applied or not yet due is not there."""
    alice = own(ctl, "alice")
    ctl.reviews.guest("bob", f"b2bReviewDue: {ahead(90 * DAY)}")
    ctl.reviews.guest("carol", "b2bReviewDecision: Approve", f"b2bReviewDue: {ahead(90 * DAY)}")
    ctl.reviews.define("quarter", "b2bReviewScopeFilter: (uid=b*)", by=member_dn("bea"))
    items = ctl.reviews.wait_state("quarter", 1, 0)
    rows = found(ctl)
    assert set(rows) == {(alice, None), (guest_dn("bob"), "quarter")}
    single, item = rows[alice, None], rows[guest_dn("bob"), "quarter"]
    assert single["reviewers"] == [member_dn("mia")] and single["dn"] == alice
    assert item["reviewers"] == [member_dn("bea")] and item["dn"] == items["bob"]["dn"]
    assert item["recommendation"] == "Approve" and single["decision"] is None
    for row in rows.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["due"])
    table = [line.split() for line in ctl.run("review", "list").stdout.splitlines()]
    assert table[1:] == [["alice", single["due"], "mia"],
                         ["bob", "quarter", item["due"], "Approve", "bea"]]
    text = ctl.run("review", "list", "--format", "csv").stdout
    assert [row["dn"] for row in csv.DictReader(io.StringIO(text))] == [alice, item["dn"]]


def test_list__mine(ctl):
    """By name, as sponsor where there is no reviewer, and by groups in groups; nobody else's."""
    inner = ctl.reviews.group("inner", member_dn("cem"))
    outer = ctl.reviews.group("outer", inner)
    alice = own(ctl, "alice")
    bob = own(ctl, "bob", f"b2bReviewer: {member_dn('bea')}")
    carol = own(ctl, "carol", f"b2bReviewer: {outer}")
    assert set(found(ctl)) == {(dn, None) for dn in (alice, bob, carol)}
    for name, wanted in (("mia", [alice]), ("bea", [bob]), ("cem", [carol]), ("zoe", [])):
        assert set(found(ctl, "--mine", name=name)) == {(dn, None) for dn in wanted}, name
    done = ctl.bare("-H", ctl.server.ldapi, "-x", "review", "list", "--mine")
    assert done.returncode == 1 and "nobody is bound" in done.stderr


def test_list__traps(ctl):
    """Names that would steer a terminal or end a filter do neither."""
    name = "x\u001b[31m\u202e*)(uid=*"
    dn = f"cn={name.replace('(', chr(92) + '28').replace(')', chr(92) + '29')},{b.PEOPLE}"
    ctl.root.add_s(dn, [("objectClass", [b"person"]), ("cn", [name.encode()]), ("sn", [b"x"]),
                        ("userPassword", [b"x-pw"])])
    own(ctl, "alice", f"b2bReviewer: {member_dn('zoe')}")
    ctl.root.modify_s(guest_dn("alice"), [replace("b2bReviewer", dn)])
    text = ctl.run("review", "list").stdout
    assert "\u001b" not in text and "\u202e" not in text
    done = ctl.bare("-H", ctl.server.ldapi, "-b", b.SUFFIX, "-D", dn, "-w", "x-pw", "review",
                    "list", "--mine", "--format", "json")
    assert done.returncode == 0 and len(json.loads(done.stdout)) == 1, done.stderr
    ctl.root.delete_s(dn)


# approve and deny

def test_answer__own_review(ctl):
    """Its reviewer approves by any of the guest's names, and the server records it; a denial needs
    no words."""
    for name in ("alice", "bob", "carol"):
        own(ctl, name)
    for name, given in (("alice", "alice"), ("bob", "bob@home.example")):
        done = by(ctl, "mia", "review", "approve", "--justification", "goes on", given)
        assert (done.returncode, done.stdout) == (0, f"approved {guest_dn(name)}\n"), done.stderr
        entry = ctl.server.entry(guest_dn(name))
        assert entry["b2bReviewedBy"] == [member_dn("mia")]
        assert entry["b2bReviewJustification"] == ["goes on"]
    done = by(ctl, "mia", "review", "deny", guest_dn("carol"))
    assert (done.returncode, done.stdout) == (0, f"denied {guest_dn('carol')}\n"), done.stderr
    poll(lambda: ctl.server.entry(guest_dn("carol"))["b2bAccountEnabled"] == ["FALSE"], 10,
         "carol is disabled")
    assert "no review is open" in by(ctl, "mia", "review", "deny", "alice").stderr


def test_answer__which_of_several(ctl):
    """A guest with two open reviews: neither is answered until one is named; the guest's DN names
    its own, an item's DN the item."""
    alice = own(ctl, "alice")
    ctl.reviews.define("one")
    item = ctl.reviews.wait_state("one", 1, 0)["alice"]["dn"]
    done = by(ctl, "mia", "review", "approve", "--justification", "x", "alice")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "b2bctl: alice: 2 reviews are open; name one by its DN:", f"  {alice}", f"  {item}  one"]
    assert "b2bReviewDecision" not in ctl.server.entry(alice)
    for dn in (alice, item):
        done = by(ctl, "mia", "review", "approve", "--justification", "x", dn)
        assert (done.returncode, done.stdout) == (0, f"approved {dn}\n"), done.stderr
        assert ctl.server.entry(dn)["b2bReviewDecision"] == ["Approve"]
    done = by(ctl, "mia", "review", "deny", "--justification", "no", "alice")
    assert (done.returncode, done.stdout) == (0, f"denied {item}\n"), "an answer may be changed"


def test_answer__who_may_not(ctl):
    """What the server says is shown: nobody but its reviewers, and not without words; blanks are
    refused before anything is sent."""
    alice = own(ctl, "alice")
    done = by(ctl, "zoe", "review", "approve", "--justification", "x", "alice")
    assert done.returncode == 1
    assert f"{alice}: Insufficient access (50): " in done.stderr
    assert "only the reviewers" in done.stderr
    done = by(ctl, "mia", "review", "approve", "alice")
    assert done.returncode == 1 and "an approval says why" in done.stderr
    mark = ctl.server.log_mark()
    for blanks in ("", "  ", "\t", "\u00a0 "):
        done = by(ctl, "mia", "review", "approve", "--justification", blanks, "alice")
        assert done.returncode == 2 and "it is blank" in done.stderr
    assert "MOD" not in ctl.server.log(mark)
    assert "b2bReviewDecision" not in ctl.server.entry(alice)


def test_answer__about_nobody(ctl):
    for target, words in (("zoe", "there is no guest zoe"), ("*", "there is no guest *"),
                          (f"cn=x,{r.REVIEWS}", "there is no guest")):
        assert words in ctl.run("review", "deny", target, code=1).stderr
    ctl.reviews.guest("alice")
    assert "alice: no review is open" in ctl.run("review", "deny", "alice", code=1).stderr


# status

def test_status__counts_and_failures(ctl):
    """Asked, answered, applied and failed items of the instance that is open or was last, and why
    those that failed did; of all definitions, or of the one that is named."""
    group = ctl.reviews.group("atlas", *(guest_dn(n) for n in "abc"), member_dn("mia"))
    for name in "abc":
        ctl.reviews.guest(name)
    ctl.reviews.define("team", f"b2bReviewScopeGroup: {group}", "b2bReviewRecurrence: months=1")
    items = ctl.reviews.wait_state("team", 1, 0)
    ctl.reviews.answer("team", "a", "mia", "Approve", "goes on")
    [row] = json.loads(ctl.run("review", "status", "--format", "json").stdout)
    assert {k: row[k] for k in ("review", "instance", "stage", "asked", "answered", "applied",
                                "failed", "failures")} == {
        "review": "team", "instance": 1, "stage": "1 of 1", "asked": 2, "answered": 1,
        "applied": 0, "failed": 0, "failures": []}
    assert row["opened"] < row["closes"] and row["next"] > row["opened"]
    ctl.reviews.close("team")
    poll(lambda: {i["b2bReviewItemState"][0] for i in ctl.reviews.items("team").values()}
         == {"applied"}, 20, "all are applied")
    ctl.reviews.set(items["b"]["dn"], replace("b2bReviewItemState", "failed"),
                    replace("b2bReviewItemError", "no \u001b[1msuch group"))
    out = ctl.run("review", "status").stdout.splitlines()
    assert out[1].split()[:2] == ["team", "1"] and out[1].split()[-4:] == ["0", "0", "2", "1"]
    assert out[2] == f"failed: team, {guest_dn('b')}: no ?[1msuch group" and len(out) == 3
    ctl.reviews.define("other", f"b2bReviewStart: {ahead(DAY)}")
    assert len(json.loads(ctl.run("review", "status", "--format", "json").stdout)) == 2
    done = json.loads(ctl.run("review", "status", "--format", "json", "team").stdout)
    assert [entry["instance"] for entry in done] == [1]
    assert done[0]["failures"] == [f"{guest_dn('b')}: no ?[1msuch group"]
    assert "there is no review nothing" in ctl.run("review", "status", "nothing", code=1).stderr


def test_status__next_instance(ctl):
    """When the second instance is open, it is that one."""
    ctl.reviews.guest("a")
    ctl.reviews.define("again", "b2bReviewRecurrence: days=10", "b2bReviewDuration: 1",
                       f"b2bReviewStart: {ahead(-15 * DAY)}")
    ctl.reviews.wait_state("again", 1, 0)
    ctl.reviews.answer("again", "a", "mia", "Approve", "goes on")
    ctl.reviews.close("again")
    ctl.reviews.set(definition_dn("again"), replace("b2bReviewOpened", ahead(-11 * DAY)))
    ctl.reviews.wait_state("again", 2, 0)
    [row] = json.loads(ctl.run("review", "status", "--format", "json").stdout)
    assert (row["instance"], row["stage"], row["asked"], row["applied"]) == (2, "1 of 1", 1, 0)


def test_status__none(ctl):
    """Without a definition, and without cn=reviews, there is nothing to say."""
    assert ctl.run("review", "status", "--format", "json").stdout == "[]\n"
    ctl.root.delete_s(r.REVIEWS)
    assert ctl.run("review", "status", "--format", "json").stdout == "[]\n"
    assert ctl.run("review", "list", "--format", "json").stdout == "[]\n"


# import

def definitions(ctl):
    found = ctl.root.search_s(r.REVIEWS, ldap.SCOPE_ONELEVEL, attrlist=["*"])
    return {attrs["cn"][0].decode(): {k: [v.decode() for v in vs] for k, vs in attrs.items()}
            for _, attrs in found}


def test_import__sample(ctl):
    """Graph's sample, about many teams at once: without a group it is refused, and nothing written;
    with one it is a definition, whose container is made; once more, nothing changes."""
    done = ctl.run("review", "import", SAMPLE, code=1)
    assert "b2bReviewScopeGroup" in done.stderr and done.stdout == ""
    assert definitions(ctl) == {}
    ctl.root.delete_s(r.REVIEWS)
    team = ctl.reviews.group("team", member_dn("mia"), owner=member_dn("bea"))
    args = ["review", "import", "--map", f"{SOMEBODY}={member_dn('zoe')}", "--group", team]
    dn = f"cn=Review\\20inactive\\20guests\\20on\\20teams,{r.REVIEWS}"
    done = ctl.run(*args, "--dry-run", SAMPLE)
    assert done.stdout == f"would add {r.REVIEWS}\nwould add {dn}\n"
    assert not ctl.server.entry(r.REVIEWS)
    assert ctl.run(*args, SAMPLE).stdout == f"added {r.REVIEWS}\nadded {dn}\n"
    made = definitions(ctl)["Review inactive guests on teams"]
    assert {k: made[k] for k in (
        "b2bReviewScopeGroup", "b2bReviewScopeInactive", "b2bReviewBy", "b2bReviewFallback",
        "b2bReviewRecurrence", "b2bReviewDuration", "b2bReviewDefault")} == {
            "b2bReviewScopeGroup": [team], "b2bReviewScopeInactive": ["30"],
            "b2bReviewBy": ["{0}owner"], "b2bReviewFallback": [member_dn("zoe")],
            "b2bReviewRecurrence": ["months=3"], "b2bReviewDuration": ["3"],
            "b2bReviewDefault": ["Deny"]}
    assert ctl.run(*args, SAMPLE).stdout == f"unchanged {dn}\n"
    ctl.root.modify_s(f"cn=Review inactive guests on teams,{r.REVIEWS}",
                      [replace("b2bReviewDuration", "9"), replace("b2bReviewOnDeny", "disable")])
    done = ctl.run("-v", *args, SAMPLE)
    assert done.stdout == f"changed {dn}\n  b2bReviewDuration\n"
    kept = definitions(ctl)["Review inactive guests on teams"]
    assert kept["b2bReviewOnDeny"] == ["disable"], "what the document leaves out stays"


def test_import__several_groups(ctl):
    """A definition for each group, with its name."""
    groups = [ctl.reviews.group(name, member_dn("mia"), owner=member_dn("bea"))
              for name in ("red", "blue")]
    ctl.run("review", "import", "--group", groups[0], "--group", groups[1], SAMPLE)
    assert {name: entry["b2bReviewScopeGroup"] for name, entry in definitions(ctl).items()} == {
        f"Review inactive guests on teams ({name})": [group]
        for name, group in zip(("red", "blue"), groups)}


def test_import__notes_and_refusals(ctl, tmp_path):
    """An id that nobody is mapped to is a note with its path; documents that are none write
    nothing."""
    team = ctl.reviews.group("team", member_dn("mia"), owner=member_dn("bea"))
    done = ctl.run("review", "import", "--group", team, "--dry-run", SAMPLE)
    assert f"note: fallbackReviewers[0].query: user {SOMEBODY} is not known here" in done.stderr
    before = definitions(ctl)
    one = {"displayName": "x",
           "scope": {"query": "/users?$filter=(userType eq 'Guest')",
                     "queryType": "MicrosoftGraph"},
           "reviewers": [{"query": f"/users/{SOMEBODY}"}],
           "settings": {"instanceDurationInDays": 3}}
    for text in ("", "{", "[]", '{"value": 1}', json.dumps(one),
                 json.dumps({"value": [one, one]})):
        done = ctl.run("review", "import", "-", input=text, code=1)
        assert done.stdout == "" and done.stderr
    done = ctl.run("review", "import", "--map", f"{SOMEBODY}={member_dn('zoe')}", "-", code=1,
                   input=json.dumps({"value": [one, {**one, "displayName": "X"}]}))
    assert 'two reviews would be named "X"' in done.stderr and done.stdout == ""
    assert definitions(ctl) == before
    assert "No such file" in ctl.run("review", "import", "/nonexistent", code=1).stderr
    done = ctl.run("review", "import", "--map", f"{SOMEBODY.upper()}={member_dn('zoe')}", "-",
                   input=json.dumps(one))
    assert definitions(ctl)["x"]["b2bReviewBy"] == [f"{{0}}{member_dn('zoe')}"]


def test_review__usage(ctl):
    for args in (["list", "x"], ["list", "--format", "xml"], ["approve"], ["deny"],
                 ["status", "a", "b"], ["import"], ["import", "--map", "x", "file"],
                 ["import", "--map", "=cn=x", "file"], ["import", "--map", "x=nonsense", "file"],
                 ["burn"]):
        assert ctl.bare("review", *args).returncode == 2, args
