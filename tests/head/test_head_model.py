"""The built-in head: its shape, its symmetry, and that the quick ways agree with slow, readable ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head import topology as mesh
from studio.head.builtin import builtin_head, load_builtin, save_builtin
from studio.head.learning import flipped
from studio.head.model import pose_features

NEUTRAL = HeadMotion.neutral(1, np.ones(3))


def lively(rng, frames):
    motion = HeadMotion.neutral(frames, np.array([1200.0, 300.0, 200.0]))
    motion.expression[:] = rng.normal(size=motion.expression.shape)
    motion.jaw[:] = rng.normal(0, 0.1, motion.jaw.shape)
    motion.eyelids[:] = rng.random(motion.eyelids.shape)
    motion.gaze[:] = rng.uniform(-20, 20, motion.gaze.shape)
    return motion


def slow_vertices(model, identity, offset, motion, frame):
    """One frame, one vertex at a time."""
    neutral = model.template + np.tensordot(identity, model.identity_basis, 1) + offset
    shaped = neutral + np.tensordot(motion.expression[frame], model.expression_basis, 1)
    lids = model.eyelids
    for v, up, low, share, eye in zip(lids.vertex, lids.upper, lids.lower, lids.share, lids.eye):
        shaped[v] += motion.eyelids[frame, eye] * share * (neutral[low] - neutral[up])
    without_lids = neutral + np.tensordot(motion.expression[frame], model.expression_basis, 1)
    joints = model.joint_regressor @ without_lids + model.joint_shift
    yaw, pitch = motion.gaze[frame]
    eye_turn = Rotation.from_euler("YX", [yaw, -pitch], degrees=True).as_matrix()
    turns = [Rotation.from_rotvec(motion.jaw[frame]).as_matrix(), eye_turn, eye_turn]
    out = shaped.copy()
    for v in range(len(shaped)):
        for j in range(3):
            share = model.skin[v, j] * (1 if j == 0 else 1 - motion.eyelids[frame, j - 1])
            out[v] += share * (turns[j] @ (shaped[v] - joints[j]) + joints[j] - shaped[v])
    return out


def test_vertices_agree_with_the_slow_twin():
    rng = np.random.default_rng(0)
    model = builtin_head()
    identity = rng.normal(size=model.identities)
    offset = rng.normal(0, 0.001, model.template.shape).astype(np.float32)
    motion = lively(rng, 3)
    got = model.vertices(identity, offset, motion)
    prepared = model.posed_landmarks(model.neutral(identity, offset))(motion)
    for frame in range(3):
        want = slow_vertices(model, identity, offset, motion, frame)
        np.testing.assert_allclose(got[frame], want, atol=2e-6)
        np.testing.assert_allclose(prepared[frame], want, atol=2e-6)


def test_a_change_of_shape_is_carried_like_the_shape_itself():
    model, motion = builtin_head(), HeadMotion.neutral(3, np.array([700.0, 0.0, 0.0]))
    rng = np.random.default_rng(4)
    motion.expression[:] = rng.normal(0.0, 1.0, motion.expression.shape)
    motion.jaw[:] = rng.uniform(-0.2, 0.3, motion.jaw.shape)
    motion.eyelids[:] = [[0.0, 0.0], [1.0, 0.3], [0.6, 1.2]]
    motion.gaze[:] = rng.uniform(-20.0, 20.0, motion.gaze.shape)
    change = (0.01 * rng.normal(size=model.template.shape)).astype(np.float32)
    carried = model.carry(change, motion)
    difference = model.deform(model.template + change, motion) - model.deform(model.template, motion)
    np.testing.assert_allclose(carried, difference, atol=2e-7)
    assert np.abs(carried - change).max() > 0.005


def test_neutral_motion_gives_the_template_and_landmarks_are_its_vertices():
    model = builtin_head()
    zero = np.zeros_like(model.template)
    np.testing.assert_allclose(model.vertices(np.zeros(5), zero, NEUTRAL)[0], model.template, atol=1e-8)
    np.testing.assert_allclose(model.landmarks(np.zeros(5), zero, NEUTRAL)[0], model.template, atol=1e-8)
    assert model.landmark_ids.tolist() == list(range(478))


def test_size_axes_and_origin():
    shape = builtin_head().template
    left, right = shape[mesh.IRISES[0][0]], shape[mesh.IRISES[1][0]]
    assert np.linalg.norm(left - right) == pytest.approx(0.063, abs=1e-4)
    assert left[0] < 0 < right[0], "the first eye is on the viewer's left, at negative x"
    assert shape[10, 1] > shape[1, 1] > shape[152, 1], "forehead above nose above chin"
    assert shape[1, 2] > shape[234, 2] + 0.06, "the nose is nearer to the camera than the ears"
    # The origin: between the ears, 15 mm below and 5 mm behind their line.
    np.testing.assert_allclose(shape[[234, 454]].mean(0), (0, 0.015, 0.005), atol=1e-5)


def test_the_model_is_its_own_mirror_image():
    model, mirror = builtin_head(), mesh.topology().mirror
    np.testing.assert_allclose(flipped(model.template, mirror), model.template, atol=1e-6)
    np.testing.assert_allclose(model.skin[mirror, 0], model.skin[:, 0], atol=1e-6)
    for basis in (model.identity_basis, model.expression_basis):
        for component in basis:
            other = flipped(component, mirror)
            # Every component is symmetric or changes its sign in the mirror.
            off = min(np.abs(other - component).max(), np.abs(other + component).max())
            assert off < 0.02 * np.abs(component).max()


def test_components_stand_in_the_order_of_their_size():
    model = builtin_head()
    for basis in (model.identity_basis, model.expression_basis):
        size = (basis[:, :468] ** 2 * (1, 1, 0.25)).sum((1, 2)) ** 0.5
        assert (size[1:] <= size[:-1] * 1.12).all()
        assert size[0] > 3 * size[-1]


def test_triangles_close_the_face():
    triangles = mesh.topology().triangles
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert count.max() == 2, "no edge belongs to three triangles"
    # One boundary: the oval of the face with its 36 points. Eyes and mouth are closed.
    assert (count == 1).sum() == 36
    assert len(np.unique(np.sort(triangles, 1), axis=0)) == len(triangles)
    for iris in mesh.IRISES:
        assert (triangles == iris[0]).any(), "the iris centre is part of the mesh"


def test_closed_lids_meet_whatever_the_size_of_the_eye():
    rng = np.random.default_rng(1)
    model = builtin_head()
    shut = HeadMotion.neutral(1, np.ones(3))
    shut.eyelids[:] = 1.0
    for _ in range(10):
        identity = rng.normal(size=model.identities)
        zero = np.zeros_like(model.template)
        before, after = model.vertices(identity, zero, NEUTRAL)[0], model.vertices(identity, zero, shut)[0]
        for up, low in zip(mesh.UPPER_LIDS, mesh.LOWER_LIDS):
            gap = np.linalg.norm(after[list(up)] - after[list(low)], axis=1)
            rest = np.linalg.norm(before[list(up)] - before[list(low)], axis=1)
            assert (gap < 0.15 * rest).all()
            assert (after[list(up), 1] >= after[list(low), 1]).all(), "the lids do not cross"


def test_gaze_turns_the_irises_where_the_sign_says():
    model = builtin_head()
    zero = np.zeros_like(model.template)
    for column, axis in ((0, 0), (1, 1)):
        look = HeadMotion.neutral(1, np.ones(3))
        look.gaze[0, column] = 20.0
        moved = model.vertices(np.zeros(1), zero, look)[0] - model.template
        changed = np.flatnonzero(np.abs(moved).max(1) > 1e-7)
        assert set(changed) == set(np.ravel(mesh.IRISES))
        # sin 20° of an eyeball whose iris lies 10.5 mm before its centre
        for iris in mesh.IRISES:
            assert moved[iris[0], axis] == pytest.approx(0.0105 * np.sin(np.deg2rad(20)), abs=3e-4)


def test_the_jaw_opens_the_lower_face_only():
    model = builtin_head()
    wide = HeadMotion.neutral(1, np.ones(3))
    wide.jaw[0, 0] = 0.2
    moved = model.vertices(np.zeros(1), np.zeros_like(model.template), wide)[0] - model.template
    assert moved[152, 1] < -0.012, "the chin goes down"
    assert moved[14, 1] < -0.010, "the lower lip follows"
    above = model.template[:, 1] > model.template[2, 1]
    assert np.abs(moved[above]).max() < 0.002
    assert np.abs(moved[list(mesh.INNER_UPPER_LIP)]).max() < 1e-6
    corners = -moved[list(mesh.MOUTH_CORNERS), 1]
    assert (corners > 0.1 * -moved[14, 1]).all()
    assert (corners < 0.7 * -moved[14, 1]).all()


def test_pose_features_vanish_for_a_frontal_face_and_mirror_with_yaw():
    assert not pose_features(np.zeros((1, 3))).any()
    left, right = pose_features(np.array([[-30.0, 10.0, 5.0], [30.0, 10.0, 5.0]]))
    np.testing.assert_allclose(left * (-1, 1, 1, 1, -1), right, atol=1e-7)
    np.testing.assert_allclose(
        pose_features(np.array([[80.0, 0, 0]])), pose_features(np.array([[45.0, 0, 0]]))
    )


def test_a_model_survives_writing_and_reading(tmp_path):
    model = builtin_head()
    save_builtin(tmp_path / "copy.npz", model, {})
    copy = load_builtin(tmp_path / "copy.npz")
    rng = np.random.default_rng(2)
    motion, identity = lively(rng, 2), rng.normal(size=model.identities)
    zero = np.zeros_like(model.template)
    np.testing.assert_allclose(
        copy.vertices(identity, zero, motion), model.vertices(identity, zero, motion), atol=1e-6
    )
    assert list(copy.handles) == list(model.handles)
    assert (tmp_path / "copy.npz").stat().st_size < 1_000_000


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not really"])
def test_a_damaged_model_is_a_problem(tmp_path, content):
    if content is not None:
        (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(Problem, match=r"bad\.npz"):
        load_builtin(tmp_path / "bad.npz")
