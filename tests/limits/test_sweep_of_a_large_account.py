"""The sweep of a large account gets to its end, in as many runs as it needs, even where Lambda cuts them off."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws import clients
from permission_guard.aws.tables.finding_items import finding_item
from tests.fakes import ROLE_ARN, TARGET, a_finding
from tests.integration.conftest import EVENTS

if TYPE_CHECKING:
    from tests.integration.conftest import Account

STARTED = json.loads((EVENTS / "schedule" / "sweep_account.json").read_text())

ARNS = [replace(TARGET, name=f"function-{number:04}").arn for number in range(2_000)]
WITH_FINDINGS = ARNS[500:]
MILLIS_A_CALL = 30
PAGE = 50
"""How many functions ListFunctions returns."""


class TimedOutError(BaseException):
    """Lambda ends the run at its timeout."""


class LargeAccount:
    """Many functions, most of them with an open finding. Each call to AWS takes some of the run's time.

    moto takes minutes for so many messages and findings, so it keeps only the role index and the cursor.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.left = 0
        self.calls: Counter[str] = Counter()
        self.requested: Counter[str] = Counter()
        self.handed_over: list[str] = []
        account.remaining_time_in_millis = lambda: self.left
        for name in ("dynamodb", "lambda", "sqs"):
            clients.client(name).meta.events.register("before-call", self._call)

    def run(self, seconds: int) -> dict[str, Any]:
        """Run the sweep; TimedOutError if it takes longer."""
        self.left = seconds * 1_000
        answer: dict[str, Any] = self.account.run("sweep_account", STARTED).answer
        return answer

    def assert_everything_was_handled(self) -> None:
        """Every function was requested from both checkers, and every finding was handed to the alerts."""
        assert self.requested.keys() == set(ARNS)
        assert min(self.requested.values()) == 2
        assert set(self.handed_over) == set(WITH_FINDINGS)

    def _call(self, model: Any, params: dict[str, Any], **_more: Any) -> Any:
        self.left -= MILLIS_A_CALL
        if self.left <= 0:
            raise TimedOutError
        self.calls[model.name] += 1
        answer = getattr(self, f"_{model.name}", lambda _params: None)(params)
        return None if answer is None else (SimpleNamespace(status_code=200), answer)

    def _ListFunctions(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        start = int(params["query_string"].get("Marker", 0))
        page = [{"FunctionArn": arn, "Role": ROLE_ARN} for arn in ARNS[start : start + PAGE]]
        return {"Functions": page, **({"NextMarker": str(start + PAGE)} if start + PAGE < len(ARNS) else {})}

    def _SendMessageBatch(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        bodies = [json.loads(entry["MessageBody"]) for entry in json.loads(params["body"])["Entries"]]
        details = [body["detail"] for body in bodies]
        self.requested.update(arn for detail in details for arn in detail.get("functions", ()))
        self.handed_over += [detail["function_arn"] for detail in details if "function_arn" in detail]
        return {"Successful": []}

    def _Query(self, params: dict[str, Any]) -> dict[str, Any] | None:  # noqa: N802 - the operation's name
        query = json.loads(params["body"])
        values = query["ExpressionAttributeValues"]
        if "IndexName" in query:
            found = WITH_FINDINGS if values[":status"]["S"] == "open" else []
            return {"Items": [{"pk": {"S": f"FUNCTION#{arn}"}, "sk": {"S": "FINDING#1"}} for arn in found]}
        arn = values[":pk"]["S"].removeprefix("FUNCTION#")
        if arn == "ROLES":
            return None
        return {"Items": [finding_item(a_finding(function_arn=arn))]}


@pytest.fixture
def large(account: Account, monkeypatch: pytest.MonkeyPatch) -> LargeAccount:
    """Return a large account."""
    monkeypatch.setenv("INVOKE_POLICY_QUEUE_URL", account.queue("invoke-policy"))
    monkeypatch.setenv("EXECUTION_ROLE_QUEUE_URL", account.queue("execution-role"))
    monkeypatch.delenv("TICKET_QUEUE_URL")  # the findings are handed to the alerts alone
    return LargeAccount(account)


def test_one_run_of_fifteen_minutes_is_enough(large: LargeAccount) -> None:
    """Ten findings are handed over by one call."""
    answer = large.run(900)
    assert answer == {"complete": True, "functions": len(ARNS), "deleted": 0, "open_findings": len(WITH_FINDINGS)}
    large.assert_everything_was_handled()
    assert large.calls["SendMessageBatch"] == (2 * len(ARNS) + len(WITH_FINDINGS)) / 10


def test_runs_that_are_cut_off_after_a_minute_get_to_the_last_function(large: LargeAccount) -> None:
    """Each continues where the one before was cut off, although it did not see the end coming."""
    large.account.remaining_time_in_millis = lambda: 900_000
    with pytest.warns(UserWarning, match="No application metrics"), pytest.raises(TimedOutError):
        large.run(60)
    assert large.run(60)["complete"]
    large.assert_everything_was_handled()
    assert len(large.handed_over) <= len(WITH_FINDINGS) + PAGE


def test_a_run_stops_in_time_and_the_next_ones_continue(large: LargeAccount) -> None:
    """None is cut off, and nothing is done twice."""
    answers = [large.run(90)]
    while not answers[-1]["complete"]:
        assert len(answers) < 10
        answers.append(large.run(90))
    assert len(answers) > 2
    assert sum(answer["functions"] for answer in answers) == len(ARNS)
    large.assert_everything_was_handled()
    assert len(large.handed_over) == len(WITH_FINDINGS)
    assert max(large.requested.values()) == 2
