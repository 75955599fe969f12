"""The rules of the house, read from the import lines and the folders.

Each rule is a function from a tree to complaints, so that it can be shown to complain about a tree that breaks it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

CORE_ORDER = (
    "errors",
    "isolation",
    "cards",
    "hookspecs",
    "discovery",
    "registry",
    "scaffold",
    "diagnosis",
    "optimizer",
    "legacy",
    "keras",
    "conformance",
    "bench",
)
"""A part of core imports only from those before it; ``__init__`` is the public face and stands above all."""

TENSORFLOW_ROOMS = ("optimizer", "keras", "conformance", "bench")
KERASES = ("keras", "tf_keras")
CORE_MAY = {"numpy", "packaging", "pluggy", "optreg"}  # packaging comes with TensorFlow
CLI_MAY = {"optreg", "optreg_cli", "typer", "rich"}
PLUGINS_MAY = {"optreg", "tensorflow", "numpy"}
PYTEST_PACKAGE = "optreg_pytest"
"""Stands in core/ beside optreg, which must not know of it."""

EXTRAS = {
    "conformance": {"pytest"},
    "bench": {"sklearn", "scipy", "torch", "optax", "jax", "jinja2", "matplotlib", "pebble", "ray", "threadpoolctl"},
}
"""Optional libraries that a part of core may import where a function needs them."""


class Import(NamedTuple):
    """One imported module: in which file, under which name, and whether only the type checker runs the line."""

    file: Path
    module: str
    typing_only: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports_of(file: Path, package_root: Path) -> Iterator[Import]:
    """Yield what a file imports, relative imports made absolute; ``from a import b`` counts as ``a.b``."""
    tree = ast.parse(file.read_bytes())
    hidden = {id(node) for guard in ast.walk(tree) if is_typing_guard(guard) for node in ast.walk(guard)}
    package = ".".join(file.relative_to(package_root).parent.parts)
    for node in ast.walk(tree):
        typing_only = id(node) in hidden
        if isinstance(node, ast.Import):
            yield from (Import(file, alias.name, typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(file, f"{module}.{alias.name}", typing_only) for alias in node.names)


def is_typing_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def part_of_core(file: Path, root: Path) -> str:
    """Return ``errors`` for core/optreg/errors.py and ``bench`` for everything in core/optreg/bench."""
    return file.relative_to(root / "core" / "optreg").parts[0].removesuffix(".py")


def outsiders(root: Path, room: str, allowed: Callable[[Path], set[str]]) -> list[str]:
    """Return the imports of a room that are neither standard library nor allowed for their file."""
    return [
        f"{item.file.relative_to(root)} imports {item.module}"
        for file in sources(root / room)
        for item in imports_of(file, root / room)
        if item.top not in sys.stdlib_module_names and item.top not in allowed(file)
    ]


def core_imports_only_what_it_may(root: Path) -> list[str]:
    def allowed(file: Path) -> set[str]:
        if file.is_relative_to(root / "core" / PYTEST_PACKAGE):
            return {"optreg", PYTEST_PACKAGE, "pytest"}
        part = part_of_core(file, root)
        heavy = {"tensorflow", *KERASES} if part in TENSORFLOW_ROOMS else set()
        return CORE_MAY | heavy | EXTRAS.get(part, set())

    return outsiders(root, "core", allowed)


def core_imports_only_from_earlier_files(root: Path) -> list[str]:
    complaints = []
    for file in sources(root / "core" / "optreg"):
        part = part_of_core(file, root)
        if part == "__init__":
            continue
        if part not in CORE_ORDER:
            complaints.append(f"{file.relative_to(root)} has no place in the order of core")
            continue
        for item in imports_of(file, root / "core"):
            imported = item.module.split(".")[1] if item.module.startswith("optreg.") else ""
            later = imported in CORE_ORDER and CORE_ORDER.index(imported) > CORE_ORDER.index(part)
            if later and not item.typing_only:
                complaints.append(f"{file.relative_to(root)} imports {item.module}, which comes later")
    return complaints


def plugins_import_only_what_they_may(root: Path) -> list[str]:
    return outsiders(root, "plugins", lambda _: PLUGINS_MAY) + [
        f"{item.file.relative_to(root)} imports the private {item.module}"
        for file in sources(root / "plugins")
        for item in imports_of(file, root / "plugins")
        if item.top == "optreg" and any(part.startswith("_") for part in item.module.split("."))
    ]


def cli_imports_only_what_it_may(root: Path) -> list[str]:
    return outsiders(root, "cli", lambda _: CLI_MAY)


def rooms_hold_their_packages_and_nothing_else(root: Path) -> list[str]:
    rooms = {"core": {"optreg", PYTEST_PACKAGE}, "cli": {"optreg_cli"}}
    complaints = [
        f"{room}/ holds {name}"
        for room, wanted in rooms.items()
        for name in ({path.name for path in (root / room).iterdir()} - {"__pycache__"}) ^ wanted
    ]
    packages = [path for path in (root / "plugins").iterdir() if path.name != "__pycache__"]
    complaints += [f"plugins/{path.name} is not a package" for path in packages if not (path / "__init__.py").is_file()]
    typed = [
        root / "core" / "optreg",
        root / "core" / PYTEST_PACKAGE,
        root / "cli" / "optreg_cli",
        *(path for path in packages if path.is_dir()),
    ]
    return complaints + [
        f"{path.relative_to(root)} has no py.typed" for path in typed if not (path / "py.typed").is_file()
    ]


def modules_of_plugins_are_entry_points(root: Path) -> list[str]:
    declared = [value.partition(":")[0] for value in entry_points(root / "pyproject.toml").values()]
    modules = [
        ".".join(path.relative_to(root / "plugins").with_suffix("").parts)
        for path in sources(root / "plugins")
        if path.name not in {"__init__.py", "references.py"}  # the rules in NumPy, which the cards name
    ]
    twice = {module for module in declared if declared.count(module) > 1}
    return [
        f"{module}: module without entry point, or the reverse" for module in sorted(set(modules) ^ set(declared))
    ] + [f"{module} has several entry points" for module in sorted(twice)]


def core_never_prints(root: Path) -> list[str]:
    return [
        f"{file.relative_to(root)}:{node.lineno} prints"
        for file in sources(root / "core")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write", "sys.stderr.write")
    ]


def core_knows_no_optimizer_by_name(root: Path) -> list[str]:
    """No registered name stands in core as a whole string, in any case; docstrings may give examples."""
    names = set(entry_points(root / "pyproject.toml", group="optimizers"))
    return [
        f"{file.relative_to(root)}:{node.lineno} names {node.value!r}"
        for file in sources(root / "core")
        for node in strings_outside_docstrings(ast.parse(file.read_bytes()))
        if node.value.lower() in names
    ]


def strings_outside_docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in loose:
            yield node


def entry_points(pyproject: Path, *, group: str = "") -> dict[str, str]:
    """Return the ``optreg.*`` entry points, or those of one group. Python 3.10 has no reader for TOML."""
    found: dict[str, str] = {}
    table = ""
    for line in pyproject.read_text().splitlines():
        if line.startswith("["):
            table = line.strip("[] ").replace('"', "")
        elif table.startswith(f"project.entry-points.optreg.{group}") and "=" in line:
            name, value = (part.strip().strip('"') for part in line.split("=", 1))
            found[name] = value
    return found


RULES = [
    core_imports_only_what_it_may,
    core_imports_only_from_earlier_files,
    plugins_import_only_what_they_may,
    cli_imports_only_what_it_may,
    rooms_hold_their_packages_and_nothing_else,
    modules_of_plugins_are_entry_points,
    core_never_prints,
    core_knows_no_optimizer_by_name,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule):
    assert rule(ROOT) == []


@pytest.fixture
def house(tmp_path):
    """A small tree that keeps every rule."""
    files = {
        "pyproject.toml": (
            '[project.entry-points."optreg.optimizers"]\nsgd = "optreg_classic.sgd:SGD"\n[tool]\ny = "z"\n'
        ),
        "core/optreg/__init__.py": "from optreg.registry import find\n",
        "core/optreg/errors.py": '"""sgd"""\n',
        "core/optreg/registry.py": (
            "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nfrom optreg.errors import x\n"
            "if TYPE_CHECKING:\n    from optreg.optimizer.contract import Optimizer\n"
        ),
        "core/optreg/optimizer/__init__.py": "",
        "core/optreg/optimizer/contract.py": "import tensorflow as tf\nfrom optreg.registry import find\n",
        "core/optreg/py.typed": "",
        "core/optreg_pytest/plugin.py": "import pytest\nfrom optreg.registry import find\n",
        "core/optreg_pytest/py.typed": "",
        "plugins/optreg_classic/__init__.py": "",
        "plugins/optreg_classic/py.typed": "",
        "plugins/optreg_classic/sgd.py": "import tensorflow as tf\nimport optreg\n",
        "cli/optreg_cli/__init__.py": "",
        "cli/optreg_cli/py.typed": "",
        "cli/optreg_cli/main.py": "import typer\nfrom optreg_cli import x\nfrom optreg import list_optimizers\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_house_has_no_complaints(house, rule):
    assert rule(house) == []


@pytest.mark.parametrize(
    ("rule", "path", "text", "complaint"),
    [
        (
            core_imports_only_what_it_may,
            "core/optreg/errors.py",
            "import optreg_classic.sgd",
            "imports optreg_classic.sgd",
        ),
        (
            core_imports_only_what_it_may,
            "core/optreg/errors.py",
            "from optreg_cli import main",
            "imports optreg_cli.main",
        ),
        (
            core_imports_only_what_it_may,
            "core/optreg/errors.py",
            "def f():\n    import tensorflow",
            "imports tensorflow",
        ),
        (core_imports_only_what_it_may, "core/optreg/errors.py", "import optreg_pytest", "imports optreg_pytest"),
        (
            core_imports_only_what_it_may,
            "core/optreg_pytest/plugin.py",
            "import tensorflow",
            "plugin.py imports tensorflow",
        ),
        (core_imports_only_what_it_may, "core/optreg/optimizer/state/slots.py", "import typer", "imports typer"),
        (
            core_imports_only_from_earlier_files,
            "core/optreg/errors.py",
            "from . import registry",
            "optreg.registry, which",
        ),
        (core_imports_only_from_earlier_files, "core/optreg/errors.py", "import optreg.optimizer", "which comes later"),
        (core_imports_only_from_earlier_files, "core/optreg/extra.py", "", "has no place in the order of core"),
        (
            plugins_import_only_what_they_may,
            "plugins/optreg_classic/sgd.py",
            "from . import adam",
            "optreg_classic.adam",
        ),
        (plugins_import_only_what_they_may, "plugins/optreg_classic/sgd.py", "import keras", "imports keras"),
        (
            plugins_import_only_what_they_may,
            "plugins/optreg_classic/sgd.py",
            "from optreg import _x",
            "private optreg._x",
        ),
        (
            cli_imports_only_what_it_may,
            "cli/optreg_cli/main.py",
            "def f():\n    import tensorflow",
            "imports tensorflow",
        ),
        (cli_imports_only_what_it_may, "cli/optreg_cli/main.py", "import optreg_classic", "imports optreg_classic"),
        (rooms_hold_their_packages_and_nothing_else, "core/stray.py", "", "core/ holds stray.py"),
        (rooms_hold_their_packages_and_nothing_else, "plugins/stray.py", "", "plugins/stray.py is not a package"),
        (rooms_hold_their_packages_and_nothing_else, "plugins/more/__init__.py", "", "plugins/more has no py.typed"),
        (
            modules_of_plugins_are_entry_points,
            "plugins/optreg_classic/adam.py",
            "",
            "optreg_classic.adam: module without",
        ),
        (core_never_prints, "core/optreg/errors.py", "def f():\n    print(1)", "errors.py:2 prints"),
        (core_knows_no_optimizer_by_name, "core/optreg/errors.py", "x = 'SGD'", "errors.py:1 names 'SGD'"),
    ],
)
def test_a_broken_house_is_complained_about(house, rule, path, text, complaint):
    (house / path).parent.mkdir(parents=True, exist_ok=True)
    (house / path).write_text(text)
    complaints = rule(house)
    assert len(complaints) >= 1
    assert complaint in complaints[0]


def test_an_entry_point_without_its_module_is_complained_about(house):
    (house / "plugins/optreg_classic/sgd.py").unlink()
    assert modules_of_plugins_are_entry_points(house) == [
        "optreg_classic.sgd: module without entry point, or the reverse"
    ]


def test_the_reader_of_entry_points_agrees_with_the_installed_metadata():
    import importlib.metadata

    installed = importlib.metadata.distribution("optreg").entry_points
    assert entry_points(ROOT / "pyproject.toml") == {
        point.name: point.value for point in installed if point.group.startswith("optreg.")
    }


def test_no_two_files_of_core_share_a_place_in_the_order():
    assert len(set(CORE_ORDER)) == len(CORE_ORDER)
