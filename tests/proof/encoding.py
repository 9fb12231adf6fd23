"""The policy language for Z3, written from the AWS documentation. It shares no code with `permission_guard.iam`.

A request is a set of variables: its caller, action and resource, and for each condition key whether it is there, and
its values. A policy is a formula over them. What AWS does not document, and what is not encoded (policy variables,
principals with wildcards), is an unknown of its own: the same text has the same truth in each policy.

From the IAM User Guide: "Policy evaluation logic", "IAM JSON policy elements: Condition operators", "Set operators for
multivalued context keys", "AWS JSON policy elements: Principal", "Identify AWS resources with ARNs".
"""

from __future__ import annotations

import json
from fractions import Fraction
from ipaddress import IPv4Address, ip_address
from typing import Any

import z3

from tests.proof.operators import Formula, NotEncodedError, any_of, compared, kind_of, matches, moment_of, typed

JSON = Any

SERVICE, ROOT, ROLE, USER, ANONYMOUS = range(5)


class Key:
    """The variables of one condition key: absent, one value, or several."""

    def __init__(self, name: str, slots: int) -> None:
        self.present = z3.Bool(f"{name} present")
        self.several = z3.Bool(f"{name} several")
        self.value = z3.String(f"{name} value")
        self.number = z3.Real(f"{name} number")
        self.is_number = z3.Bool(f"{name} is a number")
        self.moment = z3.Real(f"{name} moment")
        self.is_moment = z3.Bool(f"{name} is a moment")
        self.address = z3.BitVec(f"{name} address", 32)
        self.is_address = z3.Bool(f"{name} is an address")
        self.slots = [(z3.Bool(f"{name} has {slot}"), z3.String(f"{name} value {slot}")) for slot in range(slots)]


class Encoding:
    """The formulas of some policies of one function. All policies of one question have the same encoding."""

    def __init__(self, documents: list[JSON], account: str) -> None:
        self.account = account
        self.kind = z3.Int("caller kind")
        self.caller = z3.String("caller")
        self.caller_account = z3.String("caller account")
        self.own_side = z3.Bool("an identity-based policy allows")
        self.action = z3.String("action")
        self.resource = z3.String("resource")
        self.empty_is_no_value = z3.Bool("an empty value is no value")
        self.absent_for_any = z3.Bool("ForAnyValue with IfExists holds for an absent key")
        self.keys: dict[str, Key] = {}
        self._kinds: dict[str, set[str]] = {}
        self._counts: dict[str, int] = {}
        self.unknowns: dict[str, Formula] = {}
        self._accounts: dict[str, Formula] = {}
        """For each role or user that a policy names: it belongs to the account in its ARN."""
        self._encoded_parts: dict[str, tuple[Formula, Formula, Formula]] = {}
        for document in documents:
            for statement in statements_of(document):
                self._count(statement)

    def _count(self, statement: JSON) -> None:
        """Count the set operators on a key, because so many values suffice; and note what the key is compared as."""
        for operator, key, _ in conditions_of(statement):
            qualifier, _, base = operator.rpartition(":")
            name = key.lower()
            self._counts[name] = self._counts.get(name, 0) + bool(qualifier)
            if base.lower() != "null":
                self._kinds.setdefault(name, set()).add(kind_of(base))

    # ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────

    def key(self, name: str) -> Key:
        """Return the variables of a key."""
        name = name.lower()
        if name not in self.keys:
            self.keys[name] = Key(name, max(2, self._counts.get(name, 0)))
        return self.keys[name]

    @property
    def possible(self) -> Formula:
        """What holds for every request."""
        return z3.And(self.kind >= SERVICE, self.kind <= ANONYMOUS, *self._accounts.values())

    def unknown(self, text: str) -> Formula:
        """Return the unknown of an element that is not encoded."""
        return self.unknowns.setdefault(text, z3.Bool(f"unknown {text}"))

    def request(self, values: JSON) -> list[tuple[Formula, Formula]]:
        """Return the values of all variables for a concrete request.

        `values` has `kind`, `caller`, `account`, `own_side`, `action`, `resource` and `context` by lower-case key.
        """
        found = [
            (self.kind, z3.IntVal(values["kind"])),
            (self.caller, z3.StringVal(values["caller"])),
            (self.caller_account, z3.StringVal(values["account"])),
            (self.own_side, z3.BoolVal(values["own_side"])),
            (self.action, z3.StringVal(values["action"].lower())),
            (self.resource, z3.StringVal(values["resource"])),
        ]
        for name, key in self.keys.items():
            found += _key_values(key, values["context"].get(name))
        return found

    # ── Policies ────────────────────────────────────────────────────────────────────────────────────────────────────

    def allowed(self, document: JSON) -> Formula:
        """Return whether a resource-based policy allows a request, with the caller's own policies."""
        direct, delegated, denied = [], [], []
        for statement in statements_of(document):
            if statement.get("Effect") == "Deny":
                denied.append(self.denies(statement))
                continue
            callers, accounts, applies = self._parts(statement, document)
            direct.append(z3.And(callers, applies))
            delegated.append(z3.And(accounts, applies))
        by_policy, by_account = any_of(direct), any_of(delegated)
        own = self.caller_account == self.account
        identity = z3.Or(self.kind == ROLE, self.kind == USER)
        root = self.kind == ROOT
        return z3.And(
            z3.Not(any_of(denied)),
            z3.If(
                identity,
                z3.If(own, z3.Or(self.own_side, by_policy), z3.And(self.own_side, z3.Or(by_policy, by_account))),
                z3.If(root, z3.Or(own, by_policy, by_account), by_policy),
            ),
        )

    def denies(self, statement: JSON) -> Formula:
        """Return whether a Deny statement applies to a request."""
        callers, accounts, applies = self._parts(statement, {"Version": "2012-10-17"})
        return z3.And(z3.Or(callers, accounts), applies)

    def identity_allows(self, documents: list[JSON]) -> Formula:
        """Return whether identity-based policies allow a request."""
        allowed: list[Formula] = []
        denied: list[Formula] = []
        for document in documents:
            for statement in statements_of(document):
                applies = self._applies(statement, document)
                (denied if statement.get("Effect") == "Deny" else allowed).append(applies)
        return z3.And(any_of(allowed), z3.Not(any_of(denied)))

    def _parts(self, statement: JSON, document: JSON) -> tuple[Formula, Formula, Formula]:
        """Return whether a statement names a caller itself, or its account, and whether it applies. Made once."""
        text = f"{document.get('Version')} {_text(statement)}"
        if text not in self._encoded_parts:
            self._encoded_parts[text] = self._new_parts(statement, document)
        return self._encoded_parts[text]

    def _new_parts(self, statement: JSON, document: JSON) -> tuple[Formula, Formula, Formula]:
        if "Principal" not in statement:
            unknown = self.unknown(_text(statement))
            return unknown, z3.BoolVal(val=False), z3.BoolVal(val=True)
        callers, accounts = self._principals(statement["Principal"])
        return callers, accounts, self._applies(statement, document)

    def _applies(self, statement: JSON, document: JSON) -> Formula:
        known = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
        if not set(statement) <= known or statement.get("Effect") not in {"Allow", "Deny"}:
            return self.unknown(_text(statement))
        variables = document.get("Version") == "2012-10-17"
        return z3.And(
            self._element(statement, "Action", variables=False),
            self._element(statement, "Resource", variables=variables),
            *(self._condition(*each, variables=variables) for each in conditions_of(statement)),
        )

    def _principals(self, written: JSON) -> tuple[Formula, Formula]:
        """Return whether a caller is named itself, and whether its account is."""
        if written == "*":
            return z3.BoolVal(val=True), z3.BoolVal(val=False)
        callers, accounts = [], []
        for kind, values in written.items():
            for value in listed(values):
                parts = value.split(":")
                if (kind, value) == ("AWS", "*"):
                    callers.append(z3.BoolVal(val=True))
                elif "*" in value or "?" in value or kind not in {"AWS", "Service"}:
                    callers.append(self.unknown(f"principal {kind} {value}"))
                elif kind == "Service":
                    callers.append(z3.And(self.kind == SERVICE, self.caller == value))
                elif value.isdigit() or (len(parts) == 6 and parts[5] == "root"):
                    account = value if value.isdigit() else parts[4]
                    has_account = z3.Or(self.kind == ROOT, self.kind == ROLE, self.kind == USER)
                    accounts.append(z3.And(has_account, self.caller_account == account))
                elif len(parts) == 6 and parts[5].startswith(("role/", "user/")):
                    sort = ROLE if parts[5].startswith("role/") else USER
                    callers.append(z3.And(self.kind == sort, self.caller == value))
                    self._accounts[value] = z3.Implies(self.caller == value, self.caller_account == parts[4])
                else:
                    callers.append(self.unknown(f"principal {kind} {value}"))
        return any_of(callers), any_of(accounts)

    def _element(self, statement: JSON, name: str, *, variables: bool) -> Formula:
        negated = f"Not{name}" in statement
        values = listed(statement.get(f"Not{name}" if negated else name))
        try:
            found = any_of([self._value(name, value, variables=variables) for value in values])
        except NotEncodedError:
            return self.unknown(f"{name} {negated} {sorted(map(str, values))}")
        return z3.Not(found) if negated else found

    def _value(self, name: str, value: str, *, variables: bool) -> Formula:
        if not isinstance(value, str) or (variables and "${" in value):
            raise NotEncodedError
        if value and not value.strip("*"):
            return z3.BoolVal(val=True)
        if name == "Action":
            service, _, action = value.lower().partition(":")
            if not action or "*" in service or "?" in service or value.split() != [value]:
                raise NotEncodedError
            return matches(self.action, value.lower())
        parts = value.split(":", 5)
        if any("*" in part or "?" in part for part in parts[:5]) or len(parts) < 6 or parts[2] == "iam":
            raise NotEncodedError
        return matches(self.resource, value)

    # ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _condition(self, operator: str, name: str, values: JSON, *, variables: bool) -> Formula:
        texts = [_written(value) for value in listed(values)]
        try:
            if not (variables and any("${" in text for text in texts)):
                return self._encoded(operator, name, texts)
        except NotEncodedError:
            pass
        return self.unknown(f"{operator.lower()} {name.lower()} {sorted(texts)} {variables}")

    def _encoded(self, operator: str, name: str, texts: list[str]) -> Formula:
        key = self.key(name)
        qualifier, _, base = operator.lower().rpartition(":")
        if base == "null":
            return any_of([z3.Not(key.present) if text.lower() == "true" else key.present for text in texts])
        if_exists = base.endswith("ifexists")
        base = base.removesuffix("ifexists")
        if len(self._kinds.get(name.lower(), set())) > 1:
            raise NotEncodedError
        kind = kind_of(base)
        if kind != "text":
            if qualifier:
                raise NotEncodedError
            holds, negated = typed(key, kind, base, texts)
        else:
            negated = "not" in base
            holds = compared(key.value, base, texts)
        absent = z3.BoolVal(val=if_exists or (negated and not qualifier) or qualifier == "forallvalues")
        if qualifier == "foranyvalue" and if_exists:
            absent = self.absent_for_any
        if not qualifier:
            several = z3.BoolVal(val=False)
        elif qualifier == "forallvalues":
            several = z3.And(*(z3.Or(z3.Not(has), compared(value, base, texts)) for has, value in key.slots))
            holds = z3.Or(holds, z3.And(key.value == "", self.empty_is_no_value))
        elif qualifier == "foranyvalue":
            several = z3.Or(*(z3.And(has, compared(value, base, texts)) for has, value in key.slots))
        else:
            raise NotEncodedError
        return z3.If(key.present, z3.If(key.several, several, holds), absent)


def _key_values(key: Key, value: JSON) -> list[tuple[Formula, Formula]]:
    """Return the values of a key's variables: None if it is absent, a list if it has several values."""
    single = value if isinstance(value, str) else ""
    try:
        number, is_number = Fraction(single), True
    except (ValueError, ZeroDivisionError):
        number, is_number = Fraction(0), False
    try:
        moment, is_moment = moment_of(single), True
    except ValueError:
        moment, is_moment = Fraction(0), False
    try:
        address = ip_address(single)
        bits, is_address = int(address), isinstance(address, IPv4Address)
    except ValueError:
        bits, is_address = 0, False
    values = value if isinstance(value, list) else []
    if len(values) > len(key.slots):
        raise NotEncodedError
    found = [
        (key.present, z3.BoolVal(val=value is not None)),
        (key.several, z3.BoolVal(val=isinstance(value, list))),
        (key.value, z3.StringVal(single)),
        (key.number, z3.Q(number.numerator, number.denominator)),
        (key.is_number, z3.BoolVal(val=is_number)),
        (key.moment, z3.Q(moment.numerator, moment.denominator)),
        (key.is_moment, z3.BoolVal(val=is_moment)),
        (key.address, z3.BitVecVal(bits, 32)),
        (key.is_address, z3.BoolVal(val=is_address)),
    ]
    for index, (has, text) in enumerate(key.slots):
        found.append((has, z3.BoolVal(val=index < len(values))))
        found.append((text, z3.StringVal(values[index] if index < len(values) else "")))
    return found


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────────


def statements_of(document: JSON) -> list[JSON]:
    """Return the statements of a policy document."""
    return listed(document.get("Statement", []))


def conditions_of(statement: JSON) -> list[tuple[str, str, JSON]]:
    """Return operator, key and values of each condition of a statement."""
    block = statement.get("Condition") or {}
    return [(operator, key, values) for operator, keys in block.items() for key, values in keys.items()]


def listed(value: JSON) -> list[JSON]:
    """Return a value as a list."""
    return value if isinstance(value, list) else [value]


def _written(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(statement: JSON) -> str:
    return json.dumps({name: value for name, value in statement.items() if name != "Sid"}, sort_keys=True)
