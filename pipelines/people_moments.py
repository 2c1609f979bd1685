"""What drives a semantic network, for all frames of a clip at once, and how all of it looks in a mirror."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.engines.semantic.keypoints import VERTICES, head_keypoints, semantic_code
from studio.engines.semantic.settings import EXPRESSIONS
from studio.head import HeadModel
from studio.head.topology import topology

if TYPE_CHECKING:
    from studio.corpus.corpus import CorpusClip


@dataclass(frozen=True)
class Moments:
    """A clip's T frames as numbers."""

    keypoints: Floats
    """``[T, 16 + L, 3]``, the face's points after the keypoints; of the clip's own person, so any frame of it
    can be source or drive."""
    code: Floats
    """``[T, 53]`` semantic code."""


def moments_of(clip: CorpusClip, model: HeadModel) -> Moments:
    """Keypoints and codes of a corpus' clip. Raises Unreadable."""
    keypoints = head_keypoints(model, clip.coefficients, clip.offset, clip.motion, clip.side, face=True)
    return Moments(keypoints, semantic_code(clip.motion, model))


def mirrored_keypoints(keypoints: Floats, model: HeadModel) -> Floats:
    """Keypoints ``[..., 16 + L, 3]`` of a picture seen in a mirror: left ones are right ones then."""
    return np.asarray(keypoints[..., _partners(model), :] * np.array([-1.0, 1.0, 1.0]), np.float32)


def mirrored_code(code: Floats, model: HeadModel) -> Floats:
    """The code ``[..., 53]`` of a face seen in a mirror.

    The mirror image of an expression is an expression again, because the head model was learned from faces
    and their mirror images; which one is found by least squares over the basis.
    """
    out = code.copy()
    out[..., :EXPRESSIONS] = code[..., :EXPRESSIONS] @ _mirror(model)
    # Axis and angle in a mirror: turns about the axis that points at the mirror stay, the others change sign.
    out[..., EXPRESSIONS + 1 :] *= -1.0
    return np.asarray(out, np.float32)


@cache
def _partners(model: HeadModel) -> npt.NDArray[np.intp]:
    """``[16 + L]`` for each keypoint and point of the face the one on the other side."""
    other = topology().mirror
    place = {vertex: row for row, vertex in enumerate(VERTICES)}
    keypoints = [place[int(other[vertex])] for vertex in VERTICES]
    place = {int(point): row for row, point in enumerate(model.landmark_ids)}
    face = [len(VERTICES) + place[int(other[point])] for point in model.landmark_ids]
    return np.array(keypoints + face)


@cache
def _mirror(model: HeadModel) -> Floats:
    """``[50, 50]`` codes to mirrored codes."""
    basis = model.expression_basis * model.expression_deviation[:, None, None]
    seen = basis[:, topology().mirror] * np.array([-1.0, 1.0, 1.0], np.float32)
    flat = basis.reshape(len(basis), -1).astype(np.float64)
    solved = np.linalg.lstsq(flat.T, seen.reshape(len(seen), -1).T.astype(np.float64), rcond=None)[0]
    return np.asarray(solved.T, np.float32)
