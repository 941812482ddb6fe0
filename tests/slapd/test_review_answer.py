"""Answers in access reviews by definition: only those who are asked, while it is open, with a
reason.

Whom slapd's access control lets write is no question in the first tests: everybody may.
"""

import ldap
import pytest
import re

from lib import builders
from lib.builders import BASE, GUESTS, guest_dn, member_dn
from lib.records import RELAX, add, add_entry, ahead, delete, refused, replace
from lib.review import ACCESS, LDIF, REVIEWS, Reviews, definition_dn

DECISION, WHY = "b2bReviewDecision", "b2bReviewJustification"


@pytest.fixture(scope="module")
def reviews(make_server, home):
    """Guests ask their home directory; one review of two guests by mia is open ("open")."""
    partner = builders.partner_ldif("home", home.ldaps, f"b2bHomeCaFile: {home.certs.ca}\n"
                                    f"b2bHomeBindDn: uid=%{{uid}},{builders.HOME_PEOPLE}")
    server = make_server(builders.tenant_server, sweep=1, access=ACCESS, data=LDIF + partner)
    reviews = Reviews(server)
    for name in ("one", "two"):
        reviews.guest(name)
    reviews.define("open", "b2bReviewScopeFilter: (|(uid=one)(uid=two))")
    reviews.wait_state("open", 1, 0)
    return reviews


def as_guest(reviews, name):
    return reviews.server.conn(guest_dn(name), f"{name}-pw")


def as_member(reviews, name):
    return reviews.server.conn(member_dn(name), f"{name}-pw")


def item_dn(reviews, guest="one", review="open"):
    return reviews.items(review)[guest]["dn"]


# Who


@pytest.mark.parametrize("who", ["max", "anonymous", "rootdn", "guest"])
def test_who_is_not_named(reviews, who):
    """Not a reviewer: another member, nobody, the rootdn, the guest itself (which may not write at
    all here)."""
    connection = {"max": lambda: as_member(reviews, "max"), "anonymous": reviews.server.conn,
                  "rootdn": reviews.server.root,
                  "guest": lambda: as_guest(reviews, "alice")}
    if who == "guest":
        reviews.guest("alice")
    changes = [replace(DECISION, "Approve"), replace(WHY, "because")]
    with refused(reviews.root, base=REVIEWS, error=(ldap.INSUFFICIENT_ACCESS,
                                                    ldap.STRONG_AUTH_REQUIRED)):
        connection[who]().modify_s(item_dn(reviews), changes)


def test_manager_answers_only_for_its_own(reviews):
    """Each of two guests has a reviewer of its own: neither answers for the other's."""
    reviews.guest("ha", f"b2bSponsor: {member_dn('bea')}")
    reviews.guest("hb", f"b2bSponsor: {member_dn('cem')}")
    reviews.define("own", "b2bReviewScopeFilter: (|(uid=ha)(uid=hb))")
    reviews.wait_state("own", 1, 0)
    with refused(reviews.root, "b2bReviewer names", error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        reviews.answer("own", "ha", "cem", "Deny")
    reviews.answer("own", "hb", "cem", "Deny")


def test_members_of_a_named_group(reviews):
    """Of a group that reviews any member answers, nested ones too, and nobody else; who leaves the
    group no longer may."""
    reviews.guest("gra")
    inner = reviews.group("deep", member_dn("bea"))
    board = reviews.group("board", member_dn("max"), inner)
    reviews.define("group", "b2bReviewScopeFilter: (uid=gra)", by=board)
    reviews.wait_state("group", 1, 0)
    with refused(reviews.root, error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        reviews.answer("group", "gra", "mia", "Deny")
    reviews.answer("group", "gra", "bea", "Approve", "deep inside")
    reviews.answer("group", "gra", "max", "Deny")
    reviews.root.modify_s(board, [delete("member", member_dn("max"))])
    with refused(reviews.root, error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        reviews.answer("group", "gra", "max", "Approve", "once more")


def test_slapd_must_let_the_reviewer_write(make_server):
    """Where slapd's access control gives nobody the right, being named is not enough; nor does who
    may not delete a definition take its items away by trying."""
    server = make_server(builders.tenant_server, sweep=1, data=LDIF)
    reviews = Reviews(server)
    reviews.guest("one")
    reviews.define("open")
    reviews.wait_state("open", 1, 0)
    with refused(reviews.root, error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        reviews.answer("open", "one", "mia", "Deny")
    with refused(reviews.root, error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        as_member(reviews, "mia").delete_s(definition_dn("open"))


def test_recommended_access_control(make_server):
    """Set-up: ldif/acl.ldif.  Expected: a reviewer, and the member of a group within a group of
    reviewers, read and answer their items; others see nothing, nor does a reviewer see others'."""
    text = (builders.TOP / "ldif/acl.ldif").read_text()
    rules = re.findall(r"^olcAccess: \{\d+\}(.*)$", text, re.M)
    server = make_server(builders.tenant_server, sweep=1, data=LDIF,
                         access="".join(f"access {rule}\n" for rule in rules))
    reviews = Reviews(server)
    for name in ("one", "two"):
        reviews.guest(name)
    board = reviews.group("board", reviews.group("deep", member_dn("bea")), member_dn("max"))
    reviews.define("named", "b2bReviewScopeFilter: (uid=one)")
    reviews.define("board", "b2bReviewScopeFilter: (uid=two)", by=board)
    items = {"mia": reviews.wait_state("named", 1, 0)["one"]["dn"],
             "bea": reviews.wait_state("board", 1, 0)["two"]["dn"]}
    for who in ("mia", "bea", "zoe"):
        connection = as_member(reviews, who)
        found = connection.search_s(builders.SUFFIX, ldap.SCOPE_SUBTREE,
                                    "(objectClass=b2bReviewItem)", ["1.1"])
        assert [dn for dn, _ in found] == [items[who]] if who in items else found == []
        for owner, dn in items.items():
            if owner == who:
                connection.modify_s(dn, [replace(DECISION, "Approve"), replace(WHY, "known")])
            else:
                with pytest.raises((ldap.INSUFFICIENT_ACCESS, ldap.NO_SUCH_OBJECT)):
                    connection.modify_s(dn, [replace(DECISION, "Deny")])


# Itself


def test_guest_reviews_itself_where_the_definition_says_self(reviews):
    """Set-up: alice and bob are asked about themselves.  Expected: alice answers for herself and
    for nobody else, sees that item and not who reviewed what before; its reason is demanded; when
    the definition no longer says self she may not."""
    for name in ("alice", "bob"):
        if not reviews.entry(guest_dn(name)):
            reviews.guest(name)
    these = "b2bReviewScopeFilter: (|(uid=alice)(uid=bob))"
    dn = reviews.define("self", these, by="self")
    items = reviews.wait_state("self", 1, 0)
    reviews.define("others", these)
    reviews.wait_state("others", 1, 0)
    alice = as_guest(reviews, "alice")
    with refused(reviews.root, "says why", base=REVIEWS):
        alice.modify_s(items["alice"]["dn"], [replace(DECISION, "Approve")])
    alice.modify_s(items["alice"]["dn"], [replace(DECISION, "Approve"), replace(WHY, "at work")])
    with refused(reviews.root, error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        alice.modify_s(items["bob"]["dn"], [replace(DECISION, "Approve"), replace(WHY, "a friend")])
    for change in (add("b2bReviewer", guest_dn("bob")), replace("description", "x")):
        with refused(reviews.root, error=(ldap.INSUFFICIENT_ACCESS, ldap.OBJECT_CLASS_VIOLATION),
                     base=REVIEWS):
            alice.modify_s(items["alice"]["dn"], [change])
    seen = alice.search_s(builders.SUFFIX, ldap.SCOPE_SUBTREE, "(objectClass=b2bReviewItem)",
                          ["*", "+"])
    assert [name for name, _ in seen] == [items["alice"]["dn"]]
    assert set(seen[0][1]) == {"objectClass", "cn", DECISION, WHY, "b2bReviewGuest",
                               "b2bReviewStage", "b2bReviewItemState"}
    reviews.root.modify_s(dn, [replace("b2bReviewBy", "sponsor")])
    reviews.settle("self")
    with refused(reviews.root, "nobody reviews itself", error=ldap.INSUFFICIENT_ACCESS,
                 base=REVIEWS):
        alice.modify_s(items["alice"]["dn"], [replace(DECISION, "Deny")])


@pytest.mark.parametrize("how", ["group", "named"])
def test_guest_among_the_reviewers(reviews, how):
    """A guest that is named, or in the group of reviewers, answers nothing, neither about itself
    nor others."""
    for name in ("carol", "dave"):
        if not reviews.entry(guest_dn(name)):
            reviews.guest(name)
    by = guest_dn("carol")
    if how == "group":
        by = reviews.group("guests", guest_dn("carol"), member_dn("max"))
    reviews.define(f"mixed{how}", "b2bReviewScopeFilter: (|(uid=carol)(uid=dave))", by=by)
    items = reviews.wait_state(f"mixed{how}", 1, 0)
    carol = as_guest(reviews, "carol")
    for name in ("carol", "dave"):
        with refused(reviews.root, error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
            carol.modify_s(items[name]["dn"], [replace(DECISION, "Deny")])
        assert carol.search_s(builders.SUFFIX, ldap.SCOPE_SUBTREE, "(b2bReviewGuest=*)") == []


# When


def test_answers_after_the_end(reviews):
    """A stage that is over, and a review that is closed, take no answer, of whoever it was."""
    for name in ("enda", "endb"):
        reviews.guest(name)
    reviews.define("ending", "b2bReviewScopeFilter: (uid=end*)", "b2bReviewBy: {0}sponsor",
                   f"b2bReviewBy: {{1}}{member_dn('max')}")
    reviews.wait_state("ending", 1, 0)
    reviews.answer("ending", "enda", "mia", "Deny")
    reviews.end_stage("ending")
    reviews.wait_state("ending", 1, 1)
    with refused(reviews.root, "closed", error=ldap.UNWILLING_TO_PERFORM, base=REVIEWS):
        reviews.answer("ending", "enda", "mia", "Approve", "I was wrong")
    with refused(reviews.root, error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        reviews.answer("ending", "endb", "mia", "Approve", "second stage")
    reviews.close("ending")
    with refused(reviews.root, "closed", error=ldap.UNWILLING_TO_PERFORM, base=REVIEWS):
        reviews.answer("ending", "endb", "max", "Approve", "too late")


def test_items_that_belong_to_no_open_review(reviews):
    """An item of another instance, which only the relax control can make, takes no answer."""
    dn = f"cn=9-0f0e0d0c-0000-0000-0000-000000000000,{definition_dn('open')}"
    add_entry(reviews.root, f"dn: {dn}\nobjectClass: b2bReviewItem\ncn: {dn.split(',')[0][3:]}\n"
              f"b2bReviewer: {member_dn('mia')}\nb2bReviewGuest: {guest_dn('one')}\n"
              "b2bReviewStage: 0\nb2bReviewItemState: asked", relax=True)
    try:
        with refused(reviews.root, "closed", error=ldap.UNWILLING_TO_PERFORM, base=REVIEWS):
            as_member(reviews, "mia").modify_s(dn, [replace(DECISION, "Deny")])
    finally:
        reviews.root.delete_s(dn)


# What


@pytest.mark.parametrize("why", [None, " ", "\t\n", "\u00a0", "\u2003\u200b", "\u3000", "\ufeff"])
def test_approval_without_a_reason(reviews, why):
    """Nothing that anybody could read: refused."""
    with refused(reviews.root, base=REVIEWS,
                 error=(ldap.CONSTRAINT_VIOLATION, ldap.INVALID_SYNTAX)):
        reviews.answer("open", "one", "mia", "Approve", why)


def test_reason_cannot_be_taken_back(reviews):
    """The reason of an approval stays, or is replaced by another."""
    reviews.answer("open", "one", "mia", "approve", "good")
    mia = as_member(reviews, "mia")
    for changes in ([delete(WHY)], [replace(WHY, " ")], [delete(DECISION)],
                    [delete(DECISION), delete(WHY)]):
        with refused(reviews.root, base=REVIEWS):
            mia.modify_s(item_dn(reviews), changes)
    mia.modify_s(item_dn(reviews), [replace(WHY, "better")])
    assert reviews.items("open")["one"][WHY] == ["better"]


@pytest.mark.parametrize("decision", ["Yes", "Appr0ve", "ApproveDeny", "-"])
def test_unknown_decision(reviews, decision):
    """The refusal says what may be said."""
    with refused(reviews.root, "neither Approve, Deny nor DontKnow", base=REVIEWS):
        reviews.answer("open", "one", "mia", decision, "because")


def test_other_decisions_need_no_reason(reviews):
    """Only an approval says why."""
    reviews.answer("open", "two", "mia", "DontKnow")
    reviews.answer("open", "two", "mia", "Deny")


def test_change_of_mind_is_kept(reviews):
    """Each answer is in the history, with who, when and why; the last one counts."""
    reviews.answer("open", "two", "mia", "Approve", "a first thought")
    reviews.answer("open", "two", "mia", "Deny", "a second thought")
    item = reviews.items("open")["two"]
    assert item[DECISION] == ["Deny"]
    lines = [line for line in item["b2bReviewHistory"] if "thought" in line]
    assert ["first" in lines[0], "second" in lines[1]] == [True, True]
    assert all(member_dn("mia") in line for line in lines)


def test_last_word_stays(reviews):
    """Set-up: mia approves in a review by definition, and an hour later, by the item's time, the
    guest's own review is answered. Steps: the first closes. Expected: both are in the guest's
    history, and who reviewed it last, and when, is of its own review still."""
    dn = reviews.guest("last")
    reviews.define("word", "b2bReviewScopeFilter: (uid=last)")
    reviews.wait_state("word", 1, 0)
    reviews.answer("word", "last", "mia", "Approve", "the first")
    reviews.set(item_dn(reviews, "last", "word"), replace("b2bReviewedAt", ahead(-3600)),
                replace("b2bReviewedBy", member_dn("max")))
    reviews.root.modify_s(dn, [replace(DECISION, "Approve"), replace(WHY, "the second")])
    own = reviews.entry(dn)
    reviews.close("word")
    guest = reviews.entry(dn)
    assert guest["b2bReviewedAt"] == own["b2bReviewedAt"]
    assert guest["b2bReviewedBy"] == [builders.ROOTDN]
    assert sorted(line.split(": ")[1] for line in guest["b2bReviewHistory"]) == [
        "the first", "the second"]


@pytest.mark.parametrize("attribute, value", [
    ("b2bReviewer", member_dn("max")), ("cn", "another"), ("objectClass", "b2bLabelled"),
    ("b2bReviewGuest", guest_dn("two")), ("b2bReviewItemState", "applied"),
    ("b2bReviewedBy", member_dn("max")), ("b2bReviewHistory", "19700101000000Z Approve"),
    ("b2bReviewStage", "1"), ("b2bReviewRecommendation", "Approve")])
def test_nothing_else_is_written(reviews, attribute, value):
    """Neither by a reviewer nor, without the relax control, by the rootdn; not along with an answer
    either."""
    for connection in (as_member(reviews, "mia"), reviews.root):
        for changes in ([add(attribute, value)],
                        [replace(DECISION, "Deny"), add(attribute, value)]):
            with refused(reviews.root, base=REVIEWS,
                         error=(ldap.CONSTRAINT_VIOLATION, ldap.INSUFFICIENT_ACCESS)):
                connection.modify_s(item_dn(reviews), changes)
    with refused(reviews.root, base=REVIEWS, error=ldap.LDAPError):
        as_member(reviews, "mia").modify_ext_s(item_dn(reviews), [add(attribute, value)],
                                               serverctrls=RELAX)


def test_items_are_the_servers(reviews):
    """No client makes an item, the rootdn neither; only who may manage takes one away; it is not
    renamed, and stands nowhere else."""
    ldif = (f"dn: cn=1-x,{definition_dn('open')}\nobjectClass: b2bReviewItem\ncn: 1-x\n"
            f"b2bReviewer: {member_dn('max')}")
    for connection in (as_member(reviews, "mia"), reviews.root):
        with refused(reviews.root, "made by the server", base=REVIEWS):
            add_entry(connection, ldif)
    for elsewhere in (GUESTS, BASE, REVIEWS):
        with refused(reviews.root, "objectClass"):
            add_entry(reviews.root, ldif.replace(definition_dn("open"), elsewhere))
    with refused(reviews.root, "b2bReviewItem", base=REVIEWS):
        add_entry(reviews.root, f"dn: cn=x,{definition_dn('open')}\n"
                                "objectClass: b2bContainer\ncn: x")
    with refused(reviews.root, "may manage", error=ldap.INSUFFICIENT_ACCESS, base=REVIEWS):
        as_member(reviews, "mia").delete_s(item_dn(reviews))
    with refused(reviews.root, error=ldap.UNWILLING_TO_PERFORM, base=REVIEWS):
        reviews.root.rename_s(item_dn(reviews), "cn=1-other")


def test_item_that_an_administrator_took_away(reviews):
    """Its guest is out of the review; the others are not."""
    for name in ("outa", "outb"):
        reviews.guest(name)
    reviews.define("out", "b2bReviewScopeFilter: (uid=out*)")
    items = reviews.wait_state("out", 1, 0)
    reviews.root.delete_s(items["outa"]["dn"])
    reviews.close("out")
    assert reviews.entry(guest_dn("outa"))["b2bAccountEnabled"] == ["TRUE"]
    assert reviews.entry(guest_dn("outb"))["b2bAccountEnabled"] == ["FALSE"]
