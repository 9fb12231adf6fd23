"""The services that invoke functions: how their sources are called, and which of them can be asked to name one."""

from __future__ import annotations

import re

import pytest

from permission_guard.arns import partition_of
from permission_guard.invokers import INVOKERS, Invoker, invoker_of

NAMING = [invoker for invoker in INVOKERS if invoker.names_its_source]


def test_each_principal_is_in_the_table_once() -> None:
    """A second one would never be found."""
    assert len({invoker.principal for invoker in INVOKERS}) == len(INVOKERS)


@pytest.mark.parametrize("invoker", INVOKERS, ids=lambda invoker: invoker.principal)
def test_a_principal_is_found_by_its_name(invoker: Invoker) -> None:
    """The very entry."""
    assert invoker_of(invoker.principal) is invoker


@pytest.mark.parametrize("invoker", NAMING, ids=lambda invoker: invoker.principal)
@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_a_source_s_arn_can_be_filled_in_and_leaves_a_name_to_a_person(invoker: Invoker, region: str) -> None:
    """What remains in capitals is what nobody but the owner knows."""
    partition = partition_of(region)
    arn = invoker.source_arn.format(partition=partition, region=region, account="123456789012")
    assert arn.startswith(f"arn:{partition}:{invoker.principal.split('.')[0]}:")
    assert "{" not in arn
    assert re.search(r"[A-Z]+-NAME$", arn)


@pytest.mark.parametrize(
    "principal",
    [
        "alexa-appkit.amazon.com",
        "alexa-connectedhome.amazon.com",
        "edgelambda.amazonaws.com",
        "replicator.lambda.amazonaws.com",
        "sqs.amazonaws.com",
        "kinesis.amazonaws.com",
        "dynamodb.amazonaws.com",
    ],
)
def test_services_that_never_name_a_source_are_not_asked_for_one(principal: str) -> None:
    """To ask would break what works."""
    assert not invoker_of(principal).names_its_source


def test_a_service_in_no_table_is_judged_like_any_other() -> None:
    """Its ARN is a guess that a person completes."""
    invoker = invoker_of("config.amazonaws.com")
    assert invoker.names_its_source
    assert invoker.source == "config resource"
    arn = invoker.source_arn.format(partition="aws", region="us-east-1", account="123456789012")
    assert arn == "arn:aws:config:us-east-1:123456789012:RESOURCE"
