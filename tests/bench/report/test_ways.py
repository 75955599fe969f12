"""The picture of the ways down: what stands in its SVG is the image of the data under the scale that its ticks show.

The oracle is what a reader sees: labels of ticks and where they stand. Nothing is compared with a stored picture, which
would hang on the version of matplotlib.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from optreg.bench.landscapes.descent import Descent
from optreg.bench.landscapes.functions import LANDSCAPES, Landscape
from optreg.bench.report.landscapes import landscape_exhibits

OPTIMIZERS = ("adam", "sgd", "lion", "ftrl", "nadam", "adagrad")  # two rows of panels, the second with two empty places
DRAWN = 16
CUT = 0.15  # points; the page keeps one decimal and cuts the rest off

# The minimum has different coordinates, and the starts another width in each direction: no swap goes unseen.
BEALE = next(it for it in LANDSCAPES if it.name == "beale")
LOW, HIGH = np.array([-4.0, -1.0]), np.array([4.0, 2.0])


def made_up_ways(starts: int) -> np.ndarray:
    """Return points ``[start][waypoint][x, y]`` anywhere between those starts that lie furthest apart."""
    random = np.random.default_rng(starts)
    ways = random.uniform(LOW, HIGH, (starts, 20, 2))
    ways[0, 0], ways[1, 0] = LOW, HIGH
    return ways


def descended(optimizer: str, ways: Any, **fields: Any) -> dict[str, Any]:
    found = Descent(optimizer, "optreg", BEALE.name, "default", starts=len(ways), steps_to=[[1] * len(ways)] * 10)
    return {**asdict(found), "final": [0.1] * len(ways), "paths": ways, **fields}


def drawn(*descents: dict[str, Any], starts: int = DRAWN) -> list[Panel]:
    """Return the panels of the picture of these descents, in the order of reading."""
    optimizers = [{"optimizer": it["optimizer"]} for it in descents]
    document = {"descents": descents, "options": {}, "subjects": optimizers, "training": []}
    [exhibit] = [it for it in landscape_exhibits(document, drawn_starts=starts) if it.name.startswith("ways")]
    return panels(ET.fromstring(exhibit.svg.replace("xlink:", "")))


@dataclass
class Panel:
    """One pair of axes: its box on the page, its titles, and all that is cut off at its border, by colour."""

    box: np.ndarray  # [corner, x and y]
    titles: list[str]
    ticks: tuple[list[tuple[float, float]], list[tuple[float, float]]]  # (value, place) for x and for y
    lines: dict[str, list[list[np.ndarray]]]  # by colour; each line in its unbroken parts [point, x and y]
    marks: dict[str, np.ndarray]  # by colour: [mark, x and y]

    @cached_property
    def series(self) -> str:
        """The colour of the ways in this panel; there is but one."""
        [colour] = {it for it in self.lines if it.startswith("series")}
        return colour


def panels(svg: ET.Element) -> list[Panel]:
    boxes = {it.get("id", ""): it[0] for it in svg.iter("clipPath")}
    clipped = [(re.sub(r"url\(#(.*)\)", r"\1", it.get("clip-path", "")), it) for it in svg.iter()]
    found = []
    for name, rectangle in boxes.items():
        x, y, width, height = (float(rectangle.get(key, "")) for key in ("x", "y", "width", "height"))
        inside = [it for clip, it in clipped if clip == name]
        lines: dict[str, list[list[np.ndarray]]] = {}
        marks: dict[str, list[tuple[float, float]]] = {}
        for element in inside:
            if element.tag == "path":
                lines.setdefault(colour_of(element, "stroke"), []).append(points_of(element.get("d", "")))
            for mark in element.iter("use"):
                marks.setdefault(colour_of(mark, "fill"), []).append(place_of(mark))
        box = np.array([[x, y], [x + width, y + height]])
        places = {colour: np.array(of) for colour, of in marks.items()}
        found.append(Panel(box, titles_above(svg, box), ticks_of(svg, box), lines, places))
    return sorted(found, key=lambda it: (it.box[0, 1], it.box[0, 0]))


def colour_of(element: ET.Element, part: str) -> str:
    return re.findall(rf"{part}: var\(--([\w-]+)\)", element.get("style", ""))[0]


def place_of(element: ET.Element) -> tuple[float, float]:
    return float(element.get("x", "")), float(element.get("y", ""))


def points_of(path: str) -> list[np.ndarray]:
    """Return the parts of a path of straight lines; a closed one says so at its end."""
    return [np.array(part.replace("z", "").split(), float).reshape(-1, 2) for part in path.split("M")[1:]]


def titles_above(svg: ET.Element, box: np.ndarray) -> list[str]:
    """Return the words between a panel and what is above it, whose left end lies over the panel."""
    found = []
    for text in svg.iter("text"):
        moved = re.match(r"translate\(([\d.]+) ([\d.]+)\)", text.get("transform", ""))
        if moved and box[0, 0] < float(moved[1]) < box[1, 0] and box[0, 1] - 30 < float(moved[2]) < box[0, 1]:
            found.append(text.text or "")
    return found


def ticks_of(svg: ET.Element, box: np.ndarray) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return value and place of the labels below a panel, and of those to its left; shared ones stand at one alone."""
    below, left = [], []
    before: tuple[float, float] = (0.0, 0.0)
    for element in svg.iter():
        if element.tag == "use":
            before = place_of(element)  # the tick; its label follows
        elif element.tag == "text" and re.fullmatch("[−\\d.]+", element.text or ""):
            value = float((element.text or "").replace("−", "-"))
            if np.isclose(before[1], box[1, 1], atol=CUT) and box[0, 0] <= before[0] <= box[1, 0]:
                below.append((value, before[0]))
            elif np.isclose(before[0], box[0, 0], atol=CUT) and box[0, 1] <= before[1] <= box[1, 1]:
                left.append((value, before[1]))
    return below, left


def scale(ticks: list[tuple[float, float]]) -> tuple[float, float]:
    """Return factor and offset from values to places, and refuse ticks that no such pair fits."""
    assert len(ticks) >= 3, "too few labels to tell the scale"
    values, places = np.array(ticks).T
    factor, offset = np.polyfit(values, places, 1)
    np.testing.assert_allclose(factor * values + offset, places, atol=CUT, err_msg="the axis is not linear")
    return float(factor), float(offset)


def image(panel: Panel, points: Any, pictured: list[Panel]) -> np.ndarray:
    """Return where points belong in a panel, by the labels of those panels that show the axes which all share."""
    corners = []
    for axis in (0, 1):
        labelled = next(it for it in pictured if it.ticks[axis])
        factor, offset = scale(labelled.ticks[axis])
        ends = (labelled.box[:, axis] - offset) / factor  # values at the ends of the box
        share = (np.asarray(points, float)[..., axis] - ends[0]) / (ends[1] - ends[0])
        corners.append(panel.box[0, axis] + share * (panel.box[1, axis] - panel.box[0, axis]))
    return np.stack(corners, axis=-1)


@pytest.fixture(scope="module")
def ways() -> dict[str, np.ndarray]:
    """Other ways of each optimizer, more of them than are drawn, from the same starts."""
    found = {}
    for number, name in enumerate(OPTIMIZERS):
        found[name] = made_up_ways(DRAWN + 2 + number)
        found[name][:DRAWN, 0] = made_up_ways(DRAWN)[:, 0]
    return found


@pytest.fixture(scope="module")
def pictured(ways: dict[str, np.ndarray]) -> list[Panel]:
    return drawn(*(descended(name, of.tolist()) for name, of in ways.items()))


def test_every_optimizer_has_a_panel_of_its_own_with_its_name_rate_and_colour(pictured: list[Panel]) -> None:
    assert [it.titles for it in pictured] == [[name, "default, 100%"] for name in OPTIMIZERS]
    assert [it.series for it in pictured] == [f"series-{number}" for number in range(len(OPTIMIZERS))]
    corners = [tuple(it.box[0]) for it in pictured]
    assert len(set(corners)) == len(OPTIMIZERS)
    assert len({corner[1] for corner in corners}) == 2


def test_the_axes_point_right_and_up_and_reach_all_starts(pictured: list[Panel]) -> None:
    (right, _), (up, _) = (scale(next(it.ticks[axis] for it in pictured if it.ticks[axis])) for axis in (0, 1))
    assert right > 0 > up  # y grows downwards on the page
    for panel in pictured:
        corners = image(panel, [LOW, HIGH], pictured)
        assert ((panel.box[0] < corners) & (corners < panel.box[1])).all()


def test_each_way_is_drawn_through_every_point_in_order(pictured: list[Panel], ways: dict[str, np.ndarray]) -> None:
    for panel, way in zip(pictured, ways.values(), strict=True):
        assert len(panel.lines[panel.series]) == DRAWN
        for line, points in zip(panel.lines[panel.series], way, strict=False):
            [unbroken] = line
            np.testing.assert_allclose(unbroken, image(panel, points, pictured), atol=CUT)


def test_starts_have_dots_and_the_minimum_a_star_at_their_places(
    pictured: list[Panel], ways: dict[str, np.ndarray]
) -> None:
    for panel, way in zip(pictured, ways.values(), strict=True):
        assert set(panel.marks) == {panel.series, "ink"}
        np.testing.assert_allclose(panel.marks[panel.series], image(panel, way[:DRAWN, 0], pictured), atol=CUT)
        np.testing.assert_allclose(panel.marks["ink"], image(panel, [BEALE.minimiser], pictured), atol=CUT)


def test_lines_of_equal_height_lie_where_the_function_has_one_height(pictured: list[Panel]) -> None:
    corner, far = image(pictured[0], [[0, 0], [1, 1]], pictured)
    spreads = []
    for lines in pictured[0].lines["faint"]:
        points = (np.concatenate(lines) - corner) / (far - corner)
        heights = np.log(heights_of(BEALE, points))
        spreads.append(np.ptp(np.quantile(heights, [0.1, 0.9])))
    assert len(spreads) >= 5
    assert np.median(spreads) < 0.1  # a tenth of the height, on a grid of 56 by 56; levels differ by factors


def heights_of(landscape: Landscape, points: np.ndarray) -> np.ndarray:
    return np.asarray(landscape.value(points)) - landscape.minimum


def test_a_way_that_left_the_numbers_is_broken_there_and_what_follows_stays_in_place() -> None:
    way: list[Any] = made_up_ways(3).tolist()
    way[2][5] = [None, None]
    whole = np.array(way[2][:5] + way[2][6:], float)
    [panel] = only = drawn(descended("adam", way))
    before, after = panel.lines[panel.series][2]
    np.testing.assert_allclose(np.concatenate([before, after]), image(panel, whole, only), atol=CUT)
    assert len(before) == 5


def test_a_way_that_leaves_the_picture_is_cut_off_at_its_panel_and_spares_the_scale() -> None:
    way = made_up_ways(3)
    way[2, 10] = [1e6, -1e6]
    [panel] = only = drawn(descended("adam", way.tolist()))
    near = np.concatenate([way[2, :10], way[2, 11:]])
    points = np.concatenate(panel.lines[panel.series][2])
    distances = np.abs(points[None] - image(panel, near, only)[:, None]).max(axis=-1).min(axis=1)
    assert (distances < CUT).all()
    for line, other in zip(panel.lines[panel.series][:2], way, strict=False):
        np.testing.assert_allclose(line[0], image(panel, other, only), atol=CUT)


def test_a_tuned_optimizer_is_drawn_in_place_of_its_defaults_with_its_rate() -> None:
    default, tuned = made_up_ways(2), made_up_ways(3)
    panel, *others = drawn(
        descended("adam", default.tolist()),
        descended("adam", tuned.tolist(), setting="tuned", learning_rate=0.25),
    )
    assert not others
    assert panel.titles == ["adam", "rate 0.25, 100%"]
    assert [len(line[0]) for line in panel.lines[panel.series]] == [20] * 3
