"""PG108 event-source-token-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Restriction
from permission_guard.invokers import Sent
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import replaced, with_token
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class EventSourceTokenMissing(StatementRule):
    """Allow Alexa to invoke a function only for a named skill.

    ## What it flags

    A statement that allows Alexa (`alexa-appkit.amazon.com`, `alexa-connectedhome.amazon.com`) to invoke the function
    without `lambda:EventSourceToken`, the id of the skill.

    ## Why it matters

    Anyone can publish a skill with this function as its endpoint. Alexa then invokes the function for the users of that
    skill. Alexa sends neither `aws:SourceArn` nor `aws:SourceAccount`, so only the token can restrict it.

    ## How to fix

    Add the statement again with `--event-source-token` and the id of the skill. Then remove the flagged statement.

    ## Fix safety

    Not fixed automatically: AWS does not know which skill is yours.

    ## Limits

    The rule cannot check whether the function's code verifies the id of the skill.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/services-alexa.html
    """

    id = "PG108"
    name = "event-source-token-missing"
    severity = Severity.MEDIUM

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag services that only a token can restrict and that no token restricts."""
        skills = [
            name
            for invoker, name in allowed.services_with(Restriction.OPEN)
            if invoker.sends_event_source_token is Sent.YES and not invoker.names_its_source
        ]
        if not skills:
            return "Alexa may not invoke the function for an arbitrary skill."
        who = listed(skills)
        return Problem(
            title=f"{allowed.function} allows any Alexa skill to invoke it",
            reason=f"The statement allows {who} to invoke the function, and no lambda:EventSourceToken names a skill.",
            impact="Anyone who knows the function's ARN can use it as the endpoint of their own skill.",
            evidence={"services": skills},
            remedies=replaced(allowed, [with_token(allowed, name) for name in skills], skills),
        )
