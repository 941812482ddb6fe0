"""b2bctl request against a real slapd: strangers and members ask, approvers list and decide."""

import csv
import io
import json

import pytest

from lib import builders as b, life
from lib.builders import member_dn
from lib.ctl import Ctl
from lib.slapd import poll

ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree="{life.REQUESTS}" by dn.exact="{member_dn('max')}" write
 by dn.exact="{member_dn('mia')}" write by users read by * none
access to * by * read
"""


@pytest.fixture
def ctl(certs):
    """Everybody may ask, as often as the server lets them; max approves.  A server for each test,
    because it counts who asks."""
    server = life.signing_server(
        certs=certs, access=ACCESS,
        tenant=f"b2bApprover: {member_dn('max')}\nb2bSelfService: anonymous",
        data=b.partner_ldif("home", "ldap://127.0.0.1:1", "b2bTenantDomain: home.example\n"
                            "b2bTenantDomain: xn--bcher-kva.example") + b.app_ldif("wiki"))
    try:
        yield Ctl(server)
        server.stop()
    finally:
        server.remove()


def by(ctl, name, *args):
    who = ["-D", member_dn(name), "-w", f"{name}-pw"] if name else ["-x"]
    return ctl.bare("-H", ctl.server.ldapi, "-b", b.SUFFIX, *who, "request", *args)


def requests(ctl, *args):
    done = by(ctl, "max", "list", "--format", "json", *args)
    assert done.returncode == 0, done.stderr
    return {row["mail"]: row for row in json.loads(done.stdout)}


def ask(ctl, mail, *args, name="mia"):
    done = by(ctl, name, "add", "--mail", mail, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_add__by_a_member(ctl):
    """Everything that can be said; the request is named."""
    life.settings(ctl.server, "b2bRequestRequires: company")
    out = ask(ctl, "ada@home.example", "--name", "Ada", "--tenant", "home", "--app", "wiki",
              "--reason", "we write it together", "--attribute", "company=Home, Inc. = us")
    [row] = requests(ctl).values()
    assert out == f"asked as {row['request']}: pending\n"
    assert {k: v for k, v in row.items() if k not in ("request", "made")} == {
        "mail": "ada@home.example", "displayName": "Ada", "state": "pending", "homeTenant": "home",
        "applications": ["wiki"], "by": [member_dn("mia")], "reason": "we write it together",
        "attributes": ["company=Home, Inc. = us"], "answer": None, "decidedBy": [], "guest": None}
    done = by(ctl, "mia", "add", "--mail", "bob@home.example")
    assert done.returncode == 1 and "company" in done.stderr


def test_add__by_nobody(ctl):
    """A stranger is told the same whoever it names, and only where the tenant lets strangers
    ask."""
    ctl.server.load(b.guest_ldif("alice"))
    for mail in ("ada@home.example", "alice@home.example", "x@b\u00fccher.example"):
        assert ask(ctl, mail, name=None) == "asked: pending\n"
    assert "x@xn--bcher-kva.example" in requests(ctl)
    for setting, name in (("members", None), ("none", "mia"), ("", "mia")):
        life.settings(ctl.server, f"b2bSelfService: {setting}".strip())
        done = by(ctl, name, "add", "--mail", "bob@home.example")
        assert done.returncode == 1 and done.stderr.startswith("b2bctl: bob@home.example: ")
    assert "bob@home.example" not in requests(ctl)


def test_add__wrong(ctl):
    mark = ctl.server.log_mark()
    for mail in ("ada", "ada@home.example\nBcc: x@y.example", "Ada <ada@home.example>"):
        done = by(ctl, "mia", "add", "--mail", mail)
        assert done.returncode == 1 and "mail: " in done.stderr and done.stdout == ""
    for args in ([], ["--mail", "a@b.example", "word"],
                 ["--mail", "a@b.example", "--attribute", "x"],
                 ["--mail", "a@b.example", "--attribute", "=x"],
                 ["--mail", "a@b.example", "--attribute", "x="],
                 ["--mail", "a@b.example", "--attribute", "x=1", "--attribute", "X=2"]):
        assert by(ctl, "mia", "add", *args).returncode == 2, args
    assert life.REQUEST not in ctl.server.log(mark)


def test_list__formats_and_states(ctl):
    """A table, CSV and JSON; --state takes some; what would steer the terminal is not shown."""
    ask(ctl, "ada@home.example", "--reason", "because, you know", "--app", "wiki")
    ask(ctl, "bob@home.example")
    assert by(ctl, "max", "deny", "--answer", "not\u202e now", "bob@home.example").returncode == 0
    assert set(requests(ctl)) == {"ada@home.example", "bob@home.example"}
    assert set(requests(ctl, "--state", "pending")) == {"ada@home.example"}
    assert set(requests(ctl, "--state", "DENIED")) == {"bob@home.example"}
    table = by(ctl, "max", "list").stdout
    assert table.splitlines()[0].split()[:3] == ["MAIL", "NAME", "STATE"]
    assert "because, you know" in table and "not??? now" in table and "\u202e" not in table
    rows = list(csv.DictReader(io.StringIO(by(ctl, "max", "list", "--format", "csv").stdout)))
    assert {row["mail"]: row["answer"] for row in rows}["bob@home.example"] == "not??? now"
    assert by(ctl, "max", "list", "--state", "lost").returncode == 2


def test_list__nothing(ctl):
    """Where nobody ever asked there is no cn=requests, and that is no fault."""
    assert by(ctl, "max", "list", "--format", "json").stdout == "[]\n"
    done = by(ctl, "max", "approve", "ada@home.example")
    assert done.returncode == 1 and "there is no request ada@home.example" in done.stderr


def test_approve__makes_a_guest(ctl):
    """By mail or cn; the request is answered, and the person invited by the server."""
    ask(ctl, "ada@home.example", "--name", "Ada", "--app", "wiki")
    ask(ctl, "eve@home.example")
    done = by(ctl, "max", "approve", "--answer", "welcome", "ada@home.example")
    name = requests(ctl)["ada@home.example"]["request"]
    assert (done.returncode, done.stdout) == (
        0, f"approved cn={name},{life.REQUESTS}\n"), done.stderr
    poll(lambda: requests(ctl)["ada@home.example"]["state"] == "invited", 10, "ada is invited")
    row = requests(ctl)["ada@home.example"]
    assert row["answer"] == "welcome" and row["decidedBy"] == [member_dn("max")]
    assert ctl.server.entry(row["guest"])["mail"] == ["ada@home.example"]
    done = by(ctl, "max", "deny", requests(ctl)["eve@home.example"]["request"])
    assert done.returncode == 0 and done.stdout.startswith("denied cn="), done.stderr
    done = by(ctl, "max", "approve", "eve@home.example")
    assert done.returncode == 1
    assert "eve@home.example: no request is open; there is one that is denied" in done.stderr


def test_approve__who_may_not(ctl):
    """Who is no approver hears it from the server, though slapd lets it write; names are taken as
    they stand."""
    ask(ctl, "ada@home.example", name=None)
    done = by(ctl, "mia", "approve", "ada@home.example")
    assert done.returncode == 1
    assert "Insufficient access" in done.stderr and "approvers decide" in done.stderr
    assert requests(ctl)["ada@home.example"]["state"] == "pending"
    for word in ("*", "ada*", "zoe", "*)(cn=*"):
        assert f"there is no request {word}" in by(ctl, "max", "approve", word).stderr
    for args in (["approve"], ["deny", "a", "b"], ["approve", "--state", "x", "a"], ["list", "x"]):
        assert by(ctl, "max", *args).returncode == 2, args


def test_approve__which_of_several(ctl):
    """Two that are open for one address, as one provider may have made each: none is taken."""
    ask(ctl, "ada@home.example")
    ctl.root.add_s(f"cn=second,{life.REQUESTS}", [
        ("objectClass", [b"b2bRequest"]), ("cn", [b"second"]),
        ("b2bRequestMail", [b"ada@home.example"])])
    done = by(ctl, "max", "approve", "ada@home.example")
    assert done.returncode == 1 and "is 2 requests; name one by its cn: " in done.stderr
    assert f"cn=second,{life.REQUESTS}" in done.stderr
    assert by(ctl, "max", "deny", "second").returncode == 0
    assert by(ctl, "max", "approve", "ada@home.example").returncode == 0
