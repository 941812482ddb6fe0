"""A guest's two years, played in a few seconds against a real slapd, b2bd, mail server and home
directory.

Time is moved while all of them run, by lib.clock (which says why not libfaketime): slapd's run queue
goes by the time of day, so after a jump the task runs at once; nothing else in slapd is touched by it.
"""

import pytest

from lib import builders as b
from lib.builders import guest_dn, member_dn
from lib.years import World, ticket_in

PIA = guest_dn("pia")


@pytest.fixture
def world():
    with World() as one:
        yield one


def invited(world):
    """Day 0.  mia invites pia: PendingAcceptance, and a mail to her alone, with the ticket."""
    mark = world.server.log_mark()
    out = world.ctl("mia", "invite", "--mail", "pia@home.example", "--uid", "pia", "--name", "Pia",
                    "--app", "wiki", "--until", "+730", "--message", "Welcome to Atlas")
    assert out.startswith(f"invited {PIA}\n")
    mail, = world.mails(("invitation", "pia@home.example"))
    assert "Mia invites you as a guest of ours" in mail.text
    assert "> Welcome to Atlas\n" in mail.text
    assert f'invitation guest="{PIA}" by="{member_dn("mia")}": made (0)' in world.server.log(mark)
    entry = world.guest("pia")
    assert entry["b2bUserState"] == ["PendingAcceptance"]
    assert entry["b2bInvitationSent"] == entry["b2bInvitedAt"]
    assert entry["b2bSponsor"] == entry["b2bInvitedBy"] == [member_dn("mia")]
    return ticket_in(mail)


def redeemed(world, ticket):
    """Day 1.  While the invitation is not accepted home is not even asked; with the ticket the home
    password accepts, once, and another does not."""
    world.to_day(1)
    mark = world.server.log_mark()
    assert world.bind(PIA, "pia-pw") == (49, "")
    assert f'guest="{PIA}" tenant=home app=directory verdict=deny reason=not-redeemed' in (
        world.server.log(mark))
    assert not world.found_by_wiki("pia")
    assert "redeem" in world.redeem(ticket, "other", code=1)
    assert world.redeem(ticket, "pia-pw") == f"redeemed {PIA}: Accepted\n"
    assert "redeem" in world.redeem(ticket, "pia-pw", code=1)
    entry = world.guest("pia")
    assert entry["b2bUserState"] == ["Accepted"]
    assert entry["b2bHomeSubject"] == [f"uid=pia,{b.HOME_PEOPLE}"]
    assert world.mails() == []


def test_two_years(world):
    """The whole life, station by station."""
    ticket = invited(world)
    redeemed(world, ticket)
