"""Define the privilege escalation paths that the policy engine evaluates: each is a list of steps.

A step is evaluated for a resource without tags and with a name that no policy contains: a policy that allows it allows
any resource. In the patterns `{p}` is the partition, `{r}` the region, `{a}` the account and `{n}` that name.
"""

from __future__ import annotations

from typing import Final

from permission_guard.records import record

NAME: Final = "a-name-that-no-policy-contains"

_ADMINISTRATOR: Final = "arn:{p}:iam::aws:policy/AdministratorAccess"
_ROLE: Final = "arn:{p}:iam::{a}:role/{n}"
_USER: Final = "arn:{p}:iam::{a}:user/{n}"
_GROUP: Final = "arn:{p}:iam::{a}:group/{n}"
_POLICY: Final = "arn:{p}:iam::{a}:policy/{n}"
_FUNCTION: Final = "arn:{p}:lambda:{r}:{a}:function:{n}"


@record
class Step:
    """One action on one resource; `context` has the condition keys with the values that grant the most."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


@record
class Path:
    """A privilege escalation: all steps must be allowed. `gain` continues "is allowed to ...".

    `in_title` continues "can ..." after the function's name; empty if it is the gain.
    """

    steps: tuple[Step, ...]
    gain: str
    in_title: str = ""

    @property
    def name(self) -> str:
        """The actions as policies spell them."""
        return " with ".join([self.steps[0].action, *filter(None, [", ".join(step.action for step in self.steps[1:])])])


ANYTHING: Final = Step(f"permission-guard:{NAME}", "*")
"""An action of no service: only a role with every action, or every action but some, is allowed it."""
ADMINISTER: Final = Step("iam:AttachRolePolicy", _ROLE, (("iam:PolicyARN", _ADMINISTRATOR),))


def _passing(service: str, gain: str, *steps: tuple[str, str]) -> Path:
    passed = Step("iam:PassRole", _ROLE, (("iam:PassedToService", f"{service}.amazonaws.com"),))
    return Path((passed, *(Step(action, resource) for action, resource in steps)), gain)


PATHS: Final = (
    Path((ADMINISTER,), "attach any managed policy to any role"),
    Path((Step("iam:PutRolePolicy", _ROLE),), "put any inline policy on any role"),
    Path((Step("iam:UpdateAssumeRolePolicy", _ROLE),), "change the trust policy of any role"),
    Path((Step("iam:CreatePolicyVersion", _POLICY),), "rewrite any managed policy of the account"),
    Path((Step("iam:SetDefaultPolicyVersion", _POLICY),), "restore any version of a managed policy"),
    Path(
        (Step("iam:AttachUserPolicy", _USER, (("iam:PolicyARN", _ADMINISTRATOR),)),),
        "attach any managed policy to any user",
    ),
    Path((Step("iam:PutUserPolicy", _USER),), "put any inline policy on any user"),
    Path(
        (Step("iam:AttachGroupPolicy", _GROUP, (("iam:PolicyARN", _ADMINISTRATOR),)),),
        "attach any managed policy to any group",
    ),
    Path((Step("iam:PutGroupPolicy", _GROUP),), "put any inline policy on any group"),
    Path((Step("iam:AddUserToGroup", _GROUP),), "add any user to any group"),
    Path((Step("iam:CreateAccessKey", _USER),), "create access keys for any user"),
    Path((Step("iam:CreateLoginProfile", _USER),), "set a password for any user without one"),
    Path((Step("iam:UpdateLoginProfile", _USER),), "change the password of any user"),
    Path((Step("sts:AssumeRole", _ROLE),), "assume any role that trusts the account"),
    Path((Step("lambda:UpdateFunctionCode", _FUNCTION),), "run its own code with any function's role"),
    Path(
        (
            Step("ssm:SendCommand", "arn:{p}:ec2:{r}:{a}:instance/{n}"),
            Step("ssm:SendCommand", "arn:{p}:ssm:{r}::document/AWS-RunShellScript"),
        ),
        "run commands with the role of any managed instance",
    ),
    _passing(
        "lambda",
        "run a function with any role that trusts Lambda",
        ("lambda:CreateFunction", _FUNCTION),
        ("lambda:InvokeFunction", _FUNCTION),
    ),
    _passing(
        "lambda",
        "change the role of any function",
        ("lambda:UpdateFunctionConfiguration", _FUNCTION),
    ),
    _passing(
        "ec2",
        "start an instance with any role that trusts EC2",
        ("ec2:RunInstances", "arn:{p}:ec2:{r}:{a}:instance/{n}"),
    ),
    _passing(
        "ecs-tasks",
        "run a task with any role that trusts ECS",
        ("ecs:RunTask", "arn:{p}:ecs:{r}:{a}:task-definition/{n}:1"),
    ),
    _passing(
        "glue",
        "run a job with any role that trusts Glue",
        ("glue:CreateJob", "arn:{p}:glue:{r}:{a}:job/{n}"),
        ("glue:StartJobRun", "arn:{p}:glue:{r}:{a}:job/{n}"),
    ),
    _passing(
        "glue",
        "open a shell with any role that trusts Glue",
        ("glue:CreateDevEndpoint", "arn:{p}:glue:{r}:{a}:devEndpoint/{n}"),
    ),
    _passing(
        "cloudformation",
        "create anything with any role that trusts CloudFormation",
        ("cloudformation:CreateStack", "arn:{p}:cloudformation:{r}:{a}:stack/{n}/*"),
    ),
    _passing(
        "codebuild",
        "run a build with any role that trusts CodeBuild",
        ("codebuild:CreateProject", "arn:{p}:codebuild:{r}:{a}:project/{n}"),
        ("codebuild:StartBuild", "arn:{p}:codebuild:{r}:{a}:project/{n}"),
    ),
    _passing(
        "sagemaker",
        "open a notebook with any role that trusts SageMaker",
        ("sagemaker:CreateNotebookInstance", "arn:{p}:sagemaker:{r}:{a}:notebook-instance/{n}"),
        ("sagemaker:CreatePresignedNotebookInstanceUrl", "arn:{p}:sagemaker:{r}:{a}:notebook-instance/{n}"),
    ),
    _passing(
        "sagemaker",
        "run a job with any role that trusts SageMaker",
        ("sagemaker:CreateProcessingJob", "arn:{p}:sagemaker:{r}:{a}:processing-job/{n}"),
    ),
    _passing(
        "states",
        "call any API with any role that trusts Step Functions",
        ("states:CreateStateMachine", "arn:{p}:states:{r}:{a}:stateMachine:{n}"),
        ("states:StartExecution", "arn:{p}:states:{r}:{a}:stateMachine:{n}"),
    ),
    _passing(
        "scheduler",
        "call any API with any role that trusts EventBridge Scheduler",
        ("scheduler:CreateSchedule", "arn:{p}:scheduler:{r}:{a}:schedule/default/{n}"),
    ),
)

HARMLESS: Final = frozenset(
    {"access-analyzer", "ce", "ec2messages", "health", "logs", "pricing", "ssmmessages", "sts", "tag", "xray"}
)
"""Services for which full access is not flagged: AWS's own policies have `logs:*`, and `PATHS` covers `sts`."""

_OTHERWISE: Final = ("arn:{p}:{s}:{r}:{a}:{n}",)
_RESOURCES: Final = {
    "dynamodb": ("arn:{p}:dynamodb:{r}:{a}:table/{n}",),
    "ec2": ("arn:{p}:ec2:{r}:{a}:instance/{n}",),
    "ecr": ("arn:{p}:ecr:{r}:{a}:repository/{n}",),
    "ecs": ("arn:{p}:ecs:{r}:{a}:cluster/{n}",),
    "events": ("arn:{p}:events:{r}:{a}:rule/{n}",),
    "iam": (_ROLE, _USER, _POLICY),
    "kinesis": ("arn:{p}:kinesis:{r}:{a}:stream/{n}",),
    "kms": ("arn:{p}:kms:{r}:{a}:key/{n}",),
    "lambda": (_FUNCTION,),
    "rds": ("arn:{p}:rds:{r}:{a}:db:{n}",),
    "s3": ("arn:{p}:s3:::{n}", "arn:{p}:s3:::{n}/{n}"),
    "secretsmanager": ("arn:{p}:secretsmanager:{r}:{a}:secret:{n}",),
    "ssm": ("arn:{p}:ssm:{r}:{a}:parameter/{n}",),
    "states": ("arn:{p}:states:{r}:{a}:stateMachine:{n}",),
}


def whole_of(service: str) -> tuple[Step, ...]:
    """Return one step for each resource type of a service: only full access to the type allows it."""
    resources = _RESOURCES.get(service, tuple(form.replace("{s}", service) for form in _OTHERWISE))
    return tuple(Step(f"{service}:{NAME}", resource) for resource in resources)


def on_itself(role_arn: str, policies: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the paths for changing the role's own permissions; `policies` are its customer managed policies."""
    role = _literal(role_arn)
    return (
        Path(
            (Step(ADMINISTER.action, role, ADMINISTER.context),),
            "attach any managed policy to itself",
            "attach any managed policy to its role",
        ),
        Path((Step("iam:PutRolePolicy", role),), "put any inline policy on itself", "put any policy on its role"),
        *(
            Path(
                (Step("iam:CreatePolicyVersion", _literal(arn)),),
                f"rewrite its own policy {arn}",
                f"rewrite its role's policy {arn.rpartition('/')[2]}",
            )
            for arn in policies
        ),
    )


def _literal(arn: str) -> str:
    """Return an ARN as the resource of a step, in which braces surround fields."""
    return arn.replace("{", "{{").replace("}", "}}")
