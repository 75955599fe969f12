"""The page: all exhibits of a results file, rendered by a template that escapes everything it is given."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from optreg.bench.report.canvas import require
from optreg.bench.report.comparison import comparison
from optreg.bench.report.figure import Exhibit, Section, Table
from optreg.bench.report.fitting import fitted
from optreg.bench.report.landscapes import landscape_exhibits
from optreg.bench.report.memory import memory_exhibits
from optreg.bench.report.properties import property_exhibits
from optreg.bench.report.ranking import anchor_name, ours_only, ranking_exhibits
from optreg.bench.report.replicas import replica_exhibits
from optreg.bench.report.rounds import round_exhibits
from optreg.bench.report.speed import speed_exhibits
from optreg.bench.report.split import split_exhibits
from optreg.bench.report.text import clean, command, number, series_name, unique
from optreg.bench.report.training import agreement_exhibits, training_exhibits
from optreg.errors import OptregError

Record = Mapping[str, Any]

MOST_BYTES = 2_000_000
"""A report stays below; paths of test functions and lines of single seeds go first, then the largest drawings."""

_TEMPLATE = "report.html"
_FEW = 4  # starts of each function that are drawn where the page would grow too large


class UnreadableResults(OptregError, ValueError):
    """The file holds no results of the benchmark that this version can show."""


def render(document: Record, *, baseline: Record | None = None, files: tuple[str, str] = ("results", "")) -> str:
    """Return the page for a results document, as ``optreg.bench.document`` makes it and ``--json`` writes it.

    Args:
        document: The results.
        baseline: Older results to compare them with.
        files: What the two are called on the page.

    Raises:
        MissingExtra: jinja2 or matplotlib is not installed.
        UnreadableResults: The document has not the parts of a results file.
    """
    require()
    _check(document, files[0])
    if baseline is not None:
        _check(baseline, files[1])
    sections = list(_sections(document, baseline, files))
    thinners = partial(_functions, document, drawn_starts=_FEW), partial(_training, document, singles=False)
    for thinner in thinners:
        if len(_page(document, sections).encode()) < MOST_BYTES:
            break
        drawn = thinner()
        sections = [drawn if it.name == drawn.name else it for it in sections]
    return fitted(sections, lambda lighter: _page(document, lighter), MOST_BYTES)


def _check(document: Record, name: str) -> None:
    schema = str(document.get("schema", "")) if isinstance(document, Mapping) else ""
    parts = ("summary", "training", "speed", "options", "machine", "subjects", "argv")
    missing = [part for part in parts if not isinstance(document, Mapping) or part not in document]
    if not schema.startswith("optreg.bench/") or missing:
        lacks = f"; it lacks {', '.join(missing)}" if missing else ""
        raise UnreadableResults(
            f"{clean(name)} holds no results of optreg bench (schema {clean(schema) or 'none'}){lacks}; "
            "write them with optreg bench --json FILE"
        )


def _page(document: Record, sections: Sequence[Section]) -> str:
    import jinja2  # noqa: PLC0415 - of the report extra

    folder = importlib.resources.files("optreg.bench.report").joinpath("templates")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page: str = environment.get_template(_TEMPLATE).render(
        title=_title(document),
        facts=_facts(document),
        findings=list(_findings(document)),
        sections=[section for section in sections if section.exhibits],
        command=command(*document["argv"]) if document["argv"] else "",
        notes=[clean(note) for note in document.get("notes", [])],
        interrupted=bool(document.get("interrupted")),
    )
    return page


def _title(document: Record) -> str:
    names = [clean(name) for name in unique([it["optimizer"] for it in document["subjects"]])]
    return ", ".join(names) if names else "no optimizer"


def _facts(document: Record) -> list[tuple[str, str]]:
    machine = document["machine"]
    versions = ", ".join(f"{clean(name)} {clean(version)}" for name, version in machine.get("versions", {}).items())
    devices = ", ".join([*machine.get("devices", []), *(f"no {kind}" for kind in machine.get("absent_devices", []))])
    facts = [
        ("measured", f"{document.get('started', '')} to {document.get('finished', '')}"),
        ("processor", f"{machine.get('processor', '')}, {machine.get('usable_cores', '?')} cores"),
        ("devices", devices),
        ("software", f"Python {machine.get('python', '?')}, {versions}"),
    ]
    stolen = machine.get("stolen_seconds")
    if stolen:
        facts.append(("disturbed", f"the hypervisor kept {number(stolen)} processor seconds from this machine"))
    return [(name, clean(value)) for name, value in facts]


def _findings(document: Record) -> Iterator[str]:
    """Yield what the results come to, in a sentence each; nothing that an interval does not carry."""
    standings = ours_only(document["summary"].get("standings", []))
    if len(standings) > 1:
        yield _standing_sentence(standings)
    peers = [row for row in document["summary"].get("speed", []) if row["ratio_interval"]]
    if peers:
        slower = sum(row["ratio_interval"]["low"] > 1 for row in peers)
        faster = sum(row["ratio_interval"]["high"] < 1 for row in peers)
        yield (
            f"Of {len(peers)} comparisons with other libraries, ours is faster beyond noise in {slower}, slower in "
            f"{faster}, and "
            f"{len(peers) - slower - faster} show no difference."
        )
    misfits = [it for it in document["summary"].get("training", []) if it["outcome"]["too_good"]]
    for row in misfits:
        name = series_name(row["optimizer"], row["implementation"], row["setting"])
        yield f"{name} on {clean(row['task'])} is better than can be true: look for leaked answers."
    for task in document.get("tasks", []):
        if task["state"]["name"] != "finished":
            yield f"Task {clean(task['name'])} ({clean(task['origin'])}) was not run: {clean(task['state']['reason'])}."


def _standing_sentence(standings: list[Record]) -> str:
    leader = standings[0]
    name = series_name(leader["optimizer"], leader["implementation"], leader["setting"])
    over = f"over {leader['tasks']} task{'s' if leader['tasks'] > 1 else ''}"
    low, high = leader["speed_up_low"], leader["speed_up_high"]
    if low is None or low <= 1 <= high:
        return f"{name} comes out first {over}, but the seeds do not tell it from {anchor_name(standings)}."
    factor = f"{number(leader['speed_up'])} times [{number(low)} … {number(high)}]"
    return f"{name} trains fastest {over}: {factor} fewer steps to the target than {anchor_name(standings)}."


def _sections(document: Record, baseline: Record | None, files: tuple[str, str]) -> Iterator[Section]:
    against = comparison(document, baseline, files=files) if baseline is not None else None
    yield Section("compared", "Compared", "What changed since the baseline.", [against] if against else [])
    yield Section("quality", "Which trains best", "Over all tasks together.", list(ranking_exhibits(document)))
    yield _training(document)
    yield _functions(document)
    yield Section("properties", "Properties", "What an optimizer does and does not.", list(property_exhibits(document)))
    speed = [*speed_exhibits(document), *round_exhibits(document)]
    yield Section("speed", "Speed", "The update step alone.", speed)
    yield Section("replicas", "Replicas", "One optimizer in several places at once.", list(replica_exhibits(document)))
    yield Section("memory", "Memory", "What has to be kept between steps.", list(memory_exhibits(document)))
    yield Section("setup", "What was measured", "Settings, and what did not finish.", list(_setup(document)))


def _training(document: Record, *, singles: bool = True) -> Section:
    exhibits = [*training_exhibits(document, singles=singles), *agreement_exhibits(document), *split_exhibits(document)]
    return Section("training", "Training", "Task by task, from paired seeds.", exhibits)


def _functions(document: Record, *, drawn_starts: int = 16) -> Section:
    exhibits = list(landscape_exhibits(document, drawn_starts=drawn_starts))
    return Section("functions", "Test functions", "Known ground, from many starts.", exhibits)


def _setup(document: Record) -> Iterator[Exhibit]:
    again = command(*document["argv"]) if document["argv"] else "optreg.bench.run(...)"
    rows = [
        (
            series_name(it["optimizer"], it["implementation"]),
            clean(f"{it['origin']} {it['version']}"),
            clean(", ".join(f"{name}={value!r}" for name, value in it["hyperparameters"].items())),
        )
        for it in document["subjects"]
        if it["origin"]
    ]
    table = Table(("optimizer", "from", "hyperparameters"), rows)
    yield Exhibit(
        "settings", "Settings", "Hyperparameters as they ran; a search changes the learning rate alone.", table, again
    )
    broken = list(_unfinished(document))
    if broken:
        table = Table(("what", "state", "why"), broken)
        yield Exhibit(
            "unfinished", "What did not finish", "Kept, and counted as missed where a target was set.", table, again
        )


def _unfinished(document: Record) -> Iterator[tuple[str, str, str]]:
    for run in document["training"]:
        if run["state"]["name"] != "finished":
            label = series_name(run["optimizer"], run["implementation"], run["setting"])
            what = f"{label} on {clean(run['task'])}, seed {run['seed']}"
            yield what, clean(run["state"]["name"]), clean(run["state"]["reason"])
    for entry in document["speed"]:
        if entry["state"]["name"] != "finished":
            label = series_name(entry["optimizer"], entry["implementation"])
            what = f"{label}, {clean(entry['execution'])} on {clean(entry['layout'])}"
            yield what, clean(entry["state"]["name"]), clean(entry["state"]["reason"])
    for it in document.get("descents", []):
        if it["state"]["name"] != "finished":
            what = f"{series_name(it['optimizer'], setting=it['setting'])} on {clean(it['landscape'])}"
            yield what, clean(it["state"]["name"]), clean(it["state"]["reason"])
    for what, entry in _others(document):
        if entry["state"]["name"] != "finished":
            yield clean(what), clean(entry["state"]["name"]), clean(entry["state"]["reason"])


def _others(document: Record) -> Iterator[tuple[str, Record]]:
    """Yield what is measured besides training, functions and speed, with its name."""
    for it in document.get("memory", []):
        yield f"{series_name(it['optimizer'], it['implementation'])}, memory on {it['layout']}", it
    for it in document.get("replicas", []):
        name = series_name(it["optimizer"], it["implementation"])
        yield f"{name}, {it['strategy']} with {it['replicas']} replicas on {it['layout']}", it
    for it in document.get("splits", []):
        yield f"{series_name(it['optimizer'], it['implementation'])}, parts of a step on {it['task']}", it
    for it in document.get("searches", []):
        yield f"{series_name(it['optimizer'])}, search on {it['task']}", it
