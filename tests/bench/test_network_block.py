"""The benchmark downloads nothing: that its tests see to this, in this process and in children, is tested here."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request

import pytest
from tests.bench.network_block import NetworkBlocked

from optreg.bench.tasks.catalogue import offers
from optreg.isolation import run_isolated

REACHING_OUT = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except OSError as error:
    print(type(error).__name__)
"""

LOADING = """
def load(_):
    import socket
    from optreg.bench.tasks.catalogue import SUITES, offers
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    except OSError as error:
        blocked = type(error).__name__
    loaded = {}
    for name, offer in offers().items():
        if not offer.task.absent():
            loaded[name] = offer.task.make(0, 1).fingerprint
    return {"blocked": blocked, "loaded": loaded}
"""


@pytest.fixture(scope="module")
def early() -> str:
    try:
        socket.getaddrinfo("example.org", 80)
    except OSError as error:
        return type(error).__name__
    return ""


def test_what_leaves_the_machine_raises_and_what_stays_on_it_works() -> None:
    with pytest.raises(NetworkBlocked, match="looks up 'example.org'"):
        socket.create_connection(("example.org", 80), timeout=1)
    with socket.socket() as outward, pytest.raises(NetworkBlocked, match=r"connects to \('192.0.2.1', 80\)"):
        outward.connect(("192.0.2.1", 80))
    with pytest.raises(OSError, match="the tests reach no network"):
        urllib.request.urlopen("http://example.org", timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_every_python_that_a_test_starts_is_blocked_too() -> None:
    done = subprocess.run([sys.executable, "-c", REACHING_OUT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "NetworkBlocked"


def test_a_fixture_of_a_module_is_blocked_as_its_tests_are(early: str) -> None:
    assert early == "NetworkBlocked"


@pytest.mark.slow
def test_the_data_of_every_task_load_in_a_child_that_reaches_no_network(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("loading")
    (folder / "load_everything.py").write_text(LOADING)
    monkeypatch.syspath_prepend(str(folder))
    outcome = run_isolated("load_everything:load", timeout=600)
    assert outcome.status == "finished", outcome
    assert outcome.value["blocked"] == "NetworkBlocked"
    able = {name for name, offer in offers().items() if not offer.task.absent()}
    assert set(outcome.value["loaded"]) == able
    assert {"digits", "cancer", "ridge", "mnist1d", "characters", "embedding"} <= able
    assert all(len(fingerprint) == 64 for fingerprint in outcome.value["loaded"].values())
