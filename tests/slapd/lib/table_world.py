"""A server with everything that slapd offers to a client, ACLs that let everybody do all of it,
and entries of every kind that a guest or a service account may not see: only the gate stands."""

from . import builders, gate_world
from .builders import BASE, GUESTS, PEOPLE, ROOTPW, SUFFIX, guest_dn
from .gate_world import PAYROLL, PROJECTS, entry

OVERLAYS = ("accesslog", "syncprov", "sssvlv", "deref", "dds", "ppolicy")
GLUED = f"ou=glued,{SUFFIX}"


def tree():
    """Beside gate_world's: hidden and visible entries that are referrals, aliases, subentries."""
    sub = "subentry extensibleObject"
    return "".join((
        entry(f"cn=hidden-subentry,{PAYROLL}", sub, "subtreeSpecification: {}"),
        entry(f"cn=subentry,{PROJECTS}", sub, "subtreeSpecification: {}"),
        builders.people_ldif(("vip",), PEOPLE).replace(
            "objectClass: inetOrgPerson\n", "objectClass: inetOrgPerson\n"
            "objectClass: b2bLabelled\nb2bLabel: Confidential\n"),
        entry(f"cn=deep,{PAYROLL}", "applicationProcess"),
        entry(f"cn=deeper,cn=deep,{PAYROLL}", "applicationProcess"),
        entry(f"cn=to-bob,{PROJECTS}", "alias extensibleObject",
              f"aliasedObjectName: {guest_dn('bob')}"),
        entry(f"cn=to-gonee,{PROJECTS}", "alias extensibleObject",
              f"aliasedObjectName: uid=gonee,{GUESTS}"),
    ))


def guests():
    """ghost and its kin are disabled: the service wiki may find none of them."""
    ghost = builders.guest_ldif("ghost").replace("Enabled: TRUE", "Enabled: FALSE")
    return "".join((
        ghost, ghost.replace("ghost", "phantom"),
        builders.guest_ldif("caf\u00e9").replace("caf\u00e9@", "cafe@"),
        entry(f"cn=to-ghost,{PROJECTS}", "alias extensibleObject",
              f"aliasedObjectName: {guest_dn('ghost')}"),
        builders.guest_ldif("multi").replace(
            f"dn: {guest_dn('multi')}", f"dn: uid=multi+cn=Multi,{GUESTS}").replace(
            "cn: Multi (guest)", "cn: Multi"),
    ))


def _configuration(make_dir):
    """Lines of our database, a database glued below it, and further ones.  slapo-dds stands on
    another database: over slapo-accesslog it crashes slapd 2.5 at the start."""
    database = "overlay accesslog\nlogdb cn=accesslog\nlogops writes\noverlay syncprov\n" \
        "overlay sssvlv\nsssvlv-max 100\nsssvlv-maxperconn 100\noverlay deref\n" \
        "overlay ppolicy\n"
    glued = builders.database_conf(GLUED, directory=make_dir("glued"),
                                   access="access to * by * manage\n").replace(
        f"suffix {GLUED}\n", f"suffix {GLUED}\nsubordinate\n")
    others = gate_world.other_databases(make_dir).replace(
        "access to * by * read\n", "access to * by * manage\n").replace(
        "database mdb\nsuffix dc=two", "overlay dds\ndatabase mdb\nsuffix dc=two")
    return database, glued, others


def build(home, make_server, make_dir, certs=None):
    database, glued, others = _configuration(make_dir)
    server = make_server(
        builders.tenant_server, start=False, certs=certs,
        modules=(*OVERLAYS, "back_monitor"),
        global_conf="authz-policy to\ndefaultsearchbase cn=config\n",
        access="access to * by * manage\n", database=database,
        databases=others)
    conf = server.conf_file.read_text()
    at = conf.index(f"database mdb\nsuffix {SUFFIX}\n")
    conf = conf[:at] + glued + conf[at:]
    conf = conf.replace(f"database config\nrootpw {ROOTPW}\n",
                        f"database config\nrootpw {ROOTPW}\naccess to * by * manage\n")
    server.conf_file.write_text(conf)
    for suffix in ("dc=plain,dc=example", "dc=two,dc=example"):
        server.tool("slapadd", "-q", "-b", suffix, input=builders.tree_ldif(suffix, ("people",))
                    + builders.people_ldif(("pat",), f"ou=people,{suffix}"))
    server.tool("slapadd", "-q", "-b", GLUED, input=entry(GLUED, "organizationalUnit")
                + builders.people_ldif(("ned",), GLUED))
    server.start()
    server.modify(f"dn: {BASE}\nchangetype: modify\nadd: b2bLabelOrder\n" +
                  gate_world.LABELS.replace(
                      "\nb2bDefaultLabel", "\n-\nadd: b2bDefaultLabel\nb2bDefaultLabel") + "\n")
    server.load(gate_world.policy(home) + gate_world.people() + gate_world.tree() + tree()
                + guests(), "-M")
    return server
