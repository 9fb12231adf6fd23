"""What Systems Manager does with OpsItems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model import limits
from tests.contracts.implementations import code_of, error_of, unique

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

pytestmark = pytest.mark.differs(moto="has no OpsItems")

EXISTS = "OpsItemAlreadyExistsException"


def searchable(text: str) -> dict[str, str]:
    """Return a value by which OpsItems are found."""
    return {"Type": "SearchableString", "Value": text}


def request(finding: str, dedup: str = "", **more: Any) -> dict[str, Any]:
    """Return the parameters of an OpsItem about a finding."""
    data = {"finding_id": searchable(finding)}
    if dedup:
        data["/aws/dedup"] = searchable(json.dumps({"dedupString": dedup}))
    texts = {"Title": "orders cannot read its queue", "Description": "text", "Source": "permission-guard"}
    return {**texts, "OperationalData": data, **more}


@pytest.fixture
def ssm(aws: Aws) -> Any:
    """Return the client."""
    return aws.client("ssm")


@pytest.mark.parametrize("status", ["Open", "InProgress"])
def test_an_ops_item_with_the_deduplication_string_of_an_unresolved_one_is_rejected(ssm: Any, status: str) -> None:
    """The error names the one that exists. The string is compared, not the rest.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
    """
    dedup = unique("dedup")
    first = ssm.create_ops_item(**request("f1", dedup))["OpsItemId"]
    ssm.update_ops_item(OpsItemId=first, Status=status)

    with pytest.raises(ssm.exceptions.OpsItemAlreadyExistsException):
        ssm.create_ops_item(**request("f2", dedup))
    reply = error_of(ssm.create_ops_item, **request("f2", dedup))

    assert (reply["Error"]["Code"], reply["OpsItemId"]) == (EXISTS, first)
    assert ssm.create_ops_item(**request("f2", unique("other")))["OpsItemId"] != first


def test_after_an_ops_item_is_resolved_another_one_can_be_created(ssm: Any) -> None:
    """Then the second one is the one that exists.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
    """
    dedup = unique("dedup")
    first = ssm.create_ops_item(**request("f1", dedup))["OpsItemId"]
    ssm.update_ops_item(OpsItemId=first, Status="Resolved")

    second = ssm.create_ops_item(**request("f1", dedup))["OpsItemId"]

    assert second != first
    assert error_of(ssm.create_ops_item, **request("f1", dedup))["OpsItemId"] == second


def test_ops_items_without_a_deduplication_string_are_never_the_same(ssm: Any) -> None:
    """Their texts are not compared.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
    """
    first, second = (ssm.create_ops_item(**request("f1"))["OpsItemId"] for _ in range(2))

    assert first != second


def test_an_update_keeps_what_it_does_not_name(ssm: Any) -> None:
    """That is so for keys of the operational data, too.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateOpsItem.html
    """
    number = ssm.create_ops_item(**request("f1", Severity="2", Category="Security"))["OpsItemId"]

    ssm.update_ops_item(OpsItemId=number, Title="new title", OperationalData={"revision": searchable("2")})
    found = ssm.get_ops_item(OpsItemId=number)["OpsItem"]

    assert found["OperationalData"] == {"finding_id": searchable("f1"), "revision": searchable("2")}
    shown = tuple(found[name] for name in ("Title", "Description", "Source", "Severity", "Category", "Status"))
    assert shown == ("new title", "text", "permission-guard", "2", "Security", "Open")


def test_the_deduplication_string_cannot_be_changed(ssm: Any) -> None:
    """It is set when an OpsItem is created.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
    """
    number = ssm.create_ops_item(**request("f1", unique("dedup")))["OpsItemId"]
    data = request("f1", unique("other"))["OperationalData"]

    code = code_of(ssm.update_ops_item, OpsItemId=number, OperationalData=data)

    assert code == "OpsItemInvalidParameterException"


def test_ops_items_are_found_by_operational_data_and_status(ssm: Any) -> None:
    """Each filter must match, with one of its values. Only values that are searchable are found.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_OpsItemFilter.html
    """
    finding = unique("finding")
    unsearchable = {"note": {"Type": "String", "Value": finding}}
    open_one, resolved, _ = (
        ssm.create_ops_item(**one)["OpsItemId"]
        for one in (request(finding), request(finding), {**request("other"), "OperationalData": unsearchable})
    )
    ssm.update_ops_item(OpsItemId=resolved, Status="Resolved")

    def found(key: str, *statuses: str) -> set[str]:
        pair = json.dumps({"key": key, "value": finding})
        filters = [
            {"Key": "OperationalData", "Values": [pair], "Operator": "Equal"},
            {"Key": "Status", "Values": list(statuses), "Operator": "Equal"},
        ]
        pages = ssm.get_paginator("describe_ops_items").paginate(OpsItemFilters=filters)
        return {one["OpsItemId"] for page in pages for one in page["OpsItemSummaries"]}

    assert found("finding_id", "Open", "InProgress") == {open_one}
    assert found("finding_id", "Resolved") == {resolved}
    assert found("finding_id", "Open", "Resolved") == {open_one, resolved}
    assert found("note", "Open") == set()


def test_an_ops_item_that_does_not_exist_is_an_error(ssm: Any) -> None:
    """Reading and updating it have the same one.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetOpsItem.html
    """
    with pytest.raises(ssm.exceptions.OpsItemNotFoundException):
        ssm.get_ops_item(OpsItemId="oi-ffffffffffff")
    assert code_of(ssm.update_ops_item, OpsItemId="oi-ffffffffffff", Status="Open") == "OpsItemNotFoundException"


@pytest.mark.parametrize(
    ("name", "longest"), [("Title", limits.OPS_ITEM_TITLE), ("Description", limits.OPS_ITEM_DESCRIPTION)]
)
def test_a_text_that_is_too_long_is_rejected(ssm: Any, name: str, longest: int) -> None:
    """The longest one is accepted.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html
    """
    accepted = {**request("f1"), name: "a" * longest}

    assert ssm.create_ops_item(**accepted)["OpsItemId"]
    assert code_of(ssm.create_ops_item, **{**accepted, name: "a" * (longest + 1)}) == "ValidationException"
