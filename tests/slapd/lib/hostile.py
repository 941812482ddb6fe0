"""Home servers that lie, hang or break: a threaded LDAP fake with its own minimal BER.

It counts connections and records each bind it was sent, so that a test can also prove that
nothing was sent at all.
"""

import contextlib
import socket
import ssl
import threading
import time

BIND_REQUEST, BIND_RESPONSE = 0x60, 0x61
UNBIND_REQUEST = 0x42
EXTENDED_REQUEST, EXTENDED_RESPONSE = 0x77, 0x78
STARTTLS_OID = b"1.3.6.1.4.1.1466.20037"


def ber(tag, content):
    """One element, definite length."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def ber_int(value, tag=0x02):
    return ber(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def ber_split(data):
    """(tag, content, rest) of the first element."""
    tag, size, at = data[0], data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    return tag, data[at:at + size], data[at + size:]


def ldap_result(message_id, tag, code, text=b"", referrals=()):
    """An LDAPMessage with an LDAPResult (RFC 4511, 4.1.9)."""
    body = ber_int(code, 0x0A) + ber(0x04, b"") + ber(0x04, text)
    if referrals:
        body += ber(0xA3, b"".join(ber(0x04, uri.encode()) for uri in referrals))
    return ber(0x30, ber_int(message_id) + ber(tag, body))


class FakeHome:
    """A server on a free loopback port with one way to behave:

    success     answers success to every bind, an empty password too
    code        answers every bind with .code (49 unless changed) and .text
    referral    answers with a referral to .referral_to
    hang        accepts and says nothing
    hang_bind   does TLS or StartTLS if asked to, then never answers the bind
    close       accepts and closes
    close_bind  reads the bind, then closes
    garbage     answers with bytes that are no LDAP
    wrong_id    answers success under another message id
    wrong_type  answers with a search result done instead of a bind response
    huge        announces an answer of 2 GB and keeps sending
    drip        sends a right answer one byte in .drip_secs seconds
    no_accept   listens and never accepts, with the queue filled: a black hole

    behaviour may be changed while it runs.  tls: (certificate, key) files makes it ldaps;
    starttls: the same, for StartTLS (without it StartTLS is refused).
    """

    def __init__(self, behaviour="success", tls=None, starttls=None, port=0):
        self.behaviour = behaviour
        self.code, self.text = 49, b""
        self.referral_to = ["ldap://127.0.0.1:1/"]
        self.drip_secs = 0.5
        self.binds = []  # (name, password) in the order they came
        self.connections = 0
        self._tls, self._starttls = self._context(tls), self._context(starttls)
        self._open, self._fillers, self._threads = set(), [], []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(0 if behaviour == "no_accept" else 128)
        self.port = self._listener.getsockname()[1]
        self.uri = f"{'ldaps' if tls else 'ldap'}://127.0.0.1:{self.port}"
        if behaviour == "no_accept":
            self._fill_queue()
        else:
            self._spawn(self._accept)

    @staticmethod
    def _context(files):
        if not files:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, files))
        return context

    def _spawn(self, work, *args):
        thread = threading.Thread(target=work, args=args, daemon=True)
        with self._lock:
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _fill_queue(self):
        """Connections that nobody accepts, until the kernel lets further ones wait for ever."""
        for _ in range(16):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)
        time.sleep(0.1)

    # Connections

    def _accept(self):
        while not self._stopped.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(peer)
            self._spawn(self._serve, peer)

    def _serve(self, peer):
        stream = peer
        try:
            if self.behaviour == "close":
                return
            if self.behaviour == "hang":
                self._stopped.wait()
                return
            if self._tls:
                stream = self._wrap(peer, self._tls)
            while not self._stopped.is_set():
                message = self._read(stream)
                if message is None:
                    return
                stream = self._answer(stream, message)
        except (OSError, ValueError, IndexError):
            return  # the other side left, or TLS failed: what a test expects of it
        finally:
            with self._lock:
                self._open.discard(peer)
                self._open.discard(stream)
            with contextlib.suppress(OSError):
                stream.close()
            peer.close()

    def _wrap(self, peer, context):
        stream = context.wrap_socket(peer, server_side=True)
        with self._lock:
            self._open.discard(peer)
            self._open.add(stream)
        return stream

    def _read(self, stream):
        """One LDAPMessage, or None at the end."""
        data = self._exactly(stream, 2)
        if data is None:
            return None
        size = data[1]
        if size & 0x80:
            octets = self._exactly(stream, size & 0x7F)
            if octets is None:
                return None
            data, size = data + octets, int.from_bytes(octets, "big")
        if size > 1 << 20:
            raise ValueError("too large")
        rest = self._exactly(stream, size)
        return None if rest is None else data + rest

    @staticmethod
    def _exactly(stream, size):
        data = b""
        while len(data) < size:
            more = stream.recv(size - len(data))
            if not more:
                return None
            data += more
        return data

    # Answers

    def _answer(self, stream, message):
        """Answers one request; gives the stream to go on with."""
        _, body, _ = ber_split(message)
        _, number, rest = ber_split(body)
        message_id = int.from_bytes(number, "big")
        tag, content, _ = ber_split(rest)
        if tag == UNBIND_REQUEST:
            raise ValueError("unbound")
        if tag == EXTENDED_REQUEST:
            return self._extended(stream, message_id, content)
        if tag != BIND_REQUEST:
            stream.sendall(ldap_result(message_id, 0x65, 53))
            return stream
        _, _, rest = ber_split(content)
        _, name, rest = ber_split(rest)
        _, password, _ = ber_split(rest)
        with self._lock:
            self.binds.append((name.decode("utf-8", "replace"),
                               password.decode("utf-8", "replace")))
        self._answer_bind(stream, message_id)
        return stream

    def _extended(self, stream, message_id, content):
        _, oid, _ = ber_split(content)
        if oid != STARTTLS_OID or not self._starttls:
            stream.sendall(ldap_result(message_id, EXTENDED_RESPONSE, 2))
            return stream
        stream.sendall(ldap_result(message_id, EXTENDED_RESPONSE, 0))
        return self._wrap(stream, self._starttls)

    def _answer_bind(self, stream, message_id):
        success = ldap_result(message_id, BIND_RESPONSE, 0)
        how = self.behaviour
        if how == "success":
            stream.sendall(success)
        elif how == "code":
            stream.sendall(ldap_result(message_id, BIND_RESPONSE, self.code, self.text))
        elif how == "referral":
            stream.sendall(ldap_result(message_id, BIND_RESPONSE, 10,
                                       referrals=self.referral_to))
        elif how in ("hang", "hang_bind"):
            self._stopped.wait()
        elif how in ("close", "close_bind"):
            raise ValueError("closing")
        elif how == "garbage":
            stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(range(256)))
        elif how == "wrong_id":
            stream.sendall(ldap_result(message_id + 1, BIND_RESPONSE, 0))
        elif how == "wrong_type":
            stream.sendall(ldap_result(message_id, 0x65, 0))
        elif how == "huge":
            self._send_huge(stream)
        elif how == "drip":
            self._send_slowly(stream, success)
        else:
            raise AssertionError(f"unknown behaviour {how}")

    def _send_huge(self, stream):
        stream.sendall(b"\x30\x84\x7f\xff\xff\xff")
        while not self._stopped.is_set():
            stream.sendall(b"\x04\x84\x7f\xff\xff\x00" + b"x" * 65536)

    def _send_slowly(self, stream, data):
        for byte in data:
            stream.sendall(bytes([byte]))
            if self._stopped.wait(self.drip_secs):
                return

    # Life

    def drop_connections(self):
        """Closes what is open now; new connections are served."""
        with self._lock:
            streams = list(self._open)
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for filler in self._fillers:
            filler.close()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
