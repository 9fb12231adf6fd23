"""AWS CLI commands. Only this module writes them, so that every value is quoted for the shell."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# In a list the AWS CLI reads a leading dash as an option, a bracket as JSON, and `file://` as the name of a file.
_PLAIN_ITEM = re.compile(r"(?!\w+://)[A-Za-z*].*", re.DOTALL)

LAMBDA_CALL: Final = """
policy_shape = {"Policy": {"shape": "Text"}, "RevisionId": {"shape": "Text"}}
arn_shape = {"ResourceArn": {"shape": "Text", "location": "uri", "locationName": "ResourceArn"}}
revision_shape = {"RevisionId": {"shape": "Text", "location": "querystring", "locationName": "RevisionId"}}
shapes = {
    "Text": {"type": "string"},
    "Get": {"type": "structure", "members": arn_shape},
    "Put": {"type": "structure", "members": {**arn_shape, **policy_shape}},
    "Delete": {"type": "structure", "members": {**arn_shape, **revision_shape}},
    "Reply": {"type": "structure", "members": policy_shape},
}
operations = {
    f"{verb}ResourcePolicy": {
        "name": f"{verb}ResourcePolicy",
        "http": {"method": verb.upper(), "requestUri": "/2026-07-09/resource-policy/{ResourceArn}"},
        "input": {"shape": verb},
        "output": {"shape": "Reply"},
    }
    for verb in ("Get", "Put", "Delete")
}
metadata = {"apiVersion": "2026-07-09", "endpointPrefix": "lambda", "protocol": "rest-json", "serviceId": "Lambda"}
metadata.update({"serviceFullName": "Lambda", "signatureVersion": "v4", "signingName": "lambda"})
model = {"version": "2.0", "metadata": metadata, "operations": operations, "shapes": shapes}

def aws(operation, *options, may_be_missing=False):
    # Version 1 of the AWS CLI does not know these calls, so they are described to it in a folder of its own.
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "lambda-policy", "2026-07-09"))
        with open(os.path.join(folder, "lambda-policy", "2026-07-09", "service-2.json"), "w") as file:
            json.dump(model, file)
        place = ["--region", arn.split(":")[3], "--resource-arn", arn, "--output", "json"]
        command = ["aws", "lambda-policy", operation, *place, *options]
        done = subprocess.run(command, capture_output=True, env={**os.environ, "AWS_DATA_PATH": folder})
    if done.returncode and may_be_missing and b"ResourceNotFoundException" in done.stderr:
        return b""
    if done.returncode:
        sys.exit(done.stderr.decode())
    return done.stdout
"""
"""A function of a pasted Python program: it calls Lambda about the resource `arn`. It contains no single quote.

https://docs.aws.amazon.com/lambda/latest/api/API_PutResourcePolicy.html
"""


def aws(service: str, operation: str, region: str, **options: str | bool | Sequence[str]) -> str:
    """Return a command. Options have their names in Python: `role_name` is `--role-name`.

    The region is always named, so that the command works whatever the default region is. IAM has one endpoint for each
    partition, which the region selects.

    A value may be any text; True is a flag; an option without a value is omitted. The AWS CLI reads a single value that
    starts with `file://` from a file: no name in AWS does.
    """
    words = [word for name, value in options.items() for word in _option(f"--{name.replace('_', '-')}", value)]
    return " ".join(["aws", service, operation, "--region", shlex.quote(region), *words])


def _option(name: str, value: str | bool | Sequence[str]) -> list[str]:
    if isinstance(value, bool) or not value:
        return [name] if value else []
    if not isinstance(value, str):
        is_plain = all(map(_PLAIN_ITEM.fullmatch, value))
        return [name, *map(shlex.quote, value if is_plain else [json.dumps(list(value))])]
    quoted = shlex.quote(value)
    return [f"{name}={quoted}"] if value.startswith("-") else [name, quoted]
