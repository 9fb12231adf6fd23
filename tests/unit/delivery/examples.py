"""Findings to compose messages of: the cases on file, one with hostile names, and one that is as large as it gets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.model.findings import Finding
from permission_guard.model.verdicts import Remedy
from tests.paths import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping


def load(case: str) -> Finding:
    """Return the finding of a case."""
    return Finding.from_document(json.loads((FINDINGS / f"{case}.json").read_text()))


CASES: Final = sorted(path.stem for path in FINDINGS.glob("*.json"))
OPENED: Final = load("opened")
PROPOSED: Final = load("fix-proposed")
APPLIED: Final = load("fix-applied")
RESOLVED: Final = load("resolved")

HOSTILE: Final = (
    "<!channel> @here <https://evil.example|click> [click](https://evil.example) ![x](y) <script>alert(1)</script> "
    "*bold* _it_ ~s~ `code` ```fence``` & &lt; # | \x1b\r\n\u202e :boom: 🚀"
)


def with_texts(text: str) -> Finding:
    """Return a finding each of whose texts is this one."""
    return replace(
        OPENED,
        title=text,
        reason=text,
        impact=text,
        resolution=text,
        subject=text,
        rule_name=text,
        region=text,
        function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{text}",
        functions=(text,),
        evidence={text: text, "statement": {"Sid": text}, "list": [text]},
        remedies=(Remedy(text, text, changes=text, step=text),),
        event_ids=(text,),
        changed_by=text,
        changed_from=text,
        changed_with=text,
        changed_event=text,
        changed_in=text,
        tags={"owner": text},
    )


HOSTILE_FINDING: Final = with_texts(HOSTILE)
HUGE_FINDING: Final = replace(
    OPENED,
    title="<" * 5_000,
    reason="🚀" * 5_000,
    impact="i" * 5_000,
    subject="&" * 5_000,
    rule_name="r" * 5_000,
    function_arn="f" * 5_000,
    changed_by="c" * 5_000,
    changed_with="w" * 5_000,
    tags={"owner": "o" * 5_000},
    evidence={"statement": {f"key{number}": "v" * 5_000 for number in range(20)}},
    remedies=tuple(Remedy(f"kind{number}", "x" * 2_400) for number in range(60)),
)
EXAMPLES: Final[Mapping[str, Finding]] = {
    **{case: load(case) for case in CASES},
    "hostile": HOSTILE_FINDING,
    "huge": HUGE_FINDING,
}
