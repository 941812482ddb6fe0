"""The three ways in with a token: a simple bind under the guest's name, one without a name, and
SASL OAUTHBEARER.  All answer alike, so that a test goes through them in a loop."""

from typing import NamedTuple, Optional

from . import sasl
from .cnconfig import code_of


class Answer(NamedTuple):
    """What a client hears: code, text, who it is afterwards ("" for nobody), and the status that
    OAUTHBEARER tells in between."""
    code: int
    text: str
    who: str
    status: Optional[str] = None


def connect(server, uri=None, starttls=False):
    connection = server.open(uri)
    if starttls:
        connection.start_tls_s()
    return connection


def _end(server, connection, code, text, status=None):
    who = connection.whoami_s() or ""
    connection.unbind_ext_s()
    server.ctl.remove(connection)
    return Answer(code, text, who, status)


def by_dn(server, dn, token, **where):
    connection = connect(server, **where)
    return _end(server, connection, *code_of(connection.simple_bind_s, dn, token))


def by_subject(server, dn, token, **where):
    """Without a name: dn is not told."""
    return by_dn(server, "", token, **where)


def by_bearer(server, dn, token, authzid=None, pairs=None, **where):
    """By OAUTHBEARER; dn is told only as an authzid that a test gives."""
    connection = connect(server, **where)
    code, text, error = sasl.bind(connection, token, authzid, **(pairs or {}))
    return _end(server, connection, code, text, error and error["status"])


WAYS = {"dn": by_dn, "subject": by_subject, "bearer": by_bearer}


def is_in(server, dn, token, ways=WAYS, **where):
    """Every way must let the guest in, under its name."""
    for name in ways:
        answer = WAYS[name](server, dn, token, **where)
        assert answer == Answer(0, "", f"dn:{dn}"), (name, answer, server.tail(6))


def is_out(server, dn, token, code=49, text="", statuses=None, ways=WAYS, **where):
    """Every way must answer with this code and text, and leave the connection to nobody."""
    statuses = statuses or (("invalid_token",) if code == 49 else ("insufficient_scope",))
    for name in ways:
        answer = WAYS[name](server, dn, token, **where)
        assert answer[:3] == (code, text, ""), (name, answer, server.tail(6))
        assert answer.status in (statuses if name == "bearer" else (None,)), (name, answer)
