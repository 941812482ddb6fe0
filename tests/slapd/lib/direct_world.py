"""A tenant that partners connect to directly: applications with scopes, labels, a home that is a
tenant of the same server, and names below cn=direct where something stands after all."""

import ldap
import ldap.dn

from . import builders as b
from .eyes import BASE, seen
from .gate_world import LABELS, PROJECTS, PAYROLL, entry, labelled
from .tokens import Signer

DIRECT = f"cn=direct,{b.BASE}"
SECOND = "dc=second,dc=example"
REVIEW = f"cn=odd,cn=reviews,{b.BASE}"
NESTED = f"ou=nested,{DIRECT}"
NED = f"uid=ned,{NESTED}"
STRAY, STRAY_GUEST = f"cn=stray,{DIRECT}", f"cn=pass,{DIRECT}"
WIKI, PAY = "urn:wiki", "urn:pay"
HOME = b.partner_dn("home")
DENIED = "b2b: direct-connect"
REPLACE = ldap.MOD_REPLACE
OPEN = ("b2bDirectInUsersAccess: allowed\nb2bDirectInUsersTarget: AllUsers\n"
        "b2bDirectInAppsAccess: allowed\nb2bDirectInAppsTarget: wiki\n"
        "b2bDirectInAppsTarget: vault\nb2bDirectInAppsTarget: bare\n"
        "b2bDirectInAppsTarget: directory")
APPS = "".join((
    b.app_ldif("wiki", f"b2bAppAudience: {WIKI}\nb2bAppScope: {PROJECTS}\n"
               f"b2bAppMaxLabel: General\nb2bAppServiceDN: {b.service_dn('wiki')}"),
    b.app_ldif("payroll", f"b2bAppAudience: {PAY}\nb2bAppScope: {PAYROLL}"),
    b.app_ldif("vault", f"b2bAppAudience: urn:vault\nb2bAppScope: {PROJECTS}"),
    b.app_ldif("bare", "b2bAppAudience: urn:bare\nb2bAppMaxLabel: Confidential"),
))
ACCESS = f"""access to attrs=userPassword by anonymous auth by * none
access to dn.base="cn=all,{PROJECTS}" by dn.subtree="{DIRECT}" read by * none
access to dn.base="cn=one,{PROJECTS}"
 by dn.exact="b2bSubject=ann+b2bTenantId=home,{DIRECT}" read by * none
access to dn.base="cn=some,{PROJECTS}"
 by dn.regex="^b2bSubject=[^,]+[+]b2bTenantId=home,{DIRECT}$" read by * none
access to dn.base="cn=closed,{PROJECTS}" by dn.subtree="{DIRECT}" none by * read
access to * by * read
"""
# what a direct user of wiki, of the name ann, finds in its scope
PUBLIC = {PROJECTS, f"cn=atlas,{PROJECTS}", f"cn=all,{PROJECTS}", f"cn=one,{PROJECTS}",
          f"cn=some,{PROJECTS}", f"uid=inner,{PROJECTS}"}
GENERAL = PUBLIC | {f"cn=general,{PROJECTS}"}


def app(cn):
    return f"cn={cn},cn=applications,{b.BASE}"


def name(subject, tenant="home"):
    """The name of one without an entry (RFC 4514)."""
    return ldap.dn.dn2str([[("b2bSubject", subject, 1), ("b2bTenantId", tenant, 1)]]) + f",{DIRECT}"


def parts(who):
    """What whoami says, taken apart."""
    assert who.startswith("dn:"), who
    return [[part[:2] for part in rdn] for rdn in ldap.dn.str2dn(who[3:])]


def tree():
    return "".join((
        entry(PROJECTS, "organizationalUnit"),
        entry(f"cn=atlas,{PROJECTS}", "applicationProcess", "description: hello"),
        *(entry(f"cn={cn},{PROJECTS}", "applicationProcess") for cn in ("all", "one", "some", "closed")),
        labelled("general", "General"), labelled("secret", "Confidential"),
        labelled("odd", "Unheard Of"),
        b.guest_ldif("inner", subject="inner").replace(b.GUESTS, PROJECTS),
        entry(PAYROLL, "organizationalUnit"), entry(f"cn=salaries,{PAYROLL}", "applicationProcess"),
    ))


def _stray():
    """Below cn=direct by slapadd, past the overlay: with passwords, as a guest, as a direct name."""
    own = name("stray").split(",")[0]
    return "".join((
        entry(DIRECT, "b2bContainer"),
        entry(STRAY, "applicationProcess simpleSecurityObject", "userPassword: stray-pw"),
        f"dn: {own},{DIRECT}\nobjectClass: applicationProcess\n"
        "objectClass: simpleSecurityObject\nobjectClass: extensibleObject\ncn: s\n"
        "b2bSubject: stray\nb2bTenantId: home\nuserPassword: stray-pw\n\n",
        b.guest_ldif("pass", subject="pass").replace(b.guest_dn("pass"), STRAY_GUEST)
        .replace("cn: Pass (guest)", "cn: pass")))


def _review():
    """An item of a review that names one without an entry as its guest and its reviewer."""
    return "".join((
        f"dn: cn=reviews,{b.BASE}\nobjectClass: b2bContainer\ncn: reviews\n\n",
        f"dn: {REVIEW}\nobjectClass: b2bReviewDefinition\ncn: odd\nb2bReviewBy: self\nb2bReviewStart: 20990101000000Z\n\n",
        f"dn: cn=i,{REVIEW}\nobjectClass: b2bReviewItem\ncn: i\nb2bReviewGuest: {name('ann')}\n"
        f"b2bReviewer: {name('ann')}\nb2bReviewItemState: open\n\n"))


def build(make_server, make_dir):
    signer = Signer(audience="ours-directory")
    second = Signer("https://second.example", audience="ours-directory")
    server = make_server(
        b.tenant_server, start=False, access=ACCESS, tenant=LABELS,
        global_conf="authz-policy to\n"
        f"authz-regexp gidNumber=[^,]*,cn=peercred,cn=external,cn=auth {name('mapped')}\n",
        databases=b.database_conf(SECOND, directory=make_dir("second"),
                                  lines="overlay b2b\nb2b-sweep-interval 3600\n"))
    # a database below another must come before it
    conf = server.conf_file.read_text()
    at = conf.index(f"database mdb\nsuffix {b.SUFFIX}\n")
    server.conf_file.write_text(conf[:at] + b.database_conf(
        NESTED, directory=make_dir("nested")) + conf[at:])
    server.tool("slapadd", "-q", "-b", NESTED, input=entry(NESTED, "organizationalUnit")
                + b.people_ldif(("ned",), NESTED))
    server.tool("slapadd", "-q", "-b", SECOND, input=b.tree_ldif(SECOND, ("people",))
                + b.people_ldif(("sam", "sue"), f"ou=people,{SECOND}")
                + f"dn: cn=b2b,{SECOND}\nobjectClass: b2bTenant\ncn: b2b\nb2bTenantId: second\n\n"
                f"dn: cn=partners,cn=b2b,{SECOND}\nobjectClass: b2bContainer\ncn: partners\n\n"
                f"dn: b2bTenantId=ours,cn=partners,cn=b2b,{SECOND}\nobjectClass: b2bPartner\n"
                "b2bTenantId: ours\n\n")
    server.load(_stray() + _review())
    server.start()
    server.load(b.partner_ldif("home", lines=signer.partner_lines(OPEN))
                + b.partner_ldif("second", lines=second.partner_lines(OPEN))
                + APPS + tree() + b.service_ldif("wiki") + b.service_ldif("agent"))
    server.modify(f"dn: {b.service_dn('agent')}\nchangetype: modify\nadd: authzTo\n"
                  f"authzTo: dn.subtree:{DIRECT}\n")
    return server, signer, second


def found(connection, base=b.SUFFIX, **options):
    """Names that a search from the suffix finds; who sees nothing does not find that either."""
    try:
        return set(seen(connection, base, attrs=("1.1",), **options))
    except ldap.NO_SUCH_OBJECT:
        return set()


def enter(server, token):
    connection = server.open()
    connection.simple_bind_s("", token)
    return connection


class changed:
    """A change of an entry for as long as a block runs."""

    def __init__(self, server, dn, *mods):
        self.server, self.dn, self.mods = server, dn, mods

    def __enter__(self):
        root = self.server.root()
        self.before = root.search_s(self.dn, BASE)[0][1]
        root.modify_s(self.dn, [(op, attr, [v.encode() for v in values] or None)
                                for op, attr, *values in self.mods])

    def __exit__(self, *_):
        self.server.root().modify_s(self.dn, [(ldap.MOD_REPLACE, attr, self.before.get(attr))
                                              for _, attr, *_ in self.mods])
