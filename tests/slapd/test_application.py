"""Which application a guest's connection belongs to; and policy that changes under load."""

import ldap
import pytest
import threading

from lib import builders, held as held_module
from lib.builders import BASE, PEOPLE, SUFFIX, guest_dn, member_dn, partner_dn, service_dn
from lib.eyes import answer, code, seen
from lib.held import APPS, HOME_NAMES, NAMES, Held
from lib.slapd import free_port, poll


@pytest.fixture(scope="module")
def home(make_server):
    return make_server(builders.home_server, names=HOME_NAMES)


@pytest.fixture(scope="module")
def world(home, make_server):
    return held_module.build(home, make_server)


# --- which application ---

def block_app(server, tenant, app, home):
    """A partner whose guests may use everything but one application."""
    server.load(builders.partner_ldif(
        tenant, home.uri, "b2bCollabInUsersAccess: allowed\nb2bCollabInUsersTarget: AllUsers\n"
        f"b2bCollabInAppsAccess: blocked\nb2bCollabInAppsTarget: {app}"))


def test_application_by_service_bound_before(world):
    """A guest that may not use the wiki: refused on a connection where the wiki's service account
    was bound before, also after others were bound between; served on any other."""
    block_app(world, "no-wiki", "wiki", world.home)
    held = Held(world, "no-wiki")
    mark = world.log_mark()
    c = world.conn(service_dn("wiki"), "wiki-pw")
    for between in ((), (member_dn("mia"), "mia-pw"), ("", "")):
        if between:
            c.simple_bind_s(*between)
        assert answer(c.simple_bind_s, held.dn, held.password)[:3] == (49, None, None)
    assert "app=wiki verdict=deny reason=inbound-apps" in world.log(mark)
    held.served()
    held.connection.simple_bind_s(service_dn("payroll"), "payroll-pw")
    held.connection.simple_bind_s(held.dn, held.password)
    held.served()


def test_application_blocked_while_held(world):
    """A guest came in through the wiki; then its partner's guests may not use the wiki: refused
    there at the next operation, served on.  The service account itself stays bound."""
    world.load(builders.partner_ldif("soon-no-wiki", world.home.uri))
    held = Held(world, "soon-no-wiki")
    by_wiki = Held.__new__(Held)
    by_wiki.__dict__.update(held.__dict__)
    by_wiki.connection = world.conn(service_dn("wiki"), "wiki-pw")
    by_wiki.connection.simple_bind_s(held.dn, held.password)
    by_wiki.served()
    world.modify(f"dn: {partner_dn('soon-no-wiki')}\nchangetype: modify\n"
                 "add: b2bCollabInUsersAccess\nb2bCollabInUsersAccess: allowed\n-\n"
                 "add: b2bCollabInAppsAccess\nb2bCollabInAppsAccess: blocked\n-\n"
                 "add: b2bCollabInAppsTarget\nb2bCollabInAppsTarget: wiki\n")
    by_wiki.refused("inbound-apps", app="wiki")
    held.served()
    by_wiki.connection.simple_bind_s(service_dn("wiki"), "wiki-pw")
    assert held.dn not in seen(by_wiki.connection, SUFFIX)
    assert member_dn("mia") in seen(by_wiki.connection, SUFFIX)


def test_service_bound_later_is_no_way_around(world):
    """Guest, then service, then the guest again on one connection: the last is judged by the
    service, whoever was first."""
    if not world.entry(partner_dn("no-wiki")):
        block_app(world, "no-wiki", "wiki", world.home)
    held = Held(world, "no-wiki")
    held.connection.simple_bind_s(service_dn("wiki"), "wiki-pw")
    assert code(held.connection.simple_bind_s, held.dn, held.password) == 49


def test_application_by_listener_and_peer(home, make_server):
    """Listener before service account, service account before peer network, peer network before
    "directory"; a guest that may not use one of them is refused there alone."""
    port = free_port()
    url = f"ldap://127.0.0.1:{port}"
    server = make_server(builders.tenant_server, urls=[f"{url}/"])
    server.load("".join(builders.service_ldif(name) for name in ("wiki",))
                + builders.app_ldif("by-listener", f"b2bAppListener: {url}/")
                + builders.app_ldif("by-service", f"b2bAppServiceDN: {service_dn('wiki')}")
                + builders.app_ldif("by-peer", "b2bAppPeer: 127.0.0.0/8"))
    ways = {  # application: how to come in through it, and a connection that would
        "by-listener": lambda: server.open(url),
        "by-service": lambda: server.conn(service_dn("wiki"), "wiki-pw", uri=server.uri),
        "by-peer": lambda: server.open(server.uri),
        "directory": lambda: server.open(server.ldapi),
    }
    for blocked in ways:
        block_app(server, f"no-{blocked}", blocked, home)
        name = next(NAMES)
        server.load(builders.guest_ldif(name, f"no-{blocked}"))
        for app, way in ways.items():
            mark, connection = server.log_mark(), way()
            got = code(connection.simple_bind_s, guest_dn(name), f"{name}-pw")
            assert got == (49 if app == blocked else 0), (app, blocked)
            wanted = f"app={app} verdict={'deny reason=inbound-apps' if got else 'allow'}"
            server.wait_log(wanted, since=mark)
    # the listener is asked first, even where a service account was bound
    connection = server.conn(service_dn("wiki"), "wiki-pw", uri=url)
    mark = server.log_mark()
    connection.simple_bind_s(guest_dn(name), f"{name}-pw")
    server.wait_log("app=by-listener verdict=allow", since=mark)
    # what the account itself finds its own application says, whatever it came in by
    names = {server.entry(dn)["b2bHomeTenant"][0]: dn
             for dn in seen(server.root(), SUFFIX, text="(objectClass=b2bGuest)", attrs=("1.1",))}
    for uri in (url, server.uri, server.ldapi):
        found = seen(server.conn(service_dn("wiki"), "wiki-pw", uri=uri), SUFFIX,
                     text="(objectClass=b2bGuest)", attrs=("1.1",))
        assert set(found) == set(names.values()) - {names["no-by-service"]}
    # one application may be all of these
    server.load(builders.service_ldif("all") + builders.app_ldif(
        "all", f"b2bAppListener: {server.ldapi}/\nb2bAppServiceDN: {service_dn('all')}\n"
        "b2bAppPeer: 127.0.0.2/32\nb2bAppAudience: all-of-it"))
    for connection in (server.open(server.ldapi),
                       server.conn(service_dn("all"), "all-pw", uri=server.uri)):
        mark = server.log_mark()
        connection.simple_bind_s(guest_dn(name), f"{name}-pw")
        server.wait_log("app=all verdict=allow", since=mark)


# --- all at once ---

def test_policy_flips_under_load(home, make_server):
    """Steps: eight threads search and bind as guest, service and member while another blocks and
    allows the partner, disables and enables a guest, rewrites labels and deletes and adds an
    application.  Result: a guest never sees what is hidden at every moment, a service never sees
    the guest that stays disabled, members see all, slapd serves on."""
    server = make_server(builders.tenant_server, b2b="b2b-home-concurrency 16\n")
    names = [next(NAMES) for _ in range(3)]
    off = next(NAMES)
    server.load(
        builders.partner_ldif("home", home.uri) + builders.service_ldif("wiki")
        + builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}\n"
                            f"b2bAppScope: {PEOPLE}")
        + "".join(builders.guest_ldif(name) for name in names)
        + builders.guest_ldif(off).replace("Enabled: TRUE", "Enabled: FALSE")
        + f"dn: cn=secret,{PEOPLE}\nobjectClass: applicationProcess\nobjectClass: b2bLabelled\n"
        "cn: secret\nb2bLabel: Secret\n\n")
    server.modify(f"dn: {BASE}\nchangetype: modify\nadd: b2bLabelOrder\nb2bLabelOrder: {{0}}Low\n"
                  "b2bLabelOrder: {1}Secret\n")
    stop, faults, counts = threading.Event(), [], {"served": 0, "refused": 0}
    never = {guest_dn(off), f"cn=secret,{PEOPLE}", SUFFIX, BASE}

    def look(work):
        try:
            while not stop.is_set():
                work()
        except BaseException as error:
            faults.append(repr(error))
            stop.set()

    def as_guest(name):
        def work():
            try:
                connection = server.conn(guest_dn(name), f"{name}-pw")
                for _ in range(5):
                    found = set(seen(connection, SUFFIX))
                    assert not found & never and not found & {guest_dn(n) for n in names
                                                              if n != name}
                    counts["served"] += 1
            except (ldap.UNWILLING_TO_PERFORM, ldap.INVALID_CREDENTIALS,
                    ldap.NO_SUCH_OBJECT):  # blocked after the search began: all is hidden
                counts["refused"] += 1
        return work

    def as_service():
        connection = server.conn(service_dn("wiki"), "wiki-pw")
        for _ in range(5):
            found = set(seen(connection, SUFFIX))
            assert guest_dn(off) not in found and member_dn("mia") in found
            # while its application does not exist the account is like any other
        connection.unbind_ext_s()

    def as_member():
        connection = server.conn(member_dn("mia"), "mia-pw")
        found = set(seen(connection, SUFFIX))
        assert {guest_dn(n) for n in names} | never <= found
        connection.unbind_ext_s()

    threads = [threading.Thread(target=look, args=(work,)) for work in
               [as_guest(name) for name in names] + [as_guest(names[0]), as_service, as_service,
                                                     as_member, as_member]]
    for thread in threads:
        thread.start()
    root = server.root()
    blocked = [("b2bCollabInUsersAccess", [b"blocked"]), ("b2bCollabInAppsAccess", [b"blocked"])]
    try:
        for _ in range(25):
            for values in (True, False):
                root.modify_s(partner_dn("home"), [
                    (ldap.MOD_REPLACE, a, v if values else None) for a, v in blocked])
            for value in (b"FALSE", b"TRUE"):
                root.modify_s(guest_dn(names[1]), [(ldap.MOD_REPLACE, "b2bAccountEnabled",
                                                    [value])])
            for value in (b"member", b"restricted", b"limited"):
                root.modify_s(BASE, [(ldap.MOD_REPLACE, "b2bGuestAccess",
                                      [b"limited" if value == b"member" else value])])
            root.modify_s(f"cn=wiki,{APPS}", [(ldap.MOD_REPLACE, "b2bAppMaxLabel", [b"Secret"])])
            root.modify_s(f"cn=wiki,{APPS}", [(ldap.MOD_REPLACE, "b2bAppMaxLabel", None)])
            if stop.is_set():
                break
        poll(lambda: counts["served"] > 20 or stop.is_set(), 20, "guests served")
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not faults, faults
    assert counts["refused"] > 0 and server.alive()
    assert server.conn(guest_dn(names[0]), f"{names[0]}-pw").whoami_s()
