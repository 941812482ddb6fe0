"""A clock that tests move while slapd and b2bd run.

libfaketime was tried and is not it: a file whose time is followed (FAKETIME=%) makes the clock
stand still between two touches, so that slapd gives out the same entryCSN again after a restart,
and breaks clock_nanosleep(); FAKETIME_TIMESTAMP_FILE crashes slapd; an offset moves only by a
restart, and then nothing is seen of a server for which time goes by. clock.c adds seconds to the
time of day."""

import time

from .preload import Number, library
from .records import DAY, stamp


class Clock:
    """.env: what a program must be started with."""

    def __init__(self):
        self._ahead = Number()
        self.env = {"LD_PRELOAD": library("clock"), "B2B_TEST_CLOCK": self._ahead.path}
        self.start = self.now()

    def now(self):
        return time.time() + self._ahead.value

    def day(self):
        """Days that went by."""
        return (self.now() - self.start) / DAY

    def advance_to(self, day):
        """A day of the life, never back."""
        assert day >= self.day(), (day, self.day())
        self.pass_by((day - self.day()) * DAY)

    def pass_by(self, secs):
        self._ahead.value += int(secs)

    def stamp(self, days=0.0):
        """The time so many days from now, as generalizedTime."""
        return stamp(self.now() + days * DAY)

    def close(self):
        self._ahead.close()
