"""GFPGAN's checkpoints: read, converted, and restored as a slow twin restores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from studio.domain.problem import Problem
from studio.networks.foreign import load_gfpgan, load_ir_se50, read_foreign
from studio.networks.gfpgan import Gfpgan, GfpganConfig

State = dict[str, Tensor]
LITTLE = GfpganConfig((8, 6, 4), 5)
"""Pictures of 16."""


def shaken(config: GfpganConfig = LITTLE) -> Gfpgan:
    torch.manual_seed(0)
    made = Gfpgan(config)
    with torch.no_grad():
        for value in made.state_dict().values():
            value.add_(0.3 * torch.randn_like(value))
    return made.eval()


def published(path: Path, state: State, part: str = "params_ema", **more: object) -> Path:
    """As the authors save them: with a mapping network and pictures of the U-Net that nobody uses."""
    whole = dict(state)
    whole |= {"toRGB.0.weight": torch.zeros(3, 3, 1, 1), "toRGB.0.bias": torch.zeros(3)}
    whole |= {"stylegan_decoder.style_mlp.1.weight": torch.zeros(5, 5)}
    torch.save({part: whole, **more}, path)
    return path


def bilinear(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def bent(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def conv(s: State, name: str, x: Tensor) -> Tensor:
    weight = s[f"{name}.weight"]
    return F.conv2d(x, weight, s.get(f"{name}.bias"), padding=weight.shape[-1] // 2)


def resized(s: State, name: str, x: Tensor, factor: float) -> Tensor:
    y = bent(conv(s, f"{name}.conv2", bilinear(bent(conv(s, f"{name}.conv1", x)), factor)))
    return y + conv(s, f"{name}.skip", bilinear(x, factor))


def modulated(s: State, name: str, x: Tensor, w: Tensor, demodulated: bool) -> Tensor:
    """Each sample's own weights, as the paper has it."""
    out = []
    for sample, style in zip(x, w):
        scale = s[f"{name}.modulation.weight"] @ style + s[f"{name}.modulation.bias"]
        kernel = s[f"{name}.weight"][0] * scale[:, None, None]
        if demodulated:
            kernel = kernel / torch.sqrt(kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        out.append(F.conv2d(sample[None], kernel, padding=kernel.shape[-1] // 2)[0])
    return torch.stack(out)


def styled(s: State, name: str, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
    y = modulated(s, f"{name}.modulated_conv", x, w, True) * math.sqrt(2)
    return bent(y + s[f"{name}.weight"] * noise + s[f"{name}.bias"])


def rgb(s: State, name: str, x: Tensor, w: Tensor) -> Tensor:
    return modulated(s, f"{name}.modulated_conv", x, w, False) + s[f"{name}.bias"]


def slow(state: State, pictures: Tensor, noises: list[Tensor] | None = None) -> Tensor:
    """Pictures of 16 restored in float64, written out for two doublings."""
    s = {name: value.double() for name, value in state.items()}
    d = "stylegan_decoder"
    noise = noises or [s[f"{d}.noises.noise{n}"] for n in range(5)]
    eight = resized(s, "conv_body_down.0", bent(conv(s, "conv_body_first", pictures.double())), 0.5)
    four = resized(s, "conv_body_down.1", eight, 0.5)
    x = bent(conv(s, "final_conv", four))
    ws = x.flatten(1) @ s["final_linear.weight"].T + s["final_linear.bias"]
    ws = ws.view(len(pictures), 6, 5)
    first = resized(s, "conv_body_up.0", x + four, 2.0)
    second = resized(s, "conv_body_up.1", first + eight, 2.0)
    y = s[f"{d}.constant_input.weight"].repeat(len(pictures), 1, 1, 1)
    y = styled(s, f"{d}.style_conv1", y, ws[:, 0], noise[0])
    picture = rgb(s, f"{d}.to_rgb1", y, ws[:, 1])
    for step, features in enumerate((first, second)):
        row = 2 * step + 1
        scale, shift = (
            conv(s, f"condition_{kind}.{step}.2", bent(conv(s, f"condition_{kind}.{step}.0", features)))
            for kind in ("scale", "shift")
        )
        y = styled(s, f"{d}.style_convs.{2 * step}", bilinear(y, 2.0), ws[:, row], noise[row])
        half = y.shape[1] // 2
        y = torch.cat([y[:, :half], y[:, half:] * scale + shift], 1)
        y = styled(s, f"{d}.style_convs.{2 * step + 1}", y, ws[:, row + 1], noise[row + 1])
        picture = bilinear(picture, 2.0) + rgb(s, f"{d}.to_rgbs.{step}", y, ws[:, row + 2])
    return picture


@pytest.mark.parametrize("part", ["params_ema", "params"])
def test_a_published_layout_is_read_and_restores_as_its_slow_twin(tmp_path, part):
    source = shaken().state_dict()
    file = published(tmp_path / "GFPGANv1.4.pth", source, part)
    assert read_foreign(file).about["part"] == part
    network, card = load_gfpgan(file, tmp_path / "cache")
    assert card["kind"] == "gfpgan"
    assert network.config == LITTLE
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training
    pictures = torch.rand(2, 3, 16, 16) * 2 - 1
    wanted = slow(source, pictures)
    assert float(wanted.std()) > 0.1
    assert torch.allclose(network(pictures).double(), wanted, atol=1e-4 * float(wanted.abs().max()))
    again, _ = load_gfpgan(file, tmp_path / "cache")
    kept = again.state_dict()
    assert all(torch.equal(kept[name], source[name]) for name in source)


def test_the_average_of_the_weights_is_taken_where_there_is_one(tmp_path):
    average, last = shaken().state_dict(), Gfpgan(LITTLE).state_dict()
    file = published(tmp_path / "both.pth", average, params=last)
    network, _ = load_gfpgan(file, tmp_path / "cache")
    assert torch.equal(network.final_linear.weight, average["final_linear.weight"])


def test_fresh_noise_is_drawn_by_layer_and_sample():
    made, pictures = shaken(), torch.rand(2, 3, 16, 16) * 2 - 1
    chance = torch.Generator().manual_seed(7)
    drawn = [torch.randn(2, 1, side, side, generator=chance) for side in (4, 8, 8, 16, 16)]
    with torch.no_grad():
        fresh = made(pictures, torch.Generator().manual_seed(7))
        stored = made(pictures)
    wanted = slow(made.state_dict(), pictures, [noise.double() for noise in drawn])
    within = 1e-4 * float(wanted.abs().max())
    assert torch.allclose(fresh.double(), wanted, atol=within)
    assert not torch.allclose(fresh, stored, atol=100 * within)


def test_the_published_size():
    with torch.device("meta"):
        made = Gfpgan(GfpganConfig())
        assert made(torch.empty(1, 3, 512, 512)).shape == (1, 3, 512, 512)
    assert (made.config.side, made.config.num_ws) == (512, 16)
    shapes = {name: tuple(value.shape) for name, value in made.state_dict().items()}
    assert shapes["conv_body_first.weight"] == (32, 3, 1, 1)
    assert shapes["conv_body_down.6.conv2.weight"] == (256, 256, 3, 3)
    assert shapes["final_linear.weight"] == (16 * 512, 256 * 16)
    assert shapes["condition_scale.6.2.weight"] == (32, 32, 3, 3)
    assert shapes["stylegan_decoder.style_convs.13.modulated_conv.weight"] == (1, 64, 64, 3, 3)
    assert shapes["stylegan_decoder.noises.noise14"] == (1, 1, 512, 512)
    # With the mapping network and the U-Net's pictures that is the published file, but for names and headers.
    unused = 8 * 512 * 513 + sum(3 * width + 3 for width in made.config.narrow[1:])
    total = sum(value.numel() for value in made.state_dict().values()) + unused
    assert 0 < 348_632_874 - 4 * total < 100_000


def changed(name: str, *shape: int) -> State:
    return {**shaken().state_dict(), name: torch.zeros(*shape)}


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("final_linear.weight", (5, 64), "the same style"),
        ("condition_scale.0.2.weight", (6, 3, 3, 3), "condition_scale"),
        ("stylegan_decoder.style_convs.4.bias", (1, 4, 1, 1), "two layers"),
        ("stylegan_decoder.style_convs.0.bias", (1, 7, 1, 1), "even"),
    ],
)
def test_other_networks_of_the_family_are_refused(tmp_path, name, shape, words):
    file = published(tmp_path / "odd.pth", changed(name, *shape))
    with pytest.raises(Problem, match=words):
        load_gfpgan(file, tmp_path / "cache")


def test_each_door_says_what_it_was_given(tmp_path):
    file = published(tmp_path / "gfpgan.pth", shaken().state_dict())
    with pytest.raises(Problem, match="the GFPGAN restoration network, where the ArcFace"):
        load_ir_se50(file, tmp_path / "cache")
    torch.save({"params_ema": {"conv_first.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(Problem, match="no weights that the studio knows"):
        load_gfpgan(tmp_path / "other.pth", tmp_path / "cache")


def test_pictures_and_widths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\[B, 3, 16, 16\]"):
        shaken()(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="even"):
        replace(LITTLE, widths=(8, 5))
