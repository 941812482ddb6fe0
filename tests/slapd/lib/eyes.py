"""What a client sees: entries found, and answers reduced to what can be compared."""

import ldap
from ldap.controls import RequestControl

SUB, ONE, BASE = ldap.SCOPE_SUBTREE, ldap.SCOPE_ONELEVEL, ldap.SCOPE_BASE

PROXY_AUTHZ = "2.16.840.1.113730.3.4.18"
RELAX = "1.3.6.1.4.1.4203.666.5.12"
MANAGE_DSA_IT = "2.16.840.1.113730.3.4.2"
NO_OP = "1.3.6.1.4.1.4203.666.5.2"
DONT_USE_COPY = "1.3.6.1.1.22"


def control(oid, value=None, critical=True):
    """A request control with a ready-made value."""
    return RequestControl(oid, critical, value)


def proxy(authzid, critical=True):
    """Proxied authorization (RFC 4370) to an authorization identity."""
    return control(PROXY_AUTHZ, authzid.encode(), critical)


def relax():
    return control(RELAX)


def seen(connection, base, scope=SUB, text="(objectClass=*)", attrs=("*", "+"), controls=None,
         limit=0):
    """{dn in lower case: {attribute in lower case: [bytes]}} of what a search returns; search
    references are left out.  Errors are raised."""
    found = connection.search_ext_s(base, scope, text, list(attrs), serverctrls=controls,
                                    sizelimit=limit)
    return {dn.lower(): {k.lower(): v for k, v in entry.items()}
            for dn, entry in found if dn is not None}


def references(connection, base, scope=SUB, text="(objectClass=*)"):
    """URLs of the search references that a search returns."""
    return [url for dn, urls in connection.search_ext_s(base, scope, text)
            if dn is None for url in urls]


def answer(work, *args, **options):
    """All that a client can tell from an operation: (code, matched DN, text, referrals), and for a
    search what it found."""
    try:
        result = work(*args, **options)
        return (0, None, None, None, repr(result))
    except ldap.LDAPError as error:
        facts = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        return (facts.get("result", type(error).__name__), facts.get("matched"),
                facts.get("info"), facts.get("referrals"), None)


def code(work, *args, **options):
    """The result code alone; 0 for success, 5 and 6 for a compare."""
    return answer(work, *args, **options)[0]


def limited(connection, base, scope, text, limit):
    """(names found, whether the size limit was exceeded)"""
    message = connection.search_ext(base, scope, text, ["1.1"], sizelimit=limit)
    names = []
    try:
        while True:
            kind, data, _, _ = connection.result3(message, 0)
            if kind == ldap.RES_SEARCH_RESULT:
                return names, False
            names += [dn.lower() for dn, _ in data if dn]
    except ldap.SIZELIMIT_EXCEEDED:
        return names, True


def paged(connection, base, text="(objectClass=*)", size=2, scope=SUB):
    """(all names found page by page, the server's estimates of the total)"""
    page = ldap.controls.SimplePagedResultsControl(True, size=size, cookie="")
    names, estimates = [], []
    while True:
        message = connection.search_ext(base, scope, text, ["1.1"], serverctrls=[page])
        _, data, _, controls = connection.result3(message)
        names += [dn.lower() for dn, _ in data if dn]
        back = [c for c in controls if c.controlType == page.controlType][0]
        estimates.append(back.size)
        if not back.cookie:
            return names, estimates
        page.cookie = back.cookie
