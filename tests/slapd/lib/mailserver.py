"""A real mail server on loopback (aiosmtpd): keeps what it is given, and misbehaves as it is told.

Behaviours, by name: accept; refuse (550 at RCPT), busy (451 at RCPT), refuse-sender (550 at MAIL),
refuse-data and busy-data (554 and 451 after the mail), away (421 as greeting), stall (no
greeting), stall-rcpt, stall-data (no answer after the mail), drop-data (hangs up after the mail,
which it keeps), forget-data (the same, but the mail is lost), hold-data (keeps the mail and answers
once .release() is called).  A stall ends with the server.
"""

import asyncio
import email
import email.policy
import ssl
import threading
import time

from aiosmtpd.smtp import SMTP, AuthResult

from .slapd import free_port, poll

ANSWERS = {"refuse": ("RCPT", "550 5.1.1 no such user"), "busy": ("RCPT", "451 4.2.1 later"),
           "refuse-sender": ("MAIL", "550 5.7.1 not from you"),
           "refuse-data": ("DATA", "554 5.6.0 not this"), "busy-data": ("DATA", "451 4.3.0 later")}


class Mail:
    """.sender, .to (envelope), .message, .subject, .id, .text, .html, .raw, .when."""

    def __init__(self, envelope, names):
        self.sender, self.to = envelope.mail_from, list(envelope.rcpt_tos)
        self.raw, self.greeting = envelope.original_content, names
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)
        self.subject, self.id = str(self.message["Subject"]), self.message["Message-ID"]
        self.text, self.html = self._body("plain"), self._body("html")
        self.when = time.time()

    def _body(self, kind):
        part = self.message.get_body((kind,))
        return part.get_content().replace("\r\n", "\n") if part else None


class _Protocol(SMTP):
    """What happens before any command; behave is asked once a connection."""

    def __init__(self, owner, **options):
        self.owner = owner
        super().__init__(owner, **options)

    async def _handle_client(self):
        if self.session.ssl is None or self.tls_context is None:
            self.owner.connections += 1
        if self.owner.peek() == "stall":
            self.owner.step()
            await self.owner.stall()
        if self.owner.peek() == "away":
            self.owner.step()
            await self.push("421 4.3.2 going away")
            self.transport.close()
            return
        await super()._handle_client()


class MailServer:
    """.url, .mails [Mail], .connections (how many there were), .behaved (how many times as told by
    behave).

    behave("busy", "refuse") sets what happens to the next mails, one by one; then behaviour, which
    is "accept".  certs: TLS, by STARTTLS unless tls is "smtps"; user: (name, password) to demand.
    """

    def __init__(self, certs=None, tls="starttls", user=None, port=None):
        self.behaviour, self.mails, self.connections, self.behaved = "accept", [], 0, 0
        self.logins, self._held = [], threading.Event()
        self.port = port or free_port()
        self.scheme = "smtps" if certs and tls == "smtps" else "smtp"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self._script, self._user, self._lock = [], user, threading.Lock()
        context = None
        if certs:
            cert, key = certs if isinstance(certs, tuple) else (certs.cert, certs.key)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
        self._outer = context if self.scheme == "smtps" else None
        self._options = {"hostname": "mx.test", "timeout": 600, "enable_SMTPUTF8": False}
        if context and not self._outer:
            self._options.update(tls_context=context, require_starttls=True)
        if user:
            self._options.update(authenticator=self._login, auth_required=True,
                                 auth_require_tls=bool(context) and not self._outer)
        self._thread = None
        self.start()

    # Life

    def start(self):
        """Listens (again), at the same port."""
        assert self._thread is None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def stop(self):
        """Hangs up on everybody; what was kept stays."""
        if self._thread:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)
            assert not self._thread.is_alive()
            self._thread = None

    def _run(self, ready):
        asyncio.run(self._serve(ready))

    async def _serve(self, ready):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda *_: None)
        options = dict(self._options, loop=self._loop)
        server = await self._loop.create_server(lambda: _Protocol(self, **options), "127.0.0.1",
                                                self.port, ssl=self._outer)
        ready.set()
        await self._end.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # Behaviour

    def behave(self, *names):
        with self._lock:
            self._script = list(names)

    def peek(self):
        with self._lock:
            return self._script[0] if self._script else self.behaviour

    def step(self):
        with self._lock:
            if self._script:
                self._script.pop(0)
                self.behaved += 1

    async def stall(self):
        await self._end.wait()
        raise asyncio.CancelledError

    async def _answer(self, stage):
        """What to answer at a stage, None to go on as usual."""
        name = self.peek()
        if name == f"stall-{stage.lower()}":
            self.step()
            await self.stall()
        if ANSWERS.get(name, ("", ""))[0] == stage:
            self.step()
            return ANSWERS[name][1]
        return None

    def _login(self, server, session, envelope, mechanism, data):
        login = (getattr(data, "login", b"").decode(), getattr(data, "password", b"").decode())
        self.logins.append(login)
        good = login == self._user
        return AuthResult(success=good, handled=not good and False)

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = await self._answer("MAIL")
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self._answer("RCPT")
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        name = self.peek()
        if name not in ("forget-data", "busy-data", "refuse-data"):
            self.mails.append(Mail(envelope, session.host_name))
        answer = await self._answer("DATA")
        if answer is None:
            self.step()
        while name == "hold-data" and not self._held.is_set():
            await asyncio.sleep(0.01)
        if name in ("drop-data", "forget-data"):
            server.transport.abort()
            raise asyncio.CancelledError
        return answer or "250 OK"

    def release(self):
        self._held.set()

    # What a test wants to know

    def wait(self, count=1, secs=15):
        """The mails, once there are that many."""
        poll(lambda: len(self.mails) >= count, secs, f"{count} mails, there are {len(self.mails)}")
        return list(self.mails)

    def to(self, address):
        return [mail for mail in list(self.mails) if mail.to == [address]]
