"""The event source mappings that people and tools write: what the roles of their functions lack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.iam import Policy, parse_policy
from permission_guard.model.state import EventSourceMapping, Function, Role, SourceState
from permission_guard.needs.decision import decide
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.access import access, access_entries, part
from permission_guard.needs.event_sources.destinations import destinations_of
from tests.conformance.mapping_judgements import JUDGEMENTS, RECOMMENDED, Judgement
from tests.fakes import a_mapping, a_role
from tools.corpus.text import COLLECTION, GENERATORS, by_generator, count, paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from permission_guard.needs.base import NeedKind

CORPUS: Final = COLLECTION / "event_source_mappings.jsonl"

_CONFIGS: Final = ("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig")


@dataclass(frozen=True, slots=True)
class Judged:
    """A mapping of the corpus and what its role lacks: actions, each with the kind of need that it is.

    `source` is the type of its source, empty where that is not known. `uncertain` is of what nobody can tell.
    `recommended` is what is only that, and not there.
    """

    record: str
    generator: str
    source: str
    missing: frozenset[tuple[str, NeedKind]] = frozenset()
    uncertain: frozenset[tuple[str, NeedKind]] = frozenset()
    recommended: frozenset[str] = frozenset()

    def said(self, judgement: Judgement) -> list[tuple[str, NeedKind]]:
        """Return what is said of the mapping for one reason."""
        said = self.missing if judgement.certain else self.uncertain
        return sorted(pair for pair in said if pair[0] in judgement.actions and self.record in judgement.records)


def records() -> list[dict[str, Any]]:
    """Return the corpus; nothing where it is not at hand."""
    return [json.loads(line) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []


def judged() -> tuple[Judged, ...]:
    """Return every mapping of the corpus with what its role lacks."""
    return tuple(judge(record) for record in records())


def built(record: dict[str, Any]) -> tuple[EventSourceMapping, Function, Role]:
    """Return a record's mapping, its function and its role, all of the source's account and region."""
    about = record["resolved"]["mapping"]
    source = about.get("EventSourceArn")
    parts = (source or "").split(":")
    region, account = parts[3:5] if len(parts) > 5 else ("us-east-1", "123456789012")  # noqa: PLR2004 - an ARN has six
    function_arn = f"arn:aws:lambda:{region}:{account}:function:orders"
    statements = [
        {name: value for name, value in statement.items() if name != "policy"}
        for statement in record["resolved"]["statements"]
    ]
    role = a_role(
        {"Version": "2012-10-17", "Statement": statements},
        arn=f"arn:aws:iam::{account}:role/orders-role",
        attached={arn: managed(arn) for arn in record["resolved"]["managed_policy_arns"]},
    )
    mapping = a_mapping(source, function_arn=function_arn, configuration=about)
    return mapping, Function(function_arn, "orders", role.arn), role


@cache
def managed(arn: str) -> Policy:
    """Return what one of AWS's managed policies grants, of the copy that moto brings along."""
    policies = json.loads(aws_managed_policies_data)
    return parse_policy(policies[arn.rsplit("/", 1)[-1]]["Document"], name=arn)


def judge(record: dict[str, Any]) -> Judged:
    """Decide of each need of a mapping whether its role is allowed it."""
    mapping, function, role = built(record)
    source = event_source_of(mapping)
    missing: set[tuple[str, NeedKind]] = set()
    uncertain: set[tuple[str, NeedKind]] = set()
    recommended: set[str] = set()
    for need in source.needs(mapping, _sources_of(mapping)) if source else ():
        decision = decide(need, role, function.arn, {})
        if decision.allowed:
            continue
        if need.recommended:
            recommended.add(need.action)
        else:
            (missing if decision.denied else uncertain).add((need.action, need.kind))
    return Judged(
        record["id"],
        record["generator"],
        source.name if source else "",
        frozenset(missing),
        frozenset(uncertain),
        frozenset(recommended),
    )


def _sources_of(mapping: EventSourceMapping) -> dict[str, SourceState]:
    """Return that nothing is under a key of the customer's: no record has one."""
    configs = (part(mapping.configuration, name) for name in _CONFIGS)
    registries = (part(config, "SchemaRegistryConfig").get("AccessConfigs") for config in configs)
    named = [
        (mapping.event_source_arn or "").partition("/consumer/")[0],
        *(uri for _, uri in access(mapping)),
        *(uri for entries in registries for _, uri in access_entries(entries)),
        *destinations_of(mapping),
    ]
    return dict.fromkeys(filter(None, named), SourceState())


# ── The section ─────────────────────────────────────────────────────────────────────────────────────────────────────


def section(mappings: Sequence[Judged]) -> list[str]:
    """Return the page's lines on event source mappings."""
    of_no_type = [item for item in mappings if not item.source]
    lacking = [item for item in mappings if item.missing]
    unclear = [item for item in mappings if item.uncertain and not item.missing]
    clean = len(mappings) - len(of_no_type) - len(lacking) - len(unclear)
    return [
        "## Event source mappings",
        "",
        paragraph(
            f"{len(mappings)} event source mappings, each with the role that its function is given, judged by all that "
            "the mapping takes: to read its source, what it depends on besides (secrets, network interfaces, the "
            f"inside of a Kafka cluster, a schema registry), and to send failures to its destination. {clean} roles "
            f"lack nothing, {len(lacking)} lack something, of {count(len(unclear))} nobody can tell, and of "
            f"{count(len(of_no_type))} the source is not known."
        ),
        paragraph(
            "They were collected with the statements, and in the same way. AWS's managed policies are those that moto "
            "brings along. A mapping is taken to be of its source's account and region. Nothing is taken to be "
            "encrypted with a key that a customer manages, because no record has one, and no cluster was read. What "
            "SAM makes today of each kind of event is held to a table, `tests/unit/rules/sam_pull_events.py`."
        ),
        "### By who wrote it, and what it reads",
        "",
        *_source_table(mappings),
        "",
        "### What the roles lack",
        "",
        *_judgement_lines([one for one in JUDGEMENTS if one.certain], mappings),
        "### Of what nobody can tell",
        "",
        *_judgement_lines([one for one in JUDGEMENTS if not one.certain], mappings),
        "### What is only recommended",
        "",
        *(_recommended_line(action, why, mappings) for action, why in RECOMMENDED.items()),
        "",
        "### Whose source is not known",
        "",
        paragraph(
            f"{len(of_no_type)} mappings name another stack's export, a variable or a resource without its ARN: nobody "
            f"can tell from the file what they read, and nothing is said of them. *{_by(of_no_type)}.*"
        ),
    ]


def _source_table(mappings: Sequence[Judged]) -> list[str]:
    lines = [
        "| who | source | mappings | lacks nothing | lacks something | not certain |",
        "|---|---|--:|--:|--:|--:|",
    ]
    kinds = sorted({item.source for item in mappings if item.source}, key=str.lower)
    rows = [(generator, kind) for generator in GENERATORS for kind in [*kinds, ""]]
    for generator, kind in rows:
        mine = [item for item in mappings if (item.generator, item.source) == (generator, kind)]
        if mine:
            missing = sum(bool(item.missing) for item in mine)
            unclear = len(mine) if not kind else sum(bool(item.uncertain and not item.missing) for item in mine)
            numbers = [len(mine) - missing - unclear, missing, unclear]
            cells = " | ".join(str(number or "") for number in numbers)
            lines.append(f"| {GENERATORS[generator]} | {kind or '*not known*'} | {len(mine)} | {cells} |")
    return lines


def _judgement_lines(judgements: Sequence[Judgement], mappings: Sequence[Judged]) -> list[str]:
    rows = [row for judgement in judgements for row in _rows(judgement, mappings)]
    reasons = [_reason(judgement, mappings) for judgement in judgements]
    return [
        "| who | source | action | of the kind | mappings | |",
        "|---|---|---|---|--:|---|",
        *rows,
        "",
        *reasons,
        "",
    ]


def _rows(judgement: Judgement, mappings: Sequence[Judged]) -> list[str]:
    """Return a row for each tool and type of source of which the same is said."""
    mine = [item for item in mappings if item.said(judgement)]
    groups = sorted({(list(GENERATORS).index(item.generator), item.generator, item.source) for item in mine})
    rows = []
    for _, generator, source in groups:
        group = [item for item in mine if (item.generator, item.source) == (generator, source)]
        said = sorted({pair for item in group for pair in item.said(judgement)})
        actions = ", ".join(f"`{action}`" for action, _ in said)
        kinds = ", ".join(sorted({kind.value for _, kind in said}))
        cells = [GENERATORS[generator], source, actions, kinds, str(len(group)), judgement.title]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _reason(judgement: Judgement, mappings: Sequence[Judged]) -> str:
    mine = [item for item in mappings if item.said(judgement)]
    return f"- **{judgement.title}** ({len(mine)}). {judgement.why}\n  *{_by(mine)}.*"


def _recommended_line(action: str, why: str, mappings: Sequence[Judged]) -> str:
    mine = [item for item in mappings if action in item.recommended]
    return f"- `{action}` ({len(mine)}). {why}\n  *{_by(mine)}.*"


def _by(mappings: Iterable[Judged]) -> str:
    return by_generator(item.generator for item in mappings)
