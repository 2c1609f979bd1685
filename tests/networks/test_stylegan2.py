"""StyleGAN2 against its slow twin, and what follows from its definition."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.networks.stylegan2 import Generator, StyleGan2Config, upsampled
from tests.networks.slow_stylegan2 import slow_mapping, slow_styles, slow_synthesis


def generator(seed: int = 0, **changes: Any) -> Generator:
    """A small one in float64 in which every parameter is away from where it starts."""
    shape = {"w_dim": 7, "z_dim": 5, "channel_base": 96, "channel_max": 10, "mapping_layers": 3}
    config = StyleGan2Config(**{"resolution": 16, **shape, **changes})
    torch.manual_seed(seed)
    made = Generator(config).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        made.mapping.w_avg.normal_()
    return made


def latents(made: Generator, count: int = 3, seed: int = 1) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(count, made.config.num_ws, made.config.w_dim, generator=source).double()


def features(made: Generator, count: int = 3) -> dict[int, Tensor]:
    torch.manual_seed(2)
    return {r: torch.randn(count, made.config.channels(r), r, r).double() for r in (4, 16)}


@pytest.mark.parametrize("channels", [3, 5])
def test_w_plus_equals_the_slow_twin(channels):
    made = generator(img_channels=channels)
    weights, ws = made.state_dict(), latents(made)
    for size in (4, 8, 16):
        slow = slow_synthesis(weights, slow_styles(weights, ws, size), size)
        assert slow.shape == (3, channels, size, size)
        assert slow.std() > 0.1
        assert torch.allclose(made.synthesis(ws, size=size), slow, rtol=0, atol=1e-9)


def test_style_space_equals_the_slow_twin():
    made = generator()
    weights, ws = made.state_dict(), latents(made)
    fast, slow = made.synthesis.styles(ws), slow_styles(weights, ws, 16)
    assert [s.shape for s in fast] == [s.shape for s in slow]
    assert all(torch.allclose(a, b, rtol=0, atol=1e-9) for a, b in zip(fast, slow))
    torch.manual_seed(3)
    moved = [s + torch.randn_like(s) for s in slow]
    picture = made.synthesis.from_styles(moved)
    assert torch.allclose(picture, slow_synthesis(weights, moved, 16), rtol=0, atol=1e-9)


def test_added_activations_and_no_noise_equal_the_slow_twin():
    made = generator()
    weights, ws, added = made.state_dict(), latents(made), features(made)
    slow = slow_synthesis(weights, slow_styles(weights, ws, 16), 16, noise=False, added=added)
    fast = made.synthesis(ws, noise="none", added=added)
    assert torch.allclose(fast, slow, rtol=0, atol=1e-9)
    assert (made.synthesis(ws, noise="none") - fast).abs().max() > 0.1
    assert (made.synthesis(ws, added=added) - fast).abs().max() > 0.1


def test_clamp_equals_the_slow_twin_and_binds():
    made, free = generator(conv_clamp=1.5), generator()
    weights, ws = made.state_dict(), latents(made)
    slow = slow_synthesis(weights, slow_styles(weights, ws, 16), 16, clamp=1.5)
    assert torch.allclose(made.synthesis(ws), slow, rtol=0, atol=1e-9)
    assert (free.synthesis(ws) - slow).abs().max() > 0.1


@pytest.mark.parametrize("truncation", [1.0, 0.6, 0.0])
def test_mapping_equals_the_slow_twin(truncation):
    made = generator()
    z = torch.randn(4, 5, dtype=torch.float64)
    ws = made.mapping(z, truncation)
    assert torch.allclose(ws, slow_mapping(made.state_dict(), z, truncation, 6), rtol=0, atol=1e-9)
    assert torch.equal(ws[:, 0], ws[:, 5])
    assert torch.equal(made(z, truncation), made.synthesis(ws))


def test_the_average_latent_stays_in_training_mode():
    made = generator().train()
    before = made.mapping.w_avg.clone()
    made(torch.randn(4, 5))
    assert torch.equal(made.mapping.w_avg, before)


def test_style_space_route_is_the_w_plus_route():
    made = generator()
    ws = latents(made)
    assert torch.equal(made.synthesis.from_styles(made.synthesis.styles(ws)), made.synthesis(ws))
    assert made.synthesis.style_rows() == [0, 1, 1, 2, 3, 3, 4, 5]
    # A row moves the layers that read it and nothing else.
    ws = latents(made, 1)
    moved = ws.clone()
    moved[:, 3] += 1.0
    pairs = zip(made.synthesis.styles(ws), made.synthesis.styles(moved))
    assert [not torch.equal(a, b) for a, b in pairs] == [row == 3 for row in made.synthesis.style_rows()]


def test_a_smaller_size_is_the_sum_up_to_there():
    made = generator()
    ws, synthesis = latents(made), made.synthesis
    small, whole = synthesis(ws, size=8), synthesis(ws)
    with torch.no_grad():
        synthesis.block(16).torgb.weight.zero_()
        synthesis.block(16).torgb.bias.zero_()
    expected = upsampled(small, synthesis.block(16).resample_filter)
    assert torch.allclose(synthesis(ws), expected, rtol=0, atol=1e-12)
    assert (whole - expected).abs().max() > 0.1


def test_upsampling_keeps_a_constant_inside_and_fades_at_the_border():
    made = generator()
    taps = made.synthesis.block(8).resample_filter
    assert torch.allclose(taps.double().sum(), torch.tensor(1.0).double())
    up = upsampled(torch.ones(1, 2, 4, 4), taps)
    assert torch.allclose(up[..., 1:-1, 1:-1], torch.ones(1, 2, 6, 6))
    assert torch.allclose(up[0, 0, 0, 1:-1], torch.full((6,), 0.75))


def test_a_batch_of_different_styles_is_its_samples():
    made = generator()
    ws, added = latents(made), features(made)
    together = made.synthesis(ws, added=added)
    for sample in range(3):
        one = slice(sample, sample + 1)
        alone = made.synthesis(ws[one], added={r: a[one] for r, a in added.items()})
        assert torch.allclose(together[one], alone, rtol=0, atol=1e-11)


def test_random_noise_differs_between_samples_and_calls_and_has_the_strength():
    made = generator()
    ws = latents(made, 1).repeat(2, 1, 1)
    first = made.synthesis(ws, noise="random")
    assert (first[0] - first[1]).abs().max() > 1e-3
    assert not torch.equal(first, made.synthesis(ws, noise="random"))
    with torch.no_grad():
        for name, parameter in made.synthesis.named_parameters():
            if name.endswith("noise_strength"):
                parameter.zero_()
    quiet = made.synthesis(ws, noise="random")
    assert torch.equal(quiet, made.synthesis(ws, noise="none"))


def test_gradients_reach_everything_and_are_right():
    made = generator(resolution=8)
    synthesis = made.synthesis
    ws = latents(made, 2).requires_grad_()
    added = {8: torch.randn(2, 10, 8, 8, dtype=torch.float64, requires_grad=True)}
    # Twice in one graph, as a perturbed second rendering does.
    loss = (synthesis(ws, added=added) * synthesis(ws + 0.1)).square().mean()
    loss.backward()
    for name, parameter in synthesis.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert ws.grad is not None
    assert (ws.grad.abs().amax((0, 2)) > 0).all()
    assert added[8].grad is not None
    assert added[8].grad.abs().max() > 0
    assert torch.autograd.gradcheck(
        lambda w, a: synthesis(w, added={8: a}).square().sum(), (ws, added[8]), fast_mode=True
    )


def test_noise_maps_can_be_trained():
    made = generator()
    maps = made.synthesis.noise_maps()
    assert list(maps) == [
        f"{block}.noise_const" for block in ("b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1")
    ]
    before = made.synthesis(latents(made)).detach()
    for noise in maps.values():
        noise.requires_grad_()
    optimiser = torch.optim.Adam(maps.values(), lr=0.1)
    made.synthesis(latents(made)).square().mean().backward()
    assert all(noise.grad is not None and noise.grad.abs().max() > 0 for noise in maps.values())
    optimiser.step()
    assert (made.synthesis(latents(made)) - before).abs().max() > 1e-3


def test_memory_format_changes_nothing():
    made = generator()
    ws, added = latents(made), features(made)
    expected = made.synthesis(ws, added=added)
    made = made.to(memory_format=torch.channels_last)
    assert torch.allclose(made.synthesis(ws, added=added), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_autocast_stays_near_single_precision(dtype, most):
    made = generator(channel_base=512, channel_max=32).float()
    ws = latents(made).float()
    expected = made.synthesis(ws)
    with torch.autocast("cpu", dtype):
        picture = made.synthesis(ws)
    assert picture.dtype == torch.float32
    error = (picture - expected).square().mean().sqrt() / expected.std()
    assert 0 < error < most
    with torch.autocast("cpu", dtype):
        styles = made.synthesis.styles(ws)
        w = made.mapping(torch.ones(1, 5))
    assert all(torch.equal(a, b) for a, b in zip(styles, made.synthesis.styles(ws)))
    assert torch.equal(w, made.mapping(torch.ones(1, 5)))


def test_half_floats_do_not_overflow_on_large_styles():
    made = generator().float()
    ws = latents(made).float()
    styles = [style if k in (1, 4, 7) else 3e4 * style for k, style in enumerate(made.synthesis.styles(ws))]
    expected = made.synthesis.from_styles(styles)
    with torch.autocast("cpu", torch.float16):
        picture = made.synthesis.from_styles(styles)
    assert (picture - expected).abs().max() < 0.05 * expected.std()


@pytest.mark.parametrize(
    ("resolution", "base", "parameters", "keys", "rows"),
    [
        (1024, 32768, 28_268_812, 182, 18),
        (512, 32768, 28_175_335, 163, 16),
        (256, 32768, 27_933_090, 144, 14),
        (256, 16384, 22_666_210, 144, 14),
    ],
)
def test_published_sizes(resolution, base, parameters, keys, rows):
    config = StyleGan2Config(resolution, channel_base=base)
    with torch.device("meta"):
        made = Generator(config)
    assert sum(p.numel() for p in made.synthesis.parameters()) == parameters
    assert sum(p.numel() for p in made.mapping.parameters()) == 2_101_248
    assert len(made.state_dict()) == keys
    assert config.num_ws == made.synthesis.num_ws == rows


def test_names_and_shapes_of_the_full_network():
    with torch.device("meta"):
        state = Generator(StyleGan2Config(1024)).state_dict()
        styles = Generator(StyleGan2Config(1024)).synthesis.styles(torch.empty(1, 18, 512))
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    layer = {
        "noise_strength": (),
        "resample_filter": (4, 4),
        "affine.weight": (512, 512),
        "affine.bias": (512,),
    }
    for r, (inputs, outputs) in {64: (512, 512), 128: (512, 256), 1024: (64, 32)}.items():
        conv0 = {**layer, "weight": (outputs, inputs, 3, 3), "bias": (outputs,), "noise_const": (r, r)}
        conv0 |= {"affine.weight": (inputs, 512), "affine.bias": (inputs,)}
        names = {
            name.removeprefix(f"synthesis.b{r}.conv0."): s
            for name, s in shapes.items()
            if f".b{r}.conv0." in name
        }
        assert names == conv0
        assert shapes[f"synthesis.b{r}.torgb.weight"] == (3, outputs, 1, 1)
    assert shapes["synthesis.b4.const"] == (512, 4, 4)
    assert shapes["mapping.fc7.weight"] == (512, 512)
    assert "mapping.w_avg" in shapes
    assert not any(name.startswith("synthesis.b4.conv0") for name in shapes)
    assert len(styles) == 26
    rgb = sum(style.shape[1] for style in styles[1::3])
    assert (rgb, sum(style.shape[1] for style in styles) - rgb) == (3040, 6048)


def test_a_fresh_network_starts_as_published():
    torch.manual_seed(0)
    made = Generator(StyleGan2Config(16, w_dim=64, channel_base=1024, channel_max=64, mapping_layers=2))
    state = made.state_dict()
    assert math.isclose(state["mapping.fc0.weight"].std().item(), 100.0, rel_tol=0.05)
    assert math.isclose(state["synthesis.b8.conv0.weight"].std().item(), 1.0, rel_tol=0.05)
    assert (state["synthesis.b8.conv0.affine.bias"] == 1).all()
    assert (state["synthesis.b8.conv0.noise_strength"] == 0).all()
    # Equalised rates and gains keep the variance of activations: w is about unit normal.
    assert 0.3 < made.mapping(torch.randn(200, 512)).std() < 1.5


def test_wrong_shapes_are_refused():
    made = generator()
    ws = latents(made)
    with pytest.raises(ValueError, match=r"\[B, 6, 7\], not \[3, 5, 7\]"):
        made.synthesis(ws[:, :5])
    with pytest.raises(ValueError, match="4, 8, 16 pixels, not at 12"):
        made.synthesis(ws, size=12)
    with pytest.raises(ValueError, match="added at 16 pixels"):
        made.synthesis(ws, size=8, added=features(made))
    with pytest.raises(ValueError, match="power of two"):
        StyleGan2Config(100)
    with pytest.raises(ValueError, match="no channel"):
        StyleGan2Config(512, channel_base=256)
