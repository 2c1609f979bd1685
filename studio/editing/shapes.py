"""Face shapes by name: what each does to distances that anybody could measure, as data.

The head model's statistics fill in the rest (:mod:`studio.editing.shape_finder`), so an edit is a likely
person's shape and works with every engine, without any weights. No text is understood here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.editing.method import MethodSpec


@dataclass(frozen=True)
class Shape:
    """What one shape does at strength 1, to a face of average shape."""

    name: str
    """Stable identifier; what its edit is called."""
    title: str
    """What a person reads."""
    moves: tuple[tuple[str, float], ...]
    """Measures (see ``shape_measures.MEASURES``) and by how many percent each grows."""
    free: tuple[str, ...] = ()
    """Measures that may go where people's faces take them; all others are held as still as can be."""
    holds: float = 1.0
    """Strength, either way, up to which tracking the edited pictures finds pose and expression within a tenth
    of their range of where they were, on each of four people's clips (``judge``, docs/benchmarks.md). Beyond
    it the tracker, which knows likely faces only, takes some of the shape for an expression."""


_HEAD = ("face_length", "forehead_width")
_LENGTHS = ("forehead_width", "forehead_height", "chin_height", "nose_length", "philtrum")
_WIDTHS = ("cheek_width", "jaw_width", "chin_width")
SHAPES = (
    Shape(
        "chubby",
        "Chubby",
        (("cheek_width", 7.5), ("jaw_width", 11.0), ("chin_width", 12.0)),
        _HEAD,
        holds=0.5,
    ),
    Shape(
        "slim", "Slim", (("cheek_width", -6.0), ("jaw_width", -9.0), ("chin_width", -10.0)), _HEAD, holds=0.6
    ),
    Shape(
        "wide_jaw", "Wide jaw", (("cheek_width", 3.0), ("jaw_width", 9.0), ("chin_width", 10.0)), holds=0.35
    ),
    Shape(
        "narrow_jaw",
        "Narrow jaw",
        (("cheek_width", -3.0), ("jaw_width", -8.5), ("chin_width", -10.0)),
        holds=0.35,
    ),
    Shape("long_face", "Long face", (("face_length", 9.0),), (*_LENGTHS, *_WIDTHS), holds=0.3),
    Shape("short_face", "Short face", (("face_length", -8.0),), (*_LENGTHS, *_WIDTHS), holds=0.45),
    Shape("large_eyes", "Large eyes", (("eye_width", 8.0), ("eye_height", 24.0))),
    Shape("small_eyes", "Small eyes", (("eye_width", -7.0), ("eye_height", -20.0))),
    Shape(
        "large_nose",
        "Large nose",
        (("nose_width", 13.0), ("nose_length", 6.0), ("nose_depth", 7.0)),
        holds=0.65,
    ),
    Shape(
        "small_nose",
        "Small nose",
        (("nose_width", -12.0), ("nose_length", -6.0), ("nose_depth", -7.0)),
        holds=0.55,
    ),
    Shape("full_lips", "Full lips", (("lip_height", 28.0),), holds=0.4),
    Shape("thin_lips", "Thin lips", (("lip_height", -30.0),), holds=0.45),
    Shape(
        "strong_chin",
        "Strong chin",
        (("chin_height", 15.0), ("chin_width", 9.0), ("chin_recess", -25.0)),
        ("face_length", "jaw_width"),
        holds=0.25,
    ),
)
"""All shapes. Negative strengths are their opposites."""
ShapeName = Literal[
    "chubby",
    "slim",
    "wide_jaw",
    "narrow_jaw",
    "long_face",
    "short_face",
    "large_eyes",
    "small_eyes",
    "large_nose",
    "small_nose",
    "full_lips",
    "thin_lips",
    "strong_chin",
    "coefficients",
]
"""What can be wished for: a shape's name, or numbers of one's own."""


@dataclass(frozen=True)
class ShapeWish:
    """Which other shape the face should have."""

    shape: ShapeName = "chubby"
    """A named shape, or coefficients for numbers of your own."""
    coefficients: str = ""
    """With the shape coefficients: identity components and how many standard deviations over people each is
    moved, as in 0:1.5 3:-2."""


SPEC = MethodSpec(
    id="shape",
    title="Face shape",
    summary=(
        "Another shape of the same face, from the head model's statistics over people: wider, longer, other "
        "eyes, nose or lips. Works at once with every avatar; understands no text."
    ),
    spaces=("shape",),
    generator=False,
    finder="studio.editing.shape_finder:find_shape",
    wish="studio.editing.shapes:ShapeWish",
    missing=lambda assets: None,
)
