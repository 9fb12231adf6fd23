"""One finding of each rule, as a check would record it, for previews of messages.

`make generate` compiles them from the rules' own failing cases: the account, the names and who made the change are
placeholders. The file is not part of the Lambda layer.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Final

from permission_guard.model.findings import Finding

FILE: Final = Path(__file__).with_name("sample_findings.json.xz")


def sample_finding(rule_id: str) -> Finding:
    """Return the sample of a rule. KeyError if there is no such rule."""
    return Finding.from_document(json.loads(lzma.decompress(FILE.read_bytes()))[rule_id])
