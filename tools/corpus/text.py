"""Where the corpus is, who wrote what is in it, and how the page puts it."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).resolve().parents[2]
COLLECTION: Final = Path(os.environ.get("MATERIAL", "MATERIAL is not set")) / "corpus"
"""The environment variable MATERIAL names the folder with the material from outside the repository."""

GENERATORS: Final = {
    "sam-translator": "AWS SAM",
    "aws-cdk": "AWS CDK",
    "cdk-solutions-constructs": "CDK: AWS Solutions Constructs",
    "serverless-framework": "Serverless Framework 3",
    "terraform": "Terraform, written by people",
    "terraform-aws-modules": "Terraform module `lambda`, its examples",
    "handwritten-cfn": "CloudFormation, written by people",
    "get-policy-recorded": "recorded from AWS",
    "get-policy-published": "policies that people published",
    "get-policy-in-tests": "policies in tests",
    "aws-docs-cli": "AWS's documentation: commands",
    "aws-docs-policy": "AWS's documentation: policies",
    "security-tool-fixture-cfn": "test cases of scanners: CloudFormation",
    "security-tool-fixture-terraform": "test cases of scanners: Terraform",
}
"""Who wrote a statement, by the corpus's name, in the order of the page."""


def paragraph(text: str) -> str:
    """Return a paragraph in lines of 120 characters, with an empty line after it."""
    return f"{textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)}\n"


def count(number: int) -> str:
    """Return a number in a sentence."""
    return {0: "none", 1: "one"}.get(number, str(number))


def by_generator(names: Iterable[str]) -> str:
    """Return who wrote how many, in the order of the page."""
    numbers = Counter(names)
    return "; ".join(f"{title} {numbers[name]}" for name, title in GENERATORS.items() if numbers[name])
