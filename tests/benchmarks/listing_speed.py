"""How long ``optreg list`` takes with many plugins: ``python tests/benchmarks/listing_speed.py``.

Fake distributions are written to a temporary folder, in two shapes: one module of 60 classes for each, and 60 modules
of one class. Commands are run in turns, so that a busy machine slows all of them alike; the processor time hardly
depends on what else is running.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLASS = '''
class {name}(Optimizer):
    """Steps by the sign of a momentum that fades, number {number}.

    For large batches; the learning rate is a tenth of Adam's.

    Rule:
        m ← β m + (1 − β) g
        w ← w − lr sign(m)

    Arguments:
        learning_rate: Size of each step.
        beta: Decay of the momentum, between zero and one.
    """

    card = Card(
        aliases=("alias_{number}_{plugin}",),
        ranges={{"learning_rate": "[0, inf)", "beta": "[0, 1)"}},
        slots=(Slot("momentum", "fading average of the gradient"),),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        tensorflow=">=2.16",
    )

    def __init__(self, learning_rate=1e-4, beta=0.99, name="{name}", **kwargs):
        super().__init__(name, **kwargs)
        self._set_hyper("learning_rate", learning_rate)
        self._set_hyper("beta", beta)

    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "momentum")
'''

HEAD = "from optreg import Card, Optimizer, Slot\n"


def write_site(folder: Path, plugins: int, *, optimizers: int, one_module: bool) -> None:
    """Write fake distributions as pip would have installed them."""
    for plugin in range(plugins):
        package = folder / f"zoo_{plugin:03}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        classes = {n: CLASS.format(name=f"Beast{n}", number=n, plugin=plugin) for n in range(optimizers)}
        if one_module:
            (package / "beasts.py").write_text(HEAD + "".join(classes.values()))
        for number, text in classes.items():
            if not one_module:
                (package / f"beast_{number}.py").write_text(HEAD + text)
        module = "beasts" if one_module else "beast_{0}"
        lines = [f"beast_{n}_{plugin} = {package.name}.{module.format(n)}:Beast{n}" for n in range(optimizers)]
        info = folder / f"{package.name}-1.0.dist-info"
        info.mkdir()
        requires = "Requires-Dist: optreg>=0.1\nRequires-Dist: tensorflow>=2.16\n"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.name}\nVersion: 1.0\n{requires}")
        (info / "entry_points.txt").write_text("[optreg.optimizers]\n" + "\n".join(lines) + "\n")


def seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return wall and processor time of a command whose output is thrown away."""
    started, before = time.perf_counter(), os.times()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return time.perf_counter() - started, used


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=100)
    parser.add_argument("--optimizers", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    optreg = [sys.executable, "-c", "import optreg_cli.main; optreg_cli.main.run()"]
    with tempfile.TemporaryDirectory() as place:
        cases: dict[str, tuple[list[str], dict[str, str]]] = {}
        imports = [sys.executable, "-c", "import typer, rich, pluggy"]
        cases['python -c "import typer, rich, pluggy"'] = (imports, dict(os.environ))
        for one_module in (True, False):
            for plugins in (1, options.plugins // 2, options.plugins):
                shape = "one module each" if one_module else "a module for each optimizer"
                site = Path(place, f"{plugins}-{one_module}")
                write_site(site, plugins, optimizers=options.optimizers, one_module=one_module)
                environment = {
                    **os.environ,
                    "PYTHONPATH": str(site),
                    "OPTREG_CACHE": f"{site}-cache",
                    "OPTREG_CONFIG": "",
                }
                label = f"{plugins} plugins x {options.optimizers}, {shape}"
                wall, used = seconds([*optreg, "list"], environment)
                print(f"first time, {label}: {wall:.2f} s, processor {used:.2f} s", flush=True)
                cases[f"optreg list, {label}"] = ([*optreg, "list"], environment)
                cases[f"optreg list --json, {label}"] = ([*optreg, "list", "--json"], environment)
        taken: dict[str, list[tuple[float, float]]] = {label: [] for label in cases}
        for _ in range(options.rounds):
            for label, (command, environment) in cases.items():
                taken[label].append(seconds(command, environment))
    print("\n| command | fastest | median | processor time, fastest |\n|---|---|---|---|")
    for label, times in taken.items():
        wall, used = zip(*times, strict=True)
        print(f"| {label} | {min(wall):.2f} s | {statistics.median(wall):.2f} s | {min(used):.2f} s |")


if __name__ == "__main__":
    main()
