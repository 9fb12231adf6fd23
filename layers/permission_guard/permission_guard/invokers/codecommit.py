"""AWS CodeCommit: repository triggers."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "codecommit.amazonaws.com",
    "repository",
    "arn:{partition}:codecommit:{region}:{account}:REPOSITORY-NAME",
    "https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-notify-lambda-cc.html",
    names={"REPOSITORY-NAME": r"[\w.\-]{1,100}"},
)
