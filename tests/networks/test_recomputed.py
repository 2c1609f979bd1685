"""Blocks calculated twice: the same gradients, notes taken once, less kept."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from studio.networks.recomputed import recomputed


class Block(nn.Module):
    """All that notes something about its use."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = parametrizations.spectral_norm(nn.Conv2d(3, 3, 3, padding=1))
        self.norm = nn.BatchNorm2d(3)
        self.uses = 0

    def forward(self, x: Tensor, more: Tensor | None) -> Tensor:
        self.uses += 1
        x = self.norm(self.conv(x)).relu()
        return x if more is None else x * more


def test_the_same_gradients_and_notes() -> None:
    torch.manual_seed(0)
    once, twice = Block(), Block()
    twice.load_state_dict(copy.deepcopy(once.state_dict()))
    x, more = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    for step in range(3):
        for block, wanted in ((once, False), (twice, True)):
            block.zero_grad()
            recomputed(block, wanted, x + step, more).square().mean().backward()
    assert (once.uses, twice.uses) == (3, 6)
    for (name, a), b in zip(once.state_dict().items(), twice.state_dict().values()):
        assert torch.equal(a, b), name
    for p, q in zip(once.parameters(), twice.parameters()):
        assert p.grad is not None
        assert q.grad is not None
        assert torch.allclose(p.grad, q.grad, atol=1e-7)
    assert all(part.training for part in twice.modules())
    assert twice.norm.momentum == once.norm.momentum


def test_nothing_is_calculated_twice_without_gradients() -> None:
    block = Block().eval()
    with torch.no_grad():
        recomputed(block, True, torch.randn(1, 3, 8, 8), None)
    assert block.uses == 1


def test_less_is_kept() -> None:
    torch.manual_seed(0)
    block, x = Block(), torch.randn(2, 3, 64, 64, requires_grad=True)
    kept = {}
    for wanted in (False, True):
        sizes: list[int] = []

        def pack(value: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(value.numel())
            return value

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            recomputed(block, wanted, x, None)
        kept[wanted] = sum(sizes)
    assert kept[True] == x.numel()  # what came in
    assert kept[False] > 2.5 * x.numel()
