"""Drawings as SVG whose colours the page decides, so that they suit light, dark and paper.

matplotlib draws with placeholders; each becomes a variable of the style sheet.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optreg.errors import MissingExtra

SERIES = 10
"""Number of colours for curves; the style sheet defines as many."""

INK, FAINT, LINE = "#fd0001", "#fd0002", "#fd0003"
_MARKERS = "osD^vPX*<>"
_WITHIN_A_DECADE, _A_FEW_DECADES = 8.0, 200.0  # the ends of an axis, divided
_NAMES = {INK: "ink", FAINT: "faint", LINE: "line"}
_IDENTIFIER = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]+)')
_COORDINATES = re.compile(r'\b(?:d|x|y|points)="[^"]*"')
_STYLE = {
    "svg.fonttype": "none",  # text stays text: searchable, small, in the reader's own font
    "svg.hashsalt": "optreg",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which matplotlib brings; the page shows the reader's own font
    "font.size": 10,
    "text.parse_math": False,  # a dollar in a plugin's name is a dollar
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.handlelength": 3.2,  # long enough to see dashes
    "lines.linewidth": 1.8,
    "path.simplify_threshold": 0.5,
}


def require() -> None:
    """Do nothing when jinja2 and matplotlib are installed.

    Raises:
        MissingExtra: One of them is not.
    """
    try:
        import jinja2  # noqa: F401, PLC0415 - of the report extra
        import matplotlib as mpl  # noqa: F401, PLC0415 - see jinja2
    except ImportError as error:
        name = (error.name or str(error)).partition(".")[0]
        raise MissingExtra(f"optreg bench report needs {name}: pip install 'optreg[report]'") from error


def colour(number: int) -> str:
    """Return the placeholder of a curve's colour."""
    return f"#fe00{number % SERIES:02x}"


def marker(number: int) -> str:
    """Return the shape that tells a curve apart without colour."""
    return _MARKERS[number % len(_MARKERS)]


def logarithmic(axis: Any) -> None:
    """Give an axis a logarithmic scale with labels that read without mathematics: 0.95, 1, 1.05 or 0.01, 1, 1e-6."""
    from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: PLC0415 - of the report extra

    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    axis.set_major_locator(_ticks_by_span())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))
    axis.set_minor_formatter(NullFormatter())


def _ticks_by_span() -> Any:
    """Return what places ticks: at round numbers within a decade, then at 1, 2 and 5, then at powers of ten."""
    from matplotlib.ticker import Locator, LogLocator, MaxNLocator  # noqa: PLC0415 - of the report extra

    class TicksBySpan(Locator):
        axis: Any

        def __call__(self) -> Any:
            return self.tick_values(*self.axis.get_view_interval())

        def tick_values(self, vmin: float, vmax: float) -> Any:
            span = max(vmin, vmax) / min(vmin, vmax)
            if span < _WITHIN_A_DECADE:
                return MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(vmin, vmax)
            placed = LogLocator(subs=(1, 2, 5)) if span < _A_FEW_DECADES else LogLocator(numticks=7)
            return placed.tick_values(vmin, vmax)

    return TicksBySpan()


def _power(value: float) -> str:
    text = f"{value:g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


class Drawing:
    """A figure being drawn; ``svg`` holds it afterwards."""

    def __init__(self, name: str, figure: Any) -> None:
        self.name = name
        self.figure = figure
        self.svg = ""

    def axes(self, rows: int = 1, columns: int = 1, **options: Any) -> Any:
        """Return the axes of a grid as a flat list."""
        return list(self.figure.subplots(rows, columns, squeeze=False, **options).flat)


@contextmanager
def drawing(name: str, *, width: float = 8.0, height: float = 3.6) -> Iterator[Drawing]:
    """Yield a figure of so many inches; when the block ends, its ``svg`` can be put into a page.

    ``name`` keeps the identifiers of several drawings on one page apart.
    """
    import matplotlib as mpl  # noqa: PLC0415 - of the report extra, and slow to import
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - see matplotlib
    from matplotlib.figure import Figure  # noqa: PLC0415 - see matplotlib

    with mpl.rc_context({**mpl.rcParamsDefault, "backend": mpl.rcParams["backend"], **_STYLE}):
        it = Drawing(name, Figure(figsize=(width, height), layout="constrained"))
        yield it
        buffer = io.StringIO()
        FigureCanvasSVG(it.figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    it.svg = _for_page(buffer.getvalue(), name)


def _for_page(svg: str, name: str) -> str:
    """Cut the file's head off, make identifiers unique on the page, and turn placeholders into variables."""
    inner = svg[svg.index("<svg") :]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    inner = re.sub(r"<!--.*?-->\s*", "", inner, flags=re.DOTALL)
    wanted = set(_REFERENCE.findall(inner))
    inner = _IDENTIFIER.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in wanted else "", inner)
    inner = _REFERENCE.sub(lambda found: found[0].replace("#", f"#{name}-"), inner)
    inner = re.sub(r"#fe00([0-9a-f]{2})", lambda found: f"var(--series-{int(found[1], 16)})", inner)
    for placeholder, variable in _NAMES.items():
        inner = inner.replace(placeholder, f"var(--{variable})")
    # The page scales it; height follows from the view box. A style inside would hold for the whole page.
    inner = re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', r"<svg \1>", inner, count=1)
    inner = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", inner, flags=re.DOTALL)
    # A tenth of a point is finer than a screen; the words of the drawing keep their digits.
    inner = _COORDINATES.sub(lambda found: re.sub(r"(\d\.\d)\d+", r"\1", found[0]), re.sub(r"\n\s*", "\n", inner))
    inner = inner.replace("font-family: 'DejaVu Sans', sans-serif; ", "")  # the style sheet names the reader's
    return _ungrouped(re.sub(r' d="([^"]*)"', lambda found: f' d="{_short(found[1])}"', inner))


def _short(path: str) -> str:
    """Return a path without what may be left out: the letter of a line behind another, and decimals of 0."""
    steps, last = [], ""
    for step in re.sub(r"\.0\b", "", path).split("\n"):
        command, _, point = step.strip().partition(" ")
        steps.append(point if command == "L" and last in ("M", "L") else f"{command}{point}")
        last = command or last
    return " ".join(steps).strip()


def _ungrouped(svg: str) -> str:
    """Leave out groups that say nothing of what is in them."""
    kept: list[bool] = []

    def group(found: re.Match[str]) -> str:
        if found[0] == "</g>":
            return "</g>" if kept.pop() else ""
        kept.append(found[0] != "<g>")
        return found[0] if kept[-1] else ""

    return re.sub(r"\n+", "\n", re.sub(r"</g>|<g\b[^>]*(?<!/)>", group, svg))
