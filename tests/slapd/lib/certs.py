"""Certificates for TLS tests, made once a session by openssl(1): one authority that servers and
clients trust, one impostor that nobody trusts."""

import socket
import subprocess
from pathlib import Path


def _openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


class Authority:
    """A certification authority; .ca is its certificate file (PEM)."""

    def __init__(self, directory, name):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.ca = self.directory / "ca.pem"
        self._key = self.directory / "ca.key"
        self._made = {}
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-days", "30", "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.ca,
                 "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def server(self, san=f"DNS:localhost,DNS:{socket.getfqdn()},IP:127.0.0.1,IP:::1", days=30):
        """(certificate file, key file) for a server of these names."""
        if (san, days) in self._made:
            return self._made[san, days]
        stem = self.directory / f"server{len(self._made)}"
        request, cert, key = (stem.with_suffix(s) for s in (".csr", ".pem", ".key"))
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={san}\nbasicConstraints=CA:FALSE\n"
                              "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", "/CN=server", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key,
                 "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", cert)
        self._made[san, days] = (cert, key)
        return cert, key


class Certs:
    """.ca, .cert, .key: what honest servers use; .impostor: an Authority nobody trusts."""

    def __init__(self, directory):
        self.authority = Authority(Path(directory) / "good", "Test CA")
        self.impostor = Authority(Path(directory) / "impostor", "Impostor CA")
        self.ca = self.authority.ca
        self.cert, self.key = self.authority.server()
