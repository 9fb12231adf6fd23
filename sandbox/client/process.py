"""Start and stop the sandbox, and create clients for it. Runs in the development environment.

with Sandbox.start() as aws:
aws.client("lambda").list_functions()
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import boto3
import botocore.config
import botocore.session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = ROOT / ".venv-sandbox" / "bin" / "python"
TEMPLATE = ROOT / ".aws-sam" / "build" / "template.yaml"

_START_DEADLINE = 60.0  # generous: machines that run tests are busy
_STOP_DEADLINE = 5.0
_REQUEST_TIMEOUT = 120.0
_DEPLOY_DEADLINE = 300.0
_PAUSE = 0.1
# Seconds after which the server closes an unused connection. A client that does not retry fails if it sends at that
# moment, so it never comes.
_KEEP_ALIVE = "86400"
_SIMPLE_VALUE = re.compile(r"[\w.:/@+-]+")

Found = TypeVar("Found")


class SandboxError(Exception):
    """An operation of the sandbox failed; the message says what to do."""


def poll(probe: Callable[[], Found | None], *, deadline: float, what: str) -> Found:
    """Return the first truthy result of `probe`. TimeoutError after `deadline` seconds.

    Watching takes at most a third of the time, so that it slows down a busy machine less.
    """
    until = time.monotonic() + deadline
    while True:
        asked = time.monotonic()
        found = probe()
        if found:
            return found
        answered = time.monotonic()
        if answered > until:
            raise TimeoutError(f"no {what} after {deadline:g} s")
        time.sleep(max(_PAUSE, 2 * (answered - asked)))


class Sandbox:
    """A running sandbox. The end of the `with` block, or `stop`, stops it and removes its files."""

    def __init__(self, server: subprocess.Popen[bytes], port: int, run_dir: Path, *, keep: bool) -> None:
        self._server, self.port, self.run_dir, self._keep = server, port, run_dir, keep
        self._session = _isolated_session()
        self._clients: list[Any] = []

    @classmethod
    def start(
        cls,
        port: int | None = None,
        run_dir: Path | None = None,
        *,
        keep: bool = False,
        settings: Mapping[str, str] | None = None,
        interpreter: Path = INTERPRETER,
    ) -> Self:
        """Start a sandbox on a loopback port (a free one by default), and wait until its self-test has passed.

        `run_dir` contains its log and temporary files, and is removed at the end unless `keep` is true. `settings` has
        additional environment variables for MiniStack.
        """
        if not interpreter.exists():
            raise SandboxError(f"The sandbox's environment is missing ({interpreter}). Run `make setup`.")
        port = _free_port() if port is None else _require_free(port)
        run_dir = Path(tempfile.mkdtemp(prefix="sandbox-")) if run_dir is None else run_dir
        run_dir.mkdir(parents=True, exist_ok=True)
        command = [str(interpreter), "-m", "hypercorn", "sandbox.server.app:app", "--bind", f"127.0.0.1:{port}"]
        with (run_dir / "sandbox.log").open("wb") as log:
            server = subprocess.Popen(
                [*command, "--workers", "0", "--keep-alive", _KEEP_ALIVE],
                cwd=ROOT,
                env={**_server_environment(port, run_dir), **(settings or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = cls(server, port, run_dir, keep=keep)
        try:
            started._wait_until_healthy()
        except BaseException:
            started.stop()
            raise
        return started

    @property
    def endpoint(self) -> str:
        """The URL of all AWS APIs."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._server.pid

    @property
    def log(self) -> str:
        """The output of the server."""
        path = self.run_dir / "sandbox.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def exports(self) -> dict[str, str]:
        """Return the variables with which the AWS CLI, the SDKs and SAM use this sandbox."""
        return exports(self.port)

    def env(self) -> dict[str, str]:
        """Return this process's environment, with the AWS settings of the sandbox."""
        return {**_without_aws(os.environ), **self.exports()}

    def client(self, service: str, credentials: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Return a boto3 client for the account's root, or for a session with `Credentials` from STS.

        It does not retry, so that a test sees each error. Pass a `config` to change that.
        """
        keys = credentials or {"AccessKeyId": ACCOUNT, "SecretAccessKey": "sandbox", "SessionToken": None}
        client: Any = self._session.client(  # type: ignore[call-overload]
            service,
            endpoint_url=options.pop("endpoint_url", self.endpoint),
            region_name=options.pop("region_name", REGION),
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=options.pop("config", botocore.config.Config(retries={"total_max_attempts": 1})),
            **options,
        )
        self._clients.append(client)
        return client

    def deploy(
        self, stack_name: str, parameters: Mapping[str, str] | None = None, template: Path = TEMPLATE
    ) -> dict[str, str]:
        """Deploy a built template with SAM, and return the stack's outputs. The error contains SAM's output."""
        if not template.exists():
            raise SandboxError(f"There is no built template at {template}. Run `make build`.")
        sam = shutil.which("sam", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
        if sam is None:
            raise SandboxError("SAM CLI is missing. Run `make setup`.")
        command = [sam, "deploy", "--template-file", str(template), "--stack-name", stack_name, *_DEPLOY_OPTIONS]
        if parameters:
            command += ["--parameter-overrides", *(_override(name, value) for name, value in parameters.items())]
        done = self._run(command, template.parent)
        if done.returncode:
            raise SandboxError(f"`sam deploy` of {stack_name} failed:\n{done.stdout}")
        stacks = self.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stacks[0].get("Outputs", [])}

    def _run(self, command: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        # The seconds that SAM waits between two reads of a stack, by default 0.5 or more; nothing throttles it here.
        env = {**self.env(), "__SAM_CLI_APP_DIR": str(self.run_dir / "sam-cli"), "SAM_CLI_POLL_DELAY": "0.5"}
        return subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_DEPLOY_DEADLINE,
            check=False,
        )

    def is_running(self) -> bool:
        """Return whether the server is running."""
        return self._server.poll() is None

    def health(self) -> dict[str, Any]:
        """Return the state of the sandbox, with the numbers of delivered and lost records."""
        return self._control("GET", "health")

    def records(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the CloudTrail records numbered above `since`, oldest first."""
        return self.trail(since)[0]

    def trail(self, since: int) -> tuple[list[dict[str, Any]], int]:
        """Return the records numbered above `since`, oldest first, and the newest number."""
        reply = self._control("GET", f"trail?since={since}")
        return reply["records"], int(reply["last"])

    def last_record(self) -> int:
        """Return the newest record's number, to read `records` from there."""
        return int(self.health()["recorded"])

    def wait_for_record(self, event_name: str, since: int = 0, deadline: float = 5.0) -> dict[str, Any]:
        """Return the first record with this `eventName`."""

        def probe() -> dict[str, Any]:
            return next((record for record in self.records(since) if record["eventName"] == event_name), {})

        return poll(probe, deadline=deadline, what=f"record of {event_name}")

    def replay(self, record: Mapping[str, Any]) -> None:
        """Deliver a CloudTrail record unchanged: a late, repeated or recorded one."""
        self._control("POST", "trail", record)

    def deliver(self, **changes: Any) -> dict[str, Any]:
        """Change the delivery of records: `hold=True` withholds them, `delay=SECONDS`, `copies=N`."""
        return self._control("POST", "delivery", changes)

    def inject_fault(self, service: str, operation: str, **fault: Any) -> None:
        """Make the next `count` calls of an operation fail with `code`, `status`, `message`; throttling by default."""
        self._control("POST", "faults", {"service": service, "operation": operation, **fault})

    def end_environments(self) -> None:
        """End every execution environment: the next invocation of each function is a cold start."""
        self._control("DELETE", "environments")

    def refusals(self) -> list[dict[str, str]]:
        """Return the last invocations that a function's policy did not allow: `function`, `service`, `source`."""
        return list(self._control("GET", "refusals")["refusals"])

    def clear_faults(self) -> None:
        """Remove the remaining faults."""
        self._control("DELETE", "faults")

    def reset(self) -> None:
        """Remove every resource, record, fault and OpsItem."""
        self._request("POST", "/_ministack/reset")

    def stop(self) -> None:
        """Stop the server and every process it started, and remove its files unless they are kept."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(_STOP_DEADLINE)
        # The processes of the handlers are in the server's process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()
        if not self._keep:
            shutil.rmtree(self.run_dir, ignore_errors=True)

    def _wait_until_healthy(self) -> None:
        def probe() -> bool:
            if self._server.poll() is not None:
                raise SandboxError(_why_it_ended(self.log))
            try:
                return bool(self.health()["status"] == "ok")
            except (urllib.error.URLError, ConnectionError):
                return False

        try:
            poll(probe, deadline=_START_DEADLINE, what="healthy sandbox")
        except TimeoutError:
            raise SandboxError(f"The sandbox did not start within {_START_DEADLINE:g} s:\n{self.log}") from None

    def _control(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = json.dumps(document).encode() if document is not None else None
        reply: dict[str, Any] = json.loads(self._request(method, f"/_sandbox/{path}", body))
        return reply

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.endpoint + path, data=body, method=method)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT) as reply:  # noqa: S310 - loopback
                content: bytes = reply.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise SandboxError(f"{method} {path}: {error.read().decode()}") from None


_DEPLOY_OPTIONS = (
    "--resolve-s3",
    "--capabilities",
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "--no-confirm-changeset",
    "--no-fail-on-empty-changeset",
    "--no-progressbar",
    "--region",
    REGION,
)


def exports(port: int) -> dict[str, str]:
    """Return the variables with which the AWS CLI, the SDKs and SAM use a sandbox's port."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
    }


def shell_setup(port: int) -> list[str]:
    """Return the shell lines (bash, zsh) with which `aws`, the SDKs and SAM use only a sandbox's port."""
    return [
        *(f"export {name}={value}" for name, value in exports(port).items()),
        "unset AWS_PROFILE AWS_SESSION_TOKEN",
        # Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS, and would call AWS.
        'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }',
    ]


def _isolated_session() -> boto3.Session:
    """Return a session that reads no profile, configuration or credentials of the user."""
    nowhere = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    session = botocore.session.Session(session_vars={**nowhere, "credentials_file": (None, None, os.devnull, None)})
    return boto3.Session(botocore_session=session)


def _without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


def _server_environment(port: int, run_dir: Path) -> dict[str, str]:
    return {
        **_without_aws(os.environ),
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(run_dir),
        "PYTHONUNBUFFERED": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            text = f"Port {port} is in use. Stop the process that uses it, or choose another port with --port."
            raise SandboxError(text) from None
    return port


def _why_it_ended(log: str) -> str:
    """Return the server's error messages, or the end of its log."""
    messages = [line.removeprefix("sandbox: ") for line in log.splitlines() if line.startswith("sandbox: ")]
    return "The sandbox did not start: " + (" ".join(messages) if messages else "\n" + log[-2_000:])


def _override(name: str, value: str) -> str:
    """Return a parameter override, quoted if SAM would split it at spaces."""
    if _SIMPLE_VALUE.fullmatch(value):
        return f"{name}={value}"
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{quoted}"'
