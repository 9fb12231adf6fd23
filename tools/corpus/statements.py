"""Evaluate the corpus of policy statements that users and tools write, with the rules on invoke policies."""

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
    rule
    for rule in rules_for(Direction.INVOKE_POLICY, TrustSet(frozenset({TARGET.account})))
    if rule.offline and rule.id not in {"PG112", "PG113"}
)
"""The rules that read only a statement. PG112 reads triggers and URLs, PG113 the size of the whole policy."""

TOOLS: Final = (
    "sam-translator",
    "aws-cdk",
    "cdk-solutions-constructs",
    "serverless-framework",
    "terraform-aws-modules",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement of the corpus and its verdicts; `error` is the message of a rule that crashed."""

    record: str
    pattern: str
    generator: str
    principal: str
    rule_ids: tuple[str, ...]
    unknown: tuple[str, ...]
    verdicts: int
    error: str = ""

    @property
    def family(self) -> Family:
        """The family of the statement."""
        return family_of(self.record, self.pattern)

    @property
    def is_unconditional_service(self) -> bool:
        """Whether the statement allows a service without a condition."""
        return self.pattern.startswith("service:") and self.pattern.endswith(" | no-conditions")


def judged() -> tuple[Judged, ...]:
    """Return every statement of the corpus with its verdicts; empty if there is no corpus."""
    if not CORPUS.exists():
        return ()
    return tuple(_evaluate_entry(json.loads(line)) for line in CORPUS.read_text().splitlines())


def _evaluate_entry(entry: dict[str, Any]) -> Judged:
    """Evaluate one statement as the policy of a function, without any other state."""
    document = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": [entry["resolved"]]}))
    report = evaluate(
        Snapshot(
            TARGET,
            Function(TARGET.arn, TARGET.name, f"arn:aws:iam::{TARGET.account}:role/orders"),
            resource_policies=(ResourcePolicy(TARGET.arn, None, document),),
        ),
        RULES,
    )
    return Judged(
        record=entry["id"],
        pattern=entry["pattern"],
        generator=entry["generator"],
        principal=entry["pattern"].partition(" | ")[0].removeprefix("service:"),
        rule_ids=tuple(sorted(verdict.rule_id for verdict in report.violations)),
        unknown=tuple(sorted(verdict.rule_id for verdict in report.unknowns)),
        verdicts=len(report.verdicts),
        error=next((verdict.reason for verdict in report.unknowns if "crashed" in verdict.reason), ""),
    )


# ── The section ─────────────────────────────────────────────────────────────────────────────────────────────────────


def section(statements: Sequence[Judged]) -> list[str]:
    """Return the lines of the page on statements."""
    clean = sum(not item.rule_ids and not item.unknown for item in statements)
    open_ones = [item for item in statements if item.is_unconditional_service]
    unknown = sum(bool(item.unknown) for item in statements)
    people, documentation = ("handwritten-cfn", "terraform"), ("aws-docs-cli", "aws-docs-policy")
    others = tuple(name for name in GENERATORS if name not in {*TOOLS, *people, *documentation})
    return [
        "## Statements of resource-based policies",
        "",
        paragraph(
            f"{len(statements)} statements of resource-based policies, evaluated by the {len(RULES)} rules that read "
            f"only the policy ({', '.join(rule.id for rule in RULES)}). {clean} have no finding, "
            f"{len(statements) - clean - unknown} have findings, and the outcome of {count(unknown)} is unknown."
        ),
        paragraph(
            "The statements were collected on 20 November 2026 from public repositories, packages and documentation, "
            "with the repository, path and commit of each. They are what the tools' own tests expect, what the tools "
            "generate from examples, what users write by hand, and what was recorded from AWS. This repository "
            f"contains none of them. References were resolved with account {TARGET.account} and plausible names. Only "
            "that account is trusted, and it belongs to no organization. PG110 and PG112 are left out, because they "
            "read other resources of the account."
        ),
        "### By author",
        "",
        *_generator_table(statements),
        "",
        paragraph(
            "This is a sample, not a survey: it has at most a dozen statements of one kind of each tool, and the test "
            "cases of scanners are wrong on purpose."
        ),
        "### Statements without a condition",
        "",
        paragraph(
            f"{len(open_ones)} of the {_services(statements)} statements for a service have no condition: "
            f"{_share(open_ones, TOOLS)} by tools, {_share(open_ones, people)} by users, "
            f"{_share(open_ones, documentation)} by AWS's documentation, and {_share(open_ones, others)} in tests and "
            "recordings. The Serverless Framework writes them for its WebSocket APIs. CDK writes them for targets of "
            "load balancers, authorizers of AppSync and validators of AppConfig, and three are written out in its "
            "tests. SAM writes one for an `AlexaSkill` event without `SkillId`. SAM's WebSocket APIs name the API, the "
            "stage and the route."
        ),
        *_condition_table(open_ones),
        "",
        "### The expected verdicts, and why",
        "",
        *_family_lines(statements),
    ]


def _services(statements: Iterable[Judged]) -> int:
    return sum(item.pattern.startswith("service:") for item in statements)


def _share(statements: Iterable[Judged], generators: tuple[str, ...]) -> int:
    return sum(item.generator in generators for item in statements)


def _generator_table(statements: Sequence[Judged]) -> list[str]:
    found = [rule.id for rule in RULES if any(rule.id in item.rule_ids for item in statements)]
    lines = [
        f"| author | statements | no finding | {' | '.join(found)} | unknown |",
        f"|---|{'--:|' * (len(found) + 3)}",
    ]
    for generator, name in [*GENERATORS.items(), ("", "**all**")]:
        mine = [item for item in statements if generator in ("", item.generator)]
        violations = Counter(rule for item in mine for rule in item.rule_ids)
        unknown = sum(bool(item.unknown) for item in mine)
        clean = sum(not item.rule_ids and not item.unknown for item in mine)
        cells = [str(violations[rule] or "") for rule in found]
        lines.append(f"| {name} | {len(mine)} | {clean} | {' | '.join(cells)} | {unknown or ''} |")
    return lines


def _condition_table(open_ones: Sequence[Judged]) -> list[str]:
    lines = ["| principal | statements | author |", "|---|--:|---|"]
    for principal, number in sorted(Counter(item.principal for item in open_ones).items(), key=lambda i: (-i[1], i[0])):
        by = Counter(item.generator for item in open_ones if item.principal == principal)
        names = [f"{GENERATORS[name]} ({by[name]})" for name in GENERATORS if by[name]]
        lines.append(f"| `{principal}` | {number} | {', '.join(names)} |")
    return lines


def _family_lines(statements: Sequence[Judged]) -> list[str]:
    lines = []
    for heading, families in (
        ("No finding", [family for family in FAMILIES if not family.rule_ids and not family.unknown]),
        *((rule.id, [family for family in FAMILIES if rule.id in family.rule_ids]) for rule in RULES),
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
