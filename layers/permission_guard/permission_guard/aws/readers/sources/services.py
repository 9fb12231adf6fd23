"""The services whose resources are read, by their names in ARNs."""

from __future__ import annotations

from permission_guard.aws.readers.sources.dynamodb import DYNAMODB
from permission_guard.aws.readers.sources.elasticfilesystem import ELASTICFILESYSTEM
from permission_guard.aws.readers.sources.events import EVENTS
from permission_guard.aws.readers.sources.functions import FUNCTIONS
from permission_guard.aws.readers.sources.kafka import KAFKA
from permission_guard.aws.readers.sources.kinesis import KINESIS
from permission_guard.aws.readers.sources.kms import KMS
from permission_guard.aws.readers.sources.logs import LOGS
from permission_guard.aws.readers.sources.mq import MQ
from permission_guard.aws.readers.sources.rds import RDS
from permission_guard.aws.readers.sources.s3 import S3
from permission_guard.aws.readers.sources.secretsmanager import SECRETSMANAGER
from permission_guard.aws.readers.sources.sns import SNS
from permission_guard.aws.readers.sources.sqs import SQS

SERVICES = {
    service.name: service
    for service in (
        DYNAMODB,
        ELASTICFILESYSTEM,
        EVENTS,
        FUNCTIONS,
        KAFKA,
        KINESIS,
        KMS,
        LOGS,
        MQ,
        RDS,
        S3,
        SECRETSMANAGER,
        SNS,
        SQS,
    )
}
