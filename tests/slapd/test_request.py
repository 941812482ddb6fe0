"""Self-service: who may ask to become a guest, what is asked of whom, who decides, what becomes of
it."""

import re
import threading
import time

import ldap
import pytest

from lib import builders as b, life
from lib.eyes import answer, code, relax, seen
from lib.slapd import poll

ASKERS = tuple(f"m{n}" for n in range(30))
PEOPLE = ("ada", "app", "bea", "bot", *ASKERS)
# The approvers app and bea may write what they decide by; the daemon bot may manage it; ada all.
ACCESS = f"""access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree="{life.REQUESTS}" attrs=b2bRequestState
 by dn.exact="{b.member_dn('bot')}" manage by dn.exact="{b.member_dn('ada')}" manage by * write
access to dn.subtree="{life.REQUESTS}"
 by dn.exact="{b.member_dn('ada')}" manage by * write
access to * by dn.exact="{b.member_dn('ada')}" manage by * read
"""
APPROVERS = (f"b2bApprover: {b.member_dn('app')}\nb2bApprover: cn=approvers,{b.PEOPLE}\n")
WORLD = (b.people_ldif(PEOPLE, b.PEOPLE)
         + f"dn: cn=approvers,{b.PEOPLE}\nobjectClass: groupOfNames\ncn: approvers\n"
           f"member: {b.member_dn('bea')}\nmember: {b.member_dn('m0')}\n\n"
         + b.partner_ldif("home", lines="b2bTenantDomain: home.example\nb2bIdp: passcode")
         + b.partner_ldif("closed", lines="b2bTenantDomain: closed.example\n"
                          "b2bCollabInUsersAccess: blocked\nb2bCollabInAppsAccess: blocked")
         + b.app_ldif("wiki") + b.app_ldif("portal", f"b2bAppServiceDN: {b.service_dn('portal')}")
         + b.service_ldif("portal"))


def make(make_server, tenant="b2bSelfService: members", access=ACCESS, **options):
    return make_server(life.signing_server, access=access, data=WORLD + options.pop("data", ""),
                       tenant=tenant.rstrip("\n") + "\n" + APPROVERS, **options)


@pytest.fixture(scope="module")
def server(make_server):
    """Members may ask; app, and bea by a group, approve."""
    return make(make_server)


_count = iter(range(10000))


def mail(domain="home.example"):
    return f"q{next(_count)}@{domain}"


_askers = iter(ASKERS[1:])


def member(server, name=None):
    """A connection as a member; without a name as one that has not asked yet."""
    name = name or next(_askers)
    return server.conn(b.member_dn(name), f"{name}-pw")


def ask(connection, address, **members):
    return life.request(connection, life.REQUEST, {"mail": address, **members})


def refused(connection, address, **members):
    return life.refusal(connection, life.REQUEST, {"mail": address, **members})


def dn_of(asked):
    return f"cn={asked['request']},{life.REQUESTS}"


def stored(server, address):
    """The requests of an address."""
    return [e for e in life.entries(server, life.REQUESTS).values()
            if e["b2bRequestMail"][0].lower() == address.lower()]


def decide(connection, dn, state, text=None):
    """(code, text) of a decision."""
    mods = [(ldap.MOD_REPLACE, "b2bRequestState", state.encode())]
    if text:
        mods.append((ldap.MOD_REPLACE, "b2bRequestAnswer", text.encode()))
    return answer(connection.modify_s, dn, mods)[::2][:2]


def wait_state(server, dn, state):
    return life.wait_entry(server, dn, lambda e: e["b2bRequestState"] == [state])


# --- who may ask ---

@pytest.mark.parametrize("word,members,strangers", [
    ("", 53, 53), ("none", 53, 53), ("members", 0, 50), ("anonymous", 0, 0),
], ids=["absent", "none", "members", "anonymous"])
def test_request__who_may(make_server, home, word, members, strangers):
    """b2bSelfService against a member, an application's account, nobody and a guest (never)."""
    server = make(make_server, f"b2bSelfService: {word}", data=b.partner_ldif("dir", home.uri)
                  + b.guest_ldif("alice", "dir"))
    for connection in (member(server, "m1"), server.conn(b.service_dn("portal"), "portal-pw")):
        assert refused(connection, mail())[0] == members
    assert refused(server.conn(), mail())[0] == strangers
    guest = server.conn(b.guest_dn("alice"), "alice-pw")
    assert refused(guest, mail()) == (50, "b2b: guests may not use this operation")


def test_request__everything(server):
    """What a member asks for, in the entry; approvers are told once, the requester is not."""
    address, asker = mail(), next(_askers)
    asked = ask(
    member(
        server,
        asker),
        address,
        displayName="Zoë",
        tenant="home",
        applications=["wiki"],
        reason="A project.\nUntil May.",
        attributes={
            "phone": "+49 30",
             "Note": "x=y"})
    assert asked["state"] == "pending" and re.fullmatch("[0-9a-f]{32}", asked["request"])
    entry = server.entry(dn_of(asked))
    assert {
    k: sorted(v) for k,
    v in entry.items() if k.startswith("b2b") and k != "b2bNextDue"} == {
        "b2bRequestMail": [address],
        "b2bRequestName": ["Zoë"],
        "b2bHomeTenant": ["home"],
        "b2bRequestApp": ["wiki"],
        "b2bRequestReason": ["A project.\nUntil May."],
        "b2bRequestAttribute": [
            "Note=x=y",
            "phone=+49 30"],
            "b2bRequestState": ["pending"],
            "b2bRequestBy": [
                b.member_dn(asker)]}
    entry = life.wait_entry(server, dn_of(asked), lambda e: "b2bNextDue" not in e)
    told = [(to, data) for to, data in life.notices(server, "request")
            if data["request"] == asked["request"]]
    assert sorted(to for to, _ in told) == [f"{n}@ours.example" for n in ("app", "bea", "m0")]
    assert told[0][1]["item"] == dn_of(asked) and told[0][1]["guestMail"] == address
    assert told[0][1]["guestName"] == "Zoë"
    assert told[0][1]["reason"] == "A project.\nUntil May." and told[0][1]["applications"] == "wiki"


def test_request__own_is_not_told_to_who_asks(server):
    """An approver that asks gets no notice of its own request."""
    asked = ask(member(server, "bea"), mail())
    life.wait_entry(server, dn_of(asked), lambda e: "b2bNextDue" not in e)
    assert sorted(to for to, data in life.notices(server, "request")
                  if data["request"] == asked["request"]) == ["app@ours.example", "m0@ours.example"]


# --- what is asked for ---

@pytest.mark.parametrize("members,said", [
    ({"mail": "x@home.example\r\nBcc: y@evil.example"}, "mail"),
    ({"mail": "Bob <b@home.example>"}, "mail"),
    ({"mail": "b@bücher.example"}, "mail"), ({"displayName": "Bob\r\nBcc: x"}, "displayName"),
    ({"displayName": "\u202ex"}, "displayName"), ({"reason": "\x1b[2J"}, "reason"),
    ({"reason": "x" * 2049}, "reason"), ({"attributes": []}, "attributes"),
    ({"attributes": {"a=b": "x"}}, "attributes"), ({"attributes": {"": "x"}}, "attributes"),
    ({"attributes": {"phone": 1}}, "phone"), ({"attributes": {"phone": "\x00"}}, None),
    ({"attributes": {"phone": "\x07"}}, "phone"), ({"attributes": {"phone": "x" * 1000}}, "phone"),
    ({"attributes": {f"a{n}": "x" for n in range(17)}}, "attributes"),
    ({"applications": ["wiki"] * 17}, "applications"), ({"tenant": "\n"}, "tenant"),
], ids=range(17))
def test_request__malformed(make_server, members, said):
    """Refused by member, to members and strangers alike; nothing is stored."""
    server = make(make_server, "b2bSelfService: anonymous")
    for connection in (member(server, "m1"), server.conn()):
        code, text = life.refusal(connection, life.REQUEST, {"mail": "a@home.example", **members})
        assert (code, said is None or text.startswith(f"b2b: {said}:")) == (19 if said else 2, True)
    assert not life.entries(server, life.REQUESTS)


def test_request__what_the_tenant_asks_for(make_server):
    """b2bRequestRequires: attributes, and members by their names, must be there and not be blank.
    """
    server = make(make_server, "b2bSelfService: members\nb2bRequestRequires: Phone\n"
                  "b2bRequestRequires: reason\nb2bRequestRequires: mail")
    mia = member(server, "m1")
    for members, missing in (({}, "phone"), ({"reason": "x"}, "phone"),
                             ({"attributes": {"phone": "1"}}, "reason"),
                             ({"attributes": {"phone": " "}, "reason": "x"}, "phone")):
        code, text = refused(mia, "a@home.example", **members)
        assert code == 19 and text.lower().startswith(f"b2b: {missing}:")
    assert ask(mia, "a@home.example", attributes={"PHONE": "1"}, reason="x")["state"] == "pending"


def test_request__policy_is_asked_already(server):
    """A member hears why: a blocked partner, no partner, an application that is none, a guest that
    is off, one that is there already; nothing is stored."""
    root, asking = server.root(), member(server)
    off = life.invite(root, mail())["dn"]
    server.modify(f"dn: {off}\nchangetype: modify\nreplace: b2bAccountEnabled\n"
                  "b2bAccountEnabled: FALSE\n")
    address = server.entry(off)["mail"][0]
    assert refused(asking, address) == (53, "b2b: disabled")
    assert "inbound-users" in refused(asking, mail("closed.example"))[1]
    assert refused(asking, mail("nobody.example"))[0] == 19
    assert refused(asking, mail(), applications="nothing")[0] == 19
    assert not stored(server, address)


def test_request__of_a_guest_that_is_there(server):
    """A guest that accepted needs no request, unless for applications."""
    asking, dn = member(server), life.invite(server.root(), mail())["dn"]
    address = server.entry(dn)["mail"][0]
    life.wait_entry(server, dn, lambda e: "b2bInvitationSent" in e)
    server.root().modify_ext_s(dn, [(ldap.MOD_REPLACE, "b2bUserState", b"Accepted")],
                               serverctrls=[relax()])
    assert refused(asking, address)[0] == 68
    assert ask(asking, address, applications="wiki")["state"] == "pending"


# --- once for each ---

def test_request__again(server):
    """Asked again, by another member and in other case, an open request is the same one; once it is
    closed there is another."""
    address, first, second = mail(), member(server), member(server)
    one = ask(first, address)
    assert ask(second, address.upper(), displayName="Other") == one
    assert len(stored(server, address)) == 1 and "b2bRequestName" not in stored(server, address)[0]
    assert decide(member(server, "app"), dn_of(one), "denied")[0] == 0
    other = ask(first, address)
    assert other["request"] != one["request"] and len(stored(server, address)) == 2


def test_request__at_the_same_time(make_server):
    """Eight members ask for one person at once, five times: one request each time, which all hear
    of."""
    server = make(make_server)
    connections = [member(server, f"m{n}") for n in range(1, 9)]
    for _ in range(5):
        address, results, start = mail(), [], threading.Barrier(8)

        def one(connection):
            start.wait()
            results.append(ask(connection, address)["request"])

        threads = [threading.Thread(target=one, args=(c,)) for c in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 8 and len(set(results)) == 1 and len(stored(server, address)) == 1


# --- limits ---

def test_request__limits_of_a_member(make_server):
    """Five in an hour; what is wrong counts too; another member is not hindered, nor by strangers.
    """
    server = make(make_server, "b2bSelfService: anonymous")
    one = member(server, "m1")
    for n in range(5):
        assert refused(one, mail("closed.example") if n % 2 else mail())[0] in (0, 19)
    assert refused(one, mail()) == (51, "b2b: too many requests: ask again later")
    assert refused(member(server, "m1"), mail())[0] == 51
    assert refused(member(server, "m2"), mail())[0] == 0
    for connection in (server.conn(uri=server.uri), server.conn()):
        for n in range(5):
            assert refused(connection, mail())[0] == 0
        assert refused(connection, mail())[0] == 51
    assert refused(server.conn(uri=server.uri), mail())[0] == 51
    assert refused(member(server, "m3"), mail())[0] == 0


def test_request__limits_of_a_server(make_server):
    """Sixty of members in an hour."""
    server = make(make_server)
    names = iter(ASKERS)
    for _ in range(12):
        connection = member(server, next(names))
        for _ in range(5):
            assert refused(connection, mail())[0] == 0
    assert refused(member(server, next(names)), mail())[0] == 51


def test_request__limits_of_an_address(make_server):
    """Three requests for one address a day, however often it is asked: the fourth is refused to a
    member; a stranger hears what it always hears, and nothing is stored."""
    server = make(make_server, "b2bSelfService: anonymous")
    root, names = server.root(), iter(ASKERS[1:])
    for n in range(3):
        asked = ask(member(server, next(names)), "a@home.example")
        assert ask(member(server, next(names)), "A@home.example") == asked
        assert decide(root, dn_of(asked), "denied")[0] == 0
    assert refused(member(server, next(names)), "a@home.example") == \
        (51, "b2b: too many requests for this address")
    assert ask(server.conn(), "a@home.example") == {"state": "pending"}
    server.wait_log(r'request of "a@home.example" by="": too many')
    assert len(stored(server, "a@home.example")) == 3


# --- strangers ---

def test_request__strangers_hear_one_thing(make_server):
    """Whether an address is new, has asked, is a guest's, is that of one that is off, or policy
    refuses it: the same answer to the byte.  Stored is what policy does not refuse."""
    server = make(make_server, "b2bSelfService: anonymous")
    root = server.root()
    known, off = (life.invite(root, a)["dn"] for a in ("known@home.example", "off@home.example"))
    for dn, mods in ((known, [(ldap.MOD_REPLACE, "b2bUserState", b"Accepted")]),
                     (off, [(ldap.MOD_REPLACE, "b2bAccountEnabled", b"FALSE")])):
        life.wait_entry(server, dn, lambda e: "b2bInvitationSent" in e)
        root.modify_ext_s(dn, mods, serverctrls=[relax()])
    addresses = ("new@home.example", "new@home.example", "known@home.example", "off@home.example",
                 "x@closed.example", "x@nobody.example")
    made = life.ExtendedRequest
    for n, address in enumerate(addresses):
        connection = server.conn() if n % 2 else server.conn(uri=server.uri)
        _, told = connection.extop_s(
            made(life.REQUEST, life.json.dumps({"mail": address}).encode()))
        assert told == b'{"state":"pending"}'
    server.wait_log(r'request of "x@nobody.example" by="": ')
    requests = life.entries(server, life.REQUESTS).values()
    assert [e["b2bRequestMail"] for e in requests] == [["new@home.example"]]
    assert all("b2bRequestBy" not in e for e in requests)


def test_request__strangers_with_a_hook(make_server):
    """Where the web hook is asked first, members hear so, strangers do not."""
    server = make(make_server, "b2bSelfService: anonymous\nb2bRequestHook: TRUE")
    assert ask(server.conn(), "a@home.example") == {"state": "pending"}
    assert ask(member(server, "m1"), "b@home.example")["state"] == "checking"
    poll(lambda: len(life.entries(server, life.REQUESTS)) == 2, 10, "both are stored")
    assert all(e["b2bRequestState"] == ["checking"] and "b2bNextDue" not in e
               for e in life.entries(server, life.REQUESTS).values())
    assert not life.notices(server, "request")


# --- deciding ---

def test_request__approved(server):
    """Set-up: a request with everything. Steps: an approver approves. Expected: who decided stands
    in it; the task invites in the approver's name, as its sponsor, assigns, mails; the request says
    so, with the guest."""
    address = mail()
    asked = ask(member(server), address, displayName="Zoë", applications="wiki")
    assert decide(member(server, "app"), dn_of(asked), "approved", "Welcome")[0] == 0
    entry = wait_state(server, dn_of(asked), "invited")
    guest = server.entry(entry["b2bRequestGuest"][0])
    assert entry["b2bRequestDecidedBy"] == [b.member_dn("app")]
    assert entry["b2bRequestAnswer"] == ["Welcome"] and "b2bDeleteAfter" in entry
    assert guest["mail"] == [address] and guest["cn"] == ["Zoë"]
    assert guest["b2bSponsor"] == guest["b2bInvitedBy"] == [b.member_dn("app")]
    assert entry["b2bRequestGuest"][0] in \
        server.entry(f"cn=wiki,cn=applications,{b.BASE}")["b2bAppAssignee"]
    life.wait_notices(server, "invitation", address)
    assert not life.notices(server, "refused", address)


def test_request__denied(server):
    """Who asked for is told at its address, with the answer; no guest is made."""
    address = mail()
    asked = ask(member(server), address, displayName="Zoë")
    assert decide(member(server, "bea"), dn_of(asked), "denied", "No project")[0] == 0
    (_, data), = life.wait_notices(server, "refused", address)
    assert data["answer"] == "No project" and data["guestName"] == "Zoë"
    entry = life.wait_entry(server, dn_of(asked), lambda e: "b2bDeleteAfter" in e)
    assert entry["b2bRequestState"] == ["denied"]
    assert entry["b2bRequestDecidedBy"] == [b.member_dn("bea")]
    assert server.entry(b.guest_dn(address)) is None


def test_request__approved_but_not_invited(server):
    """Set-up: policy changed between request and approval.  Expected: failed, with the reason."""
    address = mail()
    asked = ask(member(server), address)
    life.settings(server, "b2bBlockedDomain: home.example")
    try:
        assert decide(member(server, "app"), dn_of(asked), "approved")[0] == 0
        entry = wait_state(server, dn_of(asked), "failed")
    finally:
        life.settings(server, "b2bBlockedDomain:")
    assert "b2bBlockedDomain" in entry["b2bRequestAnswer"][0]
    assert "b2bRequestGuest" not in entry and server.entry(b.guest_dn(address)) is None


def test_request__who_decides(server, make_server):
    """Approvers do, others hear 50 though slapd would let them write: a member, one who may manage,
    the daemon, the application's account, nobody; where no approver is named, who may invite does.
    """
    asked = ask(member(server), mail())
    others = [member(server, "m20"), member(server, "bot"), member(server, "ada"),
              server.conn(b.service_dn("portal"), "portal-pw"), server.conn()]
    for connection in others:
        for state in ("approved", "denied"):
            assert decide(connection, dn_of(asked), state)[0] in (8, 50)
    assert server.entry(dn_of(asked))["b2bRequestState"] == ["pending"]
    assert decide(server.root(), dn_of(asked), "denied")[0] == 0
    server = make_server(
    life.signing_server,
    access=ACCESS,
    data=WORLD,
    tenant="b2bSelfService: "
    f"members\nb2bAllowInvitesFrom: inviters\nb2bInviter: {b.member_dn('bea')}")
    asked = ask(member(server, "m1"), mail())
    assert [to for to, _ in life.wait_notices(server, "request")] == ["bea@ours.example"]
    assert decide(member(server, "app"), dn_of(asked), "approved")[0] == 50
    assert decide(member(server, "bea"), dn_of(asked), "approved")[0] == 0
    wait_state(server, dn_of(asked), "invited")


def test_request__own(server):
    """An approver approves neither what it asked for nor what is for its own address; it may deny
    it."""
    asked = ask(member(server, "m0"), mail())
    m0 = member(server, "m0")
    assert decide(m0, dn_of(asked), "approved") == \
        (50, "b2b: b2bRequestState: nobody approves its own request")
    assert decide(m0, dn_of(asked), "denied")[0] == 0
    address = mail()
    server.modify(
        f"dn: {b.member_dn('m0')}\nchangetype: modify\nadd: mail\nmail: {address.upper()}\n")
    other = ask(member(server), address)
    assert decide(m0, dn_of(other), "approved")[0] == 50
    root = ask(server.root(), mail())
    assert decide(server.root(), dn_of(root), "approved")[0] == 50


STATES = ("checking", "pending", "approved", "denied", "blocked", "invalid", "invited", "failed",
          "other")


def test_request__steps_by_approvers(server):
    """From pending to approved or denied and nowhere else; from what is decided nowhere."""
    app, asked = member(server, "app"), ask(member(server), mail())
    for state in STATES:
        if state not in ("approved", "denied"):
            assert decide(app, dn_of(asked), state)[0] == 19, state
    assert decide(app, dn_of(asked), "denied")[0] == 0
    for state in STATES:
        assert decide(app, dn_of(asked), state)[0] == 19, state
    assert code(app.modify_s, dn_of(asked), [(ldap.MOD_DELETE, "b2bRequestState", None)]) == 19


def test_request__steps_by_the_daemon(make_server):
    """From checking: who may manage goes on to pending (approvers are told then), blocked or
    invalid (the requester is told); approvers and other members go nowhere."""
    server = make(make_server, "b2bSelfService: members\nb2bRequestHook: TRUE")
    bot, app, names = member(server, "bot"), member(server, "app"), iter(ASKERS[1:])
    for state, kind in (("pending", "request"), ("blocked", "refused"), ("invalid", "refused")):
        asked = ask(member(server, next(names)), f"{state}@home.example")
        for connection in (app, member(server, "m20")):
            for wanted in STATES:
                assert decide(connection, dn_of(asked), wanted)[0] == 50
        for wanted in ("approved", "denied", "invited", "failed", "checking"):
            assert decide(bot, dn_of(asked), wanted)[0] == 19
        assert decide(bot, dn_of(asked), state, "the hook says so")[0] == 0
        if kind == "refused":
            (_, data), = life.wait_notices(server, kind, f"{state}@home.example")
            assert data["answer"] == "the hook says so"
        else:
            life.wait_notices(server, kind, count=3)
        entry = server.entry(dn_of(asked))
        assert (entry.get("b2bRequestDecidedBy") is None) == (state == "pending")
    # what the daemon let pass the approvers decide
    waiting = [dn for dn, e in life.entries(server, life.REQUESTS).items()
               if e["b2bRequestState"] == ["pending"]]
    assert decide(bot, waiting[0], "approved")[0] == 50
    assert decide(app, waiting[0], "approved")[0] == 0
    wait_state(server, waiting[0], "invited")


def test_request__nothing_else_is_changed(server):
    """Beside state and answer nothing of a request is written, by an approver or by who may manage:
    neither alone nor beside a decision; and an answer goes with a decision."""
    asked = ask(member(server), mail(), applications="wiki")
    for connection in (member(server, "app"), member(server, "ada")):
        for name, value in (("b2bRequestMail", b"x@home.example"), ("b2bRequestApp", b"portal"),
                            ("b2bRequestName", b"X"), ("b2bHomeTenant", b"closed"),
                            ("b2bRequestBy", b"cn=x"), ("b2bRequestGuest", b"cn=x"),
                            ("b2bRequestDecidedBy", b"cn=x"), ("b2bNextDue", b"20200101000000Z"),
                            ("objectClass", b"b2bNotice")):
            for more in ([], [(ldap.MOD_REPLACE, "b2bRequestState", b"approved")]):
                mods = [(ldap.MOD_REPLACE, name, value)] + more
                assert code(connection.modify_s, dn_of(asked), mods) in (19, 50, 69), name
    app = member(server, "app")
    assert code(app.modify_s, dn_of(asked), [(ldap.MOD_ADD, "b2bRequestAnswer", b"x")]) == 19
    assert code(app.rename_s, dn_of(asked), "cn=other") in (50, 53)
    assert server.entry(dn_of(asked))["b2bRequestState"] == ["pending"]


def test_request__two_decide_at_once(make_server):
    """Set-up: who approves stands in the last of many groups, so that each decision is judged for a
    while. Steps: approvers decide one way and the other at the same moment. Expected: one is heard,
    the others are told that the request is no longer pending, or to try again; state, guest and
    notices fit together."""
    groups = [f"cn=g{n},{b.PEOPLE}" for n in range(2000)]
    who = [b.member_dn("app"), b.member_dn("bea")]
    data = "".join(f"dn: {dn}\nobjectClass: groupOfNames\nmember: "
                   + "\nmember: ".join(who if dn == groups[-1] else [b.member_dn("m29")]) + "\n\n"
                   for dn in groups)
    data += (f"dn: cn=all,{b.PEOPLE}\nobjectClass: groupOfNames\n"
             + "".join(f"member: {dn}\n" for dn in groups) + "\n")
    server = make(make_server)
    life.settings(server, f"b2bApprover: cn=all,{b.PEOPLE}")
    server.stop()
    server.load(data, "-q")
    server.start()
    for turn in range(3):
        address, codes, start = mail(), {}, threading.Barrier(6)
        asked = ask(member(server, "m21"), address)
        connections = [(member(server, "app" if n % 2 else "bea"), ("approved", "denied")[n % 2])
                       for n in range(6)]

        def one(number):
            connection, state = connections[number]
            start.wait()
            codes[number] = decide(connection, dn_of(asked), state)[0]

        threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [n for n, c in codes.items() if c == 0]
        assert len(winners) == 1 and set(codes.values()) <= {0, 16, 19}, codes
        wanted = "invited" if connections[winners[0]][1] == "approved" else "denied"
        wait_state(server, dn_of(asked), wanted)
        assert (server.entry(b.guest_dn(address)) is not None) == (wanted == "invited")


# --- other ways in ---

def test_request__by_ldapadd(server):
    """Only who may manage adds a request: pending, with who made it; another state, a name or
    address that breaks headers, another place are refused."""
    def add(connection, name, lines="", place=life.REQUESTS):
        return life.answer(add_ldif, connection, f"dn: cn={name},{place}\nobjectClass: b2bRequest\n"
                           f"cn: {name}\n{lines}")[::2][:2]

    def add_ldif(connection, text):
        pairs = [line.split(": ", 1) for line in text.strip().split("\n")]
        entry = {}
        for name, value in pairs[1:]:
            entry.setdefault(name, []).append(value.replace("\\r", "\r").encode())
        connection.add_s(pairs[0][1], list(entry.items()))

    ask(member(server), mail())  # so that the container is there
    good = "b2bRequestMail: added@home.example"
    for connection in (member(server, "app"), member(server, "m20"), server.conn()):
        assert add(connection, "x", good)[0] in (8, 50)
    ada = member(server, "ada")
    for lines in (good + "\nb2bRequestState: approved", good + "\nb2bRequestState: invited",
                  good + "\nb2bRequestState: other", "b2bRequestMail: a b@home.example",
                  good + "\nb2bRequestName: a\\rb"):
        assert add(ada, "x", lines)[0] == 19, lines
    assert add(ada, "x", good, b.BASE)[0] == 19
    assert add(ada, "x", good, b.PEOPLE)[0] == 19
    assert add(ada, "x", good)[0] == 0
    entry = life.wait_entry(server, f"cn=x,{life.REQUESTS}", lambda e: "b2bNextDue" not in e)
    assert entry["b2bRequestState"] == ["pending"]
    assert entry["b2bRequestBy"] == [b.member_dn("ada")]


def test_request__deleted(server):
    """By slapd's access control."""
    asked = ask(member(server), mail())
    assert code(member(server, "ada").delete_s, dn_of(asked)) == 0


def test_request__hidden_from_guests_and_applications(make_server, home):
    """Set-up: guests see all that slapd's access control gives (b2bGuestAccess: member). Expected:
    a guest and an application's account find neither cn=requests nor cn=outbox, nor anything in
    them; a member does, as slapd says."""
    server = make(make_server, "b2bSelfService: members\nb2bGuestAccess: member",
                  data=b.partner_ldif("dir", home.uri) + b.guest_ldif("alice", "dir"))
    asked = ask(member(server, "m1"), "secret@home.example")
    life.wait_notices(server, "request", count=3)
    for connection in (server.conn(b.guest_dn("alice"), "alice-pw"),
                       server.conn(b.service_dn("portal"), "portal-pw")):
        for base in (b.SUFFIX, b.BASE):
            assert not [
    dn for dn in seen(
        connection,
         base) if "cn=requests" in dn or "cn=outbox" in dn]
        for base in (life.REQUESTS, life.OUTBOX, dn_of(asked)):
            assert code(seen, connection, base) == 32
        assert code(
    connection.compare_s,
    dn_of(asked),
    "b2bRequestMail",
     b"secret@home.example") == 32
    assert dn_of(asked) in seen(member(server, "m1"), life.REQUESTS)


# --- the task ---

def test_request__goes_after_the_grace(make_server):
    """Set-up: b2bDeleteGrace 0, a task every second. Expected: what is denied goes once the
    requester was told; what is pending stays."""
    server = make(make_server, "b2bSelfService: members\nb2bDeleteGrace: 0", sweep=1)
    denied, waiting = (ask(member(server, "m1"), a) for a in ("a@home.example", "b@home.example"))
    assert decide(member(server, "app"), dn_of(denied), "denied")[0] == 0
    poll(lambda: server.entry(dn_of(denied)) is None, 10, "the request goes")
    life.wait_notices(server, "refused", "a@home.example")
    assert server.entry(dn_of(waiting))["b2bRequestState"] == ["pending"]


def test_request__without_key(make_server):
    """Without b2b-key-file nobody can be invited: an approval fails, in words."""
    server = make_server(b.tenant_server, access=ACCESS, data=WORLD)
    life.settings(server, "b2bSelfService: members\n" + APPROVERS)
    asked = ask(member(server, "m1"), "a@home.example")
    assert decide(member(server, "app"), dn_of(asked), "approved")[0] == 0
    assert "b2b-key-file" in wait_state(server, dn_of(asked), "failed")["b2bRequestAnswer"][0]


def test_request__invited_but_not_noted(make_server):
    """Set-up: an approved request whose guest was invited, as a server leaves it that died before
    it wrote so (made by the relax control). Expected: the task writes so; the guest is not invited
    once more, though a second has gone by."""
    server = make(make_server)
    asked = ask(member(server, "m1"), "a@home.example")
    assert decide(member(server, "app"), dn_of(asked), "approved")[0] == 0
    guest = wait_state(server, dn_of(asked), "invited")["b2bRequestGuest"][0]
    before = life.wait_entry(server, guest, lambda e: "b2bInvitationSent" in e)
    time.sleep(1.1)
    server.root().modify_ext_s(dn_of(asked), [
        (ldap.MOD_REPLACE, "b2bRequestState", b"approved"),
        (ldap.MOD_DELETE, "b2bRequestGuest", None),
        (ldap.MOD_DELETE, "b2bDeleteAfter", None),
        (ldap.MOD_REPLACE, "b2bNextDue", b"20200101000000Z"),
        (ldap.MOD_REPLACE, "modifyTimestamp", before["b2bInvitedAt"][0].encode())],
        serverctrls=[relax()])
    assert wait_state(server, dn_of(asked), "invited")["b2bRequestGuest"] == [guest]
    assert server.entry(guest)["b2bInvitedAt"] == before["b2bInvitedAt"]
    assert len(life.notices(server, "invitation", "a@home.example")) == 1


def test_request__killed_at_any_moment(make_server):
    """Set-up: a server that is killed (signal 9) at random moments while members ask and approvers
    decide.  Expected: every request that was answered is there; every decision that was answered is
    carried out: one guest, one invitation, one notice each."""
    server = make(make_server, sweep=1)
    decided = {}
    for turn in range(8):
        address = f"k{turn}@home.example"
        asked = ask(member(server, ASKERS[turn + 1]), address)
        state = "denied" if turn % 4 == 3 else "approved"
        assert decide(member(server, "app"), dn_of(asked), state)[0] == 0
        decided[address] = (dn_of(asked), state)
        time.sleep(turn * 0.004)
        server.process.kill()
        server.process.wait()
        server.ctl.clear()
        server._end_process(9)
        server.start()
    for address, (dn, state) in decided.items():
        wait_state(server, dn, "invited" if state == "approved" else "denied")
        kind = "invitation" if state == "approved" else "refused"
        life.wait_notices(server, kind, address)
        assert len(life.notices(server, "refused" if kind == "invitation" else "invitation",
                                address)) == 0
