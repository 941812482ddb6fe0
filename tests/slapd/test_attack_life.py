"""Ways around the life of guests that a stranger to the sources tried: what strangers, guests,
members, partners and servers that mail meets send to make more of it than they may."""

import itertools
import re

import ldap
import pytest

from lib import b2bd as daemon, builders as b, life, mint as m
from lib.clock import Clock
from lib.cnconfig import code_of
from lib.eyes import answer
from lib.mailserver import MailServer
from lib.slapd import poll
from lib.tokens import Signer

_count = itertools.count()
MIA = b.member_dn("mia")
PROVIDES = "index entryCSN,entryUUID eq\noverlay syncprov\n"
WORLD = (b.partner_ldif("home", lines="b2bTenantDomain: home.example\nb2bIdp: passcode")
         + b.partner_ldif("words", "ldaps://home.words.example") + b.app_ldif("wiki"))
TENANT = "b2bSelfService: anonymous\nb2bAllowInvitesFrom: members"


def mail(domain="home.example"):
    return f"x{next(_count)}@{domain}"


# --- what is stored ---

@pytest.fixture(scope="module")
def pair(make_server):
    """A provider, where strangers may ask and members invite, and a consumer of it."""
    provider = make_server(life.signing_server, data=WORLD, tenant=TENANT, database=PROVIDES,
                           modules=("syncprov",))
    follows = (f"index entryCSN,entryUUID eq\nsyncrepl rid=001 provider={provider.uri} "
               f'type=refreshAndPersist bindmethod=simple binddn="{b.ROOTDN}" '
               f'credentials={b.ROOTPW} searchbase="{b.SUFFIX}" schemachecking=off retry="1 +"\n'
               f"updateref {provider.uri}\n")
    return provider, make_server(b.tenant_server, load=False, database=follows, name="consumer")


def arrives(consumer, base, address):
    """The entry of an address, at the consumer."""
    def look():
        found = life.entries(consumer, base).values()
        return [e for e in found if address in e.get("b2bRequestMail", []) + e.get("mail", [])]
    return poll(look, 20, f"the entry of {address} at the consumer")[0]


def test_request_twice(pair):
    """Steps: a stranger asks with the same application several times, spelled in several ways.
    Expected: each stands once, for slapd takes no value twice: a server that follows would take
    neither this entry nor anything that comes after it."""
    provider, consumer = pair
    address, apps = mail(), ["wiki", "WIKI", "directory", "wiki"]
    asked = life.request(provider.conn(), life.REQUEST, {"mail": address, "applications": apps})
    assert asked == {"state": "pending"}
    entry = arrives(consumer, life.REQUESTS, address)
    assert entry["b2bRequestApp"] == ["wiki", "directory"]


def test_invite_twice(pair):
    """Steps: a member names itself as sponsor thrice.  Expected: it stands once, and the guest
    reaches the consumer."""
    provider, consumer = pair
    address, mia = mail(), provider.conn(MIA, "mia-pw")
    made = answer(life.invite, mia, address, sponsor=[MIA, MIA.upper(), MIA])
    assert made[0] == 0, made
    assert arrives(consumer, b.GUESTS, address)["b2bSponsor"] == [MIA]


# --- limits ---

def test_request_from_everywhere(make_server):
    """Set-up: strangers used up what the server takes in an hour. Steps: half an hour later one
    more asks, in vain, as often as one may; and when that hour is over. Expected: it is heard: what
    the server does not take is not remembered of a caller, or 65536 of them, of whom one customer
    of a provider has that many, would fill the table for everybody."""
    clock = Clock()
    server = make_server(life.signing_server, data=WORLD, tenant=TENANT, env=clock.env)

    def ask(peer):
        connection = m.connect(server, peer)
        found = life.refusal(connection, life.REQUEST, {"mail": mail()})
        connection.unbind_ext_s()
        return found[0]

    last = m.new_peer()
    for peer in [m.new_peer() for _ in range(12)]:
        assert [ask(peer) for _ in range(6)] == [0] * 5 + [51]
    clock.advance_to(0.5 / 24)
    assert [ask(last) for _ in range(6)] == [51] * 6
    clock.advance_to(1.01 / 24)
    assert [ask(last) for _ in range(6)] == [0] * 5 + [51]
    clock.close()


# --- codes ---

@pytest.fixture(scope="module")
def post(make_server):
    """A tenant whose guests of home come by mailed codes, with an account for the mail daemon."""
    server = make_server(b.tenant_server, start=False,
                         **daemon.conf(b2b="b2b-key-file {dir}/key.pem\n"))
    server.key = m.key_file(server)
    server.start()
    server.load(daemon.account() + WORLD)
    return server


def test_passcode_to_old_address(post):
    """Set-up: the daemon is late. Steps: a code is asked for; the guest's address is another's now;
    the daemon mails the code, to the address before. Expected: nobody gets in with it."""
    name = f"x{next(_count)}"
    dn, peer = b.guest_dn(name), m.new_peer()
    post.load(b.guest_ldif(name, subject=""))

    def bind(password):
        return code_of(m.connect(post, peer).simple_bind_s, dn, password)

    assert bind("?") == (49, "")
    life.wait_notices(post, "passcode", f"{name}@home.example")
    post.modify(f"dn: {dn}\nchangetype: modify\nreplace: mail\nmail: new-{name}@home.example\n")
    with MailServer() as mail, daemon.B2bd(post, mail, key=post.key):
        def codes():
            return [code for each in mail.mails if each.to == [f"{name}@home.example"]
                    for code in re.findall(r"^ +(\d{8})$", each.text, re.M)]
        assert bind(poll(codes, 20, "the code to the old address")[0]) == (49, "")


def test_passcode_of_taken_subject(post):
    """Set-up: a provider names one of its people, who became a guest, by the address of a guest who
    comes by codes. Steps: that one asks for a code by its address. Expected: it is mailed: subjects
    are addresses where codes go to them, and nowhere else."""
    name, other = f"x{next(_count)}", f"x{next(_count)}"
    post.load(b.guest_ldif(name, subject="")
              + b.guest_ldif(other, "words", subject=f"{name}@home.example"))
    connection = m.connect(post)
    assert life.request(connection, life.PASSCODE, {"mail": f"{name}@home.example"}) == {}
    life.wait_notices(post, "passcode", f"{name}@home.example")


# --- names that are used again ---

def test_assigned_before(post):
    """Steps: a guest who was assigned to an application is deleted; somebody is invited who gets
    the same name. Expected: the application is not among what the new one may use."""
    root, address = post.root(), mail()
    dn = life.invite(root, address, applications=["wiki"])["dn"]
    assert assignees(post) == [dn]
    root.delete_s(dn)
    assert life.invite(root, address)["dn"] == dn
    assert assignees(post) == []
    root.delete_s(dn)


def test_assigned_and_renamed(post):
    """Steps: a guest who was assigned to an application is renamed.  Expected: it stays assigned,
    by the name that it has now alone."""
    root, address, name = post.root(), mail(), f"x{next(_count)}"
    dn = life.invite(root, address, applications=["wiki"])["dn"]
    root.rename_s(dn, f"uid={name}")
    assert assignees(post) == [b.guest_dn(name)]
    root.delete_s(b.guest_dn(name))
    assert assignees(post) == []


def assignees(server):
    found = server.entry(f"cn=wiki,cn=applications,{b.BASE}").get("b2bAppAssignee", [])
    return [dn.lower() for dn in found]


# --- who is off stays off ---

SIGNER = Signer("https://idp.attack.example")
ENABLE = [(ldap.MOD_REPLACE, "b2bAccountEnabled", [b"TRUE"])]
WORD = (50, "b2b: b2bAccountEnabled: an administrator disabled this guest, and its sponsors do not "
            "enable it again")


@pytest.fixture(scope="module")
def written(make_server):
    """Members may invite; mia may write guests besides, but not manage them; guests come by tokens.
    """
    access = f"access to dn.subtree={b.GUESTS} by dn.exact={MIA} write by * read\n"
    tokens = b.partner_ldif("tokens", lines="b2bTenantDomain: tokens.example\n"
                            + SIGNER.partner_lines())
    return make_server(life.signing_server, data=tokens, access=access + b.ACCESS, tenant=TENANT)


def accepted(server, address, subject):
    """Invited by mia, and redeemed with a token: what redemption answers, and the guest's name."""
    made = life.invite(server.conn(MIA, "mia-pw"), address)
    token = SIGNER.token(subject, email=address, email_verified=True)
    return m.redeem(server, ticket=made["ticket"], token=token), made["dn"]


def disable(server, dn):
    server.modify(f"dn: {dn}\nchangetype: modify\nreplace: b2bAccountEnabled\n"
                  "b2bAccountEnabled: FALSE\n")


@pytest.mark.parametrize("way", ("b2bSponsor", "objectClass"))
def test_sponsor_leaves_to_enable(written, way):
    """Set-up: an administrator disabled a guest of mia's.  Steps: mia makes another its sponsor,
    or takes the guest's class away, to enable it as somebody else then.  Expected: refused
    as enabling is; nothing changed."""
    (result, _), dn = accepted(written, mail("tokens.example"), f"s{next(_count)}")
    assert result == 0
    disable(written, dn)
    before, mia = written.entry(dn), written.conn(MIA, "mia-pw")
    change = [(ldap.MOD_REPLACE, way, [b.member_dn("max").encode()])]
    if way == "objectClass":
        gone = [name for name in written.entry(dn, ["*"]) if name.startswith("b2b")]
        change = [(ldap.MOD_DELETE, way, [b"b2bGuest"])] + [(ldap.MOD_DELETE, name, None)
                                                            for name in gone]
    assert answer(mia.modify_s, dn, ENABLE)[::2][:2] == WORD
    assert answer(mia.modify_s, dn, change)[::2][:2] == WORD
    assert written.entry(dn) == before


def test_disabled_comes_by_another_address(written):
    """Set-up: an administrator disabled a guest. Steps: the same person is invited under another
    address, and proves who it is. Expected: it is told that it is off, and is not in; enabled
    again, it is."""
    subject, other = f"s{next(_count)}", mail("tokens.example")
    (result, _), dn = accepted(written, mail("tokens.example"), subject)
    assert result == 0
    disable(written, dn)
    assert accepted(written, other, subject)[0] == (53, "b2b: disabled")
    written.root().modify_s(dn, ENABLE)
    assert accepted(written, other, subject)[0][0] == 0


def test_blocked_domain_afterwards(written):
    """Steps: mia gives a guest an address of a blocked domain; changes something else of a guest
    that has had one. Expected: refused as an invitation is; the other is done."""
    life.settings(written, "b2bBlockedDomain: evil.example")
    mia, address = written.conn(MIA, "mia-pw"), f"x{next(_count)}@evil.example"
    dn = life.invite(mia, mail("tokens.example"))["dn"]
    bad = [(ldap.MOD_REPLACE, "mail", [address.encode()])]
    refused = answer(mia.modify_s, dn, bad)
    assert refused[0] == 19 and "b2bBlockedDomain" in refused[2]
    written.root().modify_s(dn, bad)
    mia.modify_s(dn, bad + [(ldap.MOD_REPLACE, "sn", [b"Other"])])
    life.settings(written, "b2bBlockedDomain:")
