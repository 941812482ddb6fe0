"""Ways around the border that a stranger to the sources tried: forged names, writes as questions,
policy that slapadd put in the wrong shape."""

import itertools
import ldap
import pytest
import struct

from lib import builders
from lib.builders import BASE, GUESTS, SUFFIX, guest_dn, member_dn, service_dn
from lib.eyes import answer, proxy, seen

NOBODY = f"uid=nobody-here,{GUESTS}"


@pytest.fixture(scope="module")
def world(home, make_server):
    """One partner, alice (permitted), ghost (disabled: the service wiki may not find it), a service
    that may act as guests.  mia may write people and guests, max nothing; max may not even read
    guests."""
    access = (f"access to dn.subtree={GUESTS} by dn.exact={member_dn('mia')} write "
              f"by dn.exact={member_dn('max')} none by * read\n"
              f"access to dn.subtree={BASE} by dn.exact={member_dn('max')} none by * read\n"
              "access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n")
    server = make_server(builders.tenant_server, access=access, global_conf="authz-policy to\n")
    disabled = builders.guest_ldif("ghost").replace("Enabled: TRUE", "Enabled: FALSE")
    server.load(builders.partner_ldif("home", home.uri) + builders.guest_ldif("alice") + disabled
                + builders.service_ldif("wiki") + builders.service_ldif("agent")
                + builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}"))
    server.modify(f"dn: {service_dn('agent')}\nchangetype: modify\nadd: authzTo\n"
                  f"authzTo: dn.subtree:{SUFFIX}\n")
    return server


# --- names that look like another's ---

ODD, INVERSE, MASK = 0x9e3779b97f4a7c15, pow(0x9e3779b97f4a7c15, -1, 1 << 64), (1 << 64) - 1
PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789!$%&'()*-./:?@[]^_`{|}~")


def words(name):
    name = name.encode()
    return struct.unpack(f"<{-(-len(name) // 8)}Q", name + b"\0" * (-len(name) % 8))


def step(state, word):
    state = (state ^ word) * ODD & MASK
    return state ^ state >> 32


def back(state, word):
    return (state ^ state >> 32) * INVERSE & MASK ^ word


def forge(victim, epoch):
    """Another name, below our suffix, of the same multiplicative hash without a secret: words of
    eight bytes, mixed in one after the other, can be chosen so that the last state is any."""
    start = (epoch + 1) * ODD & MASK
    goal = start ^ len(victim)
    for word in words(victim):
        goal = step(goal, word)
    for tail in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=2):
        end = f"{''.join(tail)},{SUFFIX}"
        aim = goal
        for word in reversed(words(end)):
            aim = back(aim, word)
        aim = back(aim, 0)
        before = start ^ 16 + len(end)
        for letters in itertools.product("abcdefghijklmnop", repeat=4):
            first = "cn=a" + "".join(letters)
            free = (aim ^ step(before, words(first)[0])).to_bytes(8, "little")
            if (free[0] ^ free[4]) & 128 or (free[1] ^ free[5]) & 128:
                break  # these bits are the same for all letters
            if PLAIN.issuperset(free):
                return first + free.decode() + end
    raise AssertionError("no such name")


def test_forged_name_stands_for_nobody(world):
    """Set-up: agent may act as anybody; nobody knows the server's count of changes, but it is
    small.  Steps: a stranger binds with names forged to look like alice's in a table of names
    known to be no guests; alice binds; agent acts as alice.  Result: alice gets in, and her view is
    a guest's."""
    agent = world.conn(service_dn("agent"), "agent-pw")
    stranger = world.open()
    for epoch in range(4, 10):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            stranger.simple_bind_s(forge(guest_dn("alice"), epoch), "guessed")
    assert set(seen(agent, SUFFIX, controls=[proxy(f"dn:{guest_dn('alice')}")])) == {
        guest_dn("alice")}
    assert world.conn(guest_dn("alice"), "alice-pw").whoami_s() == f"dn:{guest_dn('alice')}"


# --- writes as questions ---

def add_below(connection, dn):
    connection.add_s(f"cn=x,{dn}", [("objectClass", [b"applicationProcess"]), ("cn", [b"x"])])


def move_below(connection, dn):
    connection.rename_s(service_dn("wiki"), "cn=wiki", dn)


def set_password(connection, dn):
    connection.passwd_s(dn, None, "guessed")


@pytest.mark.parametrize("ask", [add_below, move_below, set_password])
def test_service_cannot_ask_by_writing(world, ask):
    """Set-up: ghost is hidden from the service wiki, which may write nothing.  Steps: an entry
    added below it, one moved below it, its password set; the same with a guest that never was.
    Result: the same answers, to the byte."""
    wiki = world.conn(service_dn("wiki"), "wiki-pw")
    assert guest_dn("ghost") not in seen(wiki, SUFFIX)
    assert answer(ask, wiki, guest_dn("ghost")) == answer(ask, wiki, NOBODY)


@pytest.mark.parametrize("until", ["20990101000000Z", "20200101000000Z"])
def test_refusals_tell_writers_alone(world, until):
    """Set-up: max may not read guests, mia may write them; alice is valid from 2024 on.  Steps:
    both set an end before and after that day.  Result: max learns nothing from the answer."""
    world.modify(f"dn: {guest_dn('alice')}\nchangetype: modify\nreplace: b2bValidFrom\n"
                 "b2bValidFrom: 20240101000000Z\n")
    change = [(ldap.MOD_REPLACE, "b2bValidUntil", [until.encode()])]
    outcome = answer(world.conn(member_dn("max"), "max-pw").modify_s, guest_dn("alice"), change)
    assert outcome[0] == ldap.INSUFFICIENT_ACCESS.errnum and not outcome[2]
    outcome = answer(world.conn(member_dn("mia"), "mia-pw").modify_s, guest_dn("alice"), change)
    assert outcome[0] == (0 if until > "2024" else ldap.CONSTRAINT_VIOLATION.errnum)


# --- policy in the wrong shape ---

def test_default_policy_of_another_class(home):
    """Set-up: slapadd put an entry of no class of ours where the default policy stands.  Steps: a
    guest of a partner without settings of its own binds, before and after it is put right.
    Result: denied, for what the default was meant to say is not known; then let in."""
    with builders.tenant_server(start=False) as server:
        dn = f"cn=default,{BASE}"
        server.modify(f"dn: {dn}\nchangetype: delete\n")
        server.load(builders.partner_ldif("home", home.uri) + builders.guest_ldif("alice"))
        assert server.conn(guest_dn("alice"), "alice-pw")
        server.stop()
        server.load(f"dn: {dn}\nobjectClass: organizationalRole\ncn: default\n\n")
        server.start()
        mark = server.log_mark()
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            server.conn(guest_dn("alice"), "alice-pw")
        server.wait_log("reason=policy-invalid", since=mark)
        server.modify(f"dn: {dn}\nchangetype: delete\n")
        assert server.conn(guest_dn("alice"), "alice-pw")


# --- the gate taken away ---

def test_without_gate_password_modify_has_one_answer(make_server):
    """Set-up: the gate was deleted while the tenant stands.  Steps: a member sets its password.
    Result: one answer, unavailable; the next operation gets its own, not a second of that."""
    with builders.tenant_server(start=False, convert=True) as server:
        mia = server.conn(member_dn("mia"), "mia-pw")
        config = server.config()
        names = config.search_s("cn=config", ldap.SCOPE_SUBTREE, "(objectClass=olcB2bGateConfig)",
                                ["1.1"])
        config.delete_s(names[0][0])
        mark = server.log_mark()
        assert answer(mia.passwd_s, None, None, "new")[0] == ldap.UNAVAILABLE.errnum
        assert mia.whoami_s() == f"dn:{member_dn('mia')}"
        server.wait_log("op=2 RESULT", since=mark)
        assert server.log(mark).count("op=1 RESULT") == 1
