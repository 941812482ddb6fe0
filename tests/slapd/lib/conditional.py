"""Conditional access policies for the time of a block."""

import contextlib
import itertools

from . import builders

CONTAINER = f"cn=conditional-access,{builders.BASE}"
_numbers = itertools.count()


def container_ldif():
    return f"dn: {CONTAINER}\nobjectClass: b2bContainer\ncn: conditional-access\n\n"


def policy_dn(name):
    return f"cn={name},{CONTAINER}"


def policy_ldif(name, lines, state="enabled"):
    text = f"dn: {policy_dn(name)}\nobjectClass: b2bAccessPolicy\ncn: {name}\n"
    text += f"b2bCaState: {state}\n" if state else ""
    return text + lines.strip("\n") + "\n\n"


@contextlib.contextmanager
def policy(server, *lines, state="enabled"):
    """The block runs under policies, one for each text; then they are deleted.  Gives the DN of the
    first."""
    names = [f"p{next(_numbers)}" for _ in lines]
    server.load("".join(policy_ldif(name, text, state) for name, text in zip(names, lines)))
    try:
        yield policy_dn(names[0])
    finally:
        root = server.root()
        for name in names:
            root.delete_s(policy_dn(name))
        root.unbind_ext_s()
