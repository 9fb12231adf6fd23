"""`make audit`: lists known vulnerabilities of what is deployed, with pip-audit.

pip-audit asks PyPI, or another service that its options name: `make audit OPTIONS="--vulnerability-service osv"`.
It exits with 1 whether it found a vulnerability or had no data, so its report decides.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from tools.licenses import REQUIREMENTS, deployed

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING_KNOWN: Final = 0
VULNERABLE: Final = 1
NO_DATA: Final = 2

# The requirements are complete and have hashes, so nothing is resolved or installed.
_FILES: Final = tuple(option for file in REQUIREMENTS for option in ("--requirement", str(file)))
_OPTIONS: Final = (*_FILES, "--disable-pip", "--progress-spinner", "off", "--format", "json")


def main(command: Sequence[str]) -> int:
    """Run pip-audit and print what it found; return 0 for nothing, 1 for a vulnerability, 2 without data.

    `command` is pip-audit with its options.
    """
    done = subprocess.run([*command, *_OPTIONS], capture_output=True, text=True, check=False)
    audited = _audited(done.stdout)
    missing = sorted(deployed().keys() - audited.keys())
    if missing:
        reason = (done.stderr.strip().splitlines() or ["pip-audit gave no reason"])[-1]
        print(f"No vulnerability data for {', '.join(missing)}: {reason}", file=sys.stderr)
        print("Run make audit again where the vulnerability service can be reached.", file=sys.stderr)
        return NO_DATA
    found = [(name, vulnerability) for name, known in audited.items() for vulnerability in known]
    for name, vulnerability in found:
        fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version"
        print(f"{name} has {vulnerability['id']}, fixed in {fixed}")
    print(f"Known vulnerabilities of {len(audited)} distributions: {len(found)}")
    return VULNERABLE if found else NOTHING_KNOWN


def _audited(report: str) -> dict[str, list[dict[str, Any]]]:
    """Return the known vulnerabilities of each distribution with data; none if there is no report."""
    try:
        dependencies = json.loads(report)["dependencies"]
        return {one["name"]: one["vulns"] for one in dependencies if "vulns" in one}
    except (KeyError, TypeError, ValueError):
        return {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
