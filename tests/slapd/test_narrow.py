"""A guest's search looks at what the guest may see alone (b2b-narrow), and nobody can tell.

By hand: B2B_SEED=7 python3 -m pytest -s tests/slapd/test_narrow.py"""

import os
import random

import ldap
import pytest
from ldap.controls import SimplePagedResultsControl

from lib import builders as b, cnconfig as c
from lib.builders import BASE, GUESTS, PEOPLE, SUFFIX, guest_dn
from lib.eyes import MANAGE_DSA_IT, ONE, SUB, answer, code, control, seen
from lib.gate_world import LABELS, PROJECTS, entry, set_level
from lib.slapd import poll

SEEDS = [int(os.environ["B2B_SEED"])] if "B2B_SEED" in os.environ else [1, 2, 3, 4]
ASKED, POLICIES = 100, 6  # questions a policy, policies a tree
NESTED, REVIEWS = f"ou=nested,{SUFFIX}", f"cn=reviews,{BASE}"
CHILDREN = 3  # what stands below the base, without it
FILTERS = (
    "(objectClass=*)", "(objectClass=inetOrgPerson)", "(uid=*)", "(!(uid=alice))", "(cn=n1*)",
    "(|(cn=n3)(objectClass=groupOfNames))", "(|(cn=n3)(uid=alice))", "(cn=n4)", "(description=*a*)",
    "(&(objectClass=inetOrgPerson)(!(cn=n7)))", "(&(objectClass=*)(cn=n8))", "(cn>=n2)",
    "(uid~=alice)",
    "(objectClass=referral)", "(unheardOf=of)", "(!(unheardOf=of))", "(hasSubordinates=TRUE)",
    "(&)",
    "(|)", "(:caseIgnoreMatch:=n5)", "(ou:dn:=guests)", f"(entryDN={guest_dn('alice')})",
    f"(entryDN:dnSubtreeMatch:={GUESTS})", "(entry=*)", f"(memberOf=cn=dynamic,{SUFFIX})",
    f"(member={guest_dn('alice')})", "(b2bLabel=General)", "(b2bReviewGuest=*)",
    "(info=*)", "(!(info=*))",
    "(description=none)",
)


@pytest.fixture(scope="module", params=["", "subordinate\n"], ids=["alone", "glued"])
def world(home, make_server, tmp_path_factory, request):
    """A tenant with other overlays on its database, a database below it (glued to it, or not), and
    reviews that alice and another guest answer themselves."""
    server = make_server(
        b.tenant_server, start=False, modules=("dynlist", "memberof", "sssvlv", "syncprov", "rwm"),
        tenant=LABELS, global_conf="sizelimit 60\n",
        frontend="include /etc/ldap/schema/dyngroup.schema\noverlay sssvlv\n",
        database="index uid,cn eq\noverlay syncprov\noverlay memberof\n"
        "overlay dynlist\ndynlist-attrset groupOfURLs memberURL member+memberOf@groupOfNames\n")
    # rwm is asked before the gate, and clears up when it hears of a result
    conf = server.conf_file.read_text().replace(
        "overlay b2bgate\n", "overlay b2bgate\noverlay rwm\nrwm-map attribute info description\n")
    at = conf.index(f"database mdb\nsuffix {SUFFIX}\n")
    below = b.database_conf(NESTED, directory=tmp_path_factory.mktemp("nested"),
                            lines=request.param)
    server.conf_file.write_text(conf[:at] + below + conf[at:])
    server.tool("slapadd", "-q", "-b", NESTED, input=entry(NESTED, "organizationalUnit")
                + b.people_ldif(("ned",), NESTED))
    items = "".join(entry(f"cn={name},cn=yearly,{REVIEWS}", "b2bReviewItem",
                          f"b2bReviewGuest: {guest_dn(name)}\nb2bReviewer: {guest_dn(name)}")
                    for name in ("alice", "bob"))
    server.load(entry(REVIEWS, "b2bContainer") + entry(f"cn=yearly,{REVIEWS}", "b2bContainer")
                + items + b.partner_ldif("home", home.uri) + b.guest_ldif("alice")
                + b.guest_ldif("bob", lines="b2bClearance: General"), "-b", SUFFIX)
    server.start()
    server.load(entry(f"cn=dynamic,{SUFFIX}", "groupOfURLs",
                      f"memberURL: ldap:///{SUFFIX}??sub?(objectClass=inetOrgPerson)"))
    return server


def main_database(server):
    found = server.config().search_s("cn=config", ONE, f"(olcSuffix={SUFFIX})", ["1.1"])
    return found[0][0]


def narrow(server, on):
    assert c.put(server, c.GATE.replace("{0}", "{1}"), "olcB2bNarrow", "TRUE" if on else "FALSE") \
        == (0, "")


class Maker:
    """A random tree below one unit, a policy about it, and questions."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.top = f"ou=w{seed},{SUFFIX}"
        self.names, self.carol = [self.top], None

    def node(self, number, parent):
        """LDIF of an entry of a random kind."""
        dn, label = f"cn=n{number},{parent}", self.random.choice(("Public", "General", "Odd"))
        kind = self.random.choice("ou ou person person labelled group alias referral".split())
        if kind == "person":
            return dn, entry(dn, "inetOrgPerson b2bLabelled",
                             f"sn: x\nuid: u{number}\ndescription: a{number}\nb2bLabel: {label}")
        if kind == "labelled":
            return dn, entry(dn, "applicationProcess b2bLabelled", f"b2bLabel: {label}")
        if kind == "group":
            return dn, entry(dn, "groupOfNames", f"member: {guest_dn('alice')}\nmember: {parent}")
        if kind == "alias":
            return dn, entry(dn, "alias extensibleObject", f"aliasedObjectName: {parent}")
        if kind == "referral":
            return dn, entry(dn, "referral extensibleObject",
                             f"ref: ldap://elsewhere.example/{dn}")
        dn = f"ou=n{number},{parent}"
        return dn, entry(dn, "organizationalUnit", "description: a unit")

    def tree(self):
        text = entry(self.top, "organizationalUnit")
        for number in range(40):
            parent = self.random.choice([n for n in self.names if n.startswith("ou=")])
            if number == 15:
                self.carol = f"uid=carol,{parent}"
                self.names.append(self.carol)
                text += b.guest_ldif("carol").replace(GUESTS, parent)
                continue
            dn, ldif = self.node(number, parent)
            self.names.append(dn)
            text += ldif
        return text

    def scope(self):
        return self.random.choice([
            *self.random.sample(self.names, 10),
            *self.random.choices([n for n in self.names if n.startswith("ou=")], k=6),
            f"cn=missing,{self.top}", GUESTS, PEOPLE,
            f"cn=missing,cn=missing,{SUFFIX}", guest_dn("alice"), NESTED, REVIEWS, self.top])

    def apps(self):
        return "".join(b.app_ldif(f"app{n}", "\n".join(
            [f"b2bAppScope: {dn}" for dn in
             sorted({self.scope() for _ in range(self.random.randint(1, 4))})]
            + self.random.choice(([], ["b2bAppMaxLabel: Public"], ["b2bAppMaxLabel: General"]))))
            for n in range(3))

    def access(self):
        """slapd's own rules: some that hide a top of what may be seen below it."""
        rules = ["to attrs=userPassword by anonymous auth by * none"]
        for _ in range(self.random.choice((0, 0, 1, 2, 3))):
            rules.append("to " + self.random.choice([
                f'dn.base="{self.random.choice(self.names)}"',
                f'dn.base="{self.random.choice(self.names)}" attrs=entry',
                f'dn.subtree="{self.random.choice(self.names)}"',
                f'dn.children="{self.random.choice(self.names)}"',
                "attrs=description", "attrs=cn", "attrs=entryDN",
            ]) + " by * " + self.random.choice(("none", "disclose", "search", "=rscd", "=rd")))
        return [*rules, "to * by * read"]

    def question(self):
        """Arguments of ask()."""
        base = self.random.choice([*[SUFFIX] * 14, *[self.top] * 6, GUESTS, GUESTS, BASE, REVIEWS,
                                   "",
                                   "dc=example", f"cn=missing,{self.top}", guest_dn("alice"),
                                   NESTED, *self.random.sample(self.names, 6)])
        controls = self.random.choice([[], [], [], [control(MANAGE_DSA_IT)],
                                       [SimplePagedResultsControl(True, size=2, cookie="")]])
        return (base, self.random.choice((SUB, SUB, SUB, ONE, CHILDREN, ldap.SCOPE_BASE)),
                self.random.choice(FILTERS), controls, self.random.choice((0, 0, 0, 1, 2, 5)),
                self.random.choice((ldap.DEREF_NEVER, ldap.DEREF_ALWAYS)))


def ask(connection, question):
    """All that a search tells: ((code, matched DN, text, referrals), entries, references, controls
    of the result).  Of one that the size limit ended: how many entries."""
    base, scope, text, controls, limit, deref = question
    connection.set_option(ldap.OPT_DEREF, deref)
    message = connection.search_ext(base, scope, text, ["*", "+"], serverctrls=controls,
                                    sizelimit=limit)
    entries, references, back = [], [], []

    def receive():
        while True:
            kind, data, _, ctrls = connection.result3(message, 0)
            for dn, facts in data:
                if dn is None:
                    references.append(facts)
                else:
                    entries.append((dn, sorted((k, sorted(v)) for k, v in facts.items())))
            if kind == ldap.RES_SEARCH_RESULT:
                back.extend((ctrl.controlType, ctrl.size, ctrl.cookie) for ctrl in ctrls)
                return
    result = answer(receive)
    if result[0] == ldap.SIZELIMIT_EXCEEDED.errnum or back:
        return result, len(entries), back
    return result, sorted(entries), sorted(references), back


def settle(server, maker):
    """Another policy."""
    for app in server.root().search_s(f"cn=applications,{BASE}", ONE, "(objectClass=*)", ["1.1"]):
        server.root().delete_s(app[0])
    server.load(maker.apps())
    server.modify(f"dn: {BASE}\nchangetype: modify\nreplace: b2bAttributeLabel\n"
                  + maker.random.choice(("", "b2bAttributeLabel: description=General\n")) + "\n")
    assert c.put(server, main_database(server), "olcAccess",
                 *(f"{{{n}}}{rule}" for n, rule in enumerate(maker.access()))) == (0, "")
    set_level(server, maker.random.choice(("limited", "limited", "limited", "restricted")))


def sign_in(server, names):
    """Their connections, once it is noted that they were here, which nobody waits for."""
    connections = [server.conn(dn, f"{dn[4:].split(',')[0]}-pw") for dn in names]
    for dn in names:
        poll(lambda dn=dn: "b2bLastSignIn" in server.entry(dn), 10, f"{dn}: sign-in")
    return connections


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_are_the_same_with_and_without(world, seed):
    """Set-up: a random tree (people, groups, aliases, referrals, labels, a guest inside), random
    scopes of three applications (one within another, missing, of another database, above and below
    guests), random access rules of slapd's, an access level.  Steps: random searches (base, scope,
    filter, size limit, paged, manageDSAit) by three guests, with b2b-narrow on and off.  Result:
    code, matched DN, text, referrals, entries with all attributes, references and controls are
    equal; some searches find something."""
    maker, found = Maker(seed), 0
    world.load(maker.tree())
    for _ in range(POLICIES):
        settle(world, maker)
        asked = [(maker.random.randrange(3), maker.question()) for _ in range(ASKED)]
        told = []
        for on in (True, False):
            narrow(world, on)
            # slapd remembers pages by connection
            guests = sign_in(world, (guest_dn("alice"), guest_dn("bob"), maker.carol))
            told.append([ask(guests[who], question) for who, question in asked])
        for question, fast, slow in zip(asked, *told):
            assert fast == slow, f"seed {seed}, {question}"
        found += sum(1 for each in told[0] if each[0][0] == 0 and each[1])
    narrow(world, True)
    assert found


# --- that it is done, and when ---

MANY = 300


@pytest.fixture(scope="module")
def crowd(home, make_server):
    """300 people, of whom alice sees none, and one project, which she sees; slapd refuses guests'
    searches that look at more than 100 entries."""
    names = [f"m{n}" for n in range(MANY)]
    server = make_server(
        b.tenant_server, start=False, convert=True, tenant=LABELS, database="index uid eq\n"
        f"limits dn.onelevel={GUESTS} size.unchecked=100\n")
    server.load(b.people_ldif(names, PEOPLE) + entry(PROJECTS, "organizationalUnit")
                + entry(f"cn=atlas,{PROJECTS}", "applicationProcess")
                + b.people_ldif(("pia",), PEOPLE).replace("uid: pia", "uid: pia\nobjectClass: "
                                                          "b2bLabelled\nb2bLabel: General")
                + b.partner_ldif("home", home.uri)
                + b.guest_ldif("alice", lines="b2bClearance: General")
                + b.app_ldif("wiki", f"b2bAppScope: {PROJECTS}\nb2bAppScope: uid=pia,{PEOPLE}\n"
                             "b2bAppMaxLabel: Public"))
    server.start()
    return server


def test_a_search_looks_at_what_the_guest_may_see(crowd):
    """Steps: alice searches from the suffix for everything and for people; b2b-narrow goes off and
    on again; olcB2bNarrow is deleted.  Result: her own entry and her scope, within what slapd lets
    her look at; adminLimitExceeded while it is off; on where absent."""
    alice = crowd.conn(guest_dn("alice"), "alice-pw")
    own, project = guest_dn("alice"), {PROJECTS, f"cn=atlas,{PROJECTS}"}
    assert c.put(crowd, c.GATE, "olcB2bNarrow", "TRUE") == (0, "")
    assert c.live(crowd, c.GATE) == {"olcB2bNarrow": ["TRUE"]}
    assert set(seen(alice, SUFFIX)) == {own, *project}
    assert set(seen(alice, SUFFIX, SUB, "(uid=*)")) == {own}
    assert set(seen(alice, SUFFIX, ONE)) == {PROJECTS}
    assert c.put(crowd, c.GATE, "olcB2bNarrow", "FALSE") == (0, "")
    assert code(seen, alice, SUFFIX) == ldap.ADMINLIMIT_EXCEEDED.errnum
    assert c.put(crowd, c.GATE, "olcB2bNarrow") == (0, "")
    assert c.live(crowd, c.GATE) == {}
    assert set(seen(alice, SUFFIX)) == {own, *project}


def test_a_filter_that_promised_too_much_is_not_believed_again(crowd):
    """Steps: (sn=M*), which no index serves, twice.  Result: the first search goes through all
    people, which slapd refuses beyond 100 candidates, so the limit is off for it; the second, with
    the limit, looks at what alice sees alone."""
    alice = crowd.conn(guest_dn("alice"), "alice-pw")
    limit = f"{{0}}dn.onelevel=\"{GUESTS}\" size.unchecked=100"
    assert code(seen, alice, SUFFIX, SUB, "(sn=M*)") == ldap.ADMINLIMIT_EXCEEDED.errnum
    assert c.put(crowd, c.MAIN, "olcLimits") == (0, "")
    try:
        assert seen(alice, SUFFIX, SUB, "(sn=M*)") == {}
    finally:
        assert c.put(crowd, c.MAIN, "olcLimits", limit) == (0, "")
    assert seen(alice, SUFFIX, SUB, "(sn=M*)") == {}


def test_a_part_of_a_search_reads_no_names(crowd):
    """Set-up: pia, labelled General, is in the scope of the wiki, whose cap is Public; alice may
    see up to General.  Steps: alice reads pia by name, then searches one level above her.  Result:
    her name by the first; nothing by the second, though it looks at pia's entry by name."""
    alice = crowd.conn(guest_dn("alice"), "alice-pw")
    pia = f"uid=pia,{PEOPLE}"
    assert set(seen(alice, pia, ldap.SCOPE_BASE)) == {pia}
    assert seen(alice, PEOPLE, ONE) == {}


@pytest.mark.parametrize("text", ["(cn=m*)", "(objectClass=applicationProcess)"])
def test_gate_goes_in_the_middle(home, make_server, text):
    """Set-up: large entries in the scope, and later ones that are hidden; another overlay beside
    the gate.  Steps: a search, in parts or not, of which little is read, so that slapd waits for
    the guest; the gate goes; the rest is read.  Result: busy, and no entry that was hidden."""
    server = make_server(b.tenant_server, start=False, convert=True, modules=("refint",),
                         frontend="overlay refint\n")
    later = f"ou=later,{SUFFIX}"
    server.load(b.partner_ldif("home", home.uri) + b.guest_ldif("alice") + b.app_ldif(
        "wiki", f"b2bAppScope: {PROJECTS}") + entry(PROJECTS, "organizationalUnit") + "".join(
        entry(f"cn=m{i},{PROJECTS}", "applicationProcess", f"description: {'x' * 20000}")
        for i in range(60)) + entry(later, "organizationalUnit")
        + "".join(entry(f"cn=m{i},{later}", "applicationProcess") for i in range(60)))
    server.start()
    alice, found = server.conn(guest_dn("alice"), "alice-pw", uri=server.ldapi), []
    message = alice.search_ext(SUFFIX, SUB, text)
    assert alice.result3(message, 0)[0] == ldap.RES_SEARCH_ENTRY
    assert c.remove(server, f"olcOverlay={{1}}b2bgate,{c.FRONTEND}") == (0, "")
    with pytest.raises(ldap.BUSY):
        while True:
            kind, entries, _, _ = alice.result3(message, 0)
            found += [dn for dn, _ in entries if dn.endswith(later)]
            assert kind != ldap.RES_SEARCH_RESULT, found
    assert not found
    server.stop()
