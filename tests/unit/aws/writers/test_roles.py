"""Writing to roles: permanent failures are distinguished from transient ones."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from permission_guard import __version__
from permission_guard.aws.clients import CONFIG
from permission_guard.aws.writers.roles import RoleWriter
from permission_guard.errors import WriteFailedError
from tests.fakes import SQS_POLICY_ARN, TRUST_LAMBDA, allow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.aws.conftest import Answers


def test_a_policy_is_attached_and_attaching_it_again_changes_nothing(moto_account: None) -> None:
    """A retry after a crash may find the policy attached."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="orders-role", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
    own = iam.create_policy(PolicyName="orders", PolicyDocument=json.dumps(allow("sqs:*")))["Policy"]["Arn"]
    for _ in range(2):
        RoleWriter(iam).attach_role_policy("orders-role", own)
    attached = iam.list_attached_role_policies(RoleName="orders-role")["AttachedPolicies"]
    assert [policy.get("PolicyArn") for policy in attached] == [own]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("LimitExceeded", 409),
        ("NoSuchEntity", 404),
        ("UnmodifiableEntity", 400),
        ("PolicyNotAttachable", 400),
    ],
)
def test_a_permanent_failure_carries_the_message_of_aws(iam_answers: Answers, code: str, status: int) -> None:
    """The message is recorded in the finding."""
    iam_answers.fail("attach_role_policy", code, "Cannot exceed quota for PoliciesPerRole: 20", status)
    with pytest.raises(WriteFailedError) as failed:
        RoleWriter(iam_answers.client).attach_role_policy("orders-role", SQS_POLICY_ARN)
    assert str(failed.value) == (
        f"iam:AttachRolePolicy failed with {code}: Cannot exceed quota for PoliciesPerRole: 20"
    )


@pytest.mark.parametrize(
    ("code", "status"), [("Throttling", 400), ("ConcurrentModification", 409), ("ServiceFailure", 500)]
)
def test_a_transient_failure_is_raised_unchanged(iam_answers: Answers, code: str, status: int) -> None:
    """The message is retried, and no fix is recorded as failed."""
    iam_answers.fail("attach_role_policy", code, status=status)
    with pytest.raises(ClientError, match=code):
        RoleWriter(iam_answers.client).attach_role_policy("orders-role", SQS_POLICY_ARN)


# ── The finding in CloudTrail ───────────────────────────────────────────────────────────────────────────────────────

REPLY = (
    '<AttachRolePolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
    "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AttachRolePolicyResponse>"
)


class Iam(BaseHTTPRequestHandler):
    """IAM on loopback: it keeps the user agents, and throttles as many calls as a test wants."""

    user_agents: ClassVar[list[str]] = []
    throttled: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        """Answer a call."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.user_agents.append(self.headers["User-Agent"])
        self.send_response(self.throttled.pop() if self.throttled else 200)
        self.send_header("Content-Length", str(len(REPLY)))
        self.end_headers()
        self.wfile.write(REPLY.encode())

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def iam() -> Iterator[Any]:
    """Return a client of IAM on loopback, with the configuration of the deployed functions."""
    Iam.user_agents.clear()
    Iam.throttled.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Iam)
    thread = Thread(target=server.serve_forever)
    thread.start()
    keys: Any = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    config = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 2}))
    url = f"http://127.0.0.1:{server.server_port}"
    client = boto3.client("iam", region_name="us-east-1", endpoint_url=url, config=config, **keys)
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_write_names_its_finding_in_the_user_agent(iam: Any) -> None:
    """Of the same client; reads, and writes for no finding, name none."""
    writers = RoleWriter(iam)
    for finding in ("a" * 32, "b" * 32):
        writers.for_finding(finding).attach_role_policy("orders-role", SQS_POLICY_ARN)
    iam.attach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    writers.attach_role_policy("orders-role", SQS_POLICY_ARN)
    named = [agent.partition(" permission-guard-finding/")[2].partition(" ")[0] for agent in Iam.user_agents]
    assert named == ["a" * 32, "b" * 32, "", ""]
    assert all(f"permission-guard/{__version__}" in agent and "Boto3/" in agent for agent in Iam.user_agents)


def test_the_retry_of_a_write_names_the_finding_once(iam: Any) -> None:
    """CloudTrail records the call that succeeded."""
    Iam.throttled.append(503)
    RoleWriter(iam).for_finding("a" * 32).attach_role_policy("orders-role", SQS_POLICY_ARN)
    assert len(Iam.user_agents) == 2
    assert [agent.count("permission-guard-finding/" + "a" * 32) for agent in Iam.user_agents] == [1, 1]


def test_a_failed_write_leaves_no_name_behind(iam: Any) -> None:
    """The next call of the client is another one."""
    Iam.throttled.append(404)
    with pytest.raises(WriteFailedError):
        RoleWriter(iam).for_finding("a" * 32).attach_role_policy("orders-role", SQS_POLICY_ARN)
    iam.attach_role_policy(RoleName="orders-role", PolicyArn=SQS_POLICY_ARN)
    assert ["finding/" in agent for agent in Iam.user_agents] == [True, False]


def test_what_is_no_id_cannot_become_a_header(iam: Any) -> None:
    """The id comes from the table; a damaged one must not stop the write either."""
    RoleWriter(iam).for_finding("a\r\nX-Evil: 1 (é) " + "b" * 200).attach_role_policy("orders-role", SQS_POLICY_ARN)
    (agent,) = Iam.user_agents
    assert f" permission-guard-finding/a--X-Evil--1-----{'b' * 47} " in f"{agent} "


def test_a_policy_is_detached_and_detaching_it_again_changes_nothing(moto_account: None) -> None:
    """A retry after a crash may find it detached, or the role deleted."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="orders-role", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
    own, other = (
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(allow("sqs:*")))["Policy"]["Arn"]
        for name in ("orders", "other")
    )
    for arn in (own, other):
        RoleWriter(iam).attach_role_policy("orders-role", arn)
    for _ in range(2):
        RoleWriter(iam).detach_role_policy("orders-role", own)
    attached = iam.list_attached_role_policies(RoleName="orders-role")["AttachedPolicies"]
    assert [policy.get("PolicyArn") for policy in attached] == [other]
    RoleWriter(iam).detach_role_policy("deleted-role", own)


@pytest.mark.parametrize("code", ["AccessDenied", "UnmodifiableEntity"])
def test_a_denied_detachment_carries_the_message_of_aws(iam_answers: Answers, code: str) -> None:
    """The message is recorded in the finding; throttling is tried again."""
    iam_answers.fail("detach_role_policy", code, "no", 403)
    with pytest.raises(WriteFailedError, match=f"iam:DetachRolePolicy failed with {code}: no"):
        RoleWriter(iam_answers.client).detach_role_policy("orders-role", SQS_POLICY_ARN)
    iam_answers.fail("detach_role_policy", "Throttling", "slow", 400)
    with pytest.raises(ClientError):
        RoleWriter(iam_answers.client).detach_role_policy("orders-role", SQS_POLICY_ARN)
