"""Attributes of a person that a picture tells without any weights: light, colours, the face's shape and pose.

Colours are CIE Lab. Shapes come from landmarks, turned to the front by the built-in head's fit (see
:mod:`studio.editing.face_geometry`), in millimetres on an average head. Measures are for comparing pictures
of one person with each other; their zero means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats

if TYPE_CHECKING:  # neither torch nor the head's fit is needed to list attributes
    from torch import Tensor

    from studio.editing.face_geometry import UprightFaces
    from studio.editing.method import FaceReader

Kind = Literal["picture", "colour", "shape", "pose"]
"""What an attribute looks at: the whole picture, colours of the face, its shape and expression, its pose."""


@dataclass(frozen=True, eq=False)
class LookedAt:
    """B pictures and the faces found in them; what several attributes need is worked out once."""

    pictures: npt.NDArray[np.uint8]
    """``[B, H, W, 3]`` RGB."""
    landmarks: Floats | None = None
    """``[B, 478, 3]`` in pixels, NaN where no face was found; None when nobody looked."""

    @cached_property
    def colours(self) -> Floats:
        """``[B, H, W, 3]`` CIE Lab."""
        from studio.editing.face_areas import lab

        return np.stack([lab(picture) for picture in self.pictures])

    @cached_property
    def upright(self) -> UprightFaces:
        """The faces turned to the front."""
        from studio.editing.face_geometry import upright_faces

        return upright_faces(self._marks)

    @cached_property
    def skin(self) -> Floats:
        """``[B, 3]`` median colour of the face's skin; NaN without a face."""
        from studio.editing.face_areas import area_colour, skin_area

        return self._areas(lambda colours, marks: area_colour(colours, skin_area(marks, *colours.shape[:2])))

    @cached_property
    def hair(self) -> Floats:
        """``[B, 3]`` median colour above the forehead; NaN without a face or outside of the picture."""
        from studio.editing.face_areas import area_colour, hair_area

        return self._areas(lambda colours, marks: area_colour(colours, hair_area(marks, *colours.shape[:2])))

    def _areas(self, colour: Callable[[Floats, Floats], Floats]) -> Floats:
        return np.stack(
            [
                colour(colours, marks) if np.isfinite(marks).all() else np.full(3, np.nan, np.float32)
                for colours, marks in zip(self.colours, self._marks)
            ]
        )

    @property
    def _marks(self) -> Floats:
        if self.landmarks is None:
            raise ValueError("an attribute of faces is asked for, and nobody looked for faces")
        return self.landmarks


@dataclass(frozen=True)
class Attribute:
    """Something that can be measured in a picture."""

    id: str
    """Stable identifier, e.g. ``smile``."""
    title: str
    """What a person reads; more of it is a higher value."""
    unit: str
    """Of its values, as text behind a number."""
    kind: Kind
    """What it looks at."""
    least: float
    """Range below which a clip shows nothing of it: differences of a tenth of this are noise of measuring."""
    measure: Callable[[LookedAt], Floats]
    """``[B]`` values, NaN where it cannot be told."""

    @property
    def of_faces(self) -> bool:
        """Whether a face must be found."""
        return self.kind != "picture"


def _typology_angle(skin: Floats) -> Floats:
    """Individual typology angle, degrees: light skin is high (Chardon et al. 1991)."""
    return np.asarray(np.rad2deg(np.arctan2(skin[:, 0] - 50.0, skin[:, 2])), np.float32)


CATALOG = (
    Attribute("smile", "Smile", "mm", "shape", 1.0, lambda p: p.upright.smile),
    Attribute("mouth_open", "Mouth open", "mm", "shape", 1.0, lambda p: p.upright.mouth_open),
    Attribute("eyes_open", "Eyes open", "of their width", "shape", 0.05, lambda p: p.upright.eyes_open),
    Attribute("brow_raise", "Brows raised", "mm", "shape", 1.0, lambda p: p.upright.brow_raise),
    Attribute("face_width", "Wide face", "of its height", "shape", 0.03, lambda p: p.upright.face_width),
    Attribute("eye_size", "Large eyes", "mm", "shape", 1.0, lambda p: p.upright.eye_size),
    Attribute("mouth_width", "Wide mouth", "mm", "shape", 2.0, lambda p: p.upright.mouth_width),
    Attribute("skin_light", "Light skin", "° ITA", "colour", 3.0, lambda p: _typology_angle(p.skin)),
    Attribute("skin_red", "Red skin", "Lab a", "colour", 2.0, lambda p: p.skin[:, 1]),
    Attribute("hair_light", "Light hair", "Lab L", "colour", 3.0, lambda p: p.hair[:, 0]),
    Attribute("hair_warm", "Warm hair", "Lab b", "colour", 2.0, lambda p: p.hair[:, 2]),
    Attribute("brightness", "Brightness", "Lab L", "picture", 2.0, lambda p: p.colours[..., 0].mean((1, 2))),
    Attribute("contrast", "Contrast", "Lab L", "picture", 2.0, lambda p: p.colours[..., 0].std((1, 2))),
    Attribute("warmth", "Warm colours", "Lab b", "picture", 1.0, lambda p: p.colours[..., 2].mean((1, 2))),
    Attribute("yaw", "Turned to the viewer's right", "°", "pose", 5.0, lambda p: p.upright.angles[:, 0]),
    Attribute("pitch", "Turned up", "°", "pose", 5.0, lambda p: p.upright.angles[:, 1]),
    Attribute("roll", "Leaning to the viewer's right", "°", "pose", 5.0, lambda p: p.upright.angles[:, 2]),
)
ATTRIBUTES: Mapping[str, Attribute] = {attribute.id: attribute for attribute in CATALOG}
"""Every attribute by its id, in the order in which they are offered."""
EXPRESSION = ("smile", "mouth_open", "eyes_open", "brow_raise")
"""What moves when a face moves."""
POSE = ("yaw", "pitch", "roll")
"""How a head is held."""


def eight_bit(pictures: Tensor) -> npt.NDArray[np.uint8]:
    """Pictures ``[B, 3, H, W]`` about -1..1 as ``[B, H, W, 3]`` of 8 bits, as they are shown."""
    import torch

    shown = ((pictures.detach().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(shown.permute(0, 2, 3, 1).cpu().numpy())


def measure(pictures: Tensor, names: Sequence[str], faces: FaceReader | None) -> Floats:
    """Values ``[B, len(names)]`` of attributes in pictures ``[B, 3, H, W]``, NaN where they cannot be told.

    Args:
        pictures: about -1..1.
        names: ids of attributes.
        faces: finds the faces; None when none of the attributes looks at faces.
    """
    shown = eight_bit(pictures)
    wanted = [ATTRIBUTES[name] for name in names]
    marks = faces(shown) if faces is not None and any(one.of_faces for one in wanted) else None
    looked = LookedAt(shown, marks)
    return np.stack([np.asarray(one.measure(looked), np.float32) for one in wanted], 1)
