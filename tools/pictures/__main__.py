"""`make pictures`: write the pictures, and beside them the hashes of the pages that they show."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Final

from permission_guard.model.findings import Finding
from tools.pictures import dom
from tools.pictures.chromium import ChromiumError, rendered, shoot
from tools.pictures.pages import PAGES, WIDTH

REPOSITORY: Final = Path(__file__).parents[2]
FOLDER: Final = REPOSITORY / "docs" / "pictures"
DIGESTS: Final = FOLDER / "digests.json"
"""For each picture the SHA-256 of its page and of its file."""

FINDING: Final = REPOSITORY / "tests" / "cases" / "findings" / "fix-proposed.json"


def pages() -> dict[str, str]:
    """Return the page of each picture as HTML."""
    finding = Finding.from_document(json.loads(FINDING.read_text()))
    return {name: page(finding) for name, page in PAGES.items()}


def digest(content: bytes) -> str:
    """Return a SHA-256 as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Write all pictures; return the exit code."""
    FOLDER.mkdir(exist_ok=True)
    digests = {}
    for name, html in pages().items():
        target = FOLDER / f"{name}.png"
        try:
            shoot(html, WIDTH, dom.read(rendered(html, WIDTH)).height, target)
        except ChromiumError as error:
            print(error, file=sys.stderr)
            return 1
        digests[name] = {"html": digest(html.encode()), "png": digest(target.read_bytes())}
        print(f"wrote {target.relative_to(REPOSITORY)}")
    DIGESTS.write_text(json.dumps(digests, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
