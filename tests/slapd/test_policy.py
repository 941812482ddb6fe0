"""Policy entries: what is wrong is refused at the write with attribute and value, and nothing
changes; what is right takes effect at the next operation."""

import itertools
import ldap
import pytest
import time
from ldap.controls import RequestControl
from ldap.extop import ExtendedRequest

from lib import builders
from lib.builders import BASE, app_ldif, guest_ldif, partner_dn, partner_ldif, service_dn
from lib.hostile import FakeHome
from lib.records import add, add_entry, delete, denial, parse, refused, replace, subtree

TENANT, DEFAULT, PARTNER = BASE, f"cn=default,{BASE}", partner_dn("home")
PARTNERS, APPS = f"cn=partners,{BASE}", f"cn=applications,{BASE}"
WIKI = f"cn=wiki,{APPS}"
SCOPES = [f"b2b{kind}{way}" for kind in ("Collab", "Direct") for way in ("In", "Out")]
HALVES = ("Users", "Apps")
ALL = {"Users": "AllUsers", "Apps": "AllApplications"}


class World:
    """Our tenant with one partner, one application, and its guest alice on a held connection."""

    def __init__(self, server, home):
        self.server, self.home = server, home
        server.load(partner_ldif("home", home.uri)
                    + app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}\n"
                                       "b2bAppPeer: 192.0.2.0/24")
                    + builders.service_ldif("wiki"))
        self.root = server.root()
        add_entry(self.root, guest_ldif("alice", lines="b2bUserState: Accepted"), relax=True)
        self.alice = server.conn(builders.guest_dn("alice"), "alice-pw", uri=server.uri)

    def denial(self):
        return denial(self.alice)


@pytest.fixture(scope="module")
def world(make_server):
    home = FakeHome("success")
    yield World(make_server(builders.tenant_server), home)
    home.stop()


@pytest.fixture
def policy(world):
    """The world, whose policy tree is put back as it was after the test."""
    before = subtree(world.root, BASE)
    yield world
    after = subtree(world.root, BASE)
    changed = [dn for dn in before if after.get(dn) != before[dn]]
    for dn in sorted(set(after) - set(before) | set(changed) & set(after), key=len, reverse=True):
        if dn in before:
            names = {n for entry in (before[dn], after[dn]) for n in entry if is_user(n)}
            world.root.modify_s(dn, [(ldap.MOD_REPLACE, n, before[dn].get(n)) for n in names])
        else:
            world.root.delete_s(dn)
    for dn in sorted(set(before) - set(after), key=len):
        world.root.add_s(dn, [(n, v) for n, v in before[dn].items() if is_user(n)])
    assert world.denial() is None


def is_user(name):
    return name.startswith("b2b") or name in ("cn", "objectClass")


def modifies():
    """(entry, changes, words of the refusal) of every bad change."""
    for entry, scope, half in itertools.product((DEFAULT, PARTNER), SCOPES, HALVES):
        name = f"{scope}{half}Access"
        yield entry, [replace(name, "maybe")], (name, '"maybe"')
    for entry, scope in itertools.product((DEFAULT, PARTNER), SCOPES):
        for blocked, allowed in (HALVES, HALVES[::-1]):
            name = f"{scope}{blocked}Access"
            yield entry, [replace(name, "blocked"), replace(f"{scope}{allowed}Access", "allowed"),
                          replace(f"{scope}{blocked}Target", ALL[blocked])], (name, '"blocked"')
    for scope, half in itertools.product(SCOPES, HALVES):
        name = f"{scope}{half}Target"
        yield PARTNER, [replace(name, "x1")], (name, '"x1"')
        yield PARTNER, [replace(f"{scope}{half}Access", "allowed"),
                        replace(name, ALL["Apps" if half == "Users" else "Users"])], (name, "All")
    yield PARTNER, [replace("b2bGroupTarget", "staff")], ("b2bGroupTarget", '"staff"')
    yield TENANT, [replace("b2bGuestAccess", "everything")], ("b2bGuestAccess", '"everything"')
    yield TENANT, [replace("b2bAllowInvitesFrom", "all")], ("b2bAllowInvitesFrom", '"all"')
    for name in ("b2bGuestLifetime", "b2bReviewInterval", "b2bReviewDuration", "b2bDeleteGrace",
                 "b2bInvitationLifetime", "b2bInactivity"):
        yield TENANT, [replace(name, "-1")], (name, '"-1"')
    yield (TENANT, [replace("b2bAllowedDomain", "a.example"),
                    replace("b2bBlockedDomain", "b.example")],
           ("b2bBlockedDomain", '"b.example"', "b2bAllowedDomain"))
    yield TENANT, [replace("b2bAllowedDomain", "not a domain")], ("b2bAllowedDomain", "not a dom")
    yield TENANT, [replace("b2bLabelOrder", "Public", "General")], ("b2bLabelOrder", "prefix")
    yield (TENANT, [replace("b2bLabelOrder", "{0}Public", "{0}General")],
           ("b2bLabelOrder", "{0}", "repeats"))
    yield (TENANT, [replace("b2bLabelOrder", "{0}Public", "{1}public")],
           ("b2bLabelOrder", "{1}public", "repeats"))
    yield (TENANT, [replace("b2bLabelOrder", "{0}Public"), replace("b2bDefaultLabel", "Secret")],
           ("b2bDefaultLabel", '"Secret"'))
    yield PARTNER, [replace("b2bIdp", "kerberos")], ("b2bIdp", '"kerberos"')
    yield PARTNER, [replace("b2bIdp", "{0}ldap", "{1}ldap")], ("b2bIdp", '"{1}ldap"')
    yield PARTNER, [delete("b2bHomeUri")], ("b2bIdp", '"ldap"', "b2bHomeUri")
    for uri in ("http://home.example/", "ldap://", "ldaps://home.example:0",
                "ldaps://home.example/dc=x??sub", "ldaps://ho me.example", "home.example:636",
                "ldaps://home.example:99999", "ldaps://user@home.example"):
        yield PARTNER, [replace("b2bHomeUri", uri)], ("b2bHomeUri", uri.split(" ")[0])
    yield (PARTNER, [replace("b2bHomeUri", "ldap://home.example")],
           ("b2bHomeUri", '"ldap://home.example"', "clear"))
    yield (PARTNER, [replace("b2bHomeUri", "ldaps://home.example ldap://10.0.0.1")],
           ("b2bHomeUri", '"ldap://10.0.0.1"', "clear"))
    yield (PARTNER, [replace("b2bHomeUri", "ldap://home.example"),
                     replace("b2bHomeStartTls", "FALSE")], ("b2bHomeUri", "clear"))
    yield PARTNER, [replace("b2bHomeBindDn", "cn=all")], ("b2bHomeBindDn", '"cn=all"')
    yield PARTNER, [replace("b2bHomeCaFile", "ca.pem")], ("b2bHomeCaFile", '"ca.pem"')
    for peer in ("192.0.2.0/33", "192.0.2.1/24", "net", "2001:db8::/129", "192.0.2/24"):
        yield WIKI, [replace("b2bAppPeer", peer)], ("b2bAppPeer", f'"{peer}"')
    yield WIKI, [replace("b2bAppListener", "http://x/")], ("b2bAppListener", '"http://x/"')
    yield WIKI, [replace("b2bAppId", "AllApplications")], ("b2bAppId", "llapplications")


BAD_CHANGES = list(modifies())


@pytest.mark.parametrize("index", range(len(BAD_CHANGES)),
                         ids=[f"{words[0]}-{n}" for n, (_, _, words) in enumerate(BAD_CHANGES)])
def test_bad_change_is_refused(world, index):
    """Set-up: lawful policy, alice connected.  Steps: one bad change.  Expected:
    constraintViolation naming attribute and value, no entry changed, alice goes on as before."""
    entry, changes, words = BAD_CHANGES[index]
    with refused(world.root, "b2b: ", *words, base=BASE):
        world.root.modify_s(entry, changes)
    assert world.denial() is None


BAD_ENTRIES = {
    "partner keyword": (partner_ldif("bad", lines="b2bCollabInUsersAccess: perhaps"),
                        ("b2bCollabInUsersAccess", '"perhaps"')),
    "partner url": (partner_ldif("bad", "ftp://x/"), ("b2bHomeUri", '"ftp://x/"')),
    "partner in clear": (partner_ldif("bad", "ldap://home.example"), ("b2bHomeUri", "clear")),
    "partner without home": (partner_ldif("bad", lines="b2bIdp: ldap"), ("b2bIdp", "b2bHomeUri")),
    "application id twice": (app_ldif("bad", "b2bAppId: WIKI"), ("b2bAppId", '"wiki"', WIKI)),
    "application service twice": (app_ldif("bad", f"b2bAppServiceDN: {service_dn('wiki')}"),
                                  ("b2bAppServiceDN", service_dn("wiki"), WIKI)),
    "application network twice": (app_ldif("bad", "b2bAppPeer: 192.0.2.0/24"),
                                  ("b2bAppPeer", WIKI)),
    "application network": (app_ldif("bad", "b2bAppPeer: 192.0.2.0/99"),
                            ("b2bAppPeer", '"192.0.2.0/99"')),
    "partner outside": (partner_ldif("bad").replace(f",{PARTNERS}", f",{builders.PEOPLE}"),
                        ("objectClass", "b2bPartner")),
    "partner among applications": (partner_ldif("bad").replace(PARTNERS, APPS),
                                   ("objectClass", "b2bApplication")),
    "partner below a partner": (partner_ldif("bad").replace(PARTNERS, PARTNER),
                                ("objectClass", "b2bPartner")),
    "application among partners": (app_ldif("bad").replace(APPS, PARTNERS),
                                   ("objectClass", "b2bPartner")),
    "application outside": (app_ldif("bad").replace(APPS, builders.GUESTS),
                            ("objectClass", "b2bApplication")),
    "a second tenant": (f"dn: cn=b2b,{builders.PEOPLE}\nobjectClass: b2bTenant\ncn: b2b\n",
                        ("objectClass", "b2bTenant")),
    "a second default": (f"dn: cn=default,{PARTNERS}\nobjectClass: b2bDefaultPolicy\n"
                         "cn: default\n", ("objectClass",)),
    "a container among partners": (f"dn: cn=group,{PARTNERS}\nobjectClass: b2bContainer\n"
                                   "cn: group\n", ("objectClass", "b2bPartner")),
    "a unit among partners": (f"dn: ou=x,{PARTNERS}\nobjectClass: organizationalUnit\nou: x\n",
                              ("objectClass", "b2bPartner")),
    "a person among applications": (builders.people_ldif(("eve",), APPS),
                                    ("objectClass", "b2bApplication")),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_bad_entry_is_refused(world, name):
    """Steps: ldapadd of one bad policy entry, or of an entry in the wrong place.  Expected:
    constraintViolation naming what is wrong, nothing added, alice goes on as before."""
    ldif, words = BAD_ENTRIES[name]
    with refused(world.root, "b2b: ", *words):
        add_entry(world.root, ldif)
    assert world.denial() is None


def test_ldapmodify_shows_the_reason(world):
    """The command line shows code 19 and the text, for ldapadd and for ldapmodify."""
    done = world.server.modify(f"dn: {PARTNER}\nchangetype: modify\nreplace: b2bIdp\n"
                               "b2bIdp: magic\n", check=False)
    assert done.returncode == 19
    assert 'b2b: b2bIdp: value "magic"' in done.stderr
    done = world.server.tool("ldapadd", "-D", builders.ROOTDN, "-w", builders.ROOTPW, check=False,
                             input=app_ldif("bad", "b2bAppPeer: nowhere"))
    assert done.returncode == 19
    assert 'b2b: b2bAppPeer: value "nowhere"' in done.stderr


def test_wrong_default_is_refused(policy):
    """The place cn=default takes no other class, and a bad default policy is not added."""
    policy.root.delete_s(DEFAULT)
    with refused(policy.root, "objectClass", "b2bDefaultPolicy", base=BASE):
        add_entry(policy.root, f"dn: {DEFAULT}\nobjectClass: b2bContainer\ncn: default\n")
    with refused(policy.root, "b2bDirectInAppsAccess", '"no"', base=BASE):
        add_entry(policy.root, f"dn: {DEFAULT}\nobjectClass: b2bDefaultPolicy\ncn: default\n"
                               "b2bDirectInAppsAccess: no\n")


def test_lawful_corners_are_taken(policy):
    """What looks like the bad ones but is lawful: plain ldap to loopback, StartTLS elsewhere, one
    domain list, ordered labels, all four scopes set without contradiction."""
    policy.root.modify_s(PARTNER, [
        replace("b2bHomeUri", "{1}ldaps://a.example", "{0}ldap://localhost ldap://[::1]:10389")])
    policy.root.modify_s(PARTNER, [replace("b2bHomeUri", "ldap://home.example"),
                                   replace("b2bHomeStartTls", "TRUE")])
    with refused(policy.root, "b2bHomeUri", "clear", base=BASE):
        policy.root.modify_s(PARTNER, [delete("b2bHomeStartTls")])
    policy.root.modify_s(TENANT, [replace("b2bBlockedDomain", "a.example", "b.example"),
                                  replace("b2bLabelOrder", "{1}General", "{0}Public"),
                                  replace("b2bDefaultLabel", "General")])
    for scope in SCOPES:
        policy.root.modify_s(DEFAULT, [replace(f"{scope}{half}Access", "blocked")
                                       for half in HALVES])
        policy.root.modify_s(DEFAULT, [
            replace(f"{scope}UsersAccess", "blocked"), replace(f"{scope}UsersTarget", "t1"),
            replace(f"{scope}AppsAccess", "allowed")])
    policy.root.modify_s(WIKI, [replace("b2bAppPeer", "192.0.2.7", "2001:db8::/32")])


def test_policy_is_not_renamed(world):
    """modrdn of a policy entry, of the tree, of what stands above it, or into it, is refused."""
    for dn, rdn, above in ((PARTNER, "b2bTenantId=other", None), (WIKI, "cn=wiki2", None),
                           (WIKI, "cn=wiki", PARTNERS), (BASE, "cn=b2b2", None),
                           (builders.member_dn("max"), "uid=max", PARTNERS)):
        with refused(world.root, "b2b: ", error=ldap.UNWILLING_TO_PERFORM):
            world.root.rename_s(dn, rdn, above)
    assert world.denial() is None


def transaction(server, connection, write):
    """Runs a write, a function of the controls to send, as a transaction (RFC 5805); gives what the
    end of it raised, or None.  slapd 2.5, with our module or without, may crash where the end
    comes before the write's thread has logged its answer: so that is waited for."""
    connection.extop_s(ExtendedRequest("1.3.6.1.1.21.1", None))
    start = server.log_mark()
    write([RequestControl("1.3.6.1.1.21.2", True, b"")])
    server.wait_log(r" RESULT tag=(103|105|107|109) ", since=start)
    try:
        connection.extop_s(ExtendedRequest("1.3.6.1.1.21.3", b"\x30\x02\x04\x00"))
    except ldap.LDAPError as error:
        return error
    return None


def test_transactions_do_not_carry_policy(world):
    """Set-up: transactions work for a member's entry.  Steps: the same with a bad and with a good
    policy change, a new guest, and a guest's removal.  Expected: the commit fails with
    unwillingToPerform and nothing is changed."""
    root = world.server.root()
    member, alice = builders.member_dn("max"), builders.guest_dn("alice")
    assert transaction(world.server, root, lambda c: root.modify_ext_s(
        member, [replace("description", "in a transaction")], c)) is None
    assert world.server.entry(member)["description"] == ["in a transaction"]
    dn, attrs = parse(guest_ldif("txn"))
    for write in (lambda c: root.modify_ext_s(PARTNER, [replace("b2bIdp", "magic")], c),
                  lambda c: root.modify_ext_s(PARTNER, [replace("b2bSyncIn", "TRUE")], c),
                  lambda c: root.modify_ext_s(alice, [replace("userPassword", "x")], c),
                  lambda c: root.delete_ext_s(alice, c),
                  lambda c: root.rename_s(alice, "uid=alice2", serverctrls=c),
                  lambda c: root.add_ext_s(dn, attrs, c)):
        before = subtree(root, builders.SUFFIX)
        error = transaction(world.server, root, write)
        assert isinstance(error, ldap.UNWILLING_TO_PERFORM), error
        assert subtree(root, builders.SUFFIX) == before
    assert world.denial() is None


def test_partner_change_takes_effect_at_once(policy):
    """Set-up: alice holds a connection.  Steps: her partner is blocked, allowed, narrowed to
    another subject, deleted and added again.  Expected: the answer to her very next operation
    changes each time, with the reason."""
    block = [replace("b2bCollabInUsersAccess", "blocked"),
             replace("b2bCollabInAppsAccess", "blocked")]
    policy.root.modify_s(PARTNER, block)
    assert policy.denial() == "b2b: inbound-users"
    policy.root.modify_s(PARTNER, [delete("b2bCollabInUsersAccess"),
                                   delete("b2bCollabInAppsAccess")])
    assert policy.denial() is None
    policy.root.modify_s(PARTNER, [replace("b2bCollabInUsersAccess", "allowed"),
                                   replace("b2bCollabInUsersTarget", "uid=bob")])
    assert policy.denial() == "b2b: inbound-users"
    policy.root.delete_s(PARTNER)
    assert policy.denial() == "b2b: partner-unknown"
    add_entry(policy.root, partner_ldif("home", policy.home.uri))
    assert policy.denial() is None


def test_denial_is_logged_with_rule(policy):
    """The log names guest, tenant, application, reason and the rule that decided."""
    mark = policy.server.log_mark()
    policy.root.modify_s(PARTNER, [replace("b2bCollabInUsersAccess", "blocked"),
                                   replace("b2bCollabInAppsAccess", "blocked")])
    policy.denial()
    line = policy.server.wait_log(r"b2b: conn=.* verdict=deny .*", since=mark).group(0)
    for word in (f'guest="{builders.guest_dn("alice")}"', "tenant=home", "app=directory",
                 "reason=inbound-users", f'rule="{PARTNER}"'):
        assert word in line


def test_default_change_takes_effect_at_once(policy):
    """The default policy blocks everybody, goes, and comes back as it was."""
    policy.root.modify_s(DEFAULT, [replace("b2bCollabInUsersAccess", "blocked"),
                                   replace("b2bCollabInAppsAccess", "blocked")])
    assert policy.denial() == "b2b: inbound-users"
    policy.root.delete_s(DEFAULT)
    assert policy.denial() is None
    add_entry(policy.root, f"dn: {DEFAULT}\nobjectClass: b2bDefaultPolicy\ncn: default\n"
                           "b2bCollabInUsersAccess: blocked\nb2bCollabInUsersTarget: home\n"
                           "b2bCollabInAppsAccess: blocked\n")
    assert policy.denial() == "b2b: inbound-users"


def test_application_change_takes_effect_at_once(policy):
    """An application for alice's own address is added where her partner blocks that application;
    it needs an assignment; it goes again."""
    policy.root.modify_s(PARTNER, [replace("b2bCollabInUsersAccess", "allowed"),
                                   replace("b2bCollabInAppsAccess", "blocked"),
                                   replace("b2bCollabInAppsTarget", "loop")])
    assert policy.denial() is None
    dn = add_entry(policy.root, app_ldif("loop", "b2bAppPeer: 127.0.0.1"))
    assert policy.denial() == "b2b: inbound-apps"
    policy.root.modify_s(PARTNER, [replace("b2bCollabInAppsTarget", "another")])
    assert policy.denial() is None
    policy.root.modify_s(dn, [replace("b2bAppAssignmentRequired", "TRUE")])
    assert policy.denial() == "b2b: not-assigned"
    policy.root.modify_s(dn, [add("b2bAppAssignee", builders.guest_dn("alice"))])
    assert policy.denial() is None
    policy.root.modify_s(dn, [delete("b2bAppAssignee")])
    assert policy.denial() == "b2b: not-assigned"
    policy.root.delete_s(dn)
    assert policy.denial() is None


def test_tenant_entry_deleted_and_added(policy):
    """Without a tenant entry every guest is denied; added again, policy is in force again."""
    tree = subtree(policy.root, BASE)
    for dn in sorted(tree, key=len, reverse=True):
        policy.root.delete_s(dn)
        if dn == PARTNER:
            assert policy.denial() == "b2b: partner-unknown"
    assert policy.denial() == "b2b: policy-invalid"
    mark = policy.server.log_mark()
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        policy.server.conn(builders.guest_dn("alice"), "alice-pw")
    assert "reason=policy-invalid" in policy.server.log(mark)
    for dn in sorted(tree, key=len):
        policy.root.add_s(dn, [(n, v) for n, v in tree[dn].items() if is_user(n)])
    assert policy.denial() is None


def test_policy_loaded_badly_denies(make_server, fake_home):
    """Set-up: slapadd loads a partner with an unknown keyword, one that is right, and a guest of
    each.  Expected: the bad one's guests are denied (policy-invalid), the log names the entry,
    the other partner's guest is let in; mending the entry helps at once."""
    home = fake_home("success")
    server = builders.tenant_server(
        start=False, data=partner_ldif("home", home.uri)
        + partner_ldif("broken", home.uri, "b2bCollabInUsersAccess: sometimes")
        + guest_ldif("alice") + guest_ldif("bob", tenant="broken"))
    with server:
        server.conn(builders.guest_dn("alice"), "x").unbind_ext_s()
        mark = server.log_mark()
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            server.conn(builders.guest_dn("bob"), "x")
        assert "reason=policy-invalid" in server.log(mark)
        assert 'b2bCollabInUsersAccess: value "sometimes"' in server.log()
        assert [name for name, _ in home.binds] == [f"uid=alice,{builders.HOME_PEOPLE}"]
        server.root().modify_s(partner_dn("broken"), [replace("b2bCollabInUsersAccess", "allowed"),
                                                      replace("b2bCollabInAppsAccess", "allowed")])
        server.conn(builders.guest_dn("bob"), "x").unbind_ext_s()


def test_ten_thousand_partners(fake_home, capsys):
    """Set-up: 10,000 partners by slapadd.  Steps: start; change one of them; add 200 more by
    ldapadd.  Expected: the change takes effect at the guest's next operation, each addition
    too.  Times are printed, not judged."""
    home = fake_home("success")
    data = "".join(partner_ldif(f"p{n}", home.uri) for n in range(10000))
    times = {}

    def timed(what, work):
        begin = time.monotonic()
        result = work()
        times[what] = time.monotonic() - begin
        return result

    server = builders.tenant_server(start=False)
    try:
        timed("slapadd", lambda: server.load(data + guest_ldif("alice", tenant="p5000"), "-q"))
        timed("start", server.start)
        alice = server.conn(builders.guest_dn("alice"), "x")
        root = server.root()
        assert denial(alice) is None
        timed("change one", lambda: root.modify_s(partner_dn("p5000"), [
            replace("b2bCollabInUsersAccess", "blocked"),
            replace("b2bCollabInAppsAccess", "blocked")]))
        assert denial(alice) == "b2b: inbound-users"
        more = "".join(partner_ldif(f"q{n}", home.uri) for n in range(200))
        timed("ldapadd 200", lambda: server.load(more))
        root.modify_s(builders.guest_dn("alice"), [replace("b2bHomeTenant", "q199")])
        # proved at the other home: this sign-in does not count any more
        assert denial(alice) == "b2b: sign-in-too-old"
        alice = server.conn(builders.guest_dn("alice"), "x")
        assert denial(alice) is None
        timed("delete one", lambda: root.delete_s(partner_dn("q199")))
        assert denial(alice) == "b2b: partner-unknown"
        server.stop()
    finally:
        server.remove()
    with capsys.disabled():
        print(" 10,000 partners:", ", ".join(f"{k} {v:.3f} s" for k, v in times.items()), end=" ")
