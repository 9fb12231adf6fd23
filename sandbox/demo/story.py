"""The story of the demo: what an engineer changes, and how the bot reacts. Each step waits for the reaction."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from rich.markup import escape

from sandbox.client.engineer import SQS_POLICY, Engineer
from sandbox.client.process import ACCOUNT
from sandbox.demo.screen import PLAN_HASH, section

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.deliveries import Deliveries
    from sandbox.client.watcher import Finding, Watcher
    from sandbox.demo.screen import Screen

Row = tuple[str, str, str]


class Story:
    """Play the seven parts. TimeoutError names the step that did not happen. Only `engineer` shows its calls.

    `person` runs a command of permission-guard and returns its output. `grant` deploys the stack with AutoFix=grant.
    `deliveries` returns the deliveries to a function.
    """

    def __init__(
        self,
        setup: Engineer,
        engineer: Engineer,
        watcher: Watcher,
        screen: Screen,
        *,
        person: Callable[[str], str],
        grant: Callable[[], None],
        deliveries: Callable[[str], Deliveries],
    ) -> None:
        self._setup, self._engineer, self._watcher, self._screen = setup, engineer, watcher, screen
        self._person, self._grant, self._deliveries = person, grant, deliveries

    def play(self) -> list[Row]:
        """Play all parts and return one row for each change. The first part is the picture of the README."""
        with self._screen.in_picture():
            rows = self._permission_without_a_source()
        return [
            *rows,
            self._permission_with_a_source(),
            self._detached_queue_policy(),
            self._role_tagged_never(),
            self._permission_that_the_role_never_had(),
            self._granted(),
            *self._narrowed(),
        ]

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
            "A clean-up detaches the policy that Lambda needs to poll the queue. AWS reports no error. "
            "The role had the permission, so the bot restores it.",
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

    def _permission_that_the_role_never_had(self) -> Row:
        watcher, screen = self._watcher, self._screen
        screen.step(
            5,
            "A permission that the role never had",
            "Someone maps a queue of their own. Its policy admits the role for a moment. AWS's policy would allow "
            "the role every queue of the account, so with AutoFix=restore the bot asks first.",
        )
        start = time.monotonic()
        arn = self._mapped_by_a_stranger("invoices")
        proposed = watcher.finding(arn, "PG201", _is_proposed, what="proposed")
        seconds = time.monotonic() - start
        screen.found(proposed, seconds)
        screen.proposed(proposed)
        if SQS_POLICY in self._engineer.attached("invoices-role"):
            raise TimeoutError("no unchanged invoices-role: a policy was attached to it")
        screen.say("\n[italic]The engineer approves it with the command in the alert. AWS STS proves who it was.[/]")
        screen.say(escape(self._person(proposed["fix"]["approve"]).strip()))
        fixed = watcher.finding(arn, "PG201", _is_fixed, what="fixed")
        screen.say(f"[green]✓[/] Applied, approved by {escape(fixed['fix']['decided_by'])}")
        return ("queue of a stranger mapped", "PG201, proposal waits; approved, applied", f"{seconds:.2f} s")

    def _granted(self) -> Row:
        watcher, screen = self._watcher, self._screen
        screen.step(
            6,
            "The same with AutoFix=grant",
            "The bot attaches what a role never had, too. docs/threat-model.md says what that accepts.",
        )
        with screen.doing("Deployed template.yaml with AutoFix=grant"):
            self._grant()
        start = time.monotonic()
        arn = self._mapped_by_a_stranger("receipts")
        watcher.finding(arn, "PG201", _is_fixed, what="fixed")
        seconds = time.monotonic() - start
        screen.clean("The policy is attached without an approval", seconds)
        return ("the same with AutoFix=grant", "PG201, policy attached", f"{seconds:.2f} s")

    def _narrowed(self) -> list[Row]:
        setup, engineer, watcher, screen = self._setup, self._engineer, self._watcher, self._screen
        screen.step(
            7,
            "A statement is narrowed to its source, and the fix is undone",
            "The bucket scans invokes read-scans. The statement for it allows every bucket of every account. The bot "
            "finds scans in the account and proposes a statement for it alone. It cannot see the buckets of other "
            "accounts, so it asks first.",
        )
        arn = setup.function("read-scans", setup.role("read-scans-role"))
        true, other = setup.bucket("scans"), setup.bucket("not-yours")
        setup.notify("scans", arn)
        watcher.checked(arn, "invoke_policy")
        start = time.monotonic()
        engineer.permit("read-scans", "any-bucket", "s3.amazonaws.com")
        proposed = watcher.finding(arn, "PG102", _is_proposed, what="proposed")
        proposed_after = time.monotonic() - start
        screen.found(proposed, proposed_after)
        before = engineer.statements("read-scans")
        self._upload(arn, true, other, expected=(True, True))

        finding_id = proposed["id"][:8]
        shown = self._entered(f"permission-guard fixes show {finding_id}")
        screen.plan(shown)
        plan = f"--plan {section(shown, PLAN_HASH).split()[0]}"
        start = time.monotonic()
        screen.say(escape(self._entered(f"permission-guard fixes approve {finding_id} {plan}")))
        fixed = watcher.finding(arn, "PG102", _is_fixed, what="fixed")
        screen.policy(fixed, before, engineer.statements("read-scans"), time.monotonic() - start)
        self._upload(arn, true, other, expected=(True, False))

        start = time.monotonic()
        screen.say(escape(self._entered(f"permission-guard fixes undo {finding_id} {plan}")))
        watcher.finding(arn, "PG102", _is_undone, what="undone")
        undone_after = time.monotonic() - start
        restored = engineer.statements("read-scans")
        if restored != before:
            raise TimeoutError(f"no read-scans with its original policy: it has {restored}")
        screen.clean(f"Undone: the policy has the statement {restored[0]['Sid']} again, and no other", undone_after)
        return [
            ("S3 allowed without a source again", "PG102, approved, narrowed to scans", f"{proposed_after:.2f} s"),
            ("permission-guard fixes undo", "the old statement is back", f"{undone_after:.2f} s"),
        ]

    def _upload(self, function_arn: str, true: str, other: str, *, expected: tuple[bool, bool]) -> None:
        """Upload to the bucket of a function, and to one that is connected to it only for that; say what invoked it."""
        setup, deliveries = self._setup, self._deliveries(function_arn)
        setup.notify(_name(other), function_arn)
        seen = []
        for bucket in (true, other):
            invoked = deliveries.invokes("s3.amazonaws.com", bucket, partial(setup.upload, _name(bucket)))
            self._screen.delivery(_name(bucket), _name(function_arn), invoked=invoked)
            seen.append(invoked)
        setup.notify(_name(other))
        if tuple(seen) != expected:
            raise TimeoutError(f"no policy of {function_arn} that allows what it should")

    def _entered(self, command: str) -> str:
        """Print a command of the person who decides, and return its output."""
        self._screen.called(command)
        return self._person(command).strip()

    def _mapped_by_a_stranger(self, name: str) -> str:
        """Create a function, and a mapping of a queue whose policy admits the function's role only for a moment."""
        setup, engineer = self._setup, self._engineer
        role = setup.role(f"{name}-role")
        arn = setup.function(name, role)
        self._watcher.checked(arn, "execution_role")
        queue = setup.queue(name)
        engineer.admit(name, role)
        uuid = engineer.mapping(name, queue)
        engineer.admit(name)
        engineer.touch(uuid)
        return arn

    def _function_on_a_queue(self, name: str, tags: dict[str, str] | None = None) -> str:
        setup, watcher = self._setup, self._watcher
        arn = setup.function(name, setup.role(f"{name}-role", SQS_POLICY, tags=tags))
        seen = watcher.checked(arn, "execution_role")
        setup.mapping(name, setup.queue(name))
        watcher.checked(arn, "execution_role", more_than=seen)
        # A delayed check could find the next change before its event says who made it: no fix is applied then.
        watcher.settled(arn, "execution_role")
        return arn


def _is_open(finding: Finding) -> bool:
    return bool(finding["status"] == "open")


def _is_resolved(finding: Finding) -> bool:
    return bool(finding["status"] == "resolved")


def _is_fixed(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "applied")


def _is_refused(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "refused")


def _is_proposed(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "proposed")


def _is_undone(finding: Finding) -> bool:
    return bool(finding["fix"] and finding["fix"]["result"] == "undone")


def _name(arn: str) -> str:
    """Return the name at the end of an ARN."""
    return arn.rpartition(":")[2]
