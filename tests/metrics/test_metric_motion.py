"""AED, APD, CSIM, jitter, flicker and the summary, in closed form."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from studio.domain.motion import HeadMotion
from studio.metrics import Observed, Unavailable, metric, summarise
from studio.metrics.landmarks import IBUG_68

CAMERA = np.array([800.0, 128.0, 120.0], np.float32)


def moved(**changes: np.ndarray) -> Observed:
    motion = HeadMotion.neutral(2, CAMERA)
    return Observed(np.arange(2), motion=replace(motion, **changes))


def test_turn_gives_the_closed_form_pose_distance() -> None:
    still = moved()
    turned = moved(angles=np.array([[12.0, 0, 0], [3.0, -6.0, 9.0]], np.float32))
    assert metric("pose_degrees").measure(still, turned) == pytest.approx([4.0, 6.0])
    assert metric("apd").measure(still, turned) == pytest.approx(np.deg2rad([12.0, 18.0]) / 6)
    assert metric("aed").measure(still, turned) == pytest.approx([0, 0])


def test_angles_are_compared_the_short_way_round() -> None:
    one, other = (moved(angles=np.full((2, 3), value, np.float32)) for value in (179.0, -179.0))
    assert metric("pose_degrees").measure(one, other) == pytest.approx([2.0, 2.0], abs=1e-4)


def test_shift_and_scale_give_the_closed_form_pose_distance() -> None:
    still = moved()
    shifted = moved(camera=np.array([[800, 136, 120], [400, 128, 120]], np.float32))
    # 8 px of 800 px/m is one centimetre, a tenth of a decimetre; half as large is twice as far: 10 dm more.
    assert metric("apd").measure(still, shifted) == pytest.approx([0.1 / 6, 10.0 / 6])


def test_expression_distance_is_the_mean_over_coefficients() -> None:
    changed = np.zeros((2, 50), np.float32)
    changed[0, 7] = -2.0
    changed[1] = 0.5
    values = metric("aed").measure(moved(), moved(expression=changed))
    assert values == pytest.approx([2.0 / 50, 0.5])


def test_csim_is_a_cosine_and_off_without_a_network() -> None:
    def faces(*vectors: tuple[float, float]) -> Observed:
        return Observed(np.arange(len(vectors)), embeddings=np.array(vectors, np.float32))

    one = faces((1, 0), (1, 0), (1, 0))
    other = faces((1, 0), (0, 1), (0.6, -0.8))
    assert metric("csim").measure(one, other) == pytest.approx([1.0, 0.0, 0.6])
    with pytest.raises(Unavailable, match="identity network"):
        metric("csim").measure(Observed(np.arange(1)), Observed(np.arange(1)))


def tracked(frames: np.ndarray, size: int = 256, shake: float = 0.0) -> Observed:
    """All landmarks on one point that drifts evenly and shakes by plus and minus ``shake`` pixels."""
    points = np.zeros((len(frames), 478, 3), np.float32)
    points[..., 0] = (2.0 * frames + shake * (-1.0) ** frames)[:, None]
    return Observed(frames, size=size, landmarks=points)


def test_jitter_is_the_second_difference() -> None:
    frames = np.arange(6)
    values = metric("jitter").measure(tracked(frames), tracked(frames, shake=0.5))
    assert np.isnan(values[[0, -1]]).all()
    assert values[1:-1] == pytest.approx(2.0)  # an even drift adds nothing, ±s shakes by 4 s
    half = metric("jitter").measure(tracked(frames, 512), tracked(frames, 512, shake=0.5))
    assert half[1:-1] == pytest.approx(1.0)
    assert metric("jitter").measure(tracked(frames, shake=0.5), tracked(frames))[1:-1] == pytest.approx(-2.0)


def test_jitter_does_not_look_across_gaps() -> None:
    frames = np.array([0, 1, 2, 10, 11, 12])
    values = metric("jitter").measure(tracked(frames), tracked(frames, shake=0.5))
    assert np.isfinite(values).tolist() == [False, True, False, False, True, False]


def test_flicker_forgives_motion_and_sees_brightness() -> None:
    wide = cv2.resize(astronaut()[:300, 60:420], (200, 168), interpolation=cv2.INTER_AREA)
    moving = [np.ascontiguousarray(wide[:, 2 * t : 2 * t + 160]) for t in range(4)]
    real = Observed(np.arange(4), np.stack(moving), size=160)
    levels = [0, 8, 0, 8]
    pulsing = [
        np.clip(p.astype(int) + d, 0, 255).astype(np.uint8) for p, d in zip(moving, levels, strict=True)
    ]
    still = Observed(np.arange(4), np.stack([moving[0]] * 4), size=160)
    measure = metric("flicker").measure
    assert np.isnan(measure(real, real)[0])
    assert measure(real, real)[1:] == pytest.approx(0.0)
    assert measure(real, Observed(np.arange(4), np.stack(pulsing), size=160))[1:] == pytest.approx(
        [6.0] * 3, abs=2.0
    )
    assert (measure(real, still)[1:] > 3.0).all()  # a picture that does not follow the motion is wrong too
    assert np.isnan(measure(replace(real, frames=np.array([0, 5, 9, 20])), still)).all()


def test_a_lost_face_never_improves_the_mean() -> None:
    lower, higher = metric("flmd"), metric("csim")
    values = np.array([1.0, np.nan, 3.0, np.nan])
    missing = np.array([False, True, False, False])  # the last has no face in the real frame either
    summary = summarise(lower, values, missing)
    assert summary.mean == pytest.approx(7 / 3)
    assert (summary.frames, summary.penalised) == (3, 1)
    assert summarise(higher, values / 4, missing).mean == pytest.approx((0.25 + 0.75 + 0.0) / 3)
    nothing = summarise(lower, np.full(2, np.nan), np.ones(2, bool))
    assert np.isnan(nothing.mean)
    assert nothing.penalised == 2


def test_face_found_counts_renderings_of_tracked_frames() -> None:
    real, rendered = tracked(np.arange(4)), tracked(np.arange(4))
    assert real.landmarks is not None
    assert rendered.landmarks is not None
    real.landmarks[3] = np.nan
    rendered.landmarks[1] = np.nan
    values = metric("face_found").measure(real, rendered)
    assert values[:3].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(values[3])
    assert summarise(metric("face_found"), values).mean == pytest.approx(2 / 3)


def test_the_68_points_are_distinct_mesh_vertices() -> None:
    assert len(set(IBUG_68.tolist())) == 68
    assert IBUG_68.min() >= 0
    assert IBUG_68.max() < 468
