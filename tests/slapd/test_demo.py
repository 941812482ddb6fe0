"""scripts/demo, end to end: it tells the truth, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lib.builders import MODULE, TOP
from lib.slapd import client_env, poll

DEMO = TOP / "scripts" / "demo"
DEMO_SECS = 90


def demo_env(tmp_path, **more):
    env = client_env({"TMPDIR": str(tmp_path), "BUILD": str(MODULE.parent), "KEEP": ""})
    env.update(more)
    return env


def play(tmp_path, demo=DEMO, **more):
    return subprocess.run([demo], env=demo_env(tmp_path, **more), text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=DEMO_SECS)


def running(directory):
    """Processes whose command line speaks of this directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found


@pytest.fixture
def scratch():
    """A short name: the sockets' paths have little room."""
    path = Path("/tmp") / f"b2bd-{os.getpid()}"
    path.mkdir()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_demo__plays_to_its_end(scratch):
    """Set-up: nothing.  Steps: the demo.  Expected: code 0; the permitted guest finds herself and
    the project but not its labelled budget, and the explanation says so; each refusal has its
    reason, a token and a second factor let ada in, the task disables lars; no process, no file
    left, no colour where there is no terminal."""
    done = play(scratch)
    assert done.returncode == 0, done.stderr + done.stdout
    text = done.stdout
    assert "\ndn: cn=atlas,ou=projects,dc=ours,dc=example\n" in text
    assert 'guest="uid=pia,ou=guests,dc=ours,dc=example" tenant=fabrikam app=directory ' \
           "verdict=allow" in text
    denials = re.findall(r'^log: b2b: conn=\d+ op=\d+ guest="uid=(\w+),.* app=(\w+) '
                         r"verdict=deny reason=([\w-]+) rule=\"", text, re.M)
    assert denials == [("bruno", "directory", "inbound-users"), ("eva", "directory", "expired"),
                       ("lars", "directory", "review-lapsed"), ("pia", "payroll", "inbound-apps"),
                       ("lars", "directory", "disabled")]
    assert "\nb2bLabel: Confidential\n" in text and "\nNo such object (32)\n" in text
    assert "\nentry: by: its label is above the bound\n" in text
    assert "b2bAccountEnabled: FALSE\nb2bDisabledReason: review-lapsed\n" in text
    assert text.count("\ndn:uid=ada,ou=guests,dc=ours,dc=example\n") == 3
    assert text.count("b2b: mfa-required\n") == 2
    assert "one-time password refused: it was used before" in text
    assert 'Fabrikam: conn=' in text and " ssf=256" in text
    assert "    Subject: Sofia Sponsor invites you to Ours\n" in text
    assert "redeemed uid=nora,ou=guests,dc=ours,dc=example: Accepted\n" in text
    assert "b2bctl: redeem: Invalid credentials (49)\n" in text
    assert "redeemed uid=otto,ou=guests,dc=ours,dc=example: Accepted\n" in text
    assert "    Subject: Does Nora Novak still need access to Ours?\n" in text
    assert re.search(r"^b2bReviewHistory: \d+Z Approve by .*: Atlas goes on until summer$", text,
                     re.M)
    assert "\x1b" not in text
    assert not running(scratch) and not list(scratch.iterdir())


def test_demo__kept_running_until_its_stop_command(scratch):
    """Set-up: KEEP=1.  Steps: the demo; a command that it prints; the demo once more beside it;
    the stop command that it prints.  Expected: the command works as printed; the second demo is
    not disturbed; after the stop no process and no file is left."""
    done = play(scratch, KEEP="1")
    try:
        assert done.returncode == 0, done.stderr + done.stdout
        assert len(running(scratch)) == 4
        stop = re.search(r"^Stop: +(\S+)$", done.stdout, re.M).group(1)
        export = re.search(r"^export LDAPCONF=\S+$", done.stdout, re.M).group(0)
        search = re.findall(r"^ldapsearch .* uid=pia,.*$", done.stdout, re.M)[-1]
        found = subprocess.run(["sh", "-c", f"{export}; {search}"], text=True,
                               capture_output=True, timeout=30,
                               env={"PATH": os.environ["PATH"]})
        assert found.returncode == 0, found.stderr
        assert "dn: cn=atlas,ou=projects,dc=ours,dc=example" in found.stdout
        assert play(scratch).returncode == 0
        assert len(running(scratch)) == 4
    finally:
        # by hand, should the stop command not be there
        subprocess.run(["sh", "-c", f"for s in {scratch}/*/stop; do $s; done"], timeout=60)
    assert stop.startswith(f"{scratch}/")
    assert not running(scratch) and not list(scratch.iterdir())


def test_demo__says_when_something_is_not_as_told(scratch):
    """Set-up: a copy in which lars's review is not due, and one without the module.  Steps: the
    demo.  Expected: code 1, and what was not as told; nothing is left."""
    copy = scratch / "copy"
    for name in ("scripts", "ldif"):
        shutil.copytree(TOP / name, copy / name)
    tenant = copy / "ldif" / "tenant.ldif"
    tenant.write_text(re.sub(r"^b2bReviewDue: 2024", "b2bReviewDue: 2099", tenant.read_text(),
                             flags=re.M))
    done = play(scratch, demo=copy / "scripts" / "demo")
    assert done.returncode == 1
    assert "did not go as told" in done.stderr
    done = play(scratch, BUILD=str(scratch / "nowhere"))
    assert done.returncode == 1 and "is not built" in done.stderr
    shutil.rmtree(copy)
    assert not running(scratch) and not list(scratch.iterdir())


def test_demo__ends_its_servers_when_it_is_ended(scratch):
    """Set-up: a demo under way.  Steps: SIGTERM once a server runs.  Expected: code 143; no
    process and no file is left."""
    process = subprocess.Popen([DEMO], env=demo_env(scratch), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        poll(lambda: any("slapd" in line and "/ldapi" not in line for line in running(scratch)),
             20, "a server of the demo", step=0.005)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    finally:
        process.kill()
        process.wait()
    assert code == 143
    end = time.monotonic() + 5
    while running(scratch) and time.monotonic() < end:
        time.sleep(0.05)
    assert not running(scratch) and not list(scratch.iterdir())
