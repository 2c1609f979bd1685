"""Edits of latents drawn live, against the plain network on latents and styles that were moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.domain.edits import Edit, EditStack, Effect, LatentMap, LatentShift, Recolour, StyleShift
from studio.domain.problem import Problem
from studio.engines.pvp.artefact import PvpParts
from studio.engines.pvp.latent_edits import LatentEdits
from studio.engines.pvp.live_network import LiveNetwork
from studio.engines.pvp.mappers import mapper_inputs
from studio.engines.pvp.painter import Painter, bounded
from studio.engines.pvp.prior import PretrainedGenerator
from studio.networks.stylegan2_live import LiveSynthesis
from tests.engines.pvp.small_avatar import (
    SIDE,
    moment,
    parts_of,
    random_painter,
    random_pretrained,
    write_base,
)

GUIDE = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
RECOLOUR = Edit("red", "Red", "test", Recolour("skin", (0.0, 5.0, 0.0)))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("instant") / "base")


@pytest.fixture(params=["painter", "pretrained", "pretrained shown smaller"])
def parts(request: pytest.FixtureRequest, base: Path) -> PvpParts:
    """Of both kinds, and one that shows less than its network's resolution."""
    made: dict[str, Callable[[], Painter | PretrainedGenerator]] = {
        "painter": random_painter,
        "pretrained": random_pretrained,
        "pretrained shown smaller": lambda: random_pretrained(64, 32),
    }
    return parts_of(base, made[request.param]())


def channels(parts: PvpParts) -> int:
    network: Any = parts.generator
    return sum(len(layer.affine.weight) for block in network.synthesis.blocks() for layer in block.layers)


def effect_of(parts: PvpParts, kind: str, seed: int = 0) -> Effect:
    rng = np.random.default_rng(seed)
    network: Any = parts.generator
    rows, width = network.num_ws, network.w_dim

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(0.0, 1.0, shape).astype(np.float32)

    if kind == "w":
        return LatentShift(normal(1, width))
    if kind in ("w+", "full"):
        return LatentShift(normal(rows, width))
    if kind == "style":
        return StyleShift(normal(channels(parts)))
    groups = ((0, 2), (3, rows - 1))  # two rows belong to no group
    return LatentMap(groups, normal(2, 3, width, width), normal(2, 3, width), 0.5)


def edit(name: str, effect: Effect) -> Edit:
    return Edit(name, name.title(), "test", effect)


def stack_of(parts: PvpParts, *kinds: str) -> EditStack:
    """Edits of these kinds with one of another space in the midst, which the network passes over."""
    made = [edit(f"e{k}", effect_of(parts, kind, k)) for k, kind in enumerate(kinds)]
    return EditStack((*made[:1], RECOLOUR, *made[1:]))


def strengths(stack: EditStack, *latent: float) -> np.ndarray:
    """Strengths of the latent edits in order; the recolouring is at full strength."""
    found, rest = np.ones(len(stack), np.float32), iter(latent)
    for place, one in enumerate(stack.edits):
        if one is not RECOLOUR:
            found[place] = next(rest)
    return found


def slow_map(effect: LatentMap, ws: Tensor) -> Tensor:
    out = torch.zeros_like(ws)
    for (first, past), weights, biases in zip(effect.groups, effect.weights, effect.biases, strict=True):
        for row in range(first, past):
            x = ws[0, row] / ws[0, row].square().mean().add(1e-8).sqrt()
            for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                x = torch.where(x > 0, x, 0.2 * x) if layer else x
                x = torch.from_numpy(weight) @ x + torch.from_numpy(bias)
            out[0, row] = effect.scale * x
    return out


def slowly(parts: PvpParts, stack: EditStack, values: np.ndarray) -> np.ndarray:
    """The plain network: every edit in its turn moves W+ or the styles."""
    generator: Any = parts.generator
    size = None if isinstance(generator, Painter) else generator.resolution
    pose, face = (torch.from_numpy(x) for x in mapper_inputs(moment(), eyes=True))
    with torch.no_grad():
        ws, style = parts.mappers.ws(pose, face), torch.zeros(channels(parts))
        for one, strength in zip(stack.edits, values.tolist(), strict=True):
            if isinstance(one.effect, LatentShift):
                ws = ws + strength * torch.from_numpy(one.effect.rows)
            elif isinstance(one.effect, LatentMap):
                ws = ws + strength * slow_map(one.effect, ws)
            elif isinstance(one.effect, StyleShift):
                style = style + strength * torch.from_numpy(one.effect.channels)
        styles = generator.synthesis.styles(ws)
        moved = [s + d for s, d in zip(styles, style.split([s.shape[1] for s in styles]), strict=True)]
        if not isinstance(generator, Painter):
            picture = generator.synthesis.from_styles(moved, size=size)
        else:
            guide = torch.from_numpy(GUIDE).permute(2, 0, 1)[None].float() / 127.5 - 1.0
            raw = generator.synthesis.from_styles(moved, added=generator.encoder(guide))
            picture = torch.cat(bounded(raw), 1)
    return picture[0].permute(1, 2, 0).numpy()


def network_of(parts: PvpParts, stack: EditStack | None = None) -> LiveNetwork:
    return LiveNetwork(parts, torch.device("cpu"), stack)


def drawn(network: LiveNetwork, values: np.ndarray | None = None) -> np.ndarray:
    return network.begin(moment(), GUIDE if network.needs_guide else None, values)()


@pytest.mark.parametrize(
    ("kinds", "values"),
    [
        (("w",), (0.7,)),
        (("w+",), (-1.3,)),
        (("style",), (0.8,)),
        (("map",), (0.9,)),
        (("w", "style", "w+"), (0.5, -0.6, 0.4)),
        (("map", "map"), (0.8, -0.7)),
        (("w+", "map", "style", "w", "map", "w+"), (1.0, 0.8, -0.5, 0.6, 1.1, -0.4)),
        (("w+", "map", "map"), (1.0, 0.0, 0.8)),
        (("w", "map"), (0.6, 0.0)),
    ],
)
def test_a_frame_is_what_the_plain_network_draws_of_what_edits_make(parts, kinds, values):
    stack = stack_of(parts, *kinds)
    network, asked = network_of(parts, stack), strengths(stack, *values)
    wanted = slowly(parts, stack, asked)
    plain = drawn(network_of(parts))
    assert np.abs(wanted - plain).mean() > 0.02  # there is something to get wrong
    assert np.abs(drawn(network, asked) - wanted).max() < 1e-4 * max(1.0, np.abs(wanted).max())
    # Strengths change from frame to frame, and come back.
    other = strengths(stack, *(0.5 * value for value in values))
    assert np.abs(drawn(network, other) - slowly(parts, stack, other)).max() < 1e-3
    assert np.array_equal(drawn(network, asked), drawn(network, asked))


@pytest.mark.parametrize("kinds", [("w",), ("w+", "style", "map")])
def test_no_strength_is_no_edit_to_the_last_bit_and_no_work(parts, kinds, monkeypatch):
    stack = stack_of(parts, *kinds)
    network, plain = network_of(parts, stack), network_of(parts)
    expected = drawn(plain)
    edited = drawn(network, strengths(stack, *(0.5 for _ in kinds)))
    assert not np.array_equal(edited, expected)
    blended: list[Tensor | None] = []
    from_blend = LiveSynthesis.from_blend

    def watched(self: LiveSynthesis, *given: Any, shift: Tensor | None = None, **rest: Any) -> Tensor:
        blended.append(shift)
        return from_blend(self, *given, shift=shift, **rest)

    monkeypatch.setattr(LiveSynthesis, "from_blend", watched)
    monkeypatch.setattr(LatentEdits, "_moved", None)
    for values in (strengths(stack, *(0.0 for _ in kinds)), None):
        assert np.array_equal(drawn(network, values), expected)
    assert blended == [None, None]
    # Negative zero is zero, too.
    assert np.array_equal(drawn(network, strengths(stack, *(-0.0 for _ in kinds))), expected)


def test_directions_add_up_in_any_order(parts):
    first, second, third = (edit(kind, effect_of(parts, kind, 7)) for kind in ("w", "style", "full"))
    ahead = drawn(
        network_of(parts, EditStack((first, second, third))), np.array([0.4, 0.7, -0.3], np.float32)
    )
    back = drawn(network_of(parts, EditStack((third, second, first))), np.array([-0.3, 0.7, 0.4], np.float32))
    assert np.abs(ahead - back).max() < 1e-4 * max(1.0, np.abs(ahead).max())
    # Half and half of one direction is the whole of it.
    assert isinstance(first.effect, LatentShift)
    twice = EditStack((first, replace(first, name="again")))
    whole = drawn(network_of(parts, EditStack((first,))), np.array([1.0], np.float32))
    halves = drawn(network_of(parts, twice), np.array([0.5, 0.5], np.float32))
    assert np.abs(whole - halves).max() < 1e-4 * max(1.0, np.abs(whole).max())


def test_a_mapper_sees_what_stands_before_it_and_nothing_that_comes_after(parts):
    shift, mapper = edit("shift", effect_of(parts, "w+", 1)), edit("map", effect_of(parts, "map", 2))
    values = np.array([1.0, 1.0], np.float32)
    before, after = EditStack((shift, mapper)), EditStack((mapper, shift))
    first, last = drawn(network_of(parts, before), values), drawn(network_of(parts, after), values)
    assert np.abs(first - last).mean() > 0.01
    assert np.abs(first - slowly(parts, before, values)).max() < 1e-3
    assert np.abs(last - slowly(parts, after, values)).max() < 1e-3
    # A style lies behind W+: before or after, a mapper does not see it.
    style = edit("style", effect_of(parts, "style", 1))
    first = drawn(network_of(parts, EditStack((style, mapper))), values)
    last = drawn(network_of(parts, EditStack((mapper, style))), values)
    assert np.array_equal(first, last)


def test_rows_and_channels_of_layers_that_are_not_drawn_change_nothing(base: Path):
    parts = parts_of(base, random_pretrained(64, 32))
    plain = drawn(network_of(parts))
    network: Any = parts.generator
    rows = np.zeros((network.num_ws, network.w_dim), np.float32)
    rows[max(network.synthesis.style_rows(32)) + 1 :] = 5.0
    style = np.zeros(channels(parts), np.float32)
    style[LiveSynthesis(network.synthesis, 32).channels :] = 5.0
    assert rows.any()
    assert style.any()
    for effect in (LatentShift(rows), StyleShift(style)):
        stack = EditStack((edit("far", effect),))
        assert np.allclose(drawn(network_of(parts, stack), np.ones(1, np.float32)), plain, atol=1e-6)


def misfit(parts: PvpParts, case: str) -> tuple[Effect, str]:
    """What was found for another generator, and what is to be said of it."""
    network: Any = parts.generator
    rows, width, count = network.num_ws, network.w_dim, channels(parts)
    fitting: Any = effect_of(parts, "map")
    wide, has = np.zeros((1, 4, 512, 512), np.float32), f"has {rows} × {width}"
    effects: dict[str, tuple[Effect, str]] = {
        "rows": (LatentShift(np.zeros((18, width), np.float32)), f"18 × {width} numbers.*{has}"),
        "width": (LatentShift(np.zeros((1, 512), np.float32)), f"1 × 512 numbers.*{has}"),
        "channels": (StyleShift(np.zeros(6048, np.float32)), f"6048 channels.*has {count}"),
        "map width": (LatentMap(((0, 2),), wide, wide[..., 0]), f"2 rows of latents of 512.*{has}"),
        "map rows": (replace(fitting, groups=((0, 2), (3, 30))), f"30 rows of latents.*{has}"),
    }
    return effects[case]


@pytest.mark.parametrize("case", ["rows", "width", "channels", "map width", "map rows"])
def test_what_was_found_for_another_generator_is_named(parts: PvpParts, case: str):
    effect, words = misfit(parts, case)
    stack = EditStack((edit("good", effect_of(parts, "w")), Edit("odd_one", "Round glasses", "test", effect)))
    with pytest.raises(Problem, match=words) as caught:
        network_of(parts, stack)
    assert "Round glasses" in str(caught.value)
    assert "edit_odd_one" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_correction_that_is_not_shown_cannot_be_edited(base: Path):
    parts = parts_of(base, random_painter(), 0.0)
    stack = EditStack((RECOLOUR, edit("smile", effect_of(parts, "w"))))
    with pytest.raises(Problem, match=r"edit_smile.*not shown.*shape and colour"):
        network_of(parts, stack)
    network_of(parts, EditStack((RECOLOUR,)))  # other spaces are no matter of the generator
    # A generator that draws by itself shows all of it, whatever stands there.
    drawing = parts_of(base, random_pretrained(), 0.0)
    network_of(drawing, stack_of(drawing, "w"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA card")
def test_a_card_draws_the_same(parts: PvpParts):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    stack = stack_of(parts, "w+", "map", "style", "map")
    here = network_of(parts, stack)
    asked = [strengths(stack, *values) for values in ((1, 0.8, -0.5, 1.1), (0.2, 0, 0.4, -0.6), (0, 0, 0, 0))]
    expected = [drawn(here, values) for values in asked]
    card = LiveNetwork(parts, torch.device("cuda"), stack)
    for _ in range(2):
        for values, wanted in zip(asked, expected, strict=True):
            assert np.abs(drawn(card, values) - wanted).max() < 0.05 * max(1.0, np.abs(wanted).max())
