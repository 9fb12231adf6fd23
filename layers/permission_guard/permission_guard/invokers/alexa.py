"""Alexa skills: they send neither key; only the skill's id, as lambda:EventSourceToken, can hold them."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

CUSTOM_SKILL = Invoker(
    "alexa-appkit.amazon.com",
    "skill",
    "",
    "https://developer.amazon.com/docs/custom-skills/host-a-custom-skill-as-an-aws-lambda-function.html",
    sends_source_arn=Sent.NO,
    sends_source_account=Sent.NO,
    sends_event_source_token=Sent.YES,
    partitions=("aws",),
)
SMART_HOME = Invoker(
    "alexa-connectedhome.amazon.com",
    "skill",
    "",
    "https://developer.amazon.com/docs/smarthome/steps-to-build-a-smart-home-skill.html",
    sends_source_arn=Sent.NO,
    sends_source_account=Sent.NO,
    sends_event_source_token=Sent.YES,
    partitions=("aws",),
)
