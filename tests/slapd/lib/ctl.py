"""b2bctl run against a server of ours, and a policy that is empty again afterwards."""

import json
import subprocess

from . import builders
from .builders import BASE, GUESTS, ROOTDN, ROOTPW
from .records import replace, subtree
from .slapd import client_env

DEFAULT, PARTNERS = f"cn=default,{BASE}", f"cn=partners,{BASE}"
OPERATIONAL = {"entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp", "creatorsName",
               "modifiersName", "entryDN", "structuralObjectClass", "subschemaSubentry",
               "hasSubordinates"}


class Ctl:
    """b2bctl as the rootdn over ldapi, or with options of the caller's alone (bare)."""

    def __init__(self, server):
        self.server = server
        self.root = server.root()

    def bare(self, *args, input=None, env=None, binary=False):
        done = subprocess.run([str(builders.B2BCTL), *map(str, args)], capture_output=True,
                              input=input if input is None or isinstance(input, bytes)
                              else input.encode(), timeout=120,
                              env={**client_env(), **(env or {})})
        if binary:
            return done
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr
        return done

    def run(self, *args, code=0, **options):
        done = self.bare("-H", self.server.ldapi, "-D", ROOTDN, "-w", ROOTPW, *args, **options)
        assert done.returncode == code, f"{done.stdout}{done.stderr}"
        return done

    def load(self, document, *args, **options):
        text = document if isinstance(document, (str, bytes)) else json.dumps(document)
        return self.run("policy", "import", *args, "-", input=text, **options)

    def policy(self):
        """Every policy entry, without what changes by itself."""
        return {dn: {k: v for k, v in attrs.items() if k not in OPERATIONAL}
                for dn, attrs in subtree(self.root, BASE).items()}

    def settings(self, dn):
        entry = self.server.entry(dn, ("*",), self.root)
        return {k: sorted(v) for k, v in entry.items()
                if k.startswith("b2b") and k != "b2bTenantId"}

    def add_partner(self, *args, partner="acme", **options):
        return self.run("partner", "add", "--partner", partner, *args, **options)

    def refresh(self, *args, **options):
        return self.run("partner", "add", "--refresh", *args, **options)

    def keys(self, dn):
        """{kid: JWK} of a partner's entry."""
        found = self.server.entry(dn, ("b2bJwks",), self.root).get("b2bJwks", ['{"keys": []}'])
        return {key["kid"]: key for key in json.loads(found[0])["keys"]}


def cleaned(ctl):
    """Takes away partners, applications, access policies and guests, and what the default says."""
    for dn in sorted(subtree(ctl.root, BASE), key=len, reverse=True):
        if dn not in (BASE, DEFAULT, PARTNERS, f"cn=applications,{BASE}"):
            ctl.root.delete_s(dn)
    for dn in sorted(subtree(ctl.root, GUESTS), key=len, reverse=True):
        if dn != GUESTS:
            ctl.root.delete_s(dn)
    left = [name for name in ctl.settings(DEFAULT)]
    if left:
        ctl.root.modify_s(DEFAULT, [replace(name) for name in left])
