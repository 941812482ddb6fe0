"""Writes that a test holds where they are about to be done, to see what races do."""

import contextlib
import socket
import threading


class Stile:
    """What stands behind slapd's overlay "sock": holds one write that it is asked about until it is
    told to go on, and lets all others pass: the first, or the one after so many (passes).  answer:
    what the server is told in the end; another one than CONTINUE refuses."""

    def __init__(self, path):
        self.passes, self.answer = 0, b"CONTINUE\n"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(8)
        self.holds, self.go_on, self.held = threading.Event(), threading.Event(), ""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                asked, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(asked,), daemon=True).start()

    def _answer(self, asked):
        with asked:
            text = b""
            while not text.endswith(b"\n\n"):
                text += asked.recv(65536)
            if self.passes:
                self.passes -= 1
            elif not self.holds.is_set():
                self.held = text.decode()
                self.holds.set()
                self.go_on.wait(20)
            with contextlib.suppress(BrokenPipeError):
                asked.sendall(self.answer)

    def stop(self):
        self.go_on.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(20)


def conf(path, name):
    """Lines behind "overlay b2b": writes to uid=<name> ask at path."""
    return f"overlay sock\nsocketpath {path}\nsockops modify\nsockdnpat uid={name}\n"
