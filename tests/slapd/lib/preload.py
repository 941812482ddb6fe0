"""Small libraries of ours that are preloaded into programs under test, and numbers that a test
shares with them while they run."""

import ctypes
import functools
import mmap
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


@functools.lru_cache
def _made(name):
    """Its directory goes with the last test."""
    directory = tempfile.TemporaryDirectory(prefix="b2bpre-", dir="/tmp")
    path = Path(directory.name)
    path.chmod(0o755)  # b2bd gives up root
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", path / f"{name}.so",
                    HERE / f"{name}.c"], check=True, timeout=60)
    return directory, str(path / f"{name}.so")


def library(name):
    """The path of lib/<name>.c, compiled."""
    return _made(name)[1]


def joined(*environments):
    """All of them in one; what each preloads is preloaded."""
    result = {}
    for environment in environments:
        both = (result.get("LD_PRELOAD"), environment.get("LD_PRELOAD"))
        result.update(environment)
        result["LD_PRELOAD"] = ":".join(filter(None, both))
    return result


class Number:
    """Eight bytes of a file, mapped: .value, seen by all that mapped .path at once."""

    def __init__(self):
        self._file = tempfile.NamedTemporaryFile(prefix="b2bnum-", dir="/tmp")
        self.path = self._file.name
        Path(self.path).chmod(0o644)
        self._file.write(bytes(8))
        self._file.flush()
        self._number = ctypes.c_int64.from_buffer(mmap.mmap(self._file.fileno(), 8))

    @property
    def value(self):
        return self._number.value

    @value.setter
    def value(self, value):
        self._number.value = value

    def close(self):
        self._file.close()
