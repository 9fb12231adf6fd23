"""Measure the policy engine: `python -m benchmarks.policy`.

For each role it evaluates eight actions against five policies, as for a function with an event source mapping. For each
kind of adversarial policy it compares the time with that of an ordinary policy of the same size, and with that of a
policy of half the size: twice the size should take twice the time, and four times it if the time is quadratic.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Final

PACKAGE_ROOT: Final = Path(__file__).parents[1] / "layers" / "permission_guard"
sys.path.insert(0, str(PACKAGE_ROOT))

from benchmarks.policies.adversarial import FUNCTION, KINDS, RESOURCE_POLICY_BYTES, ordinary  # noqa: E402 - the same
from permission_guard.iam import (  # noqa: E402 - the layer is not installed here
    Context,
    EvalDecision,
    LambdaCall,
    PolicySet,
    Principal,
    Request,
    TrustSet,
    evaluate,
    execution_role_context,
    exposure,
    parse_policy,
)
from permission_guard.iam.glob import compile_glob  # noqa: E402 - the same
from permission_guard.invokers import never_sent  # noqa: E402 - the same

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
ROUNDS: Final = 5
ROLES: Final = 400
QUEUE: Final = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
LOG_GROUP: Final = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/orders:log-stream:x"
REQUESTS: Final = (
    ("sqs:ReceiveMessage", QUEUE),
    ("sqs:DeleteMessage", QUEUE),
    ("sqs:GetQueueAttributes", QUEUE),
    ("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0c1d"),
    ("logs:CreateLogStream", LOG_GROUP),
    ("logs:PutLogEvents", LOG_GROUP),
    ("ec2:CreateNetworkInterface", f"arn:aws:ec2:{REGION}:{ACCOUNT}:network-interface/*"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:broker-a1b2c3"),
)


def documents(number: int) -> tuple[str, ...]:
    """Return the texts of a role's five policies. The number makes them different for each role."""
    logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    statements: tuple[list[dict[str, object]], ...] = (
        [{"Effect": "Allow", "Action": logs, "Resource": "*"}],
        [
            {
                "Effect": "Allow",
                "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *logs],
                "Resource": "*",
            }
        ],
        [
            {
                "Effect": "Allow",
                "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGet*"],
                "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/table-{number}",
            },
            {"Effect": "Allow", "Action": "s3:GetObject*", "Resource": f"arn:aws:s3:::bucket-{number}/*"},
        ],
        [
            {
                "Sid": "Secrets",
                "Effect": "Allow",
                "Action": "secretsmanager:Get*",
                "Resource": f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:broker-*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": REGION}},
            },
            {"Sid": "Keys", "Effect": "Allow", "Action": ["kms:Decrypt", f"x:N{number}"], "Resource": "*"},
        ],
        [
            {
                "Effect": "Deny",
                "Action": ["ec2:*NetworkInterface*"],
                "Resource": "*",
                "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": f"arn:aws:lambda:::function:f{number}"}},
            },
            {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        ],
    )
    return tuple(json.dumps({"Version": "2012-10-17", "Statement": group}) for group in statements)


def decide(texts: tuple[str, ...]) -> int:
    """Evaluate the eight requests of one role, and return how many are allowed."""
    role = Principal.role(f"arn:aws:iam::{ACCOUNT}:role/service-role/orders")
    context = execution_role_context(
        LambdaCall.POLL, role_arn=role.arn, account=ACCOUNT, region=REGION, tags={"team": "a"}
    )
    policies = PolicySet(identity=tuple(parse_policy(text) for text in texts))
    decisions = [evaluate(Request(role, action, resource, context), policies) for action, resource in REQUESTS]
    return sum(decision.decision is EvalDecision.ALLOWED for decision in decisions)


def decide_adversarial(text: str) -> None:
    """Parse a policy, evaluate a request of a service and one of a role, and find whom the policy allows."""
    policy = parse_policy(text, name=str(next(_NAMES)))
    for principal in (Principal.service("sns.amazonaws.com"), Principal.role(f"arn:aws:iam::{ACCOUNT}:role/orders")):
        request = Request(principal, "lambda:InvokeFunction", FUNCTION, _CONTEXT)
        evaluate(request, PolicySet(identity=(policy,), resource=policy)).explain()
    exposure(policy, TrustSet(frozenset({ACCOUNT})), never_sent)


_NAMES: Final = count()
"""Names under which no policy is cached yet."""
_CONTEXT: Final = Context(
    {
        "aws:SourceArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{'topic-' * 30}",
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceIp": "203.0.113.7",
        "aws:PrincipalTag/a": "a" * 256,
        "a:b": "x" * 256,
    }
)


def adversarial_seconds(text: str) -> float:
    """Return the CPU time for one adversarial policy of which nothing is cached, the best of several rounds."""
    times = []
    for _ in range(ROUNDS):
        _forget()
        start = time.process_time()
        decide_adversarial(text)
        times.append(time.process_time() - start)
    return min(times)


def _forget() -> None:
    """Clear the caches of the package: a document with more values than they hold would look slower than its half."""
    for name, module in list(sys.modules.items()):
        if name.startswith("permission_guard."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def roles_a_second(texts_of_roles: list[tuple[str, ...]]) -> float:
    """Return the number of roles that are evaluated in a second."""
    start = time.perf_counter()
    for texts in texts_of_roles:
        decide(texts)
    return len(texts_of_roles) / (time.perf_counter() - start)


def glob_seconds() -> float:
    """Return the time to match 31 `*` with 5,000 characters, of which only the last does not match."""
    glob = compile_glob("*a" * 30 + "*b")
    text = "a" * 4999 + "cb"
    start = time.perf_counter()
    glob.matches(text)
    return time.perf_counter() - start


def import_seconds() -> float:
    """Return the time to import the package in a new interpreter, without the start of the interpreter."""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); start = time.perf_counter(); import permission_guard.iam; "
        "print(time.perf_counter() - start)"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as bytecode:
        command = [sys.executable, "-X", f"pycache_prefix={bytecode}", "-c", code, str(PACKAGE_ROOT)]
        times = [
            float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
            for _ in range(ROUNDS + 1)
        ]
    return min(times[1:])


def main() -> None:
    """Print the results, each the best of several rounds."""
    cached_texts = [documents(0)] * ROLES
    decide(cached_texts[0])
    cached = max(roles_a_second(cached_texts) for _ in range(ROUNDS))
    uncached = max(
        roles_a_second([documents(round_ * ROLES + number + 1) for number in range(ROLES)]) for round_ in range(ROUNDS)
    )
    print(f"roles per second, policies cached   {cached:10,.0f}")
    print(f"roles per second, nothing cached    {uncached:10,.0f}")
    print(f"31 * against 5,000 characters       {min(glob_seconds() for _ in range(ROUNDS)) * 1e6:10,.1f} µs")
    print(f"import of permission_guard.iam      {import_seconds() * 1e3:10,.1f} ms")
    usual = adversarial_seconds(ordinary(RESOURCE_POLICY_BYTES))
    print(f"\nordinary policy of {RESOURCE_POLICY_BYTES:,} bytes {usual * 1e3:18,.1f} ms")
    print(f"{'adversarial policies of the same size':40} {'ms':>8} {'ordinary':>9} {'half size':>10}")
    for name, kind in KINDS.items():
        seconds = adversarial_seconds(kind(RESOURCE_POLICY_BYTES))
        growth = seconds / adversarial_seconds(kind(RESOURCE_POLICY_BYTES // 2))
        print(f"{name:40} {seconds * 1e3:8.1f} {seconds / usual:8.1f}x {growth:9.1f}x")


if __name__ == "__main__":
    main()
