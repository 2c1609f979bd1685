"""The whole network: shapes, what depends on what, and that silent parts change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.domain.motion import HeadMotion
from studio.engines.nofa.motion_maps import SIZE, MotionMaps
from studio.engines.nofa.network import NofaNetwork, prior_config
from studio.engines.nofa.settings import IDENTITY, SIZES, nofa_settings
from studio.engines.nofa.source import Source
from studio.head import builtin_head
from studio.head.expression_numbers import EXPRESSIONS
from studio.networks.eg3d import Eg3dGenerator
from tests.engines.nofa.little_nofa import FORMS, PAPER, PROJECT, drive, network, shaken


@pytest.mark.parametrize("form", FORMS)
def test_pictures_raw_pictures_and_volumes_have_their_shapes(form):
    given, made = drive(shape=FORMS[form]), network(FORMS[form])
    with torch.no_grad():
        person = made.encode(given.source)
        drawn = made.draw(person, given.cameras, made.warp(given.identity, given.expression))
        whole = made(given.source, given.identity, given.expression, given.cameras)
    assert person.ws.shape == (2, 8, 8)
    assert person.volume.shape == person.planes.shape == (2, 3, 4, 32, 32)
    assert drawn.picture.shape == (2, 3, 64, 64)
    assert drawn.raw.shape == (2, 3, 16, 16)
    assert drawn.alpha.shape == drawn.depth.shape == (2, 1, 16, 16)
    assert torch.equal(whole.picture, drawn.picture)
    # Metres behind the head's plane, of parallel rays.
    shape = FORMS[form]
    step = (shape.near + shape.far) / (shape.coarse_samples - 1)
    assert float(drawn.depth.min()) >= -shape.near
    assert float(drawn.depth.max()) <= shape.far + step


@pytest.mark.parametrize("form", FORMS)
def test_the_canonical_expression_is_the_canonical_view_exactly(form):
    given, made = drive(shape=FORMS[form]), network(FORMS[form])
    with torch.no_grad():
        person = made.encode(given.source)
        plain = made.draw(person, given.cameras)
        rest = made.warp(given.identity, made.canonical.expand(2, -1))
        driven = made.warp(given.identity, given.expression)
        assert torch.equal(made.draw(person, given.cameras, rest).picture, plain.picture)
        assert not torch.allclose(made.draw(person, given.cameras, driven).raw, plain.raw, atol=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_an_untrained_compensation_changes_nothing_and_a_trained_one_does(form):
    given, shape = drive(shape=FORMS[form]), replace(FORMS[form], seen_source=False)
    torch.manual_seed(0)
    made = NofaNetwork(shape).eval()
    with torch.no_grad():
        with_it, without = made.encode(given.source), made.encode(given.source, compensated=False)
        assert with_it.added is not None
        assert without.added is None
        assert not with_it.added.any()
        drawn = made.draw(with_it, given.cameras)
        assert torch.equal(drawn.picture, made.draw(without, given.cameras).picture)
        felt = network(shape).encode(given.source)
    assert felt.added is not None
    assert not torch.equal(felt.volume, felt.planes)


@pytest.mark.parametrize("form", FORMS)
def test_an_untrained_network_is_the_average_latent_without_motion(form):
    given = drive(shape=FORMS[form])
    torch.manual_seed(0)
    made = NofaNetwork(FORMS[form]).eval()
    with torch.no_grad():
        made.prior.backbone.mapping.w_avg.normal_()
        person = made.encode(given.source)
        assert torch.equal(person.ws, made.prior.backbone.mapping.w_avg.expand(2, 8, -1))
        warp = made.warp(given.identity, given.expression)
        points = torch.rand(2, 9, 3) - 0.5
        assert torch.equal(warp(points), points)


def test_one_person_is_seen_by_many_cameras_and_neither_encoder_nor_backbone_is_called(monkeypatch):
    given, made = drive(3), network(PROJECT)
    with torch.no_grad():
        person = made.encode(Source(given.source.picture[:1]))
        monkeypatch.setattr(made.encoder, "forward", lambda *_: pytest.fail("encoded again"))
        monkeypatch.setattr(made.prior.backbone, "drawn", lambda *_: pytest.fail("drawn again"))
        many = made.draw(person, given.cameras)
    assert many.picture.shape == (3, 3, 64, 64)
    assert not torch.allclose(many.raw[0], many.raw[1], atol=1e-4)
    with pytest.raises(ValueError, match="2 people for 3 cameras"):
        made.draw(replace(person, ws=person.ws.repeat(2, 1, 1)), given.cameras)


def test_everything_that_a_stage_trains_hears_of_it():
    given, made = drive(), shaken(PROJECT).train()
    maps = torch.full((2, 3, 8, 8), 0.01)
    drawn = made(given.source, given.identity, given.expression, given.cameras, maps)
    (drawn.picture.square().mean() + drawn.alpha.mean()).backward()
    for part in (made.encoder, made.field, made.compensation):
        assert part is not None
        silent = [name for name, p in part.named_parameters() if p.grad is None or not p.grad.any()]
        assert not silent


def test_a_prior_is_taken_over_or_refused_in_words():
    made = network(PAPER)
    torch.manual_seed(5)
    other = Eg3dGenerator(replace(prior_config(PAPER), raw_side=32, coarse_samples=4))
    fresh = NofaNetwork(PAPER)
    fresh.take_prior(other)
    taken, given = fresh.prior.state_dict(), other.state_dict()
    assert all(torch.equal(taken[name], given[name]) for name in given)
    with pytest.raises(ValueError, match="rendered 5 instead of 4"):
        made.take_prior(Eg3dGenerator(replace(prior_config(PAPER), rendered=5)))


def test_full_size_has_the_papers_shapes():
    shape = nofa_settings("full")
    assert shape.planes == "published"
    with torch.device("meta"):
        made = NofaNetwork(shape)
        person = made.encode(Source(torch.empty(1, 3, 512, 512)))
    assert person.ws.shape == (1, 14, 512)
    assert person.added is not None
    assert person.added.shape == person.planes.shape == (1, 3, 32, 256, 256)
    assert len(made.field.offsets.between) + 2 == 8
    assert made.field.weights is not None
    assert len(made.field.weights.between) + 2 == 4


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [64, 128, 256, 512])
def test_every_size_can_be_made_at_every_side(size, side):
    shape = nofa_settings(size, side)
    with torch.device("meta"):
        made = NofaNetwork(shape)
    assert made.prior.superresolution.side << len(shape.sharp) == side
    assert shape.compensation_from << shape.doublings == shape.plane_side


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="huge"):
        nofa_settings("huge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="100"):
        nofa_settings("full", 100)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="as many channels"):
        NofaNetwork(replace(PAPER, encoder_widths=(2, 4, 4, 6)))
    with pytest.raises(ValueError, match=r"sources are \[B, \[3, 64, 64\]\]"):
        network(PROJECT).encode(Source(torch.zeros(1, 3, 32, 32)))


def test_the_head_models_motion_is_nothing_at_the_canonical_expression():
    head = builtin_head()
    neutral = head.neutral(np.zeros(IDENTITY), np.zeros_like(head.template))
    still = HeadMotion.neutral(2, np.ones(3, np.float32))
    open_jaw = np.array([[0.2, 0.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    maps = MotionMaps(head, neutral, PROJECT).to_canonical(replace(still, jaw=open_jaw))
    assert maps.shape == (2, 3, SIZE, SIZE)
    assert float(np.abs(maps[0]).max()) < 1e-5
    # A closed mouth's lower lip and chin go down to the open one's; the brow stays.
    row = int((0.155 + 0.07) / 0.37 * SIZE)
    assert maps[1, 1, row, SIZE // 2] < -0.01
    assert abs(maps[1, 1, int((0.155 - 0.05) / 0.37 * SIZE), SIZE // 2]) < 0.003
    made = network(PROJECT)
    assert float(made.canonical[EXPRESSIONS]) == pytest.approx(0.2 / float(head.motion_deviation[0]))
    assert int(made.canonical.count_nonzero()) == 1
    assert head.identities == IDENTITY
