"""Access reviews by definition: the task asks, reminds, hands on, closes and carries out."""

import ldap
import pytest

from lib import builders
from lib.builders import guest_dn, member_dn
from lib.review import ACCESS, LDIF, Reviews


@pytest.fixture(scope="module")
def reviews(make_server):
    """Sweeps every second; members mia, max, zoe, bea, cem; cn=reviews and ou=groups."""
    server = make_server(builders.tenant_server, sweep=1, access=ACCESS, data=LDIF)
    return Reviews(server)


def test_one_review_from_start_to_end(reviews):
    """Set-up: two guests of one sponsor; a review by sponsors.  Steps: one is approved, one denied;
    the time is over.  Expected: two items, one mail; the denied one is disabled."""
    for name in ("ann", "ben"):
        reviews.guest(name)
    reviews.define("first", "b2bReviewScopeFilter: (|(uid=ann)(uid=ben))")
    items = reviews.wait_state("first", 1, 0)
    assert set(items) == {"ann", "ben"}
    assert items["ann"]["b2bReviewer"] == [member_dn("mia")]
    assert items["ann"]["b2bReviewItemState"] == ["asked"]
    assert len(reviews.notices("review", "first")) == 1
    reviews.answer("first", "ann", "mia", "Approve", "still here")
    reviews.answer("first", "ben", "mia", "Deny")
    items = reviews.items("first")
    assert items["ann"]["b2bReviewItemState"] == ["answered"]
    assert items["ann"]["b2bReviewedBy"] == [member_dn("mia")]
    items = reviews.close("first")
    assert items["ann"]["b2bReviewItemState"] == ["applied"]
    assert reviews.entry(guest_dn("ann"))["b2bAccountEnabled"] == ["TRUE"]
    assert reviews.entry(guest_dn("ben"))["b2bAccountEnabled"] == ["FALSE"]
    assert reviews.entry(guest_dn("ben"))["b2bDisabledReason"] == ["review-lapsed"]
