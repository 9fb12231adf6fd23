"""A finding fits its size limit, says what is missing, and stays the same finding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permission_guard.findings.fit import document_size, fit
from permission_guard.model import limits
from permission_guard.model.findings import Finding, FixRecord, FixResult
from permission_guard.model.verdicts import Remedy
from tests.fakes import FINDING_ID, a_finding

LONG = "x" * limits.FINDING_DOCUMENT


def padded(size: int) -> Finding:
    """Return a finding whose document has exactly this size, by its evidence."""
    bare = a_finding(evidence={"statement": ""})
    return a_finding(evidence={"statement": "x" * (size - document_size(bare))})


def test_a_finding_at_the_limit_is_unchanged_and_one_byte_more_is_shortened() -> None:
    """The limit is inclusive."""
    full = padded(limits.FINDING_DOCUMENT)
    assert document_size(full) == limits.FINDING_DOCUMENT
    assert fit(full) is full
    shortened = fit(padded(limits.FINDING_DOCUMENT + 1))
    assert document_size(shortened) <= limits.FINDING_DOCUMENT
    assert shortened.evidence == {"statement": {"omitted_bytes": len(full.evidence["statement"]) + 3}}


def test_long_remedies_are_omitted_before_evidence() -> None:
    """A short remedy stays. Half a command would do something else, so a long one is omitted whole."""
    evidence = {"statement": "y" * 1_000}
    short = fit(a_finding(evidence=evidence, remedies=(Remedy("aws-cli", LONG), Remedy("sam", "short"))))
    assert short.evidence == evidence
    assert short.remedies[0].text.startswith("# This remedy has 200000 characters")
    assert short.remedies[1] == Remedy("sam", "short")


def test_characters_are_counted_as_they_are_stored() -> None:
    """JSON escapes quotation marks and every character outside ASCII."""
    assert document_size(fit(a_finding(reason='"' * 150_000))) <= limits.FINDING_DOCUMENT
    assert document_size(fit(a_finding(reason="\N{GRINNING FACE}" * 30_000))) <= limits.FINDING_DOCUMENT


def test_the_smallest_form_has_the_identity_the_status_and_the_fix() -> None:
    """An undo needs the record of the fix, so it is never shortened."""
    fix = FixRecord(name="f", result=FixResult.APPLIED, summary="s", at="t", attempts=1, undo="aws iam …")
    finding = a_finding(remedies=(Remedy("sam", LONG),), evidence={"a": LONG}, reason=LONG, subject=LONG, fix=fix)
    smallest = fit(finding, 0)
    assert (smallest.id, smallest.revision) == (FINDING_ID, 1)
    assert (smallest.transition, smallest.status) == (finding.transition, finding.status)
    assert smallest.fix == fix
    assert smallest.remedies == ()
    assert document_size(smallest) < 10_000


@given(st.text(), st.text(max_size=50), st.integers(0, 30_000), st.integers(20_000, limits.FINDING_DOCUMENT))
def test_the_result_fits_and_is_stable(text: str, name: str, times: int, limit: int) -> None:
    """Fitting a second time changes nothing, so an unchanged finding is not written again."""
    finding = a_finding(
        subject=name * times, reason=text * times, evidence={name: text * times}, remedies=(Remedy(name, text * times),)
    )
    fitted = fit(finding, limit)
    assert document_size(fitted) <= limit
    assert fit(fitted, limit) == fitted
    assert Finding.from_document(fitted.to_document()) == fitted


@pytest.mark.parametrize("limit", [limits.EVENT_ENTRY, limits.QUEUE_MESSAGE, limits.TABLE_ITEM // 2])
def test_a_finding_fits_what_stores_and_sends_it(limit: int) -> None:
    """The envelope of an event, and the keys and numbers of an item, take less than the rest."""
    assert limit >= limits.FINDING_DOCUMENT + 4_000
