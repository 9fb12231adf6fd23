"""`make sandbox DEPLOY=1` prints findings, alerts and tickets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from sandbox.client.process import ROOT, exports, poll, shell_setup
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import CONFIGURATION

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def test_serve_with_the_stack_prints_findings_alerts_and_tickets(tmp_path: Path, code: bytes) -> None:
    """A finding, its alert and its ticket are printed when they open and when they resolve. Ctrl-C ends the program."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shown = tmp_path / "shown"
    (tmp_path / "code.zip").write_bytes(code)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = "arn:aws:iam::123456789012:role/orders-role"
    package = f"--runtime python3.13 --handler app.handler --zip-file fileb://{tmp_path}/code.zip"
    permission = "--statement-id s3 --action lambda:InvokeFunction --principal s3.amazonaws.com"
    calls = [
        f"aws iam create-role --role-name orders-role --assume-role-policy-document '{trust}'",
        f"aws lambda create-function --function-name orders --role {role} {package}",
        f"aws lambda add-permission --function-name orders {permission}",
    ]

    def shell(*commands: str) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        script = "\n".join([*shell_setup(port), *commands])
        subprocess.run(["bash", "-euc", script], env={"PATH": path}, capture_output=True, check=True)

    def wait_for(*texts: str) -> None:
        poll(lambda: all(text in shown.read_text() for text in texts), deadline=DEADLINE, what=f"{texts} on the screen")

    document = tmp_path / "guard.json"
    document.write_text(json.dumps(CONFIGURATION))
    command = [sys.executable, "-m", "sandbox", "serve", "--port", str(port), "--deploy", "--config", str(document)]
    environment = {**os.environ, **exports(port)}
    with (
        shown.open("w") as output,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as serving,
    ):
        try:
            poll(lambda: "and what the bot does" in shown.read_text(), deadline=300, what="deployed stack")
            shell(*calls)
            wait_for("finding open", "] Opened: ", "OpsItem Open")
            shell("aws lambda remove-permission --function-name orders --statement-id s3")
            wait_for("finding resolved", "Resolved: ", "OpsItem Resolved")
        finally:
            serving.send_signal(signal.SIGINT)
        exit_code = serving.wait(DEADLINE)

    assert exit_code == 0
    assert "AddPermission20150331v2" in shown.read_text()
