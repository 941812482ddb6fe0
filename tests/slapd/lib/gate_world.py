"""A tenant with everything that a guest might want to look into, for the tests of the gate."""

from . import builders
from .builders import BASE, GUESTS, PEOPLE, ROOTPW, SUFFIX, guest_dn, member_dn, service_dn
from .eyes import seen

PROJECTS = f"ou=projects,{SUFFIX}"
PAYROLL = f"ou=payroll,{SUFFIX}"
LABELS = ("b2bLabelOrder: {0}Public\nb2bLabelOrder: {1}General\nb2bLabelOrder: {2}Confidential\n"
          "b2bDefaultLabel: Public")
LEVELS = ("restricted", "limited", "member")
NOBODY = "cn=nobody-here"


def entry(dn, classes, lines=""):
    text = "".join(f"objectClass: {name}\n" for name in classes.split())
    name, value = dn.split(",")[0].split("=")
    return f"dn: {dn}\n{text}{name}: {value}\n" + (f"{lines}\n" if lines else "") + "\n"


def labelled(name, label):
    return entry(f"cn={name},{PROJECTS}", "applicationProcess b2bLabelled", f"b2bLabel: {label}")


def tree():
    """A scope (projects) with labels, aliases, a referral and a guest in it; a scope of a blocked
    application (payroll); aliases outside."""
    alias = "alias extensibleObject"
    return "".join((
        entry(PROJECTS, "organizationalUnit"),
        entry(f"cn=atlas,{PROJECTS}", "applicationProcess", "description: known to alice"),
        labelled("general", "General"), labelled("secret", "Confidential"),
        labelled("odd", "Unheard Of"),
        entry(f"cn=team,{PROJECTS}", "groupOfNames", f"member: {member_dn('mia')}"),
        entry(f"cn=to-mia,{PROJECTS}", alias, f"aliasedObjectName: {member_dn('mia')}"),
        entry(f"cn=to-none,{PROJECTS}", alias, f"aliasedObjectName: {NOBODY},{PEOPLE}"),
        entry(f"cn=elsewhere,{PROJECTS}", "referral extensibleObject",
              "ref: ldap://elsewhere.example/dc=elsewhere"),
        builders.guest_ldif("inner").replace(GUESTS, PROJECTS),
        entry(PAYROLL, "organizationalUnit"),
        entry(f"cn=salaries,{PAYROLL}", "applicationProcess"),
        entry(f"cn=to-atlas,{PAYROLL}", alias, f"aliasedObjectName: cn=atlas,{PROJECTS}"),
        entry(f"cn=to-none,{PAYROLL}", alias, f"aliasedObjectName: {NOBODY},{PAYROLL}"),
        entry(f"cn=hidden-referral,{PAYROLL}", "referral extensibleObject",
              "ref: ldap://payroll.example/dc=payroll"),
    ))


def policy(home):
    return "".join((
        builders.partner_ldif("home", home.uri, "b2bCollabInUsersAccess: allowed\n"
                              "b2bCollabInUsersTarget: AllUsers\n"
                              "b2bCollabInAppsAccess: allowed\nb2bCollabInAppsTarget: directory\n"
                              "b2bCollabInAppsTarget: wiki"),
        builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}\n"
                          f"b2bAppScope: {PROJECTS}"),
        builders.app_ldif("payroll", f"b2bAppServiceDN: {service_dn('payroll')}\n"
                          f"b2bAppScope: {PAYROLL}"),
    ))


def people():
    return "".join((
        builders.guest_ldif("alice"),
        builders.guest_ldif("bob", lines="description: bob's own"),
        builders.guest_ldif("carol", lines="b2bClearance: General"),
        builders.service_ldif("wiki"), builders.service_ldif("payroll"),
        builders.service_ldif("agent"),
    ))


def other_databases(make_dir):
    """A database without any role, another tenant, cn=accesslog and cn=monitor."""
    return "".join((
        builders.database_conf("dc=plain,dc=example", directory=make_dir("plain")),
        builders.database_conf("dc=two,dc=example", directory=make_dir("two"),
                               lines="overlay b2b\nb2b-sweep-interval 3600\n"),
        f"database mdb\nsuffix cn=accesslog\nrootdn cn=accesslog\nrootpw {ROOTPW}\n"
        f"directory {make_dir('accesslog')}\nmaxsize 1073741824\ndbnosync\n"
        "access to * by * read\n",
        "database monitor\naccess to * by * read\n",
    ))


def build(home, make_server, make_dir):
    """Our tenant with everything a guest might want to look into; make_dir gives a new directory
    for a database."""
    nested = builders.database_conf(f"ou=nested,{SUFFIX}", directory=make_dir("nested"))
    server = make_server(
        builders.tenant_server, start=False, modules=("accesslog", "back_monitor"),
        global_conf="authz-policy to\n"
        f"authz-regexp uid=(mia|max),(cn=[^,]*,)?cn=[^,]*,cn=auth uid=$1,{PEOPLE}\n"
        f"authz-regexp uid=([^,]*),(cn=[^,]*,)?cn=[^,]*,cn=auth uid=$1,{GUESTS}\n"
        "sasl-secprops none\n",
        database="overlay accesslog\nlogdb cn=accesslog\nlogops writes\n",
        frontend="", databases=other_databases(make_dir))
    # the database below ours must come before it
    conf = server.conf_file.read_text()
    at = conf.index(f"database mdb\nsuffix {SUFFIX}\n")
    server.conf_file.write_text(conf[:at] + nested + conf[at:])
    for suffix in ("dc=plain,dc=example", "dc=two,dc=example"):
        server.tool("slapadd", "-q", "-b", suffix, input=builders.tree_ldif(suffix, ("people",))
                    + builders.people_ldif(("pat",), f"ou=people,{suffix}"))
    server.tool("slapadd", "-q", "-b", f"ou=nested,{SUFFIX}",
                input=entry(f"ou=nested,{SUFFIX}", "organizationalUnit")
                + builders.people_ldif(("ned",), f"ou=nested,{SUFFIX}"))
    # a password that only slapadd can put into a guest's entry, past the overlay
    server.load(builders.guest_ldif("mallory", lines="userPassword: mallory-local"))
    server.start()
    server.modify(f"dn: {BASE}\nchangetype: modify\nadd: b2bLabelOrder\n" +
                  LABELS.replace("\nb2bDefaultLabel", "\n-\nadd: b2bDefaultLabel\nb2bDefaultLabel")
                  + "\n")
    server.load(policy(home) + people() + tree())
    server.modify(f"dn: {service_dn('agent')}\nchangetype: modify\nadd: authzTo\n"
                  f"authzTo: dn.onelevel:{GUESTS}\n\n"
                  f"dn: {member_dn('mia')}\nchangetype: modify\nadd: authzTo\n"
                  f"authzTo: dn.onelevel:{GUESTS}\nauthzTo: dn.onelevel:{PEOPLE}\n\n")
    return server


def set_level(server, level):
    server.modify(f"dn: {BASE}\nchangetype: modify\nreplace: b2bGuestAccess\n"
                  f"b2bGuestAccess: {level}\n")


def guest(server, name="alice", password=None):
    return server.conn(guest_dn(name), password or f"{name}-pw")


ALWAYS_PROJECTS = {PROJECTS, *(f"cn={name},{PROJECTS}" for name in
                               ("atlas", "team", "to-mia", "to-none")),
                   f"uid=inner,{PROJECTS}"}


def visible(server, level, name="alice", cleared=()):
    """What a guest may see of our database, by the tree above."""
    own = {guest_dn(name)}
    if level == "restricted":
        return own
    if level == "limited":
        return own | ALWAYS_PROJECTS | set(cleared)
    root = server.root()
    everything = set(seen(root, SUFFIX, attrs=("1.1",)))
    root.unbind_ext_s()
    hidden = {f"cn={name},{PROJECTS}" for name in ("general", "secret", "odd")}
    return {dn for dn in everything if dn not in hidden or dn in cleared}
