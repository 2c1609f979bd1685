"""NVIDIA's EG3D pickles: read without running anything, converted, and drawn as a slow twin draws them."""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.domain.problem import Problem
from studio.networks.eg3d import Eg3dGenerator
from studio.networks.foreign import load_eg3d, load_generator, read_foreign
from tests.networks.foreign.made_files import foreign_packages, persistent
from tests.networks.foreign.test_generators import nvidia_generator
from tests.networks.little_eg3d import LITTLE, little_cameras, little_generator
from tests.networks.slow_eg3d import Look, slow_latents, slow_planes, slow_raw, slow_sharp

RENDERING = {
    "ray_start": 2.25,
    "ray_end": 3.3,
    "box_warp": 1,
    "depth_resolution": 7,
    "depth_resolution_importance": 5,
    "decoder_lr_mul": 1,
    "c_scale": 1.0,
    "c_gen_conditioning_zero": False,
    "clamp_mode": "softplus",
    "disparity_space_sampling": False,
    "superresolution_noise_mode": "none",
    "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC",
    "sr_antialias": True,
    "white_back": False,
    "avg_camera_pivot": [0, 0, 0.2],
}
AXES = [
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
    [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
]
"""Rows are a plane's axes; the third has z across and x down."""


def write_eg3d(
    path: Path, generator: Eg3dGenerator, axes: Any = AXES, rendering: Any = RENDERING, **more: Any
) -> Path:
    """A pickle as EG3D writes it: persistent parts, a plain renderer that keeps its planes' axes."""

    class ImportanceRenderer(torch.nn.Module):
        pass

    where = "training.volumetric_rendering.renderer"
    ImportanceRenderer.__module__, ImportanceRenderer.__qualname__ = where, "ImportanceRenderer"
    made = {name: types.ModuleType(name) for name in ("training", "training.volumetric_rendering", where)}
    made[where].ImportanceRenderer = ImportanceRenderer  # type: ignore[attr-defined]
    renderer = ImportanceRenderer()
    if axes is not None:
        renderer.plane_axes = torch.tensor(axes, dtype=torch.float32)
    with foreign_packages() as (reconstruct, easy):
        sys.modules.update(made)
        try:
            parts = OrderedDict(
                backbone=persistent(generator.backbone, reconstruct, easy, conv_clamp=None),
                superresolution=persistent(generator.superresolution, reconstruct, easy, conv_clamp=256),
                decoder=persistent(generator.decoder, reconstruct, easy),
                renderer=renderer,
            )
            whole = persistent(torch.nn.Module(), reconstruct, easy, **more)
            whole.args[0]["state"] |= {
                "_modules": parts,
                "rendering_kwargs": easy(rendering) if rendering is not None else None,
                "neural_rendering_resolution": 3,
            }
            with path.open("wb") as file:
                pickle.dump({"G": whole, "D": None, "G_ema": whole, "augment_pipe": None}, file)
        finally:
            for name in made:
                del sys.modules[name]
    return path


def test_a_published_layout_is_read_and_draws_as_its_slow_twin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = little_generator()
    made, card = load_eg3d(write_eg3d(tmp_path / "ffhq.pkl", source), tmp_path / "cache")
    assert card["kind"] == "eg3d"
    assert card["notes"] == []
    json.dumps(card)
    assert made.config == LITTLE
    weights = source.state_dict()
    assert list(made.state_dict()) == list(weights)
    for name, value in made.state_dict().items():
        assert torch.equal(value, weights[name]), name
    z, cameras = torch.randn(2, 6, generator=torch.Generator().manual_seed(4)), little_cameras()
    with torch.no_grad():
        drawn = made(z, cameras)
    ws = slow_latents(weights, z, cameras, 4)
    raw, _ = slow_raw(weights, slow_planes(weights, ws, 8), cameras, Look(3, 2.25, 3.3, 1.0, 7, 5, 256.0))
    assert torch.allclose(drawn.raw.double(), raw[:, :3], atol=1e-4)
    assert torch.allclose(drawn.picture.double(), slow_sharp(weights, raw, ws, 4, 256.0), atol=1e-4)
    assert not (tmp_path / "CANARY").exists()
    again, _ = load_eg3d(tmp_path / "ffhq.pkl", tmp_path / "cache")
    assert again.config == made.config
    assert all(torch.equal(value, weights[name]) for name, value in again.state_dict().items())


def test_the_order_of_planes_is_the_files_own(tmp_path):
    mended = [AXES[0], AXES[1], [[0, 0, 1], [0, 1, 0], [1, 0, 0]]]
    made, _ = load_eg3d(write_eg3d(tmp_path / "mended.pkl", little_generator(), mended), tmp_path / "cache")
    assert made.config.planes == "all_pairs"
    unsaid, card = load_eg3d(
        write_eg3d(tmp_path / "unsaid.pkl", little_generator(), None), tmp_path / "cache"
    )
    assert unsaid.config.planes == "published"
    assert "x·y, x·z and z·x" in " ".join(card["notes"])


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ([AXES[0], AXES[0], AXES[0]], "coordinates"),
        ([[[1, 0, 0], [0, 1, 1], [0, 0, 1]], AXES[1], AXES[2]], "lie askew"),
    ],
)
def test_other_planes_are_refused(tmp_path, axes, words):
    with pytest.raises(Problem, match=words):
        load_eg3d(write_eg3d(tmp_path / "odd.pkl", little_generator(), axes), tmp_path / "cache")


def test_settings_of_rendering_are_the_files(tmp_path):
    said = {**RENDERING, "ray_start": 1.5, "ray_end": 4.0, "box_warp": 2.0, "white_back": True}
    said |= {"c_gen_conditioning_zero": True, "superresolution_noise_mode": "const", "sr_antialias": False}
    path = write_eg3d(tmp_path / "other.pkl", little_generator(), rendering=said)
    config = load_eg3d(path, tmp_path / "cache")[0].config
    assert (config.near, config.far, config.box, config.white_back) == (1.5, 4.0, 2.0, True)
    assert (config.camera_scale, config.sharp_noise, config.antialias) == (0.0, "const", False)
    assert (config.conv_clamp, config.sharp_clamp) == (None, 256.0)


@pytest.mark.parametrize(
    ("rendering", "words"),
    [
        ({"clamp_mode": "relu"}, "softplus"),
        ({"disparity_space_sampling": True}, "disparity"),
        ({"ray_start": "auto"}, "auto"),
    ],
)
def test_ways_of_looking_that_are_not_known_are_refused(tmp_path, rendering, words):
    path = write_eg3d(tmp_path / "odd.pkl", little_generator(), rendering={**RENDERING, **rendering})
    with pytest.raises(Problem, match=words):
        load_eg3d(path, tmp_path / "cache")


def test_a_state_dict_alone_is_taken_with_a_note(tmp_path):
    torch.save(little_generator().state_dict(), tmp_path / "state.pt")
    made, card = load_eg3d(tmp_path / "state.pt", tmp_path / "cache")
    assert any("FFHQ's numbers" in note for note in card["notes"])
    assert (made.config.near, made.config.far, made.config.raw_side) == (2.25, 3.3, 64)
    assert made.config.sharp_clamp == 256.0


def test_each_door_says_what_it_was_given(tmp_path):
    eg3d = write_eg3d(tmp_path / "eg3d.pkl", little_generator())
    with pytest.raises(Problem, match="an EG3D generator, where a StyleGAN2 generator is wanted"):
        load_generator(eg3d, tmp_path / "cache")
    torch.save(nvidia_generator().state_dict(), tmp_path / "plain.pt")
    with pytest.raises(Problem, match="a StyleGAN2 generator, where an EG3D generator is wanted"):
        load_eg3d(tmp_path / "plain.pt", tmp_path / "cache")
    assert read_foreign(eg3d).kind == "eg3d"


def test_another_super_resolution_is_refused_in_words(tmp_path):
    weights = little_generator().state_dict()
    weights["superresolution.block0.conv1.noise_const"] = torch.zeros(4, 4)
    torch.save(weights, tmp_path / "four.pt")
    with pytest.raises(Problem, match="8XDC"):
        load_eg3d(tmp_path / "four.pt", tmp_path / "cache")
