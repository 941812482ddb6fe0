"""Two organisations, each a slapd with the module and nothing else, are each other's partners."""

import re

import ldap
import pytest

from lib import builders as b
from lib.eyes import BASE, answer, seen
from lib.orgs import Org

BLOCKED = {"CollabOutUsersAccess": "blocked", "CollabOutAppsAccess": "blocked"}


@pytest.fixture(scope="module")
def orgs(make_server):
    """alpha and beta; mia of each is a guest of the other, max of each is not; beta has an
    application wiki, told by its service account; alpha's group staff has its mia."""
    alpha, beta = make_server(Org, org_id="alpha"), make_server(Org, org_id="beta")
    for here, there in ((alpha, beta), (beta, alpha)):
        here.knows(there)
        here.invites(there, "mia")
        here.load(f"dn: cn=staff,ou=groups,{b.SUFFIX}\nobjectClass: groupOfNames\ncn: staff\n"
                  f"member: {b.member_dn('mia')}\n\n"
                  + b.service_ldif("wiki")
                  + b.app_ldif("wiki", f"b2bAppServiceDN: {b.service_dn('wiki')}"))
    return alpha, beta


@pytest.fixture(params=("alpha's mia", "beta's mia"))
def pair(request, orgs):
    """(home, resource), each way round; settings are empty again afterwards."""
    home, resource = orgs if request.param.startswith("alpha") else reversed(orgs)
    yield home, resource
    for org, other in ((home, resource), (resource, home)):
        org.set(org.partner(other))
        org.set(org.default)


def bind(home, resource, password="mia-pw", through=None):
    """(code, text) of mia's bind as a guest; through: on a connection of this service account."""
    connection = resource.server.open()
    try:
        if through:
            connection.simple_bind_s(resource.own(b.service_dn(through)), f"{through}-pw")
        return code_of(connection.simple_bind_s, resource.guest("mia"), password)
    finally:
        connection.unbind_ext_s()


def code_of(call, *args):
    try:
        call(*args)
        return 0, ""
    except ldap.LDAPError as error:
        return error.args[0]["result"], error.args[0].get("info", "")


def kept_in(home, resource, mark, reason, app="directory", rule=""):
    """home's log says that it did not let mia out."""
    home.server.wait_log(rf'member="{home.member("mia")}" tenant={resource.id} app={app} '
                         rf'verdict=deny reason={reason} rule="{re.escape(rule)}', since=mark)


def asked(home, mark):
    """How many binds of mia home was asked about."""
    return len(re.findall(rf'BIND dn="{home.member("mia")}" method=128', home.server.log(mark)))


def test_password__both_ways(pair):
    """mia comes in abroad with her password at home, sees herself and nobody else, and with
    another one she does not; nothing of this is logged as a denial at home."""
    home, resource = pair
    mark = home.server.log_mark()
    assert bind(home, resource) == (0, "")
    assert bind(home, resource, "max-pw") == (49, "")
    connection = resource.server.conn(resource.guest("mia"), "mia-pw")
    assert set(seen(connection, resource.suffix)) == {resource.guest("mia")}
    assert "verdict=deny" not in home.server.log(mark)
    assert asked(home, mark) == 3


@pytest.mark.parametrize("where", ("partner", "default"))
def test_password__home_blocks(pair, where):
    """CollabOut at home, at the partner's entry or as the default: the very next bind abroad is
    49 without text, as with a wrong password, and right again once the block is lifted.  At home
    mia binds as ever."""
    home, resource = pair
    dn = home.partner(resource) if where == "partner" else home.default
    staff = home.own(f"cn=staff,ou=groups,{b.SUFFIX}")
    for settings, reason in (
            (BLOCKED, "outbound-users"),
            (dict(CollabOutUsersAccess="blocked", CollabOutUsersTarget=home.member("mia"),
                  CollabOutAppsAccess="blocked"), "outbound-users"),
            (dict(CollabOutUsersAccess="blocked", CollabOutUsersTarget=staff, groups=[staff],
                  CollabOutAppsAccess="blocked"), "outbound-users"),
            (dict(CollabOutUsersAccess="allowed", CollabOutUsersTarget=home.member("max"),
                  CollabOutAppsAccess="allowed"), "outbound-users"),
            (dict(CollabOutUsersAccess="allowed", CollabOutAppsAccess="allowed",
                  CollabOutAppsTarget="wiki"), "outbound-apps")):
        home.set(dn, **settings)
        mark = home.server.log_mark()
        assert bind(home, resource) == (49, "")
        kept_in(home, resource, mark, reason, rule=dn)
        home.server.conn(home.member("mia"), "mia-pw")
        home.set(dn)
        assert bind(home, resource) == (0, "")


def test_password__home_blocks_an_application(pair):
    """Home is told which application the door abroad stands for, on whatever connection it is
    asked: only wiki is let out, and so it comes through wiki's door alone."""
    home, resource = pair
    home.set(home.partner(resource), CollabOutUsersAccess="allowed", CollabOutAppsAccess="allowed",
             CollabOutAppsTarget="wiki")
    for through, expected in ((None, 49), ("wiki", 0), (None, 49), ("wiki", 0)):
        assert bind(home, resource, through=through)[0] == expected
    home.set(home.partner(resource), CollabOutUsersAccess="allowed", CollabOutAppsAccess="blocked",
             CollabOutAppsTarget="WIKI")
    mark = home.server.log_mark()
    assert bind(home, resource) == (0, "")
    assert bind(home, resource, through="wiki") == (49, "")
    kept_in(home, resource, mark, "outbound-apps", app="wiki")


def test_password__home_does_not_know_the_partner(pair):
    """A tenant that home has no entry for gets nobody out, and home's log says who asked."""
    home, resource = pair
    root = home.server.root()
    dn = home.partner(resource)
    entry = root.search_ext_s(dn, ldap.SCOPE_BASE)[0][1]
    root.delete_s(dn)
    try:
        mark = home.server.log_mark()
        assert bind(home, resource) == (49, "")
        kept_in(home, resource, mark, "partner-unknown")
    finally:
        root.add_s(dn, list(entry.items()))
    assert bind(home, resource) == (0, "")


def test_password__resource_blocks(pair):
    """CollabIn abroad: the next bind is refused and home is not even asked; what a connection
    that is held asks next is refused too, and served again once the block is lifted."""
    home, resource = pair
    held = resource.server.conn(resource.guest("mia"), "mia-pw")
    for settings, reason in (
            (dict(CollabInUsersAccess="blocked", CollabInAppsAccess="blocked"), "inbound-users"),
            (dict(CollabInUsersAccess="blocked", CollabInUsersTarget=home.member("mia"),
                  CollabInAppsAccess="blocked"), "inbound-users"),
            (dict(CollabInUsersAccess="allowed", CollabInAppsAccess="allowed",
                  CollabInAppsTarget="wiki"), "inbound-apps")):
        resource.set(resource.partner(home), **settings)
        mark = home.server.log_mark()
        assert bind(home, resource) == (49, "")
        assert answer(seen, held, resource.guest("mia"), BASE)[:3] == (53, None, f"b2b: {reason}")
        assert asked(home, mark) == 0
        resource.set(resource.partner(home))
        assert bind(home, resource) == (0, "")
        assert set(seen(held, resource.suffix)) == {resource.guest("mia")}


def test_password__home_blocks_nobody_who_is_abroad(pair):
    """What home decides it decides when it is asked: a connection that is held abroad was proved
    before, and ends by what is decided there."""
    home, resource = pair
    held = resource.server.conn(resource.guest("mia"), "mia-pw")
    home.set(home.partner(resource), **BLOCKED)
    assert bind(home, resource) == (49, "")
    assert set(seen(held, resource.suffix)) == {resource.guest("mia")}


def test_password__guests_are_not_passed_on(orgs):
    """beta's mia, a guest of alpha, is no member of alpha's: alpha vouches for nobody else's
    people, though beta would say that her password is right."""
    alpha, beta = orgs
    beta.load(b.guest_ldif("chain", alpha.id, subject=alpha.guest("mia")))
    mark = alpha.server.log_mark()
    connection = beta.server.open()
    assert code_of(connection.simple_bind_s, beta.guest("chain"), "mia-pw") == (49, "")
    alpha.server.wait_log(f'member="{alpha.guest("mia")}" tenant=beta app=directory verdict=deny '
                          f'reason=outbound-users', since=mark)


def test_password__without_an_id_of_ours(orgs):
    """A tenant that has no b2bTenantId cannot say for whom it asks: its home is asked as any
    client would ask it, without the control."""
    alpha, beta = orgs
    root = beta.server.root()
    alpha.set(alpha.partner(beta), **BLOCKED)
    root.modify_s(beta.base, [(ldap.MOD_DELETE, "b2bTenantId", None)])
    try:
        assert bind(alpha, beta) == (0, "")
    finally:
        root.modify_s(beta.base, [(ldap.MOD_ADD, "b2bTenantId", [b"beta"])])
        assert bind(alpha, beta) == (49, "")
        alpha.set(alpha.partner(beta))
