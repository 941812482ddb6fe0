"""An LDAP client of whole messages: what it sends and hears is bytes, so that two answers can be
compared to the last one.  Its BER is hostile.py's."""

import socket
from urllib.parse import unquote

from .hostile import ber, ber_int, ber_split

DONE = {0x61, 0x65, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x78}  # what ends an operation
ENTRY, REFERENCE, INTERMEDIATE, EXTENDED = 0x64, 0x73, 0x79, 0x78
BASE, ONE, SUB, CHILDREN = range(4)
NEVER, SEARCHING, FINDING, ALWAYS = range(4)
PRESENT = ber(0x87, b"objectClass")


def octets(text):
    return ber(0x04, text if isinstance(text, bytes) else text.encode())


def equal(attr, value, tag=0xA3):
    return ber(tag, octets(attr) + octets(value))


# --- requests ---

def bind(dn, password):
    return ber(0x60, ber_int(3) + octets(dn) + ber(0x80, password.encode()))


def search(base, scope=BASE, deref=NEVER, which=PRESENT, attrs=("*", "+"), limit=0):
    return ber(0x63, octets(base) + ber_int(scope, 0x0A) + ber_int(deref, 0x0A) + ber_int(limit)
               + ber_int(0) + ber(0x01, b"\0") + which
               + ber(0x30, b"".join(octets(attr) for attr in attrs)))


def compare(dn, attr="objectClass", value="person"):
    return ber(0x6E, octets(dn) + ber(0x30, octets(attr) + octets(value)))


def attributes(pairs):
    return b"".join(ber(0x30, octets(attr) + ber(0x31, octets(value))) for attr, value in pairs)


def add(dn, pairs=(("objectClass", "applicationProcess"), ("cn", "new"))):
    return ber(0x68, octets(dn) + ber(0x30, attributes(pairs)))


def delete(dn):
    return ber(0x4A, dn.encode())


def modify(dn, how=2, attr="description", value="mine"):
    change = ber_int(how, 0x0A) + attributes([(attr, value)])
    return ber(0x66, octets(dn) + ber(0x30, ber(0x30, change)))


def rename(dn, rdn, parent=None):
    above = b"" if parent is None else ber(0x80, parent.encode())
    return ber(0x6C, octets(dn) + octets(rdn) + ber(0x01, b"\xff") + above)


def extended(oid, value=None):
    return ber(0x77, ber(0x80, oid.encode()) + (b"" if value is None else ber(0x81, value)))


def abandon(message):
    return ber_int(message, 0x50)


def control(oid, value=None, critical=False):
    return ber(0x30, octets(oid) + (ber(0x01, b"\xff") if critical else b"")
               + (b"" if value is None else octets(value)))


# --- a connection ---

class Wire:
    """A connection over ldapi.  Message ids count from 1."""

    def __init__(self, server, dn="", password=""):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(unquote(server.ldapi[len("ldapi://"):]))
        self.message, self.buffer, self.others = 0, b"", []
        if dn:
            code = result(self.ask(bind(dn, password)))[0]
            assert code == 0, code

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    def packet(self, request, controls=()):
        self.message += 1
        inner = ber_int(self.message) + request
        return ber(0x30, inner + (ber(0xA0, b"".join(controls)) if controls else b""))

    def send(self, request, controls=()):
        """Gives the message id; the answer is left to wait()."""
        self.socket.sendall(self.packet(request, controls))
        return self.message

    def _next(self):
        """(message id, the message's bytes after it); None: the server hung up."""
        while True:
            try:
                _, content, rest = ber_split(self.buffer)
                if len(rest) + len(content) < len(self.buffer) and _whole(self.buffer):
                    self.buffer = rest
                    _, number, body = ber_split(content)
                    return int.from_bytes(number, "big"), body
            except IndexError:
                pass
            got = self.socket.recv(65536)
            if not got:
                return None
            self.buffer += got

    def wait(self, message, until=lambda pdu: pdu[0] in DONE):
        """All that comes for a message, each PDU (and its controls) as bytes, until the last."""
        found = [body for number, body in self.others if number == message]
        self.others = [each for each in self.others if each[0] != message]
        while not (found and until(found[-1])):
            got = self._next()
            if got is None:
                return found + [b""]
            if got[0] == message:
                found.append(got[1])
            else:
                self.others.append(got)
        return found

    def ask(self, request, controls=()):
        return self.wait(self.send(request, controls))


def _whole(data):
    size, at = data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    return len(data) >= at + size


# --- what came ---

def result(pdus):
    """(code, matched DN, text, what follows in it, bytes of the controls) of the last PDU."""
    if not pdus[-1]:
        return ("closed", None, None, None, None)
    _, content, controls = ber_split(pdus[-1])
    _, code, rest = ber_split(content)
    _, matched, rest = ber_split(rest)
    _, text, rest = ber_split(rest)
    return int.from_bytes(code, "big"), matched.decode(), text.decode(), rest, controls


def names(pdus):
    """Names of the entries that came, in lower case."""
    return [ber_split(ber_split(pdu)[1])[1].decode().lower() for pdu in pdus
            if pdu and pdu[0] == ENTRY]


def kinds(pdus):
    return [pdu[0] if pdu else None for pdu in pdus]
