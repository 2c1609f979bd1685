"""What a turned source hides of a head looks as the side that it shows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from studio.engines.export3d.volume import Matter, Volume
from studio.networks.volume.lifted import on_surface
from studio.networks.volume.rays import Cameras
from studio.networks.volume.symmetry import mirrored
from tests.engines.export3d.little_export3d import METRE, PROJECT, drive, network

ROWS, COLUMNS = 9, 13


def camera(yaw: float) -> Cameras:
    """Of a head that is turned by so many degrees, in pictures of 64."""
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    turn = torch.tensor([[[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]])
    to_plane = torch.tensor([[[1.0, 0.0, -32.0], [0.0, -1.0, 30.0]]]) / METRE
    return Cameras(turn, to_plane, torch.zeros(1), torch.zeros(1, 2))


def turned(yaw: float) -> tuple[Volume, Matter, Tensor]:
    """A volume, somebody in it whose picture has other colours on either side, and places of their face."""
    made = network(PROJECT)
    chance = torch.Generator().manual_seed(5)
    soft = torch.rand(1, 3, 9, 9, generator=chance) * 2.0 - 1.0
    picture = torch.ones(1, 4, 64, 64)
    picture[:, :3] = torch.nn.functional.interpolate(soft, (64, 64), mode="bilinear")
    x, y = torch.meshgrid(
        torch.linspace(-0.06, 0.06, COLUMNS), torch.linspace(-0.05, 0.05, ROWS), indexing="xy"
    )
    flat = torch.stack([x.flatten(), y.flatten()], -1)[None]
    with torch.no_grad():
        matter = made.planes(picture, drive(PROJECT, 1).expression, camera(yaw)).matter
        return made.volume, matter, torch.cat([flat, on_surface(matter.surface[:, :1], flat)], -1)


def other(values: Tensor) -> Tensor:
    """Of places ``[M, C]`` in mirror order: the mean face is symmetric."""
    return values.view(ROWS, COLUMNS, -1).flip(1).reshape(values.shape)


def test_hidden_places_look_as_their_mirror_places() -> None:
    volume, matter, places = turned(40.0)
    assert matter.turned
    with torch.no_grad():
        one, own = volume.sight(matter, places, None)
        both, told = volume.sight(matter, places, camera(0.0))
    assert torch.allclose(other(mirrored(places)[0]), places[0], atol=5e-3)
    facing = own.facing[0]
    hidden = (facing < 0.05) & (other(facing[:, None])[:, 0] > 0.6)
    known = facing > 0.6
    assert hidden.sum() > 10
    assert known.sum() > 10
    wanted, before = other(one[0]), one[0]
    colours = [0, 1, 2, 4, 5]
    away = (both[0][hidden] - wanted[hidden])[:, colours].abs().max()
    assert float(away) < 0.05 * float((before[hidden] - wanted[hidden])[:, colours].abs().max()) + 0.02
    assert torch.equal(both[..., 3], one[..., 3])  # whether anybody is there
    assert torch.allclose(both[0][known], before[known])
    assert float(told.facing[0][hidden].min()) > 0.5


def test_the_sources_own_view_and_a_source_from_the_front_ask_no_other_side() -> None:
    volume, matter, places = turned(40.0)
    with torch.no_grad():
        assert torch.equal(
            volume.sight(matter, places, camera(40.0))[0], volume.sight(matter, places, None)[0]
        )
    assert not turned(2.0)[1].turned
