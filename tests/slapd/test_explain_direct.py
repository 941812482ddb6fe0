"""The extended operation .3.5 about those who have no entry (direct connect): the same as a sign-in
of theirs meets, and what it sees."""

import pytest

from lib import builders as b, life
from lib.direct_world import (DIRECT, GENERAL, HOME, NED, REPLACE, STRAY, STRAY_GUEST, WIKI, app,
                              build, changed, enter, found, name)
from lib.eyes import answer
from lib.gate_world import PROJECTS

EXPLAIN = f"{life.ROOT}.5"


@pytest.fixture(scope="module")
def world(make_server, tmp_path_factory):
    return build(make_server, lambda kind: tmp_path_factory.mktemp(kind))


def explain(server, who, **members):
    return life.request(server.root(), EXPLAIN, {"guest": who, "suffix": b.SUFFIX, **members})


def agreed(server, signer, who, subject, **claims):
    """What a sign-in meets, and what is explained: the same.  Gives the answer."""
    said = explain(server, who, claims=signer.claims(subject, **claims))
    code, _, text, _, _ = answer(enter, server, signer.token(subject, **claims))
    if code == 0:
        assert said["verdict"] == "allow", said
    elif code == 49:
        assert said["verdict"] == "deny" and said["reason"] == "proof", said
    else:
        assert text == f"b2b: {said['reason']}", said
    return said


def failed(said):
    return [step["rule"] for step in said["steps"] if not step["passed"]]


def test_explain_direct__sees_what_it_sees(world):
    """Of every entry of the tenant: as a search of ann's at the door of wiki."""
    server, signer, _ = world
    said = agreed(server, signer, name("ann"), "ann", azp=WIKI)
    assert said["application"] == "wiki" and said["until"]
    assert "none: by direct connect" in [step["detail"] for step in said["steps"]]
    seen = found(enter(server, signer.token("ann", azp=WIKI)))
    assert seen == GENERAL
    claims = signer.claims("ann", azp=WIKI)
    for dn in found(server.root()):
        told = explain(server, name("ann"), claims=claims, entry=dn)["entry"]
        assert told["visible"] == (dn in seen), (dn, told)


def test_explain_direct__what_denies(world):
    """An application that is not among the DirectIn settings, a home that lets it be a guest alone,
    one of this server that lets nobody out, an assignment, another's claims."""
    server, signer, second = world
    said = agreed(server, signer, name("ann"), "ann", azp="urn:pay")
    assert (said["reason"], said["rule"]) == ("direct-connect", HOME)
    assert failed(said) == ["cross-tenant settings"]
    said = agreed(server, signer, name("ann"), "ann", azp=WIKI, b2b_out=["collaboration"])
    assert said["reason"] == "direct-connect" and failed(said) == ["claims"]
    said = agreed(server, second, name("sam", "second"), "sam", azp=WIKI)
    assert said["reason"] == "direct-connect" and failed(said) == ["home"]
    with changed(server, app("wiki"), (REPLACE, "b2bAppAssignmentRequired", "TRUE"),
                 (REPLACE, "b2bAppAssignee", DIRECT)):
        said = agreed(server, signer, name("ann"), "ann", azp=WIKI)
        assert said["reason"] == "not-assigned" and failed(said) == ["assignment"]
    said = explain(server, name("bea"), claims=signer.claims("ann", azp=WIKI))
    assert said["reason"] == "proof" and failed(said)[0] == "claims"


def test_explain_direct__out_of_a_guest(world):
    """The claim of home about guests, for a guest that has an entry."""
    server, signer, _ = world
    inner = f"uid=inner,{PROJECTS}"
    said = agreed(server, signer, inner, "inner", b2b_out=["direct"])
    assert said["reason"] == "outbound-users" and failed(said) == ["claims"]
    assert agreed(server, signer, inner, "inner", b2b_out=["collaboration"])["verdict"] == "allow"


def test_explain_direct__unknown_accounts(world):
    """Who has an entry does not come in without one; where no setting has a word on direct connect,
    nobody does."""
    server, signer, _ = world
    said = explain(server, name("inner"), claims=signer.claims("inner", azp=WIKI))
    assert said["reason"] == "proof" and failed(said) == ["direct connect"]
    settings = [f"b2bDirectIn{half}{word}" for half in ("Users", "Apps")
                for word in ("Access", "Target")]
    with changed(server, HOME, *((REPLACE, attr) for attr in settings)):
        said = agreed(server, signer, name("ann"), "ann", azp=WIKI)
        assert said["reason"] == "proof" and failed(said)[0] == "direct connect"


@pytest.mark.parametrize("dn", [
    DIRECT, STRAY, STRAY_GUEST, NED, f"cn=x,{name('ann')}", f"b2bSubject=ann,{DIRECT}",
    name("ann").replace(DIRECT, name("bea")), f"b2bTenantId=home,{DIRECT}",
    name("ann").replace("b2bTenantId", "cn=x+b2bTenantId"),
    f"cn=x+{name('ann')}",
    name("ann").replace(b.SUFFIX, "dc=second,dc=example"),
], ids=range(11))
def test_explain_direct__names_of_nobody(world, dn):
    """Below cn=direct, yet no name of one without an entry; and one of another tenant."""
    server = world[0]
    assert life.refusal(server.root(), EXPLAIN, {"guest": dn, "suffix": b.SUFFIX}) == (
        32, "b2b: guest: there is no guest of this name")


def test_explain_direct__who_may(world):
    """One without an entry hears nothing of itself."""
    server, signer, _ = world
    me = enter(server, signer.token("ann", azp=WIKI))
    told = {life.refusal(me, EXPLAIN, {"guest": dn})
            for dn in (name("ann"), name("bea"), STRAY, b.member_dn("mia"))}
    assert len(told) == 1 and told.pop()[0] == 50
