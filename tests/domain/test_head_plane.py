"""Pictures back to metres: the inverse of what the camera does."""

from __future__ import annotations

import numpy as np

from studio.domain.camera import Similarity, head_plane, project


def test_a_point_of_the_heads_plane_comes_back_from_the_picture() -> None:
    random = np.random.default_rng(4)
    count = 6
    camera = np.stack(
        [random.uniform(300, 2000, count), random.uniform(0, 900, count), random.uniform(0, 900, count)], 1
    )
    placements = [
        Similarity(*random.uniform((0.2, -1.0, -300, -300), (3.0, 1.0, 300, 300))) for _ in range(count)
    ]
    maps = head_plane(np.stack([p.to_array() for p in placements]), camera)
    assert maps.shape == (count, 2, 3)
    points = random.uniform(-0.2, 0.2, (count, 5, 3))
    # Straight ahead, whatever lies behind one another is at the same place of the plane.
    seen = project(points, np.zeros((count, 3)), camera)
    for t, placement in enumerate(placements):
        picture = placement.apply(seen[t, :, :2])
        metres = picture @ maps[t, :, :2].T + maps[t, :, 2]
        np.testing.assert_allclose(metres, points[t, :, :2], atol=2e-6)


def test_one_upright_picture_by_hand() -> None:
    # The head's origin is at source pixel (50, 60), 1000 pixels a metre; the picture is twice what is
    # right and below of (40, 40).
    picture = Similarity(2.0, 0.0, -80.0, -80.0).to_array()
    maps = head_plane(picture[None], np.array([[1000.0, 50.0, 60.0]]))
    np.testing.assert_allclose(maps[0], [(0.0005, 0.0, -0.01), (0.0, -0.0005, 0.02)], atol=1e-8)
