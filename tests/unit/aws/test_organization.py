"""The own organization: asked for once, and an account in none is no error."""

from __future__ import annotations

import pytest

from permission_guard.aws.organization import OrganizationReader
from permission_guard.model import Unread
from tests.unit.aws.conftest import Answers

ORGANIZATION = {"Organization": {"Id": "o-exampleorgid", "FeatureSet": "ALL"}}


@pytest.fixture
def answers() -> Answers:
    """Return a client of Organizations whose answers are given."""
    return Answers("organizations")


def test_the_organization_is_asked_for_once(answers: Answers) -> None:
    """However many functions name one."""
    answers.say("describe_organization", ORGANIZATION)
    reader = OrganizationReader(lambda: answers.client)
    assert [reader.own_organization() for _ in range(3)] == ["o-exampleorgid"] * 3


def test_an_account_in_no_organization_has_none(answers: Answers) -> None:
    """AWS says so by an error."""
    answers.fail("describe_organization", "AWSOrganizationsNotInUseException")
    assert OrganizationReader(lambda: answers.client).own_organization() is None


def test_an_organization_that_may_not_be_read_is_unread(answers: Answers) -> None:
    """What rests on it is unknown."""
    answers.fail("describe_organization", "AccessDeniedException")
    found = OrganizationReader(lambda: answers.client).own_organization()
    assert found == Unread("organizations:DescribeOrganization", "AccessDeniedException", "no", denied=True)
