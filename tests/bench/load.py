"""Clients that keep one slapd busy: LDAP requests that were encoded once (RFC 4511), sent over and
over, one at a time on each connection.  What they cost does not matter: only the server's CPU time
is counted."""

import os
import socket
import struct

MSGID = b"\x02\x01\x07"
BIND_RESPONSE, ENTRY, DONE = 0x61, 0x64, 0x65


def tlv(tag, body):
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x82]) + struct.pack(">H", len(body)) + body


def text(value, tag=0x04):
    return tlv(tag, value.encode())


def bind(dn, password):
    return tlv(0x30, MSGID + tlv(0x60, b"\x02\x01\x03" + text(dn) + text(password, 0x80)))


def search(base, attribute, value):
    """Subtree, equality, all user attributes, no limits."""
    body = (text(base) + b"\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00"
            + tlv(0xa3, text(attribute) + text(value)) + b"\x30\x00")
    return tlv(0x30, MSGID + tlv(0x63, body))


def length(buffer, at):
    """(length, where the contents begin) of the element whose length stands at `at`"""
    first = buffer[at]
    if first < 128:
        return first, at + 1
    count = first & 0x7f
    return int.from_bytes(buffer[at + 1:at + 1 + count], "big"), at + 1 + count


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """Sends, reads the whole answer; gives (result code, number of entries)."""
        self.socket.sendall(request)
        buffer, at, entries = b"", 0, 0
        while True:
            while len(buffer) - at < 8 or (lambda n: n[0] + n[1])(length(buffer, at + 1)) \
                    > len(buffer):
                more = self.socket.recv(1 << 16)
                if not more:
                    raise SystemExit("the server closed the connection")
                buffer += more
            size, start = length(buffer, at + 1)
            tag = buffer[start + 3]
            if tag in (DONE, BIND_RESPONSE):
                _, code = length(buffer, start + 4)
                return buffer[code + 2], entries
            entries += tag == ENTRY
            at = start + size


def work(pipe, port, identity, requests, entries):
    """A worker: for each number that comes, that many requests; every answer is checked."""
    client = Client(port)
    if identity:
        code, _ = client.ask(bind(*identity))
        if code:
            raise SystemExit(f"{identity[0]} cannot bind: {code}")
    step = 0
    while command := pipe.recv():
        for _ in range(command):
            answer = client.ask(requests[step % len(requests)])
            if answer != (0, entries):
                raise SystemExit(f"the answer was {answer}, not {(0, entries)}")
            step += 1
        pipe.send(True)


def cpu_ns(pid):
    """CPU time of all threads of a process so far."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
            total += int(stat.read().split()[0])
    return total
