"""A volume that is told where the head is: matter is on its surface, colours come from where they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from studio.domain.motion import HeadMotion
from studio.engines.nofa.guided_volume import TAKEN, Canonical
from studio.engines.nofa.motion_maps import MotionMaps
from studio.engines.nofa.network import NofaNetwork
from studio.engines.nofa.source import Source, sizes
from studio.head import builtin_head
from studio.head.expression_numbers import expression_numbers
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.head_surface import surface_of_face
from studio.networks.volume.lifted import on_surface
from studio.networks.volume.rays import Cameras
from studio.networks.volume.seeing import seen_at
from studio.networks.volume.symmetry import mirrored
from tests.engines.nofa.little_nofa import GUIDED

SHAPE = replace(GUIDED, fine_samples=12, coarse_samples=24, raw_side=32)
MODEL = builtin_head()


def motion(jaw: float = 0.0, yaw: float = 0.0) -> HeadMotion:
    """One frame in pixels of pictures of 64."""
    still = HeadMotion.neutral(1, np.array([190.0, 32.0, 28.0], np.float32))
    opened = np.array([[jaw, 0.0, 0.0]], np.float32)
    return replace(still, jaw=opened, angles=np.array([[yaw, 0.0, 0.0]], np.float32))


def untrained() -> NofaNetwork:
    torch.manual_seed(0)
    return NofaNetwork(SHAPE).eval()


def told(picture: Tensor, moves: HeadMotion) -> tuple[Source, MotionMaps, Cameras]:
    """A picture of somebody who fills it."""
    maps = MotionMaps(MODEL, MODEL.template, SHAPE)
    cameras = cameras_of(moves, np.array([1.0, 0.0, 0.0, 0.0]))
    whole = torch.cat([picture, torch.ones(1, 1, 64, 64)], 1)
    surface = torch.from_numpy(surface_of_face(MODEL, maps.face))[None, None]
    return Source(whole, cameras, surface, torch.from_numpy(maps.from_canonical(moves))), maps, cameras


def stripes() -> Tensor:
    """Rows of changing brightness: whoever is a pixel too high or low is seen."""
    rows = torch.sin(torch.arange(64) * 0.7)
    return (0.8 * rows)[None, None, :, None].expand(1, 3, -1, 64).contiguous()


def drawn(source: Source, maps: MotionMaps, cameras: Cameras, moves: HeadMotion) -> Tensor:
    """``[3, 64, 64]`` the source driven by a frame."""
    network = untrained()
    with torch.no_grad():
        numbers = torch.from_numpy(expression_numbers(moves, MODEL))
        warp = network.warp(torch.zeros(1, 40), numbers, torch.from_numpy(maps.to_canonical(moves)))
        return network.draw(network.encode(source), cameras, warp).picture[0]


def test_who_is_driven_by_their_own_picture_is_drawn_as_they_are():
    """To the canonical face and back to the source's own expression; colours of an untrained volume are a
    share of the source's, the rest its own."""
    closed = motion()
    source, maps, cameras = told(stripes(), closed)
    share = float(torch.tensor(TAKEN).sigmoid())
    face = slice(20, 52), slice(22, 42)
    found = drawn(source, maps, cameras, closed)
    wanted = stripes()[0]
    likeness = torch.corrcoef(torch.stack([found[:, *face].flatten(), wanted[:, *face].flatten()]))[0, 1]
    assert float(likeness) > 0.97
    strength = found[:, *face].std() / wanted[:, *face].std()
    assert 0.7 * share < float(strength) < 1.1
    # Without the way to the source's expression the mouth is looked up elsewhere.
    astray = replace(source, away=torch.zeros(1, 3, 4, 4))
    mouth = slice(40, 52), slice(26, 38)
    off = (drawn(astray, maps, cameras, closed)[:, *mouth] - wanted[:, *mouth]).square().mean()
    assert float(off) > 2.0 * float((found[:, *mouth] - wanted[:, *mouth]).square().mean())


def test_an_opening_jaw_takes_the_chin_along():
    source, maps, cameras = told(stripes(), motion())
    closed, opened = (drawn(source, maps, cameras, motion(jaw)) for jaw in (0.0, 0.3))
    chin = MODEL.template[MODEL.template[:, 1].argmin()]
    lower = MODEL.deform(MODEL.template, motion(0.3))[0][MODEL.template[:, 1].argmin()]
    places = [seen_at(cameras, torch.tensor(point)[None, None].float())[0, 0] for point in (chin, lower)]
    moved = float(places[1][1] - places[0][1])
    assert moved > 2.0
    column, row = 32, int(places[0][1]) - 3
    # What was at a row of the chin is now that much lower.
    strip = closed[0, row - 2 : row + 3, column - 2 : column + 3]
    errors = []
    for down in range(9):
        window = opened[0, row - 2 + down : row + 3 + down, column - 2 : column + 3]
        errors.append(float((window - strip).square().mean()))
    assert abs(int(np.argmin(errors)) - moved) <= 1.5


def test_matter_lies_on_the_canonical_surface():
    moves = motion(SHAPE.canonical_jaw)
    source, maps, cameras = told(stripes(), moves)
    network = untrained()
    with torch.no_grad():
        person = network.encode(source)
        depth = network.draw(person, cameras).depth
    assert source.surface is not None
    for vertex in (4, 151, 50, 280):  # nose, forehead, cheeks
        point = torch.from_numpy(maps.face[vertex])[None, None]
        place = seen_at(cameras, point)[0, 0] / 2.0
        there = -float(depth[0, 0, int(place[1]), int(place[0])])
        assert abs(there - float(on_surface(source.surface, point)[0, 0, 0])) < 0.008


def test_hidden_colours_say_nothing():
    """Whoever may not take the source's colours draws the same whatever they are: fine-tuning needs it."""
    source, _, cameras = told(stripes(), motion())
    network = untrained()
    with torch.no_grad():
        person = network.encode(source)
        assert person.guide is not None
        assert person.guide.lifted is not None
        blind = replace(person, guide=replace(person.guide, seen=False))
        maps = person.guide.lifted.maps.clone()
        maps[:, :3] = 1.0 - maps[:, :3]
        other = replace(person.guide, lifted=replace(person.guide.lifted, maps=maps))
        ours = network.draw(blind, cameras)
        theirs = network.draw(replace(person, guide=replace(other, seen=False)), cameras)
        assert torch.equal(ours.picture, theirs.picture)
        assert ours.taken is None
        seeing = network.draw(replace(person, guide=other), cameras)
    assert not torch.allclose(seeing.picture, network.draw(person, cameras).picture, atol=0.1)


def test_invented_people_stand_before_black():
    network = untrained()
    ws = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        seen = network.draw(network.invent(ws), cameras_of(motion(), np.array([1.0, 0.0, 0.0, 0.0])))
    corner = seen.picture[0, :, :3, :3]
    assert float(seen.alpha[0, 0, 0, 0]) < 0.05
    assert float((corner + 1.0).abs().max()) < 0.1
    assert float(seen.alpha[0, 0, 16, 16]) > 0.9


def test_sizes_are_those_of_a_stretched_and_of_a_turned_front():
    """x → 0.5 x, y → 0.6 y + 0.4 x over the box: every place becomes 0.3 times as large; a turn keeps it."""
    step = 0.37 / 16
    x = ((torch.arange(16) + 0.5) * step - 0.185).expand(16, 16)
    y = -x.T + 0.155 - 0.185
    leaning = torch.stack([-0.5 * x, 0.4 * x - 0.4 * y, torch.zeros_like(x)])[None]
    assert torch.allclose(sizes(leaning)[..., 1:-1, 1:-1], torch.tensor(0.3), atol=1e-5)
    c, s = 0.8, 0.6
    turned = torch.stack([c * x - s * y - x, s * x + c * y - y, x])[None]
    assert torch.allclose(sizes(turned)[..., 1:-1, 1:-1], torch.tensor(1.0), atol=1e-5)
    assert torch.equal(sizes(torch.zeros(1, 3, 8, 8)), torch.ones(1, 1, 8, 8))


def test_what_the_source_shows_as_a_line_is_hardly_taken_from_it():
    """Lips that touch say nothing about the inside of an open mouth."""
    opened = motion(SHAPE.canonical_jaw)
    source, maps, cameras = told(stripes(), motion())
    network = untrained()
    rows = {int(point): row for row, point in enumerate(MODEL.landmark_ids)}
    marks = MODEL.pick_landmarks(maps.face)
    inside = 0.5 * (marks[rows[13]] + marks[rows[14]])
    with torch.no_grad():
        person = network.encode(source)
        warp = network.warp(torch.zeros(1, 40), network.canonical[None], None)
        taken = network.draw(person, cameras, warp).taken

    def at(taken: Tensor | None, point: np.ndarray) -> float:
        assert taken is not None
        place = seen_at(cameras, torch.from_numpy(point)[None, None].float())[0, 0] / 2.0
        return float(taken[0, 0, int(place[1]), int(place[0])])

    assert at(taken, inside) < 0.8 * at(taken, marks[rows[151]])
    # Who opens their mouth in the picture shows it.
    source, _, cameras = told(stripes(), opened)
    with torch.no_grad():
        taken = network.draw(network.encode(source), cameras, warp).taken
    assert at(taken, inside) > 0.9 * at(taken, marks[rows[151]])


def test_behind_an_outline_is_the_person_and_not_the_wall():
    picture = torch.ones(1, 3, 64, 64)
    picture[..., :32] = -1.0
    outline = torch.where(torch.arange(64) < 32, 1.0, -1.0).expand(1, 1, 64, 64)
    source, _, _ = told(picture, motion())
    with torch.no_grad():
        guide = untrained().encode(replace(source, picture=torch.cat([picture, outline], 1))).guide
    assert guide is not None
    assert guide.lifted is not None
    assert guide.behind is not None
    # The wall of 1 is nowhere in the person's colours, the person of -1 nowhere in what is behind.
    assert float(guide.lifted.maps[:, :3].max()) < 0.05
    assert float(guide.behind.min()) > 0.9


SOFT = torch.nn.functional.interpolate(
    torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(5)) * 2.0 - 1.0, (64, 64), mode="bilinear"
)
"""A picture whose sides differ."""


def on_the_face(source: Source, seen_by: Cameras, turned: bool = True) -> tuple[Canonical, Tensor]:
    """Places of the canonical face as seen by cameras, and the cosine ``[M]`` at which the source's camera
    sees each."""
    network = untrained()
    assert network.guided is not None
    with torch.no_grad():
        guide = network.encode(source).guide
        assert guide is not None
        assert guide.turned
        x, y = torch.meshgrid(torch.linspace(-0.06, 0.06, 13), torch.linspace(-0.05, 0.05, 9), indexing="xy")
        flat = torch.stack([x.flatten(), y.flatten()], -1)[None]
        z = on_surface(guide.surface, flat)[..., :1]
        # Rays of these cameras through places of the surface, each at its depth.
        points = torch.cat([flat, z], -1)
        depth = -(points @ seen_by.rotation.mT)[..., 2:]
        rays = seen_by.rays(seen_at(seen_by, points)[0])
        place = network.guided.canonical(replace(guide, turned=turned), rays, depth, None)
        normals = on_surface(guide.surface, points)[0, :, 1:]
        assert guide.cameras is not None
        return place, normals @ guide.cameras.rotation[0, 2]


def test_what_a_turned_picture_hides_looks_as_its_other_side() -> None:
    source, _, _ = told(SOFT, motion(yaw=40.0))
    front = cameras_of(motion(), np.array([1.0, 0.0, 0.0, 0.0]))
    (both, facing), (one, _) = (on_the_face(source, front, turned) for turned in (True, False))
    assert both.shown is not None
    assert one.shown is not None
    assert torch.allclose(both.metres, one.metres)
    hidden = facing < 0.05
    known = facing > 0.6
    assert hidden.sum() > 10
    assert known.sum() > 10

    def other(values: Tensor) -> Tensor:
        """Of the places in mirror order: the face model is symmetric."""
        return values.view(9, 13, -1).flip(1).reshape(values.shape)

    across = other(one.shown[0])
    assert torch.allclose(other(mirrored(one.metres)[0]), one.metres[0], atol=2e-3)
    hidden &= other(facing) > 0.6
    assert hidden.any()
    away = (both.shown[0, hidden, :3] - across[hidden, :3]).abs().max()
    assert float(away) < 0.05 * float((one.shown[0, hidden, :3] - across[hidden, :3]).abs().max()) + 0.02
    assert torch.allclose(both.shown[0, known], one.shown[0, known])
    assert torch.equal(both.shown[..., 3], one.shown[..., 3])  # whether anybody is there
    assert (both.skin.facing >= one.skin.facing - 1e-6).all()


def test_the_sources_own_view_asks_no_other_side() -> None:
    source, _, cameras = told(SOFT, motion(yaw=40.0))
    (both, _), (one, _) = (on_the_face(source, cameras, turned) for turned in (True, False))
    assert both.shown is not None
    assert one.shown is not None
    assert torch.equal(both.shown, one.shown)


def test_a_picture_from_the_front_has_no_other_side() -> None:
    source, _, _ = told(SOFT, motion())
    with torch.no_grad():
        guide = untrained().encode(source).guide
    assert guide is not None
    assert not guide.turned
