"""A database that is glued to a tenant's (subordinate): what programs find there."""

import ldap
import pytest

from lib import builders
from lib.builders import GUESTS, SUFFIX, guest_dn, service_dn
from lib.eyes import seen

GLUED = f"ou=glued,{SUFFIX}"
WIKI = service_dn("wiki")
GHOST = f"uid=ghost,{GLUED}"
TEAM = f"cn=team,{GLUED}"


@pytest.fixture(scope="module")
def world(make_server, tmp_path_factory):
    """A guest, shown, is the last entry of our database; a disabled one, ghost, stands in the glued
    one under the same number.  A group in the glued database assigns guests to wiki."""
    server = make_server(
        builders.tenant_server, start=False,
        data=builders.partner_ldif("home") + builders.service_ldif("wiki")
        + builders.app_ldif("wiki", f"b2bAppServiceDN: {WIKI}\nb2bAppAssignmentRequired: TRUE\n"
                            f"b2bAppAssignee: {TEAM}"))
    conf = server.conf_file.read_text()
    at = conf.index(f"database mdb\nsuffix {SUFFIX}\n")
    glued = builders.database_conf(GLUED, directory=tmp_path_factory.mktemp("glued"),
                                   lines="subordinate\n")
    server.conf_file.write_text(conf[:at] + glued + conf[at:])
    server.load("".join(builders.guest_ldif(name, lines="b2bUserState: Accepted")
                        for name in ("later", "shown")))
    before = server.tool("slapcat", "-g", "-b", SUFFIX).stdout.count("\ndn: ") + 1
    ghost = builders.guest_ldif("ghost").replace("Enabled: TRUE", "Enabled: FALSE").replace(
        GUESTS, GLUED)
    team = (f"dn: {TEAM}\nobjectClass: groupOfNames\ncn: team\nmember: {guest_dn('shown')}\n"
            f"member: {GHOST}\n\n")
    filling = builders.people_ldif([f"p{i}" for i in range(before - 3)], GLUED)
    server.tool("slapadd", "-q", "-b", GLUED, input=f"dn: {GLUED}\nobjectClass: "
                "organizationalUnit\nou: glued\n\n" + team + filling + ghost)
    return server.start()


def guests(server):
    bound = server.conn(WIKI, "wiki-pw")
    return set(seen(bound, SUFFIX, text="(objectClass=b2bGuest)", attrs=("1.1",)))


def test_entries_of_one_number(world):
    """The verdict on a guest of one database is not taken for that on a guest of the other that has
    the same number."""
    assert guests(world) == {guest_dn("shown")}


def test_group_that_changes_there(world):
    """A guest that becomes a member of the group, or leaves it, is found, or not, at once."""
    root, later = world.conn(f"cn=admin,{GLUED}", builders.ROOTPW), guest_dn("later").encode()
    for kind, wanted in ((ldap.MOD_ADD, {"shown", "later"}), (ldap.MOD_DELETE, {"shown"})):
        root.modify_s(TEAM, [(kind, "member", [later])])
        assert guests(world) == {guest_dn(name) for name in wanted}


def test_guest_that_is_made_there(world):
    """A name of nobody, which a group holds, becomes that of a guest who is not found: it is hidden
    at once."""
    root, name = world.conn(f"cn=admin,{GLUED}", builders.ROOTPW), f"uid=made,{GLUED}"
    root.modify_s(TEAM, [(ldap.MOD_ADD, "member", [name.encode()])])
    bound = world.conn(WIKI, "wiki-pw")
    assert name.encode() in seen(bound, TEAM)[TEAM]["member"]
    world.tool("ldapadd", "-D", f"cn=admin,{GLUED}", "-w", builders.ROOTPW,
               input=builders.guest_ldif("made").replace("Enabled: TRUE", "Enabled: FALSE").replace(
                   GUESTS, GLUED))
    assert name.encode() not in seen(bound, TEAM)[TEAM]["member"]
