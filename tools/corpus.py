"""`python -m tools.corpus`: judges the corpus of statements and writes `docs/corpus.md`; with `--check`, only compares.

The corpus is not part of this repository; without it there is nothing to do.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from permission_guard.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model import Function, FunctionTarget, ResourcePolicy, Scope, Snapshot
from permission_guard.rules import rules_for
from tests.unit.rules.corpus_judgements import FAMILIES, Family, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
CORPUS: Final = ROOT.parent / "shared" / "corpus" / "statements.jsonl"
PAGE: Final = ROOT / "docs" / "corpus.md"
TARGET: Final = FunctionTarget("aws", "us-east-1", "123456789012", "orders")
RULES: Final = tuple(
    rule for rule in rules_for(Scope.INVOKE_POLICY, TrustSet(frozenset({TARGET.account}))) if rule.offline
)

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

TOOLS: Final = (
    "sam-translator",
    "aws-cdk",
    "cdk-solutions-constructs",
    "serverless-framework",
    "terraform-aws-modules",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement of the corpus and what the rules say of it; `error` is what a rule that crashed says."""

    record: str
    pattern: str
    generator: str
    principal: str
    said: tuple[str, ...]
    unknown: tuple[str, ...]
    verdicts: int
    error: str = ""

    @property
    def family(self) -> Family:
        """The family that the statement belongs to."""
        return family_of(self.record, self.pattern)

    @property
    def is_unconditional_service(self) -> bool:
        """Whether it lets a service in without a condition."""
        return self.pattern.startswith("service:") and self.pattern.endswith(" | no-conditions")


def judge_corpus() -> tuple[Judged, ...]:
    """Return every statement of the corpus with what the rules say of it; nothing where there is no corpus."""
    if not CORPUS.exists():
        return ()
    return tuple(_judge(json.loads(line)) for line in CORPUS.read_text().splitlines())


def _judge(entry: dict[str, Any]) -> Judged:
    """Put one statement before the rules, as the policy of a function that nothing else is known of."""
    document = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": [entry["resolved"]]}))
    report = evaluate(
        Snapshot(
            TARGET,
            Function(TARGET.arn, TARGET.name, f"arn:aws:iam::{TARGET.account}:role/orders"),
            resource_policies=(ResourcePolicy(TARGET.arn, None, "1", document),),
        ),
        RULES,
    )
    return Judged(
        record=entry["id"],
        pattern=entry["pattern"],
        generator=entry["generator"],
        principal=entry["pattern"].partition(" | ")[0].removeprefix("service:"),
        said=tuple(sorted(verdict.rule_id for verdict in report.violations)),
        unknown=tuple(sorted(verdict.rule_id for verdict in report.unknowns)),
        verdicts=len(report.verdicts),
        error=next((verdict.reason for verdict in report.unknowns if "crashed" in verdict.reason), ""),
    )


# ── The page ────────────────────────────────────────────────────────────────────────────────────────────────────────


def page(statements: Sequence[Judged]) -> str:
    """Return `docs/corpus.md`."""
    clean = sum(not item.said and not item.unknown for item in statements)
    open_ones = [item for item in statements if item.is_unconditional_service]
    unknown = sum(bool(item.unknown) for item in statements)
    people, documentation = ("handwritten-cfn", "terraform"), ("aws-docs-cli", "aws-docs-policy")
    others = tuple(name for name in GENERATORS if name not in {*TOOLS, *people, *documentation})
    return "\n".join(
        [
            "# What people and tools write, and what we say of it",
            "",
            _paragraph(
                f"{len(statements)} statements of resource-based policies, judged by the {len(RULES)} rules that need "
                f"nothing but the policy ({', '.join(rule.id for rule in RULES)}). {clean} are clean, "
                f"{len(statements) - clean - unknown} have findings, and of {_count(unknown)} nobody can tell."
            ),
            _paragraph(
                "The statements were collected on 20 November 2026 from public repositories, packages and "
                "documentation, with the repository, path and commit of each: what the tools' own tests expect, what "
                "the tools make of examples, what people write by hand, what was recorded from AWS. They are read "
                "where they are collected, and none is copied into this repository. References were filled in with "
                f"account {TARGET.account} and plausible names. That account alone is trusted, and it is in no "
                "organization. PG110 and PG112 are left out: they ask what else there is in the account."
            ),
            _paragraph("*`python -m tools.corpus` writes this page, from the table that a test holds the rules to.*"),
            "## By who wrote it",
            "",
            *_generator_table(statements),
            "",
            _paragraph(
                "A sample and no survey: of each tool's statements of one kind at most a dozen were kept, and the test "
                "cases of scanners are wrong on purpose."
            ),
            "## Who writes no condition at all",
            "",
            _paragraph(
                f"{len(open_ones)} of the {_services(statements)} statements for a service have no condition: "
                f"{_share(open_ones, TOOLS)} by tools, {_share(open_ones, people)} by people, "
                f"{_share(open_ones, documentation)} by AWS's own documentation, and {_share(open_ones, others)} in "
                "tests and recordings. Of the tools', the Serverless Framework's are its WebSocket APIs, CDK's are "
                "targets of load balancers, authorizers of AppSync, validators of AppConfig and three that its tests "
                "write out, and SAM's is an `AlexaSkill` event without `SkillId`. SAM's own WebSocket APIs name the "
                "API, the stage and the route."
            ),
            *_condition_table(open_ones),
            "",
            "## What is to be said of what, and why",
            "",
            *_family_lines(statements),
        ]
    )


def _paragraph(text: str) -> str:
    return f"{textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)}\n"


def _count(number: int) -> str:
    return {0: "none", 1: "one"}.get(number, str(number))


def _services(statements: Iterable[Judged]) -> int:
    return sum(item.pattern.startswith("service:") for item in statements)


def _share(statements: Iterable[Judged], generators: tuple[str, ...]) -> int:
    return sum(item.generator in generators for item in statements)


def _generator_table(statements: Sequence[Judged]) -> list[str]:
    found = [rule.id for rule in RULES if any(rule.id in item.said for item in statements)]
    lines = [
        f"| who | statements | clean | {' | '.join(found)} | unknown |",
        f"|---|{'--:|' * (len(found) + 3)}",
    ]
    for generator, name in [*GENERATORS.items(), ("", "**all**")]:
        mine = [item for item in statements if generator in ("", item.generator)]
        said = Counter(rule for item in mine for rule in item.said)
        unknown = sum(bool(item.unknown) for item in mine)
        clean = sum(not item.said and not item.unknown for item in mine)
        cells = [str(said[rule] or "") for rule in found]
        lines.append(f"| {name} | {len(mine)} | {clean} | {' | '.join(cells)} | {unknown or ''} |")
    return lines


def _condition_table(open_ones: Sequence[Judged]) -> list[str]:
    lines = ["| principal | statements | by |", "|---|--:|---|"]
    for principal, number in sorted(Counter(item.principal for item in open_ones).items(), key=lambda i: (-i[1], i[0])):
        by = Counter(item.generator for item in open_ones if item.principal == principal)
        names = [f"{GENERATORS[name]} ({by[name]})" for name in GENERATORS if by[name]]
        lines.append(f"| `{principal}` | {number} | {', '.join(names)} |")
    return lines


def _family_lines(statements: Sequence[Judged]) -> list[str]:
    lines = []
    for heading, families in (
        ("Nothing", [family for family in FAMILIES if not family.said and not family.unknown]),
        *((rule.id, [family for family in FAMILIES if rule.id in family.said]) for rule in RULES),
        ("Unknown", [family for family in FAMILIES if family.unknown]),
    ):
        if families:
            rule = next((rule for rule in RULES if rule.id == heading), None)
            lines += [f"### [{rule.id}](rules/{rule.id}.md) `{rule.name}`" if rule else f"### {heading}", ""]
            lines += [_family_line(family, statements) for family in families]
            lines.append("")
    return lines


def _family_line(family: Family, statements: Sequence[Judged]) -> str:
    mine = [item for item in statements if item.family is family]
    by = Counter(item.generator for item in mine)
    names = [f"{GENERATORS[name]} {by[name]}" for name in GENERATORS if by[name]]
    return f"- **{family.title}** ({len(mine)}). {family.why}\n  *{'; '.join(names)}.*"


def main() -> int:
    """Write the page, or say whether it is out of date."""
    statements = judge_corpus()
    if not statements:
        print("The corpus of statements is not at hand: docs/corpus.md is left as it is.")
        return 0
    text = page(statements)
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
