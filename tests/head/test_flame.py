"""The FLAME loader, on a small made-up model with the real one's layout."""

from __future__ import annotations

import math
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head import flame
from studio.head import topology as mesh
from studio.head.builtin import builtin_head
from studio.head.fitting import fit_landmarks
from studio.head.flame import load_flame
from studio.project.quarantined_pickle import Record

COUNT, PARENTS = 60, (-1, 0, 1, 1, 1)


def made_up(rng):
    """FLAME's arrays for a head of 60 vertices: the last ten belong to the eyeballs."""
    template = rng.normal(0, 0.04, (COUNT, 3))
    weights = rng.dirichlet(np.ones(5), COUNT)
    weights[50:55] = np.eye(5)[3]
    weights[55:] = np.eye(5)[4]
    triangles = np.array([rng.choice(COUNT, 3, replace=False) for _ in range(100)], np.uint32)
    regressor = np.where(rng.random((5, COUNT)) < 0.2, rng.random((5, COUNT)), 0.0)
    return {
        "v_template": template,
        "shapedirs": rng.normal(0, 0.002, (COUNT, 3, 400)),
        "posedirs": rng.normal(0, 0.003, (COUNT, 3, 36)),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights,
        "f": triangles,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


@pytest.fixture
def foreign(monkeypatch):
    """Classes that look like chumpy's and scipy's of ten years ago while a pickle is written."""
    kinds = {}
    for module, name in (
        ("chumpy.ch", "Ch"),
        ("chumpy.reordering", "Select"),
        ("scipy.sparse.csc", "csc_matrix"),
    ):
        made = types.ModuleType(module)
        kind = type(name, (), {"__module__": module})
        setattr(made, name, kind)
        kinds[name] = kind
        for part in (module.split(".")[0], module):
            if part not in ("scipy",):
                monkeypatch.setitem(sys.modules, part, made)
    return kinds


def wrap(kind, **state):
    value = kind()
    value.__dict__.update(state)
    return value


def write(folder, arrays, foreign=None):
    values = dict(arrays)
    if foreign:
        from scipy import sparse

        template = values["v_template"]
        columns = sparse.csc_matrix(values["J_regressor"])
        values["v_template"] = wrap(foreign["Ch"], x=template, _dirty_vars=set())
        picked = np.arange(values["shapedirs"].size)
        source = wrap(foreign["Ch"], x=values["shapedirs"].ravel())
        values["shapedirs"] = wrap(foreign["Select"], a=source, idxs=picked, preferred_shape=(COUNT, 3, 400))
        values["J_regressor"] = wrap(
            foreign["csc_matrix"],
            data=columns.data,
            indices=columns.indices,
            indptr=columns.indptr,
            _shape=(5, COUNT),
        )
    path = folder / "generic_model.pkl"
    path.write_bytes(pickle.dumps(values, 2))
    return path


def write_embedding(folder, rng, faces=100, points=105):
    path = folder / "mediapipe_landmark_embedding.npz"
    usual = [i for i in (*mesh.RIGID, *mesh.CHIN) if i not in np.ravel(mesh.IRISES)]
    ids = np.array(sorted({*usual, *range(200, 300)}))[:points]
    np.savez(
        path,
        lmk_face_idx=rng.integers(0, faces, points),
        lmk_b_coords=rng.dirichlet(np.ones(3), points),
        landmark_indices=ids,
    )
    return path


def rodrigues(axis):
    """Readable twin of a rotation from axis-angle."""
    angle = math.sqrt(sum(a * a for a in axis))
    if angle == 0:
        return np.eye(3)
    x, y, z = (a / angle for a in axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def slow_flame(arrays, shape, expression, pose):
    """FLAME by its paper, one vertex and one joint at a time; pose is 5 axis-angle rows."""
    coefficients = np.zeros(400)
    coefficients[: len(shape)] = shape
    coefficients[300 : 300 + len(expression)] = expression
    shaped = arrays["v_template"] + arrays["shapedirs"] @ coefficients
    joints = [row @ shaped for row in arrays["J_regressor"]]
    turns = [rodrigues(p) for p in pose]
    feature = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    posed = shaped + arrays["posedirs"] @ feature
    chain: list[np.ndarray] = []
    for joint, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        chain.append(local if parent < 0 else chain[parent] @ local)
    out = np.zeros_like(shaped)
    for v, point in enumerate(posed):
        for joint in range(5):
            moved = chain[joint] @ np.append(point - joints[joint], 1.0)
            out[v] += arrays["weights"][v, joint] * moved[:3]
    return out


def eye_axis_angle(gaze):
    """Axis-angle of a gaze (yaw, pitch in degrees)."""
    from scipy.spatial.transform import Rotation

    yaw, pitch = np.deg2rad(gaze)
    turn = rodrigues((0, yaw, 0)) @ rodrigues((-pitch, 0, 0))
    return Rotation.from_matrix(turn).as_rotvec()


@pytest.mark.parametrize("wrapped", [False, True])
def test_vertices_are_those_of_the_slow_twin(tmp_path, foreign, wrapped):
    rng = np.random.default_rng(3)
    arrays = made_up(rng)
    model = load_flame(write(tmp_path, arrays, foreign if wrapped else None), write_embedding(tmp_path, rng))
    shape, expression = rng.normal(size=100), rng.normal(size=(3, 50))
    jaw = rng.normal(0, 0.3, (3, 3))
    gaze = np.array([[0.0, 0.0], [15.0, -8.0], [-30.0, 20.0]])
    motion = HeadMotion.neutral(3, np.ones(3))
    motion.expression[:] = expression
    motion.jaw[:], motion.gaze[:] = jaw, gaze
    got = model.vertices(shape, np.zeros((COUNT, 3), np.float32), motion)
    for frame in range(3):
        eye = eye_axis_angle(gaze[frame])
        pose = [(0, 0, 0), (0, 0, 0), jaw[frame], eye, eye]
        want = slow_flame(arrays, shape, expression[frame], pose)
        np.testing.assert_allclose(got[frame], want, atol=2e-6)


def test_the_zero_pose_is_the_template(tmp_path):
    rng = np.random.default_rng(4)
    arrays = made_up(rng)
    model = load_flame(write(tmp_path, arrays), write_embedding(tmp_path, rng))
    motion = HeadMotion.neutral(1, np.ones(3))
    got = model.vertices(np.zeros(100), np.zeros((COUNT, 3), np.float32), motion)[0]
    np.testing.assert_allclose(got, arrays["v_template"], atol=1e-7)


def test_landmarks_lie_on_the_named_triangles_and_on_the_irises(tmp_path):
    rng = np.random.default_rng(5)
    arrays = made_up(rng)
    embedding = write_embedding(tmp_path, rng)
    model = load_flame(write(tmp_path, arrays), embedding)
    stored = np.load(embedding)
    motion = HeadMotion.neutral(1, np.ones(3))
    got = model.landmarks(np.zeros(100), np.zeros((COUNT, 3), np.float32), motion)[0]
    corners = arrays["v_template"][arrays["f"][stored["lmk_face_idx"]].astype(int)]
    want = (corners * stored["lmk_b_coords"][..., None]).sum(1)
    np.testing.assert_allclose(got[:105], want, atol=1e-6)
    # FLAME's fourth joint is the subject's own left eye, on the viewer's right.
    assert model.landmark_ids[105:].tolist() == [mesh.IRISES[0][0], mesh.IRISES[1][0]]
    np.testing.assert_allclose(got[105], max(arrays["v_template"][55:], key=lambda p: p[2]), atol=1e-6)
    np.testing.assert_allclose(got[106], max(arrays["v_template"][50:55], key=lambda p: p[2]), atol=1e-6)


def test_eyelids_change_nothing(tmp_path):
    rng = np.random.default_rng(6)
    model = load_flame(write(tmp_path, made_up(rng)), write_embedding(tmp_path, rng))
    open_eyes, shut = HeadMotion.neutral(1, np.ones(3)), HeadMotion.neutral(1, np.ones(3))
    shut.eyelids[:] = 1.0
    zero = np.zeros((COUNT, 3), np.float32)
    np.testing.assert_array_equal(
        model.vertices(np.zeros(3), zero, open_eyes), model.vertices(np.zeros(3), zero, shut)
    )


def head_like(rng):
    """A model of FLAME's layout whose vertices are the built-in head's, so that it can be fitted."""
    own = builtin_head()
    count = len(own.template)
    shapedirs = np.zeros((count, 3, 400))
    shapedirs[:, :, : own.identities] = own.identity_basis.transpose(1, 2, 0)
    shapedirs[:, :, 300:350] = own.expression_basis.transpose(1, 2, 0)
    weights = np.zeros((count, 5))
    weights[:, [2, 4, 3]] = own.skin
    weights[:, 1] = 1.0 - weights.sum(1)
    regressor = np.zeros((5, count))
    regressor[2, 234] = 1.0
    regressor[4, 33] = regressor[3, 263] = 1.0
    return {
        "v_template": own.template.astype(float),
        "shapedirs": shapedirs,
        "posedirs": np.zeros((count, 3, 36)),
        "J_regressor": regressor,
        "weights": weights,
        "f": own.triangles.astype(np.uint32),
    }


def test_a_flame_head_is_fitted_through_its_sparse_landmarks(tmp_path):
    rng = np.random.default_rng(7)
    path = write(tmp_path, head_like(rng))
    embedding = tmp_path / "mediapipe_landmark_embedding.npz"
    own = builtin_head()
    order = [int(np.flatnonzero((own.triangles == v).any(1))[0]) for v in range(468)]
    corner = np.array([(own.triangles[f] == v).astype(float) for v, f in enumerate(order)])
    np.savez(embedding, lmk_face_idx=order, lmk_b_coords=corner, landmark_indices=np.arange(468))
    model = load_flame(path, embedding)
    frames = 12
    motion = HeadMotion.neutral(frames, np.array([1500.0, 250.0, 240.0]))
    motion.expression[:, :8] = rng.normal(0, 0.8, (frames, 8))
    motion.jaw[:, 0] = np.linspace(0, 0.15, frames)
    motion.angles[:] = rng.uniform(-25, 25, (frames, 3)) * (1, 0.6, 0.4)
    tracked = np.zeros((frames, 478, 3), np.float32)
    points = project(model.landmarks(np.zeros(2), own.template * 0, motion), motion.angles, motion.camera)
    tracked[:, model.landmark_ids] = points * (1, 1, 1 / model.tracker_depth)
    fit = fit_landmarks(model, tracked, np.ones(frames, bool))
    assert np.abs(fit.motion.angles - motion.angles).max() < 2.0
    assert fit.error.max() < 0.01
    assert not fit.motion.eyelids.any()
    assert not fit.offset.any()


def test_a_missing_embedding_says_which_file_to_get(tmp_path):
    path = write(tmp_path, made_up(np.random.default_rng(0)))
    for embedding in (None, tmp_path / "nowhere.npz"):
        with pytest.raises(Problem, match=r"mediapipe_landmark_embedding\.npz.*flame\.is\.tue\.mpg\.de"):
            load_flame(path, embedding)


def test_a_missing_model_says_where_it_comes_from(tmp_path):
    with pytest.raises(Problem, match=r"flame\.is\.tue\.mpg\.de"):
        load_flame(tmp_path / "generic_model.pkl", write_embedding(tmp_path, np.random.default_rng(0)))


class Runs:
    def __reduce__(self):
        return os.system, ("touch CANARY",)


def test_a_malicious_model_is_refused_without_running(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    path = write(tmp_path, {**made_up(rng), "J": Runs()})
    with pytest.raises(Problem, match="nothing was run"):
        load_flame(path, write_embedding(tmp_path, rng))
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a.pop("weights"),
        lambda a: a.update(weights=a["weights"][:-1]),
        lambda a: a.update(shapedirs=a["shapedirs"][:, :, :300]),
        lambda a: a.update(v_template="text"),
        lambda a: a.update(f=a["f"] + 1000),
    ],
)
def test_models_of_another_shape_are_refused(tmp_path, spoil):
    rng = np.random.default_rng(0)
    arrays = made_up(rng)
    spoil(arrays)
    with pytest.raises(Problem, match=r"generic_model\.pkl"):
        load_flame(write(tmp_path, arrays), write_embedding(tmp_path, rng))


@pytest.mark.parametrize("picked", [[7], [0]])
def test_a_selection_that_leads_nowhere_is_refused(picked):
    record = Record()
    record.module, record.name = "chumpy.reordering", "Select"
    # Beyond the source's end, and a selection from itself.
    source = np.zeros(3) if picked == [7] else record
    record.state = {"a": source, "idxs": np.array(picked)}
    with pytest.raises(Problem, match="not what FLAME has"):
        flame._numbers({"weights": record}, "weights", Path("generic_model.pkl"), (-1, 5))


def test_an_embedding_of_another_model_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    with pytest.raises(Problem, match="embedding"):
        load_flame(write(tmp_path, made_up(rng)), write_embedding(tmp_path, rng, faces=9000))
