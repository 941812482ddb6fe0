"""A guest on every database of the server, where slapd's ACLs give everybody everything."""

import pytest

from lib import table_world, wire
from lib.builders import SUFFIX, guest_dn
from lib.gate_world import LEVELS, set_level
from lib.table_world import GLUED
from lib.wire import Wire, compare, control, names, result, search

NED = f"uid=ned,{GLUED}"
ELSEWHERE = (
    "cn=config", "cn=schema,cn=config", "olcDatabase={0}config,cn=config", "cn=Monitor",
    "cn=Connections,cn=Monitor", "cn=accesslog", "dc=plain,dc=example",
    "uid=pat,ou=people,dc=plain,dc=example", "dc=two,dc=example",
    "uid=pat,ou=people,dc=two,dc=example")


@pytest.fixture(scope="module")
def world(home, make_server, tmp_path_factory):
    return table_world.build(home, make_server, tmp_path_factory.mktemp)


@pytest.fixture(params=LEVELS)
def alice(world, request):
    set_level(world, request.param)
    with Wire(world, guest_dn("alice"), "alice-pw") as wired:
        wired.level = request.param
        yield wired


def asked(wired, dn):
    """Every way to look at a name."""
    for controls in ((), [control("2.16.840.1.113730.3.4.2", critical=True)]):
        for scope in (wire.BASE, wire.ONE, wire.SUB, wire.CHILDREN):
            for deref in (wire.NEVER, wire.ALWAYS):
                yield wired.ask(search(dn, scope, deref), controls)
        for attr, value in (("objectClass", "olcGlobal"), ("cn", "config"), ("uid", "pat")):
            yield wired.ask(compare(dn, attr, value), controls)


def test_other_databases_do_not_exist(world, alice):
    """Set-up: cn=config (whose backend never asks the access hook), cn=monitor, an access log, a
    database without any role and another tenant, all open to everybody.  Steps: every search and
    compare of them by a guest of each level.  Result: to the byte what a suffix answers that no
    database has."""
    wanted = list(asked(alice, "dc=nowhere"))
    assert {result(each)[:3] for each in wanted} == {(32, "", "")}
    with Wire(world) as anyone:
        for dn in ELSEWHERE:
            assert names(anyone.ask(search(dn))) == [dn.lower()], "the test's own set-up"
            assert list(asked(alice, dn)) == wanted, dn


def test_no_name_is_no_way_in(world, alice):
    """Set-up: defaultsearchbase cn=config.  A guest's search that names no base finds none of it;
    everybody else's does."""
    with Wire(world) as anyone:
        assert names(anyone.ask(search("", wire.SUB)))[0] == "cn=config"
    for scope in (wire.ONE, wire.SUB, wire.CHILDREN):
        pdus = alice.ask(search("", scope))
        assert result(pdus)[:3] == (32, "", "") and len(pdus) == 1


def test_root_dse_and_schema_are_served(world, alice):
    """They are what the anonymous read, to the byte."""
    with Wire(world) as anyone:
        for dn in ("", "cn=Subschema"):
            assert alice.ask(search(dn)) == anyone.ask(search(dn)) != []
            assert result(alice.ask(compare(dn, "objectClass", "top")))[0] in (5, 6)


def test_glued_database_is_part_of_the_tenants(world, alice):
    """A subordinate database counts as its superior: nothing of it at "restricted", people by name
    at "limited", all of it at "member"."""
    found = names(alice.ask(search(SUFFIX, wire.SUB)))
    by_name = result(alice.ask(search(NED)))[0]
    assert ({GLUED, NED} <= set(found)) is (alice.level == "member")
    assert not {GLUED, NED} & set(found) or alice.level == "member"
    assert by_name == (32 if alice.level == "restricted" else 0)
    for dn in (GLUED,) if alice.level == "limited" else (GLUED, NED):
        wanted = 0 if alice.level == "member" else 32
        assert result(alice.ask(search(dn, wire.SUB)))[0] == wanted, dn
