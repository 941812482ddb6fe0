"""Attacks on direct connect: guests that would come round their own entry, writes, other ways to such
a name, entries that stand below cn=direct after all."""

import json

import ldap
import ldap.sasl
import pytest
from ldap.extop import ExtendedRequest

from lib import builders as b, records, sasl, ways
from lib.direct_world import (DENIED, DIRECT, GENERAL, HOME, NED, REPLACE, REVIEW, STRAY, STRAY_GUEST, WIKI, build,
                              changed, enter, found, name)
from lib.eyes import BASE, DONT_USE_COPY, answer, code, control, proxy, seen
from lib.gate_world import PROJECTS
from lib.life import ROOT
from lib.ways import Answer, is_in, is_out


@pytest.fixture(scope="module")
def world(make_server, tmp_path_factory):
    return build(make_server, lambda kind: tmp_path_factory.mktemp(kind))


@pytest.fixture(scope="module")
def server(world):
    return world[0]


@pytest.fixture(scope="module")
def signer(world):
    return world[1]


# --- guests that would come round their own entry ---

def test_hostile__a_guest_is_a_guest(server, signer):
    """The token of somebody who is a guest binds as that guest in the ways without a name; under the
    name of one without an entry it is another's: 49."""
    server.load(b.guest_ldif("gus", subject="gus"))
    token = signer.token("gus", azp=WIKI)
    is_in(server, b.guest_dn("gus"), token)
    is_out(server, name("gus"), token, ways=["dn"])
    assert sasl.bind(server.open(), token, f"dn:{name('gus')}")[:2] == (49, "")


@pytest.mark.parametrize("case, lines, reason", [
    ("off", "b2bAccountEnabled: FALSE", "disabled"),
    ("late", "b2bValidUntil: 20200101000000Z", "expired"),
    ("early", f"b2bValidFrom: {records.ahead(86400)}", "not-yet-valid"),
    ("pinned", "b2bIdentityProvider: ldap", None)])
def test_hostile__a_guest_that_is_off(server, signer, case, lines, reason):
    """A guest that is disabled, expired, not yet valid or pinned to another proof: its own denial in
    every way, and never in."""
    who = f"gone-{case}"
    text = b.guest_ldif(who, lines=lines, subject=who)
    if case == "off":
        text = text.replace("b2bAccountEnabled: TRUE\n", "")
    server.load(text)
    token = signer.token(who, azp=WIKI)
    is_out(server, name(who), token, ways=["dn"])
    if reason:
        is_out(server, b.guest_dn(who), token, 53, f"b2b: {reason}")
    else:
        is_out(server, b.guest_dn(who), token)


def test_hostile__a_guest_that_is_blocked(server, signer):
    """A guest that collaboration does not let in is not let in directly."""
    server.load(b.guest_ldif("barred", subject="barred"))
    token = signer.token("barred", azp=WIKI)
    with changed(server, HOME, (REPLACE, "b2bCollabInUsersAccess", "blocked"),
                 (REPLACE, "b2bCollabInAppsAccess", "blocked")):
        is_out(server, b.guest_dn("barred"), token, 53, "b2b: inbound-users")
        is_out(server, name("barred"), token, ways=["dn"])


def test_hostile__an_invitation_by_mail(server, signer):
    """Somebody who was invited by mail, has not redeemed, and whose verified mail the token has, is
    that guest, also where it is off; one that has redeemed as another subject, or without one, keeps
    the mail's owner out; a mail that is not verified says nothing."""
    def mail(who, verified=True):
        return signer.token(f"sub-{who}", azp=WIKI, email=f"{who}@home.example",
                            email_verified=verified)

    server.load(b.guest_ldif("ivy", subject=""))
    is_in(server, b.guest_dn("ivy"), mail("ivy"), ways=["subject"])
    is_out(server, name("sub-ivy"), mail("ivy"), ways=["dn"])
    server.load(b.guest_ldif("ike", subject="").replace("Enabled: TRUE", "Enabled: FALSE"))
    is_out(server, b.guest_dn("ike"), mail("ike"), 53, "b2b: disabled")
    is_out(server, name("sub-ike"), mail("ike"), ways=["dn"])
    is_in(server, name("sub-ike"), mail("ike", False))
    for who, subject in (("ida", "somebody"), ("ivo", "")):
        server.load(b.guest_ldif(who, subject=subject))
        server.root().modify_ext_s(b.guest_dn(who), [
            (REPLACE, "b2bUserState", [b"Accepted"])], serverctrls=records.RELAX)
        is_out(server, name(f"sub-{who}"), mail(who))
        is_in(server, name(f"sub-{who}"), signer.token(f"sub-{who}", azp=WIKI))


def test_hostile__two_guests_of_one_subject(server, signer):
    """Whose token it is nobody can tell: 49, not in as a third."""
    server.load(b.guest_ldif("twin1", subject="twin") + b.guest_ldif("twin2", subject="twin"))
    is_out(server, name("twin"), signer.token("twin", azp=WIKI))


def test_hostile__a_guest_of_another_partner(server, signer):
    """The same subject, or mail, of another home is another person: in."""
    server.load(b.guest_ldif("far", tenant="second", subject="far"))
    is_in(server, name("far"), signer.token("far", azp=WIKI, email="far@home.example",
                                            email_verified=True))


@pytest.mark.parametrize("by", ["subject", "mail"])
def test_hostile__becomes_a_guest(server, signer, by):
    """Set-up: somebody is connected directly.  Steps: a guest object, disabled, is made for the
    subject, or for the verified mail; it is deleted.  Expected: nothing more as of the next
    operation; then all again."""
    who = f"later-{by}"
    me = enter(server, signer.token(who, azp=WIKI, email=f"{who}@home.example",
                                    email_verified=True))
    some = GENERAL - {f"cn=one,{PROJECTS}"}
    assert found(me) == some
    server.load(b.guest_ldif(who, subject=who if by == "subject" else "")
                .replace("Enabled: TRUE", "Enabled: FALSE"))
    assert answer(me.search_s, PROJECTS, BASE)[0:3:2] == (53, DENIED)
    server.root().delete_s(b.guest_dn(who))
    assert found(me) == some


# --- writes, controls ---

def test_hostile__no_writes(server, signer):
    """Every operation that guests may not do is refused to those without an entry, and those that
    guests may do with their own entry."""
    me = enter(server, signer.token("ann", azp=WIKI))
    target, change = f"cn=atlas,{PROJECTS}", [(REPLACE, "description", [b"mine"])]
    assert code(me.add_s, f"cn=new,{PROJECTS}", [("objectClass", [b"applicationProcess"]),
                                                 ("cn", [b"new"])]) == 50
    assert code(me.add_s, name("ann"), [("objectClass", [b"applicationProcess"]),
                                        ("cn", [b"ann"])]) == 50
    for dn in (target, name("ann"), HOME):
        assert code(me.modify_s, dn, change) == 50
        assert code(me.delete_s, dn) == 50
        assert code(me.rename_s, dn, "cn=other") == 50
        assert code(me.passwd_s, dn, None, "guessed") == 50
    for number, value in (("1", {"mail": "x@home.example"}), ("7", {"action": "begin"}),
                          ("4", {"tenant": "home"})):
        request = ExtendedRequest(f"{ROOT}.{number}", json.dumps(value).encode())
        assert code(me.extop_s, request) == 50, number
    assert code(me.search_ext_s, PROJECTS, BASE, serverctrls=[control(DONT_USE_COPY)]) == 50
    for whom in (f"dn:{b.ROOTDN}", f"dn:{name('bea')}", f"dn:{b.member_dn('mia')}", "dn:"):
        assert code(me.search_ext_s, b.SUFFIX, BASE, serverctrls=[proxy(whom)]) in (50, 123)
    assert found(me) == GENERAL


def test_hostile__a_review_that_names_it(server, signer):
    """An item of a review (by slapadd) that names it as guest and reviewer is neither seen nor
    answered."""
    me = enter(server, signer.token("ann", azp=WIKI))
    item = f"cn=i,{REVIEW}"
    assert server.entry(item)["b2bReviewGuest"] == [name("ann")]
    assert code(me.search_s, item, BASE) == 32
    assert answer(me.modify_s, item, [(REPLACE, "b2bReviewDecision", [b"Approve"])])[0:3:2] == (
        50, "b2b: guests may not use this operation")


# --- other ways to such a name ---

def test_hostile__sasl_mapping(server):
    """SASL EXTERNAL that authz-regexp maps onto such a name: 49, nobody."""
    connection = server.open(server.ldapi)
    assert code(connection.sasl_interactive_bind_s, "", ldap.sasl.external()) == 49
    assert connection.whoami_s() == ""


@pytest.mark.parametrize("dn", [name("ann"), name("nobody", "nowhere"), DIRECT, STRAY, f"cn=x,{STRAY}"])
def test_hostile__acting_as_one(server, dn):
    """Proxied authorization to a name below cn=direct, by an agent that may (authzTo) and by the
    rootdn: denied, not a member's view."""
    for connection in (server.conn(b.service_dn("agent"), "agent-pw"), server.root()):
        got = answer(connection.search_ext_s, b.SUFFIX, ldap.SCOPE_SUBTREE,
                     serverctrls=[proxy(f"dn:{dn}")])
        assert got[0] == 53 and got[2] == DENIED, got


def test_hostile__passwords(server):
    """A password that stands below cn=direct, or any, opens nothing there: 49."""
    for dn, password in ((STRAY, "stray-pw"), (name("stray"), "stray-pw"), (name("ann"), "x"),
                         (DIRECT, "x"), (name("ann"), "?"), (name("ann"), "12345678")):
        assert ways.by_dn(server, dn, password) == Answer(49, "", ""), dn
    assert ways.by_dn(server, name("ann"), "").who == ""


def test_hostile__a_database_below(server):
    """A database of its own below cn=direct, with a password in it: whoever that lets in is a guest
    that may do nothing, whose view is not a member's."""
    ned = server.conn(NED, "ned-pw")
    got = answer(ned.search_s, b.SUFFIX, ldap.SCOPE_SUBTREE)
    assert got[0] == 53 and got[2] == DENIED


# --- entries below cn=direct ---

def test_hostile__nothing_can_be_stored(server):
    """Nobody adds or moves anything there, the rootdn neither."""
    root, agent = server.root(), server.conn(b.service_dn("agent"), "agent-pw")
    entry = [("objectClass", [b"applicationProcess", b"extensibleObject"]), ("cn", [b"x"]),
             ("b2bSubject", [b"new"]), ("b2bTenantId", [b"home"])]
    guest = [("objectClass", [b"inetOrgPerson", b"b2bGuest"]), ("uid", [b"g"]), ("cn", [b"g"]),
             ("sn", [b"g"]), ("b2bHomeTenant", [b"home"])]
    for dn, attrs in ((f"cn=x,{DIRECT}", entry), (name("new"), entry), (f"uid=g,{DIRECT}", guest),
                      (f"cn=x,{STRAY}", entry)):
        got = answer(root.add_s, dn, attrs)
        assert got[0] == 19 and "cn=direct" in got[2], got
        assert code(agent.add_s, dn, attrs) == 50
    assert code(root.rename_s, b.member_dn("max"), "uid=max", DIRECT) == 53
    assert code(root.rename_s, f"cn=applications,{b.BASE}", "cn=direct") == 53
    with pytest.raises(ldap.CONSTRAINT_VIOLATION):
        root.modify_s(STRAY, [(REPLACE, "description", [b"x"])])


def test_hostile__container_itself(make_server):
    """Without it, cn=direct is not made by ldapadd."""
    server = make_server(b.tenant_server)
    got = answer(server.root().add_s, DIRECT, [("objectClass", [b"b2bContainer"]),
                                               ("cn", [b"direct"])])
    assert got[0] == 19 and "cn=direct" in got[2]


def test_hostile__strays_are_hidden(server, signer):
    """What slapadd put there is hidden from guests of any level, from programs, and from the one
    whose name it has; the rootdn sees it, and may take it away."""
    server.load(b.guest_ldif("gwen", subject="gwen", lines="b2bGuestAccess: member"))
    with changed(server, b.BASE, (REPLACE, "b2bGuestAccess", "member")):
        gwen = enter(server, signer.token("gwen"))
        wiki = server.conn(b.service_dn("wiki"), "wiki-pw")
        me = enter(server, signer.token("stray", azp=WIKI))
        for dn in (DIRECT, STRAY, STRAY_GUEST, name("stray")):
            for connection in (gwen, wiki, me):
                assert code(connection.search_s, dn, BASE) == 32, dn
            assert not {n for c in (gwen, wiki, me) for n in found(c)} & {dn.lower(), dn}
    assert STRAY in seen(server.root(), DIRECT)


def test_hostile__a_guest_stored_there(server, signer):
    """Set-up: a guest object with its entry below cn=direct (slapadd).  Expected: its token is in
    neither as that guest nor as one without an entry."""
    is_out(server, STRAY_GUEST, signer.token("pass", azp=WIKI))
    is_out(server, name("pass"), signer.token("pass", azp=WIKI))
    root = server.root()
    for dn in (STRAY_GUEST, STRAY):
        root.delete_s(dn)
    is_in(server, name("pass"), signer.token("pass", azp=WIKI))
