"""Who a face is, in a mirror: head models are learned from faces and their mirror images."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats
from studio.head.model import HeadModel
from studio.head.topology import topology


def mirror_of(basis: npt.NDArray[np.floating]) -> Floats:
    """Coefficients of shapes to those of the shapes in a mirror, by least squares: ``[K, K]``, to be
    multiplied from the right.

    Args:
        basis: ``[K, V, 3]`` of one set of vertices.
    """
    seen = basis[:, topology().mirror] * np.array([-1.0, 1.0, 1.0], np.float32)
    flat = basis.reshape(len(basis), -1).astype(np.float64)
    solved = np.linalg.lstsq(flat.T, seen.reshape(len(seen), -1).T.astype(np.float64), rcond=None)[0]
    return np.asarray(solved.T, np.float32)


def mirrored_identity(coefficients: Floats, model: HeadModel) -> Floats:
    """Identity coefficients ``[..., I]`` of the same people in a mirror."""
    return np.asarray(coefficients @ _identity_mirror(model), np.float32)


@cache
def _identity_mirror(model: HeadModel) -> Floats:
    return mirror_of(model.identity_basis)
