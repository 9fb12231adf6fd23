"""`make demo` prints every step, or fails."""

from __future__ import annotations

import html
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from sandbox.client import watcher
from sandbox.client.process import ACCOUNT
from sandbox.demo import __main__ as demo
from sandbox.demo.screen import WIDTH, Screen, section
from tests.e2e.bot import CONFIGURATION

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from tests.e2e.bot import Bot


def program() -> typer.Typer:
    """Return the demo as a command."""
    import typer  # noqa: PLC0415 - only this function needs it

    app = typer.Typer()
    app.command()(demo.main)
    return app


def test_the_demo_prints_every_step_and_exits_with_0(tmp_path: Path) -> None:
    """The output has calls, findings, alerts, OpsItems, fixes, a refused fix and an undo; the picture has part 1."""
    picture = tmp_path / "demo.svg"
    shown = CliRunner().invoke(program(), ["--picture", str(picture)])
    assert shown.exit_code == 0, shown.output
    expected = (
        "aws lambda add-permission --function-name thumbnails",
        "HIGH PG102 source-missing",
        "alert by SNS",
        "is Open: PG102",
        "is Resolved: PG102",
        "Checked: no findings",
        "HIGH PG201 event-source-read-missing",
        "1 s here, 2 minutes by default",
        "policy attached again, resolved",
        "AWSLambdaSQSQueueExecutionRole",
        "It restores what was removed by",
        "fix refused",
        "fix proposed",
        "permission-guard fixes approve",
        f"Applied, approved by arn:aws:sts::{ACCOUNT}:assumed-role/platform/jane",
        "The policy is attached without an approval",
        "The certificate (narrow) holds:",
        "arn:aws:s3:::scans is allowed before, between and after the calls.",
        "permission-guard fixes undo",
        "Undone: the policy has the statement any-bucket again, and no other",
        "What happened",
    )
    assert [text for text in expected if text not in shown.output] == []
    deliveries = [line for line in shown.output.splitlines() if line.startswith(("→", "✗"))]
    true, other = "The bucket scans", "The bucket not-yours"
    assert deliveries == [
        f"→ {true} invokes read-scans",
        f"→ {other} invokes read-scans",
        f"→ {true} invokes read-scans",
        f"✗ {other} is not allowed to invoke read-scans",
    ]
    svg = picture.read_text()
    assert svg.startswith("<svg")
    text = html.unescape(svg).replace("\N{NO-BREAK SPACE}", " ")
    first_part = ("PG102", "What is wrong:", "Why it matters:", "How to fix it", "BUCKET-NAME", "Resolved")
    assert [part for part in first_part if part not in text] == []
    assert [part for part in ("Deployed template.yaml", "create-function", "PG201") if part in text] == []
    _, _, width, height = re.findall(r"[\d.]+", svg.partition('viewBox="')[2].partition('"')[0])
    assert float(height) < float(width), "the picture fits a screen"


def test_a_section_of_a_commands_output_is_found_by_its_title() -> None:
    """It ends at the next blank line, and a section that is missing is an error."""
    output = "Hash of the plan\n  abc\n  Valid.\n\nHistory\n  none\n"
    assert section(output, "Hash of the plan") == "abc\nValid."
    with pytest.raises(ValueError, match="no section 'Hash'"):
        section(output, "Hash")


def test_the_demo_fails_when_a_step_does_not_happen(reporting_bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fixes, the demo names the missing step and exits with 1. It runs with a stack that only reports."""
    # The stack of many tests has had more messages than the limit of the demo's own configuration.
    monkeypatch.setattr(demo, "_CONFIGURATION", CONFIGURATION)
    monkeypatch.setattr(demo, "_started", lambda screen: nullcontext(reporting_bot.aws))
    monkeypatch.setattr(reporting_bot.aws, "deploy", lambda *_: reporting_bot.outputs)
    wait_for = watcher.Watcher.finding

    def finding(watching: watcher.Watcher, *arguments: Any, what: str = "") -> watcher.Finding:
        # The deadline is short only for the fix, which never happens: a first invocation can take seconds.
        return wait_for(watching, *arguments, what=what, deadline=3.0 if what == "fixed" else watcher.DEADLINE)

    monkeypatch.setattr(watcher.Watcher, "finding", finding)
    shown = CliRunner().invoke(program(), [])
    assert shown.exit_code == 1
    assert "This step failed" in shown.output
    assert "PG201" in shown.output
    assert "fixed" in shown.output


@pytest.mark.parametrize(
    "command",
    [
        "aws lambda add-permission --function-name thumbnails --statement-id photos --principal s3.amazonaws.com",
        f"permission-guard fixes approve 3f9a1c --revision 2 --decide-fix {'a' * 95}",
    ],
)
def test_a_wrapped_command_can_be_pasted(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A long command goes over several lines, which a shell reads as the same command."""
    Screen().called(command)
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH
    assert shown.replace("\\\n", "").split() == ["$", *command.split()]
