"""The results file: what is written can be read again, by this version and by those to come."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from optreg.bench import Results, document
from optreg.bench.results import InvalidResults, SlotBytes, SpeedEntry, State, read_results, results_schema
from optreg.bench.results.file import write_results
from optreg.bench.results.records import Evaluation, Sample, TrainingRun

Entries = Callable[..., SpeedEntry]


@pytest.fixture
def results(make_entry: Entries) -> Results:
    entry = make_entry(seconds=[0.01, 0.02, 0.03])
    entry.slots = [SlotBytes("m", 4, 4), SlotBytes("v", 4)]
    entry.warm_ups = [Sample(-1, 0, 1, 0.5)]
    entry.first, entry.state = 0.25, State("failed", "it broke", 3.0)
    training = TrainingRun("adam", "optreg", "digits", "cpu:0", 1, losses=[1.0, math.nan])
    training.evaluations.append(Evaluation(0, 1.0, 0.5))
    return Results(
        "2026-01-01T00:00:00+00:00",
        ["bench"],
        ["adam"],
        {"budget": 5.0},
        {"versions": {"optreg": "0.1"}},
        speed=[entry],
        training=[training],
    )


def written(results: Results, path: Path, **changes: Any) -> Path:
    write_results(path, {**results.to_dict(), **changes})
    return path


def test_every_raw_value_survives_the_file(results: Results, tmp_path: Path) -> None:
    read = read_results(written(results, tmp_path / "a.json"))
    assert read.to_dict() == results.to_dict()
    assert (read.speed[0].samples, read.speed[0].slots) == (results.speed[0].samples, results.speed[0].slots)
    assert read.speed[0].state == State("failed", "it broke", 3.0)
    assert math.isnan(read.training[0].losses[1])


def test_a_document_keeps_to_the_published_schema(results: Results) -> None:
    jsonschema.validate(document(results), results_schema())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda it: it["speed"][0]["samples"][0].update(seconds="long"),
        lambda it: it["speed"][0].pop("samples"),
        lambda it: it["speed"][0]["state"].update(name="perhaps"),
        lambda it: it.update(schema="optreg.bench/2"),
        lambda it: it.pop("machine"),
        lambda it: it["machine"].update(cores="two"),
        lambda it: it["machine"].update(caches=[{"level": 1}]),
        lambda it: it.update(run_id=7),
    ],
)
def test_the_schema_refuses_what_no_reader_could_use(results: Results, spoil: Callable[[Any], object]) -> None:
    broken = document(results)
    spoil(broken)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, results_schema())


def test_a_newer_minor_version_is_read_and_what_it_adds_is_kept(results: Results, tmp_path: Path) -> None:
    newer = results.to_dict()
    newer["speed"][0]["colour"] = "green"
    path = written(results, tmp_path / "a.json", minor=99, weather={"rain": True}, speed=newer["speed"])
    read = read_results(path)
    assert read.speed[0].samples == results.speed[0].samples
    assert read.to_dict()["weather"] == {"rain": True}
    assert read.to_dict()["minor"] == 99


def test_a_file_of_the_minor_version_before_is_read_and_what_it_did_not_hold_is_none(
    results: Results, tmp_path: Path
) -> None:
    older = results.to_dict()
    del older["run_id"], older["layouts"]
    for slot in older["speed"][0]["slots"]:
        del slot["reads"], slot["writes"]
    path = tmp_path / "a.json"
    write_results(path, {**older, "minor": 3})
    read = read_results(path)
    assert read.run_id is None
    assert [(slot.reads, slot.writes) for slot in read.speed[0].slots] == [(1.0, 1.0)] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": "optreg.bench/2"}', "has schema optreg.bench/2, this optreg reads optreg.bench/1; read it with"),
        ('{"schema": "optreg.list/1"}', "its schema is 'optreg.list/1', not 'optreg.bench/1'"),
        ("[1]", "holds no JSON object"),
        ("{", "is no results file: Expecting"),
        ('{"schema": "optreg.bench/1", "started": "", "speed": [{"optimizer": "a"}]}', "a SpeedEntry lacks implementa"),
        ('{"schema": "optreg.bench/1", "started": "", "speed": [3]}', "a SpeedEntry is an object, received 3"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InvalidResults, match="a.json") as caught:
        read_results(path)
    assert message in str(caught.value)


def test_a_file_is_replaced_whole_or_not_at_all(results: Results, tmp_path: Path) -> None:
    path = written(results, tmp_path / "a.json")
    before = path.read_text()
    with pytest.raises(ValueError, match="JSON compliant"):
        write_results(path, {"value": math.nan})
    assert path.read_text() == before
    assert json.loads(before)["schema"] == "optreg.bench/1"
