"""b2bctl against a real slapd with the module: Graph JSON in and out, guests listed and shown."""

import base64
import csv
import io
import json
import ldap
import os
import pytest
import re
import subprocess
from pathlib import Path

from lib import builders
from lib.builders import BASE, GUESTS, ROOTDN, ROOTPW, SUFFIX, guest_dn, guest_ldif, partner_dn
from lib.ctl import Ctl
from lib.records import ahead, replace, subtree
from lib.slapd import client_env

GRAPH = builders.TOP / "tests" / "data" / "graph"
DEFAULT, PARTNERS = f"cn=default,{BASE}", f"cn=partners,{BASE}"
T05 = "3d0f5dec-5d3d-455c-8016-e2af1ae4d31a"
G02, G05 = "0be493dc-cb56-4a53-936f-9cf64410b8b0", "6f546279-4da5-4b53-a095-09ea0cef9971"


# Import

def test_import__samples_of_the_default(ctl):
    """The samples 00, 01, 02 and 07 go into the default as they stand, one after the other; the
    directory has what they say, and the same once more changes nothing."""
    for name, wanted in {
        "00-restricted-cross-tenant-access.jsonc": {
            "b2bCollabInUsersAccess": ["allowed"], "b2bCollabInUsersTarget": ["tenant-id-here"],
            "b2bCollabInAppsAccess": ["allowed"], "b2bCollabInAppsTarget": ["app-id-here"],
            "b2bCollabOutUsersAccess": ["blocked"], "b2bCollabOutAppsAccess": ["blocked"]},
        "02-xtap-default-update-block-outbound-group.json": {
            "b2bCollabOutUsersAccess": ["blocked"], "b2bCollabOutUsersTarget": [G02],
            "b2bCollabOutAppsAccess": ["blocked"], "b2bGroupTarget": [G02],
            # what 00 set and 02 leaves alone
            "b2bCollabInUsersTarget": ["tenant-id-here"]},
        "07-xtap-partner-update-trust.json": {
            "b2bTrustMfa": ["TRUE"], "b2bTrustCompliantDevice": ["TRUE"],
            "b2bTrustHybridJoined": ["TRUE"], "b2bGroupTarget": [G02]},
        "01-xtap-default-get-response.jsonc": {
            "b2bCollabOutUsersAccess": ["allowed"], "b2bDirectInAppsAccess": ["blocked"],
            "b2bTrustMfa": ["FALSE"]},
    }.items():
        assert ctl.run("policy", "import", GRAPH / name).stdout == f"changed {DEFAULT}\n"
        have = ctl.settings(DEFAULT)
        assert {k: have.get(k) for k in wanted} == wanted, name
        before = subtree(ctl.root, BASE)
        again = ctl.run("policy", "import", GRAPH / name)
        assert (again.stdout, again.stderr) == (f"unchanged {DEFAULT}\n", "")
        assert subtree(ctl.root, BASE) == before
    assert not [name for name in ctl.settings(DEFAULT) if name.endswith("Target")]


def test_import__samples_of_a_partner(ctl):
    """05 makes the partner, and its container where that is missing; 06 says the same with nulls;
    Office365 is named in a note, and kept."""
    wanted = {"b2bDirectOutUsersAccess": ["blocked"], "b2bDirectOutUsersTarget": [G05],
              "b2bGroupTarget": [G05], "b2bDirectInAppsAccess": ["allowed"],
              "b2bDirectInAppsTarget": ["Office365"]}
    ctl.root.delete_s(PARTNERS)
    done = ctl.run("policy", "import", GRAPH / "05-xtap-partner-create-request.json")
    assert done.stdout == f"added {PARTNERS}\nadded {partner_dn(T05)}\n"
    assert done.stderr.startswith("b2bctl: note: b2bDirectConnectInbound.applications.targets[0]: "
                                  '"Office365" matches only an application of that id')
    assert ctl.settings(partner_dn(T05)) == wanted
    ctl.root.modify_s(partner_dn(T05), [replace("b2bTrustMfa", "TRUE"),
                                        replace("b2bCollabInUsersAccess", "blocked")])
    done = ctl.run("-v", "policy", "import", GRAPH / "06-xtap-partner-create-response.json")
    assert done.stdout.splitlines() == [f"changed {partner_dn(T05)}", "  b2bTrustMfa",
                                        "  b2bCollabInUsersAccess"]
    assert ctl.settings(partner_dn(T05)) == wanted


def test_import__partner_and_setting_are_named(ctl):
    """07 has no tenantId and 10 no setting: --partner and --setting give them."""
    ctl.run("policy", "import", "--partner", "acme", GRAPH / "07-xtap-partner-update-trust.json")
    ten = GRAPH / "10-xtap-interpretation-allow-g1-block-a1.json"
    assert "--setting" in ctl.run("policy", "import", ten, code=1).stderr
    ctl.run("policy", "import", "--partner", "ACME", "--setting", "b2bCollaborationInbound", ten)
    assert ctl.settings(partner_dn("acme")) == {
        "b2bTrustMfa": ["TRUE"], "b2bTrustCompliantDevice": ["TRUE"],
        "b2bTrustHybridJoined": ["TRUE"], "b2bCollabInUsersAccess": ["allowed"],
        "b2bCollabInUsersTarget": ["g1"], "b2bGroupTarget": ["g1"],
        "b2bCollabInAppsAccess": ["blocked"], "b2bCollabInAppsTarget": ["a1"]}
    assert ctl.settings(DEFAULT) == {}
    done = ctl.load({"tenantId": "other"}, "--partner", "acme", code=1)
    assert "is the policy of other" in done.stderr


def test_import__partner_is_found_by_its_id(ctl):
    """A partner's entry may have another name; its id counts, whatever its case."""
    dn = f"cn=Acme,{PARTNERS}"
    ctl.root.add_s(dn, [("objectClass", [b"b2bPartner"]), ("cn", [b"Acme"]),
                        ("b2bTenantId", [b"ACME-1"])])
    done = ctl.load({"tenantId": "acme-1", "inboundTrust": {"isMfaAccepted": True}})
    assert done.stdout == f"changed {dn}\n"
    assert ctl.settings(dn) == {"b2bTrustMfa": ["TRUE"]}


def test_import__groups_of_other_halves_stay(ctl):
    """b2bGroupTarget serves all four settings: importing one keeps the groups of the others, and a
    name that would be a group here and none there is refused."""
    def users(setting, *targets):
        return {setting: {"usersAndGroups": {"accessType": "blocked", "targets": list(targets)}}}

    def group(name):
        return {"target": name, "targetType": "group"}
    ctl.load(users("b2bCollaborationInbound", group("g1"), group("gone"), "u1"))
    ctl.load(users("b2bDirectConnectInbound", group("g1"), group("g2")))
    assert ctl.settings(DEFAULT)["b2bGroupTarget"] == ["g1", "g2", "gone"]
    ctl.load(users("b2bCollaborationInbound", "u2"))
    assert ctl.settings(DEFAULT)["b2bGroupTarget"] == ["g1", "g2"]
    before = subtree(ctl.root, BASE)
    for document in (users("b2bCollaborationInbound", "G1"),
                     users("b2bDirectConnectInbound", group("U2"))):
        done = ctl.load(document, code=1)
        assert "would no longer be matched" in done.stderr
    assert subtree(ctl.root, BASE) == before
    ctl.load({"b2bDirectConnectInbound": None})
    assert "b2bGroupTarget" not in ctl.settings(DEFAULT)


def test_import__what_the_directory_has_contradicts(ctl):
    """A half that is right by itself is refused where the other half of the directory makes it a
    contradiction; the tool says so before it writes anything."""
    ctl.load({"tenantId": "a", "b2bCollaborationInbound": {
        "applications": {"accessType": "allowed"}}})
    before = subtree(ctl.root, BASE)
    done = ctl.load({"partners": [
        {"tenantId": "0", "inboundTrust": {"isMfaAccepted": True}},
        {"tenantId": "a", "b2bCollaborationInbound": {
            "usersAndGroups": {"accessType": "blocked"}}}]}, code=1)
    assert partner_dn("a") in done.stderr and "b2bCollabInUsersAccess" in done.stderr
    assert done.stdout == ""
    assert subtree(ctl.root, BASE) == before


def test_import__dry_run(ctl):
    before = subtree(ctl.root, BASE)
    done = ctl.load({"default": {"inboundTrust": {"isMfaAccepted": True}},
                     "partners": [{"tenantId": "new"}]}, "--dry-run")
    assert done.stdout == f"would change {DEFAULT}\nwould add {partner_dn('new')}\n"
    assert subtree(ctl.root, BASE) == before


BAD = {
    "access review": ((GRAPH / "13-access-review-inactive-guests-request.json").read_bytes(),
                      "looks like an access review definition"),
    "conditional access": ((GRAPH / "15-ca-mfa-outside-trusted.json").read_bytes(),
                           "looks like a conditional access policy"),
    "truncated": ((GRAPH / "05-xtap-partner-create-request.json").read_bytes()[:300], "line "),
    "50 MB": (b'{"tenantId":"t"}' + b" " * (50 << 20), "larger than 8 MiB"),
    "deep": (b'{"tenantId":"t","x":' + b"[" * 100000 + b"]" * 100000 + b"}", "nested deeper"),
    "unknownFutureValue": (b'{"tenantId":"t","b2bCollaborationInbound":{"usersAndGroups":'
                           b'{"accessType":"unknownFutureValue"}}}', "unknownFutureValue"),
    "duplicate by case": (b'{"tenantId":"t","TenantId":"u"}', "tenantId: given twice"),
    "escape sequence": (b'{"tenantId":"t\\u001b[31m"}', "control characters"),
    "last of three": (json.dumps({"partners": [
        {"tenantId": "a"}, {"tenantId": "b"}, {"tenantId": "c", "b2bCollaborationInbound": {
            "usersAndGroups": {"accessType": "allowed", "targets": []}}}]}).encode(),
        "partners[2].b2bCollaborationInbound.usersAndGroups.targets: an empty list"),
    "binary": (bytes(range(256)) * 10, "NUL byte"),
    "nothing": (b"", "line 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_import__bad_documents_change_nothing(ctl, name):
    """Each ends with code 1 and a message that says what is wrong; policy check says the same
    without a server; the directory is as it was and slapd answers."""
    text, words = BAD[name]
    before = subtree(ctl.root, BASE)
    done = ctl.load(text, code=1)
    assert words in done.stderr and done.stdout == ""
    assert not set(done.stderr) & set(map(chr, [*range(10), *range(11, 32), 127]))
    checked = ctl.bare("policy", "check", "-", input=text)
    assert checked.returncode == 1 and words in checked.stderr
    assert subtree(ctl.root, BASE) == before


def test_check__needs_no_server(ctl):
    for name in ("00-restricted-cross-tenant-access.jsonc",
                 "01-xtap-default-get-response.jsonc"):
        done = ctl.bare("policy", "check", GRAPH / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "in order: 1 policy\n", "")


def test_import__server_refuses_in_the_middle(make_server):
    """The second of three partners may not be written by this administrator: the tool names it,
    passes the server's answer on, says what was written, and ends with 1."""
    access = (f'access to dn.exact="{partner_dn("b")}" by * read\n'
              f'access to dn.subtree="{BASE}" by dn.exact="{builders.member_dn("mia")}" write '
              "by * read\n" + builders.ACCESS)
    ctl = Ctl(make_server(builders.tenant_server, access=access))
    done = ctl.bare("-H", ctl.server.ldapi, "-D", builders.member_dn("mia"), "-w", "mia-pw",
                    "policy", "import", "-", input=json.dumps(
                        {"partners": [{"tenantId": name} for name in "abc"]}))
    assert done.returncode == 1
    assert done.stdout == f"added {partner_dn('a')}\n"
    assert f"{partner_dn('b')}: Insufficient access (50)" in done.stderr
    assert "1 entry was written before" in done.stderr
    assert ctl.server.entry(partner_dn("c")) is None


# Export

RICH = {
    "default": {
        "b2bCollaborationInbound": {
            "usersAndGroups": {"accessType": "blocked", "targets": [
                {"target": "bad-tenant", "targetType": "user"}]},
            "applications": {"accessType": "blocked", "targets": [
                {"target": "payroll", "targetType": "application"}]}},
        "b2bDirectConnectOutbound": {
            "usersAndGroups": {"accessType": "allowed", "targets": [
                {"target": "AllUsers", "targetType": "user"}]}},
        "inboundTrust": {"isMfaAccepted": False},
    },
    "partners": [
        {"tenantId": "acme, Inc+\u00e9",
         "b2bCollaborationInbound": {
             "usersAndGroups": {"accessType": "allowed", "targets": [
                 {"target": "g1", "targetType": "group"},
                 {"target": "uid=a\\2Cb,dc=x", "targetType": "user"}]}},
         "inboundTrust": {"isMfaAccepted": True, "isCompliantDeviceAccepted": False},
         "automaticUserConsentSettings": {"inboundAllowed": True, "outboundAllowed": False},
         "identitySynchronization": {"userSyncInbound": {"isSyncAllowed": True}}},
        {"tenantId": "zeta"},
    ],
}


def test_export__imports_to_the_same_policy(ctl, make_server):
    """Strict JSON out, byte for byte what it was; imported elsewhere it makes equal entries."""
    ctl.load(RICH)
    text = ctl.run("policy", "export").stdout
    assert json.loads(text) == RICH
    assert text == ctl.run("policy", "export").stdout
    assert text == json.dumps(RICH, indent=2, ensure_ascii=False) + "\n"
    other = Ctl(make_server(builders.tenant_server, name="other"))
    other.load(text)
    assert other.policy() == ctl.policy()
    lines = ctl.load(text).stdout.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["unchanged"] * 3


def test_export__one_of_them(ctl):
    ctl.load(RICH)
    only = json.loads(ctl.run("policy", "export", "--default").stdout)
    assert only == {"default": RICH["default"], "partners": []}
    only = json.loads(ctl.run("policy", "export", "--partner", "ZETA").stdout)
    assert only == {"partners": [RICH["partners"][1]]}
    for nobody in ("none", "*", "zeta)(b2bTenantId=*"):
        assert "there is no partner" in ctl.run("policy", "export", "--partner", nobody,
                                                code=1).stderr


def test_export__names_what_it_leaves_out(ctl):
    ctl.server.load(builders.partner_ldif("home", "ldaps://home.example"))
    done = ctl.run("policy", "export")
    assert "note: b2bHomeUri of 1 partner has no place in Graph JSON" in done.stderr
    assert "ldaps" not in done.stdout


def test_import__keeps_what_graph_has_no_word_for(ctl):
    """A partner's level and highest label are named on export, and stay when it is imported."""
    ctl.server.load(builders.partner_ldif("home", "ldaps://home.example",
                                          "b2bGuestAccess: restricted\nb2bMaxLabel: Public\n"))
    done = ctl.run("policy", "export")
    for name in ("b2bGuestAccess", "b2bMaxLabel"):
        assert f"note: {name} of 1 partner has no place" in done.stderr
    document = json.loads(done.stdout)
    document["partners"][0]["inboundTrust"] = {"isMfaAccepted": True}
    ctl.load(document)
    found = ctl.policy()
    have = {name.lower() for dn in found if "home" in dn.lower() for name in found[dn]}
    assert {"b2btrustmfa", "b2bguestaccess", "b2bmaxlabel", "b2bhomeuri"} <= have
    shown = ctl.run("partner", "show", "home").stdout
    assert "restricted" in shown and "Public" in shown


def test_import_export__many_partners(ctl):
    """Six hundred partners: more than a page, more than are asked for by name."""
    document = {"partners": [{"tenantId": f"t{i:04}", "inboundTrust": {"isMfaAccepted": True}}
                             for i in range(600)]}
    assert len(ctl.load(document).stdout.splitlines()) == 600
    assert json.loads(ctl.run("policy", "export").stdout)["partners"] == document["partners"]
    lines = ctl.load(document).stdout.splitlines()
    assert len(lines) == 600 and all(line.startswith("unchanged ") for line in lines)


# Options

def test_options__usage(ctl):
    for args in ([], ["policy"], ["policy", "burn"], ["policy", "import"], ["guest", "show"],
                 ["policy", "export", "x"], ["guest", "list", "--dry-run"], ["--nonsense"],
                 ["-D", "cn=x", "guest", "list"], ["-x", "-Y", "EXTERNAL", "guest", "list"],
                 ["-w", "a", "-W", "guest", "list"], ["guest", "list", "--format", "xml"],
                 ["policy", "export", "--default", "--partner", "x"]):
        assert ctl.bare(*args).returncode == 2, args
    assert ctl.bare("--help").returncode == 0
    assert ctl.bare("--version").stdout.startswith("b2bctl ")


def test_options__are_documented(ctl):
    """Every option of --help has its place in the manual page, and the other way round."""
    page = (builders.TOP / "man" / "b2bctl.1").read_text()
    listed = set(re.findall(r"(?<![\w-])(--?[A-Za-z][a-z-]*)", ctl.bare("--help").stdout)) | {"-ZZ"}
    described = {f"-{name}" for line in re.findall(r"^\.It Fl (.*)$", page, re.M)
                 for name in line.split(" ")[:1]}
    assert listed == described


def test_options__base(ctl):
    """-b is our suffix or the tenant entry; else LDAPBASE; else the only naming context."""
    ctl.load({"tenantId": "t"})
    for args, env in ((["-b", SUFFIX], {}), (["-b", BASE], {}), ([], {}),
                      ([], {"LDAPBASE": SUFFIX, "LDAPNOINIT": ""})):
        if env:
            env = {**os.environ, **env}
            env.pop("LDAPNOINIT")
        done = subprocess.run([str(builders.B2BCTL), "-H", ctl.server.ldapi, "-D", ROOTDN, "-w",
                               ROOTPW, *args, "policy", "export", "--partner", "t"],
                              capture_output=True, text=True, env=env or client_env(), timeout=60)
        assert done.returncode == 0 and '"t"' in done.stdout, done.stderr
    done = ctl.run("-b", "dc=nowhere", "policy", "export", code=1)
    assert "there is no b2bTenant entry at dc=nowhere" in done.stderr


def test_options__passwords(ctl, tmp_path):
    """-y takes the whole file; a wrong or empty password ends with 1; none is ever printed."""
    secret = tmp_path / "password"
    secret.write_text(ROOTPW)
    secret.chmod(0o600)
    lead = ("-H", ctl.server.ldapi, "-D", ROOTDN)
    done = ctl.bare(*lead, "-y", secret, "guest", "list")
    assert done.returncode == 0 and done.stderr == ""
    secret.write_text(ROOTPW + "\n")
    secret.chmod(0o644)
    done = ctl.bare(*lead, "-y", secret, "guest", "list")
    assert done.returncode == 1 and "Invalid credentials" in done.stderr
    assert "others than you" in done.stderr
    for password, words in (("sesame-1234", "Invalid credentials"), ("", "empty")):
        done = ctl.bare(*lead, "-w", password, "-v", "guest", "list")
        assert done.returncode == 1 and words in done.stderr
        assert "sesame" not in done.stdout + done.stderr


def test_options__password_leaves_the_command_line(ctl, tmp_path):
    """While the tool waits for its input, the process list does not show the password."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen([str(builders.B2BCTL), "-H", ctl.server.ldapi, "-D", ROOTDN, "-w",
                           "sesame-1234", "policy", "import", str(fifo)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=client_env()) as process:
        with open(fifo, "w") as writer:  # opens once the tool reads
            line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            writer.write("{}")
        process.communicate(timeout=60)
    assert b"import" in line and b"sesame" not in line


def test_options__ldapi_external(make_server):
    """Over ldapi without -D and -x, SASL EXTERNAL: who runs it is who is bound."""
    access = (f'access to dn.subtree="{BASE}" by dn.exact="gidNumber={os.getgid()}+uidNumber='
              f'{os.getuid()},cn=peercred,cn=external,cn=auth" write by * read\n'
              + builders.ACCESS)
    ctl = Ctl(make_server(builders.tenant_server, access=access))
    done = ctl.bare("-H", ctl.server.ldapi, "policy", "import", "-", input='{"tenantId":"t"}')
    assert (done.returncode, done.stdout) == (0, f"added {partner_dn('t')}\n"), done.stderr
    done = ctl.bare("-H", ctl.server.ldapi, "-x", "policy", "import", "-",
                    input='{"tenantId":"u"}')
    assert done.returncode == 1 and "nothing was written" in done.stderr


def test_options__starttls(make_server, certs):
    """-ZZ with the right authority works, with the impostor's it does not; where StartTLS fails,
    -Z sends no password."""
    secure = Ctl(make_server(builders.tenant_server, certs=certs))
    lead = ("-H", secure.server.uri, "-D", ROOTDN, "-w", ROOTPW)

    def run(*args, ca, **options):
        env = {k: v for k, v in client_env().items() if k != "LDAPNOINIT"}
        return subprocess.run([str(builders.B2BCTL), *lead, *args, "guest", "list"], timeout=60,
                              capture_output=True, text=True,
                              env={**env, "LDAPTLS_CACERT": str(ca)}, **options)
    assert run("-ZZ", ca=certs.ca).returncode == 0
    assert "TLS established" in secure.server.log()
    for options in (["-ZZ"], ["-Z"]):
        mark = secure.server.log_mark()
        done = run(*options, ca=certs.impostor.ca)
        assert done.returncode == 1 and "StartTLS" in done.stderr
        secure.server.wait_log(r"conn=\d+ fd=\d+ closed", since=mark)
        assert " BIND dn=" not in secure.server.log(mark)


def test_options__starttls_is_not_to_be_had(ctl):
    """A server without TLS refuses StartTLS and keeps the connection open: -ZZ ends there, -Z goes
    on for an anonymous look and never sends a password."""
    for args, code in ((["-ZZ", "-x"], 1), (["-Z", "-x"], 0),
                       (["-Z", "-D", ROOTDN, "-w", ROOTPW], 1)):
        mark = ctl.server.log_mark()
        done = ctl.bare("-H", ctl.server.uri, *args, "guest", "list")
        assert done.returncode == code and "StartTLS" in done.stderr, args
        ctl.server.wait_log(r"conn=\d+ fd=\d+ closed", since=mark)
        assert (" BIND dn=" in ctl.server.log(mark)) == (code == 0), args


def test_options__no_server(ctl):
    done = ctl.bare("-H", "ldap://127.0.0.1:1", "guest", "list")
    assert done.returncode == 1 and "Can't contact LDAP server" in done.stderr


# Guests

def hostile(name, text):
    return f"{name}:: {base64.b64encode(text.encode()).decode()}"


def test_guest_list__formats(ctl):
    """A guest in order, one disabled, one with a name full of traps, in all three formats."""
    until = ahead(86400 * 30)
    shown = f"{until[:4]}-{until[4:6]}-{until[6:8]}T{until[8:10]}:{until[10:12]}:{until[12:14]}Z"
    trap = 'x"y,\u001b[31m\u202ez'
    ctl.server.load(guest_ldif("alice", lines=f"b2bValidUntil: {until}\nb2bReviewDue: {until}")
                    + guest_ldif("bob", tenant="other").replace("Enabled: TRUE", "Enabled: FALSE")
                    + guest_ldif("carol", lines=hostile("uid", trap)).replace("uid: carol\n", "")
                    .replace(f"uid=carol,{GUESTS}", f"cn=Carol (guest),{GUESTS}"))
    table = ctl.run("guest", "list").stdout
    assert table.splitlines()[0].split("  ")[0] == "GUEST"
    row = next(line for line in table.splitlines() if line.startswith("alice"))
    assert row.split() == ["alice", "home", "PendingAcceptance", "yes", shown, shown]
    assert "\u001b" not in table and "\u202e" not in table and 'x"y,?[31m???z' in table
    rows = list(csv.DictReader(io.StringIO(ctl.run("guest", "list", "--format", "csv").stdout)))
    by_uid = {row["uid"]: row for row in rows}
    assert set(by_uid) == {"alice", "bob", 'x"y,?[31m???z'}
    assert by_uid["bob"]["enabled"] == "no" and by_uid["bob"]["homeTenant"] == "other"
    assert by_uid["alice"]["dn"] == guest_dn("alice")
    raw = ctl.bare("-H", ctl.server.ldapi, "-x", "guest", "list", "--format", "csv",
                   binary=True).stdout
    assert raw.count(b"\r\n") == 4
    found = json.loads(ctl.run("guest", "list", "--format", "json").stdout)
    alice = next(guest for guest in found if guest["uid"] == "alice")
    assert alice == {"uid": "alice", "homeTenant": "home", "state": "PendingAcceptance",
                     "enabled": True, "validUntil": shown, "reviewDue": shown, "lastSignIn": None,
                     "disabledReason": None, "dn": guest_dn("alice")}
    assert len(found) == 3


def test_guest_list__filter(ctl):
    ctl.server.load(guest_ldif("alice") + guest_ldif("bob", tenant="other"))
    for given in ("b2bHomeTenant=other", "(b2bHomeTenant=other)"):
        found = json.loads(ctl.run("guest", "list", "--format", "json", "--filter", given).stdout)
        assert [guest["uid"] for guest in found] == ["bob"]
    assert "not an LDAP filter" in ctl.run("guest", "list", "--filter", "((", code=1).stderr
    assert ctl.run("guest", "list", "--format", "json", "--filter", "uid=nobody").stdout == "[]\n"


def test_guest_list__pages_and_limits(ctl):
    """Six hundred guests come page by page; who may not have them all is told that the list is
    not complete."""
    ctl.server.load("".join(guest_ldif(f"g{i}") for i in range(600)))
    assert len(json.loads(ctl.run("guest", "list", "--format", "json").stdout)) == 600
    done = ctl.bare("-H", ctl.server.ldapi, "-D", builders.member_dn("mia"), "-w", "mia-pw",
                    "guest", "list")
    assert done.returncode == 1
    assert "Size limit" in done.stderr and "the list is not complete" in done.stderr


def test_guest_show__by_any_name(ctl):
    """By DN, uid and mail; what is not one guest is an error, and a star is a letter."""
    ctl.server.load(guest_ldif("alice") + guest_ldif("bob").replace("mail: bob", "mail: alice"))
    for name in (guest_dn("alice"), "alice"):
        out = ctl.run("guest", "show", name).stdout
        assert out.startswith(f"dn: {guest_dn('alice')}\n") and "b2bHomeTenant: home\n" in out
    done = ctl.run("guest", "show", "alice@home.example", code=1)
    assert "is 2 guests" in done.stderr and guest_dn("bob") in done.stderr
    for nobody in ("*", "a*", "*)(uid=*", "alice)", guest_dn("zoe"), builders.member_dn("mia")):
        assert "there is no guest" in ctl.run("guest", "show", nobody, code=1).stderr


def test_guest_show__record_in_words(ctl):
    """The last line says whether the record is in order, and if not, why."""
    for name, lines, words in (
            ("a", "", "in order now, but the invitation has not been redeemed"),
            ("b", f"b2bValidUntil: {ahead(-3600)}", "not in order: expired"),
            ("c", f"b2bValidFrom: {ahead(3600)}", "not in order: not-yet-valid"),
            ("d", f"b2bReviewDue: {ahead(-3600)}", "not in order: review-lapsed"),
            ("e", "off", "not in order: disabled")):
        ldif = guest_ldif(name, lines="" if lines == "off" else lines)
        if lines == "off":
            ldif = ldif.replace("Enabled: TRUE", "Enabled: FALSE")
        ctl.server.load(ldif)
        record = ctl.run("guest", "show", name).stdout.splitlines()[-1]
        assert record.startswith(f"record: {words}"), record
