"""cn=config at run time: the two overlays put in, changed and taken away, and what cn=config holds.

change() and the rest answer (LDAP code, server's text) instead of raising, for a refusal is what
most tests ask for.  Servers need convert=True, so that what was written is kept.
"""

import re

import ldap
import ldap.modlist

FRONTEND = "olcDatabase={-1}frontend,cn=config"
MAIN = "olcDatabase={1}mdb,cn=config"
GATE = f"olcOverlay={{0}}b2bgate,{FRONTEND}"
KEEPER = f"olcOverlay={{0}}b2b,{MAIN}"
CLASSES = {"b2bgate": "olcB2bGateConfig", "b2b": "olcB2bConfig"}


def code_of(call, *args, **options):
    """(LDAP code, text) of a call: (0, "") or what it raised."""
    try:
        call(*args, **options)
        return 0, ""
    except ldap.LDAPError as error:
        return error.args[0].get("result", -1), error.args[0].get("info", "")


def add_overlay(server, name, database, **options):
    """Adds an overlay to a database of cn=config; options are attributes with text values."""
    attrs = {"objectClass": ["olcOverlayConfig", CLASSES[name]], "olcOverlay": [name]}
    attrs.update({key: [value] for key, value in options.items()})
    entry = [(key, [v.encode() for v in values]) for key, values in attrs.items()]
    return code_of(server.config().add_s, f"olcOverlay={name},{database}", entry)


def add_gate(server):
    return add_overlay(server, "b2bgate", FRONTEND)


def add_keeper(server, **options):
    return add_overlay(server, "b2b", MAIN, **options)


def remove(server, dn):
    return code_of(server.config().delete_s, dn)


def put(server, dn, attr, *values):
    """Replaces all values of an attribute; without values deletes it."""
    values = [value.encode() for value in values] or None
    how = ldap.MOD_REPLACE if values else ldap.MOD_DELETE
    return code_of(server.config().modify_s, dn, [(how, attr, values)])


def live(server, dn=KEEPER):
    """The overlay's own options as slapd serves them, {attribute: [text]}; None where it is not."""
    entry = server.entry(dn, ("*",), server.config())
    return entry and {key: value for key, value in entry.items() if key.startswith("olcB2b")}


def stored(server):
    """The whole configuration on disk, as slapcat shows it, long lines joined."""
    return server.tool("slapcat", "-n0").stdout.replace("\n ", "")


def stored_options(server, overlay="b2b"):
    """{attribute: text} of an overlay's options on disk."""
    text = re.search(rf"^dn: olcOverlay=\{{\d+\}}{overlay},.*?(?=\n\n|\Z)", stored(server),
                     re.M | re.S).group(0)
    return dict(re.findall(r"^(olcB2b\w+): (.*)$", text, re.M))
