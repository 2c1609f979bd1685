"""Generators of every layout render, after conversion, what they rendered before."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from studio.domain.problem import Problem
from studio.networks.foreign import load_deca, load_e4e, load_generator, read_foreign
from studio.networks.stylegan2 import Generator, StyleGan2Config
from tests.networks.foreign import rosinality_twin as twin
from tests.networks.foreign.made_files import write_module, write_nvidia

SHAPE = StyleGan2Config(32, w_dim=16, z_dim=8, channel_base=128, channel_max=12, mapping_layers=2)


def nvidia_generator(seed: int = 0, shape: StyleGan2Config = SHAPE) -> Generator:
    """Every tensor random, so that none can be mistaken for another."""
    torch.manual_seed(seed)
    generator = Generator(shape)
    with torch.no_grad():
        for name, value in generator.state_dict().items():
            if not name.endswith("resample_filter"):
                value.add_(0.3 * torch.randn_like(value))
    return generator


def rendered(generator: Generator, latents: Tensor) -> Tensor:
    with torch.no_grad():
        return generator.synthesis(latents)


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("write", [write_nvidia, write_module])
def test_nvidia_pickles_render_the_same(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    source = nvidia_generator()
    path = write(tmp_path / "network.pkl", source)
    made, card = load_generator(path, tmp_path / "cache")
    assert card["kind"] == "nvidia"
    assert made.config == SHAPE
    assert list(made.state_dict()) == list(source.state_dict())
    for name, value in source.state_dict().items():
        assert torch.equal(made.state_dict()[name], value), name
    z = torch.randn(2, 8)
    with torch.no_grad():
        assert torch.equal(made(z, 0.7), source(z, 0.7))
    assert not (tmp_path / "CANARY").exists()
    assert all(parameter.requires_grad for parameter in made.parameters())


def test_the_average_generator_is_taken_and_passing_buffers_are_not(tmp_path):
    file = read_foreign(write_nvidia(tmp_path / "network.pkl", nvidia_generator()))
    assert file.about["part"] == "G_ema"
    assert set(file.tensors) == set(nvidia_generator().state_dict())
    json.dumps(dict(file.about))


def test_clamping_belongs_to_the_network(tmp_path):
    path = write_nvidia(tmp_path / "network.pkl", nvidia_generator(), conv_clamp=256)
    made, _ = load_generator(path, tmp_path / "cache")
    assert made.config.conv_clamp == 256.0


@pytest.mark.parametrize(
    "shape",
    [
        StyleGan2Config(16, w_dim=4, z_dim=4, channel_base=64, channel_max=512, mapping_layers=1),
        StyleGan2Config(64, w_dim=4, z_dim=4, channel_base=1024, channel_max=8, mapping_layers=8),
        StyleGan2Config(64, w_dim=4, z_dim=4, channel_base=100, channel_max=5, mapping_layers=1),
    ],
)
def test_the_shape_follows_from_the_tensors(tmp_path, shape):
    path = tmp_path / "state.pt"
    torch.save(Generator(shape).state_dict(), path)
    made, _ = load_generator(path, tmp_path / "cache")
    assert made.config.resolution == shape.resolution
    for side in shape.resolutions:
        assert made.config.channels(side) == shape.channels(side)


def write_rosinality(path: Path, state: dict[str, Tensor], **more: Tensor) -> Path:
    torch.save({"g_ema": state, **more}, path)
    return path


def write_e4e(path: Path, state: dict[str, Tensor], average: Tensor) -> Path:
    encoder = {"encoder.input_layer.0.weight": torch.zeros(1)}
    decoder = {f"decoder.{name}": value for name, value in state.items()}
    options = Namespace(encoder_type="Encoder4Editing", stylegan_size=32, exp_dir=Path("x"))
    content = {"state_dict": {**encoder, **decoder}, "latent_avg": average, "opts": options}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize("layout", ["rosinality", "e4e"])
def test_rosinality_generators_render_the_same(tmp_path, layout):
    state = twin.random_state()
    average = torch.randn(twin.WIDTH)
    path = tmp_path / "generator.pt"
    if layout == "rosinality":
        write_rosinality(path, state, latent_avg=average)
    else:
        write_e4e(path, state, average.repeat(8, 1))
    made, card = load_generator(path, tmp_path / "cache")
    assert card["kind"] == layout
    assert torch.allclose(made.mapping.w_avg, average)
    latents = torch.randn(3, 8, twin.WIDTH)
    expected = torch.stack([twin.synthesis(state, rows) for rows in latents])
    assert difference(rendered(made, latents), expected) < 1e-5
    z = torch.randn(4, twin.WIDTH)
    with torch.no_grad():
        assert difference(made.mapping(z)[:, 0], twin.mapping(state, z)) < 1e-5


def test_without_an_average_latent_one_is_measured(tmp_path):
    state = twin.random_state()
    path = write_rosinality(tmp_path / "generator.pt", state)
    made, card = load_generator(path, tmp_path / "cache")
    expected = twin.mapping(state, torch.randn(20_000, twin.WIDTH)).mean(0)
    scatter = twin.mapping(state, torch.randn(500, twin.WIDTH)).std()
    assert (made.mapping.w_avg - expected).abs().max() < 0.1 * scatter
    assert "average" in card["notes"][0]


def test_a_second_call_finds_the_conversion(tmp_path, monkeypatch):
    path = write_rosinality(tmp_path / "generator.pt", twin.random_state(), latent_avg=torch.zeros(16))
    cache = tmp_path / "cache"
    first, card = load_generator(path, cache)
    (folder,) = cache.iterdir()
    assert sorted(p.name for p in folder.iterdir()) == ["card.json", "weights.safetensors"]
    assert json.loads((folder / "card.json").read_text(encoding="utf-8")) == card
    assert set(card) >= {"schema_version", "kind", "source", "sha256", "config"}
    assert set(load_file(folder / "weights.safetensors")) == set(first.state_dict())
    moved = path.rename(tmp_path / "other name.pt")
    with monkeypatch.context() as patch:
        patch.setattr(
            "studio.networks.foreign.cache.read_foreign", lambda path: pytest.fail("it was read again")
        )
        second, again = load_generator(moved, cache)
    assert again == card
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)
    # What is damaged is made again.
    (folder / "weights.safetensors").write_bytes(b"half")
    third, _ = load_generator(moved, cache)
    latents = torch.randn(1, 8, 16)
    assert torch.equal(rendered(third, latents), rendered(first, latents))
    write_rosinality(moved, twin.random_state(1), latent_avg=torch.zeros(16))
    load_generator(moved, cache)
    assert len(list(cache.iterdir())) == 2


def _without(name: str) -> dict[str, Tensor]:
    state = twin.random_state()
    del state[name]
    return state


def _with(name: str, value: Tensor) -> dict[str, Tensor]:
    return {**twin.random_state(), name: value}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (_without("convs.3.conv.weight"), r"convs\.3\.conv\.weight"),
        (_without("noises.noise_4"), r"noise_4"),
        (_with("conv1.conv.weight", torch.zeros(1, 12, 12, 5, 5)), r"\[12, 12, 5, 5\]"),
        (_with("conv1.activate.bias", torch.full((12,), torch.nan)), "not numbers"),
        (_with("convs.0.conv.blur.kernel", torch.ones(4, 4)), "filter"),
        (_with("to_rgbs.0.conv.weight", torch.zeros(1, 3, 9, 1, 1)), "channels"),
        ({"x": torch.zeros(1)}, r"input\.input"),
    ],
)
def test_what_is_not_this_network_is_refused_in_words_and_leaves_nothing(tmp_path, state, words):
    path = write_rosinality(tmp_path / "generator.pt", state)
    with pytest.raises(Problem, match=words):
        load_generator(path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["synthesis.input.freqs", "synthesis.b4.const"], "StyleGAN3"),
        (["backbone.synthesis.b4.const", "synthesis.b4.const"], "EG3D"),
        (["mapping.embed.weight", "synthesis.b4.const"], "class for every picture"),
        (["synthesis.b8.skip.weight", "synthesis.b4.const"], "residual"),
    ],
)
def test_relatives_are_named(tmp_path, names, words):
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "file.pkl")
    with pytest.raises(Problem, match=words):
        load_generator(tmp_path / "file.pkl", tmp_path / "cache")


def test_tensorflow_networks_are_refused_with_advice(tmp_path):
    name = b"cdnnlib.tflib.network\nNetwork\n)\x81}X\x04\x00\x00\x00nameX\x01\x00\x00\x00Gsb"
    (tmp_path / "stylegan2-ffhq-config-f.pkl").write_bytes(b"\x80\x02" + 3 * name + b"\x87.")
    with pytest.raises(Problem, match=r"TensorFlow.*ffhq\.pkl.*config-f\.pt"):
        load_generator(tmp_path / "stylegan2-ffhq-config-f.pkl", tmp_path / "cache")


def test_a_file_of_another_kind_says_what_it_is(tmp_path):
    path = write_rosinality(tmp_path / "generator.pt", twin.random_state())
    with pytest.raises(Problem, match="holds a StyleGAN2 generator, where DECA's encoder is wanted"):
        load_deca(path, tmp_path / "cache")
    with pytest.raises(Problem, match="where the e4e encoder is wanted"):
        load_e4e(path, tmp_path / "cache")
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(Problem, match="no weights that the studio knows"):
        load_generator(path, tmp_path / "cache")
