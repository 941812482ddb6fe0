"""Tickets and mailed codes as overlay/core/ticket.c and the mail daemon make them, by Python's own
means; and the two operations that take them, from a peer of one's own."""

import base64
import hmac
import itertools
import json
import socket
import uuid as uuids

import ldap
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from ldap.extop import ExtendedRequest

from . import builders as b, records
from .slapd import poll

REDEEM = "2.25.197761738801757102242170991844305268053.3.2"
PASSCODE = "2.25.197761738801757102242170991844305268053.3.3"
CODE_SECS = 1800
OUTBOX = f"cn=outbox,{b.BASE}"
_peers = itertools.count(2)


class Mint:
    """What the private key in a file makes."""

    def __init__(self, path):
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        self._secret = key.private_bytes(serialization.Encoding.DER,
                                         serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption())

    def _mac(self, purpose, *parts):
        key = HKDF(hashes.SHA256(), 32, None, purpose).derive(self._secret)
        return hmac.digest(key, b"".join(parts), "sha256")

    def ticket(self, uuid, moment, base=b.BASE):
        """moment: seconds since 1970 or generalizedTime."""
        secs = records.seconds(moment) if isinstance(moment, str) else moment
        data = uuids.UUID(uuid).bytes + secs.to_bytes(8, "big")
        mac = self._mac(b"slapo-b2b ticket 1", data, base.lower().encode())
        return base64.urlsafe_b64encode(data + mac).rstrip(b"=").decode()

    def code(self, notice):
        """The code of a notice, by its cn."""
        number = int.from_bytes(self._mac(b"slapo-b2b passcode 1", notice.encode()), "big")
        return f"{number % 10**8:08}"

    def hash(self, uuid, to, code):
        """to: the address that the code is mailed to."""
        return self._mac(b"slapo-b2b passcode hash 1", uuids.UUID(uuid).bytes, code.encode(),
                         to.lower().encode())


def key_file(server, name="key.pem"):
    """A key for b2b-key-file."""
    path = server.dir / name
    server.tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", path, plain=True)
    path.chmod(0o600)
    return path


def ticket_of(server, mint, dn):
    """The ticket of the guest's invitation as it stands."""
    entry = server.entry(dn)
    return mint.ticket(entry["entryUUID"][0], entry["b2bInvitedAt"][0])


# --- peers ---

def new_peer():
    """An address of this machine that no other test asks from."""
    number = next(_peers)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def connect(server, peer=None):
    """A connection, over TCP, from an address of its own."""
    link = socket.socket()
    link.bind((peer or new_peer(), 0))
    link.connect(("127.0.0.1", server.port))
    connection = ldap.initialize(server.uri, fileno=link.detach())
    connection.protocol_version = 3
    connection.timeout = 20
    connection.set_option(ldap.OPT_REFERRALS, 0)
    server.ctl.append(connection)
    return connection


# --- operations ---

def request(connection, oid, value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    _, result = connection.extop_s(ExtendedRequest(oid, data))
    return json.loads(result)


def redeem(server, connection=None, **value):
    """(0, the answer) or (code, text)."""
    try:
        return 0, request(connection or connect(server), REDEEM, value)
    except ldap.LDAPError as error:
        return error.args[0]["result"], error.args[0].get("info", "")


def ask(server, connection=None, **value):
    """Asks for a code by .3.3; the same."""
    try:
        return 0, request(connection or connect(server), PASSCODE, value)
    except ldap.LDAPError as error:
        return error.args[0]["result"], error.args[0].get("info", "")


# --- the outbox ---

def notices(server, kind, guest=None):
    """[(dn, {attribute: [text]})] of the notices of a type."""
    try:
        found = server.root().search_ext_s(OUTBOX, ldap.SCOPE_ONELEVEL,
                                           f"(b2bNoticeType={kind})", attrlist=["*", "+"])
    except ldap.NO_SUCH_OBJECT:
        return []
    texts = [(dn, {k: [v.decode() for v in vs] for k, vs in e.items()}) for dn, e in found]
    return [(dn, e) for dn, e in texts if guest is None or e["b2bNoticeGuest"] == [guest]]


def deliver(server, mint, dn, secs=20):
    """Plays the mail daemon: takes the one notice with a code for a guest, stores the hash, deletes
    the notice.  Gives the code."""
    (name, notice), = poll(lambda: notices(server, "passcode", dn), secs, "a notice")
    code = mint.code(notice["cn"][0])
    store(server, mint, dn, code)
    server.root().delete_s(name)
    return code


def store(server, mint, dn, code, secs=CODE_SECS, tries=0):
    """Stores the hash of a code as the mail daemon does."""
    entry = server.entry(dn)
    subject = entry.get("b2bHomeSubject", [""])[0]
    to = subject if "@" in subject else entry["mail"][0]
    server.root().modify_ext_s(dn, [
        (ldap.MOD_REPLACE, "b2bPasscodeHash", [mint.hash(entry["entryUUID"][0], to, code)]),
        records.replace("b2bPasscodeUntil", records.ahead(secs)),
        records.replace("b2bPasscodeTries", str(tries))], serverctrls=records.RELAX)
