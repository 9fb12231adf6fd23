"""What README.md and SECURITY.md say of the functions is what template.yaml deploys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.paths import REPOSITORY
from tests.template.sam_template import listed

if TYPE_CHECKING:
    from tests.template.sam_template import Template

README: Final = (REPOSITORY / "README.md").read_text()
SECURITY: Final = (REPOSITORY / "SECURITY.md").read_text()
TABLES: Final = {
    "README.md": (README, "| function | reads | writes |"),
    "SECURITY.md": (SECURITY, "| function | may write |"),
}
"""The tables of permissions, each with the document and the line above it."""
NUMBERS: Final = ("eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen")


def name_of(function: str) -> str:
    """Return a function as people name it, such as `send_alert`, from its logical id."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", function.removesuffix("Function")).lower()


def rows_of(document: str) -> dict[str, str]:
    """Return what the last column of a document's table says of each function; a row can be about several."""
    text, heading = TABLES[document]
    rows: dict[str, str] = {}
    for line in text.partition(f"\n{heading}\n")[2].partition("\n\n")[0].splitlines()[1:]:
        cells = line.strip("| ").split(" | ")
        for name in re.findall(r"`(\w+)`", cells[0]):
            assert name not in rows, f"{document} has {name} twice"
            rows[name] = cells[-1]
    return rows


def named(text: str) -> list[str]:
    """Return the names in a sentence that are code."""
    return re.findall(r"`(\w+)`", text)


def who_may(template: Template, action: str, resource: str = "") -> set[str]:
    """Return the functions whose role allows an action, on a resource of the stack if one is given."""
    return {
        name_of(function)
        for function in template.functions
        for statement in template.statements(template.role_of(function))
        if statement["Effect"] == "Allow"
        and action in listed(statement["Action"])
        and resource in str(statement["Resource"])
    }


@pytest.mark.parametrize("document", TABLES)
def test_the_tables_of_permissions_have_each_function_once(template: Template, document: str) -> None:
    """A function that a table leaves out has permissions that nobody reads about."""
    assert rows_of(document).keys() == {name_of(function) for function in template.functions}


@pytest.mark.parametrize(
    ("document", "words", "action", "resource"),
    [
        ("README.md", "the bus", "events:PutEvents", ""),
        ("SECURITY.md", "the bus", "events:PutEvents", ""),
        ("README.md", "the queue of `send_alert`", "sqs:SendMessage", "'AlertQueue'"),
        ("SECURITY.md", "the queue of `send_alert`", "sqs:SendMessage", "'AlertQueue'"),
        ("README.md", "OpsItems", "ssm:CreateOpsItem", ""),
        ("SECURITY.md", "OpsItems", "ssm:CreateOpsItem", ""),
        ("README.md", "`iam:AttachRolePolicy`", "iam:AttachRolePolicy", ""),
        ("SECURITY.md", "`iam:AttachRolePolicy`", "iam:AttachRolePolicy", ""),
        ("SECURITY.md", "the decisions table", "dynamodb:PutItem", "'DecisionsTable'"),
        ("SECURITY.md", "the deliveries table", "dynamodb:UpdateItem", "'DeliveriesTable'"),
        ("SECURITY.md", "dead-letter queue", "sqs:SendMessage", "DeadLetterQueue'"),
    ],
)
def test_the_tables_say_who_may_write_what(
    template: Template, document: str, words: str, action: str, resource: str
) -> None:
    """Each of these is written by the functions whose row says so, and by no other."""
    # The sweep hands findings to the queues of all senders.
    plural, singular = "the queues of `send_alert`", "the queue of `send_alert`"
    saying = {name for name, text in rows_of(document).items() if words in text.replace(plural, singular)}
    assert saying == who_may(template, action, resource) != set()


def test_the_readme_counts_the_functions(template: Template) -> None:
    """In its first section."""
    match = re.search(r"\nIt runs as (\w+) small Lambda functions", README)
    assert match is not None
    assert match[1] == NUMBERS[len(template.functions) - 8]


def test_the_readme_names_who_reads_the_configuration(template: Template) -> None:
    """The checkers are named as such."""
    match = re.search(r"\nThe checkers, ([^.]+) also read the configuration\sdocument", README)
    assert match is not None
    checkers = {"check_invoke_policy", "check_execution_role"}
    assert {*named(match[1]), *checkers} == who_may(template, "appconfig:GetLatestConfiguration")


def test_the_readme_names_who_may_put_events_on_the_bus(template: Template) -> None:
    """As the policy of the bus does."""
    match = re.search(r"The bus accepts events only from the role of `(\w+)`", README)
    assert match is not None
    condition = template.resources["FindingsBusPolicy"]["Properties"]["Statement"]["Condition"]["ArnNotEquals"]
    assert condition == {"aws:PrincipalArn": {"Fn::GetAtt": [template.role_of("PublishFindingsFunction"), "Arn"]}}
    assert {match[1]} == who_may(template, "events:PutEvents")


def test_the_flow_in_the_readme_has_each_function_that_a_change_reaches(template: Template) -> None:
    """All but the one that AppConfig invokes."""
    flow = (
        README.partition("\n## How a change flows\n")[2]
        .partition("\nAn event says")[0]
        .replace(
            "check_*", " ".join(name_of(function) for function in template.functions if function.startswith("Check"))
        )
    )
    absent = {name_of(function) for function in template.functions} - set(re.findall(r"\w+", flow))
    assert absent == {"validate_config"}
