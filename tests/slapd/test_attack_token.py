"""Attacks on sign-in by token and on one-time passwords: half-done binds when the gate goes, guests
that change while they are let in, guesses that nobody counts."""

import pytest

from lib import builders as b, cnconfig as c, sasl


# --- half-done binds ---

STEPS = {"asked": b"", "refused": sasl.message("x.y.z")}
NEXT = {"EXTERNAL": b"", "OAUTHBEARER": b"\x01", "DIGEST-MD5": b"x", "NO-SUCH": b"x"}


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_attack__gate_goes_in_the_middle_of_a_bind(make_server, how):
    """Set-up: strangers have left OAUTHBEARER binds half done.  Steps: the administrator takes the
    gate away; each stranger goes on, with that mechanism or another, so that slapd's own code gets
    it.  Expected: an answer that is no success; slapd lives, for it would go on in Cyrus with a
    mechanism that never began."""
    server = make_server(b.tenant_server, convert=True)
    strangers = [(sasl.Raw(server.uri), mechanism) for mechanism in NEXT for _ in STEPS]
    for (raw, _), step in zip(strangers, list(STEPS.values()) * len(NEXT)):
        assert raw.bind(step)[0] == sasl.IN_PROGRESS
    if how == "deleted":
        assert c.remove(server, c.GATE) == (0, "")
    else:
        assert c.put(server, c.GATE, "olcDisabled", "TRUE") == (0, "")
    for raw, mechanism in strangers:
        assert raw.bind(NEXT[mechanism], mechanism)[0] != 0
        raw.close()
    assert server.alive() and server.root().whoami_s() == f"dn:{b.ROOTDN}"
