"""Reads a picture as XML, and finds texts that are outside of it or on top of each other."""

import itertools
from typing import Final, NamedTuple
from xml.etree import ElementTree

from pathbook.charting.drawing import FONT_SIZE, TITLE_SIZE, Chart, width_of

NAMESPACE: Final = "{http://www.w3.org/2000/svg}"

ALLOWED: Final = {"svg", "title", "desc", "style", "rect", "line", "path", "circle", "text"}
"""All elements that a picture has. None of them runs or loads anything."""


ROUNDED: Final = 0.0201
"""How many pixels a place and a size may be off together, because each is rounded to a hundredth."""


class Shape(NamedTuple):
    """An element: its name, its classes, its attributes, its text, and what a pointer tells of it."""

    name: str
    kind: str
    attributes: dict[str, str]
    text: str
    tip: str

    def number(self, name: str) -> float:
        """Return an attribute as a number."""
        return float(self.attributes[name])


class Box(NamedTuple):
    """Where a text is, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


class Picture:
    """A picture, parsed."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        root = ElementTree.fromstring(chart.svg)
        self.root = root
        self.title = root.findtext(f"{NAMESPACE}title") or ""
        self.description = root.findtext(f"{NAMESPACE}desc") or ""
        self.shapes = [
            Shape(
                element.tag.removeprefix(NAMESPACE),
                element.get("class", ""),
                dict(element.attrib),
                element.text or "",
                element.findtext(f"{NAMESPACE}title") or "",
            )
            for element in root
        ]

    def texts(self) -> list[str]:
        """Return all texts, in the order in which they are drawn."""
        return [shape.text for shape in self.shapes if shape.name == "text"]

    def rects(self, *kinds: str) -> list[Shape]:
        """Return the areas of some classes, or all but the background."""
        return [
            shape
            for shape in self.shapes
            if shape.name == "rect" and (shape.kind in kinds if kinds else shape.kind != "ground")
        ]

    def told(self, beginning: str) -> Shape:
        """Return the one shape of which a pointer tells this."""
        (found,) = (shape for shape in self.shapes if shape.tip.startswith(beginning))
        return found

    def check(self) -> None:
        """Expect harmless elements, and areas and texts that are within the picture and on no other."""
        names = {element.tag.removeprefix(NAMESPACE) for element in self.root.iter()}
        assert names <= ALLOWED, names - ALLOWED
        for rect in self.rects():
            assert min(rect.number("width"), rect.number("height")) >= 0, rect
        areas = [(rect, _area(rect)) for rect in self.rects()]
        for (one, area), (other, place) in itertools.combinations(areas, 2):
            assert _apart(area, place), (one, other)
        boxes = [(shape, _box(shape)) for shape in self.shapes if shape.name == "text"]
        for shape, box in boxes:
            assert box.left >= 0, shape
            assert box.right <= self.chart.width, shape
            assert box.bottom <= self.chart.height, shape
        for (one, box), (other, second) in itertools.combinations(boxes, 2):
            assert _apart(box, second), (one, other)


def _apart(one: Box, other: Box) -> bool:
    """Tell whether two boxes have no hundredth of a pixel in common, to which coordinates are rounded."""
    beside = one.right <= other.left + ROUNDED or other.right <= one.left + ROUNDED
    return beside or one.bottom <= other.top + ROUNDED or other.bottom <= one.top + ROUNDED


def _area(rect: Shape) -> Box:
    left, top = rect.number("x"), rect.number("y")
    return Box(left, top, left + rect.number("width"), top + rect.number("height"))


def _box(shape: Shape) -> Box:
    """Return about where a text is. Its letters reach three pixels below its base line."""
    size = TITLE_SIZE if "name" in shape.kind.split() else FONT_SIZE
    width, x, y = width_of(shape.text, size), shape.number("x"), shape.number("y")
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[shape.attributes.get("text-anchor", "start")]
    return Box(left, y - size + 3, left + width, y + 3)
