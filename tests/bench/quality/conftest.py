"""What the tests of training need: tasks that a plugin contributes."""

from __future__ import annotations

from typing import Any

import pytest

from optreg.registry.contributions import Contribution, ContributionFailure


@pytest.fixture
def contributed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a plugin of the distribution ``crockery`` contribute tasks, and others fail."""

    def contribute(*values: Any, failures: tuple[ContributionFailure, ...] = ()) -> None:
        found = [Contribution("crockery", "1.2", "crockery_tools", value) for value in values]

        def ask(hook: str, *, objection: Any) -> list[Contribution]:
            assert hook == "bench_workloads"
            assert [objection(item.value) for item in found] == [""] * len(found)
            return found

        monkeypatch.setattr("optreg.bench.tasks.catalogue.contributed", ask)
        monkeypatch.setattr("optreg.bench.tasks.catalogue.contribution_failures", lambda: list(failures))

    return contribute
