"""The tags of resources: which are read, and what no answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.state import Unread
from tests.fakes import QUEUE_ARN, TARGET

if TYPE_CHECKING:
    from tests.unit.aws.readers.sources.conftest import Sources

TAGGING = "resourcegroupstaggingapi"


def listed(*entries: tuple[str, dict[str, str]]) -> dict[str, Any]:
    """Return AWS's reply."""
    mappings = [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for arn, tags in entries
    ]
    return {"ResourceTagMappingList": mappings}


def test_the_tags_of_a_queue_are_read_once(sources: Sources) -> None:
    """One call names the resource."""
    reply = listed((QUEUE_ARN, {"team": "orders", "stage": "live"}))
    sources.say(TAGGING, "get_resources", reply, ResourceARNList=[QUEUE_ARN])
    for _ in range(2):
        assert sources.reader.resource_tags(QUEUE_ARN, TARGET) == {"team": "orders", "stage": "live"}


def test_tags_are_read_again_after_the_cache_is_cleared(sources: Sources) -> None:
    """They may have changed."""
    for team in ("orders", "billing"):
        sources.say(TAGGING, "get_resources", listed((QUEUE_ARN, {"team": team})))
        assert sources.reader.resource_tags(QUEUE_ARN, TARGET) == {"team": team}
        sources.reader.forget()


def test_a_resource_that_had_tags_has_none_now(sources: Sources) -> None:
    """AWS lists what was tagged before."""
    sources.say(TAGGING, "get_resources", listed((QUEUE_ARN, {})))
    assert sources.reader.resource_tags(QUEUE_ARN, TARGET) == {}


def test_a_resource_that_aws_does_not_list_has_unknown_tags(sources: Sources) -> None:
    """It is not the same as no tags. A reply about another resource does not count."""
    sources.say(TAGGING, "get_resources", listed((f"{QUEUE_ARN}-2", {"team": "orders"})))
    assert sources.reader.resource_tags(QUEUE_ARN, TARGET) is None


@pytest.mark.parametrize(
    ("code", "denied"),
    [("AccessDeniedException", True), ("ThrottledException", False), ("InternalServiceException", False)],
)
def test_tags_that_cannot_be_read_are_unread(sources: Sources, code: str, denied: bool) -> None:
    """A retry helps unless the permission is missing."""
    sources.fail(TAGGING, "get_resources", code)
    tags = sources.reader.resource_tags(QUEUE_ARN, TARGET)
    assert isinstance(tags, Unread)
    assert (tags.action, tags.code, tags.denied) == ("tag:GetResources", code, denied)


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:s3:::orders",
        "arn:aws:sqs:us-east-1:111122223333:incoming",
        "arn:aws:sqs:eu-west-1:123456789012:incoming",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders-??????",
        "*",
        "orders",
    ],
)
def test_no_call_is_made_for_other_resources(sources: Sources, resource: str) -> None:
    """AWS would not list them, or not evaluate their tags."""
    assert sources.reader.resource_tags(resource, TARGET) is None
    assert sources.made == []
