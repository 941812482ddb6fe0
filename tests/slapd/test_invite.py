"""Invitations: who may, whom, with which sponsors, once for each person; tickets in post-reads."""

import threading

import ldap
import pytest
from ldap.controls.readentry import PostReadControl, PreReadControl
from ldap.modlist import addModlist

from lib import builders as b, life
from lib.eyes import answer, code, proxy, relax
from lib.slapd import poll

PEOPLE = ("ada", "wim", "ivy", "gus", "nan")
ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree="{b.GUESTS}"
 by dn.exact="{b.member_dn('ada')}" manage by dn.exact="{b.member_dn('wim')}" write by * read
access to * by dn.exact="{b.member_dn('ada')}" manage by * read
"""
WORLD = (
    b.people_ldif(
        PEOPLE,
        b.PEOPLE) +
        f"dn: cn=inviters,{b.PEOPLE}\nobjectClass: groupOfNames\ncn: inviters\n"
        f"member: {b.member_dn('gus')}\nmember: cn=nested,{b.PEOPLE}\n\n"
        f"dn: cn=nested,{b.PEOPLE}\nobjectClass: groupOfUniqueNames\ncn: nested\n"
        f"uniqueMember: {b.member_dn('nan')}\n\n" +
        b.service_ldif("portal") +
        b.app_ldif(
            "portal",
            f"b2bAppServiceDN: {b.service_dn('portal')}") +
            b.app_ldif(
                "wiki",
                "b2bAppAssignmentRequired: TRUE") +
                 b.app_ldif("secret"))


@pytest.fixture(scope="module")
def server(make_server, certs, home):
    """Partners home (with a directory), closed (blocked for all), narrow (blocked for the
    application secret); people with several rights; a guest alice who can sign in."""
    server = make_server(life.signing_server, certs=certs, access=ACCESS,
                         global_conf="authz-policy to\n")
    server.load(WORLD + b.partner_ldif("home", home.uri, "b2bTenantDomain: home.example\n"
                                       "b2bTenantDomain: xn--bcher-kva.example")
                + b.partner_ldif("closed", lines="b2bTenantDomain: closed.example\n"
                                 "b2bCollabInUsersAccess: blocked\n"
                                 "b2bCollabInAppsAccess: blocked")
                + b.partner_ldif("narrow", lines="b2bTenantDomain: narrow.example\n"
                                 "b2bCollabInUsersAccess: allowed\n"
                                 "b2bCollabInAppsAccess: blocked\nb2bCollabInAppsTarget: secret")
                + b.guest_ldif("alice"))
    return server


@pytest.fixture
def policy(server):
    """policy("b2bAllowInvitesFrom: none"): settings of the tenant for one test."""
    changed = set()

    def change(lines):
        changed.update(line.partition(":")[0] for line in lines.strip().split("\n"))
        life.settings(server, lines)

    yield change
    for name in changed:
        life.settings(server, f"{name}:" + (" FALSE" if name == "b2bRequireTls" else ""))


_count = iter(range(10000))


def mail(domain="home.example"):
    """An address that nobody was invited by yet."""
    return f"p{next(_count)}@{domain}"


def who(server, name):
    """A connection as one of the people, the rootdn, the portal, the guest alice, or nobody."""
    if name == "root":
        return server.root()
    if name == "anonymous":
        return server.conn()
    if name == "portal":
        return server.conn(b.service_dn("portal"), "portal-pw")
    if name == "alice":
        return server.conn(b.guest_dn("alice"), "alice-pw")
    return server.conn(b.member_dn(name), f"{name}-pw")


# --- who may ---

ALL = ("root", "ada", "wim", "ivy", "gus", "nan", "mia", "portal", "alice", "anonymous")
ADMINS = ("root", "ada", "wim")


@pytest.mark.parametrize("word,may", [
    ("none", ()), ("", ADMINS), ("admins", ADMINS),
    ("inviters", (*ADMINS, "ivy", "gus", "nan")),
    ("members", (*ADMINS, "ivy", "gus", "nan", "mia", "portal")),
], ids=["none", "absent", "admins", "inviters", "members"])
def test_invite__who_may(server, policy, word, may):
    """b2bAllowInvitesFrom against everybody: the rootdn, one who may manage, one who may write
    where guests stand, an inviter, inviters by a group and by one in it, a member, an application's
    account, a guest, nobody. Who may not hears 50, and nothing is made."""
    policy(f"b2bAllowInvitesFrom: {word}\nb2bInviter: {b.member_dn('ivy')}\n"
           f"b2bInviter: cn=inviters,{b.PEOPLE}")
    for name in ALL:
        address = mail()
        answered = life.uninvited(who(server, name), address, sponsor=b.member_dn("mia"))
        made = server.entry(b.guest_dn(address)) is not None
        assert (answered[0] == 0, made) == (name in may, name in may), (name, answered)
        assert name in may or answered[0] == 50


@pytest.mark.parametrize("word,may", [
    ("none", ("root",)), ("", ADMINS), ("inviters", ADMINS), ("members", ADMINS),
], ids=["none", "absent", "inviters", "members"])
def test_invite__who_may_by_ldapadd(server, policy, word, may):
    """Who may add by slapd's access control may, but for b2bAllowInvitesFrom: none, which holds for
    all but the rootdn; nobody gets more than slapd gives."""
    policy(f"b2bAllowInvitesFrom: {word}\nb2bInviter: {b.member_dn('ivy')}")
    for name in ALL:
        guest = f"l{next(_count)}"
        done = server_add(who(server, name), guest)
        assert (done[0] == 0) == (name in may), (name, done)
        assert name in may or done[0] in (50, 8)


def entry_of(name, **more):
    return {"objectClass": ["inetOrgPerson", "b2bGuest"], "uid": name, "cn": name, "sn": name,
            "mail": f"{name}@home.example", "b2bHomeTenant": "home", **more}


def server_add(connection, name, **more):
    """(code, text) of adding a guest."""
    entry = {k: [x.encode() for x in ([v] if isinstance(v, str) else v)]
             for k, v in entry_of(name, **more).items() if v}
    return answer(connection.add_s, b.guest_dn(name), addModlist(entry))[::2][:2]


def test_invite__inviters_who_may_write_elsewhere(make_server):
    """Set-up: invitations from inviters; a member that may add guests in a place of its own, and is
    neither inviter nor may add where guests stand. Expected: its ldapadd is refused with 50, until
    it is an inviter."""
    place = f"ou=place,{b.SUFFIX}"
    server = make_server(life.signing_server, tenant="b2bAllowInvitesFrom: inviters", access=f"""
access to dn.subtree="{place}" by dn.exact="{b.member_dn('mia')}" write by * read
{b.ACCESS}""", data=f"dn: {place}\nobjectClass: organizationalUnit\nou: place\n\n"
                         + b.partner_ldif("home"))
    mia = server.conn(b.member_dn("mia"), "mia-pw")
    dn = f"uid=x,{place}"
    entry = addModlist({k: [x.encode() for x in ([v] if isinstance(v, str) else v)]
                        for k, v in entry_of("x").items()})
    assert answer(mia.add_s, dn, entry)[::2][:2] == \
        (50, "b2b: b2bAllowInvitesFrom: you may not invite")
    life.settings(server, f"b2bInviter: {b.member_dn('mia')}")
    assert code(mia.add_s, dn, entry) == 0


def test_invite__not_in_anothers_name(server):
    """A guest that acts as a member by proxied authorization, and a member that acts as a guest,
    invite nobody."""
    server.modify(f"dn: {b.member_dn('mia')}\nchangetype: modify\nreplace: authzTo\n"
                  f"authzTo: dn.onelevel:{b.GUESTS}\n")
    for name, other in (("alice", b.member_dn("ada")), ("mia", b.guest_dn("alice"))):
        refused = life.refusal(who(server, name), life.INVITE, {"mail": mail()},
                               [proxy(f"dn:{other}")])
        assert refused[0] != 0


# --- what is made ---

def test_invite__everything(server, policy):
    """All members of an invitation in the entry, in the answer, and in the notice, which is put
    once; the guest is assigned."""
    policy("b2bRedemptionUrl: https://portal.example/redeem\nb2bInvitationLifetime: 7")
    address, subject = mail(), f"uid=x{next(_count)},{b.HOME_PEOPLE}"
    made = life.invite(who(server, "ada"), address, displayName="Zoë Ångström", tenant="HOME",
                       sponsor=[b.member_dn("mia"), b.member_dn("max")], applications=["wiki"],
                       validUntil="2040-01-01T00:00:00Z", message="Hello\nthere", language="de, en",
                       uid="zoe", subject=subject)
    assert set(made) == {"dn", "ticket", "url", "state", "expires"}
    assert made["dn"] == b.guest_dn("zoe") and made["state"] == "PendingAcceptance"
    assert made["url"] == f"https://portal.example/redeem?ticket={made['ticket']}"
    entry = server.entry(made["dn"])
    assert {k: entry[k] for k in ("mail", "displayName", "cn", "b2bHomeTenant", "b2bHomeSubject",
                                  "b2bUserType", "b2bUserState", "b2bAccountEnabled",
                                  "b2bValidUntil", "b2bInvitationMessage", "preferredLanguage",
                                  "b2bInvitedBy")} == {
        "mail": [address], "displayName": ["Zoë Ångström"], "cn": ["Zoë Ångström"],
        "b2bHomeTenant": ["home"], "b2bHomeSubject": [subject], "b2bUserType": ["Guest"],
        "b2bUserState": ["PendingAcceptance"], "b2bAccountEnabled": ["TRUE"],
        "b2bValidUntil": ["20400101000000Z"], "b2bInvitationMessage": ["Hello\nthere"],
        "preferredLanguage": ["de, en"], "b2bInvitedBy": [b.member_dn("ada")]}
    assert sorted(entry["b2bSponsor"]) == sorted([b.member_dn("mia"), b.member_dn("max")])
    assert "userPassword" not in entry and "b2bTicket" not in entry
    assert made["ticket"] not in server.tool("slapcat").stdout
    app = server.entry(f"cn=wiki,cn=applications,{b.BASE}")
    assert app["b2bAppAssignee"] == [made["dn"]]
    (_, data), = life.wait_notices(server, "invitation", address)
    assert data["message"] == "Hello\nthere" and data["expires"] == made["expires"]
    assert made["ticket"] not in str(data)
    life.wait_entry(server, made["dn"], lambda e: e.get("b2bInvitationSent") == e["b2bInvitedAt"])


def test_invite__least(server, policy):
    """An address is enough: the partner by its domain, the inviter as sponsor, the tenant's
    lifetime, a name from the address in lower case."""
    policy("b2bGuestLifetime: 10")
    address = "Mixed.Case@Home.Example"
    made = life.invite(who(server, "ada"), address)
    entry = server.entry(made["dn"])
    assert made["dn"] == b.guest_dn("mixed.case@home.example")
    assert entry["mail"] == [address] and entry["b2bHomeTenant"] == ["home"]
    assert entry["b2bSponsor"] == [b.member_dn("ada")] and "b2bHomeSubject" not in entry
    assert made["url"] == f"b2b:redeem?ticket={made['ticket']}"


def test_invite__url_with_a_query(server, policy):
    """A redemption URL that has a query gets the ticket as one more member of it."""
    policy("b2bRedemptionUrl: https://portal.example/?page=redeem")
    made = life.invite(server.root(), mail())
    assert made["url"] == f"https://portal.example/?page=redeem&ticket={made['ticket']}"


def test_invite__without_guest_base(make_server):
    """Guests stand beside the tenant entry where the tenant names no base; a base that does not
    exist is named in the refusal."""
    server = make_server(life.signing_server, tenant="b2bGuestBase:",
                         data=b.partner_ldif("home", lines="b2bTenantDomain: home.example"))
    assert life.invite(server.root(), "a@home.example")["dn"] == f"uid=a@home.example,{b.SUFFIX}"
    life.settings(server, f"b2bGuestBase: ou=none,{b.SUFFIX}")
    refused = life.uninvited(server.root(), "b@home.example")
    assert refused == (53, f'b2b: b2bGuestBase: value "ou=none,{b.SUFFIX}" does not exist')


def test_invite__name_that_needs_escaping(server):
    """An address with characters that mean something in names and filters."""
    for local in ("a+b", "o'neil=x", "#hash", "a*b", "{x}|y"):
        address = f"{local}@home.example"
        first, second = (life.invite(server.root(), address) for _ in range(2))
        assert first["dn"] == second["dn"] and first["ticket"] != second["ticket"]
        assert server.entry(first["dn"])["uid"] == [address]


def test_invite__without_key(make_server):
    """Without b2b-key-file no ticket can be made: refused in words, nothing made; ldapadd works as
    ever, and nothing is mailed."""
    server = make_server(b.tenant_server, data=b.partner_ldif(
        "home", lines="b2bTenantDomain: home.example"))
    assert life.uninvited(server.root(), "a@home.example") == \
        (53, "b2b: b2b-key-file is not configured: tickets cannot be signed")
    assert server_add(server.root(), "plain")[0] == 0
    assert "b2bInvitedAt" not in server.entry(b.guest_dn("plain"))
    assert not life.entries(server, life.OUTBOX)


# --- whom ---

@pytest.mark.parametrize("address",
    [ "",
    "a",
    "@home.example",
    "a@",
    "a@b",
    "a@home.example\r\nBcc: x@evil.example",
    "a@home.example\n",
    "a b@home.example",
    '"a b"@home.example',
    "<a@home.example>",
    "A <a@home.example>",
    "a@home.example,b@home.example",
    "a@[127.0.0.1]",
    "a@@home.example",
    ".a@home.example",
    "a..b@home.example",
    "a@home..example",
    "a@-home.example",
    "ä@home.example",
    "a@bücher.example",
    "a" * 65 + "@home.example",
    "a@" + "x" * 250 + ".example",
    "a@home.example ",
    "a@home.example\u2028b",
    "a(comment)@home.example",
    "a@home.example\x7f",
    ],
     ids=range(26))
def test_invite__mail_that_is_none(server, address):
    """What is no bare address, above all what would end a header line, is refused with the value,
    by the operation; an internationalised domain is asked for as xn--."""
    code, text = life.uninvited(server.root(), address)
    assert code == (19 if address else 2) and text.startswith("b2b: mail:"), text
    assert "\r" not in text and "\n" not in text
    assert "ü" not in address or "xn--" in text


def test_invite__internationalised_domain(server):
    """As xn-- it is an address like another."""
    address = mail("xn--bcher-kva.example")
    assert server.entry(life.invite(server.root(), address)["dn"])["mail"] == [address]


@pytest.mark.parametrize("name", [
    "Bob\r\nBcc: x@evil.example", "Bob\n", "\x00", " ", "\u202eevil", "a\u2066b", "x" * 257,
    "tab\there", "\x7f", "\x85",
], ids=range(10))
def test_invite__display_name_that_breaks_headers(server, name):
    """Control characters, and what turns the direction of writing, are refused by member."""
    code, text = life.uninvited(server.root(), mail(), displayName=name)
    assert code == (2 if name == "\x00" else 19), text
    assert name == "\x00" or text.startswith("b2b: displayName:")


@pytest.mark.parametrize("name", ['Bob "The" <b@x.example>', "Bob, Dr.; =?utf-8?q?x?=", "👩‍🔬 Zoë"])
def test_invite__display_name_that_is_odd(server, name):
    """What may stand in a header once it is quoted is taken as it is."""
    assert server.entry(life.invite(server.root(), mail(), displayName=name)["dn"])["cn"] == [name]


@pytest.mark.parametrize("member,value", [
    ("message", "a\x1bb"), ("message", "x" * 2049), ("language", "de\r\nX: y"),
    ("language", "<de>"),
    ("subject", "a\nb"), ("subject", "x" * 1025), ("uid", "a\nb"), ("uid", "\u202ex"),
    ("validUntil", "20200101000000Z"), ("validUntil", "2020-01-01T00:00:00Z"),
], ids=range(10))
def test_invite__other_values(server, member, value):
    """Refused by member, nothing made."""
    address = mail()
    code, text = life.uninvited(server.root(), address, **{member: value})
    assert code == 19 and text.startswith(f"b2b: {member}:"), text
    assert server.entry(b.guest_dn(address)) is None


def test_invite__domains(server, policy):
    """A blocked domain beats what policy permits; where domains are allowed every other one is
    refused, and an allowed one still needs policy's permission; a domain of ours is none for
    guests."""
    policy("b2bBlockedDomain: home.example")
    code, text = life.uninvited(server.root(), mail())
    assert code == 19 and "b2bBlockedDomain" in text
    assert server_add(who(server, "ada"), f"l{next(_count)}")[0] == 19
    assert server_add(server.root(), f"l{next(_count)}")[0] == 0
    policy("b2bBlockedDomain:\nb2bAllowedDomain: closed.example\n"
           "b2bAllowedDomain: elsewhere.example")
    code, text = life.uninvited(server.root(), mail())
    assert code == 19 and "b2bAllowedDomain" in text
    assert server_add(who(server, "ada"), f"l{next(_count)}")[0] == 19
    assert "inbound-users" in life.uninvited(server.root(), mail("closed.example"))[1]
    assert life.uninvited(server.root(), mail("elsewhere.example"))[0] == 19
    policy("b2bAllowedDomain:\nb2bTenantDomain: home.example")
    assert life.uninvited(server.root(), mail())[0] == 19


def test_invite__several_addresses_by_ldapadd(server, policy):
    """Each address of an entry is asked for, not only the first; without one nobody knows."""
    policy("b2bBlockedDomain: evil.example")
    name = f"l{next(_count)}"
    mails = [f"{name}@home.example", f"{name}@evil.example"]
    code, text = server_add(who(server, "ada"), name, mail=mails)
    assert code == 19 and "evil.example" in text
    assert server_add(who(server, "ada"), name, mail=None)[0] == 19
    policy("b2bBlockedDomain:")
    assert server_add(who(server, "ada"), name, mail=None)[0] == 0


def test_invite__cross_tenant_policy(server):
    """Partners that policy blocks, and applications that it blocks, are refused at the invitation;
    so is who has no partner, and an application that is none. By ldapadd the users half alone is
    asked, and a partner may still be to come."""
    root, ada = server.root(), who(server, "ada")
    assert "inbound-users" in life.uninvited(root, mail("closed.example"))[1]
    assert "inbound-users" in life.uninvited(root, mail(), tenant="closed")[1]
    assert life.uninvited(root, mail("nobody.example"))[0] == 19
    assert life.uninvited(root, mail(), tenant="nobody")[0] == 19
    assert life.uninvited(root, mail(), applications="nothing")[0] == 19
    code, text = life.uninvited(root, mail("narrow.example"), applications=["wiki", "secret"])
    assert code == 19 and "secret" in text and "inbound-apps" in text
    life.invite(root, mail("narrow.example"), applications=["wiki"])
    code, text = server_add(ada, f"l{next(_count)}", b2bHomeTenant="closed")
    assert (code, text) == (19, 'b2b: b2bHomeTenant: value "closed": inbound-users')
    assert server_add(ada, f"l{next(_count)}", b2bHomeTenant="to-come")[0] == 0


def test_invite__broken_policy(make_server):
    """Set-up: a tenant entry that does not parse, loaded offline.  Expected: nobody invites, by the
    operation or by ldapadd; the rootdn adds."""
    server = make_server(
    b.tenant_server,
    start=False,
    b2b="b2b-key-file {dir}/key.pem\n",
     access=ACCESS)
    life.make_key(server)
    server.load(b.people_ldif(("ada",), b.PEOPLE) + b.partner_ldif("home"))
    server.tool("slapmodify", input=f"dn: {b.BASE}\nchangetype: modify\n"
                "replace: b2bAllowInvitesFrom\nb2bAllowInvitesFrom: everybody\n")
    server.start()
    assert life.uninvited(server.root(), "a@home.example")[0] in (13, 53)
    assert server_add(server.conn(b.member_dn("ada"), "ada-pw"), "x")[0] == 50
    assert server_add(server.root(), "x")[0] == 0


# --- sponsors ---

def test_invite__sponsors(server):
    """Up to five active people of our directory; named with the value: a guest, somebody missing,
    outside, an application, a locked one, a sixth."""
    root = server.root()
    many = [b.member_dn(name) for name in ("mia", "max", "ada", "wim", "ivy", "gus")]
    made = life.invite(root, mail(), sponsor=many[:5])
    assert len(server.entry(made["dn"])["b2bSponsor"]) == 5
    for sponsor, what in ((many, "is one more than the five"),
                          (b.guest_dn("alice"), "is a guest"),
                          (b.member_dn("missing"), "is nobody"),
                          (b.ROOTDN, "is nobody"),
                          (f"uid=alice,{b.HOME_PEOPLE}", "is nobody"),
                          (b.service_dn("portal"), "is an application"),
                          ([many[0], b.member_dn("missing")], "is nobody")):
        address = mail()
        code, text = life.uninvited(root, address, sponsor=sponsor)
        assert code == 19 and text.startswith("b2b: sponsor: value") and what in text, text
        assert server.entry(b.guest_dn(address)) is None
    assert life.uninvited(root, mail(), sponsor=[])[0] == 0


def test_invite__sponsor_is_locked(make_server):
    """Set-up: a member that a password policy locked, bound before. Expected: it may not be named,
    nor invite without naming another."""
    server = make_server(life.signing_server, tenant="b2bAllowInvitesFrom: members",
                         modules=("ppolicy",), database="overlay ppolicy\n",
                         data=b.partner_ldif("home", lines="b2bTenantDomain: home.example"))
    mia = server.conn(b.member_dn("mia"), "mia-pw")
    life.invite(mia, "before@home.example")
    server.modify(f"dn: {b.member_dn('mia')}\nchangetype: modify\nadd: pwdAccountLockedTime\n"
                  "pwdAccountLockedTime: 000001010000Z\n")
    locked = (19, f'b2b: sponsor: value "{b.member_dn("mia")}" is locked')
    assert life.uninvited(server.root(), "a@home.example", sponsor=b.member_dn("mia")) == locked
    assert life.uninvited(mia, "a@home.example") == locked
    life.invite(mia, "a@home.example", sponsor=b.member_dn("max"))


def test_invite__applications_name_a_sponsor(server, policy):
    """An application's account that may invite must name who answers for the guest."""
    policy("b2bAllowInvitesFrom: members")
    portal = who(server, "portal")
    code, text = life.uninvited(portal, mail())
    assert code == 19 and "application" in text
    made = life.invite(portal, mail(), sponsor=b.member_dn("mia"))
    entry = server.entry(made["dn"])
    assert entry["b2bSponsor"] == [b.member_dn("mia")]
    assert entry["b2bInvitedBy"] == [b.service_dn("portal")]


# --- once more ---

def test_invite__again(server):
    """A second invitation, by another inviter, in other case, under another uid: the same entry,
    another ticket, another mail; sponsor, name and validity stay as the first inviter set them."""
    address = mail()
    first = life.invite(who(server, "ada"), address, displayName="One", message="first")
    life.wait_notices(server, "invitation", address)
    before = server.entry(first["dn"])
    second = life.invite(who(server, "wim"), address.upper(), displayName="Two", uid="other",
                         sponsor=b.member_dn("mia"), message="second", applications="wiki",
                         validUntil="20500101000000Z")
    assert second["dn"] == first["dn"] and second["ticket"] != first["ticket"]
    after = server.entry(first["dn"])
    for name in ("displayName", "b2bSponsor", "b2bValidUntil", "b2bInvitedBy", "uid", "mail"):
        assert after[name] == before[name], name
    assert after["b2bInvitedAt"] > before["b2bInvitedAt"]
    assert after["b2bInvitationMessage"] == ["second"]
    assert server.entry(b.guest_dn("other")) is None
    assert first["dn"] in server.entry(f"cn=wiki,cn=applications,{b.BASE}")["b2bAppAssignee"]
    life.wait_notices(server, "invitation", address, count=2)


def test_invite__again_at_once(server):
    """Several within a second: each has a moment of its own, and all are mailed at once."""
    address = mail()
    made = [life.invite(server.root(), address) for _ in range(4)]
    assert len({m["ticket"] for m in made}) == 4 and len({m["dn"] for m in made}) == 1
    life.wait_entry(server, made[0]["dn"], lambda e: e.get(
        "b2bInvitationSent") == e["b2bInvitedAt"])


def test_invite__of_one_added_by_ldapadd(server):
    """A guest that an administrator added under a name of its own is found by its address."""
    name = f"l{next(_count)}"
    assert server_add(who(server, "ada"), name)[0] == 0
    assert life.invite(server.root(), f"{name}@home.example")["dn"] == b.guest_dn(name)


def test_invite__of_an_accepted_guest(server):
    """Its name and state, no ticket, no mail; new applications are assigned."""
    server.conn(b.guest_dn("alice"), "alice-pw")
    at = server.entry(b.guest_dn("alice")).get("b2bInvitedAt")
    assert life.invite(server.root(), "alice@home.example", applications="wiki") == \
        {"dn": b.guest_dn("alice"), "state": "Accepted"}
    assert server.entry(b.guest_dn("alice")).get("b2bInvitedAt") == at
    assert b.guest_dn("alice") in \
        server.entry(f"cn=wiki,cn=applications,{b.BASE}")["b2bAppAssignee"]


def test_invite__of_one_that_is_off(server):
    """A disabled guest, and one whose time is over, get no invitation, whoever asks."""
    off, old = mail(), mail()
    dn = life.invite(server.root(), off)["dn"]
    server.modify(f"dn: {dn}\nchangetype: modify\nreplace: b2bAccountEnabled\n"
                  "b2bAccountEnabled: FALSE\n")
    at = server.entry(dn)["b2bInvitedAt"]
    for name in ("root", "ada"):
        assert life.uninvited(who(server, name), off, applications="wiki") == (53, "b2b: disabled")
    assert server.entry(dn)["b2bInvitedAt"] == at
    assert dn not in server.entry(f"cn=wiki,cn=applications,{b.BASE}").get("b2bAppAssignee", [])
    dn = life.invite(server.root(), old)["dn"]
    server.modify(f"dn: {dn}\nchangetype: modify\nreplace: b2bValidUntil\n"
                  "b2bValidUntil: 20200101000000Z\n")
    assert life.uninvited(server.root(), old)[1] in ("b2b: expired", "b2b: disabled")


def test_invite__addresses_that_are_taken(server):
    """An address of a guest of another tenant, of two guests, a subject of a guest with another
    address, and a uid of a member are refused: no second guest, and nobody whom programs would take
    for a member."""
    root, taken, subject = server.root(), mail("narrow.example"), f"s{next(_count)}"
    life.invite(root, taken)
    assert "another tenant" in life.uninvited(root, taken, tenant="home")[1]
    life.invite(root, mail(), subject=subject)
    assert "another mail" in life.uninvited(root, mail(), subject=subject)[1]
    twice = mail()
    for name in (f"l{next(_count)}", f"l{next(_count)}"):
        assert server_add(root, name, mail=twice)[0] == 0
    assert "several guests" in life.uninvited(root, twice)[1]
    for uid in ("mia", "MIA"):
        assert life.uninvited(root, mail(), uid=uid) == (19, f'b2b: uid: value "{uid}" is taken')


def test_invite__at_the_same_time(make_server):
    """Set-up: a directory in which a search takes its time; eight clients. Steps: all invite one
    person at once, each under a uid of its own. Expected: one guest."""
    server = make_server(life.signing_server, data=b.partner_ldif(
        "home", lines="b2bTenantDomain: home.example"))
    server.stop()
    server.load(b.people_ldif((f"u{n}" for n in range(3000)), b.PEOPLE), "-q")
    server.start()
    results, connections, start = [], [server.root() for _ in range(8)], threading.Barrier(8)

    def one(number):
        start.wait()
        results.append(life.invite(connections[number], "a@home.example", uid=f"a{number}"))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and len({r["dn"] for r in results}) == 1
    assert len(life.entries(server, b.GUESTS)) == 1


# --- tickets in post-reads ---

TICKET = "b2bTicket"


def added(connection, name, attrs, controls=None, **more):
    """What the post-read of an ldapadd shows, by lower-case name."""
    entry = {k: [x.encode() for x in ([v] if isinstance(v, str) else v)]
             for k, v in entry_of(name, **more).items()}
    asked = controls or [PostReadControl(criticality=True, attrList=attrs)]
    _, _, _, back = connection.add_ext_s(b.guest_dn(name), addModlist(entry), serverctrls=asked)
    return {k.lower(): v for c in back for k, v in c.entry.items()}


def test_invite__ticket_in_a_post_read(server):
    """Who may manage it gets the ticket of a guest that it added, the very one that stands for the
    invitation; the mail is put as by the operation."""
    name = f"l{next(_count)}"
    for connection in (server.root(), who(server, "ada")):
        name = f"l{next(_count)}"
        shown = added(connection, name, [TICKET, "b2bInvitedAt"])
        ticket = shown[TICKET.lower()][0].decode()
        assert len(ticket) == 75
        life.wait_notices(server, "invitation", f"{name}@home.example")
        again = life.invite(server.root(), f"{name}@home.example")["ticket"]
        # the same guest, another moment and signature
        assert again[:21] == ticket[:21] and again != ticket


def test_invite__ticket_of_a_change(server):
    """A change of a pending guest shows the ticket too, equal to that of the invitation."""
    made = life.invite(server.root(), mail())
    _, _, _, back = who(server, "ada").modify_ext_s(
        made["dn"], [(ldap.MOD_REPLACE, "sn", b"New")],
        serverctrls=[PostReadControl(criticality=True, attrList=[TICKET])])
    assert back[0].entry[TICKET] == [made["ticket"].encode()]


def test_invite__ticket_is_for_managers(server):
    """Who may write guests, but not manage them, reads none; nor does anybody who does not ask by
    name, asks before the change, searches, compares, or filters."""
    wim, ada = who(server, "wim"), who(server, "ada")
    assert TICKET.lower() not in added(wim, f"l{next(_count)}", [TICKET, "*", "+"])
    assert TICKET.lower() not in added(ada, f"l{next(_count)}", ["*", "+"])
    made = life.invite(server.root(), mail())
    for connection, post in ((wim, [TICKET]), (ada, ["sn"])):
        controls = [PreReadControl(criticality=True, attrList=[TICKET]),
                    PostReadControl(criticality=True, attrList=post)]
        _, _, _, back = connection.modify_ext_s(
            made["dn"], [(ldap.MOD_REPLACE, "sn", b"New")], serverctrls=controls)
        assert len(back) == 2 and all(TICKET not in c.entry for c in back)
    for connection in (server.root(), ada, wim, who(server, "mia"), server.conn()):
        found = connection.search_s(made["dn"], ldap.SCOPE_BASE, attrlist=[TICKET, "*", "+"])
        assert TICKET not in found[0][1]
        assert not connection.search_s(b.GUESTS, ldap.SCOPE_SUBTREE, f"({TICKET}=*)", ["1.1"])
        assert code(connection.compare_s, made["dn"], TICKET, made["ticket"].encode()) != 6


def test_invite__ticket_of_whom_there_is_none(server):
    """A member, a guest that is off, one that accepted, and one that nobody invited (as slapadd
    loads it) have none."""
    never = life.invite(server.root(), mail())["dn"]
    life.wait_entry(server, never, lambda e: "b2bInvitationSent" in e)
    server.root().modify_ext_s(never, [(ldap.MOD_DELETE, "b2bInvitedAt", None)],
                               serverctrls=[relax()])
    ada = who(server, "ada")
    server.conn(b.guest_dn("alice"), "alice-pw")
    off = life.invite(server.root(), mail())["dn"]
    ada.modify_s(off, [(ldap.MOD_REPLACE, "b2bAccountEnabled", b"FALSE")])
    for dn in (b.member_dn("max"), off, b.guest_dn("alice"), never):
        _, _, _, back = ada.modify_ext_s(
            dn, [(ldap.MOD_REPLACE, "sn", b"New")],
            serverctrls=[PostReadControl(criticality=True, attrList=[TICKET])])
        assert TICKET not in back[0].entry, dn


def test_invite__ticket_is_never_stored(server):
    """It cannot be written: plainly refused; and whatever somebody got into an entry opens nothing.
    """
    ada, made = who(server, "ada"), life.invite(server.root(), mail())
    assert code(ada.modify_s, made["dn"], [(ldap.MOD_ADD, TICKET, b"x" * 75)]) == 19
    assert server_add(ada, f"l{next(_count)}", b2bTicket="x")[0] == 19


def test_invite__expired_by_the_task(make_server):
    """Set-up: an invitation whose lifetime is over.  Expected: the task deletes the guest; a new
    invitation makes another one, whose ticket differs."""
    server = make_server(life.signing_server, sweep=1, data=b.partner_ldif(
        "home", lines="b2bTenantDomain: home.example"))
    first = life.invite(server.root(), "a@home.example")
    life.wait_notices(server, "invitation")
    server.tool("ldapmodify", "-D", b.ROOTDN, "-w", b.ROOTPW, "-e", "!relax",
                input=f"dn: {first['dn']}\nchangetype: modify\nreplace: b2bInvitedAt\n"
                "b2bInvitedAt: 20200101000000Z\n-\nreplace: b2bUserStateChanged\n"
                "b2bUserStateChanged: 20200101000000Z\n")
    poll(lambda: server.entry(first["dn"]) is None, 10, "the guest is dropped")
    second = life.invite(server.root(), "a@home.example")
    assert second["ticket"] != first["ticket"]
