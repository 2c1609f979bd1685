"""The face's own plane: where it lies, what it is told, and that rays see what is painted on it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.domain.motion import HeadMotion
from studio.engines.export3d.face_plane import (
    DEEP,
    HALF,
    MIDDLE,
    RIM,
    FacePlane,
    covered,
    face_counts,
    from_front,
    painted_at,
    plane_places,
    surface_points,
)
from studio.engines.export3d.network import Export3DNetwork
from studio.engines.export3d.settings import export3d_settings
from studio.engines.export3d.volume import TAKEN, mixed
from studio.head import builtin_head
from studio.networks.volume.face_places import neutral_places
from studio.networks.volume.lifted import on_surface
from studio.networks.volume.rays import pixel_centres
from studio.networks.volume.seeing import seen_at
from studio.one_picture.driving import frames_of
from tests.engines.export3d.little_export3d import METRE, PAPER, PROJECT, drive, network

W = PROJECT.face_plane
STEPS = 110
"""Of a little training."""


def ramp() -> torch.Tensor:
    """A plane whose two channels are its own x and y, metres."""
    return plane_places(W).mT.reshape(1, 2, W, W)


def test_a_plane_is_read_where_it_lies() -> None:
    """A ramp along x and one along y come back as the points' own coordinates, whatever their depth."""
    random = torch.Generator().manual_seed(0)
    points = (torch.rand(1, 50, 3, generator=random) - 0.5) * 1.8 * HALF
    points[..., :2] += torch.tensor(MIDDLE)
    assert torch.allclose(painted_at(ramp(), points), points[..., :2], atol=1e-5)


def test_eyes_and_mouth_lie_on_the_plane_well_within_its_rim() -> None:
    points = neutral_places()
    assert bool((covered(points, torch.zeros(points.shape[:2])) == 1.0).all())


def test_what_is_painted_fades_at_the_rim_and_into_the_depth() -> None:
    x = torch.tensor([0.0, HALF - RIM, HALF - 0.5 * RIM, HALF, 1.5 * HALF])
    points = torch.stack([x + MIDDLE[0], torch.full_like(x, MIDDLE[1]), torch.zeros_like(x)], -1)[None]
    expected = torch.tensor([[1.0, 1.0, 0.5, 0.0, 0.0]])
    assert torch.allclose(covered(points, torch.zeros(1, 5)), expected, atol=1e-5)
    middle = points[:, :1].expand(-1, 3, -1)
    behind = torch.tensor([[-0.02, 0.5 * sum(DEEP), DEEP[1] + 0.01]])
    assert torch.allclose(covered(middle, behind), torch.tensor([[1.0, 0.5, 0.0]]), atol=1e-5)


def test_faces_of_turned_heads_are_brought_to_the_front() -> None:
    """A map that says where on the picture the camera sees each surface point comes back as those places."""
    still = HeadMotion.neutral(2, np.array([METRE, 32.0, 30.0]))
    turned = replace(still, angles=np.array([[0.0, 0.0, 0.0], [18.0, -6.0, 4.0]], np.float32))
    cameras = frames_of(turned, builtin_head()).cameras
    skin = network(PROJECT)._skin(None, 2)
    places = pixel_centres(0.0, 0.0, 64, 64, 64, 64).mT.reshape(1, 2, 64, 64).expand(2, -1, -1, -1)
    found = from_front(places, cameras, skin, W).flatten(2).mT
    expected = seen_at(cameras, surface_points(skin, W))
    inside = (expected > 1.0) & (expected < 63.0)
    assert float(inside.float().mean()) > 0.9
    assert torch.allclose(found[inside], expected[inside], atol=1e-3)
    assert float((expected[0] - expected[1]).abs().max()) > 2.0


def test_own_and_source_colours_are_mixed_by_a_share() -> None:
    shown = torch.tensor([[[0.2, 0.4, 0.6]]]).expand(1, 3, 3)
    logits = torch.zeros(1, 3, 5)
    logits[0, :, :3] = torch.tensor([-1.0, 0.0, 1.0])
    logits[0, :, 4] = torch.tensor([0.0, 30.0, -30.0])
    facing = torch.tensor([[1.0, 0.3, 0.9]])
    values, share = mixed(logits, shown, facing)
    own = torch.tensor([-1.0, 0.0, 1.0]).sigmoid() * 1.002 - 0.001
    first = float(1.0 / (1.0 + np.exp(-TAKEN)))
    assert torch.allclose(share, torch.tensor([[first, 1.0, 0.0]]), atol=1e-5)
    assert torch.allclose(values[0, 0, :3], first * shown[0, 0] + (1.0 - first) * own, atol=1e-5)
    assert torch.allclose(values[0, 1, :3], shown[0, 1], atol=1e-5)
    assert torch.allclose(values[0, 2, :3], own, atol=1e-5)
    hidden = mixed(logits, shown, torch.full((1, 3), -0.2))[1]
    assert float(hidden[0, 0]) < 0.6 * first


def test_untrained_faces_are_the_sources_away_from_eyes_and_mouth() -> None:
    torch.manual_seed(0)
    made, given = Export3DNetwork(PROJECT).eval(), drive(PROJECT, 2)
    with torch.no_grad():
        painted, skin = made.painted_face(given.source, given.expression, given.source_cameras)
        source = from_front(given.source[:, :3], given.source_cameras, skin, W)
        off = (painted - source).abs().mean(1).flatten(1)
    away = torch.cdist(plane_places(W), neutral_places()[0, :, :2]).amin(1)
    assert float(off[:, away > 0.04].mean()) < 0.5 * float(off[:, away < 0.006].mean())


def test_both_expressions_are_told_and_one_face_serves_many() -> None:
    made, given = network(PROJECT), drive(PROJECT, 3)
    assert made.face is not None
    with torch.no_grad():
        person = made.encode(given.source[:1], given.source_cameras.take([0]), shown=given.expression[:1])
        assert person.face is not None
        assert person.shown is not None
        told = made.expression(given.expression)
        planes = made.face(person.face, told, person.shown)
        assert planes.shape == (3, 2 + PROJECT.rendered, W, W)
        single = [made.face(person.face, told[row : row + 1], person.shown) for row in range(3)]
        assert torch.allclose(planes, torch.cat(single), atol=1e-4)
        assert float((planes[0] - planes[2]).abs().max()) > 1e-3
        other = made.face(person.face, told, told[2:])
    assert float((planes - other).abs().max()) > 1e-3


def test_the_sources_expression_reaches_the_picture_and_none_is_a_face_at_rest() -> None:
    made, given = network(PROJECT), drive(PROJECT, 1)
    with torch.no_grad():

        def picture(shown):
            planes = made.planes(given.source, given.expression, given.source_cameras, shown=shown)
            return made.draw(planes, given.cameras).picture

        rest, none = picture(torch.zeros(1, 57)), picture(None)
        smile = picture(torch.full((1, 57), 1.5))
    assert torch.equal(rest, none)
    assert float((smile - rest).abs().max()) > 1e-3


def test_where_expressions_enter_by_attention_the_plane_is_told_by_attention_alone() -> None:
    shape = replace(PROJECT, conditioning="cross_attention")
    torch.manual_seed(1)
    plane = FacePlane(shape).eval()
    torch.nn.init.normal_(plane.out.weight)
    told = torch.randn(2, shape.representation)
    face = torch.rand(1, 4, W, W)
    with torch.no_grad():
        quiet = plane(plane.see(face), told, told[:1])
        assert torch.allclose(quiet[0], quiet[1], atol=1e-5)
        for block in plane.blocks:
            torch.nn.init.normal_(block.get_parameter("crossing.out.weight"))
        heard = plane(plane.see(face), told, told[:1])
    assert float((heard[0] - heard[1]).abs().max()) > 1e-3


def test_rays_see_what_is_painted() -> None:
    """Straight from the front, where the source's camera was, every ray's colour is the plane's."""
    made = network(PROJECT)
    given = drive(PROJECT, 1)
    rest = frames_of(HeadMotion.neutral(1, np.array([METRE, 32.0, 30.0])), builtin_head())
    with torch.no_grad():
        painted, skin = made.painted_face(given.source, given.expression, rest.cameras)
        planes = made.planes(given.source, given.expression, rest.cameras)
        matter = planes.matter
        assert matter.face is not None
        dense = matter.face.clone()
        dense[:, 0] = 40.0  # nothing shines through
        inside = (plane_places(W) - torch.tensor(MIDDLE)).abs().amax(-1) < 0.035
        pixels = seen_at(rest.cameras, surface_points(skin, W))[:, inside]
        seen = made.volume.look(replace(matter, face=dense), rest.cameras.rays(pixels))
    assert float(seen.alpha.min()) > 0.99
    found = 2.0 * seen.features[..., :3] / seen.alpha[..., None] - 1.0
    wanted = painted.flatten(2).mT[:, inside]
    assert torch.allclose(found, wanted, atol=2e-2)
    assert float(wanted.std()) > 0.1


def test_what_faces_away_or_lies_far_from_eyes_and_mouth_does_not_count() -> None:
    skin = network(PROJECT)._skin(None, 2)
    still = HeadMotion.neutral(2, np.array([METRE, 32.0, 30.0]))
    turned = replace(still, angles=np.array([[0.0, 0.0, 0.0], [60.0, 0.0, 0.0]], np.float32))
    cameras = frames_of(turned, builtin_head()).cameras
    counts = face_counts(skin, cameras, W)
    assert counts.shape == (2, 1, W, W)
    corner = counts[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert float(corner.max()) < 0.1
    at = painted_at(counts, neutral_places().expand(2, -1, -1))[..., 0]
    assert float(at[0].min()) > 0.5
    lost = at[0] - at[1]
    assert float(lost.max()) > 0.5  # the far side's corner of the mouth
    assert float(lost.min()) < 0.05


def test_surroundings_do_not_colour_what_lies_behind_an_outlines_edge() -> None:
    made, given = network(PROJECT), drive(PROJECT, 1)
    inside = given.source[:, 3:] > 0.0
    other = torch.where(inside, given.source, -given.source)
    other[:, 3:] = given.source[:, 3:]
    with torch.no_grad():
        first, second = (made.encode(source, given.source_cameras).lifted for source in (given.source, other))
    assert first is not None
    assert second is not None
    assert float((other - given.source).abs().max()) > 0.5
    assert torch.equal(first.maps[:, :4], second.maps[:, :4])
    kept = (0.5 + 0.5 * given.source[:, :3] - first.maps[:, :3]).abs() * inside
    assert float(kept.max()) < 1e-6


def test_what_the_source_has_not_seen_has_its_colours_without_streaks() -> None:
    """At the head's surface a fine pattern is the source's own, deep behind it only its mean."""
    made = copy.deepcopy(network(replace(PROJECT, face_plane=0)))
    last = made.volume.heads.colour[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias[-1] = 60.0  # all of it is taken from the source
    given = drive(PROJECT, 1)
    source = torch.ones(1, 4, 64, 64)
    source[:, :3, :, ::2] = -1.0
    flat = plane_places(40)[None, :, :] * 0.6
    skin = made._skin(None, 1)
    surface = torch.cat([flat, on_surface(skin[:, :1], flat)], -1)
    with torch.no_grad():
        matter = made.planes(source, given.expression, given.source_cameras).matter
        shown = [
            made.volume._shaded(matter, surface - torch.tensor([0.0, 0.0, behind]))[1][..., 0]
            for behind in (0.0, 0.035, 0.06)
        ]
    assert matter.lifted is not None
    assert torch.allclose(shown[0], matter.lifted.at(surface)[..., 0], atol=1e-3)
    assert float(shown[0].std()) > 0.1
    assert float((shown[2] - 0.5).abs().max()) < 0.05
    assert torch.allclose(shown[1], 0.5 * (shown[0] + shown[2]), atol=0.05)
    assert torch.allclose(
        made.volume.fresh(matter, surface - torch.tensor([0.0, 0.0, 0.035])), torch.tensor(0.5), atol=0.02
    )


def test_a_face_is_painted_over_what_the_source_shows() -> None:
    with pytest.raises(ValueError, match="lifted"):
        Export3DNetwork(replace(PAPER, face_plane=32))
    given = drive(PAPER, 1)
    with pytest.raises(ValueError, match="no plane"):
        network(PAPER).painted_face(given.source, given.expression, given.source_cameras)


@pytest.mark.parametrize(
    ("size", "side", "plane"), [("small", 128, 64), ("small", 64, 32), ("middle", 256, 128), ("full", 512, 0)]
)
def test_the_plane_grows_with_the_picture(size, side, plane) -> None:
    assert export3d_settings(size, side).face_plane == plane


def test_a_mouth_can_be_learnt_for_each_expression() -> None:
    """Dark for one, bright for another, of one and the same face: a few steps tell them apart."""
    torch.manual_seed(2)
    plane = FacePlane(PROJECT)
    face = torch.rand(1, 4, W, W)
    told, shown = torch.randn(2, PROJECT.representation), torch.zeros(1, PROJECT.representation)
    away = torch.cdist(plane_places(W), torch.tensor([[0.0, -0.036]])).view(W, W)
    mouth = away < 0.015
    wanted = torch.stack([torch.full((W, W), 0.1), torch.full((W, W), 0.9)])
    adam = torch.optim.Adam(plane.parameters(), 1e-2)
    for _ in range(STEPS):
        painted = plane(plane.see(face), told, shown)[:, 1].sigmoid()
        loss = (painted - torch.where(mouth, wanted, 0.5)).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    made = painted.detach()
    assert float(made[0, mouth].mean()) < 0.3
    assert float(made[1, mouth].mean()) > 0.7
    assert float((made - 0.5).abs()[:, away > 0.04].mean()) < 0.1
