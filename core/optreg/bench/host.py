"""What the operating system says of this machine and of what else happens on it; None for what it does not say."""

from __future__ import annotations

import itertools
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from optreg.bench.results.machine import Accelerator, Cache, Frequency, Source, Timer

_CPUS = "sys/devices/system/cpu"
_GROUPS = "sys/fs/cgroup"
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_READINGS = 1000  # of the clock, to see its smallest step
_PATIENCE = 5.0  # seconds for a program that only answers
_GPU = ("name", "driver_version", "clocks.sm", "clocks.max.sm", "temperature.gpu", "clocks_throttle_reasons.active")
_MEGAHERTZ = 1e6


def usable_cores() -> int:
    """Return how many processors this process may run on."""
    return len(_cores())


def _cores() -> Sequence[int]:
    everyone = range(os.cpu_count() or 1)
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else everyone


@dataclass(frozen=True)
class SystemFiles:
    """The files in which Linux tells of the machine; other systems have none of them."""

    root: Path = Path("/")

    def processor(self) -> str:
        """Return the model of the processor, or at least its kind."""
        return self._cpuinfo("model name") or platform.processor() or platform.machine()

    def memory(self, field: str) -> int | None:
        """Return a field of ``meminfo`` in bytes."""
        found = re.search(rf"^{field}:\s*(\d+) kB", self._text("proc/meminfo") or "", re.MULTILINE)
        return int(found[1]) * 1024 if found else None

    def stolen_seconds(self) -> float | None:
        """Return the processor seconds that a hypervisor has kept from this machine since it started."""
        fields = (self._text("proc/stat") or "").partition("\n")[0].split()
        steal = 8  # place in the line "cpu user nice system idle iowait irq softirq steal"
        return int(fields[steal]) / os.sysconf("SC_CLK_TCK") if len(fields) > steal else None

    def caches(self) -> list[Cache] | None:
        """Return the caches of the first core that this process may run on."""
        folder = self.root / _CPUS / f"cpu{_cores()[0]}" / "cache"
        indices = sorted(it.name for it in folder.glob("index[0-9]*")) if folder.is_dir() else []
        found = []
        for name in indices:
            at = f"{_CPUS}/cpu{_cores()[0]}/cache/{name}"
            kind = self._text(f"{at}/type")
            sharing = self._text(f"{at}/shared_cpu_list")
            size = _bytes(self._text(f"{at}/size"))
            level = self._number(f"{at}/level")
            found.append(Cache(level, kind.lower() if kind else None, size, _count(sharing) if sharing else None))
        return found or None

    def frequency(self) -> Frequency | None:
        """Return how the clock is governed, by all governors where cores differ."""
        governors = {it for core in _cores() if (it := self._text(f"{_CPUS}/cpu{core}/cpufreq/scaling_governor"))}
        at = f"{_CPUS}/cpu{_cores()[0]}/cpufreq"
        least, most = (self._number(f"{at}/cpuinfo_{end}_freq", 1000) for end in ("min", "max"))
        found = Frequency(", ".join(sorted(governors)) or None, self._text(f"{at}/scaling_driver"), least, most)
        return None if found == Frequency() else found

    def clock(self) -> list[int] | None:
        """Return the hertz at which the cores in use run now; None unless all tell."""
        found = [self._number(f"{_CPUS}/cpu{core}/cpufreq/scaling_cur_freq", 1000) for core in _cores()]
        told = [it for it in found if it is not None]
        return told if len(told) == len(found) else None

    def throttled(self) -> int | None:
        """Return how often the cores in use were slowed down for heat; None unless all tell."""
        found = [self._number(f"{_CPUS}/cpu{core}/thermal_throttle/core_throttle_count") for core in _cores()]
        told = [it for it in found if it is not None]
        return sum(told) if len(told) == len(found) else None

    def virtual(self) -> bool | None:
        """Tell whether the processor says that a hypervisor stands below; those of ARM do not say."""
        flags = self._cpuinfo("flags")
        return "hypervisor" in flags.split() if flags else None

    def hypervisor(self) -> str | None:
        """Return who made the virtual machine."""
        named = self._text("sys/hypervisor/type")
        if named or not self.virtual():
            return named
        parts = [self._text(f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
        return " ".join(part for part in parts if part) or None

    def smt(self) -> bool | None:
        """Tell whether cores share their units with a sibling."""
        active = self._number(f"{_CPUS}/smt/active")
        return None if active is None else bool(active)

    def huge_pages(self) -> str | None:
        """Return when memory comes in huge pages."""
        chosen = re.search(r"\[(\w+)\]", self._text("sys/kernel/mm/transparent_hugepage/enabled") or "")
        return chosen[1] if chosen else None

    def address_randomization(self) -> int | None:
        """Return how far addresses differ between processes, 0 to 2."""
        return self._number("proc/sys/kernel/randomize_va_space")

    def clock_source(self) -> str | None:
        """Return the hardware that the clock is read from."""
        return self._text("sys/devices/system/clocksource/clocksource0/current_clocksource")

    def granted_cores(self, cores: int) -> float | None:
        """Return the processors' worth of time that the control groups allow, all where none sets a quota."""
        if self._text("proc/self/cgroup") is None:
            return None
        quotas = [_quota(text) for text in self._limits("cpu", "cpu.max")]
        for folder in self._folders("cpu"):
            quota, period = (self._number(f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period"))
            quotas.append(quota / period if quota and period and quota > 0 else None)
        return min([float(cores), *(it for it in quotas if it is not None)])

    def granted_bytes(self) -> int | None:
        """Return the main memory that the control groups allow, all where none sets a limit."""
        total = self.memory("MemTotal")
        if total is None or self._text("proc/self/cgroup") is None:
            return None
        texts = [*self._limits("memory", "memory.max"), *self._limits("memory", "memory.limit_in_bytes")]
        return min([total, *(int(text) for text in texts if text.isdigit())])

    def _limits(self, controller: str, name: str) -> Iterator[str]:
        """Yield what a file says in each control group that this process is in."""
        texts = (self._text(f"{folder}/{name}") for folder in self._folders(controller))
        return (text for text in texts if text)

    def _folders(self, controller: str) -> Iterator[str]:
        """Yield the folders of the control groups of this process, the innermost first.

        A group may be mounted as the root of what a container sees, so that only the last of its folders exists.
        """
        for line in (self._text("proc/self/cgroup") or "").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            inside = PurePosixPath(path.lstrip("/"))
            for top in [controllers, controller] if controllers else ["", "unified"]:
                for part in (inside, *inside.parents):
                    yield str(PurePosixPath(_GROUPS, top) / part)

    def _cpuinfo(self, field: str) -> str:
        found = re.search(rf"^{field}\s*:(.*)$", self._text("proc/cpuinfo") or "", re.MULTILINE)
        return found[1].strip() if found else ""

    def _number(self, path: str, unit: int = 1) -> int | None:
        text = self._text(path)
        return int(text) * unit if text is not None and re.fullmatch(r"-?\d+", text) else None

    def _text(self, path: str) -> str | None:
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip() or None
        except OSError:
            return None


def timer(source: str | None) -> Timer:
    """Return what the clock that measures promises, and the smallest step that it is seen to make."""
    promised = time.get_clock_info("perf_counter")
    readings = [time.perf_counter() for _ in range(_READINGS)]
    steps = [after - before for before, after in itertools.pairwise(readings) if after > before]
    return Timer(promised.implementation, promised.resolution, min(steps, default=promised.resolution), source)


def source_of(folder: Path) -> Source | None:
    """Return the commit that a folder was checked out at; None where no repository tracks its files."""
    # A package may be installed into a folder of somebody else's repository, which does not track it.
    if _answer(["git", "ls-files", "--error-unmatch", "__init__.py"], folder) is None:
        return None
    commit = _answer(["git", "rev-parse", "HEAD"], folder)
    changes = _answer(["git", "status", "--porcelain", "--untracked-files=no"], folder)
    return Source(commit, None if changes is None else bool(changes)) if commit else None


def accelerators(ask: Callable[[Sequence[str]], str | None] | None = None) -> list[Accelerator] | None:
    """Return what ``nvidia-smi`` says of each GPU; None where there is no such program, or it does not answer."""
    answer = (ask or _answer)(["nvidia-smi", f"--query-gpu={','.join(_GPU)}", "--format=csv,noheader,nounits"])
    rows = [[field.strip() for field in line.split(",")] for line in (answer or "").splitlines()]
    found = [_accelerator(row) for row in rows if len(row) == len(_GPU)]
    return found or None


def _accelerator(row: Sequence[str]) -> Accelerator:
    name, driver, clock, most, celsius, throttled = (None if it.startswith("[") else it for it in row)  # "[N/A]"
    return Accelerator(
        name, driver, _scaled(clock, _MEGAHERTZ), _scaled(most, _MEGAHERTZ), _scaled(celsius, 1.0), throttled
    )


def _scaled(text: str | None, unit: float) -> float | None:
    try:
        return None if text is None else float(text) * unit
    except ValueError:
        return None


def _answer(words: Sequence[str], folder: Path | None = None) -> str | None:
    """Return what a program prints; None where it is missing, fails or takes too long."""
    program = shutil.which(words[0])
    if program is None:
        return None
    # Of git, the environment may name another repository than the one asked about.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - words of ours, and no shell
            [program, *words[1:]],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _bytes(text: str | None) -> int | None:
    found = re.fullmatch(r"(\d+)([KMG]?)", text or "")
    return int(found[1]) * _UNITS[found[2]] if found else None


def _count(cpus: str) -> int | None:
    """Return how many processors a list such as ``0-3,8`` names."""
    parts = re.findall(r"(\d+)(?:-(\d+))?", cpus)
    return sum(int(last or first) - int(first) + 1 for first, last in parts) or None


def _quota(text: str) -> float | None:
    quota, _, period = text.partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None
