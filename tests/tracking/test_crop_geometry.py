from __future__ import annotations

import numpy as np
import pytest

from studio.domain.camera import Similarity
from studio.head.ffhq_crop import (
    MOUTH_CORNERS,
    VIEWER_LEFT_EYE,
    VIEWER_RIGHT_EYE,
    crop_frames,
    crop_similarities,
    mask_squares,
    upright_similarities,
)


def simple_face(eye_gap: float, mouth_drop: float) -> np.ndarray:
    """Eyes level around (100, 80), mouth below."""
    points = np.zeros((1, 478, 3), np.float32)
    points[0, VIEWER_LEFT_EYE, :2] = (100 - eye_gap / 2, 80)
    points[0, VIEWER_RIGHT_EYE, :2] = (100 + eye_gap / 2, 80)
    points[0, MOUTH_CORNERS, :2] = (100, 80 + mouth_drop)
    return points


@pytest.mark.parametrize(("gap", "drop", "half"), [(60, 50, 120), (40, 60, 108)])
def test_upright_face_by_the_formula(gap: float, drop: float, half: float) -> None:
    """Half the side is max(2.0 eye distances, 1.8 eye-to-mouth), a tenth of the drop below the eyes."""
    centres, axes = crop_frames(simple_face(gap, drop))
    np.testing.assert_allclose(centres[0], (100, 80 + 0.1 * drop), atol=1e-4)
    np.testing.assert_allclose(axes[0], (half, 0), atol=1e-3)
    crop = Similarity.from_array(crop_similarities(centres, axes)[0])
    corner = np.array([[100 - half, 80 + 0.1 * drop - half], [100 + half, 80 + 0.1 * drop + half]])
    np.testing.assert_allclose(crop.apply(corner), [[0, 0], [1, 1]], atol=1e-5)


def test_crop_moves_with_the_face() -> None:
    """Landmarks under a similarity: the crop of the moved face shows the same as before."""
    face = simple_face(60, 50)
    move = Similarity(1.7, 0.4, 33.0, -20.0)
    one = Similarity.from_array(crop_similarities(*crop_frames(face))[0])
    two = Similarity.from_array(crop_similarities(*crop_frames(move.apply(face)))[0])
    points = np.random.default_rng(0).uniform(0, 200, (50, 2)).astype(np.float32)
    np.testing.assert_allclose(two.apply(move.apply(points)), one.apply(points), atol=1e-4)


@pytest.mark.parametrize("roll", [-0.8, -0.3, 0.0, 0.3, 0.785])
def test_mask_square_is_upright_and_holds_the_crop_however_it_is_turned(roll: float) -> None:
    face = Similarity(1.0, roll, 50.0, 60.0).apply(simple_face(60, 50))
    centres, axes = crop_frames(face)
    crop = Similarity.from_array(crop_similarities(centres, axes)[0])
    box = Similarity.from_array(upright_similarities(*mask_squares(centres, axes))[0])
    assert box.angle == 0
    corners = crop.inverse().apply(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32))
    inside = box.apply(corners)
    assert inside.min() >= 0
    assert inside.max() <= 1
