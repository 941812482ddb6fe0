"""The rules of what guests and programs see, written down once more and as plainly as can be, for
the tests that compare a real slapd with them.  Nothing here knows how slapd or the module does it.

A World is a directory with its policy, all in dictionaries; its ldif() is loaded into slapd. """

from dataclasses import dataclass, field

from . import builders as b
from .tokens import Key, Signer

ANY = 99  # the rank of a label that nobody knows, and of a bound that is none
NAMING = {"displayname", "cn", "mail", "uid", "jpegphoto", "photo"}
ASKED = ("objectClass", "cn", "sn", "uid", "mail", "telephoneNumber", "roomNumber", "description",
         "member", "b2bLabel", "b2bHomeTenant", "ou")
SIGNER_KEY = Key()


@dataclass
class World:
    tenant: dict  # access, order, default, attribute_labels
    default: dict  # users, apps: (access, targets) or None; trust
    partners: dict  # id -> the same, and access, max_label
    apps: dict  # id -> required, assignees, scopes, max_label
    policies: dict  # name -> state, partners, apps, grant, max_label
    guests: dict  # name -> partner, enabled, expired, clearance, access
    groups: dict  # name -> DNs
    entries: dict = field(default_factory=dict)  # DN -> {attribute: [values]}, policy left out


# --- labels ---

def rank(world, label):
    order = world.tenant["order"]
    label = label or world.tenant["default"] or order[0]
    return order.index(label) if label in order else ANY


def clearance(world, label):
    """How far a clearance or a cap reaches that is there: one that nobody knows opens nothing."""
    reach = rank(world, label)
    return 0 if reach == ANY else reach


def cap(world, label):
    return ANY if label is None else clearance(world, label)


# --- may this guest use this application? ---

def matches(half, names):
    _, targets = half
    return not targets or "AllUsers" in targets or "AllApplications" in targets or bool(
        set(targets) & names)


def half_permits(half, names):
    return half is None or matches(half, names) == (half[0] == "allowed")


def both_permit(users, apps, who, what):
    if users[0] == apps[0] == "blocked":
        return not (matches(users, who) and matches(apps, what))
    return half_permits(users, who) and half_permits(apps, what)


def settings_permit(world, partner_id, subject, app):
    who, what = {subject, partner_id}, {app or "directory"}

    def one(settings, otherwise):
        users, apps = settings["users"], settings["apps"]
        if users and apps:
            return both_permit(users, apps, who, what)
        return half_permits(users, who) and half_permits(apps, what) and otherwise()
    return one(world.partners[partner_id], lambda: one(world.default, lambda: True))


def members(world, name, seen=()):
    found = set()
    for dn in world.groups[name]:
        inner = next((g for g in world.groups if group_dn(g) == dn), None)
        if inner and inner not in seen:
            found |= members(world, inner, (*seen, name))
        found.add(dn)
    return found


def is_assigned(world, app, guest):
    for dn in world.apps[app]["assignees"]:
        group = next((g for g in world.groups if group_dn(g) == dn), None)
        if dn == b.guest_dn(guest) or (group and b.guest_dn(guest) in members(world, group)):
            return True
    return False


def trusts(world, partner_id):
    own = world.partners[partner_id]["trust"]
    return bool(world.default["trust"] if own is None else own)


def decide(world, guest, app, mfa):
    """(permitted, highest rank that conditional access leaves).  mfa None: another asks, who cannot
    know how the guest would sign in."""
    record = world.guests[guest]
    partner = record["partner"]
    if not record["enabled"] or record["expired"]:
        return False, 0
    if not settings_permit(world, partner, subject_of(guest), app):
        return False, 0
    if app and world.apps[app]["required"] and not is_assigned(world, app, guest):
        return False, 0
    reach = ANY
    for policy in world.policies.values():
        if policy["state"] != "enabled":
            continue
        if policy["partners"] and partner not in policy["partners"]:
            continue
        if policy["apps"] and (app or "directory") not in policy["apps"]:
            continue
        if policy["grant"] == "block":
            return False, 0
        if policy["grant"] == "mfa" and mfa is not None and not (mfa and trusts(world, partner)):
            return False, 0
        reach = min(reach, cap(world, policy["max_label"]))
    return True, reach


# --- what is seen ---

def below(dn, base):
    return dn == base or dn.endswith("," + base)


@dataclass
class View:
    """What one sees of an entry: None, or a bound for the labels of its attributes, and which
    attributes at all (None: every one)."""
    bound: int
    attributes: set = None
    but: set = frozenset()


class Guest:
    """A guest that signed in for an application (None: no one's)."""

    def __init__(self, world, name, app, mfa):
        self.world, self.name, self.app = world, name, app
        self.own = b.guest_dn(name)
        record = world.guests[name]
        partner = world.partners[record["partner"]]
        self.permitted, reach = decide(world, name, app, mfa)
        self.level = (record["access"] or partner["access"] or world.tenant["access"]
                      or "limited")
        self.bound = min(clearance(world, record["clearance"]) if record["clearance"] else 0,
                         cap(world, partner["max_label"]), reach,
                         cap(world, world.apps[app]["max_label"]) if app else ANY)
        self.scopes = []
        for other, settings in world.apps.items():
            may, theirs = decide(world, name, other, mfa)
            if may and self.level == "limited":
                limit = min(self.bound, cap(world, settings["max_label"]), theirs)
                self.scopes += [(scope, limit) for scope in settings["scopes"]]

    def view(self, dn, base_read):
        entry = self.world.entries[dn]
        label = rank(self.world, entry.get("b2bLabel", [None])[0])
        others = {a.lower() for a in ASKED if a.startswith("b2b")} if "b2bGuest" in entry[
            "objectClass"] else frozenset()
        if dn == self.own:
            return View(self.bound)
        if self.level == "member":
            return View(self.bound, but=others) if label <= self.bound else None
        limits = [limit for scope, limit in self.scopes if below(dn, scope)]
        if limits and label <= max(limits):
            return View(max(limits), but=others)
        if (base_read and self.level == "limited" and label <= self.bound
                and "inetOrgPerson" in entry["objectClass"]):
            return View(self.bound, NAMING)
        return None

    def may_start(self, dn):
        """Whether a search may start here, though nothing of the entry be seen."""
        return below(self.own, dn) or any(below(scope, dn) for scope, _ in self.scopes)

    def values(self, attribute, values):
        return values


class Service:
    """The service account of an application."""

    def __init__(self, world, app):
        self.world = world
        self.hidden = {b.guest_dn(g) for g in world.guests if not decide(world, g, app, None)[0]}

    def view(self, dn, base_read):
        return None if dn in self.hidden else View(ANY)

    def may_start(self, dn):
        return False

    def values(self, attribute, values):
        return [v for v in values if attribute != "member" or v not in self.hidden]


def is_shown(who, view, attribute):
    name = attribute.lower()
    if name in view.but:
        return False
    if view.attributes is not None and name not in view.attributes:
        return False
    label = who.world.tenant["attribute_labels"].get(attribute)
    return view.bound == ANY or label is None or rank(who.world, label) <= view.bound


def shown(who, dn, view):
    """{attribute: values} that are read."""
    entry = who.world.entries[dn]
    return {a: who.values(a, entry[a]) for a in entry
            if is_shown(who, view, a) and who.values(a, entry[a])}


def test(who, dn, view, term):
    """A filter on what is seen: True, False, or None for undefined (RFC 4511, 4.5.1.7).  Terms are
    ("and"|"or", [terms]), ("not", term), (attribute, value) with value None for presence."""
    kind, rest = term
    if kind == "not":
        result = test(who, dn, view, rest)
        return None if result is None else not result
    if kind in ("and", "or"):
        results = [test(who, dn, view, t) for t in rest]
        final = kind == "or"
        if final in results:
            return final
        return None if None in results else not final
    present = view.attributes is not None and (kind, rest) == ("objectClass", None)
    if not present and not is_shown(who, view, kind):
        return None
    values = who.world.entries[dn].get(kind, [])
    seen = who.values(kind, values)
    return bool(seen) if rest is None else rest in seen


def filter_text(term):
    kind, rest = term
    if kind == "not":
        return f"(!{filter_text(rest)})"
    if kind in ("and", "or"):
        return f"({'&' if kind == 'and' else '|'}{''.join(map(filter_text, rest))})"
    return f"({kind}={'*' if rest is None else rest})"


def search(who, base, scope, term):
    """None where there is no such base, else {DN: {attribute: [values]}}; scope is base, one,
    sub."""
    entries = who.world.entries
    if base not in entries:
        return None
    if who.view(base, scope == "base") is None and not who.may_start(base):
        return None
    found = {}
    for dn in entries:
        if not {"base": dn == base, "one": dn.partition(",")[2] == base,
                "sub": below(dn, base)}[scope]:
            continue
        view = who.view(dn, scope == "base")
        if view and test(who, dn, view, term):
            found[dn] = shown(who, dn, view)
    return found


# --- as LDIF ---

def subject_of(guest):
    return f"s-{guest}"


def group_dn(name):
    return f"cn={name},ou=groups,{b.SUFFIX}"


def signer(partner_id):
    return Signer(issuer=f"https://{partner_id}.example", key=SIGNER_KEY)


def half_lines(name, half):
    if half is None:
        return {f"b2bCollabIn{name}Access": [], f"b2bCollabIn{name}Target": []}
    return {f"b2bCollabIn{name}Access": [half[0]], f"b2bCollabIn{name}Target": list(half[1])}


def one(value):
    return [] if value is None else [str(value)]


def settings_attributes(settings):
    trust = settings["trust"]
    return {**half_lines("Users", settings["users"]), **half_lines("Apps", settings["apps"]),
            "b2bTrustMfa": [] if trust is None else [str(trust).upper()]}


def policy_attributes(world):
    """{DN: {attribute: values}} of all that a world may have otherwise than another one."""
    tenant = world.tenant
    all_of = {b.BASE: {
        "b2bGuestAccess": one(tenant["access"]), "b2bDefaultLabel": one(tenant["default"]),
        "b2bLabelOrder": [f"{{{i}}}{name}" for i, name in enumerate(tenant["order"])],
        "b2bAttributeLabel": [f"{a}={v}" for a, v in tenant["attribute_labels"].items()]}}
    all_of[f"cn=default,{b.BASE}"] = settings_attributes(world.default)
    for name, p in world.partners.items():
        all_of[b.partner_dn(name)] = {**settings_attributes(p), "b2bGuestAccess": one(p["access"]),
                                      "b2bMaxLabel": one(p["max_label"])}
    for name, a in world.apps.items():
        all_of[f"cn={name},cn=applications,{b.BASE}"] = {
            "b2bAppAssignmentRequired": [str(a["required"]).upper()],
            "b2bAppAssignee": a["assignees"], "b2bAppScope": a["scopes"],
            "b2bAppMaxLabel": one(a["max_label"])}
    for name, c in world.policies.items():
        all_of[f"cn={name},cn=conditional-access,{b.BASE}"] = {
            "b2bCaState": [c["state"]], "b2bCaIncludePartner": c["partners"],
            "b2bCaIncludeApp": c["apps"], "b2bCaGrant": one(c["grant"]),
            "b2bCaMaxLabel": one(c["max_label"])}
    for name, g in world.guests.items():
        all_of[b.guest_dn(name)] = {
            "b2bAccountEnabled": [str(g["enabled"]).upper()], "b2bClearance": one(g["clearance"]),
            "b2bValidUntil": ["20200101000000Z" if g["expired"] else "20990101000000Z"],
            "b2bGuestAccess": one(g["access"])}
    for name, dns in world.groups.items():
        all_of[group_dn(name)] = {"member": dns}
    for dn, entry in world.entries.items():
        if "b2bLabelled" in entry["objectClass"]:
            all_of.setdefault(dn, {})["b2bLabel"] = entry.get("b2bLabel", [])
    return all_of


def ldif(world):
    changing = policy_attributes(world)

    def text(dn, fixed):
        lines = {**fixed, **changing.get(dn, {})}
        return f"dn: {dn}\n" + "".join(f"{a}: {v}\n" for a, vs in lines.items() for v in vs) + "\n"
    parts = [text(b.BASE, {"objectClass": ["b2bTenant"], "cn": ["b2b"], "b2bTenantId": ["ours"],
                           "b2bRequireTls": ["FALSE"]}),
             text(f"cn=default,{b.BASE}", {"objectClass": ["b2bDefaultPolicy"], "cn": ["default"]})]
    for name in ("partners", "applications", "conditional-access"):
        parts.append(text(f"cn={name},{b.BASE}", {"objectClass": ["b2bContainer"], "cn": [name]}))
    for name in world.partners:
        lines = signer(name).partner_lines().strip().split("\n")
        parts.append(text(b.partner_dn(name), {
            "objectClass": ["b2bPartner"], "b2bTenantId": [name], "b2bAutoRedeemIn": ["TRUE"],
            **{line.split(": ")[0]: [line.split(": ", 1)[1]] for line in lines}}))
    for name in world.apps:
        parts.append(text(f"cn={name},cn=applications,{b.BASE}", {
            "objectClass": ["b2bApplication"], "cn": [name], "b2bAppId": [name],
            "b2bAppAudience": [name], "b2bAppServiceDN": [b.service_dn(name)]}))
        parts.append(b.service_ldif(name))
    for name in world.policies:
        parts.append(text(f"cn={name},cn=conditional-access,{b.BASE}",
                          {"objectClass": ["b2bAccessPolicy"], "cn": [name]}))
    for dn, entry in world.entries.items():
        fixed = dict(entry)
        name = next((g for g in world.guests if b.guest_dn(g) == dn), None)
        if name:
            fixed |= {"b2bHomeSubject": [subject_of(name)], "b2bUserState": ["Accepted"]}
        if dn == f"ou=services,{b.SUFFIX}":
            parts.insert(0, text(dn, fixed))  # service accounts stand below it
        elif dn == b.SUFFIX:
            parts.insert(0, text(dn, fixed))
        else:
            parts.append(text(dn, fixed))
    suffix = next(p for p in parts if p.startswith(f"dn: {b.SUFFIX}\n"))
    parts.remove(suffix)
    return suffix + "".join(parts)
