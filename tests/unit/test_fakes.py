"""The stand-ins of the tests take exactly what the real ones take."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from permission_guard.aws.readers.fix_state import LiveFixState
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.aws.senders.event_bus import EventBus
from permission_guard.aws.senders.event_queue import EventQueue
from permission_guard.aws.tables.decisions import DecisionReader, DecisionTable
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.maintenance import DigestReader, MaintenanceTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.stops import StopTable
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.aws.writers.fixes import FixWriter
from permission_guard.bus.publisher import TransitionPublisher
from permission_guard.checks.batch import CheckRequests, FunctionDirectory
from permission_guard.checks.checker import SnapshotSource
from permission_guard.checks.role_findings import RoleUsers
from permission_guard.delivery.alerts.digests import RecordedDigests
from permission_guard.delivery.ledger import DeliveryLedger
from permission_guard.delivery.transitions import RecordedFindings
from permission_guard.findings.baseline import Baselines
from permission_guard.findings.store import FindingStore
from permission_guard.fixes.base import FixState, Writer, Writers
from permission_guard.fixes.decisions import DecisionStore
from permission_guard.fixes.stop import BreakerStore, StopState
from permission_guard.fixes.stop_requests import SwitchStore
from permission_guard.fixes.stores import Decisions, FixQuota, FixStateSource
from permission_guard.maintenance.stores import DigestSender, FirstList, MaintenanceStore
from permission_guard.maintenance.stores import Findings as MaintainedFindings
from permission_guard.sweep.sweep import Cursors, FunctionIndex, OpenFindings
from tests.fakes import InMemoryFindings, InMemoryState, InMemoryStop
from tests.unit.delivery.memory_ledger import MemoryLedger
from tests.unit.maintenance import account as maintained
from tests.unit.sweep import account


@pytest.mark.parametrize(
    ("protocol", "implementation"),
    [
        (FindingStore, FindingsTable),
        (FindingStore, InMemoryFindings),
        (RecordedFindings, FindingReader),
        (DecisionStore, DecisionTable),
        (DecisionStore, InMemoryFindings),
        (Decisions, DecisionReader),
        (DeliveryLedger, DeliveryTable),
        (DeliveryLedger, MemoryLedger),
        (FixQuota, FindingsTable),
        (FixQuota, InMemoryFindings),
        (OpenFindings, FindingsTable),
        (OpenFindings, account.Account),
        (SnapshotSource, StateReader),
        (SnapshotSource, InMemoryState),
        (FixStateSource, StateReader),
        (FixStateSource, InMemoryState),
        (FixState, LiveFixState),
        (FixState, InMemoryState),
        (Writer, FixWriter),
        (Writer, InMemoryState),
        (Writers, FixWriter),
        (Writers, InMemoryState),
        (StopState, StopTable),
        (StopState, InMemoryStop),
        (BreakerStore, StopTable),
        (BreakerStore, InMemoryStop),
        (SwitchStore, StopTable),
        (SwitchStore, InMemoryStop),
        (FunctionDirectory, RoleIndex),
        (RoleUsers, RoleIndex),
        (RoleUsers, InMemoryFindings),
        (FunctionIndex, RoleIndex),
        (FunctionIndex, account.Account),
        (Cursors, SweepCursor),
        (Cursors, account.Cursors),
        (MaintenanceStore, MaintenanceTable),
        (MaintenanceStore, maintained.Account),
        (FirstList, RoleIndex),
        (FirstList, maintained.Account),
        (DigestSender, EventQueue),
        (DigestSender, maintained.Account),
        (RecordedDigests, DigestReader),
        (Baselines, MaintenanceTable),
        (MaintainedFindings, FindingsTable),
        (MaintainedFindings, maintained.Account),
        (CheckRequests, CheckQueue),
        (TransitionPublisher, EventBus),
    ],
    ids=lambda value: value.__name__,
)
def test_whatever_stands_for_a_protocol_has_its_methods_with_their_parameters(
    protocol: Any, implementation: Any
) -> None:
    """A fake that drifts from what is deployed proves nothing."""
    methods = [name for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"]
    assert methods
    for name in methods:
        wanted = inspect.signature(getattr(protocol, name)).parameters
        given = inspect.signature(getattr(implementation, name)).parameters
        assert {key: parameter.kind for key, parameter in given.items()} == {
            key: parameter.kind for key, parameter in wanted.items()
        }
