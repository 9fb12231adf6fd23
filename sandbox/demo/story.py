"""The story of the demo: what an engineer changes, and how the bot reacts. Each step waits for the reaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sandbox.client.engineer import SQS_POLICY, Engineer
from sandbox.client.process import ACCOUNT

if TYPE_CHECKING:
    from sandbox.client.watcher import Finding, Watcher
    from sandbox.demo.screen import Screen

Row = tuple[str, str, str]


class Story:
    """Play the four parts. TimeoutError names the step that did not happen. Only `engineer` shows its calls."""

    def __init__(self, setup: Engineer, engineer: Engineer, watcher: Watcher, screen: Screen) -> None:
        self._setup, self._engineer, self._watcher, self._screen = setup, engineer, watcher, screen

    def play(self) -> list[Row]:
        """Play all parts and return one row for each change. The first part is the picture of the README."""
        with self._screen.in_picture():
            rows = self._permission_without_a_source()
        return [*rows, self._permission_with_a_source(), self._detached_queue_policy(), self._role_tagged_never()]

    def _permission_without_a_source(self) -> list[Row]:
        setup, engineer, watcher, screen = self._setup, self._engineer, self._watcher, self._screen
        screen.step(
            1,
            "S3 is allowed without a source",
            "An engineer allows S3 to invoke a function, but does not name the bucket or its account.",
        )
        bucket = setup.bucket("holiday-photos")
        arn = setup.function("thumbnails", setup.role("thumbnails-role"))
        watcher.checked(arn, "invoke_policy")
        start = time.monotonic()
        engineer.permit("thumbnails", "photos", "s3.amazonaws.com")
        finding = watcher.finding(arn, "PG102", _is_open)
        seconds = time.monotonic() - start
        screen.found(finding, seconds)
        screen.alert(watcher.alert(finding["id"], "Finding Opened"))
        screen.ops_item(watcher.ops_item(finding["id"], "Open"))

        screen.say("\n[italic]The engineer pastes the fix from the alert and fills in the bucket's name.[/]")
        start = time.monotonic()
        engineer.permit("thumbnails", "photos-scoped", "s3.amazonaws.com", SourceArn=bucket, SourceAccount=ACCOUNT)
        engineer.forbid("thumbnails", "photos")
        watcher.finding(arn, "PG102", _is_resolved, what="resolved")
        resolved = time.monotonic() - start
        screen.clean("The finding is resolved", resolved)
        screen.ops_item(watcher.ops_item(finding["id"], "Resolved"))
        return [
            ("S3 permission without a source", "PG102, alert, OpsItem", f"{seconds:.2f} s"),
            ("permission with a source instead", "finding and OpsItem resolved", f"{resolved:.2f} s"),
        ]

    def _permission_with_a_source(self) -> Row:
        setup, engineer, watcher, screen = self._setup, self._engineer, self._watcher, self._screen
        screen.step(
            2, "S3 is allowed with a source", "The same permission with bucket and account: the bot finds no problem."
        )
        arn = setup.function("reports", setup.role("reports-role"))
        bucket = setup.bucket("monthly-reports")
        before = watcher.checked(arn, "invoke_policy")
        start = time.monotonic()
        engineer.permit("reports", "reports", "s3.amazonaws.com", SourceArn=bucket, SourceAccount=ACCOUNT)
        watcher.checked(arn, "invoke_policy", more_than=before)
        seconds = time.monotonic() - start
        found = watcher.findings(arn)
        if found:
            raise TimeoutError(f"no check of {arn} without findings: {found[0]['title']}")
        screen.clean("Checked: no findings", seconds)
        return ("S3 permission with bucket and account", "checked, no findings", f"{seconds:.2f} s")

    def _detached_queue_policy(self) -> Row:
        engineer, watcher, screen = self._engineer, self._watcher, self._screen
        screen.step(
            3,
            "A function can no longer read its queue",
            "A clean-up detaches the policy that Lambda needs to poll the queue. AWS reports no error.",
        )
        arn = self._function_on_a_queue("orders")
        original = engineer.attached("orders-role")
        start = time.monotonic()
        engineer.detach("orders-role", SQS_POLICY)
        before = engineer.attached("orders-role")
        finding = watcher.finding(arn, "PG201")
        seconds = time.monotonic() - start
        screen.found(finding, seconds)
        fixed = watcher.finding(arn, "PG201", _is_fixed, what="fixed")
        fixed_after = time.monotonic() - start
        after = engineer.attached("orders-role")
        if after != original:
            raise TimeoutError(f"no orders-role with its original policies: it has {after}")
        screen.alert(watcher.alert(finding["id"], "Finding Opened"))
        screen.fix(fixed, before, after, fixed_after)
        watcher.finding(arn, "PG201", _is_resolved, what="resolved")
        screen.alert(watcher.alert(finding["id"], "Fix Applied"))
        screen.ops_item(watcher.ops_item(finding["id"], "Resolved"))
        return ("SQS policy detached from the role", "PG201, policy attached again, resolved", f"{seconds:.2f} s")

    def _role_tagged_never(self) -> Row:
        engineer, watcher, screen = self._engineer, self._watcher, self._screen
        screen.step(
            4,
            "A role that the bot must not change",
            "The same change to a role tagged permission-guard:fix=never: the bot reports it and does not fix it.",
        )
        arn = self._function_on_a_queue("ledger", {"permission-guard:fix": "never"})
        start = time.monotonic()
        engineer.detach("ledger-role", SQS_POLICY)
        finding = watcher.finding(arn, "PG201")
        seconds = time.monotonic() - start
        screen.found(finding, seconds)
        screen.alert(watcher.alert(finding["id"], "Finding Opened"))
        refused = watcher.finding(arn, "PG201", _is_refused, what="refused")
        screen.refused(refused)
        if SQS_POLICY in engineer.attached("ledger-role"):
            raise TimeoutError("no unchanged ledger-role: a policy was attached to it")
        screen.ops_item(watcher.ops_item(finding["id"], "Open"))
        return ("SQS policy detached from a role tagged never", "PG201, fix refused, OpsItem open", f"{seconds:.2f} s")

    def _function_on_a_queue(self, name: str, tags: dict[str, str] | None = None) -> str:
        setup, watcher = self._setup, self._watcher
        arn = setup.function(name, setup.role(f"{name}-role", SQS_POLICY, tags=tags))
        seen = watcher.checked(arn, "execution_role")
        setup.mapping(name, setup.queue(name))
        watcher.checked(arn, "execution_role", more_than=seen)
        return arn


def _is_open(finding: Finding) -> bool:
    return bool(finding["status"] == "open")


def _is_resolved(finding: Finding) -> bool:
    return bool(finding["status"] == "resolved")


def _is_fixed(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "applied")


def _is_refused(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "refused")
