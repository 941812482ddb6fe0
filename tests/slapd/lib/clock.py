"""A clock that tests move while slapd and b2bd run.

libfaketime was tried and is not it: a file whose time is followed (FAKETIME=%) makes the clock stand
still between two touches, so that slapd gives out the same entryCSN again after a restart, and breaks
clock_nanosleep(); FAKETIME_TIMESTAMP_FILE crashes slapd; an offset moves only by a restart, and then
nothing is seen of a server for which time goes by.  clock.c adds seconds to the time of day.
"""

import ctypes
import functools
import mmap
import subprocess
import tempfile
import time
from pathlib import Path

from .records import DAY, stamp

HERE = Path(__file__).parent


@functools.lru_cache
def _library():
    """Its directory goes with the last test."""
    directory = tempfile.TemporaryDirectory(prefix="b2bclock-", dir="/tmp")
    path = Path(directory.name)
    path.chmod(0o755)  # b2bd gives up root
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", path / "clock.so", HERE / "clock.c"],
                   check=True, timeout=60)
    return directory, path / "clock.so"


class Clock:
    """.env: what a program must be started with."""

    def __init__(self):
        self._file = tempfile.NamedTemporaryFile(prefix="b2bclock-", dir="/tmp")
        Path(self._file.name).chmod(0o644)
        self._file.write(bytes(8))
        self._file.flush()
        self._map = ctypes.c_int64.from_buffer(mmap.mmap(self._file.fileno(), 8))
        self.env = {"LD_PRELOAD": str(_library()[1]), "B2B_TEST_CLOCK": self._file.name}
        self.start = self.now()

    @property
    def ahead(self):
        return self._map.value

    def now(self):
        return time.time() + self.ahead

    def day(self):
        """Days that went by."""
        return (self.now() - self.start) / DAY

    def advance(self, days):
        self._map.value += int(days * DAY)

    def advance_to(self, day):
        """A day of the life, never back."""
        assert day >= self.day(), (day, self.day())
        self.advance(day - self.day())

    def stamp(self, days=0.0):
        """The time so many days from now, as generalizedTime."""
        return stamp(self.now() + days * DAY)

    def close(self):
        self._file.close()
