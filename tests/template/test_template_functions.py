"""The functions as deployed: runtime, environment and logs; and the style of the template."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.senders import signed_requests
from permission_guard.bootstrap import findings
from permission_guard.config.settings import (
    AlertSettings,
    CheckSettings,
    ConfigurationSettings,
    DecideSettings,
    FixSettings,
    MaintenanceSettings,
    ManageSettings,
    PublishSettings,
    SweepSettings,
    TicketSettings,
    ValidationSettings,
)
from permission_guard.delivery import samples
from permission_guard.delivery.alerts.slack.transport import MAX_SECONDS
from permission_guard.offline.physical_names import Place
from permission_guard.offline.sam import translated
from tests.paths import REPOSITORY
from tests.template.sam_template import EVERYTHING, Template, referred, walk

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS: dict[str, Any] = {
    "CheckInvokePolicyFunction": CheckSettings,
    "CheckExecutionRoleFunction": CheckSettings,
    "SweepAccountFunction": SweepSettings,
    "PublishFindingsFunction": PublishSettings,
    "SendAlertFunction": AlertSettings,
    "OpenTicketFunction": TicketSettings,
    "ApplyFixFunction": FixSettings,
    "DecideFixFunction": DecideSettings,
    "ValidateConfigFunction": ValidationSettings,
    "ManageFindingsFunction": ManageSettings,
    "MaintainFindingsFunction": MaintenanceSettings,
}
WITH_BATCHES = (
    "CheckInvokePolicyFunction",
    "CheckExecutionRoleFunction",
    "SendAlertFunction",
    "OpenTicketFunction",
    "ApplyFixFunction",
)
"""The functions that read the configuration document before each batch of messages."""
CONFIGURED = (*WITH_BATCHES, "MaintainFindingsFunction", "SweepAccountFunction", "DecideFixFunction")
"""The functions that read the configuration document."""

# Optional variables with a default, for tests and experts; the template does not set them.
NOT_SET = {"SLACK_WEBHOOK_PREFIX", "MAX_FIXES_AN_HOUR"}


class Watched(dict[str, str]):
    """An environment that records which variables were read."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(environment)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """Read a variable."""
        self.read.add(key)
        return super().get(key, default)


def test_the_invoke_policy_checker_has_memory_for_its_threads(template: Template) -> None:
    """It reads a dozen services in parallel. 512 MB of memory come with a third of a CPU."""
    function = template.functions["CheckInvokePolicyFunction"]
    assert (function["MemorySize"], function["Timeout"]) == (512, 180)


def test_alerts_wait_a_second_for_others_of_the_same_event(template: Template) -> None:
    """Findings in one batch are one message, and a small batch ends before the function's timeout if Slack is down."""
    function = template.functions["SendAlertFunction"]
    mapping = function["Events"]["Alert"]["Properties"]
    assert mapping["MaximumBatchingWindowInSeconds"] == 1
    assert mapping["BatchSize"] * MAX_SECONDS < function["Timeout"]


def test_every_function_runs_the_same_python_on_graviton(template: Template) -> None:
    """The layers are built for this Python."""
    for name, function in template.functions.items():
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"]), name
        assert function["Handler"] == "app.handler", name
    for name in ("PermissionGuardLayer", "SendersLayer"):
        layer = template.resources[name]
        assert layer["Properties"]["CompatibleRuntimes"] == ["python3.13"]
        assert layer["Properties"]["CompatibleArchitectures"] == ["arm64"]
        assert layer["Metadata"]["BuildArchitecture"] == "arm64"


def test_only_the_functions_that_send_have_the_second_layer(template: Template) -> None:
    """By SAM's own translator. It adds a function's list to that of Globals, and a hash to the name of a layer."""
    resources = translated(template.raw, Place("123456789012", "us-east-1", "aws"), EVERYTHING).body["Resources"]
    layers = {
        name: [re.sub("Layer[0-9a-f]{10}$", "", referred(layer)) for layer in resource["Properties"]["Layers"]]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    both = ["PermissionGuard", "Senders"]
    sending = {"SendAlertFunction", "OpenTicketFunction"}
    assert layers == {name: both if name in sending else both[:1] for name in template.functions}


def test_every_function_has_one_folder_and_every_folder_is_a_function(template: Template) -> None:
    """The bundle has only the handler."""
    folders = {function["CodeUri"] for function in template.functions.values()}
    assert folders == {f"functions/{path.parent.name}" for path in (REPOSITORY / "functions").glob("*/app.py")}
    for name, function in template.functions.items():
        assert name == "".join(part.capitalize() for part in function["CodeUri"].split("/")[1].split("_")) + "Function"
        assert function["Description"], name


def test_every_function_is_fuzzed() -> None:
    """`make fuzz` has a module for each function, and others only for the readers of tables and for itself."""
    functions = {path.parent.name for path in (REPOSITORY / "functions").glob("*/app.py")}
    modules = {path.stem for path in (REPOSITORY / "tests" / "fuzz").glob("test_*.py")}
    assert modules == {f"test_{name}" for name in (*functions, "harness", "items", "delivery_items")}
    for name in functions:
        assert importlib.import_module(f"tests.fuzz.test_{name}").FUZZ.function == name


@pytest.mark.parametrize("function", SETTINGS)
def test_a_functions_environment_has_exactly_what_its_settings_read(
    template: Template, deployed: Callable[..., Template], function: str
) -> None:
    """The same holds with every option enabled and with the defaults. No variable is set without being read."""
    for stack in (template, deployed()):
        environment = Watched(stack.environment_of(function))
        assert SETTINGS[function].from_environment(environment)
        if function in CONFIGURED:
            assert ConfigurationSettings.from_environment(environment)
        assert environment.read - environment.keys() <= NOT_SET
        assert environment.keys() - environment.read == set()


def test_every_function_has_its_settings_tested(template: Template) -> None:
    """No function may be missing in the list of settings."""
    assert SETTINGS.keys() == template.functions.keys()


@pytest.mark.parametrize("mode", ["off", "plan", "approve", "auto"])
def test_the_fixer_has_its_mode_from_the_parameter(deployed: Callable[..., Template], mode: str) -> None:
    """The same parameter decides on its permissions."""
    environment = deployed(FixMode=mode).environment_of("ApplyFixFunction")
    assert FixSettings.from_environment(environment).mode == mode


@pytest.mark.parametrize(
    ("function", "variable", "resource"),
    [
        ("CheckInvokePolicyFunction", "FINDINGS_TABLE", "FindingsTable"),
        ("CheckInvokePolicyFunction", "CHECK_QUEUE_URL", "InvokePolicyQueue"),
        ("CheckExecutionRoleFunction", "FINDINGS_TABLE", "FindingsTable"),
        ("CheckExecutionRoleFunction", "CHECK_QUEUE_URL", "ExecutionRoleQueue"),
        ("SweepAccountFunction", "FINDINGS_TABLE", "FindingsTable"),
        ("SweepAccountFunction", "INVOKE_POLICY_QUEUE_URL", "SweepInvokePolicyQueue"),
        ("SweepAccountFunction", "EXECUTION_ROLE_QUEUE_URL", "SweepExecutionRoleQueue"),
        ("SweepAccountFunction", "ALERT_QUEUE_URL", "AlertQueue"),
        ("SweepAccountFunction", "TICKET_QUEUE_URL", "TicketQueue"),
        ("SweepAccountFunction", "FIX_QUEUE_URL", "FixQueue"),
        ("MaintainFindingsFunction", "FINDINGS_TABLE", "FindingsTable"),
        ("MaintainFindingsFunction", "DELIVERIES_TABLE", "DeliveriesTable"),
        ("MaintainFindingsFunction", "ALERT_QUEUE_URL", "AlertQueue"),
        ("MaintainFindingsFunction", "TICKET_QUEUE_URL", "TicketQueue"),
        ("MaintainFindingsFunction", "STACK_NAME", "AWS::StackName"),
        ("PublishFindingsFunction", "EVENT_BUS", "FindingsBus"),
        ("SendAlertFunction", "DELIVERIES_TABLE", "DeliveriesTable"),
        ("SendAlertFunction", "TOPIC_ARN", "AlertTopic"),
        ("SendAlertFunction", "STACK_NAME", "AWS::StackName"),
        ("OpenTicketFunction", "DELIVERIES_TABLE", "DeliveriesTable"),
        ("OpenTicketFunction", "TICKET_QUEUE_URL", "TicketQueue"),
        ("ManageFindingsFunction", "SEND_ALERT_FUNCTION", "SendAlertFunction"),
        ("ManageFindingsFunction", "OPEN_TICKET_FUNCTION", "OpenTicketFunction"),
        ("ApplyFixFunction", "FINDINGS_TABLE", "FindingsTable"),
        *[
            (function, f"CONFIGURATION_{part.upper()}", f"Configuration{part}")
            for function in CONFIGURED
            for part in ("Application", "Environment", "Profile")
        ],
    ],
)
def test_a_variable_refers_to_its_resource(template: Template, function: str, variable: str, resource: str) -> None:
    """It is a reference and not a literal name."""
    assert template.functions[function]["Environment"]["Variables"][variable] == {"Ref": resource}


def test_maintenance_counts_the_messages_of_every_dead_letter_queue(template: Template) -> None:
    """A queue that is missing there would be in no digest."""
    queues = {name for name in template.of_type("AWS::SQS::Queue") if name.endswith("DeadLetterQueue")}
    assert set(template.environment_of("MaintainFindingsFunction")["DEAD_LETTER_QUEUE_URLS"].split(",")) == queues


def test_no_secret_is_in_an_environment(template: Template) -> None:
    """The ARNs of secrets are allowed."""
    for name, function in template.functions.items():
        for variable, value in function["Environment"]["Variables"].items():
            assert "resolve:" not in str(value), name
            assert "SECRET" not in variable or variable.endswith(("_ARN", "_ARNS")), name


def test_every_function_has_its_own_log_group_with_a_retention(template: Template) -> None:
    """Without a retention, logs are kept and billed forever."""
    groups = [referred(function["LoggingConfig"]["LogGroup"]) for function in template.functions.values()]
    assert sorted(groups) == sorted(template.of_type("AWS::Logs::LogGroup"))
    for name, group in template.of_type("AWS::Logs::LogGroup").items():
        assert 1 <= group["RetentionInDays"] <= 400, name


# ── Style ───────────────────────────────────────────────────────────────────────────────────────────────────────────

STACKS = ("template", "iam_events_stack")

NAMED = {
    # Users add their own rules to the bus. AppConfig requires names, which need not be unique.
    "template": {
        "FindingsBus",
        "ConfigurationApplication",
        "ConfigurationEnvironment",
        "ConfigurationProfile",
        "ConfigurationStrategy",
    },
    "iam_events_stack": {"IamRoleEvents"},  # the trust policy of its role, which is created first, names it
}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> tuple[str, Template]:
    """Return each of the templates."""
    return request.param, request.getfixturevalue(request.param)


def test_every_statement_has_a_unique_sid(stack: tuple[str, Template]) -> None:
    """The Sid says what a statement is for."""
    documents = 0
    for name, resource in stack[1].resources.items():
        for document in _documents(resource.get("Properties", {})):
            sids = [statement.get("Sid", "") for statement in document["Statement"]]
            assert all(re.fullmatch(r"[A-Z][A-Za-z]{7,}", sid) for sid in sids), (name, sids)
            assert len(sids) == len(set(sids)), (name, sids)
            assert document["Version"] == "2012-10-17", name
            documents += 1
    assert documents >= 4


def _documents(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [document for item in node for document in _documents(item)]
    if not isinstance(node, dict):
        return []
    if isinstance(node.get("Statement"), list):  # not the one statement of an event bus policy
        return [node]
    return [document for value in node.values() for document in _documents(value)]


def test_no_partition_region_or_account_is_hard_coded(stack: tuple[str, Template]) -> None:
    """The templates must deploy in China and GovCloud too."""
    for part in ("Resources", "Outputs", "Conditions", "Globals"):
        for path, value in walk(stack[1].raw.get(part, {})):
            assert not re.search(r"arn:aws|\b\d{12}\b|\b(us|eu|ap)-[a-z]+-\d\b", str(value)) or path[-1] in (
                "AlarmDescription",
                "Description",
            ), (path, value)
            assert "arn:" not in str(value) or "arn:${AWS::Partition}:" in str(value), (path, value)


def test_only_resources_that_users_refer_to_have_a_name(stack: tuple[str, Template]) -> None:
    """A named resource cannot be replaced, and prevents a second stack in the account."""
    kind, template = stack
    names = ("Name", "FunctionName", "RoleName", "TableName", "QueueName", "TopicName", "LogGroupName", "AlarmName")
    named = {
        name
        for name, resource in template.resources.items()
        if resource["Type"] != "AWS::Lambda::Permission"  # its name is that of the function
        and any(key in resource.get("Properties", {}) for key in (*names, "LayerName", "ManagedPolicyName"))
    }
    named -= template.owned_policies.keys()  # the role of the fixer names them: see their own tests
    assert named == NAMED[kind]


def test_every_output_is_explained(stack: tuple[str, Template]) -> None:
    """Users see the outputs after a deployment."""
    for name, output in stack[1].raw["Outputs"].items():
        assert len(output["Description"]) > 20, name


def test_a_test_of_the_channels_ends_before_those_who_wait_for_it(template: Template) -> None:
    """The command line waits for `manage_findings`, that for the senders, and these for their destinations."""
    senders = [template.functions[name]["Timeout"] for name in ("SendAlertFunction", "OpenTicketFunction")]
    manage = template.functions["ManageFindingsFunction"]["Timeout"]
    waits: Any = signed_requests._TEST_CONFIG
    assert samples.TRIES_SECONDS < min(senders) <= max(senders) < findings._ANSWER_SECONDS < manage < waits.read_timeout
    assert waits.retries["total_max_attempts"] == 1
