"""Drift is what the identity network says, and a suggested range stays below its bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from studio.assets import Asset, AssetLibrary
from studio.domain.edits import LatentShift, Recolour, StyleShift
from studio.editing.edited_pictures import draw_edited
from studio.editing.identity_drift import (
    ARCFACE,
    BOUND,
    MOBILEFACENET,
    RUNGS,
    IdentityMeter,
    identity_meter,
    mean_drift,
    range_without_drift,
)
from studio.editing.person import Samples
from studio.networks.ir_se50 import IrSe50, IrSe50Config
from tests.editing.generated_person import GeneratedPerson

CPU = torch.device("cpu")


class Turning:
    """A person of one number: their picture says by which angle they have turned away from themselves."""

    num_ws, w_dim, resolution, moments = 1, 1, 4, 1
    style_widths, style_rows, device = (1,), (0,), CPU

    def draw(self, ws: torch.Tensor, moments: torch.Tensor) -> torch.Tensor:
        return ws.reshape(-1, 1, 1, 1).expand(-1, 3, 4, 4)


def turned(pictures: torch.Tensor) -> torch.Tensor:
    angle = pictures[:, 0, 0, 0]
    return torch.stack([angle.cos(), angle.sin()], 1)


METER = IdentityMeter("turned", turned, True)
ONE = Samples(torch.zeros(3, 1, 1), torch.zeros(3, dtype=torch.int64))


def test_the_range_ends_where_drift_reaches_its_bound():
    person, effect = Turning(), LatentShift(np.ones((1, 1), np.float32))
    found = range_without_drift(person, effect, METER, ONE, (-1.6, 0.8))  # type: ignore[arg-type]
    # 1 - cos(a) is 0.4 at 0.927: beyond the upper limit, and between rungs below.
    assert found.high == 0.8
    edge = -np.arccos(1.0 - BOUND)
    assert edge <= found.low < 0.9 * edge
    assert -found.low > 1.6 / RUNGS
    strengths = [one[0] for one in found.tried]
    assert strengths == sorted(strengths)
    assert 0.0 in strengths
    for strength, drift in found.tried:
        assert drift == pytest.approx(1 - np.cos(strength), abs=1e-5)
    assert strengths[0] < edge  # one was beyond
    assert sum(strength < edge for strength in strengths) == 1


def test_a_side_without_strengths_is_not_tried():
    person, effect = Turning(), LatentShift(np.ones((1, 1), np.float32))
    told: list[tuple[int, int | None]] = []
    found = range_without_drift(
        person,  # type: ignore[arg-type]
        effect,
        METER,
        ONE,
        (0.0, 0.4),
        progress=lambda done, total, what: told.append((done, total)),
    )
    assert (found.low, found.high) == (0.0, 0.4)
    assert told == [(done, RUNGS) for done in range(1, RUNGS + 1)]


def test_a_face_that_is_lost_ends_the_range():
    def lost(pictures: torch.Tensor) -> torch.Tensor:
        seen = turned(0.01 * pictures)
        seen[pictures[:, 0, 0, 0] > 0.45] = torch.nan
        return seen

    person, effect = Turning(), LatentShift(np.ones((1, 1), np.float32))
    meter = IdentityMeter("lost", lost, False)
    found = range_without_drift(person, effect, meter, ONE, (0.0, 0.8))  # type: ignore[arg-type]
    assert found.high == 0.4
    assert found.tried[-1][1] is None


def test_drift_is_a_mean_over_faces_that_were_found():
    before = functional.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), dim=1)
    after = functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), dim=1)
    after[2] = torch.nan
    assert mean_drift(before, after) == pytest.approx(0.5)
    after[1] = torch.nan
    assert mean_drift(before, after) is None
    assert mean_drift(before[:0], after[:0]) is None


def asset(name: str, file: str) -> Asset:
    return Asset(name, name, (file,), "its page", "MIT", "x", "Identity is off")


def test_without_a_network_it_is_said(tmp_path):
    meter, sentence = identity_meter(AssetLibrary(tmp_path), None, CPU)
    assert meter is None
    assert "model_ir_se50.pth" in sentence
    assert "put it into" in sentence


def test_arcface_is_taken_where_it_is(tmp_path):
    torch.manual_seed(0)
    network = IrSe50(IrSe50Config((4, 6, 8, 10), 2, 7)).eval()
    assets = AssetLibrary(tmp_path, {ARCFACE: asset(ARCFACE, "ir.pth")})
    assets.weights.mkdir()
    torch.save(network.state_dict(), assets.weights / "ir.pth")
    meter, sentence = identity_meter(assets, None, CPU)
    assert meter is not None
    assert (meter.name, meter.smooth, sentence) == ("arcface-ir-se50", True, "")
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    pictures.requires_grad_()
    embedding = meter.embed(pictures)
    torch.testing.assert_close(embedding, network.identity_embedding(pictures))
    embedding[:, 0].sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0
    assert meter.drift(pictures, pictures) == pytest.approx(0.0, abs=1e-5)


def test_mobilefacenet_needs_somebody_who_finds_faces(tmp_path):
    weights = Path(__file__).resolve().parents[3] / "shared" / "models" / "mobilefacenet_068.ckpt"
    if not weights.is_file():
        pytest.skip("no MobileFaceNet weights here")
    assets = AssetLibrary(
        tmp_path, {ARCFACE: asset(ARCFACE, "ir.pth"), MOBILEFACENET: asset(MOBILEFACENET, "m.ckpt")}
    )
    assets.weights.mkdir()
    (assets.weights / "m.ckpt").symlink_to(weights)
    assert identity_meter(assets, None, CPU)[0] is None
    asked = []

    def faces(pictures: np.ndarray) -> np.ndarray:
        asked.append(pictures)
        chance = np.random.default_rng(0)
        points = chance.uniform(8, 56, (len(pictures), 478, 3)).astype(np.float32)
        points[1] = np.nan
        return points

    meter, _ = identity_meter(assets, faces, CPU)
    assert meter is not None
    assert not meter.smooth
    pictures = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    found = meter.embed(pictures)
    assert torch.isfinite(found).all(1).tolist() == [True, False, True]
    torch.testing.assert_close(found[[0, 2]].norm(dim=1), torch.ones(2))
    # What was shown to it is what a person would see.
    shown = ((pictures.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    assert asked[0].dtype == np.uint8
    np.testing.assert_array_equal(asked[0], shown)
    assert meter.drift(pictures, pictures) == pytest.approx(0.0, abs=1e-5)


def test_an_edit_is_drawn_where_it_acts():
    person = GeneratedPerson()
    samples = person.sample(2, 0)
    rows = np.random.default_rng(0).normal(size=(person.num_ws, person.w_dim)).astype(np.float32)
    with torch.no_grad():
        expected = person.draw(samples.ws + 0.5 * torch.from_numpy(rows), samples.moments)
        torch.testing.assert_close(draw_edited(person, LatentShift(rows), samples, 0.5), expected)
        channels = np.zeros(sum(person.style_widths), np.float32)
        channels[3] = 2.0
        styles = person.styles(samples.ws)
        styles[:, 3] -= 3.0
        expected = person.draw_styles(styles, samples.moments)
        torch.testing.assert_close(draw_edited(person, StyleShift(channels), samples, -1.5), expected)
    with pytest.raises(TypeError, match="Recolour acts in no generator"):
        draw_edited(person, Recolour("skin", (1.0, 0.0, 0.0)), samples, 1.0)
