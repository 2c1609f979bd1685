"""Teaching a painter on material whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pipelines.cut_material import Material
from pipelines.pvp_settings import PainterSettings
from pipelines.teach_painter import Taught, _Teaching, teach_painter
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from pipelines.tune_generator import as_pictures
from studio.domain.progress import Interrupted
from studio.engines.pvp.mappers import mapper_inputs
from studio.networks.picture_losses import edges, weighted
from tests.training.small_material import SIDE, poisoned, small_material, truth

LOOP = LoopSettings(
    steps=150,
    batch=4,
    schedule=Schedule("cosine", warmup=0.05, final=0.05),
    clip_norm=1.0,
    average_decay=0.9,
    precision="float32",
    validate_steps=75,
    checkpoint_seconds=1e6,
    preview_seconds=1e6,
)
SETTINGS = PainterSettings(
    w_dim=8,
    channel_base=512,
    channel_max=12,
    learning_rate=1.2e-2,
    style_noise=0.1,
    made_share=0.25,
    loop=LOOP,
)
SHORT = replace(SETTINGS, loop=replace(LOOP, steps=4, validate_steps=2))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    return teach_painter(small_material(), SETTINGS, tmp_path_factory.mktemp("taught"))


def _teaching(material: Material, settings: PainterSettings = SETTINGS) -> _Teaching:
    return _Teaching(material, settings, "cpu", lambda: None)


def weights(taught: Taught) -> dict[str, Tensor]:
    return {**taught.painter.state_dict(), "latents": taught.latents}


def same(a: Taught, b: Taught) -> bool:
    left, right = weights(a), weights(b)
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


def painted(taught: Taught, places: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Guides, what is painted over them, and the frames."""
    material = small_material()
    guide, real = as_pictures(material.guide[places], "cpu"), as_pictures(material.real[places], "cpu")
    with torch.no_grad():
        return guide, taught.painter(taught.latents[places], guide), real


def test_frames_never_learnt_from_come_nearer_to_the_truth(taught: Taught):
    best = taught.loop.best
    assert best["psnr"] > taught.warped["psnr"] + 2.5
    assert best["loss"] < 0.75 * taught.warped["loss"]
    # Measured once more, without its own ruler.
    guide, shown, real = painted(taught, small_material().validation)
    assert (shown - real).square().mean() < 0.6 * (guide - real).square().mean()
    assert not taught.painter.training


def test_figures_of_the_guides_are_plain_psnr(taught: Taught):
    material = small_material()
    wrong = material.guide[material.validation].astype(float) - material.real[material.validation]
    expected = (20 * np.log10(255) - 10 * np.log10((wrong**2).mean((1, 2, 3)))).mean()
    assert taught.warped["psnr"] == pytest.approx(expected, abs=0.01)


def test_tint_follows_the_turn(taught: Taught):
    material = small_material()
    places = np.concatenate([material.validation, material.train[:12]])
    with torch.no_grad():
        guide = as_pictures(material.guide[places], "cpu")
        colour, flow = taught.painter.correction(taught.latents[places], guide)
    red = colour[:, 0].mean((1, 2)).numpy()
    assert np.corrcoef(red, material.motion.angles[places, 0])[0, 1] > 0.9
    assert SIDE * flow[:, 0].mean() < -0.4  # what is seen stood further left


def test_where_nobody_knows_better_it_learns_to_leave_well_alone(taught: Taught):
    # Turned three deviations away, where tints that simply went on would be the strongest of all.
    material, teaching = small_material(), _teaching(small_material())
    linear = _latents_of(taught, teaching)
    far = as_pictures(material.made_guides, "cpu")
    with torch.no_grad():
        left_alone = taught.painter(linear(teaching.made_standard), far) - far
    near, shown, _ = painted(taught, material.train)
    assert left_alone.abs().mean() < 0.6 * (shown - near).abs().mean()


def _latents_of(taught: Taught, teaching: _Teaching) -> torch.nn.Module:
    """The linear map that gave the frames' latents, recovered from them by least squares."""
    x = torch.cat([teaching.standard, torch.ones(len(teaching.standard), 1)], 1).double()
    moving = teaching.standard.std(0) > 0
    x = x[:, torch.cat([moving, torch.tensor([True])])]
    solved = torch.linalg.lstsq(x, taught.latents[:, 0].double()).solution.float()
    with torch.no_grad():
        teaching.latents.linear.weight.zero_()
        teaching.latents.linear.weight[:, moving] = solved[:-1].T
        teaching.latents.linear.bias.copy_(solved[-1])
    return teaching.latents


def test_latents_are_those_of_all_frames_at_their_own_parameters(taught: Taught):
    material = small_material()
    assert taught.latents.shape == (len(material.frames), taught.painter.num_ws, 8)
    assert not taught.latents.requires_grad
    teaching = _teaching(material)
    linear = _latents_of(taught, teaching)
    with torch.no_grad():
        assert torch.allclose(linear(teaching.standard), taught.latents, atol=1e-3)


def test_parameters_are_standardised_by_what_is_learnt_from():
    material = small_material()
    wild = replace(material.motion, angles=material.motion.angles.copy())
    wild.angles[material.validation] = 80.0
    teaching, other = (
        _teaching(material),
        _teaching(replace(material, motion=wild)),
    )
    assert torch.equal(teaching.latents.mean, other.latents.mean)
    assert torch.equal(teaching.latents.deviation, other.latents.deviation)
    pose, face = mapper_inputs(material.motion, eyes=True)
    learnt = np.concatenate([pose, face], 1)[material.train]
    assert np.allclose(teaching.latents.mean, learnt.mean(0), atol=1e-6)
    # Gaze stands still here: its deviation is that of a movement worth the name, not zero.
    assert teaching.latents.deviation.min() > 1e-3


def test_pixels_that_the_camera_did_not_see_do_not_count(tmp_path: Path):
    material = small_material()
    one = poisoned(material, slice(0, 9))
    other = replace(one, real=one.real.copy())
    other.real[:, :, :9] = 255 - other.real[:, :, :9]
    a, b = (teach_painter(m, SHORT, tmp_path / str(i)) for i, m in enumerate((one, other)))
    assert same(a, b)
    assert a.warped == b.warped
    assert a.loop.validations == b.loop.validations
    seen = replace(other, inside=material.inside)
    assert not same(a, teach_painter(seen, SHORT, tmp_path / "seen"))


def test_weights_of_unseen_pixels_are_those_of_a_smaller_picture():
    error = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    inside = torch.zeros(2, 1, 16, 16)
    inside[..., :8] = 1.0
    assert torch.allclose(weighted(error, inside), error[..., :8].mean())
    # A constant has no edges; neither has its border to what nobody saw.
    assert float(edges(torch.ones_like(error) * inside, inside)) == 0.0
    ramp = torch.arange(16.0).expand(1, 3, 16, 16)
    whole = torch.ones(1, 1, 16, 16)
    assert float(edges(ramp, whole)) == pytest.approx(1.0 + 2.0 + 4.0)


def test_seeds_reproduce_and_differ(tmp_path: Path):
    material = small_material()
    torch.manual_seed(7)
    first = teach_painter(material, SHORT, tmp_path / "a")
    torch.manual_seed(8)
    torch.rand(3)
    assert same(first, teach_painter(material, SHORT, tmp_path / "b"))
    changed = replace(SHORT, loop=replace(SHORT.loop, seed=1))
    assert not same(first, teach_painter(material, changed, tmp_path / "c"))


def test_a_stopped_teaching_goes_on_to_the_same_painter(tmp_path: Path, listener):
    material = small_material()
    heard = listener()
    whole = teach_painter(material, SHORT, tmp_path / "whole", heard)
    done = [report[0] for report in heard.reports]
    with pytest.raises(Interrupted):
        teach_painter(material, SHORT, tmp_path / "stopped", listener(interrupt_after=done.index(3)))
    asked = listener()
    resumed = teach_painter(material, SHORT, tmp_path / "stopped", asked)
    assert same(whole, resumed)
    assert resumed.loop.validations == whole.loop.validations
    assert 1 not in [report[0] for report in asked.reports]  # it did not begin again


def test_a_batch_mixes_versions_and_made_up_moments_and_moves_together():
    material = small_material()
    versions = np.stack([material.guides[0], 255 - material.guides[0]])
    teaching = _teaching(replace(material, guides=versions))
    chance = np.random.default_rng(0)
    indices = material.train[:8].astype(np.int64)
    made = np.array([True, False] * 4)
    seen_versions, shifts = set(), set()
    for _ in range(12):
        guide, real, inside, standard = teaching._gather(indices, made, chance)
        for row in range(8):
            if made[row]:
                assert torch.equal(guide[row], real[row])
                continue
            assert torch.equal(standard[row], teaching.standard[indices[row]])
            # Undo the shift that the frame tells, and see which version it is.
            frame = as_pictures(material.real[indices[row]][None], "cpu")[0]
            for shift in ((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)):
                if torch.equal(torch.roll(frame, shift, (1, 2)), real[row]):
                    break
            else:
                raise AssertionError("the frame was moved in no known way")
            shifts.add(shift)
            for version in (0, 1):
                source = as_pictures(versions[version, indices[row]][None], "cpu")[0]
                if torch.equal(torch.roll(source, shift, (1, 2)), guide[row]):
                    seen_versions.add(version)
            unseen = torch.zeros(SIDE, SIDE, dtype=torch.bool)
            unseen[{1: slice(0, 1), -1: slice(-1, None), 0: slice(0, 0)}[shift[0]]] = True
            unseen[:, {1: slice(0, 1), -1: slice(-1, None), 0: slice(0, 0)}[shift[1]]] = True
            assert torch.equal(inside[row, 0], (~unseen).float())
    assert seen_versions == {0, 1}
    assert len(shifts) > 4


def test_without_made_up_moments_or_validation_it_still_learns(tmp_path: Path):
    material = small_material(made=0)
    material = replace(material, validation=np.zeros(0, np.int64))
    taught = teach_painter(material, SHORT, tmp_path)
    assert taught.loop.steps == 4
    assert all(torch.isfinite(value).all() for value in weights(taught).values())


def test_the_truth_of_this_file_is_what_it_says():
    guide = np.full((1, 4, 4, 3), 100.0)
    guide[0, :, 1] = 150.0
    seen = truth(guide, np.array([np.rad2deg(0.35)]))
    assert seen[0, 0].tolist() == [[130, 100, 85], [130, 100, 85], [180, 150, 135], [130, 100, 85]]
