"""What the tests about entries share: times as the directory writes them, changes, refusals, and a
guest that holds a connection."""

import calendar
import contextlib
import ldap
import pytest
import time
from ldap.controls.simple import RelaxRulesControl

from . import builders

HOUR, DAY = 3600, 86400
RELAX = [RelaxRulesControl()]


def stamp(secs):
    """Seconds since 1970 as generalizedTime."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(secs))


def ahead(secs):
    """The time so many seconds from now (negative: ago), as generalizedTime."""
    return stamp(time.time() + secs)


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))


def next_hour(text):
    """generalizedTime rounded up to the hour."""
    return stamp(-(-seconds(text) // HOUR) * HOUR)


def values(*texts):
    return [text.encode() for text in texts]


def replace(attribute, *texts):
    return (ldap.MOD_REPLACE, attribute, values(*texts) or None)


def add(attribute, *texts):
    return (ldap.MOD_ADD, attribute, values(*texts))


def delete(attribute, *texts):
    return (ldap.MOD_DELETE, attribute, values(*texts) or None)


def parse(ldif):
    """(dn, add list) of the one entry of an LDIF text."""
    dn, attrs = None, {}
    for line in ldif.strip().splitlines():
        name, value = line.split(": ", 1)
        if dn is None:
            dn = value
        else:
            attrs.setdefault(name, []).append(value.encode())
    return dn, list(attrs.items())


def add_entry(connection, ldif, relax=False):
    dn, attrs = parse(ldif)
    connection.add_ext_s(dn, attrs, serverctrls=RELAX if relax else None)
    return dn


def subtree(connection, base):
    """Every entry below base with all its attributes: what must not change by a refusal."""
    found = connection.search_ext_s(base, ldap.SCOPE_SUBTREE, attrlist=["*", "+"])
    return {dn: {name: sorted(vals) for name, vals in attrs.items()} for dn, attrs in found}


@contextlib.contextmanager
def refused(connection, *texts, error=ldap.CONSTRAINT_VIOLATION, base=builders.SUFFIX):
    """The block's write must fail with error, its text must name texts, and nothing changes."""
    before = subtree(connection, base)
    with pytest.raises(error) as caught:
        yield caught
    info = caught.value.args[0].get("info", "")
    for text in texts:
        assert text in info, f"{text!r} is not in {info!r}"
    assert subtree(connection, base) == before


def denial(connection, dn=builders.guest_dn("alice")):
    """None where a guest on this connection may read its own entry, else the server's text."""
    try:
        found = connection.search_ext_s(dn, ldap.SCOPE_BASE, attrlist=["uid"])
    except ldap.UNWILLING_TO_PERFORM as refusal:
        return refusal.args[0]["info"]
    assert [name for name, _ in found] == [dn]
    return None
