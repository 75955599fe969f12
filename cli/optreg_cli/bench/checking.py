"""``optreg bench selfcheck`` and ``optreg bench probe``: what this machine can tell, and what it can do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from optreg_cli import rendering
from optreg_cli.bench import codes

if TYPE_CHECKING:
    from optreg.bench.quality.inclusion import Inclusion

Budget = Annotated[float, typer.Option(min=1, help="Seconds for everything.")]
Comparisons = Annotated[int, typer.Option(min=1, help="Comparisons of equal work.")]
Repetitions = Annotated[int, typer.Option(min=1, help="Comparisons of each slowdown.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the kernels; 0 for all cores.")]

Quality = Annotated[
    bool,
    typer.Option(
        "--quality", help="Check the search for learning rates instead: no optimizer may lose to a special case."
    ),
]

_CONTAINED = (
    ("sgd", ("sgd", "sgd[momentum=0.9]")),
    # With a large epsilon Adam divides by a constant: what is left is momentum with a correction at the start.
    ("sgd[momentum=0.9]", ("adam", "adam[epsilon=1.0]")),
)
_NEEDED = 0.10  # a smallest detectable slowdown above this is too noisy a machine


def selfcheck(
    *,
    comparisons: Comparisons = 100,
    repetitions: Repetitions = 20,
    budget: Budget = 240.0,
    quality: Quality = False,
    json: Json = False,
) -> None:
    """Count false alarms between equal runs on this machine, and find the smallest slowdown that compare sees.

    Exits with 4 where that is more than 10 %, and with --quality where the search let an optimizer lose to a special
    case of itself.
    """
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    if quality:
        raise typer.Exit(_check_search(json=json))
    from optreg.bench.selfcheck import selfcheck as check

    done = check(comparisons=comparisons, repetitions=repetitions, budget=budget, observe=_tell)
    if json:
        rendering.write_json("optreg.bench.selfcheck/1", {**dataclasses.asdict(done), "smallest": done.smallest})
    else:
        rendering.lines([f"equal work: {done.alarms} alarms in {done.comparisons} comparisons"], indent="")
        rows = [(f"{it.slowdown:.0%}", f"{it.found} of {it.comparisons}") for it in done.detections]
        rendering.table(("slower by", "found"), rows)
        smallest = "none of these" if done.smallest is None else f"{done.smallest:.0%}"
        rest = "" if done.complete else "; the budget ended first: raise --budget for all comparisons"
        rendering.lines([f"smallest slowdown found at least 19 times in 20: {smallest}{rest}"], indent="")
    fine = done.smallest is not None and done.smallest <= _NEEDED
    raise typer.Exit(codes.FINE if fine else codes.TOO_NOISY)


def _check_search(*, json: bool) -> int:
    from optreg.bench.quality.inclusion import check_inclusions

    found = check_inclusions(_CONTAINED, observe=_tell)
    if json:
        rows = [{**dataclasses.asdict(it), "holds": it.holds} for it in found]
        rendering.write_json("optreg.bench.selfcheck-quality/1", {"inclusions": rows})
    else:
        columns = ("special case", "general, as tuned", "better in", "95 %", "holds")
        rendering.table(columns, [_inclusion_cells(it) for it in found])
    return codes.FINE if all(it.holds for it in found) else codes.TOO_NOISY


def _inclusion_cells(found: Inclusion) -> tuple[str, ...]:
    low, high = found.wins.low, found.wins.high
    between = "-" if low is None or high is None else f"{low:.0%} .. {high:.0%}"
    return (found.special, found.chosen, f"{found.wins.value:.0%}", between, "yes" if found.holds else "NO")


def probe(*, threads: Threads = 0, json: Json = False) -> None:
    """Measure what the memory of this machine gives to steps that read and write in place, from 256 KiB to 1 GiB."""
    from optreg_cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    from optreg.bench.speed.ceiling import usable_threads
    from optreg.bench.speed.probing import probe_machine

    rungs = probe_machine(threads=usable_threads(threads), observe=_tell)
    if json:
        rendering.write_json("optreg.bench.probe/1", {"rungs": [dataclasses.asdict(rung) for rung in rungs]})
        return
    rows = [
        (
            f"{rung.footprint / 2**20:g} MiB",
            str(rung.slots),
            f"{rung.bytes_per_second / 1e9:.3g}",
            f"{rung.interval.low / 1e9:.3g} .. {rung.interval.high / 1e9:.3g}",
        )
        for rung in rungs
    ]
    rendering.table(("footprint", "slots", "GB/s", "between"), rows)


def _tell(words: str) -> None:
    typer.echo(words, err=True)
