"""FLAME 2020 and 2023 from the user's own generic_model.pkl, behind the same interface as the built-in head.

Li et al., Learning a model of facial shape and expression from 4D scans (2017). FLAME has no eyelid
parameters: eyelid values are accepted and change nothing, and fits report zeros.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy import sparse

from studio.domain.camera import Floats
from studio.domain.motion import EXPRESSIONS
from studio.domain.problem import Problem
from studio.head import topology as mesh
from studio.head.builtin import builtin_head
from studio.head.model import NO_EYELIDS, HeadModel
from studio.project.quarantined_pickle import Record, read_pickle

SHAPES = 300
"""FLAME's shape directions come first, expressions follow."""
JAW, LEFT, RIGHT = 2, 4, 3
"""Rows of FLAME's joints (root, neck, jaw, own left eye, own right eye): own right is the viewer's left."""
EMBEDDING = "mediapipe_landmark_embedding.npz"
LANDMARK_NOISE = 0.001
"""What FLAME leaves unexplained of a landmark, metres: its embedding is a hand-made correspondence."""


def load_flame(model: Path, embedding: Path | None, identities: int = 100) -> HeadModel:
    """Read FLAME without running any pickled code.

    Args:
        model: ``generic_model.pkl`` (2020) or ``flame2023.pkl``.
        embedding: ``mediapipe_landmark_embedding.npz``, which says where MediaPipe's points lie on FLAME.
        identities: how many of the 300 shape directions are used.

    Returns:
        The model. Landmarks are the embedding's points and the two iris centres.

    Raises:
        Problem: when a file is missing or is not what it should be.
    """
    if embedding is None or not embedding.is_file():
        raise Problem(
            f"FLAME also needs {EMBEDDING}, which says where the tracker's points lie on it; get it from the "
            "downloads of flame.is.tue.mpg.de (MediaPipe landmark embedding) and put it beside the model."
        )
    if not model.is_file():
        raise Problem(f"{model.name} is not there; get FLAME from flame.is.tue.mpg.de and name its path.")
    values = read_pickle(model, inert=("chumpy", "scipy.sparse"))
    if not isinstance(values, dict):
        raise Problem(f"{model.name} is not a FLAME model; name generic_model.pkl or flame2023.pkl.")
    template = _numbers(values, "v_template", model, (-1, 3))
    count = len(template)
    directions = _numbers(values, "shapedirs", model, (count, 3, -1))
    if directions.shape[2] < SHAPES + EXPRESSIONS:
        raise Problem(
            f"{model.name} has {directions.shape[2]} shape directions, FLAME has 400; name the full model."
        )
    correctives = _numbers(values, "posedirs", model, (count, 3, 36))
    regressor = _numbers(values, "J_regressor", model, (5, count))
    weights = _numbers(values, "weights", model, (count, 5))
    triangles = _numbers(values, "f", model, (-1, 3)).astype(np.int32)
    _check(model, bool(len(triangles)) and triangles.min() >= 0 and triangles.max() < count)
    by_direction = np.ascontiguousarray(directions.transpose(2, 0, 1), np.float32)
    # Correctives follow joints 1..4, nine numbers each.
    nine = [correctives[:, :, 9 * (j - 1) : 9 * j] for j in (JAW, LEFT, RIGHT)]
    ids, corners, shares = _embedding(embedding, triangles)
    for side, joint in ((0, LEFT), (1, RIGHT)):
        ball = np.flatnonzero(weights[:, joint] > 0.9)
        if len(ball):
            # FLAME's eyeballs look along z: the iris centre is the foremost point.
            iris = int(ball[template[ball, 2].argmax()])
            ids = np.append(ids, np.int32(mesh.IRISES[side][0]))
            corners = np.concatenate([corners, np.full((1, 3), iris, np.int32)])
            shares = np.concatenate([shares, np.array([[1.0, 0.0, 0.0]], np.float32)])
    own = builtin_head()
    return HeadModel(
        id=f"flame-{hashlib.sha256(model.read_bytes()).hexdigest()[:8]}",
        template=template.astype(np.float32),
        triangles=triangles,
        identity_basis=by_direction[:identities],
        expression_basis=by_direction[SHAPES : SHAPES + EXPRESSIONS],
        expression_deviation=np.ones(EXPRESSIONS, np.float32),
        joint_regressor=regressor[[JAW, LEFT, RIGHT]].astype(np.float32),
        joint_shift=np.zeros((3, 3), np.float32),
        skin=weights[:, [JAW, LEFT, RIGHT]].astype(np.float32),
        pose_basis=np.ascontiguousarray(np.concatenate(nine, 2).transpose(2, 0, 1), np.float32),
        eyelids=NO_EYELIDS,
        landmark_ids=ids,
        landmark_vertices=corners,
        landmark_weights=shares,
        landmark_noise=np.full(len(ids), LANDMARK_NOISE, np.float32),
        tracker_warp=own.tracker_warp[:, ids],
        rigid=np.maximum(own.rigid[ids], 0.02),
        motion_deviation=own.motion_deviation,
        tracker_depth=own.tracker_depth,
    )


def _embedding(
    path: Path, triangles: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Floats]:
    """Landmark ids ``[L]``, their triangles' vertices ``[L, 3]`` and weights ``[L, 3]``."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            faces = np.asarray(stored["lmk_face_idx"], np.int64).reshape(-1)
            weights = np.asarray(stored["lmk_b_coords"], np.float32).reshape(-1, 3)
            ids = np.asarray(stored["landmark_indices"], np.int64).reshape(-1)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise Problem(
            f"{path.name} is not FLAME's MediaPipe embedding ({error}); get {EMBEDDING}."
        ) from error
    _check(path, len(ids) > 0 and len(faces) == len(weights) == len(ids))
    _check(path, faces.min() >= 0 and faces.max() < len(triangles))
    _check(path, ids.min() >= 0 and ids.max() < mesh.POINTS)
    return ids.astype(np.int32), triangles[faces], weights


def _numbers(
    values: dict[Any, Any], name: str, path: Path, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """One array of the model, whatever it was wrapped in. Raises Problem when it does not fit ``shape``."""
    if name not in values:
        raise Problem(f"{path.name} has no {name}, so it is not a FLAME model; name generic_model.pkl.")
    try:
        array = plain_array(values[name])
    except (IndexError, ValueError, TypeError, RecursionError):  # indices or shapes that do not fit
        array = None
    fits = array is not None and array.dtype.kind in "fiu" and array.ndim == len(shape)
    if array is None or not fits or any(n not in (-1, m) for n, m in zip(shape, array.shape)):
        raise Problem(f"{name} of {path.name} is not what FLAME has; download the model again.")
    return np.asarray(array, np.float64)


def plain_array(value: Any) -> npt.NDArray[Any] | None:
    """The array inside a chumpy or scipy.sparse record, or the value itself; None where there is none.

    chumpy keeps an array under ``x``; a selection keeps its source under ``a`` and flat indices under
    ``idxs``. Sparse matrices keep ``data``, ``indices`` and ``indptr`` or ``row`` and ``col``.
    """
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, Record) or not isinstance(value.state, dict):
        return None
    state = value.state
    if value.module.startswith("scipy.sparse"):
        return _dense(value.name, state)
    if "a" in state and "idxs" in state:
        source, picked = plain_array(state["a"]), plain_array(state["idxs"])
        if source is None or picked is None:
            return None
        chosen = source.ravel()[np.asarray(picked).ravel()]
        shape = state.get("preferred_shape")
        return chosen.reshape(shape) if shape is not None else chosen
    return plain_array(state.get("x"))


def _dense(kind: str, state: dict[Any, Any]) -> npt.NDArray[Any] | None:
    shape = state.get("_shape", state.get("shape"))
    try:
        if "row" in state:
            matrix = sparse.coo_matrix((state["data"], (state["row"], state["col"])), shape)
        else:
            make = sparse.csr_matrix if "csr" in kind else sparse.csc_matrix
            matrix = make((state["data"], state["indices"], state["indptr"]), shape)
            matrix.check_format(full_check=True)
        dense: npt.NDArray[Any] = matrix.toarray()
    except (KeyError, ValueError, TypeError, IndexError):
        return None
    return dense


def _check(path: Path, fine: bool) -> None:
    if not fine:
        raise Problem(f"{path.name} does not fit together with FLAME; download it again.")
