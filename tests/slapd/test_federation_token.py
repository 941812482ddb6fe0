"""Two organisations, each a slapd with the module and nothing else: a token from home (.3.4) opens
the door abroad, for guests and for those without an entry, until one side closes it."""

import re

import ldap
import pytest

from lib import builders as b
from lib.eyes import BASE, answer, seen
from lib.orgs import Org

WIKI = f"ou=wiki,{b.SUFFIX}"
OPEN = {f"Direct{way}{half}Access": "allowed"
        for way in ("In", "Out") for half in ("Users", "Apps")}
CODE = (53, "b2b: direct-connect")
KEPT_IN = {"CollabOutUsersAccess": "blocked", "CollabOutAppsAccess": "blocked"}


@pytest.fixture(scope="module")
def orgs(make_server):
    """alpha and beta with keys, each made a partner of the other by b2bctl; mia of each is a guest
    of the other, max of each is not; each has an application wiki with a scope."""
    alpha, beta = (make_server(Org, org_id=name, key=True) for name in ("alpha", "beta"))
    for here, there in ((alpha, beta), (beta, alpha)):
        here.trusts(there)
        here.invites(there, "mia", there.server.entry(there.member("mia"))["entryUUID"][0])
        here.load(f"dn: {WIKI}\nobjectClass: organizationalUnit\nou: wiki\n\n"
                  + b.app_ldif("wiki", f"b2bAppAudience: wiki\nb2bAppScope: {WIKI}"))
    return alpha, beta


@pytest.fixture(params=("alpha's", "beta's"))
def pair(request, orgs):
    """(home, resource), each way round; settings are empty again afterwards."""
    home, resource = orgs if request.param.startswith("alpha") else reversed(orgs)
    yield home, resource
    for org, other in ((home, resource), (resource, home)):
        org.set(org.partner(other))


def enter(resource, token, dn="", uri=None):
    """(code, text, who) of a bind with a token, under a name or without one."""
    connection = resource.server.open(uri)
    try:
        connection.simple_bind_s(dn, token)
        return 0, "", connection.whoami_s()
    except ldap.LDAPError as error:
        return error.args[0]["result"], error.args[0].get("info", ""), ""


def held(resource, token):
    connection = resource.server.open()
    connection.simple_bind_s("", token)
    return connection


def refusal(home, resource, *asked):
    """(code, text) of home's refusal to give a token."""
    with pytest.raises(ldap.LDAPError) as refused:
        home.token(resource, *asked)
    return refused.value.args[0]["result"], refused.value.args[0].get("info", "")


def direct(home, resource, name):
    uuid = home.server.entry(home.member(name))["entryUUID"][0]
    return f"b2bSubject={uuid}+b2bTenantId={home.id},cn=direct,{resource.base}"


def wiki(resource):
    return resource.own(WIKI)


def test_token__both_ways(pair):
    """mia's token from home lets her in abroad under her guest's name and without a name; max's
    does not, for nobody invited him; and at home, or a second time for another, it is worth
    nothing."""
    home, resource = pair
    token, guest = home.token(resource, "mia"), resource.guest("mia")
    assert enter(resource, token) == enter(resource, token, guest) == (0, "", f"dn:{guest}")
    assert enter(resource, home.token(resource, "max"))[0] == 49
    assert enter(home, token)[0] == enter(home, token, home.guest("mia"))[0] == 49
    assert enter(resource, token[:-4] + "AAAA", guest)[0] == 49


def test_token__by_b2bctl(pair):
    """What b2bctl token prints at home is what a program abroad takes as the password."""
    home, resource = pair
    token = home.ctl("token", "--tenant", resource.id, dn=home.member("mia"), password="mia-pw")
    assert enter(resource, token.strip()) == (0, "", f"dn:{resource.guest('mia')}")


def test_token__home_blocks(pair):
    """CollabOut at home, for users and for applications: no token is given from then on."""
    home, resource = pair
    home.set(home.partner(resource), **KEPT_IN)
    assert refusal(home, resource, "mia") == (53, "b2b: outbound-users")
    home.set(home.partner(resource), CollabOutUsersAccess="allowed", CollabOutAppsAccess="allowed",
             CollabOutAppsTarget="wiki")
    assert refusal(home, resource, "mia") == (53, "b2b: outbound-apps")
    me = held(resource, home.token(resource, "mia", "wiki"))
    assert set(seen(me, resource.suffix)) == {resource.guest("mia"), wiki(resource)}
    home.set(home.partner(resource), CollabOutUsersAccess="blocked",
             CollabOutUsersTarget=home.member("mia"), CollabOutAppsAccess="blocked")
    assert refusal(home, resource, "mia", "wiki") == (53, "b2b: outbound-users")
    assert enter(resource, home.token(resource, "max"))[0] == 49


def test_token__collaboration_and_direct_are_two(pair):
    """A token for direct connect alone does not let a guest in, and one for collaboration alone
    nobody who is none."""
    home, resource = pair
    resource.set(resource.partner(home), **OPEN)
    home.set(home.partner(resource), **OPEN, **KEPT_IN)
    assert enter(resource, home.token(resource, "mia", "wiki"), resource.guest("mia")) == (
        53, "b2b: outbound-users", "")
    home.set(home.partner(resource))
    assert enter(resource, home.token(resource, "max", "wiki"))[:2] == CODE


def test_token__an_application_by_the_door(pair):
    """Home blocks the application that every connection from here stands for, abroad: a token that
    names none is for the directory, and does not come in by that door."""
    home, resource = pair
    desk = b.app_ldif("desk", "b2bAppPeer: 127.0.0.0/8")
    resource.load(desk)
    try:
        home.set(home.partner(resource), CollabOutUsersAccess="allowed",
                 CollabOutAppsAccess="blocked", CollabOutAppsTarget="desk")
        assert refusal(home, resource, "mia", "desk") == (53, "b2b: outbound-apps")
        token, wiki_token = home.token(resource, "mia"), home.token(resource, "mia", "wiki")
        uri, guest = resource.server.uri, resource.guest("mia")
        assert enter(resource, token, guest, uri) == (53, "b2b: outbound-apps", "")
        assert enter(resource, wiki_token, guest, uri)[0] == 0
        assert enter(resource, token, guest)[0] == 0
    finally:
        resource.server.root().delete_s(resource.own(re.match("dn: (.*)", desk)[1]))


def test_token__resource_blocks(pair):
    """CollabIn abroad: the token that home goes on giving opens nothing, and what a connection that
    is held asks next is refused; both at once, and both over with the block."""
    home, resource = pair
    token, guest = home.token(resource, "mia"), resource.guest("mia")
    me = held(resource, token)
    for settings, reason in (
            (dict(CollabInUsersAccess="blocked", CollabInAppsAccess="blocked"), "inbound-users"),
            (dict(CollabInUsersAccess="allowed", CollabInAppsAccess="allowed",
                  CollabInAppsTarget="wiki"), "inbound-apps")):
        resource.set(resource.partner(home), **settings)
        assert enter(resource, token, guest) == (53, f"b2b: {reason}", "")
        assert answer(seen, me, guest, BASE)[:3] == (53, None, f"b2b: {reason}")
        resource.set(resource.partner(home))
        assert enter(resource, token, guest)[0] == 0
        assert set(seen(me, guest, BASE)) == {guest}


def test_direct__both_sides_permit(pair):
    """max, whom nobody invited: with DirectOut at home and DirectIn abroad his token for wiki lets
    him in under a name that stands for him, to wiki's scope and nothing else."""
    home, resource = pair
    home.set(home.partner(resource), **OPEN)
    assert enter(resource, home.token(resource, "max", "wiki"))[:2] == (49, "")
    resource.set(resource.partner(home), **OPEN)
    me = held(resource, home.token(resource, "max", "wiki"))
    assert me.whoami_s().lower() == f"dn:{direct(home, resource, 'max')}".lower()
    assert set(seen(me, resource.suffix)) == {wiki(resource)}


def test_direct__each_side_blocks(pair):
    """Home's block: no token for direct connect any more.  The resource's: the token opens nothing,
    and what a connection that is held asks next is refused."""
    home, resource = pair
    for org, other in ((home, resource), (resource, home)):
        org.set(org.partner(other), **OPEN)
    token = home.token(resource, "max", "wiki")
    me = held(resource, token)
    home.set(home.partner(resource), **KEPT_IN)
    assert refusal(home, resource, "max", "wiki")[0] == 53
    resource.set(resource.partner(home), DirectInUsersAccess="blocked",
                 DirectInAppsAccess="blocked")
    assert enter(resource, token)[:2] == CODE
    assert answer(seen, me, wiki(resource), BASE)[:3] == (53, None, "b2b: direct-connect")
    resource.set(resource.partner(home), **OPEN)
    assert set(seen(me, resource.suffix)) == {wiki(resource)}
