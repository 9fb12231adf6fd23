"""Starting and stopping the sandbox."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError

from sandbox.client.process import INTERPRETER, ROOT, Sandbox, SandboxError, exports, poll, shell_setup

if TYPE_CHECKING:
    from collections.abc import Callable


def group_members(pid: int) -> list[int]:
    """Return the processes of a process group."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    # A zombie has ended; the sandbox does not control when it is reaped.
    return [int(member) for member, group, state in rows if int(group) == pid and not state.startswith("Z")]


def test_no_process_is_left_after_the_end(make_function: Callable[..., str], tmp_path: Path, code: bytes) -> None:
    """No process is left after the end."""
    run_dir = tmp_path / "run"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    with Sandbox.start(run_dir=run_dir) as aws:
        role = aws.client("iam").create_role(
            RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        client = aws.client("lambda")
        function = {"FunctionName": "f", "Runtime": "python3.13", "Handler": "app.handler"}
        client.create_function(Role=role["Role"]["Arn"], Code={"ZipFile": code}, **function)
        answer = json.loads(client.invoke(FunctionName="f", Payload=b"7")["Payload"].read())
        working = group_members(aws.pid)
        files = list(run_dir.iterdir())

    assert answer == {"seen": 7}
    assert len(working) > 1
    assert files
    assert poll(lambda: not group_members(aws.pid), deadline=10, what="end of the workers")
    assert not run_dir.exists()
    with pytest.raises(EndpointConnectionError):
        aws.client("lambda").list_functions()
    aws.stop()


def test_kept_files_hold_the_log(tmp_path: Path) -> None:
    """Kept files hold the log."""
    with Sandbox.start(run_dir=tmp_path / "run", keep=True) as aws:
        pass

    assert "Running on http://127.0.0.1" in aws.log


def test_a_start_without_the_environment_says_what_to_run(tmp_path: Path) -> None:
    """A start without the environment says what to run."""
    with pytest.raises(SandboxError, match="Run `make setup`"):
        Sandbox.start(interpreter=tmp_path / "python")


def test_a_port_in_use_is_named_with_what_to_do(sandbox: Sandbox) -> None:
    """A port in use is named, with what to do."""
    with pytest.raises(SandboxError, match=f"Port {sandbox.port} is in use. .*--port"):
        Sandbox.start(sandbox.port)


def test_another_version_of_ministack_is_rejected(tmp_path: Path) -> None:
    """Another version of MiniStack is rejected."""
    with pytest.raises(SandboxError, match=r"MiniStack is [\d.]+, the sandbox needs 9\.9\.9"):
        Sandbox.start(run_dir=tmp_path / "run", settings={"SANDBOX_MINISTACK_VERSION": "9.9.9"})

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            "del ministack.services.lambda_svc._get_policy",
            "The hook ministack.services.lambda_svc._get_policy is missing",
        ),
        ("ministack.services.lambda_svc._create_esm = lambda: 0", "_create_esm takes (), not (data)."),
        ("sandbox.server.hooks.admission.wrap_create_mapping = lambda inner: inner", "_create_esm has no effect"),
        ("sandbox.server.hooks.policy_keys.wrap_context = lambda inner: inner", "request_tag_context has no effect"),
        (
            "sandbox.server.hooks.policies_by_aws.wrap_seed = lambda inner: inner",
            "_seed_aws_managed_policies has no effect",
        ),
        ("sandbox.server.hooks.listings.wrap_list_secrets = lambda inner: inner", "_list_secrets has no effect"),
        ("sandbox.server.hooks.organization.wrap_handle_request = lambda inner: inner", "handle_request has no effect"),
        ("sandbox.server.hooks.bus_policy.wrap_put_events = lambda inner: inner", "_put_events has no effect"),
        ("sandbox.server.hooks.deliveries.wrap_invoke_target = lambda inner: inner", "_invoke_target has no effect"),
        ("sandbox.server.hooks.authorization.wrap_condition_key = lambda inner: inner", "_key has no effect"),
        ("sandbox.server.hooks.authorization.wrap_enforce = lambda inner: inner", "enforce has no effect"),
        ("sandbox.server.hooks.bus_policy.EVENT_BUS_POLICY = 'AWS::Other'", "_RESOURCE_HANDLERS has no effect"),
        ("sandbox.server.trail.deliver = lambda record: None", "_put_events delivered no record"),
    ],
)
def test_a_hook_without_effect_stops_the_start(tmp_path: Path, broken: str, sentence: str) -> None:
    """A hook without effect stops the start."""
    modules = "import ministack.services.lambda_svc\n"
    if broken.startswith("sandbox"):
        modules += "import sandbox.server.hooks, sandbox.server.trail\n"
    (tmp_path / "broken.py").write_text(f"{modules}{broken}\nfrom sandbox.server.app import app\n")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AUTH": "true", "TMPDIR": str(tmp_path)}
    quiet = {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "BIND_HOST": "127.0.0.1"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    ended = subprocess.run(
        [str(INTERPRETER), "-m", "hypercorn", "broken:app", "--bind", f"127.0.0.1:{port}", "--workers", "0"],
        cwd=tmp_path,
        env={**environment, **quiet, "GATEWAY_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0
    assert any(line.startswith("sandbox: ") and sentence in line for line in ended.stderr.splitlines())


def test_the_self_test_leaves_nothing(tmp_path: Path) -> None:
    """The self test leaves nothing."""
    with Sandbox.start(run_dir=tmp_path / "run") as aws:
        assert aws.records() == []
        assert aws.health()["recorded"] == 0
        probes = {"AccessKeyId": "000000000001", "SecretAccessKey": "sandbox", "SessionToken": None}
        for keys in (None, probes):
            assert aws.client("lambda", keys).list_functions()["Functions"] == []
            assert aws.client("iam", keys).list_roles()["Roles"] == []
            assert aws.client("sqs", keys).list_queues().get("QueueUrls", []) == []
            assert aws.client("ssm", keys).describe_ops_items()["OpsItemSummaries"] == []
            assert aws.client("cloudformation", keys).describe_stacks()["Stacks"] == []


def test_a_reset_deletes_everything(tmp_path: Path) -> None:
    """A reset deletes everything."""
    with Sandbox.start(run_dir=tmp_path / "run") as aws:
        aws.client("ssm").create_ops_item(Title="t", Source="s", Description="d")
        aws.client("sqs").create_queue(QueueName="q")
        aws.deliver(copies=3)

        aws.reset()

        assert aws.client("ssm").describe_ops_items()["OpsItemSummaries"] == []
        assert aws.health()["delivery"]["copies"] == 1


def test_the_environment_points_at_the_sandbox_only(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment points at the sandbox only."""
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")

    environment = sandbox.env()

    assert {name for name in environment if name.startswith("AWS_")} == {
        name for name in sandbox.exports() if name.startswith("AWS_")
    }
    assert sandbox.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_the_aws_cli_works_with_the_environment(sandbox: Sandbox, unique: str) -> None:
    """The AWS CLI works with the environment."""
    aws = Path(sys.executable).parent / "aws"
    since = sandbox.last_record()
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})

    made = subprocess.run(
        [aws, "iam", "create-role", "--role-name", unique, "--assume-role-policy-document", trust],
        env=sandbox.env(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["Role"]["RoleName"] == unique
    assert "aws-cli" in sandbox.wait_for_record("CreateRole", since)["userAgent"]


def test_the_printed_setup_keeps_the_aws_cli_on_this_machine(sandbox: Sandbox, unique: str) -> None:
    """With nothing but the printed setup, SQS calls reach the sandbox: any other host would meet a closed proxy."""
    url = sandbox.client("sqs").create_queue(QueueName=unique)["QueueUrl"]
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    closed = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    commands = [
        "aws sqs list-queues",
        f"aws sqs get-queue-attributes --queue-url {url} --attribute-names QueueArn",
        f"aws iam list-roles --query 'length(Roles[?RoleName==`{unique}`])'",
    ]

    for command, expected in zip(commands, (url, f"arn:aws:sqs:us-east-1:123456789012:{unique}", "0"), strict=True):
        done = subprocess.run(
            ["bash", "-euc", "\n".join([*shell_setup(sandbox.port), command])],
            env={"PATH": path, "AWS_PROFILE": "mine", **closed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_serve_prints_each_record_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    """Serve prints each record and ends at Ctrl-C."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shown = tmp_path / "shown"
    command = [sys.executable, "-m", "sandbox", "serve", "--port", str(port)]
    with shown.open("w") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as serving:
        try:
            poll(lambda: "Lambda and IAM writes" in shown.read_text(), deadline=60, what="banner")
            second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            environment = {**os.environ, **exports(port)}
            aws = Path(sys.executable).parent / "aws"
            delete = [str(aws), "iam", "delete-role", "--role-name", "nobody"]
            subprocess.run(delete, env=environment, capture_output=True, check=False)
            poll(lambda: "DeleteRole" in shown.read_text(), deadline=10, what="line for DeleteRole")
        finally:
            serving.send_signal(signal.SIGINT)
        code = serving.wait(60)

    text = shown.read_text()
    assert code == 0
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in text
    assert "s3_use_path_style" in text
    assert "NoSuchEntityException" in text
    assert (second.returncode, second.stdout) == (2, "")
    assert "is in use" in second.stderr
