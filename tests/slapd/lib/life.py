"""The life of a guest as tests drive it: a tenant that can sign tickets, our extended operations,
and what waits in cn=outbox and cn=requests."""

import json

from ldap.extop import ExtendedRequest

from . import builders as b
from .eyes import answer
from .slapd import poll

ROOT = "2.25.197761738801757102242170991844305268053.3"
INVITE, REDEEM, PASSCODE, REQUEST, TOTP = (f"{ROOT}.{n}" for n in (1, 2, 3, 6, 7))
OUTBOX, REQUESTS = f"cn=outbox,{b.BASE}", f"cn=requests,{b.BASE}"


def make_key(server, name="key.pem"):
    """A private key in the server's directory; gives its path."""
    path = server.dir / name
    server.tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", path, plain=True)
    path.chmod(0o600)
    return path


def signing_server(data="", tenant="", **options):
    """Our tenant with b2b-key-file.  tenant: more lines of the tenant entry; data: more entries."""
    options["b2b"] = options.get("b2b", "") + "b2b-key-file {dir}/key.pem\n"
    server = b.tenant_server(start=False, **options)
    make_key(server)
    server.start()
    if tenant:
        settings(server, tenant)
    if data:
        server.load(data)
    return server


def settings(server, lines):
    """Replaces attributes of the tenant entry, each line "name: value"; "name:" takes one away."""
    wanted = {}
    for line in lines.strip("\n").split("\n"):
        name, _, value = line.partition(":")
        wanted.setdefault(name, []).extend([value.strip()] if value.strip() else [])
    text = f"dn: {b.BASE}\nchangetype: modify\n"
    for name, values in wanted.items():
        text += f"replace: {name}\n" + "".join(f"{name}: {v}\n" for v in values) + "-\n"
    server.modify(text)


def request(connection, oid, value, controls=None):
    """The operation with a value of any kind: what it answers, as JSON."""
    data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    _, result = connection.extop_s(ExtendedRequest(oid, data), serverctrls=controls)
    return json.loads(result)


def refusal(connection, oid, value, controls=None):
    """(code, text) of a request that must fail; (0, None) where it does not."""
    return answer(request, connection, oid, value, controls)[::2][:2]


def invite(connection, mail, **members):
    """{"dn":..., "ticket":..., ...} of an invitation."""
    return request(connection, INVITE, {"mail": mail, **members})


def uninvited(connection, mail, **members):
    """(code, text) of an invitation that must be refused."""
    return refusal(connection, INVITE, {"mail": mail, **members})


def everything(connection, base=b.SUFFIX):
    """{dn: {attribute: [text]}} of what stands below base, in one search."""
    found = connection.search_ext_s(base, 2, "(objectClass=*)", ["*", "+"])
    return {dn: {k: [v.decode("utf-8", "replace") for v in vs] for k, vs in entry.items()}
            for dn, entry in found if dn}


def entries(server, base, text="(objectClass=*)"):
    """{dn: {attribute: [text]}} of what stands one level below base, as the rootdn sees it."""
    connection = server.root()
    try:
        found = connection.search_ext_s(base, 1, text, ["*", "+"])
    except Exception as error:
        if type(error).__name__ == "NO_SUCH_OBJECT":
            return {}
        raise
    finally:
        connection.unbind_ext_s()
    return {dn: {k: [v.decode("utf-8", "replace") for v in vs] for k, vs in entry.items()}
            for dn, entry in found if dn}


def notices(server, kind, to=None):
    """The notices of a kind, as (recipient, data), in no order."""
    text = f"(b2bNoticeType={kind})"
    return [(entry["b2bNoticeTo"][0], json.loads(entry["b2bNoticeData"][0]))
            for entry in entries(server, OUTBOX, text).values()
            if to is None or entry["b2bNoticeTo"] == [to]]


def wait_notices(server, kind, to=None, count=1, secs=10):
    """Waits until there are so many; gives them."""
    poll(lambda: len(notices(server, kind, to)) >= count, secs, f"{count} notices {kind} to {to}")
    found = notices(server, kind, to)
    assert len(found) == count, found
    return found


def wait_entry(server, dn, condition, secs=10):
    """Waits until the entry is there and condition(entry) is true; gives it."""
    def look():
        entry = server.entry(dn)
        return entry if entry and condition(entry) else None
    return poll(look, secs, f"{dn} as wanted")
