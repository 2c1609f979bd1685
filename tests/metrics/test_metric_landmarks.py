"""F-LMD, AKD and CSIM on a real face, found by MediaPipe."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from studio.metrics import Observed, Unavailable, metric
from studio.metrics.identity import MobileFaceNet
from studio.metrics.landmarks import IBUG_68

IBUG_MIRROR = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
    ]
)
"""Where each iBUG point goes when the picture is mirrored, from the scheme's own drawing."""

Find = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def find() -> Find:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    mesh = FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True)

    def landmarks(picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        found = mesh.process(picture).multi_face_landmarks
        assert found, "MediaPipe found no face in the portrait"
        return np.array([(p.x * width, p.y * height, p.z * width) for p in found[0].landmark], np.float32)

    return landmarks


def portrait(dx: int = 0, size: int = 256) -> np.ndarray:
    """The astronaut's face, moved to the right by dx pixels of a 256² picture."""
    shown = np.ascontiguousarray(astronaut()[0:256, 96 - dx : 352 - dx])
    return shown if size == 256 else cv2.resize(shown, (size, size), interpolation=cv2.INTER_LINEAR)


def side(landmarks: np.ndarray, size: int = 256) -> Observed:
    return Observed(np.arange(1), size=size, landmarks=landmarks[None])


@pytest.mark.parametrize(("shift", "size"), [(6, 256), (12, 256), (6, 384)])
def test_a_shifted_face_is_as_far_as_it_was_shifted(find: Find, shift: int, size: int) -> None:
    real, rendered = find(portrait(0, size)), find(portrait(shift, size))
    # The tracker itself wanders by a fraction of a pixel.
    assert metric("flmd").measure(side(real, size), side(rendered, size))[0] == pytest.approx(shift, abs=0.8)
    assert metric("akd").measure(side(real, size), side(rendered, size))[0] == pytest.approx(shift, abs=0.6)


def test_a_known_diagonal_shift_in_closed_form(find: Find) -> None:
    real = find(portrait())
    rendered = real + np.array([3.0, -4.0, 0.0], np.float32)
    assert metric("flmd").measure(side(real), side(rendered))[0] == pytest.approx(7.0, abs=1e-3)
    assert metric("akd").measure(side(real), side(rendered))[0] == pytest.approx(5.0, abs=1e-3)
    assert metric("akd_mouth").measure(side(real), side(rendered))[0] == pytest.approx(5.0, abs=1e-3)
    eyes = np.linalg.norm(real[263, :2] - real[33, :2])
    share = metric("flmd_normalised").measure(side(real), side(rendered))[0]
    assert share == pytest.approx(700.0 / eyes, rel=1e-4)
    double = side(2 * real, 512), side(2 * rendered, 512)
    assert metric("flmd").measure(*double)[0] == pytest.approx(7.0, abs=1e-3)
    assert metric("flmd_normalised").measure(*double)[0] == pytest.approx(share, rel=1e-4)


def test_mouth_distance_sees_only_the_mouth(find: Find) -> None:
    real = find(portrait())
    rendered = real.copy()
    rendered[IBUG_68[:48]] += 5.0
    assert metric("akd_mouth").measure(side(real), side(rendered))[0] == 0
    assert metric("akd").measure(side(real), side(rendered))[0] > 3


def test_the_68_points_mirror_as_ibug_does(find: Find) -> None:
    """Every point of the mirrored picture lies where its iBUG counterpart lay."""
    here = find(portrait())[IBUG_68, :2]
    there = find(np.ascontiguousarray(portrait()[:, ::-1]))[IBUG_68, :2]
    there[:, 0] = 256 - there[:, 0]
    distance = np.linalg.norm(there[IBUG_MIRROR] - here, axis=1)
    assert distance.max() < 6
    assert np.median(distance) < 2


def test_the_68_points_lie_where_their_names_say(find: Find) -> None:
    p = find(portrait())[IBUG_68, :2]
    assert (np.diff(p[:17, 0]) > 0).sum() >= 14  # the contour runs from left to right …
    assert p[:17, 1].argmax() in (7, 8, 9)  # … with the chin lowest in its middle
    assert p[17:27, 1].max() < p[36:48, 1].min()  # brows above eyes
    assert (np.diff(p[27:31, 1]) > 0).all()  # down the nose
    assert p[51, 1] < p[62, 1] <= p[66, 1] < p[57, 1]  # outer above inner upper lip, and so on down
    assert p[36, 0] < p[39, 0] < p[42, 0] < p[45, 0]  # eye corners from left to right


def test_identity_network_knows_a_face_from_another_shape(find: Find) -> None:
    folder = os.environ.get("AVATAR_STUDIO_MODELS")
    root = Path(folder) if folder else Path(__file__).resolve().parents[3] / "shared" / "models"
    weights = root / "mobilefacenet_068.ckpt"
    if not weights.is_file():
        pytest.skip("no MobileFaceNet weights (set AVATAR_STUDIO_MODELS)")
    network = MobileFaceNet(weights)
    plain, bright = portrait(), np.clip(portrait(5).astype(float) * 1.15, 0, 255).astype(np.uint8)
    squeezed = cv2.resize(portrait()[:, 40:210], (256, 256))
    pictures = np.stack([plain, bright, squeezed, plain])
    landmarks = np.stack([find(p) for p in pictures])
    landmarks[3] = np.nan
    values = network.embed(pictures, landmarks)
    assert np.linalg.norm(values[:3], axis=1) == pytest.approx(1.0, abs=1e-4)
    assert np.isnan(values[3]).all()
    real = Observed(np.arange(4), embeddings=values[[0, 0, 0, 0]])
    cosine = metric("csim").measure(real, Observed(np.arange(4), embeddings=values))
    assert cosine[0] == pytest.approx(1.0, abs=1e-5)
    assert 0.8 < cosine[1] < 1.0
    assert cosine[2] < cosine[1]


def test_a_foreign_identity_file_says_why_not(tmp_path: Path) -> None:
    path = tmp_path / "face.ckpt"
    path.write_bytes(b"nothing")
    with pytest.raises(Unavailable, match=r"face\.ckpt"):
        MobileFaceNet(path)
