"""SASL OAUTHBEARER (RFC 7628) as a client speaks it: messages, binds by libldap, and a client of
our own that says what libldap does not (empty credentials, several binds at once, half a bind).

python-ldap knows Cyrus's mechanisms only; its lower layer binds with any name and any bytes.
"""

import contextlib
import json
import socket
import ssl
from urllib.parse import unquote, urlsplit

import ldap

from .hostile import ber, ber_int, ber_split

MECHANISM = "OAUTHBEARER"
DUMMY = b"\x01"
IN_PROGRESS = ldap.SASL_BIND_IN_PROGRESS.errnum
INVALID_TOKEN = {"status": "invalid_token"}
INVALID_REQUEST = {"status": "invalid_request"}
DENIED = {"status": "insufficient_scope"}
WHOAMI = b"1.3.6.1.4.1.4203.1.11.3"


def message(token, authzid=None, header=None, **pairs):
    """The client's message: GS2 header, then pairs.  auth=Bearer <token> comes first unless token
    is None; an authzid is escaped as RFC 5801 wants."""
    if header is None:
        name = "" if authzid is None else \
            "a=" + authzid.replace("=", "=3D").replace(",", "=2C")
        header = f"n,{name},"
    text = header + "\x01"
    if token is not None:
        text += f"auth=Bearer {token}\x01"
    return (text + "".join(f"{k}={v}\x01" for k, v in pairs.items()) + "\x01").encode()


def step(connection, credentials, mechanism=MECHANISM, dn=""):
    """One SASL bind request by libldap: (code, text, server's credentials or None).  Empty
    credentials are sent as none."""
    try:
        answer = connection._l.sasl_bind_s(dn, mechanism, credentials, None, None)
    except ldap.LDAPError as error:
        return error.args[0]["result"], error.args[0].get("info", ""), None
    if isinstance(answer, bytes):
        return IN_PROGRESS, "", answer
    return answer, "", b"" if answer == IN_PROGRESS else None


def bind(connection, token, authzid=None, initial=True, **pairs):
    """A whole bind: (code, text, error as JSON or None).  initial False: the message is sent only
    once the server asked for it."""
    if not initial:
        assert step(connection, b"") == (IN_PROGRESS, "", b"")
    return finish(connection, step(connection, message(token, authzid, **pairs)))


def finish(connection, answer):
    """Goes on after a first answer: a failure wants the client's dummy before it is final."""
    code, text, challenge = answer
    if code != IN_PROGRESS:
        return code, text, None
    code, text, rest = step(connection, DUMMY)
    assert code not in (0, IN_PROGRESS) and rest is None, (code, rest)
    return code, text, json.loads(challenge)


class Raw:
    """A connection that sends what it is told and reads one answer after the other."""

    def __init__(self, url, ca=None, timeout=20):
        parts = urlsplit(url)
        if parts.scheme == "ldapi":
            self.stream = socket.socket(socket.AF_UNIX)
            self.stream.settimeout(timeout)
            self.stream.connect(unquote(parts.netloc))
        else:
            self.stream = socket.create_connection((parts.hostname, parts.port), timeout)
        if parts.scheme == "ldaps":
            context = ssl.create_default_context(cafile=str(ca))
            self.stream = context.wrap_socket(self.stream, server_hostname=parts.hostname)
        self._number, self._unread = 0, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.stream.close()

    # Requests

    def send(self, tag, content):
        """Gives the message id."""
        self._number += 1
        self.stream.sendall(ber(0x30, ber_int(self._number) + ber(tag, content)))
        return self._number

    def send_bind(self, credentials, mechanism=MECHANISM, dn=""):
        """credentials None: none at all, which is not the same as empty ones."""
        data = ber(0x04, mechanism.encode())
        if credentials is not None:
            data += ber(0x04, credentials)
        return self.send(0x60, ber_int(3) + ber(0x04, dn.encode()) + ber(0xA3, data))

    def send_simple(self, dn="", password=b""):
        return self.send(0x60, ber_int(3) + ber(0x04, dn.encode()) + ber(0x80, password))

    def send_whoami(self):
        return self.send(0x77, ber(0x80, WHOAMI))

    def send_abandon(self, number):
        self.send(0x50, number.to_bytes(1, "big"))

    def unbind(self):
        self.send(0x42, b"")

    # Answers

    def receive(self):
        """(message id, tag, code, text, rest of the answer) of the next answer; None: closed."""
        while True:
            whole = self._take()
            if whole is not None:
                break
            try:
                more = self.stream.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self._unread += more
        _, number, rest = ber_split(whole)
        tag, content, _ = ber_split(rest)
        _, code, rest = ber_split(content)
        _, _, rest = ber_split(rest)
        _, text, rest = ber_split(rest)
        return (int.from_bytes(number, "big"), tag, int.from_bytes(code, "big"), text.decode(),
                rest)

    def _take(self):
        """Content of the first LDAPMessage, once all of it is there."""
        data = self._unread
        if len(data) < 2 or (data[1] & 0x80 and len(data) < 2 + (data[1] & 0x7F)):
            return None
        _, content, rest = ber_split(data)
        header = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
        size = int.from_bytes(data[2:header], "big") if data[1] & 0x80 else data[1]
        if len(data) < header + size:
            return None
        self._unread = rest
        return content

    # Both

    def bind(self, credentials, mechanism=MECHANISM, dn=""):
        """(code, text, server's credentials or None)"""
        self.send_bind(credentials, mechanism, dn)
        return self._bind_answer()

    def simple(self, dn="", password=b""):
        self.send_simple(dn, password)
        return self._bind_answer()

    def _bind_answer(self):
        answer = self.receive()
        assert answer and answer[1] == 0x61, answer
        return answer[2], answer[3], self.credentials(answer)

    @staticmethod
    def credentials(answer):
        rest = answer[4]
        while rest:
            tag, content, rest = ber_split(rest)
            if tag == 0x87:
                return content
        return None

    def whoami(self):
        """The authorization identity of the connection, as the server tells it."""
        self.send_whoami()
        number, tag, code, text, rest = self.receive()
        assert (tag, code) == (0x78, 0), (code, text)
        while rest:
            tag, content, rest = ber_split(rest)
            if tag == 0x8B:
                return content.decode()
        return ""
