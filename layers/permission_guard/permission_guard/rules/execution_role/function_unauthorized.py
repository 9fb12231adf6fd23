"""PG214 function-unauthorized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import function_name, require_arn, unqualified
from permission_guard.model.function_states import CHANGING, STATE, WORKING, Health, health_of
from permission_guard.model.state import Role, Unread
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.needs.decision import decide
from permission_guard.needs.features.network import Network
from permission_guard.needs.function_health import OTHER_CODES, PERMISSION_CODES, needs_behind
from permission_guard.remedies import execution_role as role_remedies
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.decisions import commented
from permission_guard.remedies.new_role import created, set_role
from permission_guard.rules.base import Rule
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.need_rule import list_of
from permission_guard.rules.execution_role.needs_of_role import required_role
from permission_guard.rules.execution_role.role_not_assumable import RECREATED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.state import Function, Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict
    from permission_guard.needs.base import Need

_SUBJECT: Final = "function-state"
_WHY: Final = {
    "InsufficientRolePermissions": "its role lacks a permission",
    "EFSMountFailure": "its file system cannot be mounted",
    "ImageAccessDenied": "access to its image is denied",
    "KMSKeyAccessDenied": "access to its KMS key is denied",
    "KMSKeyNotFound": "its KMS key does not exist",
    "InvalidStateKMSKey": "its KMS key cannot be used",
    "DisabledKMSKey": "its KMS key is disabled",
}
_REPORTED_BY: Final = {"InsufficientRolePermissions": "PG205", "EFSMountFailure": "PG211"}
"""The codes with needs of the role, and the rule that reports missing ones."""


class FunctionUnauthorized(Rule):
    """Allow Lambda all that it needs to run a function.

    ## What it flags

    A function, or a version with an event source mapping or a destination, that AWS reports as failed or inactive, or
    whose last update failed, for one of these reasons in `StateReasonCode` or `LastUpdateStatusReasonCode`:

    - `InsufficientRolePermissions`: the execution role lacks a permission, such as creating network interfaces;
    - `KMSKeyAccessDenied`, `DisabledKMSKey`, `InvalidStateKMSKey`, `KMSKeyNotFound`: Lambda cannot use the KMS key that
      encrypts the environment variables or the code;
    - `ImageAccessDenied`: Lambda is not allowed to read the container image;
    - `EFSMountFailure`: a file system cannot be mounted because of a permission, or of its configuration.

    ## Why it matters

    A failed or inactive function does not run: every invocation fails. After a failed update the function still runs
    with its previous code or configuration, and the deployment fails.

    ## How to fix

    Correct what AWS names: the execution role, the key or its policy, the policy of the image's repository or of the
    file system. Then update the function again: AWS does not repeat a failed creation or update by itself. An inactive
    function becomes active when it is invoked.

    ## Fix safety

    Not fixed automatically: a disabled or deleted key can be intended, and the role's permissions are fixed by PG205.

    ## Limits

    - AWS's report can be older than the cause: until the next update it names the old error, also if the cause was
      corrected. A finding is reported after the grace period.
    - While AWS creates or updates the function, the rule waits for the check after the grace period. If AWS has not
      finished by then, the outcome is unknown.
    - Other reasons, such as quotas, subnets, or errors of the function's own code, are no matter of permissions.
      `FunctionError.PermissionDenied` is one of them: it is about the file permissions in the code package. A code that
      AWS added later is unknown.
    - Only versions that an event source mapping or a destination names are read.
    - Rules on single permissions may report the cause too: PG205 also reports it before the function fails.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    - https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
    - https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
    - https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
    - https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem-efs.html
    """

    id = "PG214"
    name = "function-unauthorized"
    severity = Severity.HIGH
    direction = Direction.EXECUTION_ROLE
    offline = False
    grace_period = True
    of_function_state = True
    reads = EventSourceReadMissing.reads

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for the function and for each version that was read, as far as AWS reports a state."""
        own = snapshot.target.arn
        for arn, function in sorted({own: snapshot.function, **snapshot.versions}.items()):
            if isinstance(function, Unread):
                yield self.unknown(arn, _SUBJECT, str(function))
            elif function is not None:
                yield from self._check_function(function, snapshot)

    def _check_function(self, function: Function, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield the verdict on one function: the first problem that AWS reports, else what is unknown."""
        reports = tuple(health_of(function))
        broken = [one for one in reports if one.status not in WORKING | CHANGING | {"Deleting"}]
        unauthorized = next((one for one in broken if one.code in PERMISSION_CODES), None)
        unclear = [_unclear(one) for one in reports if one.status in CHANGING or one in broken]
        if unauthorized is not None:
            yield self._unauthorized(unauthorized, function, snapshot)
        elif any(unclear):
            yield self.unknown(function.arn, _SUBJECT, " ".join(filter(None, unclear)))
        elif reports:
            yield self.passed(function.arn, _SUBJECT, " ".join(_explained(one) for one in reports))

    def _unauthorized(self, health: Health, function: Function, snapshot: Snapshot) -> Verdict:
        needs = needs_behind(health.code, function, snapshot.sources)
        role = snapshot.roles.get(function.role_arn)
        missing = _missing(needs, role, function, snapshot)
        return self.violation(
            function_arn=function.arn,
            subject=_SUBJECT,
            title=_title(health, function),
            reason=" ".join(filter(None, [_reported(health), _cause(health, needs, missing, function, role)])),
            impact=_impact(health, function),
            evidence={
                "state": function.configuration.get("State"),
                "state_reason_code": function.configuration.get("StateReasonCode"),
                "last_update_status": function.configuration.get("LastUpdateStatus"),
                "last_update_status_reason_code": function.configuration.get("LastUpdateStatusReasonCode"),
                "said_by_aws": health.message,
                "role_arn": function.role_arn,
                "kms_key_arn": function.configuration.get("KMSKeyArn"),
                "missing": [_shown(need) for need in missing],
            },
            remedies=_remedies(health, needs, missing, function, snapshot),
        )


def _unclear(health: Health) -> str:
    """Return why it is unknown whether AWS reports a missing permission, empty if it is known."""
    if health.status in CHANGING:
        return f"Unknown: AWS reports {health.attribute} {health.status}, and the result later."
    if not health.code:
        return f"Unknown: AWS reports {health.attribute} {health.status} without a reason."
    if health.code not in OTHER_CODES:
        return f"Unknown: what AWS means by {health.attribute} {health.status}, {health.code}."
    return ""


def _explained(health: Health) -> str:
    if health.status in WORKING or health.code not in OTHER_CODES:
        return f"AWS reports {health.attribute} {health.status}."
    return (
        f"AWS reports {health.attribute} {health.status}, {health.code}: {OTHER_CODES[health.code]}, "
        "which is no matter of permissions."
    )


def _reported(health: Health) -> str:
    message = health.message.removesuffix(".")
    said = f': "{message}"' if message else ""
    return f"AWS reports {health.attribute} {health.status}, {health.code}{said}."


def _title(health: Health, function: Function) -> str:
    why = _WHY[health.code]
    if health.attribute == STATE:
        return f"{function.name} cannot run: {why}"
    return f"The last update of {function.name} failed: {why}"


def _impact(health: Health, function: Function) -> str:
    if health.attribute == STATE:
        return f"Every invocation of {function.name} fails until the cause is corrected."
    return f"{function.name} keeps its previous code and configuration, and its deployment fails."


def _missing(needs: Sequence[Need], role: object, function: Function, snapshot: Snapshot) -> list[Need]:
    if not isinstance(role, Role):
        return []
    return [
        need
        for need in needs
        if decide(need, role, function.arn, snapshot.source_policies, snapshot.resource_tags).denied
    ]


def _cause(health: Health, needs: Sequence[Need], missing: Sequence[Need], function: Function, role: object) -> str:
    """Return what the policies that were read say about the reason."""
    if not needs:
        return ""
    if missing:
        return f"{function.role_arn} is not allowed {list_of(missing)}; {_REPORTED_BY[health.code]} reports it."
    if isinstance(role, Unread):
        return f"{role}."
    if role is None:
        return f"{function.role_arn} does not exist; PG207 reports it."
    return f"{function.role_arn} is not known to lack a permission for it: another policy may deny it."


def _shown(need: Need) -> dict[str, JSON]:
    return {"action": need.action, "resource": need.resource}


def _remedies(
    health: Health, needs: Sequence[Need], missing: Sequence[Need], function: Function, snapshot: Snapshot
) -> tuple[Remedy, ...]:
    """Return how to correct the cause where it is certain, and how to look at it otherwise."""
    arn = require_arn(function.arn)
    if function.role_arn in snapshot.roles and snapshot.roles[function.role_arn] is None:
        own = "" if _is_version(function) else function.arn
        return created(required_role(function.role_arn, snapshot), arn.region, own, RECREATED)
    repeat, changes = set_role(function.arn, function.role_arn), f"Lambda updates {function.name}."
    correct: list[str] = []
    in_code: list[Remedy] = []
    if health.code == "InsufficientRolePermissions" and missing:
        attach, *in_code = role_remedies.attached(function.role_arn, Network.managed_policy, arn.region)
        correct, changes = [attach.text], f"{changes} {attach.changes}"
    elif _KEY_CHANGES.get(health.code) and _key(function):
        correct = [aws("kms", each, arn.region, key_id=_key(function)) for each in _KEY_CHANGES[health.code]]
        changes = f"{changes} Everything that the key encrypts can be read again: ask the owner of the key first."
    if correct and not _is_version(function):
        return (Remedy("aws-cli", "\n".join([*correct, repeat]), changes=changes), *in_code)
    shown = _shows(health, needs, function, arn.region)
    if _is_version(function):
        repeat = aws("lambda", "publish-version", arn.region, function_name=function_name(function.arn))
        changes = "A new version has the function's current code. Nothing uses it until an alias or a mapping names it."
    then = [*correct, repeat]
    after = commented("\n".join([f"After the cause is corrected{_AGAIN[_is_version(function)]}:", *then]))
    return (Remedy("aws-cli", "\n".join([*shown, after]), needs_decision=True, changes=changes),)


_AGAIN: Final = {False: ", let AWS try again", True: ", publish another version: AWS cannot update this one"}
_KEY_CHANGES: Final = {"DisabledKMSKey": ("enable-key",), "InvalidStateKMSKey": ("cancel-key-deletion", "enable-key")}
"""The operations that make a key usable again."""


def _is_version(function: Function) -> bool:
    """Return whether it is a published version, which cannot be updated."""
    return function.arn != unqualified(function.arn)


def _key(function: Function) -> str:
    key = function.configuration.get("KMSKeyArn")
    return key if isinstance(key, str) else ""


def _shows(health: Health, needs: Sequence[Need], function: Function, region: str) -> Iterator[str]:
    """Yield the commands that show the cause."""
    yield aws("lambda", "get-function-configuration", region, function_name=function.arn)
    yield from _simulations(function, needs, region)
    key = _key(function)
    if "KMS" in health.code and key:
        yield aws("kms", "describe-key", region, key_id=key)
    if health.code == "KMSKeyAccessDenied" and key:
        yield aws("kms", "get-key-policy", region, key_id=key, policy_name="default")
        yield aws("kms", "list-grants", region, key_id=key)


def _simulations(function: Function, needs: Sequence[Need], region: str) -> Iterator[str]:
    for statement in role_remedies.statements(needs):
        actions, resources = statement["Action"], statement["Resource"]
        yield aws(
            "iam",
            "simulate-principal-policy",
            region,
            policy_source_arn=function.role_arn,
            action_names=actions,
            resource_arns=resources,
        )
