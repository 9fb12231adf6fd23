"""Systems Manager OpsItems in the sandbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox


def item(unique: str, dedup: str = "", **more: Any) -> dict[str, Any]:
    """Return the parameters of an OpsItem."""
    data = {"finding": {"Value": unique, "Type": "SearchableString"}}
    if dedup:
        data["/aws/dedup"] = {"Value": json.dumps({"dedupString": dedup}), "Type": "SearchableString"}
    texts = {"Title": f"Title {unique}", "Description": "d", "Source": "permission-guard"}
    return {**texts, "OperationalData": data, **more}


def test_an_ops_item_is_created_read_changed_and_resolved(sandbox: Sandbox, unique: str) -> None:
    """An ops item is created read changed and resolved."""
    ssm = sandbox.client("ssm")

    created = ssm.create_ops_item(**item(unique, Severity="2", Tags=[{"Key": "a", "Value": "b"}]))
    first = ssm.get_ops_item(OpsItemId=created["OpsItemId"])["OpsItem"]
    extra = {"extra": {"Value": "1", "Type": "String"}}
    ssm.update_ops_item(
        OpsItemId=created["OpsItemId"],
        Status="Resolved",
        OperationalData=extra,
        OperationalDataToDelete=["finding"],
    )
    second = ssm.get_ops_item(OpsItemId=created["OpsItemId"])["OpsItem"]

    assert created["OpsItemArn"].endswith(f":opsitem/{created['OpsItemId']}")
    assert (first["Status"], first["Severity"], first["Version"]) == ("Open", "2", "1")
    assert first["CreatedBy"].endswith(":root")
    assert first["OperationalData"]["finding"]["Value"] == unique
    assert (second["Status"], second["Version"], second["OperationalData"]) == ("Resolved", "2", extra)
    assert second["LastModifiedTime"] >= first["CreatedTime"]
    tags = ssm.list_tags_for_resource(ResourceType="OpsItem", ResourceId=created["OpsItemId"])
    assert tags["TagList"] == [{"Key": "a", "Value": "b"}]


def test_a_second_ops_item_with_the_same_dedup_string_is_rejected_while_the_first_is_open(
    sandbox: Sandbox, unique: str
) -> None:
    """A second ops item with the same dedup string is rejected while the first is open."""
    ssm = sandbox.client("ssm")
    first = ssm.create_ops_item(**item(unique, dedup=unique))["OpsItemId"]

    for status in ("Open", "InProgress"):
        ssm.update_ops_item(OpsItemId=first, Status=status)
        with pytest.raises(ssm.exceptions.OpsItemAlreadyExistsException) as refused:
            ssm.create_ops_item(**item(unique, dedup=unique))
        assert refused.value.response["OpsItemId"] == first
    ssm.update_ops_item(OpsItemId=first, Status="Resolved")
    second = ssm.create_ops_item(**item(unique, dedup=unique))["OpsItemId"]

    assert second != first
    assert ssm.create_ops_item(**item(unique, dedup=f"{unique}-other"))["OpsItemId"] not in {first, second}


def test_the_dedup_string_cannot_be_changed(sandbox: Sandbox, unique: str) -> None:
    """The dedup string cannot be changed."""
    ssm = sandbox.client("ssm")
    number = ssm.create_ops_item(**item(unique, dedup=unique))["OpsItemId"]
    other = item(unique, dedup="other")["OperationalData"]

    with pytest.raises(ClientError, match="OpsItemInvalidParameterException"):
        ssm.update_ops_item(OpsItemId=number, OperationalData=other)


@pytest.mark.parametrize(
    ("key", "operator", "value"),
    [
        ("OperationalData", "Equal", '{"key": "finding", "value": "UNIQUE"}'),
        ("OperationalDataValue", "Equal", "UNIQUE"),
        ("OperationalDataValue", "Contains", "UNIQUE"),
        ("Title", "Contains", "UNIQUE"),
        ("Title", "Equal", "Title UNIQUE"),
        ("OpsItemId", "Equal", "ID"),
    ],
)
def test_ops_items_are_found_by_filters(sandbox: Sandbox, unique: str, key: str, operator: str, value: str) -> None:
    """Ops items are found by filters."""
    ssm = sandbox.client("ssm")
    number = ssm.create_ops_item(**item(unique))["OpsItemId"]
    wanted = value.replace("UNIQUE", unique).replace("ID", number)
    filters = [
        {"Key": key, "Operator": operator, "Values": [wanted]},
        {"Key": "Status", "Operator": "Equal", "Values": ["Open", "InProgress"]},
        {"Key": "Source", "Operator": "Contains", "Values": ["guard"]},
    ]

    found = ssm.describe_ops_items(OpsItemFilters=filters)["OpsItemSummaries"]
    ssm.update_ops_item(OpsItemId=number, Status="Resolved")
    later = ssm.describe_ops_items(OpsItemFilters=filters)["OpsItemSummaries"]

    assert [one["OpsItemId"] for one in found] == [number]
    assert later == []


def test_a_list_has_pages(sandbox: Sandbox, unique: str) -> None:
    """A list has pages."""
    ssm = sandbox.client("ssm")
    numbers = {ssm.create_ops_item(**item(unique))["OpsItemId"] for _ in range(5)}
    filters = [{"Key": "Title", "Operator": "Contains", "Values": [unique]}]

    pages = list(ssm.get_paginator("describe_ops_items").paginate(OpsItemFilters=filters, MaxResults=2))

    assert [len(page["OpsItemSummaries"]) for page in pages] == [2, 2, 1]
    assert {one["OpsItemId"] for page in pages for one in page["OpsItemSummaries"]} == numbers


def test_missing_ops_items_and_invalid_parameters_are_errors(sandbox: Sandbox, unique: str) -> None:
    """Missing ops items and invalid parameters are errors."""
    ssm = sandbox.client("ssm", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))

    with pytest.raises(ClientError, match="OpsItemNotFoundException"):
        ssm.get_ops_item(OpsItemId="oi-000000000000")
    with pytest.raises(ClientError, match="OpsItemNotFoundException"):
        ssm.update_ops_item(OpsItemId="oi-000000000000", Status="Resolved")
    with pytest.raises(ClientError, match="Missing required parameter"):
        ssm.create_ops_item(Title="t", Source="s")
    with pytest.raises(ClientError, match="length less than or equal to 1024"):
        ssm.create_ops_item(**{**item(unique), "Title": "t" * 1025})
    number = ssm.create_ops_item(**item(unique))["OpsItemId"]
    with pytest.raises(ClientError, match="enum value set"):
        ssm.update_ops_item(OpsItemId=number, Status="Done")
    with pytest.raises(ClientError, match="does not support the operator"):
        ssm.describe_ops_items(OpsItemFilters=[{"Key": "Status", "Operator": "Contains", "Values": ["O"]}])


def test_each_operation_needs_its_permission(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Any, unique: str
) -> None:
    """Each operation needs its permission."""
    number = sandbox.client("ssm").create_ops_item(**item(unique))["OpsItemId"]
    mine = f"arn:aws:ssm:us-east-1:123456789012:opsitem/{number}"
    statements = [
        {"Effect": "Allow", "Action": "ssm:CreateOpsItem", "Resource": "*"},
        {"Effect": "Allow", "Action": "ssm:GetOpsItem", "Resource": mine},
    ]
    may = assume(make_role(f"{unique}-may", *statements), "ssm")
    may_not = assume(make_role(f"{unique}-not"), "ssm")

    other = may.create_ops_item(**item(unique))["OpsItemId"]
    assert may.get_ops_item(OpsItemId=number)["OpsItem"]["OpsItemId"] == number
    with pytest.raises(ClientError, match="AccessDeniedException"):
        may.get_ops_item(OpsItemId=other)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        may.update_ops_item(OpsItemId=number, Status="Resolved")
    with pytest.raises(ClientError, match="not authorized to perform: ssm:CreateOpsItem"):
        may_not.create_ops_item(**item(unique))
    with pytest.raises(ClientError, match="AccessDeniedException"):
        may_not.describe_ops_items()


def test_the_rest_of_systems_manager_still_answers(sandbox: Sandbox, unique: str) -> None:
    """The rest of systems manager still answers."""
    ssm = sandbox.client("ssm")

    ssm.put_parameter(Name=f"/{unique}", Value="v", Type="String")

    assert ssm.get_parameter(Name=f"/{unique}")["Parameter"]["Value"] == "v"
