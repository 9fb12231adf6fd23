"""The parts of `make bench` that need no process: the accounts, the limits, and the names of calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.scanners.account.builder import build
from benchmarks.scanners.account.shapes import CORRECT, DEFECTS
from benchmarks.scanners.aws.iam_api import IamApi
from benchmarks.scanners.aws.lambda_api import LambdaApi
from benchmarks.scanners.aws.limits import Limits
from benchmarks.scanners.aws.proxy import Proxy, Run
from benchmarks.scanners.aws.requests import Call, Reply, Request, call_of

SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260115/us-east-1/lambda/aws4_request"}


def lambda_request(target: str) -> Request:
    """Return a signed request to Lambda's API for functions."""
    return Request("GET", f"/2015-03-31/functions{target}", SIGNED)


def test_the_same_size_and_seed_give_the_same_account() -> None:
    """An account is made by its size and seed, and by nothing else."""
    assert build(60, seed=1) == build(60, seed=1)
    assert build(60, seed=1) != build(60, seed=2)


def test_a_small_account_has_every_shape() -> None:
    """Fifty functions are enough for a dry run: each shape is there."""
    account = build(50)
    assert len(account.functions) == 50
    assert set(account.shapes.values()) == {shape.name for shape in (*CORRECT, *DEFECTS)}


def test_an_account_without_versions_has_no_qualifiers() -> None:
    """It has no alias, no version, and no policy but that of the function."""
    functions = build(100, published=False).functions.values()
    assert not any(function.aliases or function.versions for function in functions)
    assert all(set(function.policies) <= {None} for function in functions)


def test_every_role_that_a_function_names_exists() -> None:
    """Sharing roles leaves no function without one."""
    account = build(200)
    assert {function.configuration["Role"] for function in account.functions.values()} <= set(account.roles)


def test_functions_are_listed_fifty_a_page_whatever_the_caller_asks_for() -> None:
    """ListFunctions returns at most 50 items, even for a higher MaxItems."""
    api, found, marker = LambdaApi(build(120)), [], ""
    while True:
        request = lambda_request(f"/?MaxItems=1000&Marker={marker}")
        page = json.loads(api.answer(call_of(request), request).body)
        found.append([function["FunctionName"] for function in page["Functions"]])
        marker = page.get("NextMarker", "")
        if not marker:
            break
    assert [len(names) for names in found] == [50, 50, 20]
    assert len({name for names in found for name in names}) == 120


def test_a_list_with_versions_has_the_function_as_latest() -> None:
    """With FunctionVersion=ALL the ARN of the function itself ends in $LATEST."""
    account = build(50)
    request = lambda_request("/?FunctionVersion=ALL")
    found = json.loads(LambdaApi(account).answer(call_of(request), request).body)["Functions"]
    assert {function["FunctionArn"].rpartition(":")[2] for function in found} >= {"$LATEST", "1"}
    assert all(function["FunctionArn"].endswith(f":{function['Version']}") for function in found)


def test_a_function_without_statements_has_no_policy() -> None:
    """GetPolicy answers ResourceNotFoundException for it."""
    account = build(50)
    name = next(name for name, shape in account.shapes.items() if shape == "no trigger")
    request = lambda_request(f"/{name}/policy")
    assert LambdaApi(account).answer(call_of(request), request).status == 404


def test_an_alias_has_a_policy_of_its_own() -> None:
    """It is read with the alias as Qualifier, or at the end of the ARN."""
    account = build(50)
    name = next(name for name, shape in account.shapes.items() if shape == "public alias")
    arn = account.functions[name].arn
    api = LambdaApi(account)
    for target in (f"/{name}/policy?Qualifier=live", f"/{arn}:live/policy"):
        request = lambda_request(target)
        policy = json.loads(json.loads(api.answer(call_of(request), request).body)["Policy"])
        assert policy["Statement"][0]["Resource"] == f"{arn}:live"


def test_authorization_details_come_in_pages_of_at_most_a_thousand() -> None:
    """GetAccountAuthorizationDetails has more pages for more roles."""
    api = IamApi(build(900))
    call = Call("iam", "us-east-1", "GetAccountAuthorizationDetails")
    reply = api.answer(call, Request("POST", "/", {}, b"MaxItems=1000&Filter.member.1=Role"))
    assert reply is not None
    assert reply.body.count(b"<AssumeRolePolicyDocument>") == 1000
    assert b"<IsTruncated>true</IsTruncated>" in reply.body


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (lambda_request("/"), "ListFunctions"),
        (lambda_request(""), "ListFunctions"),
        (lambda_request("/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aorders/policy"), "GetPolicy"),
        (lambda_request("/orders/configuration"), "GetFunctionConfiguration"),
        (Request("GET", "/2015-03-31/event-source-mappings/?MaxItems=9", SIGNED), "ListEventSourceMappings"),
        (Request("POST", "/", SIGNED | {"x-amz-target": "AWSEvents.ListRules"}), "ListRules"),
        (
            Request("POST", "/", SIGNED | {"content-type": "application/x-www-form-urlencoded"}, b"Action=GetRole"),
            "GetRole",
        ),
        (lambda_request("/orders/unheard-of"), "GET /2015-03-31/functions/orders/unheard-of"),
    ],
)
def test_a_call_is_counted_by_its_operation(request_: Request, operation: str) -> None:
    """The operation is told by the path, by X-Amz-Target, or by the Action of a form."""
    assert call_of(request_).operation == operation


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def admitted(limits: Limits, operation: str, service: str = "lambda", tries: int = 40) -> int:
    """Return how many calls of a number are admitted."""
    return sum(limits.admits(Call(service, "us-east-1", operation)) for _ in range(tries))


def test_each_limit_admits_fifteen_calls_a_second() -> None:
    """GetPolicy has a limit of its own. All other calls share one, but for GetFunction."""
    clock = Clock()
    limits = Limits(clock)
    assert admitted(limits, "GetPolicy") == 15
    assert admitted(limits, "ListAliases") == 15
    assert admitted(limits, "ListFunctions") == 0
    assert admitted(limits, "GetFunction") == 40
    assert admitted(limits, "GetRole", service="iam") == 40
    clock.now = 1.0
    assert admitted(limits, "GetPolicy") == 15
    assert admitted(limits, "ListFunctions") == 15
    clock.now = 100.0
    assert admitted(limits, "GetPolicy") == 15


def test_the_proxy_counts_refusals_and_computes_each_answer_once() -> None:
    """A refused call is counted as a call, too."""
    computed: list[Any] = []

    def answer(call: Call, _request: Request) -> Reply:
        computed.append(call.operation)
        return Reply(b"{}")

    proxy = Proxy(answer)
    proxy.run = Run(limits=Limits(Clock()))
    replies = [proxy.reply(lambda_request("/orders/policy"))[0] for _ in range(20)]
    assert [reply.status for reply in replies] == [200] * 15 + [429] * 5
    assert replies[-1].headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert proxy.run.calls == {"lambda:GetPolicy": 20}
    assert proxy.run.refused == {"lambda:GetPolicy": 5}
    assert computed == ["GetPolicy"]


def test_what_the_account_cannot_answer_is_counted() -> None:
    """A run with such a call would measure something else."""
    proxy = Proxy(LambdaApi(build(50)).answer)
    proxy.reply(Request("GET", "/2019-09-30/functions/orders/provisioned-concurrency", SIGNED))
    assert proxy.run.failed == {"lambda:GetProvisionedConcurrencyConfig": 1}
