"""The process of the proxy: `python -m benchmarks.scanners.aws.server SIZE SEED [unpublished]` prints its port."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from benchmarks.scanners.account.builder import build
from benchmarks.scanners.aws.iam_api import IamApi
from benchmarks.scanners.aws.lambda_api import LambdaApi
from benchmarks.scanners.aws.other_services import OtherServices
from benchmarks.scanners.aws.proxy import Proxy, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.scanners.account.model import Account
    from benchmarks.scanners.aws.requests import Call, Reply, Request


def answers(account: Account) -> Callable[[Call, Request], Reply]:
    """Return what answers every call about an account."""
    functions, roles, others = LambdaApi(account), IamApi(account), OtherServices(account)

    def answer(call: Call, request: Request) -> Reply:
        if call.service == "lambda":
            return functions.answer(call, request)
        return (roles.answer(call, request) if call.service == "iam" else None) or others.answer(call, request)

    return answer


def main() -> None:
    """Serve an account until the process is ended."""
    size, seed, *more = sys.argv[1:]
    proxy = Proxy(answers(build(int(size), int(seed), published="unpublished" not in more)))
    asyncio.run(serve(proxy, lambda port: print(port, flush=True)))


if __name__ == "__main__":
    main()
