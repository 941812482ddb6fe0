"""Ways around the life of guests that a stranger to the sources tried: what strangers, guests, members,
partners and servers that mail meets send to make more of it than they may."""

import itertools

import pytest

from lib import builders as b, life
from lib.eyes import answer
from lib.slapd import poll

_count = itertools.count()
MIA = b.member_dn("mia")
PROVIDES = "index entryCSN,entryUUID eq\noverlay syncprov\n"
WORLD = (b.partner_ldif("home", lines="b2bTenantDomain: home.example\nb2bIdp: passcode")
         + b.app_ldif("wiki"))
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
