"""`python -m tools.corpus`: judges the collection and writes `docs/corpus.md`; with `--check`, only compares.

The collection is not part of this repository; without it there is nothing to do.
"""

from __future__ import annotations

import sys

from tools.corpus import mappings, statements
from tools.corpus.page import PAGE, page
from tools.corpus.text import ROOT


def main() -> int:
    """Write the page, or say whether it is out of date."""
    found = statements.judged(), mappings.judged()
    if not all(found):
        print("The collection is not at hand: docs/corpus.md is left as it is.")
        return 0
    text = page(*found)
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/corpus.md is out of date: run `python -m tools.corpus`", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
