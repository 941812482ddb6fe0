"""Every operation and every control of LDAP that a client of slapd can send."""

from . import wire
from .builders import PEOPLE, ROOTDN, member_dn
from .hostile import ber, ber_int
from .wire import PRESENT, control, equal, octets

OURS = "2.25.197761738801757102242170991844305268053"
SORT_BY = ber(0x30, ber(0x30, octets("createTimestamp")))
VIEW = ber(0x30, ber_int(0) + ber_int(99) + ber(0xA0, ber_int(1) + ber_int(0)))
READ_ALL = ber(0x30, octets("*"))
ASSERTION = equal("objectClass", "top")

# name, OID, value
CONTROLS = {
    "paged results": ("1.2.840.113556.1.4.319", ber(0x30, ber_int(50) + octets(""))),
    "manageDsaIT": ("2.16.840.1.113730.3.4.2", None),
    "subentries": ("1.3.6.1.4.1.4203.1.10.1", b"\x01\x01\xff"),
    "values return filter": ("1.2.826.0.1.3344810.2.3", ber(0x30, PRESENT)),
    "domain scope": ("1.2.840.113556.1.4.1339", None),
    "session tracking": ("1.3.6.1.4.1.21008.108.63.1", ber(
        0x30, octets("") + octets("") + octets("1.3.6.1.4.1.21008.108.63.1.3") + octets("me"))),
    "proxied authorization": ("2.16.840.1.113730.3.4.18", f"dn:{member_dn('mia')}".encode()),
    "proxied authorization v1": ("2.16.840.1.113730.3.4.12", ber(0x30, octets(ROOTDN))),
    "sync, refreshOnly": ("1.3.6.1.4.1.4203.1.9.1.1", ber(0x30, ber_int(1, 0x0A))),
    "sync, refreshAndPersist": ("1.3.6.1.4.1.4203.1.9.1.1", ber(0x30, ber_int(3, 0x0A))),
    "sort": ("1.2.840.113556.1.4.473", SORT_BY),
    "virtual list view": ("2.16.840.1.113730.3.4.9", VIEW),
    "dereference": ("1.3.6.1.4.1.4203.666.5.16", ber(
        0x30, ber(0x30, octets("member") + ber(0x30, octets("cn"))))),
    "relax": ("1.3.6.1.4.1.4203.666.5.12", None),
    "assertion": ("1.3.6.1.1.12", ASSERTION),
    "pre-read": ("1.3.6.1.1.13.1", READ_ALL),
    "post-read": ("1.3.6.1.1.13.2", READ_ALL),
    "no-op": ("1.3.6.1.4.1.4203.666.5.2", None),
    "no subordinates": ("1.3.6.1.4.1.4203.666.5.11", None),
    "don't use copy": ("1.3.6.1.1.22", None),
    "tree delete": ("1.2.840.113556.1.4.805", None),
    "password policy": ("1.3.6.1.4.1.42.2.27.8.5.1", None),
    "account usability": ("1.3.6.1.4.1.42.2.27.9.5.8", None),
    "authorization identity": ("2.16.840.1.113730.3.4.16", None),
    "transaction": ("1.3.6.1.1.21.2", b"1"),
    "for whom (.4.1)": (f"{OURS}.4.1", b'{"tenant": "home"}'),
    "any other": ("1.2.3.4.5", b"x"),
}


def sent(name, critical=False):
    """A control as it is sent; virtual list views go with a sort, as they must."""
    oid, value = CONTROLS[name]
    one = [control(oid, value, critical)]
    if name == "virtual list view":
        one.insert(0, control(*CONTROLS["sort"], critical))
    return one


def searches(dn, filters=(PRESENT,)):
    """Every scope, every way to follow aliases."""
    for scope in (wire.BASE, wire.ONE, wire.SUB, wire.CHILDREN):
        for deref in (wire.NEVER, wire.SEARCHING, wire.FINDING, wire.ALWAYS):
            for which in filters:
                yield wire.search(dn, scope, deref, which)


def compares(dn):
    for attr, value in (("objectClass", "person"), ("cn", "x"), ("entryDN", dn),
                        ("userPassword", "x"), ("b2bHomeTenant", "home"),
                        ("hasSubordinates", "TRUE")):
        yield wire.compare(dn, attr, value)


def writes(dn, to=PEOPLE):
    """Every way to write at dn."""
    yield wire.modify(dn)
    yield wire.modify(dn, how=0)
    yield wire.modify(dn, how=1)
    yield wire.modify(dn, how=3, attr="uidNumber", value="1")
    yield wire.modify(dn, attr="b2bAccountEnabled", value="TRUE")
    yield wire.modify(dn, attr="userPassword", value="x")
    yield wire.delete(dn)
    yield wire.rename(dn, "cn=renamed")
    yield wire.rename(dn, "cn=moved", to)
    yield wire.add(f"cn=new,{dn}")
    yield wire.rename(f"cn=atlas,{to}", "cn=atlas", dn)


def passwords(dn):
    """Password modify (RFC 3062), with and without the old one, and with one made by the server."""
    for more in (b"", ber(0x82, b"new"), ber(0x81, b"old") + ber(0x82, b"new")):
        yield wire.extended("1.3.6.1.4.1.4203.1.11.1", ber(0x30, ber(0x80, dn.encode()) + more))


def refreshes(dn):
    """Refresh (RFC 2589)."""
    yield wire.extended("1.3.6.1.4.1.1466.101.119.1", ber(
        0x30, ber(0x80, dn.encode()) + ber_int(3600, 0x81)))
