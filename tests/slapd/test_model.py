"""Random directories, policies, guests, programs and questions: every answer of a real slapd is
what the plain rules of lib/model.py give.

By hand: B2B_SEED=7 B2B_WORLDS=100 python3 -m pytest tests/slapd/test_model.py"""

import os
import random

import ldap
import pytest

from lib import builders as b
from lib import model
from lib.model import World

FIRST, WORLDS = int(os.environ.get("B2B_SEED", 1)), int(os.environ.get("B2B_WORLDS", 12))
GUESTS = ("ann", "ben", "cat", "dan", "eve")
PARTNERS, APPS = ("red", "blue", "green"), ("wiki", "shop", "crm")
LABELS = ("Public", "Internal", "Secret")
AREAS = [f"ou=a{i},{b.SUFFIX}" for i in range(3)] + [f"ou=inner,ou=a0,{b.SUFFIX}"]
SCOPES = {"base": ldap.SCOPE_BASE, "one": ldap.SCOPE_ONELEVEL, "sub": ldap.SCOPE_SUBTREE}
ACCESS = f"""access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="{b.BASE}" by * none
access to * by * read
"""


def some(rng, values, least=0, most=2):
    return rng.sample(list(values), rng.randint(least, min(most, len(values))))


def maybe(rng, values, chance=0.5):
    return rng.choice(list(values)) if rng.random() < chance else None


def half(rng, names, everybody):
    if rng.random() < 0.45:
        return None
    return rng.choice(("allowed", "allowed", "blocked")), (
        [everybody] if rng.random() < 0.3 else some(rng, names, 1))


def settings(rng):
    """Cross-tenant settings that may be written: who blocks all of one half, blocks the other."""
    names = [model.subject_of(g) for g in GUESTS] + list(PARTNERS)
    users = half(rng, names, "AllUsers")
    apps = half(rng, (*APPS, "directory"), "AllApplications")
    for one, other, all_of in ((users, apps, "AllUsers"), (apps, users, "AllApplications")):
        if one and other and one[0] == "blocked" and all_of in one[1] and other[0] == "allowed":
            users = apps = None
    return {"users": users, "apps": apps, "trust": rng.choice((None, None, True, False))}


def policy(rng):
    # one without a grant must bound labels
    label = maybe(rng, (*LABELS, "Unheard Of"))
    grant = rng.choice(("mfa", "mfa", "block", None) if label else ("mfa", "mfa", "block"))
    return {"state": rng.choice(("enabled", "enabled", "disabled", "reportOnly")),
            "partners": some(rng, PARTNERS, 1), "apps": some(rng, (*APPS, "directory"), 1),
            "grant": grant, "max_label": label if grant != "block" else None}


def person(rng, dn):
    name = dn.split(",")[0].split("=")[1]
    entry = {"objectClass": ["inetOrgPerson", "b2bLabelled"], "uid": [name], "sn": [name],
             "cn": [name.capitalize()], "mail": [f"{name}@ours.example"]}
    if rng.random() < 0.7:
        entry["telephoneNumber"] = [str(rng.randint(100, 105))]
    if rng.random() < 0.5:
        entry["roomNumber"] = [str(rng.randint(1, 3))]
    label = maybe(rng, (*LABELS, "Unheard Of"), 0.7)
    return {**entry, "b2bLabel": [label]} if label else entry


def guest_entry(rng, name, record):
    entry = person(rng, b.guest_dn(name))
    return {**entry, "objectClass": [*entry["objectClass"], "b2bGuest"],
            "b2bHomeTenant": [record["partner"]]}


def make_world(seed, partner_of=None):
    rng = random.Random(seed)
    guests = {g: {"partner": (partner_of or {}).get(g) or rng.choice(PARTNERS),
                  "enabled": rng.random() < 0.9, "expired": rng.random() < 0.1,
                  "clearance": maybe(rng, (*LABELS, "Unheard Of"), 0.7),
                  "access": maybe(rng, ("member", "limited", "restricted"), 0.3)} for g in GUESTS}
    guest_dns = [b.guest_dn(g) for g in GUESTS]
    groups = {"g0": some(rng, guest_dns, 1, 3) + [b.member_dn("mia")],
              "g1": [model.group_dn("g0"), *some(rng, guest_dns)],
              "g2": some(rng, guest_dns, 1)}
    groups["g0"] += some(rng, [model.group_dn("g1")])  # a circle, sometimes
    apps = {a: {"required": rng.random() < 0.5,
                "assignees": some(rng, guest_dns + [model.group_dn(g) for g in groups]),
                "scopes": some(rng, AREAS), "max_label": maybe(rng, (*LABELS, "Unheard Of"), 0.4)}
            for a in APPS}
    tenant = {"access": rng.choice((None, "limited", "limited", "restricted", "member")),
              "order": rng.sample(LABELS, 3), "default": maybe(rng, LABELS),
              "attribute_labels": {a: rng.choice(LABELS)
                                   for a in some(rng, ("telephoneNumber", "roomNumber", "mail"))}}
    partners = {p: {**settings(rng), "access": maybe(rng, ("member", "limited", "restricted"), 0.3),
                    "max_label": maybe(rng, (*LABELS, "Unheard Of"), 0.4)} for p in PARTNERS}
    world = World(tenant, settings(rng), partners, apps,
                  {f"ca{i}": policy(rng) for i in range(2)}, guests, groups)
    fill(rng, world)
    return world


def fill(rng, world):
    entries = world.entries
    entries[b.SUFFIX] = {"objectClass": ["domain"], "dc": ["ours"]}
    for dn in (b.PEOPLE, b.GUESTS, f"ou=services,{b.SUFFIX}", f"ou=groups,{b.SUFFIX}", *AREAS):
        entries[dn] = {"objectClass": ["organizationalUnit"], "ou": [dn.split(",")[0][3:]]}
    for name in ("mia", "max"):
        entries[b.member_dn(name)] = person(rng, b.member_dn(name))
    for area in AREAS:
        for i in range(3):
            dn = f"uid={area[3:].split(',')[0]}-{i},{area}"
            entries[dn] = person(rng, dn)
    for name, record in world.guests.items():
        entries[b.guest_dn(name)] = guest_entry(rng, name, record)
    for name, dns in world.groups.items():
        entries[model.group_dn(name)] = {"objectClass": ["groupOfNames"], "cn": [name],
                                         "member": dns}


def term(rng, depth=2):
    if depth and rng.random() < 0.4:
        kind = rng.choice(("and", "or", "not"))
        if kind == "not":
            return kind, term(rng, depth - 1)
        return kind, [term(rng, depth - 1) for _ in range(2)]
    return rng.choice((
        ("objectClass", None), ("objectClass", "inetOrgPerson"), ("telephoneNumber", None),
        ("telephoneNumber", str(rng.randint(100, 105))), ("roomNumber", str(rng.randint(1, 3))),
        ("mail", f"{rng.choice(GUESTS)}@ours.example"), ("uid", rng.choice(GUESTS)),
        ("b2bLabel", rng.choice(LABELS)), ("b2bHomeTenant", None), ("member", None),
        ("member", b.guest_dn(rng.choice(GUESTS)))))


def answered(connection, base, scope, text):
    try:
        found = connection.search_s(base, SCOPES[scope], text, list(model.ASKED))
    except ldap.NO_SUCH_OBJECT as error:
        assert "matched" not in error.args[0], error
        return None
    return {dn: {a: sorted(v.decode() for v in vs) for a, vs in e.items()} for dn, e in found}


def expected(who, base, scope, question):
    found = model.search(who, base, scope, question)
    if found is None:
        return None
    asked = {a.lower() for a in model.ASKED}
    return {dn: {a: sorted(vs) for a, vs in e.items() if a.lower() in asked}
            for dn, e in found.items()}


def ask(rng, who, connection, world, about, count=12):
    """Questions of one connection; service accounts' own entries are none of the model's."""
    services = f"ou=services,{b.SUFFIX}"
    bases = [dn for dn in world.entries if dn != services] + [f"cn=none,{b.SUFFIX}"]
    for _ in range(count):
        base = rng.choice((b.SUFFIX, rng.choice(bases), rng.choice(bases)))
        scope, question = rng.choice(list(SCOPES)), term(rng)
        got = answered(connection, base, scope, model.filter_text(question))
        want = expected(who, base, scope, question)
        if got is not None:
            got = {dn: e for dn, e in got.items()
                   if not dn.endswith("," + services) and not dn.endswith(b.BASE)}
        assert got == want, (about, base, scope, model.filter_text(question))


def sign_in(server, world, name, app, mfa):
    """A connection, or None where the guest is not let in."""
    claims = {"azp": app, "amr": ["pwd", "mfa"] if mfa else ["pwd"]}
    token = model.signer(world.guests[name]["partner"]).token(model.subject_of(name), **claims)
    try:
        return server.conn(b.guest_dn(name), token)
    except (ldap.INVALID_CREDENTIALS, ldap.UNWILLING_TO_PERFORM, ldap.STRONG_AUTH_REQUIRED):
        return None


def change(server, before, after):
    """Everything of the new world that is not as in the old one, entry by entry; settings first go,
    for nobody is enabled whom they block."""
    root = server.root()
    old, new = model.policy_attributes(before), model.policy_attributes(after)
    for dn in [f"cn=default,{b.BASE}", *map(b.partner_dn, PARTNERS)]:
        halves = [a for a in old[dn] if a.startswith("b2bCollabIn")]
        root.modify_s(dn, [(ldap.MOD_REPLACE, a, None) for a in halves])
        old[dn] |= dict.fromkeys(halves, [])
    for dn, attributes in sorted(new.items(), key=lambda item: not item[0].endswith(b.GUESTS)):
        # the task has disabled whose time was over
        mods = [(ldap.MOD_REPLACE, a, [v.encode() for v in vs] or None)
                for a, vs in attributes.items()
                if sorted(vs) != sorted(old[dn][a]) or a == "b2bAccountEnabled"]
        if mods:
            root.modify_s(dn, mods)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + WORLDS))
def test_model(make_server, seed):
    """Set-up: a random world.  Steps: every guest signs in for every application and for none, with
    several factors and with one, and asks; so do the applications' service accounts.  Then policy,
    labels and guests are changed by ldapmodify into those of another world, and all ask again, over
    the connections that they have and over new ones.  Expected: who is let in, and each answer, as
    the plain rules say."""
    rng = random.Random(f"questions {seed}")
    world = make_world(seed)
    server = make_server(b.tenant_server, load=False, start=False, access=ACCESS)
    server.load(model.ldif(world))
    server.start()
    held = {}
    for name in GUESTS:
        for app in (None, *APPS):
            mfa = rng.random() < 0.5
            who = model.Guest(world, name, app, mfa)
            connection = sign_in(server, world, name, app, mfa)
            assert (connection is not None) == who.permitted, (name, app, mfa)
            if connection:
                ask(rng, who, connection, world, (name, app, mfa))
                held[name, app, mfa] = connection
    programs = {app: server.conn(b.service_dn(app), f"{app}-pw") for app in APPS}
    for app, connection in programs.items():
        ask(rng, model.Service(world, app), connection, world, app)
    after = make_world(seed + 1000, {g: r["partner"] for g, r in world.guests.items()})
    after.entries = relabelled(world, after)
    change(server, world, after)
    for (name, app, mfa), connection in held.items():
        who = model.Guest(after, name, app, mfa)
        if who.permitted:
            ask(rng, who, connection, after, ("held", name, app, mfa))
        else:
            with pytest.raises((ldap.UNWILLING_TO_PERFORM, ldap.STRONG_AUTH_REQUIRED)):
                connection.search_s(b.SUFFIX, ldap.SCOPE_SUBTREE)
    for name in GUESTS:
        app, mfa = rng.choice((None, *APPS)), rng.random() < 0.5
        connection = sign_in(server, after, name, app, mfa)
        who = model.Guest(after, name, app, mfa)
        assert (connection is not None) == who.permitted, (name, app, mfa)
        if connection:
            ask(rng, who, connection, after, ("again", name, app, mfa))
    for app, connection in programs.items():
        ask(rng, model.Service(after, app), connection, after, ("held", app))
    server.stop()


def relabelled(world, after):
    """The old world's entries with the new one's labels and groups."""
    entries = {dn: dict(e) for dn, e in world.entries.items()}
    for dn, entry in entries.items():
        entry.pop("b2bLabel", None)
        if "b2bLabel" in after.entries[dn]:
            entry["b2bLabel"] = after.entries[dn]["b2bLabel"]
    for name, dns in after.groups.items():
        entries[model.group_dn(name)]["member"] = dns
    return entries
