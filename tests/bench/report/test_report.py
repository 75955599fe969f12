"""The page: what must be on it, that nothing on it is trusted, and that it needs nothing but itself."""

from __future__ import annotations

import copy
import html
import json
import re
import shlex
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import asdict, fields
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from optreg.bench import Effort, Layout, Options, document, run
from optreg.bench.memory.records import MemoryEntry
from optreg.bench.probes.probe import Answer
from optreg.bench.quality.split import SplitEntry
from optreg.bench.replicas.records import ReplicaEntry
from optreg.bench.report import MOST_BYTES, render
from optreg.bench.report.again import FLAGS, again
from optreg.bench.report.canvas import _short, _ungrouped, drawing, logarithmic
from optreg.bench.report.figure import Exhibit, Section, Table
from optreg.bench.report.fitting import fitted
from optreg.bench.report.memory import memory_exhibits
from optreg.bench.report.page import UnreadableResults
from optreg.bench.report.ranking import ranking_exhibits
from optreg.bench.report.rounds import round_exhibits
from optreg.bench.report.text import clean, command, number, seconds
from optreg.bench.results import SlotBytes, State
from optreg.bench.speed.layouts import LAYOUTS
from optreg.errors import MissingExtra
from optreg_cli.main import app

HOSTILE = "<script>alert('x')</script>[bold]\x1b[31m$x^2$&amp;\u202e\x00\"'"


TINY = Layout("tiny", ((3, 4), (5,)), "two small tensors")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of everything, as short as it can be, with answers to two probes, and memory and replicas made up."""
    file = tmp_path_factory.mktemp("layouts") / "less.json"
    file.write_text('{"shapes": [[2, 2]]}', encoding="utf-8")
    options = Options(
        layouts=[TINY, str(file)],
        modes=("speed", "training", "landscapes"),
        executions=("graph", "eager"),
        against=("tf_keras",),
        devices=("cpu:0",),
        tasks=("cancer", "ridge"),
        landscapes=("rosenbrock", "sphere"),
        seeds=2,
        epochs=1,
        schedule="linear",
        warmup=0.125,
        trials=3,
        budget=900,
        effort=Effort(sample_seconds=0.0005, warm_ups=1, fewest=6, most=6),
    )
    found = run(["sgd", "adam"], options, argv=["bench", "sgd", "adam"])
    found.options |= {"strategies": ("multi-worker",), "replicas": (1, 3), "replicated_layouts": (str(file),)}
    found.memory += made_up_memory()
    found.replicas += made_up_replicas()
    for name, answer in (("sgd", "yes"), ("adam", "no")):
        found.properties.append(Answer(name, "rotation", "invariance", "Does it turn?", answer, f"It is {answer}."))
        found.properties.append(Answer(name, "nan", "mishaps", "Is it lost?", "failed", "RuntimeError: gone"))
    stepped = [it for it in found.speed if it.implementation == "optreg"]
    stepped[0].build, stepped[0].trace, stepped[0].compile, stepped[0].first = 0.25, 0.5, 2.0, 0.0625
    found.splits.append(SplitEntry("adam", "optreg", "ridge", "cpu:0", State("failed", "no part is apart")))
    plain: dict[str, Any] = json.loads(json.dumps(document(found), allow_nan=False))
    for row in plain["summary"]["speed"]:
        row["ceiling"] = 1.06 if identity(row) == identity(asdict(stepped[0])) else row["ceiling"] and 0.5
    return plain


def identity(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(entry[key] for key in ("optimizer", "implementation", "execution", "layout", "device"))


def made_up_memory() -> list[MemoryEntry]:
    slots = [SlotBytes("m", 68, 68), SlotBytes("v", 68, 64)]
    kept = MemoryEntry("adam", "optreg", "tiny", "cpu:0", 17, slots=slots, declares=True)
    kept.allocated, kept.step_extra = 200_000_000, 3_250_000
    lost = MemoryEntry("sgd", "optreg", "less", "cpu:0", state=State("failed", "the memory is on holiday"))
    return [kept, lost]


def made_up_replicas() -> list[ReplicaEntry]:
    kept = ReplicaEntry("sgd", "optreg", "multi-worker", 3, "less", "cpu:0", samples=[0.01], reductions=[4e-3])
    kept.equal, kept.deviation = True, 0.0
    lost = ReplicaEntry("adam", "optreg", "multi-worker", 3, "less", "cpu:0", state=State("failed", "a worker left"))
    return [kept, lost]


@pytest.fixture(scope="module")
def page(results: dict[str, Any]) -> str:
    return render(results)


class Outline(HTMLParser):
    """Collects tags, identifiers and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.identifiers: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.identifiers += [str(given["id"])] if "id" in given else []
        self.links += [str(given[key]) for key in ("href", "src", "xlink:href") if key in given]
        self.labels += [str(given["aria-label"])] if given.get("role") == "img" else []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_all_exhibits_are_there_each_with_data_command_and_description(page: str) -> None:
    outline = Outline(page)
    expected = {"standings", "profiles", "pareto", "curves-0", "times-0", "rates-0", "ladder", "ways-0", "matrix"}
    expected |= {"agreement", "steps-0", "steps-1", "roofline", "peers", "bytes", "settings", "rounds-0", "rounds-1"}
    expected |= {"processes", "replicas-table", "unfinished"}
    assert expected <= set(outline.identifiers)
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    for figure in figures:
        assert "<table" in figure
        assert "Command that makes it again" in figure
        assert re.search(r"<code>optreg bench .+</code>", figure)
        if "<svg" in figure:
            assert re.search(r'role="img" aria-label="[^"]{20,}', figure)


def table_of(page: str, exhibit: str) -> list[list[str]]:
    """Return the rows of the data of an exhibit, the names of the columns first."""
    [figure] = re.findall(rf'<figure id="{exhibit}">.*?</figure>', page, re.DOTALL)
    table = re.findall(r"<table.*?</table>", figure, re.DOTALL)[-1]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [[html.unescape(it) for it in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_profiles_have_their_band_in_the_drawing_and_in_the_table(results: dict[str, Any]) -> None:
    changed = copy.deepcopy(results)
    standings = changed["summary"]["standings"]
    band = {"low": [0.25] * 61, "high": [0.75] * 61, "score_low": 0.125, "score_high": 0.875}
    for standing in standings:
        standing["profile"] |= {"shares": [0.5] * 61, "score": 0.5, "band": band}
    assert len(standings) == 4  # two optimizers by default and tuned
    [profiles] = [it for it in ranking_exhibits(changed) if it.name == "profiles"]
    assert {row[1:] for row in profiles.data.rows} == {(*["0.5 [0.25 … 0.75]"] * 5, "0.5 [0.12 … 0.88]")}
    assert profiles.svg.count("fill-opacity: 0.14") == len(standings)
    assert "95 % intervals of a stratified bootstrap over seeds" in profiles.caption
    assert profiles.warnings == []


@pytest.mark.parametrize("older", [False, True], ids=["one seed", "results without bands"])
def test_profiles_of_one_seed_have_no_band_and_say_so(results: dict[str, Any], *, older: bool) -> None:
    changed = copy.deepcopy(results)
    for standing in changed["summary"]["standings"]:
        assert standing["profile"]["band"] is not None  # two seeds
        standing["profile"]["band"] = None
        if older:
            del standing["profile"]["band"]
    [profiles] = [it for it in ranking_exhibits(changed) if it.name == "profiles"]
    assert not any("[" in cell for row in profiles.data.rows for cell in row)
    assert "fill-opacity" not in profiles.svg
    assert "bootstrap" not in profiles.caption
    assert profiles.warnings == ["no band: that takes several seeds"]


def test_build_trace_compile_and_first_step_are_four_numbers(page: str) -> None:
    columns, *rows = table_of(page, "steps-0")
    place = columns.index("build")
    assert columns[place : place + 4] == ["build", "trace", "compile", "first step"]
    [row] = [row for row in rows if row[0] == "sgd, graph"]
    assert row[place : place + 4] == ["250 ms", "500 ms", "2 s", "62.5 ms"]


def test_a_step_above_the_limit_of_the_machine_is_marked(page: str) -> None:
    _, *rows = table_of(page, "roofline")
    marked = [row for row in rows if "!" in row[-1]]
    assert marked == [[*marked[0][:-1], "106%!"]]
    assert marked[0][:2] == ["sgd, graph", "tiny"]
    assert {row[-1] for row in rows} == {"106%!", "50%"}
    assert "above 105% of the limit, so one of the two was disturbed: sgd, graph on tiny" in html.unescape(page)


def test_memory_of_processes_stands_beside_the_slots_and_what_failed_is_said(page: str) -> None:
    assert table_of(page, "processes")[1:] == [["adam", "tiny", "cpu:0", "1.360e-04 MB", "200 MB", "3.25 MB"]]
    unfinished = table_of(page, "unfinished")
    assert ["sgd, memory on less", "failed", "the memory is on holiday"] in unfinished
    assert ["adam, multi-worker with 3 replicas on less", "failed", "a worker left"] in unfinished
    assert ["adam, parts of a step on ridge", "failed", "no part is apart"] in unfinished


def test_a_run_of_memory_alone_shows_slots_and_processes(results: dict[str, Any]) -> None:
    slots, processes = memory_exhibits(results | {"speed": []})
    assert [row[2:] for row in slots.data.rows] == [
        ("m", "68", "4", "68", "as declared"),
        ("v", "68", "4", "64", "differs"),
    ]
    assert slots.warnings == ["adam keeps other bytes than its card declares"]
    assert slots.command == processes.command
    assert "--mode memory" in slots.command
    assert list(memory_exhibits(results | {"speed": [], "memory": results["memory"][1:]})) == []


def test_samples_stand_in_the_order_of_rounds_with_outliers_as_rings() -> None:
    def entry(optimizer: str, values: list[float]) -> dict[str, Any]:
        keys = {"implementation": "optreg", "execution": "graph", "layout": "tiny", "device": "cpu:0"}
        taken = [{"round": place, "position": 0, "seconds": value} for place, value in enumerate(values)]
        return {"optimizer": optimizer, **keys, "samples": taken}

    drifting, disturbed = entry("sgd", [1.0] * 10 + [2.0] * 10), entry("adam", [1.0, 1.1] * 9 + [1.3, 9.0])
    found = {"speed": [drifting, disturbed], "options": {}, "subjects": [{"optimizer": "sgd"}], "training": []}
    [exhibit] = round_exhibits(found)
    assert [row[3:] for row in exhibit.data.rows] == [("0", "0", "1.33", "2"), ("1", "1", "8.18", "1.05")]
    # adam: the median is 1.1, the fences 1.25 and 1.4; the earlier half has the median 1.05
    assert len(re.findall(r"<use[^>]*fill-opacity: 0;", exhibit.svg)) == 2
    strokes = max(re.findall(r' d="([^"]*)"', exhibit.svg), key=lambda path: path.count("M"))
    assert strokes.count("M") == 20


def test_the_largest_drawings_go_first_then_the_ends_of_tables_and_both_are_said() -> None:
    def exhibit(name: str, svg: int, rows: int) -> Exhibit:
        return Exhibit(name, name, "", Table(("a",), [("cell",)] * rows), "optreg", "s" * svg)

    def written(sections: Sequence[Section]) -> str:
        return "".join(
            f"{it.svg}{''.join(cell for row in it.data.rows for cell in row)}{''.join(it.warnings)}"
            for section in sections
            for it in section.exhibits
        )

    sections = [
        Section("x", "x", "", [exhibit("a", 5000, 2), exhibit("b", 3000, 900)]),
        Section("y", "y", "", [exhibit("c", 100, 2)]),
    ]
    assert fitted(sections, written, 12_000) == written(sections)
    some = fitted(sections, written, 7_000)
    assert len(some) < 7_000
    assert (some.count("s" * 3000), some.count("the drawing is left out")) == (1, 1)
    least = fitted(sections, written, 1_200)
    assert len(least) < 1_200
    assert least.count("the drawing is left out") == 3
    assert least.count("only the first 20 rows of the table are shown") == 1
    assert least.count("cell") == 24


_COUNTS_FOR = {
    "speed": ("executions", "against", "devices", "hooks"),
    "training": ("against", "devices", "seeds", "epochs", "schedule", "warmup", "trials", "rates", "split"),
    "landscapes": ("trials", "rates"),
    "properties": (),
    "memory": ("against", "devices"),
    "replicas": ("strategies", "replicas", "replicated_layouts", "devices", "against"),
}
_SHOWN = {
    "curves-0": ("training", {"tasks": ["cancer"]}),
    "rates-1": ("training", {"tasks": ["ridge"]}),
    "standings": ("training", {"tasks": ["cancer", "ridge"]}),
    "agreement": ("training", {"tasks": ["cancer", "ridge"]}),
    "pareto": ("training speed", {"tasks": ["cancer", "ridge"], "layouts": ["tiny", "less.json"]}),
    "ladder": ("landscapes", {"landscapes": ["sphere", "rosenbrock"]}),
    "ways-0": ("landscapes", {"landscapes": ["rosenbrock"]}),
    "matrix": ("properties", {}),
    "steps-0": ("speed", {"layouts": ["tiny"]}),
    "steps-1": ("speed", {"layouts": ["less.json"]}),
    "roofline": ("speed", {"layouts": ["tiny", "less.json"]}),
    "peers": ("speed", {"layouts": ["tiny", "less.json"]}),
    "bytes": ("speed", {"layouts": ["tiny", "less.json"]}),
    "rounds-1": ("speed", {"layouts": ["less.json"]}),
    "processes": ("memory", {"layouts": ["tiny", "less.json"]}),
    "replicas-table": ("replicas", {"replicated_layouts": ["less.json"]}),
}


def read_back(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, Any]]:
    """Return the names and options that the command line understands by a command."""
    understood: list[tuple[list[str], Options]] = []
    monkeypatch.setitem(LAYOUTS, "tiny", lambda: TINY)  # which the run was given from Python
    monkeypatch.setattr("optreg_cli.bench.running.show_plan", lambda *given: understood.append(given))
    words = shlex.split(text)
    assert words[0] == "optreg"
    done = CliRunner().invoke(app, [*words[1:], "--dry-run"], prog_name="optreg")
    assert done.exit_code == 0, done.output
    [(names, options)] = understood
    return names, json.loads(json.dumps(asdict(options)))


@pytest.mark.parametrize("exhibit", _SHOWN)
def test_the_command_of_an_exhibit_measures_what_it_shows_as_it_was_measured(
    results: dict[str, Any], page: str, exhibit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, shown = _SHOWN[exhibit]
    [figure] = re.findall(rf'<figure id="{exhibit}">.*?</figure>', page, re.DOTALL)
    names, options = read_back(html.unescape(re.findall(r"<code>(.*?)</code>", figure)[-1]), monkeypatch)
    assert names == ["sgd", "adam"]
    assert options["modes"] == modes.split()
    original, default = results["options"], json.loads(json.dumps(asdict(Options())))
    counts = {"budget", "patience", *(name for mode in modes.split() for name in _COUNTS_FOR[mode])}
    for name in counts:
        assert options[name] == original[name], name
    for name, value in shown.items():
        assert sorted(Path(word).name for word in options[name]) == sorted(value)
        assert all(word in original[name] for word in options[name] if word.endswith(".json"))
    for name in set(options) - counts - set(shown) - {"modes", "layouts", "replicated_layouts"}:
        assert options[name] == default[name], name


def test_every_option_can_stand_in_a_command_or_is_none_of_the_command_line() -> None:
    left_out = {"modes", "suite", "effort", "process"}  # --mode is always said; a suite is what it sets
    assert set(FLAGS) == {field.name for field in fields(Options)} - left_out
    asked = {
        "rates": (1e-05, 0.1),
        "workers": 3,
        "executor": "ray",
        "address": "auto",
        "hooks": True,
        "split": True,
        "schedule": "cosine",
        "warmup": 0.1,
        "patience": 7.5,
        "budget": 7200.0,
        "strategies": ("mirrored", "multi-worker"),
        "replicas": (2,),
    }
    found = {"options": asdict(Options(**asked)), "subjects": [{"optimizer": "sgd[momentum=0.9]"}], "training": []}
    found["speed"] = [{"samples": [{"process": 0}, {"process": 4}]}]
    words = "--schedule cosine --warmup 0.1 "
    words += "--split --hooks --executor ray --workers 3 --ray-address auto --budget 7200 --timeout 7.5 --isolate 5"
    text = again(found, "speed", "training")
    assert text.startswith("optreg bench 'sgd[momentum=0.9]' --mode speed --mode training ")
    assert all(word in text for word in (*re.findall(r"--\S+(?: [^-]\S*)?", words), "--lr-grid 1e-05,0.1"))
    assert "--strategy mirrored --strategy multi-worker --replicas 2" in again(found, "replicas")
    assert "--isolate" not in again(found, "replicas")


def test_the_page_needs_no_address_no_script_and_less_than_two_megabytes(page: str) -> None:
    outline = Outline(page)
    assert not {"script", "link", "iframe", "img", "object", "base", "form"} & set(outline.tags)
    assert "http" not in page.replace("http-equiv", "")
    assert all(link.startswith("#") for link in outline.links)
    assert "url(" not in page.replace("url(#", "")
    assert "default-src 'none'" in page
    assert len(page.encode()) < MOST_BYTES


def test_links_inside_the_page_lead_somewhere_and_no_identifier_comes_twice(page: str) -> None:
    outline = Outline(page)
    assert len(outline.identifiers) == len(set(outline.identifiers))
    assert {link[1:] for link in outline.links} <= set(outline.identifiers)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(outline.identifiers)


def test_every_drawing_is_well_formed_and_coloured_by_the_style_sheet(page: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) >= 12
    for svg in drawings:
        ET.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
        assert "#fe00" not in svg
        assert "#fd00" not in svg
    used = {name for svg in drawings for name in re.findall(r"var\((--[\w-]+)\)", svg)}
    defined = set(re.findall(r"(--[\w-]+):", page))
    assert used <= defined
    dark = page[page.index("prefers-color-scheme: dark") :]
    assert {name for name in used if f"{name}:" not in dark[:2500]} == set()


def test_names_summaries_and_errors_of_plugins_are_text_and_nothing_else(results: dict[str, Any]) -> None:
    hostile = json.loads(
        json.dumps(results).replace('"adam"', json.dumps(HOSTILE)).replace('"cancer"', json.dumps(HOSTILE))
    )
    hostile["tasks"][0]["summary"] = hostile["tasks"][0]["metric"] = HOSTILE
    hostile["properties"][0]["meaning"] = hostile["properties"][0]["question"] = HOSTILE
    hostile["training"][0]["state"] = {"name": "failed", "reason": HOSTILE, "forecast": None}
    hostile["notes"] = [HOSTILE]
    hostile["argv"] = ["bench", HOSTILE]
    hostile["machine"]["processor"] = HOSTILE
    page = render(hostile, baseline=hostile, files=(HOSTILE, HOSTILE))
    outline = Outline(page)
    assert "script" not in outline.tags
    assert "<script" not in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", page)
    shown = clean(HOSTILE)
    assert shown == "<script>alert('x')</script>[bold] [31m$x^2$&amp; \"'"
    assert html.unescape(page).count(shown) > 20
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        root = ET.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
        assert "script" not in {element.tag for element in root.iter()}
    assert any("$x^2$" in "".join(Outline(svg).words) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL))


def without_speed(results: dict[str, Any]) -> dict[str, Any]:
    """Return a copy that takes less time to draw."""
    changed = copy.deepcopy(results) | {"speed": [], "descents": []}
    changed["summary"]["speed"] = []
    return changed


def test_misses_provisional_runs_and_edges_are_said(results: dict[str, Any]) -> None:
    changed = without_speed(results)
    changed["training"][0]["state"] = {"name": "skipped", "reason": "out of time after 3 of 50 steps", "forecast": None}
    changed["searches"][0]["edge"] = "highest"
    text = html.unescape(render(changed))
    assert "did not get to the planned end: provisional, no verdict" in text
    assert "the best learning rate is the highest tried; it may lie beyond" in text
    assert "shorter than the task plans: the order at the planned end may be another" in text
    assert "Learning rate: linear, with a warm-up over 0.125 of the steps, and down to zero at the end of the" in text
    assert "out of time after 3 of 50 steps" in text
    assert ", missed" in text or ">missed" in text


def test_a_metric_that_cannot_be_true_and_a_task_that_failed_stand_at_the_top(results: dict[str, Any]) -> None:
    changed = without_speed(results) | {"searches": []}
    changed["summary"]["training"][0]["outcome"]["too_good"] = True
    changed["tasks"].append(changed["tasks"][0] | {"name": "kiln", "state": {"name": "failed", "reason": "burst"}})
    top = html.unescape(render(changed)).partition("<main>")[0]
    assert "is better than can be true: look for leaked answers" in top
    assert "Task kiln (optreg) was not run: burst." in top


def test_two_files_are_compared_with_a_verdict_for_each_entry(results: dict[str, Any]) -> None:
    slower = copy.deepcopy(results)
    for entry in slower["speed"]:
        if entry["optimizer"] == "sgd" and entry["implementation"] == "optreg":
            entry["samples"] = [
                {**sample, "seconds": 3e-4 + 1e-6 * place} for place, sample in enumerate(entry["samples"] * 4)
            ]
    baseline = copy.deepcopy(slower)
    for entry in baseline["speed"]:
        if entry["optimizer"] == "sgd" and entry["implementation"] == "optreg":
            entry["samples"] = [{**sample, "seconds": sample["seconds"] / 2} for sample in entry["samples"]]
    for entry in slower["speed"]:
        if identity(entry)[:3] == ("adam", "optreg", "eager"):
            entry["state"] = {"name": "diverged", "reason": "no longer finite", "forecast": None}
    page = html.unescape(render(slower, baseline=baseline, files=("new.json", "old.json")))
    figure = page[page.index('id="comparison"') :].partition("</figure>")[0]
    assert "new.json against the baseline old.json" in figure
    rows = re.findall(r"<tr><th[^>]*>(sgd \w+ optreg on .*?)</tr>", figure)
    assert len(rows) == 4
    assert all("<td>2</td>" in row and "slower" in row for row in rows)
    assert "optreg bench report new.json --baseline old.json" in figure
    lost = [row for row in table_of(page, "comparison") if row[0].startswith("adam eager optreg")]
    assert [(row[2], row[-1]) for row in lost] == [("–", "diverged: no longer finite")] * 2
    assert "adam eager optreg on tiny, cpu:0 finished before and diverged: no longer finite" in figure


def test_a_page_of_one_mode_has_only_its_sections(results: dict[str, Any]) -> None:
    bare = results | {"training": [], "tasks": [], "searches": [], "descents": [], "properties": []}
    bare = bare | {"summary": results["summary"] | {"training": [], "standings": []}}
    outline = Outline(render(bare))
    assert {"speed", "memory", "setup"} <= set(outline.identifiers)
    assert not {"training", "functions", "properties", "quality"} & set(outline.identifiers)


def test_paths_are_thinned_out_rather_than_the_page_too_large(
    results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = results | {"training": [], "tasks": [], "searches": [], "speed": []}
    bare = bare | {"summary": {"training": [], "standings": [], "speed": []}}
    whole = len(render(bare).encode())
    monkeypatch.setattr("optreg.bench.report.page.MOST_BYTES", whole)
    assert len(render(bare).encode()) < whole
    monkeypatch.setattr("optreg.bench.report.page.MOST_BYTES", 40_000)
    small = render(bare)
    assert len(small.encode()) < 40_000
    assert "the drawing is left out to keep the page small; its numbers stand here" in small


@pytest.mark.parametrize("content", [{}, {"schema": "other/1"}, {"schema": "optreg.bench/1", "speed": []}, []])
def test_what_is_no_results_file_is_refused_with_what_it_lacks(content: Any) -> None:
    with pytest.raises(UnreadableResults, match=r"^x\.json holds no results of optreg bench .*--json FILE$"):
        render(content, files=("x.json", ""))


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_named(results: dict[str, Any], monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=rf"report needs {missing}: pip install 'optreg\[report\]'"):
        render(results)


def test_a_path_is_written_short_and_stays_the_same_path() -> None:
    long = "M 1.0 2.0 \nL 3.0 4.5 \nL 10.0 6.05 \nC 1 1 2 2 3 3 \nL 4 4 \nz \nM 5 5 \nL 6 6 \n"
    assert _short(long) == "M1 2 3 4.5 10 6.05 C1 1 2 2 3 3 L4 4 z M5 5 6 6"
    assert _ungrouped('<g><g clip="x"><g><use/></g></g>\n</g>') == '<g clip="x"><use/></g>\n'


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.94, 1.06),
        (1.0, 1.0),
        (0.5, 1.3),
        (0.8, 2.9),
        (0.0451, 0.0602),
        (1.0, 7.0),
        (0.3, 3.0),
        (1.0, 30.0),
        (0.28, 10.5),
        (1e-12, 1e2),
    ],
)
def test_a_logarithmic_axis_of_any_span_has_several_round_labels(low: float, high: float) -> None:
    with drawing("ticks") as it:
        (axes,) = it.axes()
        logarithmic(axes.xaxis)
        axes.plot([low, high], [0, 1])
        first, last = axes.get_xlim()
        pairs = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        shown = [label.get_text() for tick, label in pairs if first <= tick <= last]
    assert 3 <= len(shown) <= 8
    assert [float(text) for text in shown] == sorted({float(text) for text in shown})
    assert all(len(text) <= 6 for text in shown)  # as 0.0001


def test_a_drawing_is_the_same_every_time_and_keeps_its_words() -> None:
    def draw() -> str:
        with drawing("x", width=3, height=2) as it:
            (axes,) = it.axes()
            axes.plot([0, 1], [0.123, 0.456])
            axes.set_xlabel("steps until accuracy is 0.9375")
        return it.svg

    assert draw() == draw()
    assert "0.9375" in draw()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1, "1"), (0.01, "0.01"), (1234.5, "1234"), (0.00012, "1.20e-04"), (None, "–"), (float("nan"), "–")],
)
def test_numbers_read_well(value: Any, text: str) -> None:
    assert number(value) == text


def test_times_have_the_unit_that_suits_them_and_commands_can_be_pasted() -> None:
    assert [seconds(value) for value in (2.5, 0.012, 3.4e-5, 5e-9)] == ["2.5 s", "12 ms", "34 µs", "5 ns"]
    assert command("bench", "sgd[momentum=0.9]") == "optreg bench 'sgd[momentum=0.9]'"
