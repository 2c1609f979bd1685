"""Aligned cameras and landmarks give back where heads are in the frame."""

from __future__ import annotations

import pytest
import torch

from studio.engines.nofa.head_translation import centred, face_centre, scaled, translated
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import origin_at, seen_at
from tests.networks.volume.closed_forms import DOUBLE, camera, turned


def moving(nearness: float = 0.0) -> Cameras:
    """Three turned heads at three places of the frame."""
    made = [
        camera(nearness, turned(10.0 * k, 5.0, 3.0 * k), (30.0 + 20.0 * k, 50.0 - 9.0 * k)) for k in range(3)
    ]
    return Cameras(
        *(torch.cat([getattr(c, name) for c in made]) for name in ("rotation", "to_plane", "nearness", "eye"))
    )


POINTS = torch.tensor([[0.03, 0.02, 0.05], [-0.03, 0.02, 0.05], [0.0, -0.05, 0.06]], dtype=DOUBLE)


def test_landmarks_tell_an_aligned_camera_where_the_head_is():
    whole = moving()
    middle = torch.tensor([48.0, 48.0], dtype=DOUBLE)
    aligned = centred(whole, middle.expand(3, -1))
    assert torch.allclose(origin_at(aligned), middle.expand(3, -1))
    seen, aside = seen_at(whole, POINTS.expand(3, -1, -1)), seen_at(aligned, POINTS.expand(3, -1, -1))
    assert not torch.allclose(seen, aside, atol=1.0)
    back = translated(aligned, face_centre(seen), face_centre(aside))
    assert torch.allclose(seen_at(back, POINTS.expand(3, -1, -1)), seen, atol=1e-9)


def test_one_source_serves_all_frames_and_no_offset_is_no_move():
    cameras = moving()
    source = torch.tensor([40.0, 41.0], dtype=DOUBLE)
    same = translated(cameras, source.expand(3, -1), source)
    assert torch.equal(same.to_plane, cameras.to_plane)
    right = translated(cameras, source.expand(3, -1) + torch.tensor([7.0, -2.0], dtype=DOUBLE), source)
    shift = seen_at(right, POINTS.expand(3, -1, -1)) - seen_at(cameras, POINTS.expand(3, -1, -1))
    assert torch.allclose(shift, torch.tensor([7.0, -2.0], dtype=DOUBLE).expand_as(shift), atol=1e-9)


def test_near_eyes_see_the_head_move_before_them():
    """The head keeps its own look, as the paper's camera translation does: nothing but its place changes."""
    cameras = moving(1.2)
    step = torch.tensor([6.0, 3.0], dtype=DOUBLE).expand(3, -1)
    moved = translated(cameras, step, torch.zeros(2, dtype=DOUBLE))
    assert torch.allclose(origin_at(moved) - origin_at(cameras), step)
    eye = (moved.eye - cameras.eye)[:, :, None]
    assert torch.allclose(eye, -cameras.to_plane[:, :, :2] @ step[:, :, None])


def test_size_is_changed_about_a_place():
    cameras = moving()
    place, size = origin_at(cameras), torch.tensor([0.5, 1.0, 2.0], dtype=DOUBLE)
    seen = seen_at(cameras, POINTS.expand(3, -1, -1)) - place[:, None]
    larger = seen_at(scaled(cameras, place, size), POINTS.expand(3, -1, -1)) - place[:, None]
    assert torch.allclose(larger, seen * size[:, None, None], atol=1e-9)


def test_landmarks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="landmarks"):
        face_centre(torch.zeros(4, 2))
