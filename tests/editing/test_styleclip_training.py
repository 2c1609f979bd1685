"""The loop: its schedule in closed form, lookahead against a slow twin, and numbers that are none."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from studio.domain.problem import Problem
from studio.domain.progress import silent
from studio.editing.styleclip_steps import Steps
from studio.editing.styleclip_training import Plan, ramp, train

QUIET = Steps(silent, 1, "")
GOAL = torch.tensor([1.0, -2.0, 3.0])


def test_the_rate_is_the_projectors():
    assert ramp(0.0) == 0.0
    assert ramp(0.025) == pytest.approx(0.5)
    assert ramp(0.05) == ramp(0.5) == ramp(0.75) == pytest.approx(1.0)
    assert ramp(0.875) == pytest.approx(0.5)
    assert ramp(1.0) == pytest.approx(0.0)
    assert ramp(0.9) == pytest.approx(0.5 - 0.5 * math.cos(math.pi * 0.1 / 0.25))


@pytest.mark.parametrize("lookahead", [False, True])
def test_it_gets_there(tmp_path, lookahead):
    value = nn.Parameter(torch.zeros(3))
    plan = Plan(300, 0.2, lookahead)
    train({"x": value}, lambda step: (value - GOAL).square().sum(), plan, tmp_path, QUIET)
    torch.testing.assert_close(value.detach(), GOAL, rtol=0, atol=0.02)


def test_slow_weights_follow_fast_ones(tmp_path):
    value = nn.Parameter(torch.zeros(3))
    train(
        {"x": value},
        lambda step: (value - GOAL).square().sum(),
        Plan(20, 0.2, lookahead=True),
        tmp_path,
        QUIET,
    )
    twin = nn.Parameter(torch.zeros(3))
    slow, fast = torch.zeros(3), torch.optim.Adam([twin], lr=0.0)
    for step in range(20):
        fast.param_groups[0]["lr"] = 0.2 * ramp((step + 0.5) / 20)
        fast.zero_grad()
        (twin - GOAL).square().sum().backward()
        fast.step()
        if step % 6 == 5:
            slow = 0.5 * slow + 0.5 * twin.detach()
            with torch.no_grad():
                twin.copy_(slow)
    torch.testing.assert_close(value, twin)


def test_numbers_that_are_none_end_it(tmp_path):
    value = nn.Parameter(torch.ones(3))
    with pytest.raises(Problem, match="choose a lower learning rate"):
        train(
            {"x": value},
            lambda step: value.sum() * (math.nan if step == 3 else 1.0),
            Plan(9, 1.0),
            tmp_path,
            QUIET,
        )
