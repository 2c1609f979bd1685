"""Distilling on drawn heads whose parameters are known: what shows is read, what does not is not trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.distil_estimator import Distilled, angles_in_crop, distil_estimator
from pipelines.estimator_worth import judge, reliability
from pipelines.pvp_settings import EstimatorSettings
from studio.domain.camera import Similarity, project
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

SIZE = 32
COUNT = 240
TRAIN, VALIDATION = np.arange(180), np.arange(180, COUNT)
SETTINGS = EstimatorSettings(size=SIZE, steps=350, batch=16, learning_rate=3e-3)


def wander(chance: np.random.Generator, count: int, columns: int) -> np.ndarray:
    """``[count, columns]`` slow random curves of unit size."""
    raw = chance.normal(size=(count + 24, columns))
    smooth = np.stack([np.convolve(raw[:, c], np.hanning(13), "same")[12:-12] for c in range(columns)], 1)
    return (smooth / smooth.std(0)).astype(np.float32)


def drawn(seed: int = 0) -> tuple[np.ndarray, HeadMotion]:
    """Dotted heads: expression 0 moves the brows, 1 the mouth's corners, the jaw its lower lip, angles the
    whole; expression 2 is told to move and shows nothing."""
    chance = np.random.default_rng(seed)
    curves = wander(chance, COUNT, 7)
    motion = HeadMotion.neutral(COUNT, np.array([SIZE * 4.0, SIZE / 2, SIZE / 2]))
    motion.expression[:, :3] = curves[:, :3]
    motion.jaw[:, 0] = 0.15 + 0.08 * curves[:, 3]
    motion.angles[:] = curves[:, 4:] * (10.0, 6.0, 4.0)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    images = np.empty((COUNT, SIZE, SIZE, 3), np.uint8)
    for t in range(COUNT):
        e, jaw = motion.expression[t], float(motion.jaw[t, 0])
        points = np.array(
            [(s * 0.04, 0.03, 0.03) for s in (-1, 1)]
            + [(s * 0.04, 0.06 + 0.008 * e[0], 0.03) for s in (-1, 1)]
            + [(s * (0.03 + 0.006 * e[1]), -0.04, 0.04) for s in (-1, 1)]
            + [(0.0, -0.04 - 0.2 * jaw, 0.05), (0.0, 0.0, 0.09)],
            np.float32,
        )
        at = project(points, motion.angles[t], motion.camera[t])
        colours = np.array([(0, 0, 90)] * 2 + [(90, 40, 0)] * 2 + [(150, 0, 60)] * 3 + [(0, 120, 0)])
        picture = np.full((SIZE, SIZE, 3), 200.0)
        for (u, v, _), colour in zip(at, colours):
            dot = np.exp(-((x - u) ** 2 + (y - v) ** 2) / 4.0)[..., None]
            picture = picture * (1 - dot) + colour * dot
        images[t] = picture
    return images, motion


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory) -> Distilled:
    torch.manual_seed(77)
    before = torch.random.get_rng_state()
    images, motion = drawn()
    told: list[int] = []
    result = distil_estimator(
        images,
        motion,
        TRAIN,
        VALIDATION,
        folder=tmp_path_factory.mktemp("distil"),
        settings=SETTINGS,
        progress=lambda done, total, what: told.append(done),
    )
    assert len(set(told)) > SETTINGS.steps // 4
    assert torch.equal(torch.random.get_rng_state(), before)
    return result


def test_it_reads_what_shows(distilled: Distilled) -> None:
    report = distilled.report
    assert report.correlations[:2].min() > 0.8
    assert report.groups["jaw"].correlation > 0.8
    for name in ("yaw", "pitch"):
        assert report.groups[name].correlation > 0.9
        assert report.groups[name].error < 0.5 * report.groups[name].guess
    assert report.frames == len(VALIDATION)


def test_it_does_not_trust_what_does_not_show(distilled: Distilled) -> None:
    trust = distilled.estimator.reliability
    assert trust.expression[:2].min() > 0.4
    assert trust.expression[2] < 0.15
    assert trust.expression[3:].max() == 0  # never move
    assert trust.jaw[0] > 0.15
    assert trust.jaw[1:].max() == 0
    assert "validation frames" in distilled.report.sentence


def test_the_report_is_about_the_returned_estimator(distilled: Distilled) -> None:
    """Read again, by hand: same errors; and its gradient tells which way the mouth opens."""
    images, motion = drawn()
    pictures = torch.from_numpy(images[VALIDATION].transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1
    reading = distilled.estimator(pictures)
    error = np.sqrt(((reading.angles.numpy() - motion.angles[VALIDATION]) ** 2).mean(0))
    np.testing.assert_allclose(error, distilled.report.errors[-3:], rtol=1e-3)
    assert not any(p.requires_grad for p in distilled.estimator.parameters())
    assert not distilled.estimator.training


def test_same_seed_same_estimator(tmp_path: Path) -> None:
    images, motion = drawn()
    short = replace(SETTINGS, steps=6)
    first, second, other = (
        distil_estimator(images, motion, TRAIN, VALIDATION, folder=tmp_path / str(n), settings=s)
        for n, s in enumerate((short, short, replace(short, seed=1)))
    )
    for name, value in first.estimator.state_dict().items():
        assert torch.equal(value, second.estimator.state_dict()[name])
    weights = [next(d.estimator.parameters()) for d in (first, other)]
    assert not torch.equal(*weights)


def test_turning_the_picture_turns_the_angles(tmp_path: Path) -> None:
    """A crop that turns the picture shows exactly the head with the angles that are said of it."""
    chance = np.random.default_rng(4)
    points = chance.normal(0, 0.05, (20, 3)).astype(np.float32)
    angles = np.array([[30.0, -10.0, 12.0], [-40.0, 15.0, -8.0]], np.float32)
    crops = np.array([[0.01, -0.25, 0.4, 0.6], [0.02, 0.4, 0.1, -0.3]], np.float32)
    turned = angles_in_crop(angles, crops)
    for t in range(2):
        crop = Similarity.from_array(crops[t])
        seen = crop.apply(project(points, angles[t], np.array([500.0, 40.0, 60.0])))
        centre = crop.apply(np.array([[40.0, 60.0]]))[0]
        camera = np.array([500.0 * crop.scale, *centre])
        np.testing.assert_allclose(project(points, turned[t], camera)[:, :2], seen[:, :2], atol=1e-4)


def test_augmented_pictures_keep_to_their_labels() -> None:
    """Turn, shift and scale act on the picture as on the points drawn in it."""
    from pipelines.distil_estimator import _altered

    settings = EstimatorSettings(size=64, shift=0.0, scale=0.0, turn=20.0, light=0.0)
    picture = torch.zeros(8, 3, 64, 64)
    picture[:, :, 30:34, 50:54] = 1.0  # right of the centre: a clockwise turn moves it down
    seen, turns = _altered(picture, settings, np.random.default_rng(1))
    at = torch.arange(64) + 0.5 - 32
    weight = seen.mean(1)
    x = (weight.sum(1) @ at) / weight.sum((1, 2))
    y = (weight.sum(2) @ at) / weight.sum((1, 2))
    np.testing.assert_allclose(np.rad2deg(np.arctan2(y, x)), turns, atol=0.5)
    assert np.abs(turns).max() > 10


def test_reliability_of_known_series() -> None:
    chance = np.random.default_rng(0)
    truth = chance.normal(size=(4000, 6))
    read = truth.copy()
    read[:, 1] = 0.5 * truth[:, 1] + np.sqrt(0.75) * chance.normal(size=4000)  # correlation 0.5
    read[:, 2] = truth[:, 2] + 3.0  # a constant error
    read[:, 3] = chance.normal(size=4000)
    read[:, 4] = -truth[:, 4]
    truth[:, 5] = 0.1  # does not move
    trust = reliability(read, truth)
    assert trust[0] > 0.99
    assert trust[1] == pytest.approx(0.25, abs=0.04)
    assert trust[2] == pytest.approx((2 / (2 + 9)) ** 2, abs=0.02)
    assert trust[3] < 0.002
    assert trust[4] == 0
    assert trust[5] == 0


def test_few_or_slow_frames_are_trusted_less() -> None:
    chance = np.random.default_rng(1)

    def trust(truth: np.ndarray) -> float:
        noise = np.random.default_rng(2).normal(size=truth.shape) * 0.5 * truth.std()
        return float(reliability(truth + noise, truth).mean())

    quick = chance.normal(size=(400, 20))
    few = quick[:8]
    assert trust(quick) > trust(few) + 0.1
    slow = np.repeat(chance.normal(size=(8, 20)), 50, 0)

    def with_slow_noise(truth: np.ndarray, hold: int) -> float:
        noise = np.repeat(np.random.default_rng(3).normal(size=(400 // hold, 20)), hold, 0)
        return float(reliability(truth + 0.5 * noise, truth).mean())

    assert with_slow_noise(slow, 50) < with_slow_noise(quick, 1) - 0.1


def test_judging_in_closed_form() -> None:
    tracked = np.zeros((4, 56))
    tracked[:, 0] = (1.0, -1.0, 1.0, -1.0)
    tracked[:, 53] = (5.0, -5.0, 5.0, -5.0)
    read = tracked.copy()
    read[:, 53] += 2.0
    read[:, 50] = np.deg2rad(3.0)
    report = judge(read, tracked, np.zeros(56), components=1)
    assert report.groups["expression"].correlation == pytest.approx(1.0)
    assert report.groups["expression"].guess == pytest.approx(np.sqrt(1 / 50))
    assert report.groups["yaw"].error == pytest.approx(2.0)
    assert report.groups["yaw"].correlation == pytest.approx(1.0)
    assert report.groups["jaw"].error == pytest.approx(3.0 / np.sqrt(3.0))
    assert report.groups["jaw"].correlation == 0


def test_bad_input_is_refused(tmp_path: Path) -> None:
    images, motion = drawn()
    with pytest.raises(Problem, match="12 good frames"):
        distil_estimator(images, motion, TRAIN[:12], VALIDATION, folder=tmp_path)
    with pytest.raises(ValueError, match="learnt"):
        distil_estimator(images, motion, np.arange(COUNT), VALIDATION, folder=tmp_path)
    assert not list(tmp_path.iterdir()) or [p.name for p in tmp_path.iterdir()] == ["home"]


def test_it_can_be_stopped(tmp_path: Path) -> None:
    images, motion = drawn()

    def stop(done: int, total: int | None, what: str) -> None:
        if done >= 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        distil_estimator(images, motion, TRAIN, VALIDATION, folder=tmp_path, settings=SETTINGS, progress=stop)
