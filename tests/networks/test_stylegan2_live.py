"""The live form renders what the network renders."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.networks.stylegan2 import StyleGan2Config, SynthesisNetwork
from studio.networks.stylegan2_live import LiveSettings, LiveSynthesis


def network(seed: int = 0, **changes: Any) -> SynthesisNetwork:
    """A small one with noise, in which every parameter is away from where it starts."""
    shape = {"resolution": 32, "w_dim": 7, "channel_base": 192, "channel_max": 12}
    torch.manual_seed(seed)
    made = SynthesisNetwork(StyleGan2Config(**{**shape, **changes}))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.eval()


def latents(made: SynthesisNetwork, count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, made.num_ws, made.w_dim, generator=torch.Generator().manual_seed(seed))


def features(made: SynthesisNetwork, count: int, sizes: tuple[int, ...] = (4, 8, 16)) -> dict[int, Tensor]:
    torch.manual_seed(2)
    return {r: torch.randn(count, made.config.channels(r), r, r) for r in sizes}


def blend(pivots: Tensor, alpha: Tensor, delta: Tensor | None) -> Tensor:
    ws = torch.einsum("bn,nrd->brd", alpha, pivots)
    if delta is not None:
        ws[:, : delta.shape[1]] += delta
    return ws


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool((a - b).abs().max() < 1e-4)


@pytest.mark.parametrize("modulate", ["auto", "kernel", "activations"])
@pytest.mark.parametrize("count", [1, 3])
def test_live_is_plain(modulate, count):
    made = network(img_channels=5)
    ws, added = latents(made, count), features(made, count)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    with torch.no_grad():
        expected, painted = made(ws), made(ws, added=added)
    assert (painted - expected).abs().max() > 0.1
    for channels_last in (True, False):
        live = LiveSynthesis(made, settings=LiveSettings(modulate=modulate, channels_last=channels_last))
        assert close(live(ws), expected)
        assert close(live(ws, added=added), painted)
        assert close(live(ws), expected)  # nothing of the last frame stays
    assert not live(ws).requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())


def test_auto_uses_both_forms():
    live = LiveSynthesis(network(channel_base=512, channel_max=64))
    forms = [module.in_kernel for module in live.modules() if hasattr(module, "in_kernel")]
    assert set(forms) == {True, False}
    assert forms[0] is False
    assert forms[-1] is True


@pytest.mark.parametrize("size", [4, 8, 16])
def test_smaller_sizes(size):
    made = network()
    ws, added = latents(made, 2), features(made, 2, (4,))
    live = LiveSynthesis(made, size)
    assert live.size == size
    assert close(live(ws, added=added), made(ws, size=size, added=added).detach())


@pytest.mark.parametrize("rows", [None, 2, 8])
@pytest.mark.parametrize(("count", "size"), [(1, None), (3, 16)])
def test_blended_styles_are_styles_of_the_blend(rows, count, size):
    made = network()
    pivots = latents(made, 6, seed=5)
    torch.manual_seed(3)
    alpha = torch.rand(count, 6)  # the sum is not 1: biases must not be blended
    delta = None if rows is None else torch.randn(count, rows, 7)
    live = LiveSynthesis(made, size)
    live.cache_pivots(latents(made, 4))
    live.cache_pivots(pivots)
    added = features(made, count)
    expected = made(blend(pivots, alpha, delta), size=size, added=added).detach()
    assert close(live.from_blend(alpha, delta, added=added), expected)


def shifted(made: SynthesisNetwork, ws: Tensor, shift: Tensor, size: int | None = None) -> Tensor:
    """The plain network from styles to which something was added by hand."""
    styles, used = [], 0
    for style in made.styles(ws, size):
        styles.append(style + shift[:, used : used + style.shape[1]])
        used += style.shape[1]
    assert used == shift.shape[1]
    return made.from_styles(styles, size=size).detach()


@pytest.mark.parametrize("rows", [None, 3])
@pytest.mark.parametrize(("count", "size"), [(1, None), (3, 16)])
def test_a_shift_is_added_to_the_styles(rows, count, size):
    made = network()
    live = LiveSynthesis(made, size)
    pivots = latents(made, 6, seed=5)
    live.cache_pivots(pivots)
    torch.manual_seed(3)
    alpha, shift = torch.rand(count, 6), torch.randn(count, live.channels)
    delta = None if rows is None else torch.randn(count, rows, 7)
    ws = blend(pivots, alpha, delta)
    expected = shifted(made, ws, shift, size)
    assert (expected - made(ws, size=size)).abs().max() > 0.1
    assert close(live.from_blend(alpha, delta, shift=shift), expected)
    assert close(live(ws, shift=shift), expected)
    # Nothing of it stays.
    assert close(live.from_blend(alpha, delta), made(ws, size=size).detach())
    with pytest.raises(ValueError, match="shift must be"):
        live.from_blend(alpha, delta, shift=shift[:, 1:])


@pytest.mark.parametrize("size", [None, 16])
def test_an_offset_of_latents_is_a_shift_of_styles(size):
    made = network()
    live = LiveSynthesis(made, size)
    ws, offset = latents(made, 2), latents(made, 2, seed=9)
    expected = made(ws + offset, size=size).detach()
    assert (expected - made(ws, size=size)).abs().max() > 0.1
    assert close(live(ws, shift=live.moved_styles(offset)), expected)


def test_work_is_recorded_for_every_kind_of_input(monkeypatch: pytest.MonkeyPatch):
    """On a card each needs a recording of its own; here what is recorded is told apart by its inputs."""
    shapes: list[list[torch.Size]] = []

    def record(render: Any, inputs: list[Tensor]) -> Any:
        held = [tensor.clone() for tensor in inputs]
        shapes.append([tensor.shape for tensor in held])

        def replay(*tensors: Tensor) -> Tensor:
            for place, tensor in zip(held, tensors, strict=True):
                assert place.shape == tensor.shape
                place.copy_(tensor)
            return render(*held)

        return replay

    monkeypatch.setattr("studio.networks.stylegan2_live.recorded", record)
    made = network()
    live = LiveSynthesis(made, settings=LiveSettings(acceleration="graph"))
    pivots = latents(made, 6)
    live.cache_pivots(pivots)
    for seed in range(2):
        torch.manual_seed(seed)
        alpha, delta, shift = torch.rand(1, 6), torch.randn(1, 3, 7), torch.randn(1, live.channels)
        added = features(made, 1, (8,))
        plain, moved = blend(pivots, alpha, None), blend(pivots, alpha, delta)
        assert close(live.from_blend(alpha), made(plain).detach())
        assert close(live.from_blend(alpha, shift=shift), shifted(made, plain, shift))
        assert close(live.from_blend(alpha, delta), made(moved).detach())
        assert close(live.from_blend(alpha, delta, shift=shift), shifted(made, moved, shift))
        assert close(live.from_blend(alpha, added=added), made(plain, added=added).detach())
        assert close(live(plain, shift=shift), shifted(made, plain, shift))
    assert len(shapes) == 6


def test_clamp_and_unusual_filters_are_kept():
    made = network(conv_clamp=1.0)
    ws = latents(made, 1)
    assert close(LiveSynthesis(made)(ws), made(ws).detach())
    made = network()
    usual = made(ws).detach()
    for name, buffer in made.named_buffers():
        if name.endswith("resample_filter"):
            buffer.copy_(torch.rand(4, 4) / 8)
    assert (made(ws) - usual).abs().max() > 0.1
    for count in (1, 2):
        ws = latents(made, count)
        assert close(LiveSynthesis(made)(ws), made(ws).detach())


def test_noise_can_be_left_out():
    made = network()
    ws = latents(made, 1)
    quiet = LiveSynthesis(made, settings=LiveSettings(noise=False))(ws)
    assert close(quiet, made(ws, noise="none").detach())
    assert (quiet - made(ws)).abs().max() > 0.1


def test_double_precision():
    made = network().double()
    ws = latents(made, 1).double()
    assert (LiveSynthesis(made)(ws) - made(ws)).abs().max() < 1e-10


@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 0.01), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("count", [1, 2])
def test_half_precision_stays_near_and_does_not_overflow(dtype, most, count):
    made = network(channel_base=512, channel_max=32)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "conv" in name and name.endswith(("conv0.weight", "conv1.weight")):
                parameter.mul_(1e4)  # demodulation takes it out again
            if "conv" in name and "affine" in name:
                parameter.mul_(300.0)
    ws = latents(made, count)
    expected = made(ws).detach()
    for blocks in (2, 9):
        for modulate in ("kernel", "activations"):
            settings = LiveSettings(half_blocks=blocks, modulate=modulate)
            picture = LiveSynthesis(made, dtype=dtype, settings=settings)(ws)
            assert picture.dtype == torch.float32
            error = (picture - expected).square().mean().sqrt() / expected.std()
            assert 0 < error < most


def test_a_network_in_half_precision_is_rendered_in_single():
    made = network().bfloat16()
    ws = latents(made, 1)
    picture = LiveSynthesis(made)(ws)
    assert close(picture, made.float()(ws).detach())


def test_a_snapshot_stays():
    made = network()
    ws = latents(made, 1)
    live = LiveSynthesis(made)
    before = live(ws)
    with torch.no_grad():
        for tensor in (*made.parameters(), *made.buffers()):
            tensor.add_(1.0)
    assert torch.equal(live(ws), before)


def test_misuse_is_refused():
    made = network()
    live = LiveSynthesis(made, 16)
    with pytest.raises(RuntimeError, match="cache_pivots"):
        live.from_blend(torch.ones(1, 2))
    with pytest.raises(ValueError, match="32 pixels"):
        live(latents(made, 1), added=features(made, 1, (32,)))
    with pytest.raises(ValueError, match="not at 64"):
        LiveSynthesis(made, 64)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("c++") is None and shutil.which("g++") is None, reason="needs a C++ compiler"
)
def test_compiled():
    made = network()
    ws, pivots = latents(made, 1), latents(made, 6)
    live = LiveSynthesis(made, settings=LiveSettings(acceleration="compile"))
    assert close(live(ws), made(ws).detach())
    live.cache_pivots(pivots)
    alpha = torch.full((1, 6), 1 / 6)
    assert close(live.from_blend(alpha), made(blend(pivots, alpha, None)).detach())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA card")
@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_recorded_on_a_card(dtype):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    made = network().cuda()
    pivots = latents(made, 6).cuda()
    live = LiveSynthesis(made, dtype=dtype)
    live.cache_pivots(pivots)
    most = 1e-4 if dtype is None else 0.1
    for seed in range(3):  # the first records, the others replay
        torch.manual_seed(seed)
        alpha, delta = torch.rand(1, 6).cuda(), torch.randn(1, 8, 7).cuda()
        added = {8: torch.randn(1, 12, 8, 8).cuda()}
        ws = blend(pivots, alpha, delta)
        expected = made(ws, added=added)
        assert (live.from_blend(alpha, delta, added=added) - expected).abs().max() < most
        shift = torch.randn(1, live.channels).cuda()
        assert (live.from_blend(alpha, delta, shift=shift) - shifted(made, ws, shift)).abs().max() < most
    live.cache_pivots(2 * pivots)
    assert (live.from_blend(alpha) - made(blend(2 * pivots, alpha, None))).abs().max() < most
