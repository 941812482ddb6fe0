"""What is hidden and what does not exist answer alike, to the byte: every operation, with every
control, on hidden entries of every kind and on missing ones beside them, before ACLs that give
everybody everything."""

import pytest

from lib import builders, cells, table_world, wire
from lib.builders import BASE, GUESTS, PEOPLE, SUFFIX, guest_dn, service_dn
from lib.cells import CONTROLS, compares, passwords, refreshes, searches, sent, writes
from lib.gate_world import LEVELS, PAYROLL, PROJECTS, set_level
from lib.hostile import ber, ber_split
from lib.wire import PRESENT, Wire, equal, names, result

FILTERS = (PRESENT, ber(0xA0, b""), equal("cn", "x"), equal("objectClass", "referral"),
           ber(0xA2, equal("cn", "x")), equal("hasSubordinates", "TRUE"))
SERVED = ("paged results", "manageDsaIT", "subentries", "values return filter", "domain scope",
          "session tracking")
LASTING = "sync, refreshAndPersist"  # has no last message where it is served
SECRET = [f"cn={name},{PROJECTS}" for name in ("secret", "odd")]
OUT_OF_SCOPE = [f"cn={name},{PAYROLL}" for name in (
    "salaries", "hidden-referral", "to-atlas", "to-none", "hidden-subentry", "deep")]
PRIVATE = [f"cn={name},{BASE}" for name in ("outbox", "requests", "reviews")]
HIDDEN = {  # by level: entries, and a name beside them that nobody has
    "restricted": ((OUT_OF_SCOPE + SECRET + PRIVATE, "cn=nobody-here"),
                   ([guest_dn("bob"), guest_dn("caf\u00e9"), f"uid=mia,{PEOPLE}"],
                    "uid=nobody-here")),
    "limited": ((OUT_OF_SCOPE + SECRET + PRIVATE, "cn=nobody-here"),
                ([f"uid=vip,{PEOPLE}"], "uid=nobody-here")),
    "member": ((SECRET + PRIVATE, "cn=nobody-here"), ([f"uid=vip,{PEOPLE}"], "uid=nobody-here")),
}


@pytest.fixture(scope="module")
def world(home, make_server, tmp_path_factory):
    return table_world.build(home, make_server, tmp_path_factory.mktemp)


@pytest.fixture(scope="module")
def wiki(world):
    with Wire(world, service_dn("wiki"), "wiki-pw") as wired:
        yield wired


def pairs(served):
    """Controls to send with each request, critical and not."""
    found = [()]
    for name in served:
        found += [tuple(sent(name)), tuple(sent(name, True))]
    return found


def everything(dn, with_search, with_others):
    """(what, request, controls) for a name and names below it."""
    for below in ("", "cn=below,", "cn=further,cn=below,"):
        name = below + dn
        for kind, requests, controls in (
                ("search", searches(name), with_search), ("filter", searches(name, FILTERS), [()]),
                ("compare", compares(name), with_others), ("write", writes(name), with_others),
                ("password", passwords(name), with_others),
                ("refresh", refreshes(name), with_others)):
            for number, request in enumerate(requests):
                for each in controls:
                    yield (below, kind, number, each), request, each


def answers(wired, dn, *controls):
    """Every answer, with the name replaced: it may be told to who sent it."""
    return {what: [pdu.replace(dn.encode(), b"@") for pdu in wired.ask(request, each)]
            for what, request, each in everything(dn, *controls)}


def differing(got, wanted):
    return [what for what in wanted if got[what] != wanted[what]][:5]


@pytest.mark.parametrize("level", LEVELS)
def test_guest(world, level):
    """Set-up: entries out of scope (among them a referral, aliases, a subentry, one with entries
    below), labelled too high, of the policy, of other people.  Steps: every operation of a guest on
    each, and below it, with every control it may send.  Result: what a missing one answers."""
    set_level(world, level)
    with Wire(world, guest_dn("alice"), "alice-pw") as alice:
        controls = pairs(SERVED), pairs(SERVED[1:2])
        for hidden, beside in HIDDEN[level]:
            for dn in hidden:
                missing = f"{beside},{dn.split(',', 1)[1]}"
                got, wanted = (answers(alice, each, *controls) for each in (dn, missing))
                assert not differing(got, wanted), dn
                codes = {result(pdus)[0]: what for what, pdus in wanted.items()}
                assert set(codes) <= {32, 50, 12, 53, 2}, codes  # 2: session tracking, critical


def test_guest_with_any_control(world):
    """Every control of a client, critical and not, on every operation of a guest: as above."""
    set_level(world, "limited")
    everyone = pairs(CONTROLS)
    with Wire(world, guest_dn("alice"), "alice-pw") as alice:
        for dn in (f"cn=salaries,{PAYROLL}", f"cn=hidden-referral,{PAYROLL}", SECRET[0]):
            missing = f"cn=nobody-here,{dn.split(',', 1)[1]}"
            for make in (lambda name: wire.search(name, wire.SUB), wire.compare, wire.modify,
                         wire.delete, wire.add, lambda name: wire.rename(name, "cn=x"),
                         lambda name: wire.rename(name, "cn=x", PEOPLE)):
                for controls in everyone:
                    got, wanted = (alice.ask(make(name), controls) for name in (dn, missing))
                    assert got == wanted, (dn, controls)


def test_service(world, wiki):
    """A service account that may write everything, and guests it may not find: every operation with
    every control answers as for a guest that never was.  Left out is the add of a taken name
    (alreadyExists, 68): who may add hears that it is taken."""
    controls = pairs(name for name in CONTROLS if name != LASTING)
    wanted = answers(wiki, f"uid=nobody-here,{GUESTS}", controls, controls)
    for name in ("ghost", "phantom"):
        assert not differing(answers(wiki, guest_dn(name), controls, controls), wanted), name
        assert result(wiki.ask(wire.add(guest_dn(name), (
            ("objectClass", "account"), ("uid", name)))))[0] == 68
    assert world.entry(guest_dn("ghost"))["b2bAccountEnabled"] == ["FALSE"]


def test_service_follows_aliases_to_nothing(world, wiki):
    """Set-up: aliases to a hidden guest, to none, and to one that may be found.  Steps: searches
    from each, and below each, that follow them.  Result: the first two answer alike; the third
    leads to the guest."""
    def found(name):
        dn = f"cn=to-{name},{PROJECTS}"
        return [[pdu.replace(dn.encode(), b"@").replace(name.encode(), b"$" * 5) for pdu in
                 wiki.ask(wire.search(below + dn, scope, deref, attrs=("cn",)))]
                for below in ("", "uid=x,") for scope in range(4) for deref in range(4)]
    assert found("ghost") == found("gonee")
    assert names(wiki.ask(wire.search(f"cn=to-bob,{PROJECTS}", deref=wire.ALWAYS))) == [
        guest_dn("bob")]


def test_subordinates_are_not_told(world, wiki):
    """hasSubordinates would tell of what is hidden below: guests see it nowhere and service
    accounts only of guests, both may not filter by it elsewhere, and a compare has one answer.
    slapd that denies the compare itself keeps the entry, and dies at the next operation of that
    thread: here it serves on."""
    set_level(world, "member")
    with Wire(world, guest_dn("alice"), "alice-pw") as alice:
        for wired in (alice, wiki):
            pdus = wired.ask(wire.search(SUFFIX, wire.SUB))
            entries = [pdu for pdu in pdus if pdu[0] == wire.ENTRY]
            told = [name for name, pdu in zip(names(pdus), entries) if b"hasSubordinates" in pdu]
            assert len(pdus) > 20 and told == ([] if wired is alice else [
                name for name in names(pdus) if name.endswith(GUESTS) and name != GUESTS
                or name.startswith("uid=inner")])
            for value in ("TRUE", "FALSE"):
                assert names(wired.ask(wire.search(
                    SUFFIX, wire.SUB, which=equal("hasSubordinates", value)))) == (
                        told if value == "FALSE" else [])
            answered = {tuple(wired.ask(wire.compare(dn, "hasSubordinates", value)))
                        for dn in (PROJECTS, GUESTS, SECRET[0], guest_dn("ghost"), "cn=no")
                        for value in ("TRUE", "FALSE") for _ in range(20)}
            assert {result(pdus)[:3] for pdus in answered} == {(50, "", "")}
    with Wire(world, f"uid=max,{PEOPLE}", "max-pw") as member:
        assert result(member.ask(wire.compare(GUESTS, "hasSubordinates", "TRUE")))[0] == 6


# --- names written in other ways ---

UID = "0.9.2342.19200300.100.1.1"


def spellings(name):
    """The same name, as RFC 4514 and slapd let it be written."""
    rest = GUESTS
    coded = "".join(f"\\{byte:02x}" for byte in name.encode())
    return (f"uid={name},{rest}", f"UID={name.upper()},{rest.upper()}",
            f"uid = {name} , {rest.replace(',', ' , ')}", f"{UID}={name},{rest}",
            f"userid={name},{rest}", f"uid={coded},{rest}", f"uid=  {name},{rest}",
            f"uid={name};{rest}", f"{UID}={coded},{rest.replace('dc=', 'domainComponent=')}")


@pytest.mark.parametrize("number", range(len(spellings("x"))))
def test_spelling_of_a_name(world, wiki, number):
    """A hidden entry stays hidden, and one's own is found, in whichever spelling of the name; so
    does a guest stay one that signs in with it."""
    set_level(world, "restricted")
    own, bob, ghost, nobody = (spellings(name)[number]
                               for name in ("alice", "bob", "ghost", "nobod"))
    with Wire(world, own, "alice-pw") as alice:
        assert names(alice.ask(wire.search(own))) == [guest_dn("alice")]
        assert names(alice.ask(wire.search(SUFFIX, wire.SUB))) == [guest_dn("alice")]
        for wired, hidden in ((alice, bob), (wiki, ghost)):
            for make in (cells.searches, compares, writes, passwords):
                got, wanted = ([wired.ask(request) for request in make(dn)]
                               for dn in (hidden, nobody))
                assert got == wanted, (hidden, make)


def test_unicode_forms_and_parts_in_another_order(world):
    """caf\u00e9, composed and decomposed, and a name of two parts in either order are one name
    each: hidden from others, found by themselves."""
    set_level(world, "restricted")
    forms = {guest_dn("caf\u00e9"): [guest_dn("caf\u00e9"), guest_dn("cafe\u0301"),
                                     guest_dn("CAFE\u0301")],
             f"uid=multi+cn=Multi,{GUESTS}": [f"uid=multi+cn=Multi,{GUESTS}",
                                              f"CN=multi+UID=MULTI,{GUESTS}",
                                              f"{UID}=multi + 2.5.4.3=Multi,{GUESTS}"]}
    with Wire(world, guest_dn("alice"), "alice-pw") as alice, Wire(world) as anyone:
        missing = [alice.ask(request) for request in searches(f"uid=nobody,{GUESTS}")]
        for dn, written in forms.items():
            first = names(anyone.ask(wire.search(dn)))[0]
            for each in written:
                assert names(anyone.ask(wire.search(each))) == [first], each
                assert [alice.ask(request) for request in searches(each)] == missing, each


# --- a consumer ---

def service_ldif(home):
    """A service, wiki, and a guest that it does not find, ghost."""
    ghost = builders.guest_ldif("ghost").replace("Enabled: TRUE", "Enabled: FALSE")
    return (builders.partner_ldif("home", home.uri) + builders.service_ldif("wiki") + ghost
            + builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}"))


def test_service_on_a_consumer(home, make_server):
    """Set-up: a consumer (whose provider is not there).  A service's writes to a hidden guest are
    referred to the provider, as those to one that never was."""
    server = make_server(
        builders.tenant_server, start=False, access="access to * by * manage\n",
        database=f"syncrepl rid=1 provider=ldap://127.0.0.1:1 searchbase={SUFFIX} "
        "bindmethod=simple type=refreshOnly interval=00:01:00:00 retry=\"3600 +\"\n"
        "updateref ldap://provider.example\n")
    server.load(service_ldif(home))
    server.start()
    with Wire(server, service_dn("wiki"), "wiki-pw") as wiki:
        hidden, missing = ([[pdu.replace(name.encode(), b"$") for pdu in wiki.ask(request)]
                            for request in (*writes(guest_dn(name)), *searches(guest_dn(name)))]
                           for name in ("ghost", "nobod"))
        assert hidden == missing
        assert result(wiki.ask(wire.delete(guest_dn("ghost"))))[0] == 10


# --- transactions ---

def in_transaction(server, request):
    """(answer to the step, answer to the end) of a transaction with one step.  slapd 2.5.13 dies of
    transactions now and then, with the module or without: it is started again, and asked again."""
    for _ in range(20):
        try:
            with Wire(server, service_dn("wiki"), "wiki-pw") as wired:
                started = result(wired.ask(wire.extended("1.3.6.1.1.21.1")))[3]
                name = ber_split(started)[1]
                step = wired.ask(request, [wire.control("1.3.6.1.1.21.2", name, True)])
                end = wired.ask(wire.extended("1.3.6.1.1.21.3", ber(0x30, ber(0x04, name))))
            if step[-1] and end[-1]:
                return result(step)[:3], result(end)[:3]
        except OSError:
            pass
        server.kill()
        server.start()
    raise AssertionError("slapd died of every transaction")


def test_service_in_a_transaction(home):
    """Steps: transactions of one write each, to a hidden guest, to one that never was, and below
    both.  Result: the step is taken, for nothing is looked up before the end, and the end answers
    alike."""
    server = builders.tenant_server(access="access to * by * manage\n")
    try:
        server.load(service_ldif(home))
        for below in ("", "cn=below,"):
            names_of = ("ghost", "nobod")
            for hidden, missing in zip(*(writes(below + guest_dn(name)) for name in names_of)):
                got, wanted = (in_transaction(server, each) for each in (hidden, missing))
                assert got == wanted and got[0] == (0, "", "") and got[1][0] == 32
    finally:
        server.kill()
        server.remove()
