"""The same sweep on a Ray cluster of two workers, each a node of its own, as by a pool."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from optreg.bench import Options, Results, run
from optreg.bench.sweep.crews import NoCluster, Staff, crew_of
from optreg.errors import MissingExtra

ray = pytest.importorskip("ray")

OPTIONS = Options(
    modes=["training"], tasks=["ridge"], seeds=2, epochs=1, schedule="linear", rates=(0.01, 0.1), budget=600
)
NAMES = ["sgd", "adam"]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    from ray.cluster_utils import Cluster

    path = {"PYTHONPATH": ":".join(it for it in sys.path if it)}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "env_vars": path})
    made.add_node(num_cpus=1, env_vars=path)
    yield made.address
    ray.shutdown()
    made.shutdown()


def numbers(results: Results) -> dict[tuple[str, str, int], tuple[object, ...]]:
    return {
        (it.optimizer, it.setting, it.seed): (
            it.state,
            it.losses,
            [(look.loss, look.metric) for look in it.evaluations],
        )
        for it in results.training
    }


def test_a_cluster_of_two_workers_gives_the_numbers_of_a_pool(cluster: str) -> None:
    pooled = run(NAMES, replace(OPTIONS, workers=2))
    clustered = run(NAMES, replace(OPTIONS, executor="ray", address=cluster))
    assert clustered.machine["sweep"]["executor"] == "ray"
    assert clustered.machine["sweep"]["workers"] == 2
    assert {it.state.name for it in clustered.training} == {"finished"}
    assert len(clustered.training) == 8
    assert numbers(clustered) == numbers(pooled)
    assert [(it.optimizer, it.chosen) for it in clustered.searches] == [
        (it.optimizer, it.chosen) for it in pooled.searches
    ]


def test_a_cluster_that_is_not_there_is_said() -> None:
    with pytest.raises(NoCluster, match="no Ray cluster at 127.0.0.1:1: "), crew_of(Staff("ray", 0, "127.0.0.1:1")):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"optreg\[ray\]"), crew_of(Staff("ray")):
        pass
