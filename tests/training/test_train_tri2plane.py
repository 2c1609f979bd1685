"""Training a volume on material whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.cut_volume_material import VolumeMaterial
from pipelines.train_tri2plane import Trained, _Teaching, train_tri2plane
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from pipelines.tri2plane_training_settings import Tri2PlaneSettings
from studio.domain.camera import rotation_from_angles
from studio.domain.progress import Interrupted
from studio.engines.tri2plane.network import Tri2Network
from studio.engines.tri2plane.shape import Tri2Shape
from studio.networks.volume.rays import pixel_centres
from tests.training.small_volume_material import (
    RADIUS,
    SIDE,
    poisoned,
    shown,
    small_volume_material,
    wall,
)

SHAPE = Tri2Shape(
    levels=2,
    plane=16,
    features=8,
    channel_base=256,
    channel_max=12,
    convolutions=1,
    plane_convolutions=1,
    style=16,
    encoded=16,
    encoder_base=4,
    code=4,
    hidden=16,
    view_octaves=0,
    coarse_samples=10,
    fine_samples=8,
    capacity=4,
    depth=1,
)
LOOP = LoopSettings(
    steps=220,
    batch=2,
    schedule=Schedule("cosine", warmup=0.05, final=0.05),
    clip_norm=1.0,
    average_decay=0.9,
    precision="float32",
    validate_steps=110,
    validate_start=False,
    checkpoint_seconds=1e6,
    preview_seconds=1e6,
)
SETTINGS = Tri2PlaneSettings(
    shape=SHAPE, learning_rate=4e-3, standing_rate=4e-2, upsampler_tiles=1, validation_frames=3, loop=LOOP
)
SHORT = replace(SETTINGS, loop=replace(LOOP, steps=6, validate_steps=6, log_steps=1))


@pytest.fixture(scope="module")
def material() -> VolumeMaterial:
    return small_volume_material()


@pytest.fixture(scope="module")
def trained(material: VolumeMaterial, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_tri2plane(material, SETTINGS, tmp_path_factory.mktemp("trained"))


def _teaching(material: VolumeMaterial, settings: Tri2PlaneSettings = SETTINGS) -> _Teaching:
    return _Teaching(material, settings, "cpu", lambda: None, None)


def same(a: Trained, b: Trained) -> bool:
    left, right = a.network.state_dict(), b.network.state_dict()
    return torch.equal(a.code, b.code) and all(torch.equal(left[name], right[name]) for name in left)


def psnr(wrong: np.ndarray) -> float:
    return float(-10.0 * np.log10(np.square(wrong).mean()))


def drawn(trained: Trained, material: VolumeMaterial, place: int) -> tuple[np.ndarray, np.ndarray]:
    """A place's middle window ``[R, R, 3]`` as the trained volume shows it, and its coverage."""
    teaching = _teaching(material)
    teaching.network.load_state_dict(trained.network.state_dict())
    with torch.no_grad():
        teaching.codes.weight[:] = trained.code
        picture, _, _, cover = teaching.shown(place)
    return picture[0].permute(1, 2, 0).numpy(), cover[0, 0].numpy()


def middle(pictures: np.ndarray) -> np.ndarray:
    room = (pictures.shape[1] - SIDE) // 2
    return np.asarray(pictures[:, room:-room, room:-room], np.float64) / 255.0


def test_views_never_learnt_from_come_nearer_than_the_nearest_one_filmed(
    trained: Trained, material: VolumeMaterial
):
    real, mask = middle(material.real), middle(material.mask)
    gains = []
    for place in material.validation.tolist():
        picture, cover = drawn(trained, material, place)
        nearest = max(psnr(real[other] - real[place]) for other in material.train)
        gains.append(psnr(picture - real[place]) - nearest)
        assert np.abs(cover - mask[place]).mean() < 0.05
    assert np.mean(gains) > 2.0, gains
    assert min(gains) > 0.5, gains
    assert not trained.network.training


def test_judgement_is_plain_psnr_of_the_middle_window(trained: Trained, material: VolumeMaterial):
    figures = []
    for place in material.validation.tolist():
        picture, _ = drawn(trained, material, place)
        figures.append(psnr(picture - middle(material.real)[place]))
    assert trained.loop.best["psnr"] == pytest.approx(np.mean(figures), abs=0.15)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_rays_of_a_window_meet_what_its_picture_shows(material: VolumeMaterial, share: float):
    """Places in the head's plane, drawn in closed form, must be what was cut out for the same rays."""
    teaching = _teaching(material)
    places = np.array([0, 7, 12])
    cameras, target = teaching._windowed(places, share, torch.Generator().manual_seed(3))
    whole = (0.0, 0.0, float(SIDE))
    quarter = (13.0, 4.0, SIDE / 2)
    for (left, top, side), count in ((whole, SIDE), (whole, SIDE // 2), (quarter, SIDE // 2)):
        picture, mask, behind, inside = (x.numpy() for x in target.part((left, top, side), count))
        plane = cameras.rays(pixel_centres(left, top, side, side, count, count)).plane.numpy()
        assert (inside == 1).all()
        for row, place in enumerate(places):
            at = plane[row].reshape(count, count, 2)
            rotation = rotation_from_angles(material.motion.angles[place])
            colours, cover = shown(at, rotation, float(material.motion.jaw[place, 0]))
            np.testing.assert_allclose(behind[row].transpose(1, 2, 0), wall(at), atol=0.03)
            away = np.linalg.norm(at, axis=-1)
            np.testing.assert_allclose(
                (mask[row, 0] - cover) * (np.abs(away - RADIUS) > 0.016), 0.0, atol=0.02
            )
            deep = (away < 0.06)[..., None]
            off = np.abs(picture[row].transpose(1, 2, 0) - colours) * deep
            assert off.sum() / deep.sum() / 3 < 0.02
    corner = cameras.to_plane[:, :, 2]
    assert torch.allclose(corner, corner[:1], atol=1e-5) is (share == 0.0)


def test_windows_slide_or_stand(material: VolumeMaterial, tmp_path: Path):
    ways = {
        share: train_tri2plane(material, replace(SHORT, window_share=share), tmp_path / str(share))
        for share in (0.0, 0.25)
    }
    assert not same(ways[0.0], ways[0.25])
    for way in ways.values():
        assert all(np.isfinite(list(figures.values())).all() for _, figures in way.loop.losses)


def test_only_what_may_be_learnt_from_is_learnt_from(material: VolumeMaterial, tmp_path: Path):
    plain = train_tri2plane(material, SHORT, tmp_path / "plain")
    judged = train_tri2plane(poisoned(material, material.validation), SHORT, tmp_path / "judged")
    assert same(plain, judged)
    assert torch.equal(plain.drive_mean, judged.drive_mean)
    assert torch.equal(plain.drive_deviation, judged.drive_deviation)
    assert plain.loop.losses == judged.loop.losses
    assert plain.loop.best["psnr"] > judged.loop.best["psnr"] + 1.0
    learnt = train_tri2plane(poisoned(material, material.train[:3]), SHORT, tmp_path / "learnt")
    assert not same(plain, learnt)


def test_pixels_that_the_camera_did_not_see_do_not_count(material: VolumeMaterial, tmp_path: Path):
    inside = material.inside.copy()
    inside[:, :, :20] = 0
    ways = []
    for level in (0, 255):
        real = material.real.copy()
        real[:, :, :20] = level
        unseen = replace(material, real=real, inside=inside)
        ways.append(train_tri2plane(unseen, SHORT, tmp_path / str(level)))
    assert same(*ways)
    assert ways[0].loop.best == ways[1].loop.best


def test_a_new_moment_has_the_mean_code(material: VolumeMaterial, trained: Trained):
    teaching = _teaching(material)
    teaching.network.load_state_dict(trained.network.state_dict())
    train, judged = torch.from_numpy(material.train), torch.from_numpy(material.validation)
    place = int(judged[0])
    with torch.no_grad():
        teaching.codes.weight.normal_(generator=torch.Generator().manual_seed(0))
        expected = teaching.codes.weight[train].mean(0)
        torch.testing.assert_close(teaching.mean_code(), expected)
        before = teaching.shown(place)[0]
        teaching.codes.weight[judged] += 5.0
        assert torch.equal(teaching.shown(place)[0], before)
        teaching.codes.weight[train] += 5.0
        assert not torch.equal(teaching.shown(place)[0], before)
    assert trained.code.shape == (SHAPE.code,)
    assert trained.code.any()


def test_codes_are_dropped_for_the_mean_as_often_as_is_said(material: VolumeMaterial):
    places = np.tile(material.train, 30)
    for share in (0.0, 0.5, 1.0):
        teaching = _teaching(material, replace(SETTINGS, code_dropped=share))
        with torch.no_grad():
            teaching.codes.weight.normal_()
            codes = teaching._codes(places, np.random.default_rng(0))
            mean, own = teaching.mean_code(), teaching.codes.weight[torch.from_numpy(places)]
        dropped = (codes == mean).all(1)
        assert torch.equal(codes[~dropped], own[~dropped])
        assert float(dropped.float().mean()) == pytest.approx(share, abs=0.07)


def test_stopped_at_any_step_it_goes_on_to_the_same_volume(
    material: VolumeMaterial, tmp_path: Path, listener
):
    whole = train_tri2plane(material, SHORT, tmp_path / "whole")
    for reports in (6, 5, 6):  # of which each run's first preview takes five
        with pytest.raises(Interrupted):
            train_tri2plane(material, SHORT, tmp_path / "pieces", listener(interrupt_after=reports))
    asked = listener()
    resumed = train_tri2plane(material, SHORT, tmp_path / "pieces", asked)
    assert min(report[0] for report in asked.reports) > 4  # it did not begin again
    assert same(whole, resumed)
    assert resumed.loop.losses == whole.loop.losses
    assert resumed.loop.validations == whole.loop.validations


def test_without_memory_for_a_batch_it_goes_on_with_half_of_it(
    material: VolumeMaterial, tmp_path: Path, listener, monkeypatch: pytest.MonkeyPatch
):
    sizes: list[int] = []
    plain = Tri2Network.planes

    def short(self, moment, levels=0):
        if self.training:
            sizes.append(len(moment.code))
            if sizes[-1] > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return plain(self, moment, levels)

    monkeypatch.setattr(Tri2Network, "planes", short)
    heard = listener()
    four = replace(SHORT, loop=replace(SHORT.loop, batch=4, steps=3, validate_steps=3))
    found = train_tri2plane(material, four, tmp_path, heard)
    assert sizes == [4, *[2] * 6]
    assert [s for s in heard.said if "Memory" in s] == [
        "Memory ran out, so each step is now done in pieces of 2 examples instead of 4: slower, same result."
    ]
    assert found.loop.steps == 3


def test_the_upsampler_is_taught_later(material: VolumeMaterial, tmp_path: Path):
    never = replace(SHORT, upsampler_from=0.99)
    for settings, corrects in ((never, False), (replace(SHORT, upsampler_from=0.0), True)):
        found = train_tri2plane(material, settings, tmp_path / str(corrects))
        assert bool(found.network.upsampler.last.weight.any()) is corrects
        assert ("picture" in found.loop.losses[-1][1]) is corrects


def test_without_validation_standing_or_code_it_still_learns(material: VolumeMaterial, tmp_path: Path):
    bare = replace(SHORT, shape=replace(SHAPE, standing=False, code=0, levels=1, plane=32))
    none = replace(material, validation=np.zeros(0, np.int64))
    found = train_tri2plane(none, bare, tmp_path)
    assert found.loop.steps == 6
    assert all(torch.isfinite(p).all() for p in found.network.parameters())


def test_a_shape_for_other_pictures_is_refused_before_anything_is_written(
    material: VolumeMaterial, tmp_path: Path
):
    wrong: list[dict[str, Any]] = [{"plane": 32}, {"levels": 3}, {"upscale": 2}]
    for changes in wrong:
        with pytest.raises(ValueError, match=f"pictures of {SIDE}"):
            train_tri2plane(material, replace(SETTINGS, shape=replace(SHAPE, **changes)), tmp_path)
    assert not list(tmp_path.iterdir())
