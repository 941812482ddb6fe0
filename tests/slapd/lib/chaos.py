"""Whatever can die, dies: slapd and b2bd are killed by signal 9, again and again, while a life goes
on; and the mail server hangs up after DATA.

Four ways to die: slapd or b2bd at any moment; slapd when it is about to make one of its next
changes durable (death.c), which is how it dies between a notice and the change that follows it;
b2bd while the mail server has a mail of which b2bd does not know yet whether it was taken."""

import contextlib
import random
import threading
import time

import ldap

from . import builders as b
from .mailserver import MailServer
from .slapd import HarnessError, poll

AWAY = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.UNAVAILABLE, ldap.BUSY, ldap.TIMEOUT)
PATIENCE = 60


class Patient:
    """A client that begins again when the server went away.

    do(step): step(connection) must look first whether it was done before; what it gives is given.
    """

    def __init__(self, server, dn=b.ROOTDN, password=b.ROOTPW):
        self.server, self.dn, self.password, self._connection = server, dn, password, None

    def _connect(self):
        # not one of the server's: those are closed, by another thread, when it is killed
        connection = ldap.initialize(self.server.ldapi)
        connection.timeout = 20
        connection.simple_bind_s(self.dn, self.password)
        return connection

    def once(self, step):
        """As do, for a client that is used but once."""
        try:
            return self.do(step)
        finally:
            self.close()

    def do(self, step, secs=PATIENCE):
        end = time.monotonic() + secs
        while True:
            try:
                self._connection = self._connection or self._connect()
                return step(self._connection)
            except AWAY:
                self.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def until(self, step, what, secs=PATIENCE):
        """Waits until step gives something true; the last thing that is done with this client."""
        try:
            return poll(lambda: self.do(step), secs, what)
        finally:
            self.close()

    def close(self):
        connection, self._connection = self._connection, None
        if connection:
            try:
                connection.unbind_ext_s()
            except ldap.LDAPError:
                pass


class FlakyMailServer(MailServer):
    """Hangs up after DATA once in a while, with the mail or without it."""

    def __init__(self, seed, share):
        self.share, self.random, self.on_data = share, random.Random(f"mail {seed}"), lambda: None
        self.dropped = {"drop-data": 0, "forget-data": 0}
        super().__init__()

    async def handle_DATA(self, server, session, envelope):
        if self.random.random() < self.share:
            name = self.random.choice(("drop-data", "forget-data"))
            self.dropped[name] += 1
            self.behave(name)
        else:
            self.on_data()
        return await super().handle_DATA(server, session, envelope)


class Chaos:
    """Kills slapd and b2bd of a world, and starts them again, as often as allow() said.

    death: the Number of death.c.  .check: called after each start of slapd."""

    WAYS = ("slapd", "change", "daemon", "data", "both")

    def __init__(self, world, death, seed):
        self.server, self.daemon, self.death = world.server, world.daemon, death
        self.clock, self.check = world.clock, lambda: None
        self.random, self.done = random.Random(f"chaos {seed}"), {way: 0 for way in self.WAYS}
        self.faults = []
        self._armed = threading.Event()  # the daemon dies with the next mail
        self._allowed, self._thread = 0, None
        self._lock = threading.Condition()
        world.mail.on_data = self._on_data

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        with self._lock:
            self._allowed = None
            self._lock.notify_all()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def killed(self):
        return sum(self.done.values())

    def allow(self, kills):
        """So many more."""
        with self._lock:
            self._allowed += kills
            self._lock.notify_all()

    def wait(self):
        """Until all that were allowed are done; raises what went wrong."""
        with self._lock:
            assert self._lock.wait_for(lambda: self._allowed == 0 or self.faults, PATIENCE)
        assert not self.faults, "\n".join(map(str, self.faults))

    def _run(self):
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._allowed != 0)
                if self._allowed is None:
                    return
            try:
                self._kill(self.random.choice(self.WAYS))
            except Exception as fault:  # the life must hear of it
                self.faults.append(fault)
            with self._lock:
                if self._allowed:
                    self._allowed -= 1
                self._lock.notify_all()
                if self.faults:
                    return

    # --- ways to die ---

    def _kill(self, way):
        moment = self.random.expovariate(1 / 0.08)
        if way == "change":
            self._kill_at_change(self.random.randrange(1, 9))
        elif way == "data":
            self._kill_with_mail()
        else:
            time.sleep(min(moment, 0.5))
            if way != "daemon":
                self.server.kill()
            if way != "slapd":
                self.daemon.kill()
        self.done[way] += 1
        self._start()

    def _kill_at_change(self, number):
        """Where nothing is written any more it dies all the same."""
        self.death.value = number
        end = time.monotonic() + 0.6
        while time.monotonic() < end and self.server.alive():
            time.sleep(0.005)
        self.death.value = 0
        self.server.kill()

    def _kill_with_mail(self):
        self._armed.set()
        end = time.monotonic() + 0.6
        while time.monotonic() < end and self._armed.is_set():
            time.sleep(0.005)
        self._armed.clear()
        self.daemon.kill()

    def _on_data(self):
        """In the mail server's thread."""
        if self._armed.is_set():
            process = self.daemon.process
            if process:
                process.kill()
            self._armed.clear()

    def _start(self):
        if not self.daemon.alive():
            self.daemon.kill()
            self.daemon.start()
        if not self.server.alive():
            self.server.kill()
            self.server.start()
            self.check()


class EachChange(Chaos):
    """slapd lives for one change of its database, and dies before the next; it starts a minute
    later, which no name may follow from.  What is allowed is over when nothing is changed any more.
    An operation that makes two changes is never done here; and b2bd, whose changes come in between
    for ever, waits for the end."""

    WAYS = ("change",)
    QUIET_SECS = 0.5  # after a start the task runs at once
    AWAY_SECS = 61

    def allow(self, kills):
        self._ending = self._last = False
        self.daemon.kill()
        self.server.kill()
        super().allow(1)

    def wait(self):
        self._ending = True
        super().wait()
        self.daemon.start()

    def _kill(self, way):
        while not self._is_quiet():
            self.done[way] += 1
            self.clock.pass_by(self.AWAY_SECS)
            self.death.value = 2
            with contextlib.suppress(HarnessError, *AWAY):  # dead before it was asked
                self.server.kill()
                self.server.start()
                self.check()
        self.death.value = 0

    def _is_quiet(self):
        """Waits until it is; or is dead: False.  Once people have done all of theirs it dies once
        more, and what it only kept in mind is gone."""
        quiet = None
        while self.server.alive():
            if self._ending and not self._last:
                self._last = True
                return False
            if not self._ending:
                quiet = None
            elif quiet is None:
                quiet = time.monotonic()
            elif time.monotonic() - quiet > self.QUIET_SECS:
                return True
            time.sleep(0.002)
        return False
