"""Options of ``optreg bench run`` that have a form of their own: durations, and suites that set the others."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from optreg_cli.bench.durations import parse_seconds
from optreg_cli.main import app


def plan(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", "run", *arguments, "--dry-run"], prog_name="optreg")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("120s", 120), ("2m", 120), ("1.5 min", 90), ("1h", 3600), (" 7 ", 7), (30.0, 30)],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0", "0.5", "-3", "2 days", "1e3", "nan", "inf", "1m30s"])
def test_what_is_no_duration_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 120, 120s, 2m or 1h; received"):
        parse_seconds(text)


def test_the_budget_takes_a_unit() -> None:
    done = plan("sgd", "--mode", "speed", "--layout", "one-big", "--budget", "2m")
    assert "Would be measured, within 120 s" in done.stdout
    wrong = plan("sgd", "--budget", "2 days")
    assert wrong.exit_code == 2
    assert "a time is at least one second" in " ".join(wrong.stderr.replace("│", " ").split())


def test_a_suite_sets_what_is_not_given() -> None:
    quick = plan("sgd", "adam", "--suite", "quick")
    assert "Would be measured, within 240 s" in quick.stdout
    assert all(name in quick.stdout for name in ("on one-big", "on many-small", "adam eager", "training, functions"))
    shorter = plan("sgd", "adam", "--suite", "quick", "--layout", "one-big", "--budget", "50s", "--mode", "speed")
    assert "Would be measured, within 50 s" in shorter.stdout
    assert "many-small" not in shorter.stdout
    assert "training, functions" not in shorter.stdout


def test_smoke_promises_twenty_seconds_for_all() -> None:
    assert "Would be measured, within 20 s" in plan("sgd", "adam", "--suite", "smoke").stdout
