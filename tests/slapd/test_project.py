"""Projects (b2bCollaboration): when one ends its guests lose the membership, and who has nothing
else is disabled; whatever else happens to it meanwhile."""

import pytest

from lib import builders
from lib.builders import guest_dn, guest_ldif, member_dn
from lib.lives import (FUTURE, LDIF, NOBODY, PAST, Lives, app_dn, group_dn, lives_server, named)
from lib.records import DAY, add, ahead, delete, next_hour, refused, replace

UNIQUE = ("groupOfUniqueNames", "b2bCollaboration")
END = "b2bValidUntil"
_count = iter(range(1000))


@pytest.fixture(scope="module")
def world(make_server):
    lives = lives_server(make_server, tenant="b2bMassLimit: 100%")
    lives.people("ida", "ole", "per")
    return lives


@pytest.fixture
def name():
    """A project's, that no other test has."""
    return f"p{next(_count)}"


def members(world, name, attribute="member"):
    return set(world.entry(group_dn(name)).get(attribute, ()))


def end(world, name, when=PAST):
    world.root.modify_s(group_dn(name), [replace(END, when)])


def wait_members(world, name, *dns, attribute="member"):
    world.wait(lambda: members(world, name, attribute) == set(dns), f"{name} has {dns}")


def wait_quiet(world, name):
    """The task is done with it."""
    world.wait(lambda: "b2bNextDue" not in world.entry(group_dn(name)), f"{name} is done with")


def test_end(world, name):
    """Set-up: a project of two guests, one of them off, a member and a stranger's name. Expected:
    both guests leave, the one that was on is disabled as project-ended and it and its sponsor hear
    of it; the others stay; the project itself too, and the task is done with it."""
    one, off = world.new(), world.new("b2bAccountEnabled: FALSE")
    stranger = "uid=somebody,dc=elsewhere"
    project = world.project(name, guest_dn(one), guest_dn(off), member_dn("mia"), stranger,
                            until=FUTURE)
    due = world.entry(project)["b2bNextDue"]
    assert due == [next_hour(FUTURE)]
    end(world, name)
    wait_members(world, name, member_dn("mia"), stranger)
    wait_quiet(world, name)
    entry = world.get(one)
    assert entry["b2bAccountEnabled"] == ["FALSE"]
    assert entry["b2bDisabledReason"] == ["project-ended"]
    assert "b2bDeleteAfter" in entry and "b2bDisabledReason" not in world.get(off)
    assert world.told("disabled", one) == ["mia", one] and world.told("disabled", off) == []
    assert dict(world.mails("disabled", one))["mia"]["reason"] == "project-ended"


def test_restored_after_the_end(world, name):
    """A guest of a project that ended is enabled again by an administrator: it stays so, without
    the project."""
    guest = world.new()
    world.project(name, guest_dn(guest), member_dn("mia"), until=PAST)
    world.wait_off(guest, "project-ended")
    wait_quiet(world, name)
    world.root.modify_s(guest_dn(guest), [replace("b2bAccountEnabled", "TRUE")])
    with world.quiet(guest_dn(guest), group_dn(name)):
        pass
    assert members(world, name) == {member_dn("mia")}


def test_moved_end(world, name):
    """The end is moved later, earlier, taken away, set again: b2bNextDue follows, and the guest
    stays until an end is over."""
    guest = world.new()
    project = world.project(name, guest_dn(guest), until=ahead(30 * DAY))

    def due():
        return world.entry(project).get("b2bNextDue")
    for when in (ahead(60 * DAY), ahead(10 * DAY)):
        end(world, name, when)
        assert due() == [next_hour(when)]
    world.root.modify_s(project, [delete(END)])
    assert due() is None
    with world.quiet(project, guest_dn(guest)):
        pass
    end(world, name)
    world.wait_off(guest, "project-ended")
    wait_members(world, name, NOBODY)


def test_who_comes_after_the_end(world, name):
    """A guest that is put into a project which is over leaves again at the next sweep."""
    project = world.project(name, member_dn("mia"), until=PAST)
    wait_quiet(world, name)
    guest = world.new()
    world.root.modify_s(project, [add("member", guest_dn(guest))])
    world.wait_off(guest, "project-ended")
    wait_members(world, name, member_dn("mia"))


def test_project_no_more(world, name):
    """Without the class it is a group like others, whatever its end said."""
    guest = world.new()
    project = world.project(name, guest_dn(guest), until=FUTURE)
    world.root.modify_s(project, [replace("objectClass", "groupOfNames"), delete(END)])
    assert "b2bNextDue" not in world.entry(project)
    with world.quiet(project, guest_dn(guest)):
        pass


def keeps(world, name, make):
    """A guest for whom make(dn) makes something else than the project; gives its name, once the
    project is over. The other guest of it has nothing else."""
    guest, other = world.new(), world.new()
    make(guest_dn(guest))
    world.project(name, guest_dn(guest), guest_dn(other), until=PAST)
    wait_members(world, name, NOBODY)
    wait_quiet(world, name)
    assert not world.is_on(other)
    return guest


@pytest.mark.parametrize("until", [FUTURE, None])
def test_another_project(world, name, until):
    """In another project that is not over, or has no end: it stays, there and at all."""
    guest = keeps(world, name, lambda dn: world.project(f"{name}x", dn, until=until))
    assert world.is_on(guest) and members(world, f"{name}x") == {guest_dn(guest)}
    assert world.told("disabled", guest) == []


def test_another_project_that_ended_too(world, name):
    """Two projects end at once: each of them is no reason to stay in the other."""
    guest = world.new()
    world.project(f"{name}x", guest_dn(guest), until=PAST)
    world.project(name, guest_dn(guest), until=PAST)
    world.wait_off(guest, "project-ended")
    wait_members(world, name, NOBODY)
    wait_members(world, f"{name}x", NOBODY)


def test_another_project_by_unique_name(world, name):
    guest = keeps(world, name, lambda dn: world.project(
        f"{name}x", dn, until=FUTURE, classes=UNIQUE, attribute="uniqueMember"))
    assert world.is_on(guest)


def test_plain_group_is_nothing(world, name):
    """A group that is neither project nor assigned to an application keeps nobody."""
    guest = world.new()
    world.group(f"{name}x", guest_dn(guest))
    world.project(name, guest_dn(guest), until=PAST)
    world.wait_off(guest, "project-ended")
    assert members(world, f"{name}x") == {guest_dn(guest)}


def test_application_by_name(world, name):
    assert world.is_on(keeps(world, name, lambda dn: world.app(name, dn)))


def test_application_by_group(world, name):
    """By a group, and by a group in a group."""
    def inner(dn):
        world.group(f"{name}i", dn)
        world.group(f"{name}o", group_dn(f"{name}i"), member_dn("mia"))
        world.app(name, group_dn(f"{name}o"))
    assert world.is_on(keeps(world, name, inner))


@pytest.mark.parametrize("nested", [False, True])
def test_application_by_the_project(world, name, nested):
    """An application that is assigned to the project itself, or to a group that holds the project,
    is lost with it: who has nothing else is disabled."""
    guest = world.new()
    world.group(f"{name}o", group_dn(name), member_dn("mia"))
    world.app(name, group_dn(f"{name}o") if nested else group_dn(name))
    world.project(name, guest_dn(guest), until=PAST)
    world.wait_off(guest, "project-ended")
    wait_members(world, name, NOBODY)


def test_group_that_holds_itself(world, name):
    """Groups of an application that hold each other, and the project: no way round."""
    guest = world.new()
    world.group(f"{name}a", group_dn(f"{name}b"), group_dn(f"{name}a"))
    world.group(f"{name}b", group_dn(f"{name}a"), group_dn(name))
    world.app(name, group_dn(f"{name}a"))
    world.project(name, guest_dn(guest), until=PAST)
    world.wait_off(guest, "project-ended")


def test_last_member_leaves(world, name):
    """groupOfNames, and groupOfUniqueNames, whose only member was a guest: a name below the tenant
    entry stands in, with which nobody can sign in; members who come later stand beside it."""
    one, two = world.new(), world.new()
    world.project(name, guest_dn(one), until=PAST)
    world.project(f"{name}u", guest_dn(two), until=PAST, classes=UNIQUE, attribute="uniqueMember")
    wait_members(world, name, NOBODY)
    wait_members(world, f"{name}u", NOBODY, attribute="uniqueMember")
    assert world.entry(NOBODY) is None
    world.root.modify_s(group_dn(name), [add("member", member_dn("mia"))])
    assert members(world, name) == {NOBODY, member_dn("mia")}


def test_unique_names(world, name):
    """groupOfUniqueNames with guests and members."""
    guest = world.new()
    world.project(name, guest_dn(guest), member_dn("mia"), until=PAST, classes=UNIQUE,
                  attribute="uniqueMember")
    world.wait_off(guest, "project-ended")
    wait_members(world, name, member_dn("mia"), attribute="uniqueMember")


def test_names_with_odd_characters(world, name):
    """A project and a guest whose names must be escaped in filters."""
    odd = r"odd*)(uid=\2a\2c\5c"
    guest = world.new()
    dn = f"cn={odd},{group_dn('').split(',', 1)[1]}"
    world.root.modrdn_s(guest_dn(guest), rf"uid={guest}\2c*)(x")
    dn_guest = rf"uid={guest}\2C*)(x,{builders.GUESTS}"
    world.root.add_s(dn, [("objectClass", [b"groupOfNames", b"b2bCollaboration"]),
                          ("cn", [b"odd*)(uid=*,\\"]), ("member", [dn_guest.encode()]),
                          (END, [PAST.encode()])])
    world.wait(lambda: world.entry(dn)["member"] == [NOBODY], "the odd one left")
    assert world.entry(dn_guest)["b2bDisabledReason"] == ["project-ended"]


def test_stuck_guest_does_not_stop_others(make_server):
    """Set-up: a project of five guests, the first of which slapd's schema check does not let
    anybody write (slapadd -s put it there). Expected: the others are disabled and leave, in one
    sweep; the project stays due."""
    stuck = guest_ldif("stuck", lines="b2bUserType: Guest").replace("sn: Stuck\n", "")
    stuck = stuck.replace("b2bUserType: Guest\nb2bUserType: Guest", "b2bUserType: Guest")
    server = make_server(builders.tenant_server, start=False, sweep=3600)
    server.load(LDIF)
    server.load(stuck, "-s")
    server.start()
    world = Lives(server)
    names = ["stuck"] + [world.new() for _ in range(4)]
    project = world.project("p", *map(guest_dn, names), until=FUTURE)
    end(world, "p")
    wait_members(world, "p", guest_dn("stuck"))
    assert world.on() == {"stuck"} and "b2bNextDue" in world.entry(project)


def test_extended_while_it_ends(make_server):
    """Set-up: a project of 300 guests. Steps: it ends; as soon as the first is off its end is moved
    away. Expected: those who were not reached keep membership and access, and the new end is what
    is due."""
    world = lives_server(make_server, tenant="b2bMassLimit: 100%")
    names = named("g", 300)
    world.server.load("".join(guest_ldif(name, lines=f"{END}: {FUTURE}") for name in names))
    project = world.project("p", *map(guest_dn, names), until=FUTURE)
    end(world, "p")
    world.wake()
    world.server.wait_log("b2b: task guest=.* disabled reason=project-ended")
    end(world, "p", FUTURE)
    world.sweep()
    with world.quiet(project):
        left = members(world, "p") - {NOBODY}
    assert 0 < len(left) < 300 and left == {guest_dn(name) for name in world.on()}
    assert world.entry(project)["b2bNextDue"] == [next_hour(FUTURE)]
    end(world, "p")
    wait_members(world, "p", NOBODY)
    assert world.on() == set()


def test_who_joins_while_it_ends(make_server):
    """Set-up: a project of 200 guests.  Steps: it ends; as soon as the first is off another guest
    joins.  Expected: that one leaves as well."""
    world = lives_server(make_server, tenant="b2bMassLimit: 100%")
    names = named("g", 200)
    world.server.load("".join(guest_ldif(name, lines=f"{END}: {FUTURE}")
                              for name in [*names, "late"]))
    project = world.project("p", *map(guest_dn, names), until=FUTURE)
    end(world, "p")
    world.wake()
    world.server.wait_log("b2b: task guest=.* disabled reason=project-ended")
    world.root.modify_s(project, [add("member", guest_dn("late"))])
    assert len(members(world, "p")) > 1
    wait_members(world, "p", NOBODY)
    assert world.on() == set()


def test_loaded_by_slapadd(make_server):
    """Set-up: a project that is over, one that is not, without b2bNextDue. Expected: once the
    server is up, the one is ended and the other waited for."""
    server = make_server(builders.tenant_server, start=False, sweep=3600)
    text = LDIF + "".join(guest_ldif(name, lines=f"{END}: {FUTURE}") for name in ("one", "two"))
    for name, until in (("one", PAST), ("two", FUTURE)):
        text += (f"dn: {group_dn(name)}\nobjectClass: groupOfNames\nobjectClass: b2bCollaboration\n"
                 f"cn: {name}\nmember: {guest_dn(name)}\n{END}: {until}\n\n")
    server.load(text)
    server.start()
    world = Lives(server)
    world.wait_off("one", "project-ended")
    wait_members(world, "one", NOBODY)
    world.wait(lambda: world.entry(group_dn("two")).get("b2bNextDue") == [next_hour(FUTURE)], "due")
    assert world.is_on("two") and members(world, "two") == {guest_dn("two")}


def test_killed_in_the_midst(make_server):
    """Set-up: a project of 200 guests, every second of which has an application. Steps: it ends;
    slapd is killed (signal 9) again and again at different moments. Expected: in the end all have
    left, the others are off, each of them heard of it once; no guest was ever out of the group and
    on without anything else."""
    server = make_server(builders.tenant_server, start=False, sweep=3600,
                         tenant="b2bMassLimit: 100%", database="index member eq\n")
    names = named("g", 200)
    server.load(LDIF + "".join(guest_ldif(name, lines=f"{END}: {FUTURE}\nb2bSponsor: "
                                          f"{member_dn('mia')}") for name in names)
                + builders.app_ldif("wiki", "\n".join(f"b2bAppAssignee: {guest_dn(name)}"
                                                      for name in names[::2])))
    server.start()
    world = Lives(server)
    world.project("p", *map(guest_dn, names), until=FUTURE)
    end(world, "p")
    kills = 0
    for goal in (10, 60, 110, 160):
        world.wait(lambda: len(members(world, "p")) <= 200 - goal, "under way")
        in_group = members(world, "p")
        on = world.on()
        assert all(guest_dn(name) in in_group for name in on & set(names[1::2]))
        server.kill()
        kills += 1
        server.start()
        world.root = server.root()
    wait_members(world, "p", NOBODY)
    wait_quiet(world, "p")
    assert world.on() == set(names[::2])
    assert sorted(to for to, _ in world.mails("disabled") if to != "mia") == sorted(names[1::2])
    assert world.told("disabled").count("mia") == 100


# --- what may be written ---

def test_sponsors_at_most_five(world, name):
    """A project has five sponsors at most, at add and at modify."""
    people = [member_dn(one) for one in ("mia", "max", "zoe", "bea", "cem", "ida")]
    lines = tuple(f"b2bSponsor: {dn}" for dn in people)
    with refused(world.root, "five sponsors"):
        world.project(name, member_dn("mia"), lines=lines)
    project = world.project(name, member_dn("mia"), lines=lines[:5])
    with refused(world.root, "five sponsors"):
        world.root.modify_s(project, [add("b2bSponsor", people[5])])
    world.root.modify_s(project, [delete("b2bSponsor", people[0]), add("b2bSponsor", people[5])])


def test_a_guest_is_no_project(world):
    """The classes of a guest and of a project do not stand in one entry: the guest would be due
    when the project is, and nobody would review it."""
    guest = world.new()
    with refused(world.root, "a guest is no project"):
        world.root.modify_s(guest_dn(guest), [add("objectClass", "b2bCollaboration")])
    with refused(world.root, "a guest is no project"):
        world.server.root().add_s(guest_dn("both"), [
            (key, [value.encode()]) for key, value in (
                ("uid", "both"), ("cn", "both"), ("sn", "both"), ("b2bHomeTenant", "home"))]
            + [("objectClass", [b"inetOrgPerson", b"b2bGuest", b"b2bCollaboration"])])


def test_due_is_the_servers(world, name):
    """No client says when a project is due; with relax what was said is put right by the next
    sweep."""
    guest = world.new()
    project = world.project(name, guest_dn(guest), until=FUTURE)
    with refused(world.root):
        world.root.modify_s(project, [replace("b2bNextDue", PAST)])
    world.set(project, replace("b2bNextDue", PAST))
    world.wait(lambda: world.entry(project)["b2bNextDue"] == [next_hour(FUTURE)], "put right")
    assert members(world, name) == {guest_dn(guest)} and world.is_on(guest)


def test_application_of_a_former_name(world, name):
    """An application that names nobody, or a group that is not there, keeps nobody."""
    guest = world.new()
    world.app(name, group_dn("missing"), guest_dn("missing"))
    world.project(name, guest_dn(guest), until=PAST)
    world.wait_off(guest, "project-ended")
    assert world.entry(app_dn(name))["b2bAppAssignee"] == [group_dn("missing"),
                                                           guest_dn("missing")]
