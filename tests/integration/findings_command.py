"""What the tests of `permission-guard findings` share: recorded findings, and how a command is run."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from permission_guard.aws.tables.finding_items import finding_item
from permission_guard.bootstrap import deployment
from permission_guard.cli.app import app
from permission_guard.errors import RequestRefusedError
from permission_guard.findings.lifecycle import suppressed
from permission_guard.model.findings import Status
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.verdicts import Severity, finding_id
from tests import sts
from tests.fakes import FUNCTION_ARN, NOW, OTHER, ROLE_ARN, a_finding
from tests.integration.requests import MANAGE_FINDINGS, deploy, make_queues, signed
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    import pytest

    from permission_guard.findings.requests import FindingRequest
    from tests.integration.conftest import Account

SOON = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
OPEN = a_finding(first_seen=NOW, last_seen=NOW)
WORST = replace(
    OPEN,
    id=finding_id("PG101", OTHER.arn, "statement/public"),
    rule_id="PG101",
    function_arn=OTHER.arn,
    severity=Severity.CRITICAL,
    title="Anyone can invoke invoices",
)
OF_ROLE = replace(
    OPEN,
    id=finding_id("PG208", ROLE_ARN, "role"),
    rule_id="PG208",
    function_arn="",
    role_arn=ROLE_ARN,
    functions=(FUNCTION_ARN, OTHER.arn),
    function_count=2,
    severity=Severity.LOW,
    title="Many functions share orders-role",
)
RESOLVED = replace(OPEN, id="a" * 32, rule_id="PG205", status=Status.RESOLVED, title="It was resolved")
SUPPRESSION = Suppression(
    by=SuppressedBy.PERSON, reason="=cmd|' /C calc'!A0", owner=sts.CALLER, until="2126-01-01T00:00:00+00:00"
)
SUPPRESSED = suppressed(replace(OPEN, id="a" * 31 + "b", rule_id="PG203"), SUPPRESSION, NOW).finding


def deploy_with_findings(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploy a stack that has findings, and whose function `manage_findings` can be invoked."""
    make_queues(account, monkeypatch)
    deploy()
    for finding in (OPEN, WORST, OF_ROLE, RESOLVED, SUPPRESSED):
        account.dynamodb.put_item(TableName=TABLE_NAME, Item=finding_item(finding))

    def invoke(request: FindingRequest, arn: str, profile: str | None) -> Any:
        assert (arn, profile) == (MANAGE_FINDINGS, None)
        with contextlib.redirect_stdout(io.StringIO()):
            answer = account.run("manage_findings", signed(request)).answer
        if not answer["done"]:
            raise RequestRefusedError(answer["reason"])
        return answer

    monkeypatch.setattr(deployment, "send_finding_request", invoke)


class Done:
    """What a command printed, and its exit code."""

    def __init__(self, *words: str) -> None:
        result = CliRunner().invoke(app, ["findings", *words], env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr

    @property
    def document(self) -> Any:
        """The JSON that was printed."""
        return json.loads(self.out)


def listed(*words: str) -> list[str]:
    """Return the titles that `list` has, in their order."""
    done = Done("list", "--format", "json", *words)
    assert done.code == 0, done.err
    return [one["title"] for one in done.document["findings"]]
