"""Configuration: slapd.conf and cn=config, converted, changed while slapd runs, refused where wrong
and then without a trace; no tenant without a gate."""

import threading

import ldap
import pytest

from lib import builders as b, cnconfig as c
from lib.slapd import Slapd, poll

OTHER_BASE = f"cn=policy,ou=services,{b.SUFFIX}"
# option of slapd.conf, attribute of cn=config, a value that is not the default, values that are
# refused.  A default stands nowhere.
OPTIONS = [
    ("b2b-base", "olcB2bBase", OTHER_BASE, ("dc=elsewhere", "dc=example", "no name")),
    ("b2b-sweep-interval", "olcB2bSweepInterval", "17", ("86401", "-1", "4294967297", "soon")),
    ("b2b-sweep-batch", "olcB2bSweepBatch", "250", ("0", "1000001", "-5")),
    ("b2b-key-file", "olcB2bKeyFile", "/etc/ldap/tenant key.pem", ()),
    ("b2b-home-timeout", "olcB2bHomeTimeout", "7", ("0", "301")),
    ("b2b-home-concurrency", "olcB2bHomeConcurrency", "9", ("0", "257")),
]
BAD = [(conf, attr, value) for conf, attr, _, bad in OPTIONS for value in bad]
ALL = {attr: value for _, attr, value, _ in OPTIONS}
CONF_LINES = "".join(f'{conf} "{value}"\n' for conf, _, value, _ in OPTIONS
                     if conf != "b2b-sweep-interval")
TWO_LINES = ("database frontend", "overlay b2bgate", "olcDatabase={-1}frontend,cn=config")


@pytest.fixture(scope="module")
def server(make_server):
    """A tenant whose configuration lives in cn=config, gate and record keeper in place."""
    return make_server(b.tenant_server, convert=True)


@pytest.fixture
def own(make_server):
    """own(**options): a tenant of one test's own, with cn=config."""
    made = []

    def make(**options):
        made.append(b.tenant_server(convert=True, **options))
        return made[-1]

    yield make
    for each in made:
        try:
            each.stop()
        finally:
            each.remove()


def options_of(server):
    return {key: values[0] for key, values in c.live(server).items()}


def refused_without_trace(server, change):
    """change() is refused; what slapd serves and what stands on disk are the same as before.
    Gives the refusal."""
    def state():
        entries = server.config().search_s("cn=config", ldap.SCOPE_SUBTREE)
        return sorted(entries), c.stored(server)
    before = state()
    code, text = change()
    assert code != 0
    assert state() == before
    assert server.alive()
    return code, text


# --- slapd.conf and cn=config ---

def test_conf__all_options():
    """Set-up: slapd.conf with every option off its default.  Expected: slapd starts from it and
    cn=config shows each value."""
    with b.tenant_server(sweep=17, b2b=CONF_LINES, start=False) as server:
        assert options_of(server) == ALL


def test_conf__converted_keeps_all_options(own):
    """slaptest turns the same slapd.conf into cn=config; slapd starts from it; slapcat and the
    running slapd show each value, after a restart too."""
    server = own(sweep=17, b2b=CONF_LINES)
    for _ in range(2):
        assert c.stored_options(server) == ALL
        assert options_of(server) == ALL
        server.restart()
    assert "olcOverlay={0}b2bgate" in c.stored(server)


def test_conf__defaults_stand_nowhere(own):
    """An option at its default is not written out."""
    server = own(sweep=60)
    assert c.stored_options(server) == {} == options_of(server)


@pytest.mark.parametrize("conf, attr, value", BAD)
def test_conf__bad_option(conf, attr, value):
    """slaptest and slapd refuse slapd.conf with an option out of range; the message names option
    and value."""
    server = Slapd(conf=b.tenant_conf(b2b=f'{conf} "{value}"'))
    try:
        done = server.tool("slaptest", "-u", check=False)
        assert done.returncode != 0
        assert conf in done.stderr
        assert value in done.stderr or "invalid DN" in done.stderr  # slapd's own words
        if value == BAD[0][2]:
            assert conf in server.start_fails()
    finally:
        server.remove()


@pytest.mark.parametrize("frontend", [True, False])
def test_conf__gate_is_found(frontend):
    """The gate may stand in "database frontend", or in the global part of slapd.conf, where
    overlays are the frontend's."""
    conf = b.tenant_conf(gate=frontend)
    if not frontend:
        conf = conf.replace("database frontend\n", "overlay b2bgate\ndatabase frontend\n")
    server = Slapd(conf=conf, rootdn=b.ROOTDN, rootpw=b.ROOTPW, suffix=b.SUFFIX)
    with server:
        assert "olcOverlay={0}b2bgate,olcDatabase={-1}frontend,cn=config" in \
            [dn for dn, _ in server.config().search_s("cn=config", ldap.SCOPE_SUBTREE)]


# --- options at run time ---

@pytest.mark.parametrize("conf, attr, value, bad", OPTIONS,
                         ids=[option[0] for option in OPTIONS])
def test_option__set_and_deleted(server, conf, attr, value, bad):
    """Each option is set, shown by the running slapd and on disk, and deleted again, at run
    time."""
    before = options_of(server)
    assert c.put(server, c.KEEPER, attr, value) == (0, "")
    assert options_of(server)[attr] == value == c.stored_options(server)[attr]
    assert c.put(server, c.KEEPER, attr) == (0, "")
    assert attr not in options_of(server) and attr not in c.stored_options(server)
    if attr in before:
        assert c.put(server, c.KEEPER, attr, before[attr]) == (0, "")
    assert options_of(server) == before


@pytest.mark.parametrize("conf, attr, value", BAD)
def test_option__refused(server, conf, attr, value):
    """A value out of range is refused at run time, with option and value in the message, and
    nothing has changed; whether the option was set before or not."""
    def change():
        return c.put(server, c.KEEPER, attr, value)

    if attr in options_of(server):
        assert c.put(server, c.KEEPER, attr) == (0, "")
    for good in (None, ALL[attr]):
        if good:
            assert c.put(server, c.KEEPER, attr, good) == (0, "")
        code, text = refused_without_trace(server, change)
        assert attr in text
        # what is no number or no name at all, slapd itself refuses before we see it
        assert value in text or code == ldap.INVALID_SYNTAX.errnum
    assert c.put(server, c.KEEPER, attr) == (0, "")


def test_option__two_values(server):
    """An option has one value."""
    refused_without_trace(server, lambda: c.put(server, c.KEEPER, "olcB2bSweepBatch", "5", "6"))


# --- where the overlays belong ---

def test_place__keeper_on_frontend(server):
    code, text = refused_without_trace(
        server, lambda: c.add_overlay(server, "b2b", c.FRONTEND))
    assert "b2bgate" in text


def test_place__gate_on_database(server):
    code, text = refused_without_trace(
        server, lambda: c.add_overlay(server, "b2bgate", c.MAIN))
    assert "frontend" in text


@pytest.mark.parametrize("name, database", [("b2b", c.MAIN), ("b2bgate", c.FRONTEND)])
def test_place__twice(server, name, database):
    """Each overlay stands in its place once."""
    code, text = refused_without_trace(server, lambda: c.add_overlay(server, name, database))
    assert name in text


@pytest.mark.parametrize("wrong", ["keeper on frontend", "gate on database"])
def test_place__slapd_conf(wrong):
    """The same from slapd.conf: slapd does not start and says where the overlay belongs."""
    if wrong == "keeper on frontend":
        conf = b.tenant_conf(frontend="overlay b2b\n")
    else:
        conf = b.tenant_conf(database="overlay b2bgate\n")
    server = Slapd(conf=conf)
    try:
        assert "b2b: " in server.start_fails()
    finally:
        server.remove()


# --- no gate ---

def one_line(log):
    lines = [line for line in log.splitlines() if "no gate" in line]
    assert len(lines) == 1, log
    return lines[0]


@pytest.mark.parametrize("convert", [False, True])
def test_gate__missing_at_start(convert):
    """Set-up: a tenant without a gate, in slapd.conf and in cn=config.  Expected: slapd refuses to
    start, with one line that names the database and the two lines to add."""
    server = b.tenant_server(start=False, gate=False, convert=convert)
    try:
        line = one_line(server.start_fails())
        assert b.SUFFIX in line and all(text in line for text in TWO_LINES)
    finally:
        server.remove()


def test_gate__missing_at_run_time(own):
    """b2b before b2bgate is refused with the same words and leaves no trace; then both go in, in
    the right order."""
    server = own(gate=False, keeper=False)
    code, text = refused_without_trace(server, lambda: c.add_keeper(server))
    assert "b2bgate" in text and c.FRONTEND in text
    assert c.add_gate(server) == (0, "")
    assert c.add_keeper(server, olcB2bSweepBatch="7") == (0, "")
    assert c.stored_options(server) == {"olcB2bSweepBatch": "7"}
    server.restart()


def test_gate__disabled_counts_as_missing():
    """A gate with olcDisabled is no gate: slapd refuses to start."""
    server = b.tenant_server(start=False, convert=True)
    try:
        server.tool("slapmodify", "-n0", input=f"dn: {c.GATE}\nchangetype: modify\n"
                    "replace: olcDisabled\nolcDisabled: TRUE\n")
        one_line(server.start_fails())
    finally:
        server.remove()


def test_rootdn__missing_at_start():
    """The overlay works in the rootdn's name: a database without one is refused."""
    conf = b.tenant_conf().replace(f"rootdn {b.ROOTDN}\nrootpw {b.ROOTPW}\n", "")
    server = Slapd(conf=conf)
    try:
        assert "rootdn" in server.start_fails()
    finally:
        server.remove()


def test_rootdn__missing_at_run_time(own):
    """The same at run time, without a trace, and with the reason in the answer."""
    server = own(keeper=False)
    main = server.config()
    main.modify_s(c.MAIN, [(ldap.MOD_DELETE, "olcRootPW", None),
                           (ldap.MOD_DELETE, "olcRootDN", None)])
    code, text = refused_without_trace(server, lambda: c.add_keeper(server))
    assert "rootdn" in text


# --- the gate taken away under a tenant ---

def guest_server(own, fake_home, behaviour="success", **options):
    """A tenant with the guest gina, whose home believes everything."""
    home = fake_home(behaviour)
    return own(data=b.partner_ldif("home", home.uri) + b.guest_ldif("gina"), **options), home


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_gate__taken_away(own, fake_home, how):
    """Set-up: held connections of a member, a guest, the rootdn and nobody; the gate is taken away.
    Expected: unavailable for all but the rootdn, at binds and at every operation; with the gate
    back, members are served, and the guest after it has proved itself again."""
    server, _ = guest_server(own, fake_home)
    member = server.conn(b.member_dn("mia"), "mia-pw")
    guest, nobody, root = server.conn(b.guest_dn("gina"), "x"), server.conn(), server.root()
    if how == "deleted":
        assert c.remove(server, c.GATE) == (0, "")
    else:
        assert c.put(server, c.GATE, "olcDisabled", "TRUE") == (0, "")

    change = [(ldap.MOD_REPLACE, "description", [b"x"])]
    missing = (ldap.UNAVAILABLE.errnum, "b2b: the gate is missing")
    for held in (member, guest, nobody):
        assert c.code_of(held.search_s, b.SUFFIX, ldap.SCOPE_BASE) == missing
        assert c.code_of(held.compare_s, b.SUFFIX, "dc", b"ours") == missing
    for held in (member, guest):
        assert c.code_of(held.modify_s, b.member_dn("max"), change) == missing
        assert c.code_of(held.delete_s, b.member_dn("max")) == missing
        assert c.code_of(held.rename_s, b.member_dn("max"), "uid=min") == missing
        assert c.code_of(held.add_s, f"ou=new,{b.SUFFIX}",
                         [("objectClass", b"organizationalUnit")]) == missing
        assert c.code_of(held.passwd_s, b.member_dn("max"), None, "new") == missing
    for dn, password in ((b.member_dn("mia"), "mia-pw"), (b.guest_dn("gina"), "x")):
        assert c.code_of(server.conn, dn, password)[0] == ldap.UNAVAILABLE.errnum
    assert root.search_s(b.SUFFIX, ldap.SCOPE_BASE)
    assert server.entry(b.member_dn("max"))  # a new bind of the rootdn

    if how == "deleted":
        assert c.add_gate(server) == (0, "")
    else:
        assert c.put(server, c.GATE, "olcDisabled", "FALSE") == (0, "")
    assert member.search_s(b.member_dn("mia"), ldap.SCOPE_BASE)
    assert server.conn(b.member_dn("mia"), "mia-pw")
    assert c.code_of(guest.search_s, b.guest_dn("gina"), ldap.SCOPE_BASE)[0] == \
        ldap.UNWILLING_TO_PERFORM.errnum
    guest.simple_bind_s(b.guest_dn("gina"), "x")
    assert guest.search_s(b.guest_dn("gina"), ldap.SCOPE_BASE)


def test_gate__guest_stays_guest(own, fake_home):
    """A guest whose entry is deleted while the gate is away does not come back as an ordinary user
    on the connection that it held."""
    server, _ = guest_server(own, fake_home)
    guest = server.conn(b.guest_dn("gina"), "x")
    assert c.remove(server, c.GATE) == (0, "")
    server.root().delete_s(b.guest_dn("gina"))
    assert c.add_gate(server) == (0, "")
    assert c.code_of(guest.search_s, b.member_dn("mia"), ldap.SCOPE_BASE)[0] == \
        ldap.UNWILLING_TO_PERFORM.errnum


def test_gate__no_moment_without(own, fake_home):
    """slapd answers the deletion of an overlay before it closes it: a guest that asks between the
    two is not served either.  Forty times, for it is a race."""
    server, _ = guest_server(own, fake_home)
    config, guest = server.config(), server.open()
    for _ in range(40):
        guest.simple_bind_s(b.guest_dn("gina"), "x")
        config.delete_s(c.GATE)
        assert c.code_of(guest.search_s, b.SUFFIX, ldap.SCOPE_SUBTREE)[0] == \
            ldap.UNAVAILABLE.errnum
        assert c.add_gate(server) == (0, "")


# --- in and out under load ---

class Load:
    """Threads that search and bind without a pause and keep every answer that is not expected."""

    def __init__(self, server, guest_codes):
        self.server, self.guest_codes = server, guest_codes
        self.rounds, self.surprises = [0, 0, 0], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number, work))
                         for number, work in enumerate((self._search, self._bind, self._guest))]

    def _run(self, number, work):
        connection = self.server.open()
        while not self._stop.is_set():
            code, expected = work(connection)
            self.rounds[number] += 1
            if code not in expected:
                self.surprises.append((work.__name__, code))
        connection.unbind_ext_s()

    def _search(self, connection):
        return c.code_of(connection.search_s, b.member_dn("max"), ldap.SCOPE_BASE)[0], (0,)

    def _bind(self, connection):
        return c.code_of(connection.simple_bind_s, b.member_dn("mia"), "mia-pw")[0], (0,)

    def _guest(self, connection):
        code = c.code_of(connection.simple_bind_s, b.guest_dn("gina"), "x")[0]
        return code, self.guest_codes

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def test_loop__in_and_out_under_load(own, fake_home):
    """Set-up: threads search, bind as a member and bind as a guest whose home takes its time.
    Steps: gate and keeper in, options changed, keeper out, gate out, eight times.  Expected: no
    change is refused, no member notices, guests meet only success, wrong credentials (no keeper)
    and unavailable (taken away meanwhile); slapd ends well."""
    server, home = guest_server(own, fake_home)
    home.drip_secs, home.behaviour = 0.003, "drip"
    assert c.remove(server, c.KEEPER) == (0, "") == c.remove(server, c.GATE)
    guest_codes = (0, ldap.INVALID_CREDENTIALS.errnum, ldap.UNAVAILABLE.errnum)
    with Load(server, guest_codes) as load:
        for _ in range(8):
            assert c.add_gate(server) == (0, "")
            assert c.add_keeper(server, olcB2bHomeTimeout="3") == (0, "")
            assert c.put(server, c.KEEPER, "olcB2bSweepInterval", "1") == (0, "")
            assert c.put(server, c.KEEPER, "olcB2bHomeConcurrency", "2") == (0, "")
            asked = len(home.binds)
            poll(lambda: len(home.binds) > asked, 10, "a guest's bind")
            assert c.put(server, c.KEEPER, "olcB2bHomeConcurrency") == (0, "")
            assert c.remove(server, c.KEEPER) == (0, "")
            assert c.remove(server, c.GATE) == (0, "")
    assert load.surprises == []
    assert min(load.rounds) > 8, load.rounds


def test_loop__disabled_and_enabled(own, fake_home):
    """olcDisabled of the keeper and of the gate is written TRUE and FALSE, and TRUE twice, again
    and again under load; then both are deleted.  While the keeper is off there is no guest (wrong
    credentials); with it on again the guest is let in."""
    server, home = guest_server(own, fake_home)
    guest_codes = (0, ldap.INVALID_CREDENTIALS.errnum, ldap.UNAVAILABLE.errnum)
    with Load(server, guest_codes) as load:
        for _ in range(5):
            for value in ("TRUE", "TRUE", "FALSE", "FALSE"):
                assert c.put(server, c.KEEPER, "olcDisabled", value) == (0, "")
                assert c.put(server, c.KEEPER, "olcB2bSweepInterval", "1") == (0, "")
                code = c.code_of(server.conn, b.guest_dn("gina"), "x")[0]
                assert code == (49 if value == "TRUE" else 0)
            assert c.put(server, c.KEEPER, "olcDisabled") == (0, "")
    assert load.surprises == []
    for value in ("TRUE", "FALSE", "TRUE"):
        assert c.put(server, c.GATE, "olcDisabled", value) == (0, "")
        assert c.put(server, c.KEEPER, "olcDisabled", value) == (0, "")
    assert c.remove(server, c.KEEPER) == (0, "") == c.remove(server, c.GATE)
    assert server.conn(b.member_dn("mia"), "mia-pw")


# --- where the policy stands ---

def moved_policy(partner=""):
    """The policy tree once more, below OTHER_BASE."""
    text = b.policy_ldif() + partner
    return text.replace(b.BASE, OTHER_BASE).replace("cn: b2b\n", "cn: policy\n")


def test_base__elsewhere(own, fake_home):
    """Set-up: two policy trees, one whose partner lets gina in, the other without her partner.
    Steps: olcB2bBase is changed at run time, and deleted.  Expected: each time the other policy
    decides at once, at new binds and on the held connection."""
    data = b.partner_ldif("home", fake_home().uri) + b.guest_ldif("gina") + moved_policy()
    server = own(start=False, data=data).start()
    guest = server.conn(b.guest_dn("gina"), "x")
    for _ in range(2):
        assert c.put(server, c.KEEPER, "olcB2bBase", OTHER_BASE) == (0, "")
        mark = server.log_mark()
        assert c.code_of(server.conn, b.guest_dn("gina"), "x") == (49, "")
        server.wait_log("reason=partner-unknown", since=mark)
        assert c.code_of(guest.whoami_s) == (53, "b2b: partner-unknown")
        assert c.put(server, c.KEEPER, "olcB2bBase") == (0, "")
        assert c.code_of(guest.whoami_s) == (0, "")


def test_base__from_the_start(fake_home):
    """b2b-base in slapd.conf: the policy there decides, entries at the default place are none."""
    data = moved_policy(b.partner_ldif("home", fake_home().uri)) + b.guest_ldif("gina")
    with b.tenant_server(start=False, b2b=f"b2b-base {OTHER_BASE}", data=data) as server:
        assert server.conn(b.guest_dn("gina"), "x")
        root = server.root()
        root.delete_s(b.partner_dn("home").replace(b.BASE, OTHER_BASE))
        assert c.code_of(server.conn, b.guest_dn("gina"), "x") == (49, "")


def test_base__no_such_entry(own, fake_home):
    """A base without an entry: guests are denied, members are served, and the log says so."""
    server, _ = guest_server(own, fake_home)
    mark = server.log_mark()
    assert c.put(server, c.KEEPER, "olcB2bBase", f"cn=none,{b.SUFFIX}") == (0, "")
    assert "every guest is denied" in server.log(mark)
    assert c.code_of(server.conn, b.guest_dn("gina"), "x") == (49, "")
    assert server.conn(b.member_dn("mia"), "mia-pw")
