"""AWS managed policies that MiniStack lacks, with what AWS allows in them.

They come from the copy that the package has for checks without AWS. That package is not installed in this interpreter.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.server import inside

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGE = Path(__file__).parents[2] / "layers" / "permission_guard" / "permission_guard"
_COPY = _PACKAGE / "offline" / "managed_policies.json.xz"
_PREFIX = "arn:aws:iam::aws:policy/"
NAMES = (
    "AmazonElasticFileSystemClientReadOnlyAccess",
    "AmazonElasticFileSystemClientReadWriteAccess",
    "AmazonS3FilesClientReadOnlyAccess",
    "AmazonS3FilesClientReadWriteAccess",
    "CloudWatchLambdaApplicationSignalsExecutionRolePolicy",
    "service-role/AWSLambdaBasicDurableExecutionRolePolicy",
    "service-role/AWSLambdaENIManagementAccess",
    "service-role/AWSLambdaMSKExecutionRole",
)
"""The policies that Lambda's execution roles use, with their paths."""


def wrap_seed(inner: Callable[[], None]) -> Callable[[], None]:
    """Add the policies to those that MiniStack has at its start and after each reset."""
    statements = json.loads(lzma.decompress(_COPY.read_bytes()))["policies"]

    def seed() -> None:
        inner()
        for name in NAMES:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements[name]})
            inside.policies_by_aws[_PREFIX + name] = inside.policy_by_aws(name, document)

    seed()  # MiniStack was imported before
    return seed
