"""What the tables of ``optreg bench`` say of results made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from optreg.bench import Results
from optreg.bench.results import Sample, SpeedEntry
from optreg_cli.bench.tables import show

MACHINE = {
    "processor": "a processor",
    "usable_cores": 2,
    "python": "3.11",
    "versions": {"tensorflow": "2.21"},
    "devices": ["cpu:0"],
    "absent_devices": [],
}


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return what is shown of entries, each given by its name, traces and samples of each process."""

    def make(*entries: tuple[str, int, Sequence[Sequence[float]]]) -> str:
        results = Results("", machine=MACHINE)
        for name, traces, processes in entries:
            entry = SpeedEntry(name, "optreg", "graph", "tiny", "cpu:0", 2, 1, build=0.1, traces=traces)
            for process, seconds in enumerate(processes):
                entry.samples += [Sample(number, 0, 1, value, process) for number, value in enumerate(seconds)]
            results.speed.append(entry)
        show(results)
        return " ".join(capsys.readouterr().out.split())

    return make


STEADY = [0.010, 0.011, 0.012, 0.013, 0.014, 0.015]


def test_a_step_that_was_traced_again_is_told(shown: Callable[..., str]) -> None:
    text = shown(("adam", 1, [STEADY]), ("late", 2, [STEADY]), ("adagrad", 1, [STEADY]))
    assert "traced again: late graph optreg on tiny, cpu:0 (2 times)" in text
    assert "traced again" not in shown(("adam", 1, [STEADY]))


def test_processes_that_differ_by_more_than_their_samples_are_told(shown: Callable[..., str]) -> None:
    quicker = [value - 0.008 for value in STEADY]
    text = shown(("adam", 1, [STEADY, STEADY]), ("sgd", 1, [STEADY, quicker]))
    # By hand, in ms^2: 2 * 17.5 within the processes, 12 * 4^2 between them; 192 of 227 are 84.6 %.
    told = "Processes differ by more than their samples do; the intervals hold it: "
    assert f"{told}sgd graph optreg on tiny, cpu:0 (85% of the variance)." in text
    assert "Processes differ" not in shown(("adam", 1, [STEADY, STEADY]))
