"""Compile the actions of all AWS services from cfn-lint's copy of the Service Authorization Reference."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from moto.iam.aws_managed_policies import aws_managed_policies_data

_ACTION: Final = re.compile(r'"([a-z0-9-]+):([A-Za-z0-9]+)"')


def compiled() -> str:
    """Return the actions of each service, and the services of the ARNs of its resources, none if they vary."""
    copy = files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text()
    services: dict[str, dict[str, Any]] = json.loads(copy)
    # The copy is in lower case. The managed policies spell most actions as AWS does.
    spelled = {f"{service}:{name}".lower(): name for service, name in _ACTION.findall(aws_managed_policies_data)}
    return json.dumps(
        {
            "source": f"cfn-lint {version('cfn-lint')}",
            "actions": {
                service: sorted(spelled.get(f"{service}:{action}", action) for action in one.get("Actions", {}))
                for service, one in sorted(services.items())
            },
            "arns": {service: sorted(_arn_services(one)) for service, one in sorted(services.items())},
        },
        separators=(",", ":"),
        sort_keys=True,
    )


def _arn_services(service: dict[str, Any]) -> set[str]:
    formats = [text for one in service.get("Resources", {}).values() for text in one.get("ARNFormats", [])]
    found = {text.split(":")[2] if text.count(":") > 1 else "" for text in formats}
    return set() if any(not name or "$" in name or "*" in name for name in found) else found
