"""Five deliberate faults in the certificates. The solver must refute the plan that each of them lets through."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from permission_guard.fixes import certificate as certificates
from permission_guard.fixes.certificate import Call
from permission_guard.iam import inclusion, key_tests, parse_policy, statement_parts
from tests.proof.agreement import ACCOUNT, ARNS, FUNCTION
from tests.proof.plans import Plan
from tests.proof.solver import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from permission_guard.iam.statement_parts import Compiled

JSON = Any

S3, SNS = "s3.amazonaws.com", "sns.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and the statements before and after a change that only a certificate with it lets through."""

    kind: str
    make: Callable[[], AbstractContextManager[Any]]
    old: list[JSON]
    new: list[JSON]
    proven: list[Call] = field(default_factory=list)


def statement(service: str = S3, arn: JSON = "", operator: str = "ArnLike", account: str = "") -> JSON:
    """Return a statement for a source."""
    condition: JSON = {operator: {"aws:SourceArn": arn}} if arn else {}
    if account:
        condition["StringEquals"] = {"aws:SourceAccount": account}
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        **({"Condition": condition} if condition else {}),
    }


def _without(dimension: str) -> Callable[..., Compiled]:
    original = statement_parts.compiled

    def compiled(*arguments: Any) -> Compiled:
        found = original(*arguments)
        left = tuple(each for each in found.literals if each.dimension != dimension)
        values = {name: getattr(found, name) for name in type(found).__match_args__}
        return type(found)(**{**values, "literals": left})

    return compiled


def drop_a_condition() -> AbstractContextManager[Any]:
    """Leave out the conditions on the source's account."""
    return patch.object(inclusion, "compiled", _without("aws:sourceaccount"))


def forget_a_source() -> AbstractContextManager[Any]:
    """Look at all proven sources but the last one."""
    original = certificates._not_kept
    return patch.object(
        certificates, "_not_kept", lambda policies, proven, *rest: original(policies, proven[:-1], *rest)
    )


def merge_across_principals() -> AbstractContextManager[Any]:
    """Take every principal for each other one."""
    return patch.object(statement_parts.Compiled, "covers", lambda *_: True)


def ignore_a_deny() -> AbstractContextManager[Any]:
    """Do not compare the Deny statements."""
    return patch.object(certificates, "_denies_lost", lambda *_: ())


@contextmanager
def swap_operators() -> Iterator[None]:
    """Take a negated operator for the other one."""
    original = key_tests.KeyTest.texts

    def texts(self: key_tests.KeyTest, *, truth: bool) -> Any:
        return original(self, truth=truth != self.condition.negated)

    def absent(_self: key_tests.KeyTest, _reading: Any) -> bool:
        return False

    with patch.object(key_tests.KeyTest, "texts", texts), patch.object(key_tests.KeyTest, "holds_absent", absent):
        yield


DENY: Final = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "*",
    "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:SourceAccount": ACCOUNT}},
}
CALLS: Final = [
    Call(principal=S3, function_arn=FUNCTION, source_arn=arn, source_account=ACCOUNT) for arn in ARNS[:2]
]  # fmt: skip
FAULTS: Final = {
    "drop a condition": Fault(
        "remove", drop_a_condition, [statement(arn=ARNS[0], account=ACCOUNT)], [statement(arn=ARNS[0])]
    ),
    "forget a source": Fault("narrow", forget_a_source, [statement()], [statement(arn=ARNS[0])], CALLS),
    "merge across principals": Fault(
        "compact",
        merge_across_principals,
        [statement(S3, ARNS[0]), statement(SNS, ARNS[1])],
        [{**statement(arn=list(ARNS[:2])), "Principal": {"Service": [S3, SNS]}}],
    ),
    "ignore a Deny": Fault("remove", ignore_a_deny, [statement(), DENY], [statement()]),
    "swap operators": Fault(
        "remove",
        swap_operators,
        [statement(arn=ARNS[0], operator="StringNotEquals")],
        [statement(arn=ARNS[0], operator="StringEquals")],
    ),
}


def failures() -> list[str]:
    """Return what is wrong with a fault: the true certificate holds, the faulty one does not, or nothing refutes it."""
    found = []
    for name, fault in FAULTS.items():
        if _plan(name, fault).certificate.holds:
            found.append(f"{name}: the certificate holds without the fault")
        with fault.make():
            plan = _plan(name, fault)
        if not plan.certificate.holds:
            found.append(f"{name}: the certificate does not hold with the fault: {plan.certificate.reason}")
        answer = prove(plan)
        if answer.proven or answer.undecided:
            found.append(f"{name}: the solver does not refute the plan")
    return found


def _plan(name: str, fault: Fault) -> Plan:
    old, new = ({"Version": "2012-10-17", "Statement": some} for some in (fault.old, fault.new))
    policies = parse_policy(old), parse_policy(new)
    if fault.kind == "remove":
        certificate = certificates.remove(policies[0], (), policies[1])
    elif fault.kind == "compact":
        certificate = certificates.compact(policies[0], (), policies[1])
    else:
        certificate = certificates.narrow(policies[0], (), policies[1], fault.proven)
    return Plan(name, fault.kind, ACCOUNT, old, new, certificate, [], fault.proven)
