"""What is to be said of the corpus of event source mappings, and why that is right.

Each action that a role lacks, or of which nobody can tell, stands below with its reason. Nothing of the corpus is in
here but ids of records. `tools/corpus` writes `docs/corpus.md` from these tables, so that the sentences are written for
users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Judgement:
    """Actions of which the same is said for the same reason, in some records.

    `certain` tells that the role lacks them; else nobody can tell.
    """

    title: str
    certain: bool
    actions: frozenset[str]
    why: str
    records: tuple[str, ...]


def _judgement(title: str, actions: str, why: str, records: str, *, certain: bool) -> Judgement:
    return Judgement(title, certain, frozenset(actions.split()), why, tuple(records.split()))


JUDGEMENTS: Final = (
    # ── Missing ─────────────────────────────────────────────────────────────────────────────────────────────────────
    _judgement(
        "Three of five actions on a stream",
        "kinesis:DescribeStreamSummary kinesis:ListShards",
        "Lambda's guide lists five actions for a stream with shared throughput, AWS's managed policy has them, and the "
        "Serverless Framework writes three. With those such a mapping is made, as `radkawar/stackd` recorded of AWS by "
        "denying one action at a time; afterwards [`kinesis:ListShards` is seen denied in "
        "CloudTrail](https://github.com/serverless/serverless/issues/8540). What Lambda does without it, AWS does not "
        "say.",
        "m-3e1a1dcfb5e6d714 m-43fa2d15968fb2c8 m-5f6e8c89d6d7055e m-6b90fed8c9f6ff86 m-925f607f6c45cba2 "
        "m-a2a30fa1ad5da2a9 m-f5cc5d4383bbbd1b",
        certain=True,
    ),
    _judgement(
        "A consumer, without the older way to describe its stream",
        "kinesis:DescribeStream",
        "For enhanced fan-out the Serverless Framework writes `kinesis:DescribeStreamSummary` in place of "
        "`kinesis:DescribeStream`. Lambda's guide lists both, whichever way a stream is read; by the same record, the "
        "mapping is made without it.",
        "m-0b6d4d58c95d21c2",
        certain=True,
    ),
    _judgement(
        "Groups of another region than the cluster's",
        "rds:DescribeDBClusterParameters rds:DescribeDBSubnetGroups",
        "The groups are of the cluster's region, and the role may describe those of another one. Here that is the "
        "collection's doing: SAM names the region of the stack, which is filled in as us-east-1, and the cluster of "
        "its test is of us-west-2.",
        "m-1330a791ccdd2472",
        certain=True,
    ),
    _judgement(
        "Schemas of another account than the registry's",
        "glue:GetSchemaVersion",
        "The registry is of one account, and SAM names the schemas of the stack's own: reading a schema takes "
        "`glue:GetSchemaVersion` where the registry is. A registry of the own account passes.",
        "m-6236a29c68a165b7 m-735b0d5172367c95 m-b2940cc44a075dcf m-c75879a1beacc81b m-e39cbd938ed9f157",
        certain=True,
    ),
    # ── Not certain ─────────────────────────────────────────────────────────────────────────────────────────────────
    _judgement(
        "A broker without network interfaces",
        "ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DeleteNetworkInterface ec2:DescribeVpcs "
        "ec2:DescribeSubnets ec2:DescribeSecurityGroups",
        "A broker that is publicly accessible is reached without network interfaces, a private one is not. Which it is "
        "was not read. SAM's policy is describing the broker and reading the secret, and SAM's documentation says to "
        "add the six actions for a broker in a VPC. The one that is written by hand is for a publicly accessible "
        "broker, as is the one of SAM's own test against AWS.",
        "m-7e1d3ce4ffa18ca5 m-98399d5fbee5bceb m-bc2cd4f869e0dae5 m-d07a07fcc8e923df m-e747081773b3acfb "
        "m-fab1869ea71e17e1",
        certain=False,
    ),
    _judgement(
        "The older action on a cluster alone",
        "kafka:DescribeClusterV2",
        "`kafka:DescribeCluster` does as well for provisioned clusters and not for serverless ones. Which kind it is "
        "was not read.",
        "m-046010c883114ab1 m-3474277541d7a87f m-412b59db1d2c64cf m-417ebb44092eec50 m-bdcb65bfdad6e36a",
        certain=False,
    ),
    _judgement(
        "A cluster that may ask for IAM",
        "kafka-cluster:Connect kafka-cluster:DescribeTopic kafka-cluster:ReadData kafka-cluster:DescribeGroup "
        "kafka-cluster:AlterGroup",
        "The mapping names no secret, so that the cluster lets everybody in or asks its clients for IAM. Which of the "
        "two was not read. None of the roles names these actions.",
        "m-046010c883114ab1 m-412b59db1d2c64cf m-417ebb44092eec50 m-6236a29c68a165b7 m-9490486411b2d025 "
        "m-a3151955ad29ee1d m-bdcb65bfdad6e36a m-c66d9db67d3143db m-c75879a1beacc81b m-e39cbd938ed9f157",
        certain=False,
    ),
    _judgement(
        "A secret without the end of its name",
        "secretsmanager:GetSecretValue",
        "The mapping and the policy name the secret without the six characters that Secrets Manager adds. What the "
        "policy names is then no secret's whole ARN, and the one that is meant was not read. Here that is the "
        "collection's doing or an example's: what `Ref` of a secret returns once it is made has them.",
        "m-0d63ec958e08211f m-117147efb79dc94b m-2c7bd476904cd477 m-3474277541d7a87f m-708ffb52fa23dd70 "
        "m-8dc7de8610af7177 m-98399d5fbee5bceb m-a32b96e525a0738f m-a93aa0cd25c389fc m-ade63826bec7a087 "
        "m-c66d9db67d3143db m-e0deb5169392a9ef m-fbb4c742ca1a9746",
        certain=False,
    ),
    _judgement(
        "A registry of another account",
        "glue:GetRegistry",
        "The role may, and the other account has to let it in as well. What that says was not read.",
        "m-735b0d5172367c95 m-b2940cc44a075dcf",
        certain=False,
    ),
)

RECOMMENDED: Final = {
    "kafka:ListScramSecrets": "Lambda's guide has it among the optional permissions, for clusters with SASL/SCRAM.",
    "kafka-cluster:DescribeClusterDynamicConfiguration": "It is in some of AWS's examples for clusters with IAM and "
    "not in others.",
}
"""Actions that are never missing, and why."""

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
"""Records whose source is another stack's export, a variable or a name: nobody can tell from the file what it is."""
