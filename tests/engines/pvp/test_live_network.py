"""What the engine does to be fast changes no picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.domain.camera import Similarity, View
from studio.domain.rendering import Frame, Quality, RenderRequest
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.live_network import LiveNetwork
from studio.engines.pvp.mappers import mapper_inputs
from studio.engines.pvp.painter import bounded
from studio.head.neutral_crop import aligned_crop
from studio.networks.stylegan2_live import LiveSynthesis
from studio.warping.lay_over import lay_over, lay_picture
from studio.warping.warper import Warper
from tests.engines.pvp.small_avatar import (
    SIDE,
    constant_painter,
    moment,
    parts_of,
    random_painter,
    random_pretrained,
    write_base,
)
from tests.warping.average_person import ask

VIEW = View(Similarity(0.9, 0.1, 5.0, -8.0), 150, 130)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


def step_by_step(parts: PvpParts, request: RenderRequest) -> Frame:
    """The whole frame with nothing shared and nothing left out, for a moment within the clip's range."""
    warper, motion = Warper(parts.base), moment(request.state["yaw"])
    generator: Any = parts.generator
    frame = warper.render(request)
    crop = aligned_crop(warper.mesh.neutral_face, motion)
    to_crop = request.view.placement.inverse().then(crop)
    pose, face = (torch.from_numpy(part) for part in mapper_inputs(motion, eyes=True))
    alpha, delta = parts.mappers.alpha(pose), parts.mappers.delta(face)
    live = LiveSynthesis(generator.synthesis)
    live.cache_pivots(parts.mappers.pivots)
    with torch.no_grad():
        if parts.kind == "pretrained":
            picture = live.from_blend(alpha, delta)[0].permute(1, 2, 0)
            return replace(frame, image=lay_picture(frame.image, picture.contiguous().numpy(), to_crop))
        square = View(crop.scaled(SIDE), SIDE, SIDE)
        guide = torch.from_numpy(warper.render(replace(request, view=square)).image).permute(2, 0, 1)[None]
        added = generator.encoder(guide.float() / 127.5 - 1.0)
        correction = torch.cat(bounded(live.from_blend(alpha, delta, added=added)), 1)[0].permute(1, 2, 0)
    laid = lay_over(frame.image, correction.contiguous().numpy(), to_crop, parts.strength)
    return replace(frame, image=laid)


@pytest.mark.parametrize("quality", ["full", "draft"])
@pytest.mark.parametrize("kind", ["painter", "pretrained"])
def test_a_frame_is_the_same_with_nothing_shared(base: Path, kind: str, quality: Quality):
    generator = random_painter() if kind == "painter" else random_pretrained()
    parts = parts_of(base, generator, 0.7)
    request = RenderRequest(ask(moment()).state, VIEW, quality)
    slow, warped = step_by_step(parts, request), Warper(parts.base).render(request)
    frame = PvpEngine(parts, "cpu").render(request)
    off = np.abs(frame.image.astype(int) - slow.image)
    assert np.abs(slow.image.astype(int) - warped.image).mean() > 3.0
    # Convolutions may sum in another order when channels lie elsewhere: a level at most, and rarely.
    assert off.max() <= 1
    assert (off > 0).mean() < 0.002
    assert frame.alpha is not None
    assert slow.alpha is not None
    assert np.array_equal(frame.alpha, slow.alpha)


def test_a_correction_of_no_strength_costs_no_network(base: Path, monkeypatch: pytest.MonkeyPatch):
    parts = parts_of(base, random_painter(), 0.0)
    engine = PvpEngine(parts, "cpu")
    monkeypatch.setattr(LiveNetwork, "begin", None)
    request = ask(moment(), VIEW)
    assert np.array_equal(engine.render(request).image, Warper(parts.base).render(request).image)


def test_what_is_begun_can_be_fetched_late_and_twice(base: Path):
    network = LiveNetwork(parts_of(base, random_painter()), torch.device("cpu"))
    guides = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    first, second = (network.begin(moment(), guide) for guide in guides)
    early, late = second(), first()
    assert early.shape == (SIDE, SIDE, 5)
    assert early.dtype == np.float32
    assert early.flags["C_CONTIGUOUS"]
    assert np.abs(early - late).max() > 0.01
    assert np.array_equal(network.begin(moment(), guides[0])(), late)
    assert np.array_equal(first(), late)


def test_reach_is_the_painters(base: Path):
    painter = constant_painter(0.3, -0.02)
    network = LiveNetwork(parts_of(base, painter), torch.device("cpu"))
    drawn = network.begin(moment(), np.zeros((SIDE, SIDE, 3), np.uint8))()
    assert np.allclose(drawn[8:-8, 8:-8], [0.3, 0.3, 0.3, -0.02, 0.0], atol=1e-5)
