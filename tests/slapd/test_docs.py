"""What the documentation shows works as it stands: ldif/, the five lines of README.md."""

import os
import re
import subprocess

import pytest

from lib.builders import MODULE, TOP
from lib.slapd import Slapd, client_env, poll

SUFFIX = "dc=ours,dc=example"
ROOTDN, ROOTPW = f"cn=admin,{SUFFIX}", "secret"
PEERCRED = f"gidNumber={os.getgid()}+uidNumber={os.getuid()},cn=peercred,cn=external,cn=auth"


def sample(name):
    return (TOP / "ldif" / name).read_text()


def here(text):
    """ldif/config.ldif with the paths of a test; olcModuleLoad stays as it is written."""
    for pattern, value in (("olcPidFile: .*", "olcPidFile: {dir}/pid"),
                           ("olcArgsFile: .*", "olcArgsFile: {dir}/args"),
                           ("olcDbDirectory: .*", "olcDbDirectory: {dir}/db"),
                           ("olcModulePath: .*", f"olcModulePath: /usr/lib/ldap:{MODULE.parent}"),
                           ("olcRootDN: gid.*", f"olcRootDN: {PEERCRED}")):
        text, count = re.subn(f"^{pattern}$", value, text, flags=re.M)
        assert count == 1, pattern
    return text


def config_server(ldif):
    return Slapd(ldif=ldif, rootdn=ROOTDN, rootpw=ROOTPW, suffix=SUFFIX, name="samples")


def external(server, *args, input=None):
    return subprocess.run(["ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", server.ldapi, *args],
                          input=input, text=True, capture_output=True, env=client_env(),
                          timeout=60)


@pytest.fixture(scope="module")
def samples():
    """ldif/config.ldif by slapadd -n0, then tenant.ldif by ldapadd."""
    server = config_server(here(sample("config.ldif")))
    server.start()
    server.load(sample("tenant.ldif"))
    yield server
    server.stop()
    server.remove()


def test_samples__the_overlay_completes_the_guests(samples):
    """Set-up: config.ldif and tenant.ldif loaded.  Steps: read pia.  Expected: state, validity and
    the next date were filled in; the log has no policy entry that does not parse."""
    pia = samples.entry(f"uid=pia,ou=guests,{SUFFIX}")
    assert pia["b2bUserState"] == ["PendingAcceptance"]
    assert pia["b2bAccountEnabled"] == ["TRUE"]
    assert pia["b2bValidUntil"] and pia["b2bNextDue"]
    assert "policy entry" not in samples.log()


def test_samples__every_option_stands_in_config(samples):
    """Set-up: the page slapo-b2b(5).  Steps: look for each olcB2b option in config.ldif.  Expected:
    all are there."""
    page = (TOP / "man" / "slapo-b2b.5").read_text()
    options = set(re.findall(r"\bolcB2b[A-Za-z]+", page))
    assert len(options) >= 8
    assert not [name for name in options if name not in sample("config.ldif")]


def test_samples__access_control_is_that_of_config(samples):
    """Set-up: as above.  Steps: acl.ldif by ldapmodify; read the rules back; sofia reads a guest
    and asks for the policy; payroll's account writes policy.  Expected: it loads; the rules are
    those of config.ldif; sofia finds the guest, and of the policy who the tenant is alone; nobody
    but the policy account writes it."""
    done = external(samples, input=sample("acl.ldif"))
    assert done.returncode == 0, done.stderr
    found = subprocess.run(["ldapsearch", "-Q", "-Y", "EXTERNAL", "-H", samples.ldapi, "-LLL",
                            "-o", "ldif-wrap=no", "-b", "olcDatabase={1}mdb,cn=config", "-s",
                            "base", "olcAccess"], text=True, capture_output=True,
                           env=client_env(), timeout=60)
    rules = re.findall(r"^olcAccess: (.*)$", found.stdout, re.M)
    assert len(rules) == 10
    assert rules == re.findall(r"^olcAccess: (.*)$", sample("config.ldif"), re.M)[2:]
    sofia = ["-D", f"uid=sofia,ou=people,{SUFFIX}", "-w", "sofia-secret"]
    answer = samples.tool("ldapsearch", *sofia, "-b", SUFFIX, "(b2bHomeTenant=*)", "dn")
    assert "dn: uid=pia," in answer.stdout
    answer = samples.tool("ldapsearch", *sofia, "-b", f"cn=b2b,{SUFFIX}", check=False)
    assert set(re.findall(r"^(\w+): ", answer.stdout, re.M)) - {"search", "result"} == {
        "dn", "objectClass", "cn", "b2bTenantId", "b2bTenantDomain"}
    assert answer.stdout.count("\ndn: ") == 1
    change = (f"dn: b2bTenantId=contoso,cn=partners,cn=b2b,{SUFFIX}\nchangetype: modify\n"
              "replace: b2bAutoRedeemIn\nb2bAutoRedeemIn: FALSE\n")
    answer = samples.modify(change, dn=f"cn=payroll,ou=services,{SUFFIX}",
                            password="payroll-secret", check=False)
    assert answer.returncode in (32, 50)


def test_samples__providers_and_access(samples):
    """Set-up: as above.  Steps: providers.ldif and access.ldif by ldapadd.  Expected: all entries
    are taken; the log says of each provider that its keys are missing, and of nothing else."""
    mark = samples.log_mark()
    samples.load(sample("providers.ldif"))
    samples.load(sample("access.ldif"))
    log = samples.log(mark)
    for partner in ("adatum", "margie", "proseware", "litware"):
        assert re.search(rf'policy entry "b2bTenantId={partner},.*until b2bJwks is there', log)
    assert log.count("policy entry") == 4, log


def test_samples__life_and_reviews(samples):
    """Set-up: as above.  Steps: life.ldif by ldapmodify, reviews.ldif by ldapadd.  Expected: all is
    taken; the project's end is what is due for it."""
    samples.modify(sample("life.ldif"))
    samples.load(sample("reviews.ldif"))
    project = samples.entry(f"cn=apollo,ou=projects,{SUFFIX}")
    assert project["b2bNextDue"] == project["b2bValidUntil"]
    for name in ("quarterly", "inactive", "apollo"):
        assert samples.entry(f"cn={name},cn=reviews,cn=b2b,{SUFFIX}")["b2bReviewStart"]
    assert "b2b: policy entry" not in samples.log()[-2000:]


def debian_config():
    """A server as Debian's package sets it up: no word of ours."""
    return f"""dn: cn=config
objectClass: olcGlobal
cn: config

dn: cn=module{{0}},cn=config
objectClass: olcModuleList
cn: module{{0}}
olcModulePath: /usr/lib/ldap:{MODULE.parent}
olcModuleLoad: back_mdb

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif
include: file:///etc/ldap/schema/cosine.ldif
include: file:///etc/ldap/schema/nis.ldif
include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase={{-1}}frontend,cn=config
objectClass: olcDatabaseConfig
objectClass: olcFrontendConfig
olcDatabase: {{-1}}frontend
olcSizeLimit: 500
olcAccess: {{0}}to * by dn.exact={PEERCRED} manage by * break
olcAccess: {{1}}to dn.exact="" by * read
olcAccess: {{2}}to dn.base="cn=Subschema" by * read

dn: olcDatabase={{0}}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {{0}}config
olcAccess: {{0}}to * by dn.exact={PEERCRED} manage by * break

dn: olcDatabase={{1}}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {{1}}mdb
olcDbDirectory: {{dir}}/db
olcDbMaxSize: 1073741824
olcSuffix: {SUFFIX}
olcRootDN: {ROOTDN}
olcRootPW: {ROOTPW}
olcLastMod: TRUE
olcDbIndex: objectClass eq
olcDbIndex: cn,uid eq
olcAccess: {{0}}to attrs=userPassword by self write by anonymous auth by * none
olcAccess: {{1}}to * by * read
"""


def five_lines():
    readme = (TOP / "README.md").read_text()
    block = re.search(r"<!-- five lines.*?-->\n```sh\n(.*?)```", readme, re.S).group(1)
    lines = block.strip().split("\n")
    assert len(lines) == 5
    return "\n".join(lines)


def test_readme__five_lines_make_a_running_slapd_a_tenant():
    """Set-up: a slapd configured as Debian does it, running.  Steps: the five lines of README.md,
    only the address replaced; tenant.ldif; a sign-in of the expired guest; a restart.  Expected:
    each line answers 0; the sample loads; the log names the reason, before the restart and
    after."""
    with config_server(debian_config()) as server:
        script = "set -e -o pipefail\n" + five_lines().replace("ldapi:///", server.ldapi)
        done = subprocess.run(["bash", "-c", script], text=True, capture_output=True,
                              env=client_env(), timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr + server.tail()
        assert len(re.findall(r"^(adding new|modifying) entry", done.stdout, re.M)) == 4
        server.load(sample("tenant.ldif"))
        for _ in range(2):
            mark = server.log_mark()
            answer = server.tool("ldapwhoami", "-D", f"uid=eva,ou=guests,{SUFFIX}", "-w", "any",
                                 check=False)
            assert answer.returncode == 49
            # the task may have been faster
            server.wait_log(r'b2b: conn=.* guest="uid=eva,.*reason=(expired|disabled) ',
                            since=mark)
            server.restart()
        poll(lambda: server.entry(f"uid=eva,ou=guests,{SUFFIX}")["b2bAccountEnabled"]
             == ["FALSE"], 10, "the task disables eva")


def test_readme__its_partner_is_that_of_the_sample():
    """Set-up: README.md.  Steps: compare the partner and the guest it shows with tenant.ldif.
    Expected: line for line the same."""
    readme = (TOP / "README.md").read_text()
    for dn in (f"b2bTenantId=fabrikam,cn=partners,cn=b2b,{SUFFIX}",
               f"uid=pia,ou=guests,{SUFFIX}"):
        entry = re.search(rf"^dn: {re.escape(dn)}\n(?:\S.*\n)+", sample("tenant.ldif"), re.M)
        assert entry and f"```\n{entry.group(0)}```\n" in readme
