"""The expected verdicts on the corpus of event source mappings, and the reason of each.

The tables list each action that a role lacks, or whose decision is unknown, with its reason. They contain only the ids
of the corpus's records. `tools/corpus` generates `docs/corpus.md` from them, so the sentences are written for users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Judgement:
    """Actions with the same verdict for the same reason, in some records.

    `is_missing`: the role lacks the actions; otherwise their decision is unknown.
    """

    title: str
    is_missing: bool
    actions: frozenset[str]
    why: str
    records: tuple[str, ...]


def _judgement(title: str, actions: str, why: str, records: str, *, is_missing: bool) -> Judgement:
    return Judgement(title, is_missing, frozenset(actions.split()), why, tuple(records.split()))


JUDGEMENTS: Final = (
    # ── Missing ─────────────────────────────────────────────────────────────────────────────────────────────────────
    _judgement(
        "Three of five actions on a stream",
        "kinesis:DescribeStreamSummary kinesis:ListShards",
        "Lambda's guide lists five actions for a stream with shared throughput, and AWS's managed policy has them. The "
        "Serverless Framework writes three. AWS creates the mapping with these three, as `radkawar/stackd` recorded by "
        "denying one action at a time. Afterwards [CloudTrail shows `kinesis:ListShards` as "
        "denied](https://github.com/serverless/serverless/issues/8540). AWS does not say what Lambda does without it.",
        "m-3e1a1dcfb5e6d714 m-43fa2d15968fb2c8 m-5f6e8c89d6d7055e m-6b90fed8c9f6ff86 m-925f607f6c45cba2 "
        "m-a2a30fa1ad5da2a9 m-f5cc5d4383bbbd1b",
        is_missing=True,
    ),
    _judgement(
        "A consumer without the older action for describing its stream",
        "kinesis:DescribeStream",
        "For enhanced fan-out the Serverless Framework writes `kinesis:DescribeStreamSummary` in place of "
        "`kinesis:DescribeStream`. Lambda's guide lists both for every way to read a stream. According to the same "
        "record, AWS creates the mapping without it.",
        "m-0b6d4d58c95d21c2",
        is_missing=True,
    ),
    _judgement(
        "Groups of another region than the cluster's",
        "rds:DescribeDBClusterParameters rds:DescribeDBSubnetGroups",
        "The groups are in the cluster's region, and the role is allowed to describe those of another region. The "
        "collection causes this: SAM names the region of the stack, which the collection sets to us-east-1, and the "
        "cluster of its test is in us-west-2.",
        "m-1330a791ccdd2472",
        is_missing=True,
    ),
    _judgement(
        "Schemas of another account than the registry's",
        "glue:GetSchemaVersion",
        "The registry is in another account, and SAM names the schemas of the stack's own account: reading a schema "
        "requires `glue:GetSchemaVersion` in the registry's account. A registry of the own account passes.",
        "m-6236a29c68a165b7 m-735b0d5172367c95 m-b2940cc44a075dcf m-c75879a1beacc81b m-e39cbd938ed9f157",
        is_missing=True,
    ),
    # ── Unknown ─────────────────────────────────────────────────────────────────────────────────────────────────────
    _judgement(
        "A broker without network interfaces",
        "ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DeleteNetworkInterface ec2:DescribeVpcs "
        "ec2:DescribeSubnets ec2:DescribeSecurityGroups",
        "Lambda reaches a publicly accessible broker without network interfaces, but not a private one. Which kind it "
        "is was not read. SAM's policy allows describing the broker and reading the secret. SAM's documentation says "
        "to add the six actions for a broker in a VPC. The handwritten one is for a publicly accessible broker, and so "
        "is that of SAM's own test on AWS.",
        "m-7e1d3ce4ffa18ca5 m-98399d5fbee5bceb m-bc2cd4f869e0dae5 m-d07a07fcc8e923df m-e747081773b3acfb "
        "m-fab1869ea71e17e1",
        is_missing=False,
    ),
    _judgement(
        "Only the older action on a cluster",
        "kafka:DescribeClusterV2",
        "`kafka:DescribeCluster` suffices for provisioned clusters, but not for serverless ones. Which kind it is was "
        "not read.",
        "m-046010c883114ab1 m-3474277541d7a87f m-412b59db1d2c64cf m-417ebb44092eec50 m-bdcb65bfdad6e36a",
        is_missing=False,
    ),
    _judgement(
        "A cluster that possibly uses IAM authentication",
        "kafka-cluster:Connect kafka-cluster:DescribeTopic kafka-cluster:ReadData kafka-cluster:DescribeGroup "
        "kafka-cluster:AlterGroup",
        "The mapping names no secret, so the cluster uses IAM authentication or none. Which of the two was not read. "
        "None of the roles has these actions.",
        "m-046010c883114ab1 m-412b59db1d2c64cf m-417ebb44092eec50 m-6236a29c68a165b7 m-9490486411b2d025 "
        "m-a3151955ad29ee1d m-bdcb65bfdad6e36a m-c66d9db67d3143db m-c75879a1beacc81b m-e39cbd938ed9f157",
        is_missing=False,
    ),
    _judgement(
        "A secret without the end of its name",
        "secretsmanager:GetSecretValue",
        "The mapping and the policy name the secret without the six characters that Secrets Manager adds. The policy "
        "then has no full ARN of a secret, and the intended secret was not read. The collection or an example causes "
        "this: `Ref` of a secret returns them after its creation.",
        "m-0d63ec958e08211f m-117147efb79dc94b m-2c7bd476904cd477 m-3474277541d7a87f m-708ffb52fa23dd70 "
        "m-8dc7de8610af7177 m-98399d5fbee5bceb m-a32b96e525a0738f m-a93aa0cd25c389fc m-ade63826bec7a087 "
        "m-c66d9db67d3143db m-e0deb5169392a9ef m-fbb4c742ca1a9746",
        is_missing=False,
    ),
    _judgement(
        "A registry of another account",
        "glue:GetRegistry",
        "The role is allowed the action, and the other account must allow it too. Its policy was not read.",
        "m-735b0d5172367c95 m-b2940cc44a075dcf",
        is_missing=False,
    ),
)

RECOMMENDED: Final = {
    "kafka:ListScramSecrets": "Lambda's guide has it among the optional permissions, for clusters with SASL/SCRAM.",
    "kafka-cluster:DescribeClusterDynamicConfiguration": "Some of AWS's examples for clusters with IAM have it, others "
    "do not.",
}
"""Actions that are never reported as missing, and why."""

OF_NO_TYPE: Final = frozenset(
    {
        "m-09b9243cb9344526",
        "m-1c41b33ff08eeb74",
        "m-322e2946e6725d5f",
        "m-966b1a7675a4e6ee",
        "m-9f5275f2e843b5cb",
        "m-bca2d901dd801bb6",
        "m-cc3c5a9929470016",
        "m-deb879859b35af48",
        "m-f4f28e85b0be4c14",
    }
)
"""Records whose source is another stack's export, a variable or a name: the file does not say what it is."""
