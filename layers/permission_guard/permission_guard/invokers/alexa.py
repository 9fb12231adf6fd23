"""Alexa skills: they send neither key; only the skill's id, as lambda:EventSourceToken, can hold them."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

CUSTOM_SKILL = Invoker("alexa-appkit.amazon.com", "skill", "", names_its_source=False)
SMART_HOME = Invoker("alexa-connectedhome.amazon.com", "skill", "", names_its_source=False)
