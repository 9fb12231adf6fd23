"""PG108 event-source-token-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Restriction
from permission_guard.invokers import Sent
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import replaced, with_token
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class EventSourceTokenMissing(StatementRule):
    """Allow Alexa to invoke a function only for a skill that is named.

    ## What it flags

    A statement that lets Alexa (`alexa-appkit.amazon.com`, `alexa-connectedhome.amazon.com`) invoke the function
    without `lambda:EventSourceToken`, the id of the skill.

    ## Why it matters

    Anyone can publish a skill and name this function as its endpoint: Alexa then calls it for that skill's users. Alexa
    sends neither `aws:SourceArn` nor `aws:SourceAccount`, so that nothing else can hold it.

    ## How to fix

    Add the statement again with `--event-source-token` and the id of the skill, then remove this one.

    ## Fix safety

    Not fixed automatically: AWS does not know the skill.

    ## Limits

    Whether the function itself checks the skill's id cannot be seen.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/services-alexa.html
    """

    id = "PG108"
    name = "event-source-token-missing"
    severity = Severity.MEDIUM

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag services that only a token can hold, and that none holds."""
        skills = [
            name
            for invoker, name in allowed.services_with(Restriction.OPEN)
            if invoker.sends_event_source_token is Sent.YES and not invoker.names_its_source
        ]
        if not skills:
            return "No skill that is not named may have the function invoked."
        who = listed(skills)
        return Complaint(
            title=f"Anyone's skill can have Alexa invoke {allowed.function}",
            reason=f"The statement lets {who} invoke the function, and no lambda:EventSourceToken names a skill.",
            impact="Whoever knows the function's ARN can name it as the endpoint of a skill of their own.",
            evidence={"services": skills},
            remedies=replaced(allowed, [with_token(allowed, name) for name in skills], skills),
        )
