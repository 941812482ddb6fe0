"""The web hook that b2bd asks about requests: what it is told, what it may answer, and that nothing
else decides."""

import json
import time

import pytest

from lib import b2bd as daemon, builders as b, records
from lib.b2bd import REQUESTS, B2bd, add
from lib.mailserver import MailServer
from lib.slapd import poll
from lib.web import Web, drip, endless, redirect, send

_count = iter(range(1000))


@pytest.fixture(scope="module")
def server(make_server):
    """Our tenant with a container of requests; no task interferes."""
    server = make_server(b.tenant_server, **daemon.conf())
    server.load(daemon.account() + daemon.container("outbox") + daemon.container("requests"))
    return server


@pytest.fixture(scope="module")
def mail():
    with MailServer() as server:
        yield server


class Hook(Web):
    """A web server that takes POST; .bodies [what was posted]; answer(value, status)."""

    def __init__(self, certs=None):
        super().__init__(certs)
        hook = self
        self.bodies = []

        def do_POST(handler):
            body = handler.rfile.read(int(handler.headers["Content-Length"]))
            hook.bodies.append((dict(handler.headers), json.loads(body)))
            hook.asked.append(handler.path)
            hook.answer(handler)

        self._server.RequestHandlerClass.do_POST = do_POST

    def answers(self, value, status=200):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.routes["/hook"] = lambda handler: send(handler, body, status)


@pytest.fixture
def hook():
    with Hook() as web:
        yield web


@pytest.fixture
def bd(server, mail, hook):
    with B2bd(server, mail, request_hook=f"{hook.url}/hook", timeout="2s") as running:
        yield running
    for dn, _ in server.root().search_ext_s(REQUESTS, 1, "(objectClass=b2bRequest)", ["1.1"]):
        connection = server.root()
        connection.delete_ext_s(dn, serverctrls=records.RELAX)


def request(server, state="checking", **more):
    name = f"r-{next(_count)}"
    return add(server, f"cn={name},{REQUESTS}", objectClass="b2bRequest", cn=name,
               b2bRequestMail=f"{name}@home.example", b2bRequestState=state, **more)


def state_of(server, dn):
    return server.entry(dn)["b2bRequestState"][0]


def decided(server, dn, secs=15):
    """What became of a request: (state, answer)."""
    poll(lambda: state_of(server, dn) != "checking", secs, f"{dn} is decided")
    found = server.entry(dn)
    return found["b2bRequestState"][0], found.get("b2bRequestAnswer", [None])[0]


# --- answers that decide ---

@pytest.mark.parametrize("answer, status, outcome", [
    ({"action": "continue"}, 200, ("pending", None)),
    ({"version": "1.0.0", "action": "Continue"}, 200, ("pending", None)),
    ({"action": "block", "message": "We know you"}, 200, ("blocked", "We know you")),
    ({"action": "ShowBlockPage", "userMessage": "No"}, 200, ("blocked", "No")),
    ({"action": "validation-error", "message": "Which team?"}, 200, ("invalid", "Which team?")),
    ({"status": 400, "action": "ValidationError", "userMessage": "Team"}, 400,
     ("invalid", "Team"))])
def test_hook__decides(server, bd, hook, answer, status, outcome):
    """Set-up: a hook that answers continue, block or a validation error, in our words or those of
    Entra External ID.  Steps: a request.  Expected: pending, blocked or invalid, with its words;
    asked once."""
    hook.answers(answer, status)
    dn = request(server)
    assert decided(server, dn) == outcome
    time.sleep(0.3)
    assert len(hook.bodies) == 1


def test_hook__is_told_all(server, bd, hook):
    """Set-up: a request with everything, hostile characters among it.  Steps: look at what the hook
    was sent.  Expected: JSON with just that."""
    hook.answers({"action": "continue"})
    dn = request(server, b2bRequestName='Zoë "x"\\ \u2028</script>', b2bHomeTenant="home",
                 b2bRequestApp=["wiki", "git"], b2bRequestReason="Line\nbreak",
                 b2bRequestAttribute=["team=red=1", "team=blue", "city=Köln", "odd"])
    assert decided(server, dn) == ("pending", None)
    (headers, body), = hook.bodies
    name = daemon.name_of(dn)
    assert headers["Content-Type"] == "application/json" and "Authorization" not in headers
    assert body == {"request": name, "mail": f"{name}@home.example", "tenant": "home",
                    "displayName": 'Zoë "x"\\ \u2028</script>', "reason": "Line\nbreak",
                    "applications": ["wiki", "git"], "base": b.BASE,
                    "attributes": {"team": ["red=1", "blue"], "city": "Köln"}}


def test_hook__words_are_made_fit(server, bd, hook):
    """Set-up: a hook whose message has controls, line ends, and is long.  Steps: a request.
    Expected: one line of at most 1000 bytes stands in the request."""
    hook.answers({"action": "block", "message": "a\r\nb\x1b[2J\u202e" + "ö" * 3000})
    state, words = decided(server, request(server))
    assert state == "blocked" and words.startswith("a  b [2Jö")
    assert len(words.encode()) <= 1000 and "?" not in words[:-1]


# --- answers that decide nothing ---

@pytest.mark.parametrize("answer, status", [
    ({}, 200), ([], 200), ({"action": "approve"}, 200), ({"action": "CONTINUE"}, 200),
    ({"action": ["continue"]}, 200), ("continue", 200), (b"", 200), (b"{", 200), (b"\xff\xfe", 200),
    (b'{"action":"block","action":"continue"}', 200), (b"<html>continue</html>", 200),
    ({"action": "continue"}, 500), ({"action": "continue"}, 400), ({"action": "block"}, 404),
    ({"action": "continue"}, 201)])
def test_hook__garbage(server, bd, hook, answer, status):
    """Set-up: a hook that answers what it may not.  Steps: a request; then it answers well.
    Expected: the request stays checking and the hook is asked again, later each time; then it is
    decided."""
    hook.answers(answer, status)
    dn = request(server)
    bd.wait_log("attempts=2 next=2s")
    assert state_of(server, dn) == "checking"
    assert "b2bRequestAnswer" not in server.entry(dn)
    hook.answers({"action": "continue"})
    assert decided(server, dn)[0] == "pending"


def test_hook__does_not_follow(server, bd, hook):
    """Set-up: a hook that redirects to one that would say continue.  Steps: a request.  Expected:
    the other is not asked; the request stays checking."""
    hook.routes["/other"] = lambda handler: send(handler, b'{"action":"continue"}')
    hook.routes["/hook"] = redirect(f"{hook.url}/other", 307)
    dn = request(server)
    bd.wait_log("HTTP status 307")
    bd.wait_log("attempts=2")
    assert state_of(server, dn) == "checking" and "/other" not in hook.asked


@pytest.mark.parametrize("how, words", [("endless", "larger than 64 KiB"), ("drip", "imed out"),
                                        ("down", "onnect")])
def test_hook__never_ends(server, bd, hook, how, words):
    """Set-up: a hook that sends without end, or a byte a second, or is not there.  Steps: a
    request, and a notice to be mailed.  Expected: given up after 64 KiB or the time-out; checking;
    the notice is mailed meanwhile."""
    if how == "down":
        hook._server.socket.close()
    else:
        hook.routes["/hook"] = endless if how == "endless" else drip(hook)
    dn = request(server)
    bd.wait_log(f"request-hook request=.*{words}", timeout=15)
    daemon.gone(server, daemon.notice(server))
    assert state_of(server, dn) == "checking"


@pytest.mark.parametrize("state", ["pending", "approved", "denied", "blocked", None])
def test_hook__asks_of_nothing_else(server, bd, hook, state):
    """Set-up: requests in other states, and in none.  Steps: one that is checking.  Expected: the
    hook is asked about that alone."""
    hook.answers({"action": "block"})
    other = request(server, state=state)
    assert decided(server, request(server))[0] == "blocked"
    assert len(hook.bodies) == 1
    assert server.entry(other).get("b2bRequestState") == (state and [state])


def test_hook__whoever_was_faster(server, bd, hook):
    """Set-up: a hook that takes its time.  Steps: meanwhile an administrator denies.  Expected:
    that stands, whatever the hook says."""
    def slowly(handler):
        poll(lambda: state_of(server, dn) == "denied", 5, "denied")
        send(handler, b'{"action":"continue","message":"Welcome"}')
    hook.routes["/hook"] = slowly
    dn = request(server)
    poll(lambda: hook.bodies, 10, "asked")
    connection = server.root()
    connection.modify_ext_s(dn, [records.replace("b2bRequestState", "denied")],
                            serverctrls=records.RELAX)
    daemon.gone(server, daemon.notice(server))
    assert state_of(server, dn) == "denied" and "b2bRequestAnswer" not in server.entry(dn)


def test_hook__not_configured(server, mail):
    """Set-up: b2bd without a hook.  Steps: a request that is checking, a notice.  Expected: the
    notice is mailed, the request stays."""
    dn = request(server)
    with B2bd(server, mail):
        daemon.gone(server, daemon.notice(server))
    assert state_of(server, dn) == "checking"


@pytest.mark.parametrize("honest", [True, False])
def test_hook__tls(server, mail, certs, honest):
    """Set-up: a hook with TLS, by the authority of request-hook-ca-file or an impostor's.  Steps: a
    request.  Expected: decided; or nothing was sent and it stays checking."""
    pair = (certs.cert, certs.key) if honest else certs.impostor.server()
    with Hook(pair) as hook:
        hook.answers({"action": "continue"})
        bd = B2bd(server, mail, request_hook=f"{hook.url}/hook")
        bd.set(request_hook_ca_file=bd.file("ca.pem", certs.ca.read_text()))
        with bd:
            dn = request(server)
            if honest:
                assert decided(server, dn)[0] == "pending"
            else:
                bd.wait_log("request-hook request=.*certificate")
                assert state_of(server, dn) == "checking" and hook.bodies == []
