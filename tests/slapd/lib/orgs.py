"""Organisations that are each other's partners: each a real slapd with the module, nothing else."""

import ldap

from . import builders as b, mint
from .slapd import Slapd, poll

ISSUE = "2.25.197761738801757102242170991844305268053.3.4"

SETTINGS = {f"{scope}{half}{kind}" for scope in ("CollabOut", "DirectOut", "CollabIn", "DirectIn")
       for half in ("Users", "Apps") for kind in ("Access", "Target")}


class Org:
    """dc=<id>,dc=example with members mia and max, below its entry cn=b2b an empty policy.  key: it
    has a key file, and so issues tokens and publishes its keys."""

    def __init__(self, org_id, key=False, b2b="", certs=None, **conf):
        self.id, self.suffix = org_id, f"dc={org_id},dc=example"
        self.base, self.rootdn = f"cn=b2b,{self.suffix}", f"cn=admin,{self.suffix}"
        lines = b2b + ("\nb2b-key-file {dir}/key.pem" if key else "")
        self.server = Slapd(conf=self.own(b.tenant_conf(b2b=lines, **conf)), certs=certs,
                            rootdn=self.rootdn, rootpw=b.ROOTPW, suffix=self.suffix, name=org_id)
        try:
            self.server.load(self.own(
                b.tree_ldif(b.SUFFIX, ("people", "guests", "services", "groups"))
                + b.people_ldif(("mia", "max"), b.PEOPLE) + b.policy_ldif()), "-q")
            if key:
                mint.key_file(self.server)
            self.server.start()
        except BaseException:
            self.server.remove()
            raise

    # what make_server and conftest end it by
    def stop(self):
        self.server.stop()

    def remove(self):
        self.server.remove()

    def own(self, text):
        """What the builders write, as this organisation's."""
        return (text.replace(b.SUFFIX, self.suffix).replace("dc: ours", f"dc: {self.id}")
                .replace("b2bTenantId: ours", f"b2bTenantId: {self.id}"))

    def load(self, ldif):
        self.server.load(self.own(ldif))

    def member(self, name):
        return self.own(b.member_dn(name))

    def guest(self, name):
        return self.own(b.guest_dn(name))

    def partner(self, other):
        return self.own(b.partner_dn(other.id))

    @property
    def default(self):
        return f"cn=default,{self.base}"

    def knows(self, other, lines=""):
        """other is a partner whose members prove themselves by their password."""
        self.load(b.partner_ldif(other.id, other.server.uri, lines))

    def trusts(self, other):
        """other is a partner whose members prove themselves by its tokens, as b2bctl makes it of
        other's tenant entry, which anybody reads."""
        anybody = other.server.conn()
        poll(lambda: "b2bJwks" in other.server.entry(other.base, connection=anybody), 20, "keys")
        self.ctl("partner", "add", "--from", other.server.uri)
        self.server.modify(f"dn: {self.partner(other)}\nchangetype: modify\n"
                           "add: b2bAutoRedeemIn\nb2bAutoRedeemIn: TRUE\n")

    def ctl(self, *args, dn=None, password=b.ROOTPW):
        """What b2bctl says over ldapi, as the rootdn or somebody else."""
        return self.server.tool(b.B2BCTL, "-H", self.server.ldapi, "-D", dn or self.rootdn,
                                "-w", password, *args, plain=True).stdout

    def token(self, other, name, application=None):
        """What this organisation gives a member to show at other's."""
        asked = {"tenant": other.id, **({"application": application} if application else {})}
        connection = self.server.conn(self.member(name), f"{name}-pw")
        return mint.request(connection, ISSUE, asked)["token"]

    def invites(self, other, name, subject=None):
        """A member of other's becomes a guest, under the same uid."""
        self.load(b.guest_ldif(name, other.id, subject=subject or other.member(name)))

    def set(self, dn, groups=(), **settings):
        """Replaces access settings: CollabOutUsersAccess="blocked"; what is not given goes away."""
        wanted = {f"b2b{name}": settings.get(name) for name in SETTINGS}
        wanted["b2bGroupTarget"] = groups
        root = self.server.root()
        root.modify_s(dn, [(ldap.MOD_REPLACE, name, self._bytes(value))
                           for name, value in sorted(wanted.items())])
        root.unbind_ext_s()

    @staticmethod
    def _bytes(value):
        values = [value] if isinstance(value, str) else list(value or ())
        return [text.encode() for text in values] or None
