"""Fixtures for all tests against a real slapd; see lib/ for what stands behind them.

A server fixture is module-scoped: one slapd serves a file of tests.  Tests that need a server of
their own use the builders (lib.builders) with "with".
"""

import os
import sys
from pathlib import Path

# Before libldap is first used: nobody's ldap.conf may change what the tests see.
os.environ["LDAPNOINIT"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import pytest  # noqa: E402

from lib import builders, certs as certs_module, slapd as slapd_module  # noqa: E402
from lib.ctl import Ctl, cleaned  # noqa: E402
from lib.hostile import FakeHome  # noqa: E402
from lib.tokens import Key  # noqa: E402
from lib.web import Web  # noqa: E402
from lib.idp import Idp  # noqa: E402


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """Certificates for localhost and 127.0.0.1, and an impostor's."""
    return certs_module.Certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def home(certs):
    """A partner's directory with TLS; never changed by tests."""
    server = builders.home_server(certs=certs)
    yield server
    _finish(server)


@pytest.fixture(scope="session")
def idp():
    """A real OpenID provider (lib.idp) whose keys stay; people are added to it, never changed."""
    provider = Idp()
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def tenant(certs):
    """Our tenant with an empty policy, TLS, the gate and the record keeper."""
    server = builders.tenant_server(certs=certs)
    yield server
    _finish(server)


@pytest.fixture(scope="module")
def make_server():
    """make_server(builder, **options): a server of any kind that is ended with the module."""
    made = []

    def make(builder, **options):
        server = builder(**options)
        made.append(server)
        return server

    yield make
    for server in reversed(made):
        _finish(server)


@pytest.fixture
def fake_home():
    """fake_home(behaviour, ...): a hostile home server (lib.hostile.FakeHome), ended with the
    test."""
    made = []

    def make(*args, **options):
        made.append(FakeHome(*args, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def _finish(server):
    try:
        server.stop()
    finally:
        server.remove()


@pytest.fixture(scope="module")
def served(make_server):
    """b2bctl beside a tenant of its own."""
    return Ctl(make_server(builders.tenant_server))


@pytest.fixture
def ctl(served):
    """An empty policy; what a test leaves is taken away."""
    yield served
    cleaned(served)


@pytest.fixture
def web():
    """A provider's web server, with every fault that one can have."""
    with Web() as server:
        yield server


@pytest.fixture(scope="module")
def keys():
    """Keys that are slow to make, for all tests."""
    return {"rsa": Key("RSA", "rsa"), "ec": Key("P-256", "ec"), "new": Key("P-256", "new")}


@pytest.fixture(scope="session", autouse=True)
def _nothing_left():
    """What a test forgot is ended here, and the last test says so."""
    yield
    forgotten = [server.name for server in slapd_module._running]
    complaints = slapd_module.stop_all()
    assert not forgotten, f"still running at the end: {forgotten} {complaints}"
