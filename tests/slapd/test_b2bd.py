"""b2bd: what stands in cn=outbox is mailed once at least, and deleted."""

import json

import ldap
import pytest
from ldap.controls import RequestControl

from lib import b2bd as daemon_lib, builders as b
from lib.b2bd import OUTBOX, B2bd
from lib.mailserver import MailServer
from lib.slapd import poll

RELAX = "1.3.6.1.4.1.4203.666.5.12"
_count = iter(range(10000))


@pytest.fixture(scope="module")
def server(make_server):
    server = make_server(b.tenant_server, **daemon_lib.conf())
    server.load(daemon_lib.account())
    add(server, OUTBOX, objectClass="b2bContainer", cn="outbox")
    return server


@pytest.fixture
def mail():
    with MailServer() as server:
        yield server


def add(server, dn, **values):
    """Adds an entry as the rootdn who says that it is meant so."""
    def octets(value):
        return value if isinstance(value, bytes) else str(value).encode()
    lists = [(name, [octets(v) for v in (value if isinstance(value, list) else [value])])
             for name, value in values.items()]
    connection = server.root()
    connection.add_ext_s(dn, lists, serverctrls=[RequestControl(RELAX, True)])
    connection.unbind_ext_s()
    return dn


def notice(server, kind="disabled", to=None, data=None, **more):
    """A notice, put as the server would; gives its DN."""
    name = f"{kind}-{next(_count):032x}"
    facts = {"tenant": "Ours", "base": b.BASE, "guestName": "Alice", "guestMail": "alice@home.example"}
    facts.update(data or {})
    values = {"b2bNoticeType": kind, "b2bNoticeTo": to or f"{name}@home.example",
              "b2bNoticeData": json.dumps(facts), **more}
    return add(server, f"cn={name},{OUTBOX}", objectClass="b2bNotice", cn=name, **values)


def gone(server, dn, secs=15):
    return poll(lambda: server.entry(dn) is None, secs, f"{dn} is deleted")


def test_b2bd__sent_and_deleted(server, mail):
    """Set-up: b2bd follows an empty outbox.  Steps: a notice is put.  Expected: one mail to its
    address with the Message-ID of its name; the notice is gone."""
    with B2bd(server, mail):
        dn = notice(server)
        name = ldap.dn.explode_dn(dn, notypes=True)[0]
        sent, = mail.wait()
        gone(server, dn)
    assert sent.to == [f"{name}@home.example"] and sent.sender == daemon_lib.FROM
    assert sent.id == f"<{name}@ours.example>"
    assert len(mail.mails) == 1
