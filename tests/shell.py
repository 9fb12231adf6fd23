"""Run remedies in bash, with stand-ins for `aws` and for whatever else they call, and record what they run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = getattr(sys, "_base_executable", sys.executable)

RECORD = """
record() { { printf '%s\\0' "$@"; printf 'END\\0'; } >>"$CALLS"; }
aws() { record aws "$@"; echo job-or-url; }
python3() { record python3 "$@"; }
sleep() { record sleep "$@"; }
command_not_found_handle() { record unexpected "$@"; }
PATH=/nonexistent
"""
"""Functions in place of every command that a remedy calls: they record their arguments. Any other command fails."""

LAMBDA = """#!{python} -IS
import json, pathlib, sys
folder = pathlib.Path({folder!r})
state = json.loads((folder / "state.json").read_text())
operation, words = sys.argv[2], sys.argv[3:]
options = dict(zip(words[::2], words[1::2]))
state["calls"].append(sys.argv[1:])
revision = "00000000-0000-0000-0000-%012d" % state["revision"]

def end(error=""):
    (folder / "state.json").write_text(json.dumps(state))
    sys.exit("An error occurred (" + error + ") when calling the operation" if error else 0)

assert sys.argv[1] == "lambda-policy" and options["--resource-arn"] == state["arn"], sys.argv
if state["policy"] is None and operation != "put-resource-policy":
    end("ResourceNotFoundException")
if operation == "get-resource-policy":
    print(json.dumps({{"Policy": json.dumps(state["policy"]), "RevisionId": revision}}))
    if state["concurrent"]:
        state["policy"]["Statement"].append(state["concurrent"])
        state["revision"] += 1
    end()
if state["policy"] is not None and options["--revision-id"] != revision:
    end("PreconditionFailedException")
assert operation in ("put-resource-policy", "delete-resource-policy")
state["policy"] = json.loads(options["--policy"]) if operation == "put-resource-policy" else None
state["revision"] += 1
end()
"""
"""Lambda's policy of one resource, in a file. `concurrent` is a statement that another writer adds after each read."""


@dataclass
class Ran:
    """What a remedy did: the arguments of each call, its exit code and messages, and the policy afterwards."""

    calls: list[list[str]]
    code: int = 0
    errors: str = ""
    policy: Any = field(default=None)


def is_valid(text: str) -> bool:
    """Return whether bash can parse a remedy."""
    return subprocess.run(["bash", "-n", "-c", text], check=False, capture_output=True).returncode == 0


def record(text: str, folder: Path) -> list[list[str]]:
    """Run commands in an empty folder; return the arguments of everything that they ran.

    A command that leaves a file behind other than a saved policy, or that bash cannot parse, fails the test.
    """
    empty, calls, script = folder / "empty", folder / "calls", folder / "script"
    empty.mkdir(exist_ok=True)
    script.write_text(RECORD + text)
    calls.write_bytes(b"")
    environment = {"CALLS": str(calls), "LC_ALL": "C.UTF-8"}
    command = ["bash", "--noprofile", "--norc", str(script)]
    ran = subprocess.run(command, check=False, capture_output=True, cwd=empty, env=environment)
    assert ran.stderr == b"", ran.stderr[:2000]
    for file in empty.glob("*-policy.json"):
        assert re.fullmatch(r"[\w-]+", file.stem)
        file.unlink()
    assert list(empty.iterdir()) == []
    found = calls.read_bytes().decode(errors="surrogateescape").split("END\0")
    assert found.pop() == ""
    return [call.split("\0")[:-1] for call in found]


def change_policy(text: str, arn: str, policy: Any, folder: Path, concurrent: Any = None) -> Ran:
    """Run a command that changes the policy of a resource."""
    state, aws, python = folder / "state.json", folder / "aws", folder / "python3"
    values = {"arn": arn, "policy": policy, "revision": 7, "concurrent": concurrent, "calls": []}
    state.write_text(json.dumps(values))
    aws.write_text(LAMBDA.format(python=PYTHON, folder=str(folder)))
    aws.chmod(0o755)
    if not python.exists():
        python.symlink_to(PYTHON)
    environment = {"PATH": str(folder), "LC_ALL": "C.UTF-8"}
    command = ["/bin/bash", "--noprofile", "--norc", "-c", text]
    ran = subprocess.run(command, check=False, capture_output=True, cwd=folder, env=environment, text=True)
    after = json.loads(state.read_text())
    return Ran(after["calls"], ran.returncode, ran.stderr, after["policy"])
