"""Alexa skills: they send no source key. Only lambda:EventSourceToken, with the skill's ID, can restrict them."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent


def _skill(principal: str, page: str) -> Invoker:
    return Invoker(
        principal,
        "skill",
        "",
        f"https://developer.amazon.com/docs/{page}.html",
        sends_source_arn=Sent.NO,
        sends_source_account=Sent.NO,
        sends_event_source_token=Sent.YES,
        partitions=("aws",),
    )


CUSTOM_SKILL = _skill("alexa-appkit.amazon.com", "custom-skills/host-a-custom-skill-as-an-aws-lambda-function")
SMART_HOME = _skill("alexa-connectedhome.amazon.com", "smarthome/steps-to-build-a-smart-home-skill")
