"""Where the head's surface is, and the source brought to the front plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.engines.export3d.volume import WIDTH
from studio.head import builtin_head
from studio.head.rasterise import rasterise
from studio.head.zero_pose import FrontalGrid
from studio.networks.volume.head_surface import (
    BACKDROP,
    FALL,
    GRID,
    HIGH,
    LOW,
    NOWHERE,
    front_places,
    surface_of,
    surface_of_face,
    unit,
)
from studio.networks.volume.lifted import (
    FACE,
    Lifted,
    canonical,
    face_from_front,
    on_surface,
    surface_normals,
)
from studio.networks.volume.planes import sample_planes
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import seen_at
from studio.one_picture.driving import frames_of
from tests.engines.export3d.little_export3d import motion

SIDE = 128


def camera(yaw: float, pitch: float, roll: float) -> Cameras:
    held = replace(
        motion(1),
        angles=np.array([[yaw, pitch, roll]], np.float32),
        camera=np.array([[300.0, 70.0, 55.0]], np.float32),
    )
    return frames_of(held, builtin_head()).cameras


def picture_of(cameras: Cameras, points: Tensor) -> Tensor:
    """Spots where points are seen, ``[1, 1, SIDE, SIDE]``."""
    x, y = (torch.arange(SIDE) + 0.5 for _ in range(2))
    seen = seen_at(cameras, points[None])[0]
    spots = torch.zeros(SIDE, SIDE)
    for place in seen:
        spots += torch.exp(-((x[None] - place[0]) ** 2 + (y[:, None] - place[1]) ** 2) / 4.0)
    return spots[None, None]


def faces_places(face) -> np.ndarray:
    """Places of the surface over which a face is, ``[GRID, GRID]``."""
    grid = FrontalGrid(np.array(LOW[:2], np.float32), np.array(HIGH[:2], np.float32), GRID)
    return rasterise(grid.to_pixels(face), builtin_head().triangles, GRID, GRID).triangle >= 0


def surface() -> Tensor:
    return torch.from_numpy(surface_of(builtin_head()))[None, None]


def test_the_surface_is_the_heads_where_it_is_and_falls_back_beside_it():
    model = builtin_head()
    height = surface()
    # Vertices that are seen from the front lie on it, to the coarseness of its grid.
    front = torch.from_numpy(model.template[[4, 6, 151, 199, 50, 280]])  # nose, brow, forehead, chin, cheeks
    found = on_surface(height, front[None])[0, :, 0]
    assert (found - front[:, 2]).abs().max() < 0.006
    assert abs(float(height[0, 0, -1, 0]) - BACKDROP) < 1e-6
    assert height.shape == (1, 1, GRID, GRID)


def test_beside_the_face_the_surface_only_falls_and_falls_as_said():
    """A rim that lies deeper than what is beside it would be a groove, and show as a dark line."""
    model = builtin_head()
    height = surface()[0, 0].numpy()
    place = (HIGH[0] - LOW[0]) / GRID
    rows, columns = np.nonzero(faces_places(model.template))
    middle = GRID // 2
    eyes = int((HIGH[1] - model.template[168, 1]) / place)  # between the eyes
    right, left = columns[rows == eyes].max(), columns[rows == eyes].min()
    for line in (height[eyes, right:], height[eyes, left::-1]):
        assert (np.diff(line) <= 1e-7).all()
        assert line[1] == pytest.approx(max(line[0] - FALL[0] * place, BACKDROP), abs=1e-6)
    above = height[rows[columns == middle].min() :: -1, middle]
    assert (np.diff(above) <= 1e-7).all()
    assert above[3] == pytest.approx(max(above[0] - 3 * FALL[1] * place, BACKDROP), abs=1e-6)
    below = height[rows[columns == middle].max() :, middle]
    assert below[1] == pytest.approx(max(below[0] - FALL[2] * place, BACKDROP), abs=1e-6)
    assert below[-1] == pytest.approx(BACKDROP)


def test_far_from_the_face_there_may_be_none():
    model, reach = builtin_head(), 0.03
    near = surface_of_face(model, model.template, reach)
    rows, columns = np.nonzero(faces_places(model.template))
    place = (HIGH[0] - LOW[0]) / GRID
    row, column = np.mgrid[:GRID, :GRID]
    away = np.hypot(row[..., None] - rows, column[..., None] - columns).min(-1) * place
    assert (near[away > reach + 1e-6] == NOWHERE).all()
    assert (near[away < reach - 1e-6] > NOWHERE).all()


def test_another_persons_surface_is_theirs():
    model = builtin_head()
    identity = np.zeros(model.identities)
    identity[:3] = 2.0
    offset = np.zeros_like(model.template)
    offset[:, 2] = 0.004
    theirs = torch.from_numpy(surface_of(model, identity, offset))[None, None]
    face = model.neutral(identity, offset)
    front = torch.from_numpy(face[[4, 6, 151, 50]])
    assert (on_surface(theirs, front[None])[0, :, 0] - front[:, 2]).abs().max() < 0.006
    assert float((theirs - surface()).abs().max()) > 0.003


def test_normals_of_a_slope_and_of_the_nose():
    places = front_places(GRID).view(GRID, GRID, 2)
    slope = (0.5 * places[..., 0] - 0.25 * places[..., 1])[None, None]
    normal = surface_normals(slope, WIDTH)[0, :, 5:-5, 5:-5]
    wanted = torch.nn.functional.normalize(torch.tensor([-0.5, 0.25, 1.0]), dim=0)
    assert (normal - wanted[:, None, None]).abs().max() < 1e-5


def test_front_places_are_the_front_planes_texels():
    """A plane whose texels hold their own places gives points their places back."""
    side = 32
    places = front_places(side).T.reshape(1, 2, side, side)
    planes = torch.zeros(1, 3, 2, side, side)
    planes[:, 0] = places
    points = torch.rand(1, 50, 3) * (torch.tensor(HIGH) - torch.tensor(LOW)) * 0.9 + 0.95 * torch.tensor(LOW)
    found = sample_planes(planes, unit(points))
    inside = ((unit(points)[..., :2]).abs() < 0.95).all(-1)
    assert (found - points[..., :2])[inside].abs().max() < 1e-6


@pytest.mark.parametrize("held", [(0.0, 0.0, 0.0), (25.0, -10.0, 12.0), (-30.0, 8.0, -20.0)])
def test_frontal_sources_have_points_of_the_face_in_their_places(held):
    height, cameras = surface(), camera(*held)
    for place in ([0.0, 0.02], [0.03, 0.03], [-0.02, -0.04]):
        flat = torch.tensor([[place]])
        point = torch.cat([flat, on_surface(height, flat)], -1)[0]
        made = canonical(picture_of(cameras, point), cameras, height, "frontal")
        assert float(on_surface(made, flat)) > 0.75  # the spot's middle, which is 1
        away = flat + torch.tensor([0.02, 0.015])
        assert float(on_surface(made, away)) < 0.2


def test_placed_sources_are_upright_in_the_planes_size():
    height, cameras = surface(), camera(0.0, 0.0, 25.0)
    point = torch.tensor([[0.04, -0.05, 0.0]])
    made = canonical(picture_of(cameras, point), cameras, height, "placed")[0, 0]
    row, column = divmod(int(made.argmax()), SIDE)
    found = front_places(SIDE).view(SIDE, SIDE, 2)[row, column]
    assert (found - point[0, :2]).norm() < 0.005
    same = torch.rand(1, 3, SIDE, SIDE)
    assert canonical(same, cameras, height, "off") is same


def test_a_point_sees_what_its_camera_saw_of_it():
    cameras = camera(20.0, 5.0, -8.0)
    points = torch.rand(1, 40, 3) * 0.2 - 0.1
    seen = seen_at(cameras, points)
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    lifted = Lifted(torch.stack([x, y])[None], cameras)  # each pixel shows where it is
    inside = ((seen > 1) & (seen < SIDE - 1)).all(-1)
    assert inside.sum() > 20
    assert (lifted.at(points) - seen)[inside].abs().max() < 1e-3


@pytest.mark.parametrize("moved", [False, True])
def test_a_face_is_seen_from_the_front_however_it_is_turned(moved: bool) -> None:
    """A bright dot on the forehead lands where the window has it, from every side."""
    head = builtin_head()
    height = surface().expand(3, -1, -1, -1)
    at = torch.tensor([[[0.0, 0.045]]]).expand(3, -1, -1)
    point = torch.cat([at, on_surface(height, at)], -1)
    cameras = frames_of(motion(3), head).cameras
    seen = seen_at(cameras, point)[:, 0]
    y, x = torch.meshgrid(torch.arange(64.0) + 0.5, torch.arange(64.0) + 0.5, indexing="ij")
    away = (x - seen[:, 0, None, None]).square() + (y - seen[:, 1, None, None]).square()
    picture = torch.exp(-0.5 * away / 1.5**2)[:, None]
    window = torch.tensor([[1.1, 0.0, 0.1], [0.0, 1.1, -0.05]]).expand(3, -1, -1) if moved else None
    shown = face_from_front(picture, cameras, height, 64, window)
    peak = shown[:, 0].flatten(1).argmax(1)
    where = torch.stack([peak % 64, peak // 64], 1).float().add(0.5) / 32.0 - 1.0
    share = (at[:, 0] - torch.tensor(FACE[:2])) / FACE[2]
    if moved:
        share = (share - torch.tensor([0.1, -0.05])) / 1.1
    assert torch.allclose(where, share * torch.tensor([1.0, -1.0]), atol=0.07)
