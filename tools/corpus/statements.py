"""The statements of resource-based policies that people and tools write, judged by the rules on invoke policies."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Function, ResourcePolicy, Snapshot
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.rules import rules_for
from tests.conformance.corpus_judgements import FAMILIES, Family, family_of
from tools.corpus.text import COLLECTION, GENERATORS, by_generator, count, paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CORPUS: Final = COLLECTION / "statements.jsonl"
TARGET: Final = FunctionTarget("aws", "us-east-1", "123456789012", "orders")
RULES: Final = tuple(
    rule for rule in rules_for(Direction.INVOKE_POLICY, TrustSet(frozenset({TARGET.account}))) if rule.offline
)

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


def judged() -> tuple[Judged, ...]:
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


# ── The section ─────────────────────────────────────────────────────────────────────────────────────────────────────


def section(statements: Sequence[Judged]) -> list[str]:
    """Return the page's lines on statements."""
    clean = sum(not item.said and not item.unknown for item in statements)
    open_ones = [item for item in statements if item.is_unconditional_service]
    unknown = sum(bool(item.unknown) for item in statements)
    people, documentation = ("handwritten-cfn", "terraform"), ("aws-docs-cli", "aws-docs-policy")
    others = tuple(name for name in GENERATORS if name not in {*TOOLS, *people, *documentation})
    return [
        "## Statements of resource-based policies",
        "",
        paragraph(
            f"{len(statements)} statements of resource-based policies, judged by the {len(RULES)} rules that need "
            f"nothing but the policy ({', '.join(rule.id for rule in RULES)}). {clean} are clean, "
            f"{len(statements) - clean - unknown} have findings, and of {count(unknown)} nobody can tell."
        ),
        paragraph(
            "The statements were collected on 20 November 2026 from public repositories, packages and "
            "documentation, with the repository, path and commit of each: what the tools' own tests expect, what "
            "the tools make of examples, what people write by hand, what was recorded from AWS. They are read "
            "where they are collected, and none is copied into this repository. References were filled in with "
            f"account {TARGET.account} and plausible names. That account alone is trusted, and it is in no "
            "organization. PG110 and PG112 are left out: they ask what else there is in the account."
        ),
        "### By who wrote it",
        "",
        *_generator_table(statements),
        "",
        paragraph(
            "A sample and no survey: of each tool's statements of one kind at most a dozen were kept, and the test "
            "cases of scanners are wrong on purpose."
        ),
        "### Who writes no condition at all",
        "",
        paragraph(
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
        "### What is to be said of what, and why",
        "",
        *_family_lines(statements),
    ]


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
            lines += [f"#### [{rule.id}](rules/{rule.id}.md) `{rule.name}`" if rule else f"#### {heading}", ""]
            lines += [_family_line(family, statements) for family in families]
            lines.append("")
    return lines


def _family_line(family: Family, statements: Sequence[Judged]) -> str:
    mine = [item for item in statements if item.family is family]
    by = by_generator(item.generator for item in mine)
    return f"- **{family.title}** ({len(mine)}). {family.why}\n  *{by}.*"
