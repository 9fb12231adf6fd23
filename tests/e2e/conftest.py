"""What the end-to-end tests make in the sandbox, and the stacks that they deploy."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadFileScheduling

from sandbox.client.process import ACCOUNT
from tests.e2e.bot import Bot, deployed
from tests.e2e.queues import EVERYTHING, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client.process import Sandbox

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com", "AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        }
    ],
}


_SHARE_A_STACK = {
    "reporting": (
        "bot_execution_role",
        "bot_findings_cli",
        "bot_invoke_rules",
        "bot_narrowing",
        "bot_reporting",
        "bot_role_drift",
        "demo",
    ),
    "fixing": ("attacks", "bot_attaching", "bot_fixing", "bot_policy_fixes"),
}


class _ByStack(LoadFileScheduling):  # type: ignore[misc] # its base has no types
    """Runs the tests of a file in one process, and all files that share a deployed stack in the same one."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        for stack, names in _SHARE_A_STACK.items():
            if path.endswith(tuple(f"test_{name}.py" for name in names)):
                return stack
        return path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Return what distributes the tests to the processes of `-n`."""
    return _ByStack(config, log)


@pytest.fixture(scope="session")
def reporting_bot() -> Iterator[Bot]:
    """The stack in a sandbox of its own, without fixes. Tests assert only about what they create."""
    with deployed(FixMode="off", TicketSystem="opsitem") as running:
        yield running


@pytest.fixture(scope="session")
def fixing_bot() -> Iterator[Bot]:
    """The stack in a sandbox of its own, in the mode that fixes by itself. Tests assert only about what they create."""
    with deployed(FixMode="auto", TicketSystem="opsitem") as running:
        yield running


@pytest.fixture
def unique() -> str:
    """Return a name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def code() -> bytes:
    """Return a deployment package with a handler in it."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return {'seen': event}\n")
    return package.getvalue()


@pytest.fixture(scope="session")
def make_role(sandbox: Sandbox) -> Callable[..., str]:
    """Make an execution role that may do what the statements say, and return its ARN."""
    iam = sandbox.client("iam")

    def make(name: str, *statements: dict[str, Any], trust: dict[str, Any] | None = None) -> str:
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST))
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
        return str(role["Role"]["Arn"])

    return make


@pytest.fixture(scope="session")
def make_function(sandbox: Sandbox, make_role: Callable[..., str], code: bytes) -> Callable[..., str]:
    """Make a function, with a role of its own unless one is given, and return its ARN."""
    client = sandbox.client("lambda")

    def make(name: str, *, role: str = "", **options: Any) -> str:
        role = role or make_role(f"{name}-role")
        settings = {"Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": code}, **options}
        return str(client.create_function(FunctionName=name, Role=role, **settings)["FunctionArn"])

    return make


@pytest.fixture(scope="session")
def assume(sandbox: Sandbox) -> Callable[[str, str], Any]:
    """Return a client of a service that works as a session of the role."""
    sts = sandbox.client("sts")

    def client(role: str, service: str) -> Any:
        credentials = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return sandbox.client(service, credentials)

    return client


@pytest.fixture
def queue(sandbox: Sandbox, unique: str) -> Queue:
    """Make a queue."""
    return Queue(sandbox, unique)


@pytest.fixture
def dead_letters(sandbox: Sandbox, unique: str) -> Queue:
    """Make a queue for dead letters."""
    return Queue(sandbox, f"{unique}-dead")


@pytest.fixture
def sender(make_role: Callable[..., str], unique: str) -> str:
    """Make a role that may send to every queue."""
    return make_role(f"{unique}-sender", {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"})


@pytest.fixture
def stranger(make_role: Callable[..., str], unique: str) -> str:
    """Make a role that may do everything in SQS."""
    return make_role(f"{unique}-stranger", EVERYTHING)
