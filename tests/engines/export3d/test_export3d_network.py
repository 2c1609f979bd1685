"""The whole network: shapes, what depends on what, and what an untrained one already draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.domain.camera import rotation_from_angles
from studio.engines.export3d.network import Export3DNetwork
from studio.engines.export3d.settings import export3d_settings
from studio.head import builtin_head
from studio.networks.segformer import VitBlock
from studio.networks.volume.cameras import cameras_of
from studio.networks.volume.guided import FOLLOWS
from studio.networks.volume.head_surface import surface_of
from studio.one_picture.driving import frames_of
from tests.engines.export3d.little_export3d import FORMS, PAPER, PROJECT, drive, motion, network


@pytest.mark.parametrize("form", FORMS)
def test_pictures_raw_pictures_and_planes_have_their_shapes(form):
    shape = FORMS[form]
    given = drive(shape)
    made = network(shape)
    with torch.no_grad():
        planes = made.planes(given.source, given.expression, given.source_cameras)
        drawn = made.draw(planes, given.cameras)
        whole = made(given.source, given.expression, given.cameras, given.source_cameras)
    assert planes.matter.planes.shape == (3, 3, 4, 32, 32)
    assert drawn.picture.shape == (3, 3, 64, 64)
    assert drawn.raw.shape == (3, 3, shape.raw_side, shape.raw_side)
    assert drawn.alpha.shape == drawn.depth.shape == (3, 1, shape.raw_side, shape.raw_side)
    assert torch.equal(whole.picture, drawn.picture)
    assert float(drawn.alpha.min()) >= 0.0
    assert float(drawn.alpha.max()) <= 1.0 + 1e-6


def test_full_size_has_the_papers_shapes():
    """On no memory at all: tokens, planes, raw and final picture of 256²."""
    shape = export3d_settings("full")
    with torch.device("meta"):
        made = Export3DNetwork(shape)
        pictures = torch.empty(2, 3, 256, 256)
        seen = made.generator.see(pictures)
        assert seen.tokens.shape == (2, 256 * 256 // 2**8, 1024)
        features = pictures
        for layer in made.generator.stem:
            features = layer(features)
        assert features.shape == (2, 1024 // 4, 256 // 8, 256 // 8)
        code = made.expression(torch.empty(2, 57))
        assert code.shape == (2, 256)
        assert made.scales(torch.empty(2, 57)).shape == (2, 10)
        planes = made.generator.eval()(seen, code)
        assert planes.shape == (2, 3, 32, 128, 128)
        features, alpha = torch.empty(2, shape.rendered, 64, 64), torch.empty(2, 1, 64, 64)
        assert made.sharpen(features, alpha, pictures).shape == (2, 3, 256, 256)
    first = made.generator.blocks[0]
    assert isinstance(first, VitBlock)
    assert first.attention.heads == 4
    assert made.generator.average.average.shape == (3, 32, 128, 128)
    assert 8e7 < sum(p.numel() for p in made.parameters()) < 1.2e8


def test_small_is_small():
    made = Export3DNetwork(export3d_settings("small"))
    assert 5e5 < sum(p.numel() for p in made.parameters()) < 3e6


@pytest.mark.parametrize("form", FORMS)
def test_a_change_of_camera_alone_calls_no_generator(form, monkeypatch):
    shape = FORMS[form]
    given, made = drive(shape, 1), network(shape)
    calls: list[int] = []
    inner = made.generator.forward

    def counted(*asked):
        calls.append(1)
        return inner(*asked)

    monkeypatch.setattr(made.generator, "forward", counted)
    with torch.no_grad():
        planes = made.planes(given.source, given.expression, given.source_cameras)
        assert len(calls) == 1
        turns = frames_of(motion(4), builtin_head()).cameras
        many = made.draw(planes, turns)
        one = made.draw(planes, turns.take([2]))
    assert len(calls) == 1
    assert many.picture.shape[0] == 4
    assert torch.allclose(many.picture[2:3], one.picture, atol=1e-5)
    assert (many.picture[0] - many.picture[3]).abs().max() > 1e-4


@pytest.mark.parametrize("form", ["paper", "project"])
@pytest.mark.parametrize("how", ["eadaln", "cross_attention"])
@pytest.mark.parametrize("encoding", ["clebs", "direct"])
def test_the_expression_changes_planes_and_nothing_before_them(form, how, encoding):
    shape = replace(FORMS[form], conditioning=how, encoding=encoding)
    given, made = drive(shape, 2), network(shape)
    with torch.no_grad():
        person = made.encode(given.source[:1], given.source_cameras.take([0]))
        planes = made.express(person, made.expression(given.expression)).matter.planes
        again = made.planes(given.source[:1], given.expression[1:], given.source_cameras.take([0]))
    assert (planes[0] - planes[1]).abs().max() > 1e-4
    assert torch.allclose(planes[1], again.matter.planes[0], atol=1e-5)


def test_coefficients_say_the_same_as_the_expression_they_come_from():
    given, made = drive(PROJECT, 2), network(PROJECT)
    with torch.no_grad():
        scales = made.scales(given.expression)
        assert scales.shape == (2, 3)
        assert torch.allclose(made.from_scales(scales), made.expression(given.expression), atol=1e-6)
    with pytest.raises(ValueError, match="no directions"):
        network(replace(PAPER, encoding="direct")).scales(given.expression)


def test_neutral_conditions_make_a_generator_without_expression():
    torch.manual_seed(0)
    made = Export3DNetwork(PAPER).eval()
    given = drive(PAPER, 2)
    with torch.no_grad():
        planes = made.planes(given.source[:1], given.expression).matter.planes
    assert torch.allclose(planes[0], planes[1], atol=1e-5)


@pytest.mark.parametrize("form", ["paper", "project"])
def test_a_drivers_identity_never_reaches_the_picture(form):
    """Two drivers with other faces make the same movements: the same picture, but not of another source."""
    shape, model = FORMS[form], builtin_head()
    made, given = network(shape), drive(shape, 2)
    random = np.random.default_rng(1)
    narrow, wide = random.normal(0.0, 2.0, (2, model.identities))
    none = np.zeros_like(model.template)
    moves = motion(2)
    faces = [model.landmarks(identity, none, moves) for identity in (narrow, wide)]
    assert np.abs(faces[0] - faces[1]).max() > 0.003
    own = torch.from_numpy(surface_of(model, narrow, none))[None, None]
    other = torch.from_numpy(surface_of(model, wide, none))[None, None]
    person = (given.source[:1], given.source_cameras.take([0]))
    with torch.no_grad():
        drawn = []
        for _driver in (narrow, wide):
            frames = frames_of(moves, model)  # has no place for who moves
            planes = made.planes(person[0], frames.expression, person[1], own)
            drawn.append(made.draw(planes, frames.cameras).picture)
        frames = frames_of(moves, model)
        elsewhere = made.draw(made.planes(person[0], frames.expression, person[1], other), frames.cameras)
    assert torch.equal(drawn[0], drawn[1])
    if shape.surface_prior:
        assert (elsewhere.picture - drawn[0]).abs().max() > 1e-3


def untrained(**more) -> Export3DNetwork:
    torch.manual_seed(0)
    return Export3DNetwork(replace(PROJECT, lifted_channels=0, **more)).eval()


def test_untrained_it_draws_the_source_where_the_source_was_seen():
    given, made = drive(PROJECT, 1), untrained()
    with torch.no_grad():
        drawn = made(given.source, given.expression, given.source_cameras, given.source_cameras)
    error = (drawn.picture - given.source[:, :3]).abs()
    inside = given.source[:, 3:] > 0
    assert float(error.mean()) < 0.06
    assert float((error * inside).sum() / inside.sum() / 3) < 0.1
    # The person and nobody else is in the volume.
    person = torch.nn.functional.avg_pool2d(0.5 + 0.5 * given.source[:, 3:], 2)
    assert float(drawn.alpha[person == 1].min()) > 0.9
    assert float(drawn.alpha[person == 0].mean()) < 0.1


def test_untrained_it_turns_the_persons_nose_where_the_head_model_has_it():
    """A bright spot on the source's nose is drawn where the turned head's nose is."""
    model, made = builtin_head(), untrained()
    given = drive(PROJECT, 1)
    turned = replace(motion(1), angles=np.array([[28.0, 8.0, 5.0]], np.float32))
    tip = torch.from_numpy(model.template[4])
    camera = np.array([160.0, 32.0, 30.0])
    y, x = torch.meshgrid(torch.arange(64.0) + 0.5, torch.arange(64.0) + 0.5, indexing="ij")
    start = torch.tensor([camera[1] + camera[0] * tip[0], camera[2] - camera[0] * tip[1]])
    spot = torch.exp(-((x - start[0]) ** 2 + (y - start[1]) ** 2) / 8.0)
    source = given.source.clone()
    source[:, :3] = 2.0 * spot - 1.0
    frames = frames_of(turned, model)
    with torch.no_grad():
        drawn = made(source, frames.expression, frames.cameras, given.source_cameras).picture
    light = (drawn[0].mean(0) + 0.6).clamp_min(0.0)
    found = torch.stack([(light * x).sum(), (light * y).sum()]) / light.sum()
    there = rotation_from_angles(turned.angles[0]) @ tip.numpy()
    wanted = torch.tensor([32.0 + 160.0 * there[0], 30.0 - 160.0 * there[1]])
    assert (wanted - start).norm() > 6.0
    assert (found - wanted).norm() < 1.5


def test_the_background_stays_when_the_head_turns():
    given, made = drive(PROJECT, 2), untrained()
    with torch.no_grad():
        drawn = made(
            given.source[:1].expand(2, -1, -1, -1),
            given.expression,
            given.cameras,
            given.source_cameras.take([0, 0]),
        )
    corner = (slice(None), slice(None), slice(0, 8), slice(0, 12))
    assert (drawn.picture[corner] - given.source[:1, :3][corner]).abs().max() < 0.05


def test_a_still_body_stays_and_the_head_turns():
    shape = replace(PROJECT, lifted_channels=0)
    given, model = drive(shape, 1), builtin_head()
    turned = frames_of(replace(motion(1), angles=np.array([[30.0, 0.0, 0.0]], np.float32)), model)
    pictures = {}
    for still in (True, False):
        made = untrained(still_body=still)
        with torch.no_grad():
            person = made.encode(given.source, given.source_cameras)
            planes = made.express(person, made.expression(given.expression))
            rest, moved = made.draw(planes, given.source_cameras), made.draw(planes, turned.cameras)
        pictures[still] = (rest.picture - moved.picture).abs().mean((0, 1))
    assert float(pictures[True][58:].mean()) < 0.3 * float(pictures[False][58:].mean())
    assert float(pictures[True][10:35, 20:44].mean()) > 0.05


def test_a_body_goes_part_of_the_heads_way():
    made, given = untrained(), drive(PROJECT, 1)
    person = made.encode(given.source, given.source_cameras)
    planes = made.express(person, made.expression(given.expression))
    gone = cameras_of(
        replace(motion(1), angles=np.zeros((1, 3), np.float32), camera=np.array([[160.0, 40.0, 30.0]])),
        np.array([1.0, 0.0, 0.0, 0.0]),
    )
    low = torch.tensor([[0.05, -0.2, 0.02]])
    pixel = torch.tensor([[40.0 + 160.0 * 0.05, 30.0 + 160.0 * 0.2]])
    points = made.volume.points(planes.matter, gone.rays(pixel), torch.full((1, 1, 1), -0.02))
    assert torch.allclose(
        points[0], low + torch.tensor([[(1.0 - FOLLOWS) * 8.0 / 160.0, 0.0, 0.0]]), atol=1e-5
    )


def test_what_is_missing_is_said():
    given = drive(PROJECT, 1)
    with pytest.raises(ValueError, match="source's camera"):
        network(PROJECT).encode(given.source)
    with pytest.raises(ValueError, match="sources are"):
        network(PROJECT).encode(given.source[:, :3], given.source_cameras)
    with pytest.raises(ValueError, match="lifted is needed"):
        Export3DNetwork(replace(PAPER, background=True))


def test_everything_is_taught():
    """A step of training reaches every weight that is used."""
    for form in ("paper", "project"):
        shape = FORMS[form]
        torch.manual_seed(4)
        made = Export3DNetwork(shape).train()
        optimiser = torch.optim.Adam(made.parameters(), 1e-3)
        given = drive(shape, 2)
        for _ in range(3):  # layers that begin as nothing let gradients through only afterwards
            optimiser.zero_grad()
            drawn = made(given.source, given.expression, given.cameras, given.source_cameras)
            ((drawn.picture - 0.3).square().mean() + (drawn.raw - 0.3).square().mean()).backward()
            optimiser.step()
        silent = [n for n, p in made.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
        assert silent == []
