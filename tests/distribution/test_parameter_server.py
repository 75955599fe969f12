"""Training with parameter servers equals training without, and goes on when a worker dies.

Both servers and one worker share the process of the coordinator, and talk to it through gRPC as if they did not: a
process for each would load TensorFlow twice more. The worker that is killed has its own.
"""

from __future__ import annotations

import json

import pytest

from .checks import failures
from .processes import Process, ended, free_addresses


@pytest.mark.slow
def test_partitioned_variables_asynchronous_steps_checkpoints_and_a_lost_worker(tmp_path):
    addresses = free_addresses(4)
    (tmp_path / "cluster.json").write_text(json.dumps({"ps": addresses[:2], "worker": addresses[2:]}))
    processes = [Process("parameter_server", [role, tmp_path], tmp_path) for role in ("coordinator", "worker")]
    with ended(processes) as (coordinator, worker):
        assert coordinator.wait(240) == 0, coordinator.output
        assert failures(tmp_path / "report.json", coordinator.output) == {}
        assert worker.wait(60) == -9, worker.output
    assert len(json.loads((tmp_path / "report.json").read_text())) == 12
