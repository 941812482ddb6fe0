"""A guest on a connection that is held while its access changes."""

import datetime
import ldap
import re

from . import builders, eyes
from .builders import BASE, SUFFIX, guest_dn, service_dn
from .eyes import answer, seen

APPS = f"cn=applications,{BASE}"
HOME_NAMES = [f"guest{n}" for n in range(60)]
NAMES = iter(HOME_NAMES)  # a new guest for each test


def stamp(secs):
    """Generalized time so many seconds from now."""
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=secs)
    return when.strftime("%Y%m%d%H%M%SZ")


def build(home, make_server):
    """Our tenant with the partner "home" and an application, wiki, of a service account."""
    server = make_server(builders.tenant_server)
    server.load(builders.partner_ldif("home", home.uri)
                + builders.service_ldif("wiki") + builders.service_ldif("payroll")
                + builders.app_ldif("wiki", f"b2bAppServiceDN: {service_dn('wiki')}"))
    server.home = home
    return server


class Held:
    """A guest of its own for a test, and a connection it is bound on."""

    def __init__(self, server, tenant="home", lines=""):
        self.server, self.name = server, next(NAMES)
        self.dn, self.password = guest_dn(self.name), f"{self.name}-pw"
        self.ldif = builders.guest_ldif(self.name, tenant, lines)
        server.load(self.ldif)
        self.connection = self.bind()
        assert self.connection.whoami_s() == f"dn:{self.dn}"
        assert set(seen(self.connection, SUFFIX)) == {self.dn}

    def bind(self):
        return self.server.conn(self.dn, self.password)

    def change(self, text, *args):
        self.server.modify(f"dn: {self.dn}\nchangetype: modify\n{text}\n", *args)

    def refused(self, reason, app="directory"):
        """Every kind of operation gets 53 with the reason, and each says so in the log."""
        mark = self.server.log_mark()
        c = self.connection
        for work in (lambda: seen(c, self.dn, eyes.BASE), lambda: seen(c, SUFFIX), c.whoami_s,
                     lambda: c.compare_s(self.dn, "uid", self.name),
                     lambda: c.delete_s(self.dn),
                     lambda: c.modify_s(self.dn, [(ldap.MOD_REPLACE, "sn", [b"x"])])):
            assert answer(work)[:3] == (53, None, f"b2b: {reason}")
        line = (rf'b2b: conn=\d+ op=\d+ guest="{re.escape(self.dn)}" tenant=\S* app={app} '
                rf'verdict=deny reason={reason} rule="')
        assert len(re.findall(line, self.server.log(mark))) == 6, self.server.tail()

    def served(self):
        assert self.dn in seen(self.connection, SUFFIX)
