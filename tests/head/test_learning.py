"""Learning finds, in made-up people, the model that made them."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.learn_head_model import gather_people, learn
from studio.domain.camera import project
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head import topology as mesh
from studio.head.builtin import builtin_head
from studio.head.learning import LearnSettings, depth_gain, jaw_weights, learn_head
from studio.head.leave_out import leave_people_out

SETTINGS = LearnSettings(frames=60, identities=12)


def crowd(count, frames=60, depth=1.0, seed=0):
    """People who differ in eight identity coefficients and act with ten expressions, seen by a tracker that
    reports ``1 / depth`` of their depth."""
    rng = np.random.default_rng(seed)
    model = builtin_head()
    people = []
    for number in range(count):
        identity = rng.normal(size=8)
        t = np.arange(frames)
        motion = HeadMotion.neutral(frames, np.array([1500.0, 300.0, 250.0]))
        act = (t % 12 >= 4)[:, None]
        motion.expression[:, :10] = act * rng.normal(0, 0.8, (frames, 10))
        motion.jaw[:, 0] = act[:, 0] * 0.12 * np.abs(np.sin(t / 5 + number))
        motion.eyelids[:] = (t % 12 == 9)[:, None]
        motion.angles[:] = np.stack([25 * np.sin(t / 8 + number), 10 * np.cos(t / 6), 5 * np.sin(t / 5)], 1)
        points = model.landmarks(identity, np.zeros_like(model.template), motion)
        seen = project(points, motion.angles, motion.camera) / (1, 1, depth)
        people.append([(seen + rng.normal(0, 0.1, seen.shape)).astype(np.float32)])
    return people


@pytest.fixture(scope="module")
def learned():
    return learn_head(crowd(10, depth=1.15), SETTINGS)


def test_the_depth_gain_is_found(learned):
    assert learned.tracker_depth == pytest.approx(1.15, abs=0.05)


def test_without_turning_heads_the_depth_is_left_as_it_is():
    still = [clip[:1].repeat(20, 0) for person in crowd(2) for clip in person]
    top = mesh.topology()
    assert depth_gain(still, top.positions, np.ones(478, np.float32), SETTINGS) == 1.0


def test_the_learned_template_is_the_mean_face(learned):
    skin = np.setdiff1d(np.arange(478), np.ravel(mesh.IRISES))
    distance = np.linalg.norm(learned.template - builtin_head().template, axis=1)[skin]
    # Ten people with coefficients of one deviation: their mean is off by a third of one.
    assert distance.mean() < 0.003


def test_learned_lids_close(learned):
    shut = HeadMotion.neutral(1, np.ones(3))
    shut.eyelids[:] = 1.0
    after = learned.vertices(np.zeros(1), np.zeros_like(learned.template), shut)[0]
    for up, low in zip(mesh.UPPER_LIDS, mesh.LOWER_LIDS):
        before = np.linalg.norm(learned.template[list(up)] - learned.template[list(low)], axis=1)
        assert (np.linalg.norm(after[list(up)] - after[list(low)], axis=1) < 0.15 * before).all()


def test_learned_expressions_span_those_that_acted(learned):
    basis = learned.expression_basis[:10].reshape(10, -1)
    orthonormal = np.linalg.qr(basis.T)[0]
    for component in builtin_head().expression_basis[:3].reshape(3, -1):
        kept = np.linalg.norm(orthonormal.T @ component) / np.linalg.norm(component)
        assert kept > 0.85


def test_learning_twice_gives_the_same_model(learned):
    again = learn_head(crowd(10, depth=1.15), SETTINGS)
    np.testing.assert_allclose(again.expression_basis, learned.expression_basis, atol=1e-6)
    np.testing.assert_allclose(again.identity_basis, learned.identity_basis, atol=1e-6)


def test_people_left_out_are_fitted_and_identity_and_motion_earn_their_place():
    figures = leave_people_out(crowd(8, frames=40), folds=2, settings=SETTINGS)
    assert len(figures) == 8
    for person in figures:
        assert person.full < 0.006
        assert person.full <= person.without_offset < person.template
        assert person.full < 0.5 * person.rigid


def test_jaw_weights_rise_from_the_upper_lip_to_the_chin():
    top = mesh.topology()
    weights = jaw_weights(top.positions, top.triangles, top.mirror)
    assert weights[list(mesh.INNER_UPPER_LIP)].max() == 0
    assert weights[list(mesh.CHIN)].min() == 1
    assert 0.1 < weights[61] < 0.9
    assert weights[[1, 33, 263, 10, 168]].max() < 0.01
    np.testing.assert_array_equal(weights, weights[top.mirror])


def write_cache(folder, people):
    clips, cache = folder / "clips", folder / "cache"
    clips.mkdir()
    cache.mkdir()
    for number, (clip,) in enumerate(people):
        (clips / f"clip{number}.mp4").touch()
        np.savez(cache / f"clip{number}.npz", landmarks=clip)
    return clips, cache


def test_the_command_learns_from_a_folder_and_writes_model_and_card(tmp_path):
    clips, cache = write_cache(tmp_path, crowd(5))
    (clips / "notes.txt").touch()
    people = gather_people(clips, cache, [["clip0", "clip3"]], ["clip4"])
    assert [len(p) for p in people] == [2, 1, 1]
    model, mean = learn(people, tmp_path / "out.npz", SETTINGS, folds=0)
    assert mean is None
    assert model.handles["smile"].expression.any()
    card = (tmp_path / "out.json").read_text()
    assert '"people": 3' in card
    assert str(tmp_path) not in card


def test_too_few_people_or_no_folder_is_a_problem(tmp_path):
    clips, cache = write_cache(tmp_path, crowd(1))
    with pytest.raises(Problem, match="two people"):
        gather_people(clips, cache, [], [])
    with pytest.raises(Problem, match="folder"):
        gather_people(tmp_path / "nowhere", None, [], [])
