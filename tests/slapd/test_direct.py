"""Direct connect: those whom a partner's token lets in though no entry of ours stands for them; how
they are called, what they see, what policy says of them.  Attacks: test_direct_hostile.py."""

import time

import ldap
import pytest

from lib import builders as b, sasl, ways
from lib.direct_world import (DENIED, DIRECT, GENERAL, HOME, PUBLIC, REPLACE, SECOND, WIKI, app, build, changed,
                              enter, found, name, parts)
from lib.eyes import BASE, code, seen
from lib.gate_world import PAYROLL, PROJECTS
from lib.slapd import poll
from lib.tokens import Signer
from lib.ways import Answer, is_in, is_out

ODD = ("ann", "Doe, Ann", "a+b2bTenantId=other", 'q"u\\o;t<e>=', "#1", "two words", "ÄÖ ß 名前 🙂",
       "auth0|5f7c8ec7c33c6c004bbafe82", "a/b@c.example", "dn:x,*)(uid=*", "x" * 1024)
UNLIKE = (" ann", "ann ", "two  words", "e\u0301", "\ufb01")


@pytest.fixture(scope="module")
def world(make_server, tmp_path_factory):
    return build(make_server, lambda kind: tmp_path_factory.mktemp(kind))


@pytest.fixture(scope="module")
def server(world):
    return world[0]


@pytest.fixture(scope="module")
def signer(world):
    return world[1]


# --- names ---

@pytest.mark.parametrize("subject", ODD)
def test_direct__names(server, signer, subject):
    """Steps: a token in each way, also under the very name.  Expected: in, as subject and tenant,
    taken apart by RFC 4514; nothing is stored."""
    token = signer.token(subject, azp=WIKI)
    want = [[("b2bSubject", subject), ("b2bTenantId", "home")], [("cn", "direct")], [("cn", "b2b")],
            [("dc", "ours")], [("dc", "example")]]
    before = found(server.root())
    for way in ("subject", "bearer", "dn"):
        answer = ways.WAYS[way](server, name(subject), token)
        assert answer.code == 0 and parts(answer.who) == want, (way, answer, server.tail(4))
    assert found(server.root()) == before


def test_direct__case(server, signer):
    """A subject is exact, a tenant's id is not, and is shown in lower case."""
    answer = ways.by_dn(server, name("Ann", "HOME"), signer.token("Ann", azp=WIKI))
    assert answer == Answer(0, "", f"dn:{name('Ann')}")
    is_out(server, name("ann"), signer.token("Ann", azp=WIKI), ways=["dn"])


@pytest.mark.parametrize("subject", UNLIKE)
def test_direct__names_that_others_would_share(server, signer, subject):
    """What slapd takes for another's name (blanks, composed letters) is nobody's: 49."""
    mark = server.log_mark()
    is_out(server, name(subject), signer.token(subject, azp=WIKI))
    server.wait_log("its subject cannot be a name", since=mark)


@pytest.mark.parametrize("dn", [
    name("bea"), name("ann", "second"), name("ann", "nobody"), DIRECT, f"cn=x,{name('ann')}",
    f"b2bSubject=ann,{DIRECT}", f"b2bTenantId=home,{DIRECT}",
    name("ann").replace("b2bTenantId", "cn=x+b2bTenantId"), name("ann").replace("cn=direct,", ""),
    name("ann").replace("cn=direct", "cn=Direct+ou=x")])
def test_direct__other_names(server, signer, dn):
    """A right token under any name but its own: 49, no text."""
    is_out(server, dn, signer.token("ann", azp=WIKI), ways=["dn"])
    assert sasl.bind(server.open(), signer.token("ann", azp=WIKI), f"dn:{dn}")[:2] == (49, "")


def test_direct__authzid(server, signer):
    """OAUTHBEARER with the own name as authzid is in, with a uid not."""
    token = signer.token("ann", azp=WIKI)
    assert ways.by_bearer(server, None, token, f"dn:{name('ann')}").who == f"dn:{name('ann')}"
    assert ways.by_bearer(server, None, token, "u:ann")[:2] == (49, "")


# --- what they see ---

def test_direct__sees_the_scope(server, signer):
    """The application's scope up to its label, by search, filter, compare and base read; nothing
    else, neither people's names nor its own way in."""
    me = enter(server, signer.token("ann", azp=WIKI))
    assert found(me) == GENERAL
    assert found(me, text="(cn=salaries)") == set()
    assert me.compare_s(f"cn=atlas,{PROJECTS}", "description", b"hello")
    for dn in (f"cn=secret,{PROJECTS}", f"cn=odd,{PROJECTS}", f"cn=closed,{PROJECTS}", PAYROLL,
               b.member_dn("mia"), b.BASE, HOME, DIRECT, name("ann"), f"ou=nowhere,{b.SUFFIX}",
               f"cn=b2b,{SECOND}"):
        assert code(me.search_s, dn, BASE) == 32, dn
        assert code(me.compare_s, dn, "objectClass", b"top") == 32, dn
    inner = seen(me, f"uid=inner,{PROJECTS}", BASE)[f"uid=inner,{PROJECTS}"]
    assert inner["uid"] == [b"inner"] and not [a for a in inner if a.startswith("b2b")]


def test_direct__acl_by_name(server, signer):
    """slapd's own ACLs name one (dn.exact, to the letter), a partner's (dn.regex, which a subject that
    looks like a tenant does not deceive), or all (dn.subtree), and still decide."""
    assert found(enter(server, signer.token("Ann", azp=WIKI))) == GENERAL - {f"cn=one,{PROJECTS}"}
    assert f"cn=one,{PROJECTS}" in found(enter(server, signer.token("ann", azp=WIKI)))
    sly = Signer("https://sly.example", audience="ours-directory")
    server.load(b.partner_ldif("sly", lines=sly.partner_lines(
        "b2bDirectInUsersAccess: allowed\nb2bDirectInAppsAccess: allowed")))
    for subject in ("ann", f"x+b2bTenantId=home,{DIRECT}", "x+b2bTenantId=home"):
        names = found(enter(server, sly.token(subject, azp=WIKI)))
        assert names == GENERAL - {f"cn=one,{PROJECTS}", f"cn=some,{PROJECTS}"}
    assert f"cn=all,{PROJECTS}" not in found(server.conn(b.member_dn("mia"), "mia-pw"))


@pytest.mark.parametrize("azp, sees", [
    ("urn:vault", PUBLIC), ("urn:bare", set()), (None, set())])
def test_direct__without_label_scope_application(server, signer, azp, sees):
    """An application without a label shows the lowest alone; one without a scope, or none: nothing."""
    assert found(enter(server, signer.token("ann", azp=azp))) == sees


def test_direct__access_level_is_nothing_to_it(server, signer):
    """A tenant whose guests see as members do shows those without an entry no more."""
    for level in ("member", "restricted"):
        with changed(server, b.BASE, (REPLACE, "b2bGuestAccess", level)):
            assert found(enter(server, signer.token("ann", azp=WIKI))) == GENERAL


def test_direct__service_account_before(server, signer):
    """Who was bound here before says nothing: the token alone names the application."""
    connection = server.conn(b.service_dn("wiki"), "wiki-pw")
    connection.simple_bind_s("", signer.token("ann"))
    assert found(connection) == set()


# --- policy ---

def test_direct__settings(server, signer):
    """Applications and users that are not allowed: 53; no word on direct connect at all: an account
    that is not known, 49; the default's word counts where the partner has none."""
    token = signer.token("ann", azp=WIKI)
    is_out(server, name("ann"), signer.token("ann", azp="urn:pay"), 53, DENIED)
    with changed(server, HOME, (REPLACE, "b2bDirectInUsersTarget", "bea")):
        is_out(server, name("ann"), token, 53, DENIED)
        is_in(server, name("bea"), signer.token("bea", azp=WIKI))
    silent = [(REPLACE, f"b2bDirectIn{half}") for half in
              ("UsersTarget", "AppsTarget", "UsersAccess", "AppsAccess")]
    with changed(server, HOME, *silent):
        is_out(server, name("ann"), token)
        with changed(server, f"cn=default,{b.BASE}", (REPLACE, "b2bDirectInUsersAccess", "blocked"),
                     (REPLACE, "b2bDirectInAppsAccess", "blocked")):
            is_out(server, name("ann"), token, 53, DENIED)


def test_direct__groups(server, signer):
    """A users target may be a home group that the token names."""
    with changed(server, HOME, (REPLACE, "b2bDirectInUsersTarget", "team")):
        is_in(server, name("ann"), signer.token("ann", azp=WIKI, groups=["team"]))
        is_out(server, name("ann"), signer.token("ann", azp=WIKI, groups=["else"]), 53, DENIED)


def test_direct__assignment(server, signer):
    """An application that wants assignment has nobody without an entry, named or in a group."""
    group = f"cn=those,{b.SUFFIX}"
    server.load(f"dn: {group}\nobjectClass: groupOfNames\ncn: those\nmember: {name('ann')}\n")
    with changed(server, app("wiki"), (REPLACE, "b2bAppAssignee", group, name("ann")),
                 (REPLACE, "b2bAppAssignmentRequired", "TRUE")):
        is_out(server, name("ann"), signer.token("ann", azp=WIKI), 53, "b2b: not-assigned")


def test_direct__mfa(server, signer):
    """Home's MFA counts where it is trusted, digits behind a token never; at the bind 8, and at the
    next operation too."""
    early = enter(server, signer.token("ann", azp=WIKI))
    plain, strong = signer.token("ann", azp=WIKI), signer.token("ann", azp=WIKI, amr=["mfa"])
    server.load(f"dn: cn=conditional-access,{b.BASE}\nobjectClass: b2bContainer\n"
                f"cn: conditional-access\n\ndn: cn=mfa,cn=conditional-access,{b.BASE}\n"
                "objectClass: b2bAccessPolicy\ncn: mfa\nb2bCaState: enabled\nb2bCaGrant: mfa\n")
    try:
        assert code(early.search_s, PROJECTS, BASE) == 8
        for token in (plain, strong):
            is_out(server, name("ann"), token, 8, "b2b: mfa-required")
        is_out(server, name("ann"), plain + "123456", 8, "b2b: mfa-required",
               ways=["dn", "subject"])
        with changed(server, HOME, (REPLACE, "b2bTrustMfa", "TRUE")):
            is_in(server, name("ann"), strong)
            is_out(server, name("ann"), plain, 8, "b2b: mfa-required")
    finally:
        server.root().delete_s(f"cn=mfa,cn=conditional-access,{b.BASE}")


def test_direct__log(server, signer):
    """Denials and entries are logged as those of guests."""
    mark = server.log_mark()
    is_out(server, name("ann"), signer.token("ann", azp="urn:pay"), 53, DENIED, ways=["subject"])
    is_in(server, name("ann"), signer.token("ann", azp=WIKI), ways=["subject"])
    text = 'guest="b2bSubject=ann\\+b2bTenantId=home,' + DIRECT + '" tenant=home'
    server.wait_log(text + ' app=payroll verdict=deny reason=direct-connect rule="', since=mark)
    server.wait_log(text + " app=wiki verdict=allow", since=mark)


# --- judged again ---

@pytest.mark.parametrize("dn, mods", [
    (HOME, [(REPLACE, "b2bDirectInUsersTarget", "bea")]),
    (HOME, [(REPLACE, "b2bDirectInAppsTarget", "vault")]),
    (app("wiki"), [(REPLACE, "b2bAppAssignmentRequired", "TRUE")])])
def test_direct__policy_changed(server, signer, dn, mods):
    """Access ends at the next operation, and is there again with the old policy."""
    me = enter(server, signer.token("ann", azp=WIKI))
    with changed(server, dn, *mods):
        assert code(me.search_s, PROJECTS, BASE) == 53
        assert code(me.whoami_s) == 53
    assert found(me) == GENERAL


def test_direct__label_and_scope_changed(server, signer):
    """What the application shows is that of this moment."""
    me = enter(server, signer.token("ann", azp=WIKI))
    with changed(server, app("wiki"), (REPLACE, "b2bAppMaxLabel", "Public")):
        assert found(me) == PUBLIC
    with changed(server, app("wiki"), (REPLACE, "b2bAppScope", PAYROLL)):
        assert found(me) == {PAYROLL, f"cn=salaries,{PAYROLL}"}


def test_direct__entries_gone(server):
    """The partner is deleted, or the application: nothing more, for ever on this connection."""
    other = Signer("https://brief.example", audience="ours-directory")
    server.load(b.partner_ldif("brief", lines=other.partner_lines(
        "b2bDirectInUsersAccess: allowed\nb2bDirectInAppsAccess: allowed"))
        + b.app_ldif("brief", f"b2bAppAudience: urn:brief\nb2bAppScope: {PROJECTS}"))
    me = enter(server, other.token("ann", azp="urn:brief"))
    assert found(me) == PUBLIC - {f"cn=one,{PROJECTS}", f"cn=some,{PROJECTS}"}
    root = server.root()
    root.delete_s(app("brief"))
    assert code(me.search_s, PROJECTS, BASE) == 53
    root.delete_s(b.partner_dn("brief"))
    assert code(me.search_s, PROJECTS, BASE) == 53


def test_direct__token_ends(server, signer):
    """The session ends with the token, of which a minute more is believed."""
    now = int(time.time())
    me = enter(server, signer.token("ann", azp=WIKI, iat=now - 600, exp=now - 57))
    assert found(me) == GENERAL
    poll(lambda: code(me.search_s, PROJECTS, BASE) == 53, 20, "the token's end")
    with pytest.raises(ldap.UNWILLING_TO_PERFORM, match="sign-in-too-old"):
        me.search_s(PROJECTS, BASE)


def test_direct__once(server):
    """A partner's token that is good for one sign-in is good for one here."""
    once = Signer("https://once.example", audience="ours-directory")
    server.load(b.partner_ldif("once", lines=once.partner_lines(
        "b2bTokenOnce: TRUE\nb2bDirectInUsersAccess: allowed\nb2bDirectInAppsAccess: allowed")))
    token = once.token("ann", jti="1", azp=WIKI)
    is_in(server, name("ann", "once"), token, ways=["subject"])
    is_out(server, name("ann", "once"), token)


# --- home's word ---

@pytest.mark.parametrize("claim", [[], ["collaboration"], "collaboration", {}, None, True])
def test_direct__home_says_no(server, signer, claim):
    """A token that says what home permits, and does not say "direct": 53."""
    token = signer.token("ann", azp=WIKI, **({"b2b_out": claim} if claim is not None else
                                             {"b2b_out": 0}))
    is_out(server, name("ann"), token, 53, DENIED)
    is_in(server, name("ann"), signer.token("ann", azp=WIKI, b2b_out=["direct"]))


def test_direct__home_says_no_to_guests(server, signer):
    """A guest's token must say "collaboration" where it says anything: 53 outbound-users."""
    server.load(b.guest_ldif("gil", subject="gil"))
    dn = b.guest_dn("gil")
    for claim in ([], ["direct"], "none"):
        is_out(server, dn, signer.token("gil", b2b_out=claim), 53, "b2b: outbound-users")
    is_in(server, dn, signer.token("gil", b2b_out=["collaboration"]))
    is_in(server, dn, signer.token("gil"))


def test_direct__home_here(server, world):
    """Set-up: home is a tenant of this server.  Expected: its DirectOut is asked, at the bind and at
    each operation, for the member whose entryUUID the subject is; locked or unknown ones are out."""
    second, people = world[2], f"ou=people,{SECOND}"
    root = server.open()
    root.simple_bind_s(f"cn=admin,{SECOND}", b.ROOTPW)
    uuid = {n: root.search_s(f"uid={n},{people}", BASE, attrlist=["entryUUID"])[0][1]["entryUUID"]
            [0].decode() for n in ("sam", "sue")}
    partner = f"b2bTenantId=ours,cn=partners,cn=b2b,{SECOND}"

    def out(users, target, apps):
        root.modify_s(partner, [(REPLACE, f"b2bDirectOut{half}", value) for half, value in (
            ("UsersAccess", users), ("UsersTarget", target), ("AppsAccess", users),
            ("AppsTarget", apps))])

    sam, sue = (second.token(uuid[n], azp=WIKI) for n in ("sam", "sue"))
    dn = name(uuid["sam"], "second")
    is_out(server, dn, sam, 53, DENIED)
    out(b"allowed", uuid["sam"].encode(), b"wiki")
    is_in(server, dn, sam)
    is_out(server, name(uuid["sue"], "second"), sue, 53, DENIED)
    is_out(server, dn, second.token(uuid["sam"], azp="urn:vault"), 53, DENIED)
    is_out(server, name("sam", "second"), second.token("sam", azp=WIKI), 53, DENIED)
    is_out(server, name("*", "second"), second.token("*", azp=WIKI), 53, DENIED)
    is_out(server, dn, second.token(uuid["sam"], azp=WIKI, b2b_out=[]), 53, DENIED)
    me = enter(server, sam)
    assert f"cn=atlas,{PROJECTS}" in found(me)
    out(b"allowed", uuid["sue"].encode(), b"wiki")
    assert code(me.search_s, PROJECTS, BASE) == 53
    out(b"allowed", b"AllUsers", b"AllApplications")
    assert code(me.search_s, PROJECTS, BASE) == 0
    root.modify_s(f"uid=sam,{people}", [(ldap.MOD_ADD, "objectClass", b"extensibleObject"),
                                        (ldap.MOD_ADD, "b2bAccountEnabled", b"FALSE")])
    assert code(me.search_s, PROJECTS, BASE) == 53
    root.modify_s(f"uid=sam,{people}", [(REPLACE, "b2bAccountEnabled", b"TRUE")])
    assert code(me.search_s, PROJECTS, BASE) == 0
    root.delete_s(f"uid=sam,{people}")
    assert code(me.search_s, PROJECTS, BASE) == 53
