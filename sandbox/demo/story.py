"""The story: what an engineer does, and what the bot makes of it. Every step waits until it has really happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sandbox.engineer import SQS_POLICY, Engineer
from sandbox.process import ACCOUNT

if TYPE_CHECKING:
    from sandbox.demo.screen import Screen
    from sandbox.watcher import Finding, Watcher

Row = tuple[str, str, str]


class Story:
    """Plays the four parts; TimeoutError names the step that did not happen."""

    def __init__(self, engineer: Engineer, watcher: Watcher, screen: Screen) -> None:
        self._engineer, self._watcher, self._screen = engineer, watcher, screen

    def play(self) -> list[Row]:
        """Play all parts and return what happened, a row a change."""
        return [
            *self._a_trigger_anyone_can_pull(),
            self._a_trigger_that_is_held(),
            self._a_queue_that_nobody_reads(),
            self._a_role_with_hands_off(),
        ]

    def _a_trigger_anyone_can_pull(self) -> list[Row]:
        engineer, watcher, screen = self._engineer, self._watcher, self._screen
        screen.step(
            1,
            "A trigger that anyone can pull",
            "An engineer lets S3 call a function that makes thumbnails, and forgets to say whose bucket.",
        )
        bucket = engineer.bucket("holiday-photos")
        arn = engineer.function("thumbnails", engineer.role("thumbnails-role"))
        called = time.monotonic()
        engineer.permit("thumbnails", "photos", "s3.amazonaws.com")
        finding = watcher.finding(arn, "PG102", _is_open)
        seconds = time.monotonic() - called
        screen.found(finding, seconds)
        screen.alert(watcher.alert(finding["id"], "Finding Opened"))
        screen.ops_item(watcher.ops_item(finding["id"], "Open"))

        screen.say("[italic]The alert carries the cure. The engineer pastes it, with the bucket's name filled in.[/]")
        cured = time.monotonic()
        engineer.permit("thumbnails", "photos-scoped", "s3.amazonaws.com", SourceArn=bucket, SourceAccount=ACCOUNT)
        engineer.forbid("thumbnails", "photos")
        watcher.finding(arn, "PG102", _is_resolved, what="resolved")
        resolved = time.monotonic() - cured
        screen.clean("The finding is resolved", resolved)
        screen.ops_item(watcher.ops_item(finding["id"], "Resolved"))
        return [
            ("S3 permission without a source", "PG102, alert, OpsItem", f"{seconds:.2f} s"),
            ("scoped permission instead", "resolved, OpsItem resolved", f"{resolved:.2f} s"),
        ]

    def _a_trigger_that_is_held(self) -> Row:
        engineer, watcher, screen = self._engineer, self._watcher, self._screen
        screen.step(2, "A trigger that is held", "The same, done right: the bot looks, and stays silent.")
        arn = engineer.function("reports", engineer.role("reports-role"))
        bucket = engineer.bucket("monthly-reports")
        before = watcher.looked_at(arn, "invoke_policy")
        called = time.monotonic()
        engineer.permit("reports", "reports", "s3.amazonaws.com", SourceArn=bucket, SourceAccount=ACCOUNT)
        watcher.looked_at(arn, "invoke_policy", more_than=before)
        seconds = time.monotonic() - called
        found = watcher.findings(arn)
        if found:
            raise TimeoutError(f"silence about {arn}: {found[0]['title']}")
        screen.clean("Looked at, and nothing found", seconds)
        return ("S3 permission with bucket and account", "looked at, nothing found", f"{seconds:.2f} s")

    def _a_queue_that_nobody_reads(self) -> Row:
        engineer, watcher, screen = self._engineer, self._watcher, self._screen
        screen.step(
            3,
            "A queue that nobody reads any more",
            "A clean-up detaches a policy that nobody seemed to need. Lambda polls with it; AWS says nothing.",
        )
        arn = self._function_on_a_queue("orders")
        before = engineer.attached("orders-role")
        called = time.monotonic()
        engineer.detach("orders-role", SQS_POLICY)
        between = engineer.attached("orders-role")
        finding = watcher.finding(arn, "PG201")
        seconds = time.monotonic() - called
        screen.found(finding, seconds)
        fixed = watcher.finding(arn, "PG201", _is_fixed, what="fixed")
        after = engineer.attached("orders-role")
        if after != before:
            raise TimeoutError(f"role as it was before: it has {after}")
        screen.fix(fixed, between, after, time.monotonic() - called)
        watcher.finding(arn, "PG201", _is_resolved, what="resolved")
        screen.alert(watcher.alert(finding["id"], "Fix Applied"))
        screen.ops_item(watcher.ops_item(finding["id"], "Resolved"))
        return ("SQS policy detached from the role", "PG201, policy attached again, resolved", f"{seconds:.2f} s")

    def _a_role_with_hands_off(self) -> Row:
        engineer, watcher, screen = self._engineer, self._watcher, self._screen
        screen.step(
            4,
            "A role that is not to be touched",
            "The same again, on a role whose owner tagged it permission-guard:fix=never: reported, not repaired.",
        )
        arn = self._function_on_a_queue("ledger", {"permission-guard:fix": "never"})
        called = time.monotonic()
        engineer.detach("ledger-role", SQS_POLICY)
        finding = watcher.finding(arn, "PG201")
        seconds = time.monotonic() - called
        screen.found(finding, seconds)
        refused = watcher.finding(arn, "PG201", _is_refused, what="refused")
        screen.refused(refused)
        if SQS_POLICY in engineer.attached("ledger-role"):
            raise TimeoutError("hands off ledger-role: a policy is attached to it")
        screen.ops_item(watcher.ops_item(finding["id"], "Open"))
        return ("the same on a role tagged never", "PG201, fix refused, OpsItem open", f"{seconds:.2f} s")

    def _function_on_a_queue(self, name: str, tags: dict[str, str] | None = None) -> str:
        engineer, watcher = self._engineer, self._watcher
        arn = engineer.function(name, engineer.role(f"{name}-role", SQS_POLICY, tags=tags))
        seen = watcher.looked_at(arn, "execution_role")
        engineer.mapping(name, engineer.queue(name))
        watcher.looked_at(arn, "execution_role", more_than=seen)
        return arn


def _is_open(finding: Finding) -> bool:
    return bool(finding["status"] == "open")


def _is_resolved(finding: Finding) -> bool:
    return bool(finding["status"] == "resolved")


def _is_fixed(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "applied")


def _is_refused(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "refused")
