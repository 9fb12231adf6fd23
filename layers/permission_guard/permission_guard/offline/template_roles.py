"""The execution roles of a template, with all policies that the template attaches to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import Policy, parse_policy, unread_policy
from permission_guard.model.state import Role, Unread
from permission_guard.offline.managed_policies import extreme, is_by_aws, managed_policy
from permission_guard.offline.physical_names import attribute, path_of, physical_name, reference
from permission_guard.offline.scenarios import listed_references, not_in_file
from permission_guard.offline.template_trust import trust_policy, unresolved_in_trust
from permission_guard.offline.unresolved import fill, listed, marked, text, unresolved_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.targets import JSON
    from permission_guard.offline.intrinsics import Resolver
    from permission_guard.offline.template import Template

ROLE: Final = "AWS::IAM::Role"
MANAGED_POLICY: Final = "AWS::IAM::ManagedPolicy"

_ATTACHED: Final = (("AWS::IAM::Policy", "Roles"), (MANAGED_POLICY, "Roles"), ("AWS::IAM::RolePolicy", "RoleName"))


@dataclass(frozen=True, slots=True)
class Bound:
    """Whether unresolved policies allow the most or the least that they can, and the values to write into them.

    `fixed` has the unresolved values that are the same everywhere in the scenario; the others can be anything.
    """

    broadest: bool
    fills: Mapping[str, str]
    fixed: Mapping[str, str] = field(default_factory=dict)

    def filled(self, document: JSON) -> JSON:
        """Return a policy with texts in place of the unresolved values.

        A statement with an unresolved condition matches always or never, whichever bound is asked for.
        """
        fills = {**self.fills, **self.fixed}
        if not isinstance(document, dict) or not unresolved_in(document).keys() - self.fixed.keys():
            return fill(document, fills)
        statements = []
        for item in listed(document.get("Statement")):
            is_dict = isinstance(item, dict)
            denies = is_dict and item.get("Effect") == "Deny"
            depends = is_dict and unresolved_in(item.get("Condition")).keys() - self.fixed.keys()
            if depends and denies == self.broadest:
                continue
            kept = {key: value for key, value in item.items() if key != "Condition"} if depends else item
            anything = {} if _restricts(item) == self.broadest else dict.fromkeys(fills, "*")
            statements.append(fill(kept, {**fills, **anything, **self.fixed}))
        return {**fill(document, fills), "Statement": statements}


class TemplateRole:
    """A role of the template in one scenario."""

    def __init__(self, template: Template, resolver: Resolver, role_id: str) -> None:
        self._template = template
        self._resolver = resolver
        self._id = role_id
        self._properties = resolver.properties(role_id)
        self._name = physical_name(resolver, role_id)
        self.documents = dict(self._documents())
        self.managed = self._managed()
        self._trust = self._properties.get("AssumeRolePolicyDocument")
        self.unresolved_in_trust = unresolved_in_trust(self._trust)
        boundary = self._properties.get("PermissionsBoundary")
        self._boundary_arn = text(boundary) if boundary else ""
        self._boundary_id = self._policy_with(self._boundary_arn)

    def _documents(self) -> Iterator[tuple[str, Any]]:
        """Yield the names and documents of the role's policies in the template."""
        for number, policy in enumerate(listed(self._properties.get("Policies"))):
            if isinstance(policy, dict):
                yield text(policy.get("PolicyName", number)), policy.get("PolicyDocument")
            elif unresolved_in(policy):
                yield f"policy {number}", policy
        for kind, roles in _ATTACHED:
            for logical_id in self._template.ids_of(kind):
                named = self._names_role(logical_id, roles)
                if named and self._template.is_created(self._resolver, logical_id):
                    document = self._resolver.properties(logical_id).get("PolicyDocument")
                    yield logical_id, document if named is True else _attached_if(named, document)

    def _names_role(self, logical_id: str, roles: str) -> bool | str:
        """Return whether a policy is attached to the role, or the unresolved value on which that depends.

        References to other roles need not be resolved. Nobody knows the name of a role that CloudFormation generates.
        """
        raw = self._template.raw(logical_id, roles)
        named = [_referenced(entry) for entry in listed(raw)]
        if named and all(name is not None and self._resolver.type_of(name) == ROLE for name in named):
            return self._id in named
        resolved = listed(self._resolver.value(raw))
        if self._name in resolved:
            return True
        return bool("RoleName" in self._properties) and next(iter(unresolved_in(resolved)), False)

    def _managed(self) -> list[str]:
        """Return the ARNs of the attached managed policies. Those of the template are added to the documents."""
        entries = enumerate(listed(self._properties.get("ManagedPolicyArns")), start=1)
        arns = [arn if isinstance(arn, str) else f"the managed policy {number}" for number, arn in entries]
        outside = []
        for arn in arns:
            logical_id = self._policy_with(arn)
            if logical_id is None:
                outside.append(arn)
            else:
                self.documents[logical_id] = self._resolver.properties(logical_id).get("PolicyDocument")
        return outside

    def _policy_with(self, arn: str) -> str | None:
        """Return the managed policy of the template with an ARN, None if there is none."""
        if not arn or is_by_aws(arn):
            return None
        return next(
            (
                name
                for name in self._template.ids_of(MANAGED_POLICY)
                if text(reference(self._resolver, name)) == arn and self._template.is_created(self._resolver, name)
            ),
            None,
        )

    def _boundary_document(self) -> JSON:
        return self._resolver.properties(self._boundary_id).get("PolicyDocument") if self._boundary_id else None

    def unresolved(self, fixed: Mapping[str, str]) -> list[str]:
        """Return what the role's policies depend on, without the values that are fixed."""
        documents = [*self.documents.values(), self._boundary_document()]
        names = [name for name in unresolved_in(documents) if name not in fixed]
        return names + [f"the policy {_name_of(arn)}" for arn in self.managed if _is_unknown(arn)]

    def role(self, arn: str, bound: Bound) -> Role:
        """Return the role. Unresolved policies allow the most or the least that they can."""
        fills = {**bound.fills, **bound.fixed}
        tags = (tag for tag in listed(self._properties.get("Tags")) if isinstance(tag, dict))
        return Role(
            arn=arn,
            name=fill(self._name, fills),
            path=fill(path_of(self._resolver, self._id), fills),
            tags={fill(text(tag.get("Key")), fills): fill(text(tag.get("Value")), fills) for tag in tags},
            trust_policy=self._trust_policy(),
            attached={fill(name, fills): _attached(name, bound) for name in self.managed},
            inline={
                fill(name, fills): parse_policy(bound.filled(document), name=fill(name, fills))
                for name, document in self.documents.items()
            },
            boundary_arn=fill(self._boundary_arn, fills) or None,
            boundary=self._boundary(bound) if self._boundary_arn else None,
        )

    def _trust_policy(self) -> Policy:
        """Return the trust policy, unread if it depends on unresolved values: see `with_trust_policy`."""
        if self.unresolved_in_trust:
            names = listed_references(self.unresolved_in_trust)
            return unread_policy("trust policy", f"it depends on {names}, which cannot be resolved from the file")
        return trust_policy(self._trust, {}, broadest=False)

    def with_trust_policy(self, role: Role, bound: Bound) -> Role:
        """Return the role with a trust policy that allows the most or the least that it can."""
        return replace(role, trust_policy=trust_policy(self._trust, bound.fills, broadest=bound.broadest))

    def _boundary(self, bound: Bound) -> Policy | Unread:
        if self._boundary_id is not None:
            return parse_policy(bound.filled(self._boundary_document()), name=self._boundary_id)
        arn = self._boundary_arn
        return managed_policy(arn) or not_in_file(f"the permissions boundary {fill(arn, {})} is not in the file")


def role_id_of(template: Template, resolver: Resolver, function_id: str) -> str | None:
    """Return the role of a function, None if it is not in the file. A reference names its own role."""
    arn = text(resolver.properties(function_id).get("Role", ""))
    raw = template.raw(function_id, "Role")
    referenced = template.referenced(resolver, raw) if isinstance(raw, dict) and "Fn::GetAtt" in raw else None
    is_role = referenced is not None and resolver.type_of(referenced) == ROLE
    candidates = [referenced] if is_role and referenced else template.created(resolver, ROLE)
    return next((name for name in candidates if attribute(resolver, name, "Arn") == arn), None)


def _referenced(raw: JSON) -> str | None:
    """Return the resource or the parameter of a `!Ref`."""
    found = raw.get("Ref") if isinstance(raw, dict) and len(raw) == 1 else None
    return found if isinstance(found, str) else None


def _attached_if(name: str, document: JSON) -> JSON:
    """Return a policy whose statements all depend on an unresolved value."""
    if not isinstance(document, dict):
        return document
    condition = {"StringEquals": {"attached": marked(name)}}
    statements = [
        {**item, "Condition": condition} if isinstance(item, dict) else item
        for item in listed(document.get("Statement"))
    ]
    return {**document, "Statement": statements}


def _attached(arn: str, bound: Bound) -> Policy | Unread:
    known = managed_policy(arn)
    if known is None and not _is_unknown(arn):
        return not_in_file(f"{fill(arn, {})} is not in the file")
    return known or extreme(arn, broadest=bound.broadest)


def _restricts(statement: JSON) -> bool:
    """Return whether a statement allows less if its elements match more."""
    if not isinstance(statement, dict):
        return False
    return (statement.get("Effect") == "Deny") != ("NotResource" in statement or "NotAction" in statement)


def _is_unknown(arn: str) -> bool:
    """Return whether AWS added a policy after the copy; only one that denies has other bounds than all and nothing."""
    is_denying = "Deny" in arn or "Quarantine" in arn
    return is_by_aws(arn) and managed_policy(arn) is None and not is_denying


def _name_of(arn: str) -> str:
    return str(fill(arn.rpartition("/")[2], {}))
