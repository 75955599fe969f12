"""What a made-up Linux tells of its machine is read as its documentation says, and what it does not tell is None."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from optreg.bench import host
from optreg.bench.host import SystemFiles
from optreg.bench.results.machine import Accelerator, Cache, Frequency, Source

CPU = "sys/devices/system/cpu/cpu{}/"


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may run on the second and the third of four processors."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {1, 2}, raising=False)


def told(root: Path, files: dict[str, str]) -> SystemFiles:
    """Return a system that has these files, by their paths."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return SystemFiles(root)


def test_what_is_not_there_is_none_and_never_a_number(tmp_path: Path) -> None:
    empty = SystemFiles(tmp_path)
    assert (empty.caches(), empty.frequency(), empty.virtual(), empty.hypervisor(), empty.smt()) == (None,) * 5
    assert (empty.memory("MemTotal"), empty.stolen_seconds(), empty.clock(), empty.throttled()) == (None,) * 4
    assert (empty.granted_cores(4), empty.granted_bytes(), empty.huge_pages()) == (None,) * 3
    assert (empty.address_randomization(), empty.clock_source()) == (None, None)


def test_caches_are_those_of_the_first_core_that_may_be_used(tmp_path: Path) -> None:
    at = CPU.format(1) + "cache/index{}/{}"
    parts = {"level": ("1", "3"), "type": ("Data", "Unified"), "size": ("48K", "260M"), "shared_cpu_list": ("1", "0-3")}
    files = {at.format(number, name): f"{values[number]}\n" for name, values in parts.items() for number in (0, 1)}
    del files[at.format(0, "shared_cpu_list")]
    found = told(tmp_path, {**files, CPU.format(0) + "cache/index0/size": "1K"}).caches()
    assert found == [Cache(1, "data", 48 * 1024, None), Cache(3, "unified", 260 * 1024**2, 4)]


@pytest.mark.parametrize(("cpus", "count"), [("0", 1), ("0-3", 4), ("0-1,8-9", 4), ("0,2,7", 3), ("", None)])
def test_a_list_of_processors_is_counted(cpus: str, count: int | None) -> None:
    assert host._count(cpus) == count


def test_the_governor_is_said_with_all_that_differ_and_frequencies_in_hertz(tmp_path: Path) -> None:
    files = {CPU.format(core) + "cpufreq/scaling_governor": name for core, name in enumerate("axbc")}
    files |= {CPU.format(1) + "cpufreq/scaling_driver": "intel_pstate", CPU.format(1) + "cpufreq/cpuinfo_min_freq": "8"}
    files |= {CPU.format(core) + "cpufreq/scaling_cur_freq": f"{core}00" for core in (1, 2)}
    system = told(tmp_path, files)
    assert system.frequency() == Frequency("b, x", "intel_pstate", 8000, None)
    assert system.clock() == [100_000, 200_000]
    (tmp_path / CPU.format(2) / "cpufreq/scaling_cur_freq").unlink()
    assert system.clock() is None  # a part of the cores is no answer


def test_slowing_down_for_heat_is_counted_over_the_cores_in_use(tmp_path: Path) -> None:
    counts = {CPU.format(core) + "thermal_throttle/core_throttle_count": str(10**core) for core in range(4)}
    assert told(tmp_path, counts).throttled() == 110


@pytest.mark.parametrize(
    ("flags", "files", "virtual", "hypervisor"),
    [
        ("fpu hypervisor sse", {"sys_vendor": "QEMU\n", "product_name": "Standard PC\n"}, True, "QEMU Standard PC"),
        ("fpu hypervisor sse", {}, True, None),
        ("fpu sse", {"sys_vendor": "Maker", "product_name": "Laptop"}, False, None),
        ("", {"sys_vendor": "Maker"}, None, None),
    ],
)
def test_a_virtual_machine_is_told_from_a_real_one(
    tmp_path: Path, flags: str, files: dict[str, str], virtual: bool | None, hypervisor: str | None
) -> None:
    known = {f"sys/class/dmi/id/{name}": text for name, text in files.items()}
    system = told(tmp_path, {**known, "proc/cpuinfo": f"model name\t: Fast One\nflags\t\t: {flags}\n" if flags else ""})
    assert (system.virtual(), system.hypervisor()) == (virtual, hypervisor)
    assert not flags or system.processor() == "Fast One"


def test_memory_stolen_time_and_switches_are_read_in_plain_units(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": "MemTotal:       1000 kB\nMemAvailable:    300 kB\n",
        "proc/stat": "cpu  1 2 3 4 5 6 7 250 9 10\ncpu0 0 0 0 0 0 0 0 8 0 0\n",
        "sys/devices/system/cpu/smt/active": "1",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        "proc/sys/kernel/randomize_va_space": "2",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    }
    system = told(tmp_path, files)
    assert (system.memory("MemTotal"), system.memory("MemAvailable")) == (1_024_000, 307_200)
    assert system.stolen_seconds() == 250 / os.sysconf("SC_CLK_TCK")
    assert (system.smt(), system.huge_pages(), system.address_randomization()) == (True, "madvise", 2)
    assert system.clock_source() == "tsc"


@pytest.mark.parametrize(
    ("groups", "files", "cores", "size"),
    [
        ("0::/", {}, 4.0, 1_024_000),
        ("0::/", {"cpu.max": "max 100000", "memory.max": "max"}, 4.0, 1_024_000),
        ("0::/", {"cpu.max": "150000 100000", "memory.max": "4096"}, 1.5, 4096),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5, 1_024_000),
        ("0::/a/b", {"a/cpu.max": "900000 100000"}, 4.0, 1_024_000),
        ("3:cpu,cpuacct:/x", {"cpu,cpuacct/x/cpu.cfs_quota_us": "-1"}, 4.0, 1_024_000),
        (
            "3:cpu:/x\n2:memory:/x\n0::/",
            {
                "cpu/x/cpu.cfs_quota_us": "200000",
                "cpu/x/cpu.cfs_period_us": "100000",
                "memory/x/memory.limit_in_bytes": "8192",
            },
            2.0,
            8192,
        ),
        # A container sees its own group as the root, under the path that it has outside.
        ("2:memory:/docker/abc", {"memory/memory.limit_in_bytes": "2048"}, 4.0, 2048),
        ("2:memory:/", {"memory/memory.limit_in_bytes": "9223372036854771712"}, 4.0, 1_024_000),
    ],
)
def test_quotas_of_control_groups_count_and_so_do_those_of_the_groups_around(
    tmp_path: Path, groups: str, files: dict[str, str], cores: float, size: int
) -> None:
    known = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    system = told(tmp_path, {**known, "proc/self/cgroup": groups, "proc/meminfo": "MemTotal: 1000 kB\n"})
    assert (system.granted_cores(4), system.granted_bytes()) == (cores, size)


def test_the_clock_is_seen_to_make_steps() -> None:
    found = host.timer("tsc")
    assert 0 < found.tick < 0.01
    assert found.resolution > 0
    assert found.source == "tsc"


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_is_named_by_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert host.source_of(package) is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "of somebody else, who installed the package here")
    assert host.source_of(package) is None
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (package / "untracked").write_text("")
    assert host.source_of(package) == Source(commit, changed=False)
    (package / "__init__.py").write_text("x = 1\n")
    assert host.source_of(package) == Source(commit, changed=True)


def test_without_git_and_without_a_driver_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert host.source_of(Path(host.__file__).parent) is None
    assert host.accelerators() is None


def test_what_the_driver_says_of_its_accelerators_is_read_and_what_it_cannot_say_is_none() -> None:
    asked = []

    def answer(words: object) -> str:
        asked.append(words)
        return "Tesla T4, 535.1, 585, 1590, 40, 0x0000000000000004\nOther, 535.1, [N/A], [Not Supported], 40, [N/A]\n"

    first, second = host.accelerators(answer) or ()
    assert first == Accelerator("Tesla T4", "535.1", 585e6, 1590e6, 40.0, "0x0000000000000004")
    assert second == Accelerator("Other", "535.1", None, None, 40.0, None)
    assert len(asked) == 1
