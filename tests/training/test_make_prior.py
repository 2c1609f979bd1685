"""Both priors from material to a rendering avatar, in a few steps each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.build_pvp import STRENGTHS, _strength, build_pvp
from pipelines.cut_material import Material
from pipelines.make_prior import GAIN, Prior, load_prior, make_prior, save_prior
from pipelines.prior_settings import MAPPER_LOOP, TUNE_LOOP, InvertSettings, MapperSettings, TuneSettings
from pipelines.pvp_settings import EstimatorSettings, PainterSettings, PriorSettings, PvpSettings
from pipelines.training.settings import LoopSettings
from studio.assets import AssetLibrary
from studio.domain.problem import Problem
from studio.domain.progress import silent
from studio.engines.pvp.artefact import load_pvp, save_pvp
from studio.engines.pvp.engine import PvpEngine
from studio.engines.pvp.prior import PretrainedGenerator
from studio.head.neutral_crop import aligned_crop
from studio.networks.foreign import load_generator
from studio.networks.stylegan2 import Generator, StyleGan2Config
from studio.warping.warp_files import load_parts
from studio.warping.warper import Warper
from tests.engines.pvp.small_avatar import constant_painter, moment, random_mappers, write_base
from tests.networks.foreign import rosinality_twin as twin
from tests.networks.foreign.made_files import write_nvidia
from tests.training.small_material import SIDE, small_material
from tests.warping.average_person import STAGE, ask, average_person

INVERT = InvertSettings(
    w_steps=3, neighbour_w_steps=2, plus_steps=2, neighbour_plus_steps=1, w_samples=8, batch=4
)
PAINTER = PainterSettings(
    w_dim=8,
    channel_base=512,
    channel_max=12,
    loop=LoopSettings(steps=3, batch=4, validate_steps=2, precision="float32"),
)
PVP = PvpSettings(
    tune=TuneSettings(steps_per_image=1, threshold=0.0, loop=replace(TUNE_LOOP, batch=4)),
    estimator=EstimatorSettings(size=32, steps=2, batch=8),
    mapper=MapperSettings(
        hidden=8,
        reach=0.0,
        loop=replace(MAPPER_LOOP, steps=2, batch=2, validate_steps=1),
        warm_loop=LoopSettings(steps=3, batch=8, precision="float32"),
        validation_frames=2,
    ),
)
SHAPE = StyleGan2Config(SIDE, w_dim=16, z_dim=16, channel_base=256, channel_max=8, mapping_layers=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture
def assets(home: Path) -> AssetLibrary:
    return AssetLibrary(home)


def write_weights(layout: str, folder: Path, shape: StyleGan2Config = SHAPE) -> Path:
    """A tiny generator in somebody else's file."""
    if layout == "nvidia":
        torch.manual_seed(2)
        return write_nvidia(folder / "network.pkl", Generator(shape))
    path = folder / "generator.pt"
    torch.save({"g_ema": twin.random_state(), "latent_avg": torch.zeros(twin.WIDTH)}, path)
    return path


def avatar_of(
    prior: Prior, material: Material, base: Path, tmp_path: Path, assets: AssetLibrary
) -> PvpEngine:
    """Tuned, mapped, written, read and opened."""
    kept = tmp_path / "prior"
    kept.mkdir()
    save_prior(kept, prior)
    prior = load_prior(kept)
    parts = build_pvp(material, prior, load_parts(base), PVP, assets, tmp_path / "work")
    folder = tmp_path / "avatar"
    folder.mkdir()
    save_pvp(folder, parts, base)
    loaded = load_pvp(folder)
    assert loaded.kind == prior.kind
    angles = material.motion.angles[material.train][:, [1, 0]]
    assert np.allclose(loaded.pose_range, [angles.min(0), angles.max(0)])
    assert set(loaded.figures) >= {"prior", "tune", "mapper"}
    assert set(prior.notes) <= set(loaded.notes)
    assert torch.equal(loaded.mappers.pivots, prior.pivots)
    return PvpEngine(loaded, "cpu")


@pytest.mark.parametrize("layout", ["nvidia", "rosinality"])
def test_ones_own_stylegan2_becomes_a_rendering_avatar(
    base: Path, tmp_path: Path, assets: AssetLibrary, listener, layout: str
):
    material, heard = small_material(), listener()
    path = write_weights(layout, tmp_path)
    settings = PriorSettings(kind="pretrained", weights=str(path), invert=INVERT)
    prior = make_prior(material, settings, assets, tmp_path / "work", progress=heard)
    source, _ = load_generator(path, tmp_path / "cache")
    assert prior.kind == "pretrained"
    assert isinstance(prior.generator, PretrainedGenerator)
    assert prior.pivots.shape == (len(material.pivots), 8, 16)
    assert torch.isfinite(prior.pivots).all()
    assert prior.mapping is not None
    with torch.no_grad():
        assert torch.equal(prior.generator(prior.pivots, None), source.synthesis(prior.pivots))
        z = torch.randn(2, 16)
        assert torch.equal(prior.mapping.w(z), source.mapping.w(z))
    # What stands in for what is missing is said, with what to do about it.
    assert path.name in prior.notes[0]
    assert any("e4e" in note and str(assets.weights) in note for note in prior.notes)
    assert heard.said == list(prior.notes)

    engine = avatar_of(prior, material, base, tmp_path, assets)
    motion = moment()
    image = engine.render(ask(motion)).image.astype(int)
    plain = Warper(load_parts(base)).render(ask(motion)).image
    crop = aligned_crop(average_person().neutral_face, motion)
    y, x = np.mgrid[: STAGE.height, : STAGE.width] + 0.5
    place = crop.apply(np.stack([x, y], -1))
    assert np.array_equal(
        image[((place < 0) | (place > 1)).any(-1)], plain[((place < 0) | (place > 1)).any(-1)]
    )
    assert np.abs(image - plain)[((place > 0.2) & (place < 0.8)).all(-1)].mean() > 5.0
    assert not np.array_equal(image, engine.render(ask(moment(-6.0))).image)


def test_a_prior_from_scratch_becomes_a_rendering_avatar(
    base: Path, tmp_path: Path, assets: AssetLibrary, listener
):
    material, heard = small_material(), listener()
    prior = make_prior(material, PriorSettings(painter=PAINTER), assets, tmp_path / "work", progress=heard)
    assert heard.said[0] == GAIN
    assert prior.notes == (GAIN,)
    assert "--prior.kind pretrained" in GAIN
    assert prior.kind == "scratch"
    assert prior.targets is not None
    assert torch.equal(prior.pivots, prior.targets[torch.from_numpy(material.pivots)])
    assert len(prior.targets) == len(material.frames)
    assert prior.figures["taught_steps"] == 3
    assert prior.figures["validation_painted_psnr"] >= prior.figures["validation_warped_psnr"] - 1e-6
    engine = avatar_of(prior, material, base, tmp_path, assets)
    assert GAIN in engine.notes
    image = engine.render(ask(moment())).image
    assert image.shape == (STAGE.height, STAGE.width, 3)


def test_tuning_that_harms_validation_frames_is_undone(
    base: Path, tmp_path: Path, assets: AssetLibrary, listener
):
    # What the pivots show is the opposite of what all other frames show.
    material, heard = small_material(), listener()
    prior = make_prior(material, PriorSettings(painter=PAINTER), assets, tmp_path / "prior")
    real = material.real.copy()
    real[material.pivots] = 255 - real[material.pivots]
    settings = replace(
        PVP, tune=replace(PVP.tune, learning_rate=0.02, steps_per_image=8, locality=False, perceptual=0.0)
    )
    parts = build_pvp(
        replace(material, real=real),
        prior,
        load_parts(base),
        settings,
        assets,
        tmp_path / "work",
        progress=heard,
    )
    tune = parts.figures["tune"]
    assert tune["steps"] > 8
    assert tune["best_step"] == 0
    assert tune["validation_after"] == tune["validation_before"]
    for name, value in prior.generator.state_dict().items():
        assert torch.equal(parts.generator.state_dict()[name], value), name
    assert any("left as it was" in sentence for sentence in heard.said)


@pytest.mark.parametrize(("needed", "expected"), [(24, 1.0), (12, 0.5), (6, 0.25), (-12, 0.0)])
def test_as_much_is_corrected_as_validation_frames_want(needed: int, expected: float):
    painter = constant_painter(colour=24 / 127.5, side=SIDE)
    material = small_material()
    real = (material.guides[0].astype(int) + needed).astype(np.uint8)
    real[material.train] = 0  # only validation frames are asked
    inside = material.inside.copy()
    inside[:, :8] = 0
    real[:, :8] = 255  # and of them only what the camera saw
    mappers = random_mappers(painter.num_ws, painter.w_dim, eyes=True)
    filmed = replace(material, real=real, inside=inside)
    strength, tried = _strength(painter, mappers, filmed, PVP, "cpu", silent)
    assert strength == expected
    assert list(tried) == [f"{share:g}" for share in STRENGTHS]
    assert tried[f"{expected:g}"] == max(tried.values())
    assert tried["0"] == pytest.approx(-20 * np.log10(abs(needed) / 255 * np.sqrt(0.75)), abs=0.01)


def test_missing_weights_are_said_as_everywhere(tmp_path: Path, assets: AssetLibrary):
    settings = PriorSettings(kind="pretrained")
    with pytest.raises(Problem) as caught:
        make_prior(small_material(), settings, assets, tmp_path / "work")
    assert str(caught.value) == assets.missing("stylegan2-ffhq")
    assert not (tmp_path / "work").exists()
    nowhere = replace(settings, weights=str(tmp_path / "nowhere.pkl"))
    with pytest.raises(Problem, match=r"nowhere\.pkl"):
        make_prior(small_material(), nowhere, assets, tmp_path / "work")


def test_a_generator_that_draws_too_few_pixels_is_said_with_what_to_do(tmp_path: Path, assets: AssetLibrary):
    path = write_weights("nvidia", tmp_path)
    settings = PriorSettings(kind="pretrained", weights=str(path), invert=INVERT)
    with pytest.raises(Problem, match=r"network\.pkl draws 32 .* 64 .* --material\.resolution 32"):
        make_prior(small_material(side=64), settings, assets, tmp_path / "work")


def test_a_generator_that_draws_more_is_shown_smaller(tmp_path: Path, assets: AssetLibrary):
    path = write_weights("nvidia", tmp_path, replace(SHAPE, resolution=64))
    settings = PriorSettings(kind="pretrained", weights=str(path), invert=INVERT, encode=False)
    prior = make_prior(small_material(count=30), settings, assets, tmp_path / "work")
    kept = tmp_path / "prior"
    kept.mkdir()
    save_prior(kept, prior)
    again = load_prior(kept)
    with torch.no_grad():
        shown = again.generator(again.pivots, None)
    assert shown.shape == (len(prior.pivots), 3, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(shown, prior.generator(prior.pivots, None))
    assert prior.pivots.shape[1] == 10  # published latents have a row for every layer
    assert not any("e4e" in note for note in prior.notes)


@pytest.mark.parametrize("kind", ["scratch", "pretrained"])
def test_a_prior_needs_two_pivots(tmp_path: Path, assets: AssetLibrary, kind):
    material = small_material()
    with pytest.raises(Problem, match="two pivots"):
        make_prior(
            replace(material, pivots=material.pivots[:1]), PriorSettings(kind=kind), assets, tmp_path / "work"
        )


@pytest.mark.parametrize("damage", ["half", "gone"])
def test_a_damaged_prior_is_named(tmp_path: Path, damage: str):
    generator = constant_painter(0.1)
    latents = torch.zeros(2, generator.num_ws, generator.w_dim)
    save_prior(tmp_path, Prior("scratch", generator, latents, None, None, None))
    assert load_prior(tmp_path).kind == "scratch"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    data = largest.read_bytes()
    largest.unlink()
    if damage == "half":
        largest.write_bytes(data[: len(data) // 2])
    with pytest.raises(Problem, match="prior is damaged"):
        load_prior(tmp_path)
