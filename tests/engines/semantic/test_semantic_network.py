"""What a semantic network must do before it has learnt anything, and that all of it can learn."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from studio.engines.semantic.network import Kept, SemanticNetwork, kept_code
from studio.engines.semantic.settings import KeypointSource, SemanticSettings
from studio.networks.appearance_loss import ColourLoss
from tests.engines.semantic.little_network import FORMS, PAPER, PROJECT, a_drive, network


@pytest.mark.parametrize("form", FORMS)
def test_where_nothing_moves_the_sources_features_come_back(form: str) -> None:
    shape = FORMS[form]
    made, drive = network(shape), a_drive(shape)
    with torch.no_grad():
        volume = made.encode(drive.source)
        drawn = made.draw(drive.source, volume, drive.source_keypoints, drive.source_keypoints, drive.code)
    assert torch.equal(drawn.volume, volume)
    assert not drawn.flow.any()


def without_paint(made: SemanticNetwork) -> None:
    """The warped source alone, nothing learnt about masks, surface or refinement."""
    painter = made.decoder.painter
    assert painter is not None
    for layer in (made.motion.mask, made.motion.surface, painter.refine, painter.paint):
        assert isinstance(layer, nn.Conv2d | nn.Conv3d)
        nn.init.zeros_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    with torch.no_grad():
        assert painter.paint.bias is not None
        painter.paint.bias[12:] = -100.0


@pytest.mark.parametrize("face", [False, True])
def test_keypoints_that_shift_together_shift_the_picture(face: bool) -> None:
    shape = replace(PROJECT, mask_reach=20.0, person_mask=False, face_flow=face)
    made, drive, pixels = network(shape), a_drive(shape), 6
    without_paint(made)
    shift = torch.tensor([2.0 * pixels / shape.side, 0.0, 0.0])
    driving = drive.source_keypoints + shift
    with torch.no_grad():
        drawn = made(drive.source, drive.source_keypoints, driving, drive.code)
    assert (drawn.flow[:, 0] + shift[0]).abs().max() < 1e-4
    assert drawn.flow[:, 1:].abs().max() < 1e-4
    wanted = drive.source[..., :-pixels]
    assert (drawn.picture[..., pixels:] - wanted)[..., pixels:].abs().max() < 5e-3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", get_args(KeypointSource))
def test_everything_learns(form: str, source: KeypointSource) -> None:
    shape = replace(FORMS[form], keypoint_source=source)
    if source == "unsupervised":
        shape = replace(shape, face_flow=False)
    made, drive = network(shape).train(), a_drive(shape)
    found = source == "unsupervised"
    target = torch.rand(2, 3, shape.side, shape.side) * 2.0 - 1.0
    drawn = made(
        drive.source,
        None if found else drive.source_keypoints,
        None if found else drive.driving_keypoints,
        drive.code,
        driving=target if found else None,
    )
    assert drawn.picture.shape == target.shape
    assert drawn.picture.abs().max() <= 1.0 + 1e-6
    ColourLoss()(drawn.picture, target).backward()
    unmoved = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    assert unmoved == []
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.grad is not None)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_calculated_twice_learns_the_same_from_less_memory(form: str) -> None:
    shape, gradients, kept = FORMS[form], [], []
    drive = a_drive(shape)
    for wanted in (False, True):
        made = network(shape).train()
        made.recompute(wanted)
        sizes: list[int] = []

        def pack(value: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(value.numel())
            return value

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            drawn = made(*drive.all)
        drawn.picture.square().mean().backward()
        gradients.append({name: p.grad for name, p in made.named_parameters()})
        kept.append(sum(sizes))
    assert kept[1] < 0.8 * kept[0]
    for name, gradient in gradients[0].items():
        again = gradients[1][name]
        assert gradient is not None
        assert again is not None
        assert torch.allclose(gradient, again, atol=1e-6), name


@pytest.mark.parametrize("form", FORMS)
def test_one_source_serves_many_driving_frames(form: str) -> None:
    shape = FORMS[form]
    made, drive = network(shape), a_drive(shape, batch=3)
    one, points = drive.source[:1], drive.source_keypoints[:1]
    with torch.no_grad():
        volume = made.encode(one)
        together = made.draw(one, volume, points, drive.driving_keypoints, drive.code).picture
        apart = [
            made.draw(one, volume, points, drive.driving_keypoints[i : i + 1], drive.code[i : i + 1]).picture
            for i in range(3)
        ]
    assert torch.allclose(together, torch.cat(apart), atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_dropped_numbers_of_the_code_are_zeros_jaw_last() -> None:
    code = torch.arange(1.0, 54.0).expand(4, 53)
    kept = kept_code(code, torch.tensor([0, 2, 8, 53]))
    assert not kept[0].any()
    assert kept[1].nonzero().flatten().tolist() == [50, 51]
    assert kept[2].nonzero().flatten().tolist() == [0, 1, 2, 3, 4, 50, 51, 52]
    assert torch.equal(kept[3], code[3])


@pytest.mark.parametrize("form", FORMS)
def test_what_was_dropped_has_no_effect_and_how_much_is_told(form: str) -> None:
    shape = FORMS[form]
    made, drive = network(shape), a_drive(shape)
    other = drive.code.clone()
    other[:, 10:50] += 1.0
    kept = replace(Kept.all(shape, 2), code=torch.tensor([13, 13]))
    with torch.no_grad():
        a, b, c, d = (
            made(drive.source, drive.source_keypoints, drive.driving_keypoints, code, how).picture
            for code, how in (
                (drive.code, kept),
                (other, kept),
                (other, None),
                # Zeros that are meant are not zeros that are missing.
                (kept_code(drive.code, kept.code), None),
            )
        )
    assert torch.equal(a, b)
    assert not torch.allclose(a, c, atol=1e-6)
    assert not torch.allclose(a, d, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_dropped_keypoints_have_no_effect(form: str) -> None:
    shape = replace(FORMS[form], face_flow=False)
    made, drive = network(shape), a_drive(shape)
    kept = replace(Kept.all(shape, 2), keypoints=torch.tensor([5, 5]))
    other = drive.driving_keypoints.clone()
    other[:, 5:] += 0.3
    with torch.no_grad():
        a, b, c = (
            made(drive.source, drive.source_keypoints, points, drive.code, how).picture
            for points, how in ((drive.driving_keypoints, kept), (other, kept), (other, None))
        )
    assert torch.allclose(a, b, atol=1e-5)
    assert not torch.allclose(a, c, atol=1e-4)


def test_fewer_keypoints_can_be_asked_for_from_the_start() -> None:
    shape = replace(PAPER, keypoints=5)
    made, drive = network(shape), a_drive(shape)
    with torch.no_grad():
        drawn = made(*drive.all)
    assert drawn.masks.shape[1] == 6
    assert drawn.driving_keypoints.shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (replace(PAPER, expression_code=False), 0),
        (PAPER, 54),
        (replace(PROJECT, expression_code=False), 48),
        (PROJECT, 102),
    ],
)
def test_what_the_decoder_is_told(settings: SemanticSettings, told: int) -> None:
    made = network(settings)
    drive = a_drive(settings)
    condition = made.decoder.blocks[0].conditions[0]  # type: ignore[index]
    assert condition.numbers == told  # type: ignore[union-attr]
    with torch.no_grad():
        a = made(*drive.all).picture
        b = made(drive.source, drive.source_keypoints, drive.driving_keypoints, drive.code + 1.0).picture
    assert torch.equal(a, b) == (not settings.expression_code)


def test_dropout_is_drawn_as_often_as_the_settings_say_and_the_same_each_time() -> None:
    shape = replace(PROJECT, code_dropout=0.5, keypoint_dropout=0.2, face_dropout=0.1)
    kept, again = (Kept.drawn(shape, 4000, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(kept.code, again.code)
    assert kept.code.min() == 0
    assert kept.code.max() == 53
    # A fifty-fourth of those that lose some lose none.
    assert (kept.code < 53).float().mean().item() == pytest.approx(0.5 * 53 / 54, abs=0.03)
    assert (kept.keypoints < 16).float().mean().item() == pytest.approx(0.2 * 11 / 12, abs=0.02)
    assert kept.keypoints.min() == 5
    assert kept.face is not None
    assert kept.face.float().mean().item() == pytest.approx(0.9, abs=0.02)
    whole = Kept.drawn(replace(shape, code_dropout=0.0, keypoint_dropout=0.0), 10)
    assert torch.equal(whole.code, Kept.all(shape, 10).code)
    assert torch.equal(whole.keypoints, Kept.all(shape, 10).keypoints)


def test_a_network_without_a_detector_asks_for_keypoints() -> None:
    made, drive = network(PAPER), a_drive(PAPER)
    with pytest.raises(ValueError, match="head model"):
        made.detect(drive.source)
    with pytest.raises(ValueError, match="keypoints"):
        made(drive.source, None, None, drive.code)
