"""Reading AWS requests from the wire."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest

from sandbox.server import api
from sandbox.server.api import Call, Request

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"


@pytest.mark.parametrize("name", ["orders", "orders:live", "123456789012:function:orders", ARN, f"{ARN}:live"])
def test_function_names_are_kept_as_typed(name: str) -> None:
    """Function names are kept as typed."""
    body = json.dumps({"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"})
    path = f"/2015-03-31/functions/{name}/policy"

    call = api.parse("lambda", Request("POST", path, body=body.encode()))

    assert call is not None
    assert call.operation == "AddPermission"
    assert call.params["FunctionName"] == name
    assert call.params["Principal"] == "s3.amazonaws.com"


def test_query_parameters_become_members_of_their_type() -> None:
    """Query parameters become members of their type."""
    query = {"Qualifier": ["live"], "RevisionId": ["r1"]}

    call = api.parse("lambda", Request("DELETE", "/2015-03-31/functions/orders/policy/s3", query))

    expected = {"FunctionName": "orders", "StatementId": "s3", "Qualifier": "live", "RevisionId": "r1"}
    assert call == Call("lambda", "RemovePermission", expected)


@pytest.mark.parametrize("path", ["/authorizers", "/authorizers/"])
def test_every_service_with_paths_is_read_by_its_model(path: str) -> None:
    """Every service with paths is read by its model, whether or not a path ends in a slash."""
    request = Request("GET", path, {"pageSize": ["5"], "isAscendingOrder": ["true"], "status": ["ACTIVE"]})

    expected = {"pageSize": 5, "ascendingOrder": True, "status": "ACTIVE"}
    assert api.parse("iot", request) == Call("iot", "ListAuthorizers", expected)


def test_list_parameters_stay_lists() -> None:
    """List parameters stay lists."""
    call = api.parse("lambda", Request("DELETE", f"/2017-03-31/tags/{ARN}", {"tagKeys": ["team", "cost"]}))

    assert call == Call("lambda", "UntagResource", {"Resource": ARN, "TagKeys": ["team", "cost"]})


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/2015-03-31/functions", "CreateFunction"),
        ("POST", "/2015-03-31/functions/", "CreateFunction"),
        ("DELETE", "/2015-03-31/event-source-mappings/1-2", "DeleteEventSourceMapping"),
        ("GET", "/2019-09-30/functions/orders/concurrency", "GetFunctionConcurrency"),
        ("PUT", "/2019-09-25/functions/orders/event-invoke-config", "PutFunctionEventInvokeConfig"),
        ("GET", "/2019-09-25/functions/orders/event-invoke-config/list", "ListFunctionEventInvokeConfigs"),
        ("PUT", f"/2026-07-09/resource-policy/{ARN}", "PutResourcePolicy"),
        ("PUT", f"/2026-07-09/resource-policy/{quote(ARN, safe='')}", "PutResourcePolicy"),
    ],
)
def test_a_path_names_its_operation(method: str, path: str, operation: str) -> None:
    """A path names its operation."""
    found = api.match("lambda", method, path)

    assert found is not None
    assert found[0] == operation


def test_a_path_outside_the_model_is_no_call() -> None:
    """A path outside the model is no call."""
    assert api.parse("lambda", Request("PATCH", "/2015-03-31/functions")) is None
    assert api.parse("iam", Request("POST", "/", body=b"Action=MakeCoffee")) is None
    assert api.parse("ssm", Request("POST", "/", headers={"x-amz-target": "AmazonSSM.MakeCoffee"})) is None


def test_a_body_that_is_not_json_has_no_members() -> None:
    """A body that is not JSON has no members."""
    assert api.parse("lambda", Request("POST", "/2015-03-31/functions", body=b"{")) == Call("lambda", "CreateFunction")


def test_a_form_is_unflattened_by_the_model() -> None:
    """A form is unflattened by the model."""
    form = {
        "Action": "CreateRole",
        "Version": "2010-05-08",
        "RoleName": "orders",
        "MaxSessionDuration": "3600",
        "Tags.member.1.Key": "team",
        "Tags.member.1.Value": "",
        "Tags.member.2.Key": "cost",
        "Tags.member.2.Value": "7",
    }

    call = api.parse("iam", Request("POST", "/", body=urlencode(form).encode()))

    tags = [{"Key": "team", "Value": ""}, {"Key": "cost", "Value": "7"}]
    assert call == Call("iam", "CreateRole", {"RoleName": "orders", "MaxSessionDuration": 3600, "Tags": tags})


def test_a_malformed_number_stays_what_was_sent() -> None:
    """A malformed number stays what was sent."""
    form = {"Action": "CreateRole", "MaxSessionDuration": "soon"}

    assert api.parse_form("iam", {k: [v] for k, v in form.items()}) == Call(
        "iam", "CreateRole", {"MaxSessionDuration": "soon"}
    )
