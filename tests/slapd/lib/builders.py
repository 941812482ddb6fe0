"""Servers as the tests need them: our tenant (module loaded, gate and record keeper) and a
partner's home directory, each with a small set of people."""

import os
from pathlib import Path

from .slapd import Slapd

TOP = Path(__file__).resolve().parents[3]
MODULE = Path(os.environ.get("B2B_MODULE", TOP / "build" / "b2b.so"))
B2BCTL = Path(os.environ.get("B2B_CTL", TOP / "build" / "b2bctl"))

SUFFIX = "dc=ours,dc=example"
BASE = f"cn=b2b,{SUFFIX}"
PEOPLE = f"ou=people,{SUFFIX}"
GUESTS = f"ou=guests,{SUFFIX}"
ROOTDN = f"cn=admin,{SUFFIX}"
ROOTPW = "secret"
HOME_SUFFIX = "dc=home,dc=example"
HOME_PEOPLE = f"ou=people,{HOME_SUFFIX}"
HOME_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")

SCHEMAS = "".join(f"include /etc/ldap/schema/{name}.schema\n"
                  for name in ("core", "cosine", "inetorgperson"))
ACCESS = """access to attrs=userPassword by anonymous auth by self write by * none
access to * by * read
"""


def plain_schema():
    """schema/b2b.ldif as lines of slapd.conf, for a slapd without the module."""
    text = (TOP / "schema" / "b2b.ldif").read_text().replace("\n ", "")
    words = {"olcAttributeTypes": "attributetype", "olcObjectClasses": "objectclass"}
    lines = (line.split(": ", 1) for line in text.splitlines() if line.startswith("olc"))
    return "".join(f"{words[key]} {value}\n" for key, value in lines)


def people_ldif(names, people):
    """inetOrgPerson entries; the password of alice is alice-pw."""
    return "".join(f"""dn: uid={name},{people}
objectClass: inetOrgPerson
uid: {name}
cn: {name.capitalize()}
sn: {name.capitalize()}
mail: {name}@{'.'.join(p[3:] for p in people.split(',') if p.startswith('dc='))}
userPassword: {name}-pw

""" for name in names)


def tree_ldif(suffix, units):
    dc = suffix.split(",")[0][3:]
    text = f"dn: {suffix}\nobjectClass: domain\ndc: {dc}\n\n"
    return text + "".join(f"dn: ou={unit},{suffix}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
                          for unit in units)


def database_conf(suffix=SUFFIX, lines="", access=ACCESS, directory="{dir}/db"):
    """One mdb database; lines come last (overlays)."""
    return (f"database mdb\nsuffix {suffix}\nrootdn cn=admin,{suffix}\nrootpw {ROOTPW}\n"
            f"directory {directory}\nmaxsize 1073741824\ndbnosync\nindex objectClass eq\n"
            f"{access}{lines}\n")


def config_conf():
    return f"database config\nrootpw {ROOTPW}\n"


def tenant_conf(module=True, gate=True, keeper=True, sweep=3600, b2b="", frontend="",
                global_conf="", access=ACCESS, database="", modules=(), databases=""):
    """slapd.conf of our tenant.

    module False: a plain slapd with schema/b2b.ldif, for what needs no module.
    b2b: more lines after "overlay b2b" ("b2b-home-timeout 1"); frontend: more lines of the
    frontend; database: more lines of the database, before "overlay b2b"; databases: whole
    databases after ours; modules: names of slapd's own modules ("syncprov").
    """
    conf = global_conf + "\n" + SCHEMAS + "modulepath /usr/lib/ldap\nmoduleload back_mdb\n"
    conf += "".join(f"moduleload {name}\n" for name in modules)
    if module:
        conf += f"moduleload {MODULE}\n"
    else:
        conf += plain_schema()
    conf += "database frontend\n" + frontend + ("overlay b2bgate\n" if module and gate else "")
    conf += config_conf()
    overlay = ""
    if module and keeper:
        overlay = f"overlay b2b\nb2b-sweep-interval {sweep}\n{b2b}\n"
    conf += database_conf(lines="index b2bNextDue eq\n" + database + "\n" + overlay, access=access)
    return conf + databases


def policy_ldif(tenant="", default=""):
    """The policy tree, empty of partners and applications; tenant and default are more lines of
    those entries.  TLS is not demanded of guests: most tests speak over loopback TCP or ldapi."""
    def lines(text):
        return text.strip("\n") + "\n" if text.strip() else ""
    return (f"dn: {BASE}\nobjectClass: b2bTenant\ncn: b2b\nb2bTenantId: ours\n"
            f"b2bGuestBase: {GUESTS}\nb2bRequireTls: FALSE\n{lines(tenant)}\n"
            f"dn: cn=default,{BASE}\nobjectClass: b2bDefaultPolicy\ncn: default\n"
            f"{lines(default)}\n"
            f"dn: cn=partners,{BASE}\nobjectClass: b2bContainer\ncn: partners\n\n"
            f"dn: cn=applications,{BASE}\nobjectClass: b2bContainer\ncn: applications\n\n")


def partner_dn(tenant_id):
    return f"b2bTenantId={tenant_id},cn=partners,{BASE}"


def partner_ldif(tenant_id, home_uri=None, lines=""):
    """A partner whose guests prove themselves by LDAP at home_uri, redeemed automatically."""
    text = (f"dn: {partner_dn(tenant_id)}\nobjectClass: b2bPartner\n"
            f"b2bTenantId: {tenant_id}\nb2bAutoRedeemIn: TRUE\n")
    if home_uri:
        text += f"b2bIdp: ldap\nb2bHomeUri: {home_uri}\n"
    return text + (lines.strip("\n") + "\n" if lines.strip() else "") + "\n"


def app_ldif(name, lines=""):
    return (f"dn: cn={name},cn=applications,{BASE}\nobjectClass: b2bApplication\ncn: {name}\n"
            + (lines.strip("\n") + "\n" if lines.strip() else "") + "\n")


def guest_dn(name):
    return f"uid={name},{GUESTS}"


def guest_ldif(name, tenant="home", lines="", subject=None):
    """A guest that stands for uid=name of the home directory."""
    subject = f"uid={name},{HOME_PEOPLE}" if subject is None else subject
    text = (f"dn: {guest_dn(name)}\nobjectClass: inetOrgPerson\nobjectClass: b2bGuest\n"
            f"uid: {name}\ncn: {name.capitalize()} (guest)\nsn: {name.capitalize()}\n"
            f"mail: {name}@home.example\nb2bHomeTenant: {tenant}\nb2bUserType: Guest\n"
            f"b2bAccountEnabled: TRUE\n")
    if subject:
        text += f"b2bHomeSubject: {subject}\n"
    return text + (lines.strip("\n") + "\n" if lines.strip() else "") + "\n"


def service_ldif(name):
    """A service account of ours below ou=services; its password is <name>-pw."""
    return (f"dn: cn={name},ou=services,{SUFFIX}\nobjectClass: applicationProcess\n"
            f"objectClass: simpleSecurityObject\ncn: {name}\nuserPassword: {name}-pw\n\n")


def service_dn(name):
    return f"cn={name},ou=services,{SUFFIX}"


def member_dn(name):
    return f"uid={name},{PEOPLE}"


def tenant_server(load=True, data="", start=True, certs=None, convert=False, env=None,
                  debug="stats", urls=(), name="tenant", tenant="", **conf):
    """Our tenant: dc=ours,dc=example with members mia and max, ou=guests, ou=services and an empty
    policy (load False: an empty database), with more lines in the tenant entry.  data: more LDIF,
    loaded by ldapadd once it runs, or by slapadd where start is False.  conf: see tenant_conf.
    The caller ends it: use it as "with tenant_server(start=False) as server", or call stop() and
    remove(); what is forgotten is ended with the session and reported."""
    server = Slapd(conf=tenant_conf(**conf), certs=certs, convert=convert, env=env, debug=debug,
                   urls=urls, rootdn=ROOTDN, rootpw=ROOTPW, suffix=SUFFIX, name=name)
    return _fill(server, start, data, load and tree_ldif(SUFFIX, ("people", "guests", "services"))
                 + people_ldif(("mia", "max"), PEOPLE) + policy_ldif(tenant=tenant))


def home_server(names=HOME_NAMES, data="", start=True, certs=None, conf="", env=None,
                suffix=HOME_SUFFIX, name="home"):
    """A partner's directory: a plain slapd with people below ou=people; the password of alice is
    alice-pw.  Addresses: .uri, .ldapi, and .ldaps with certs."""
    text = (SCHEMAS + "modulepath /usr/lib/ldap\nmoduleload back_mdb\n" + config_conf()
            + database_conf(suffix=suffix, lines="index uid eq\n" + conf))
    server = Slapd(conf=text, certs=certs, env=env, rootdn=f"cn=admin,{suffix}", rootpw=ROOTPW,
                   suffix=suffix, name=name)
    return _fill(server, start, data, tree_ldif(suffix, ("people",))
                 + people_ldif(names, f"ou=people,{suffix}"))


def _fill(server, start, data, basis):
    """A tree by slapadd costs nothing; what a test adds goes past the overlays."""
    try:
        if basis:
            server.load(basis, "-q")
        if not start:
            if data:
                server.load(data)
            return server
        server.start()
        if data:
            server.load(data)
    except BaseException:
        server.remove()
        raise
    return server
