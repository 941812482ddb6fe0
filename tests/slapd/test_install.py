"""What is installed and taken away, and a module that was built for another slapd."""

import os
import shlex
import subprocess

import pytest

from lib import builders as b
from lib.slapd import Slapd

BUILD = b.MODULE.parent
FRAGMENT = BUILD / "slapd.mk"


def fragment():
    """SLAPD_INCLUDE and SLAPD_VERSION as the build found them."""
    return dict(line.split(" := ") for line in FRAGMENT.read_text().splitlines())


def clean_env(**extra):
    """Nothing of a make that runs these tests, and the headers that the build used."""
    env = {key: value for key, value in os.environ.items()
           if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "DESTDIR")}
    env.update(SLAPD_SRC=fragment()["SLAPD_INCLUDE"], BUILD=str(BUILD))
    env.update(extra)
    return env


def make(*args):
    done = subprocess.run(["make", "-s", "--no-print-directory", *map(str, args)], cwd=b.TOP,
                          env=clean_env(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(directory):
    return {str(path.relative_to(directory)): path for path in directory.rglob("*")
            if not path.is_dir()}


# --- install ---

def test_install__files_and_no_trace(tmp_path):
    """make install DESTDIR puts module, tool, daemon with templates and unit, schema, manual pages
    and examples where Debian's slapd and systemd look, readable by all; make uninstall leaves no
    file and no directory of ours."""
    make("install", f"DESTDIR={tmp_path}")
    found = files(tmp_path)
    expected = {"usr/lib/ldap/b2b.so": BUILD / "b2b.so", "usr/bin/b2bctl": BUILD / "b2bctl",
                "etc/ldap/schema/b2b.schema": b.TOP / "schema/b2b.schema",
                "etc/ldap/schema/b2b.ldif": b.TOP / "schema/b2b.ldif"}
    programs = {"usr/bin/b2bctl", "usr/sbin/b2bd"}
    daemon = b.TOP / "daemon"
    expected.update({"usr/sbin/b2bd": BUILD / "b2bd",
                     "usr/lib/systemd/system/b2bd.service": daemon / "b2bd.service",
                     "usr/lib/sysusers.d/b2bd.conf": daemon / "b2bd.sysusers",
                     "usr/share/doc/slapo-b2b/examples/b2bd.conf": daemon / "b2bd.conf"})
    for template in (b.TOP / "templates").rglob("*.*"):
        expected[f"usr/share/slapo-b2b/{template.relative_to(b.TOP)}"] = template
    for page in b.TOP.glob("man/*.[158]"):
        expected[f"usr/share/man/man{page.suffix[1]}/{page.name}"] = page
    for example in b.TOP.glob("ldif/*"):
        expected[f"usr/share/doc/slapo-b2b/examples/{example.name}"] = example
    assert set(found) == set(expected)
    for name, source in expected.items():
        assert found[name].read_bytes() == source.read_bytes(), name
        mode = found[name].stat().st_mode & 0o777
        assert mode == (0o755 if name in programs else 0o644), name
    make("install", f"DESTDIR={tmp_path}")  # again, over itself
    assert set(files(tmp_path)) == set(expected)
    make("uninstall", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == {}
    assert not (tmp_path / "usr/share/doc/slapo-b2b").exists()
    assert not (tmp_path / "usr/share/slapo-b2b").exists()
    make("uninstall", f"DESTDIR={tmp_path}")


def test_install__other_directories(tmp_path):
    """The directories can be chosen."""
    make("install", f"DESTDIR={tmp_path}", "prefix=/opt/b2b", "moduledir=/opt/modules",
         "schemadir=/opt/schema")
    assert {name.split("/")[0] for name in files(tmp_path)} == {"opt"}
    assert (tmp_path / "opt/modules/b2b.so").exists()


def test_install__installed_module_loads(tmp_path):
    """slapd loads the installed module by its bare name, "b2b", from its module path."""
    make("install", f"DESTDIR={tmp_path}")
    conf = b.tenant_conf().replace(f"moduleload {b.MODULE}\n",
                                   f"modulepath {tmp_path}/usr/lib/ldap\nmoduleload b2b\n")
    with Slapd(conf=conf, rootdn=b.ROOTDN, rootpw=b.ROOTPW, suffix=b.SUFFIX) as server:
        assert "b2bGuest" in str(server.entry("cn=Subschema", ("objectClasses",), server.conn()))


# --- the module of another slapd ---

def link_for(tmp_path, version):
    """A module like ours, but built for a slapd of another version."""
    flags = shlex.split(make("flags-glue"))
    flags = [f'-DB2B_SLAPD_VERSION="{version}"' if "B2B_SLAPD_VERSION" in flag else flag
             for flag in flags]
    other = tmp_path / "module.o"
    subprocess.run(["gcc", "-fPIC", "-O1", "-fvisibility=hidden", *flags, "-c", "-o", other,
                    "overlay/slapd/module.c"], cwd=b.TOP, check=True, timeout=120)
    objects = [path for part in ("core", "slapd")
               for path in (BUILD / "obj/overlay" / part).glob("*.o")
               if path.name != "module.o"
               and (b.TOP / "overlay" / part / f"{path.stem}.c").exists()]
    module = tmp_path / "b2b.so"
    subprocess.run(["gcc", "-shared", "-Wl,--version-script=scripts/module.map", "-o", module,
                    other, *objects, "-lldap", "-llber", "-loath", "-ljansson", "-lcrypto"],
                   cwd=b.TOP, check=True, timeout=120)
    return module


@pytest.mark.parametrize("version, loads", [
    (None, True), ("2.5.14+dfsg-1", False), ("2.5.13+dfsg", False), ("2.5.1", False),
    ("2.6.13+dfsg-5", False)])
def test_version__compared_at_load(tmp_path, version, loads):
    """Set-up: the module, linked anew for some version.  Expected: made for another slapd than the
    one that runs, it is refused at start with one line that names both; slapd does not start.  Made
    for this one it loads (so the test's own linking is sound)."""
    ours = fragment()["SLAPD_VERSION"]
    module = link_for(tmp_path, version or ours)
    conf = b.tenant_conf().replace(str(b.MODULE), str(module))
    server = Slapd(conf=conf, rootdn=b.ROOTDN, rootpw=b.ROOTPW, suffix=b.SUFFIX)
    try:
        done = server.tool("slaptest", "-u", check=False)
        assert (done.returncode == 0) == loads, done.stderr
        if not loads:
            lines = [line for line in server.start_fails().splitlines() if "built for" in line]
            assert len(lines) == 1
            assert version in lines[0] and ours in lines[0]
    finally:
        server.remove()


def headers(tmp_path, *, path=None, **env):
    """Runs scripts/slapd-headers with a cache of its own; (exit code, what it said)."""
    made = tmp_path / "slapd.mk"
    if path:
        env["PATH"] = f"{path}:{os.environ['PATH']}"
    done = subprocess.run([b.TOP / "scripts/slapd-headers", made], cwd=tmp_path, text=True,
                          capture_output=True, timeout=60,
                          env=clean_env(XDG_CACHE_HOME=str(tmp_path / "cache"), **env))
    assert made.exists() == (done.returncode == 0)
    return done.returncode, done.stderr


def test_headers__of_this_slapd(tmp_path):
    """The headers that the build used are accepted."""
    assert headers(tmp_path) == (0, "")


@pytest.mark.parametrize("number, text", [("20514", "2.5.14"), ("20613", "2.6.13")])
def test_headers__of_another_version(tmp_path, number, text):
    """Configured sources of another OpenLDAP are refused before anything is compiled; the message
    names both versions."""
    include = tmp_path / "src/include"
    include.mkdir(parents=True)
    (include / "portable.h").write_text("")
    (include / "ldap_config.h").write_text("")
    (include / "ldap_features.h").write_text(f"#define LDAP_VENDOR_VERSION {number}\n")
    code, said = headers(tmp_path, SLAPD_SRC=str(tmp_path / "src"))
    assert code != 0 and text in said and fragment()["SLAPD_VERSION"] in said


def test_headers__not_configured(tmp_path):
    """Sources that were not configured are refused."""
    code, said = headers(tmp_path, SLAPD_SRC=str(tmp_path))
    assert code != 0 and "not configured" in said


@pytest.mark.parametrize("given", [True, False])
def test_headers__slapd_was_replaced(tmp_path, given):
    """A slapd that says another version than the given headers, or than its own package, is
    refused."""
    fake = tmp_path / "bin/slapd"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\n"
                    "echo '@(#) $OpenLDAP: slapd 2.5.99+other-1 (Jan  1 2024 00:00:00) $' >&2\n")
    fake.chmod(0o755)
    source = {} if given else {"SLAPD_SRC": ""}
    code, said = headers(tmp_path, path=fake.parent, **source)
    assert code != 0 and "2.5.99" in said


def test_module__exports_only_its_entrance():
    """init_module is the only symbol that the module exports (slapd loads modules globally)."""
    done = subprocess.run(["nm", "-D", "--defined-only", b.MODULE], check=True, text=True,
                          capture_output=True)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["init_module"]
