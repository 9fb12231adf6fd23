"""Evaluate the corpus of event source mappings that users and tools write: what the roles of their functions lack."""

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
    """A mapping of the corpus and what its role lacks: actions, each with the kind of the need.

    `source` is the type of its source, empty if it is unknown. `unknown` has the actions with an unknown decision.
    `recommended` has the actions that are only recommended and not allowed.
    """

    record: str
    generator: str
    source: str
    missing: frozenset[tuple[str, NeedKind]] = frozenset()
    unknown: frozenset[tuple[str, NeedKind]] = frozenset()
    recommended: frozenset[str] = frozenset()

    def actions_of(self, judgement: Judgement) -> list[tuple[str, NeedKind]]:
        """Return the actions of the mapping that one judgement explains."""
        found = self.missing if judgement.is_missing else self.unknown
        return sorted(pair for pair in found if pair[0] in judgement.actions and self.record in judgement.records)


def records() -> list[dict[str, Any]]:
    """Return the corpus, empty if it is not available."""
    return [json.loads(line) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []


def judged() -> tuple[Judged, ...]:
    """Return every mapping of the corpus with what its role lacks."""
    return tuple(evaluate_record(record) for record in records())


def built(record: dict[str, Any]) -> tuple[EventSourceMapping, Function, Role]:
    """Return a record's mapping, function and role, all in the source's account and region."""
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
    """Return an AWS managed policy, from moto's copy."""
    policies = json.loads(aws_managed_policies_data)
    return parse_policy(policies[arn.rsplit("/", 1)[-1]]["Document"], name=arn)


def evaluate_record(record: dict[str, Any]) -> Judged:
    """Decide for each need of a mapping whether its role is allowed it."""
    mapping, function, role = built(record)
    source = event_source_of(mapping)
    missing: set[tuple[str, NeedKind]] = set()
    unknown: set[tuple[str, NeedKind]] = set()
    recommended: set[str] = set()
    for need in source.needs(mapping, _sources_of(mapping)) if source else ():
        decision = decide(need, role, function.arn, {})
        if decision.allowed:
            continue
        if need.recommended:
            recommended.add(need.action)
        else:
            (missing if decision.denied else unknown).add((need.action, need.kind))
    return Judged(
        record["id"],
        record["generator"],
        source.name if source else "",
        frozenset(missing),
        frozenset(unknown),
        frozenset(recommended),
    )


def _sources_of(mapping: EventSourceMapping) -> dict[str, SourceState]:
    """Return the states of the mapping's resources without customer managed keys: no record has one."""
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
    unclear = [item for item in mappings if item.unknown and not item.missing]
    complete = len(mappings) - len(of_no_type) - len(lacking) - len(unclear)
    return [
        "## Event source mappings",
        "",
        paragraph(
            f"{len(mappings)} event source mappings, each evaluated with the role of its function for all that the "
            "mapping requires: reading its source, its dependencies (secrets, network interfaces, the data plane of a "
            f"Kafka cluster, a schema registry), and sending failures to its destination. {complete} roles lack "
            f"nothing and {len(lacking)} lack something. The outcome is unknown for {count(len(unclear))} roles. The "
            f"source is unknown for {count(len(of_no_type))} mappings."
        ),
        paragraph(
            "They were collected together with the statements, and in the same way. The AWS managed policies are from "
            "moto's copy. A mapping is assumed to be in its source's account and region. Nothing is assumed to have a "
            "customer managed key, because no record has one, and no cluster was read. The table "
            "`tests/unit/rules/sam_pull_events.py` tests what SAM currently creates for each kind of event."
        ),
        "### By author and source",
        "",
        *_source_table(mappings),
        "",
        "### What the roles lack",
        "",
        *_judgement_lines([one for one in JUDGEMENTS if one.is_missing], mappings),
        "### What is unknown",
        "",
        *_judgement_lines([one for one in JUDGEMENTS if not one.is_missing], mappings),
        "### What is only recommended",
        "",
        *(_recommended_line(action, why, mappings) for action, why in RECOMMENDED.items()),
        "",
        "### Mappings with an unknown source",
        "",
        paragraph(
            f"{len(of_no_type)} mappings name another stack's export, a variable or a resource without its ARN: the "
            f"file does not say what they read, and they have no verdict. *{_by(of_no_type)}.*"
        ),
    ]


def _source_table(mappings: Sequence[Judged]) -> list[str]:
    lines = [
        "| author | source | mappings | lacks nothing | lacks something | unknown |",
        "|---|---|--:|--:|--:|--:|",
    ]
    kinds = sorted({item.source for item in mappings if item.source}, key=str.lower)
    rows = [(generator, kind) for generator in GENERATORS for kind in [*kinds, ""]]
    for generator, kind in rows:
        mine = [item for item in mappings if (item.generator, item.source) == (generator, kind)]
        if mine:
            missing = sum(bool(item.missing) for item in mine)
            unclear = len(mine) if not kind else sum(bool(item.unknown and not item.missing) for item in mine)
            numbers = [len(mine) - missing - unclear, missing, unclear]
            cells = " | ".join(str(number or "") for number in numbers)
            lines.append(f"| {GENERATORS[generator]} | {kind or '*unknown*'} | {len(mine)} | {cells} |")
    return lines


def _judgement_lines(judgements: Sequence[Judgement], mappings: Sequence[Judged]) -> list[str]:
    rows = [row for judgement in judgements for row in _rows(judgement, mappings)]
    reasons = [_reason(judgement, mappings) for judgement in judgements]
    return [
        "| author | source | action | kind | mappings | |",
        "|---|---|---|---|--:|---|",
        *rows,
        "",
        *reasons,
        "",
    ]


def _rows(judgement: Judgement, mappings: Sequence[Judged]) -> list[str]:
    """Return a row for each author and type of source with the same judgement."""
    mine = [item for item in mappings if item.actions_of(judgement)]
    groups = sorted({(list(GENERATORS).index(item.generator), item.generator, item.source) for item in mine})
    rows = []
    for _, generator, source in groups:
        group = [item for item in mine if (item.generator, item.source) == (generator, source)]
        pairs = sorted({pair for item in group for pair in item.actions_of(judgement)})
        actions = ", ".join(f"`{action}`" for action, _ in pairs)
        kinds = ", ".join(sorted({kind.value for _, kind in pairs}))
        cells = [GENERATORS[generator], source, actions, kinds, str(len(group)), judgement.title]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _reason(judgement: Judgement, mappings: Sequence[Judged]) -> str:
    mine = [item for item in mappings if item.actions_of(judgement)]
    return f"- **{judgement.title}** ({len(mine)}). {judgement.why}\n  *{_by(mine)}.*"


def _recommended_line(action: str, why: str, mappings: Sequence[Judged]) -> str:
    mine = [item for item in mappings if action in item.recommended]
    return f"- `{action}` ({len(mine)}). {why}\n  *{_by(mine)}.*"


def _by(mappings: Iterable[Judged]) -> str:
    return by_generator(item.generator for item in mappings)
