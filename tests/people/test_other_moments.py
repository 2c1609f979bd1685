"""Moments that were never filmed: what a network should draw of them while it learns one picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.nofa_batches import NofaPairs
from pipelines.other_moments import ANGLES, OPEN, OtherMoments, made_up
from pipelines.own_examples import OwnExamples
from pipelines.pair_batches import Changes
from studio.engines.nofa.network import NofaNetwork
from studio.head import builtin_head
from studio.networks.perceptual import perceptual_loss
from tests.engines.nofa.little_nofa import FORMS, GUIDED, shaken
from tests.people.test_fine_tune_nofa import somebody

COUNT = 6


def example(network: NofaNetwork) -> tuple[OwnExamples, NofaPairs]:
    examples = OwnExamples(somebody(), builtin_head(), network.shape, Changes(), 0)
    return examples, examples.plain()


def others(network: NofaNetwork, own: NofaPairs | None = None) -> OtherMoments:
    examples, plain = example(network)
    return OtherMoments(network, own or plain, examples.moments, builtin_head(), COUNT, 0)


def as_drawn(network: NofaNetwork, off: float = 0.0) -> NofaPairs:
    """The picture as the network draws it, and an error that is the same everywhere."""
    _, own = example(network)
    with torch.no_grad():
        warp = network.warp(own.identity, own.expression, own.moved)
        drawn = network.draw(network.encode(own.source), own.cameras, warp).picture
    return replace(own, driving=drawn + off)


def test_moments_turn_and_express_and_keep_their_place() -> None:
    motion = somebody().motion
    made = made_up(motion, builtin_head(), 200, 3)
    assert (np.abs(made.angles) <= ANGLES).all()
    assert (np.abs(made.angles).max(0) > 0.9 * np.array(ANGLES)).all()
    assert (made.camera == motion.camera).all()
    assert (made.jaw[:, 0] == motion.jaw[:, 0]).sum() == pytest.approx(100, abs=25)
    assert made.jaw[:, 0].max() <= max(OPEN, motion.jaw.max())
    assert (made.eyelids.max(1) > 0.9).any()
    usual = builtin_head().expression_deviation
    assert 0.3 < (made.expression[:, 10:] / usual[10:]).std() < 0.6  # half of them
    again = made_up(motion, builtin_head(), 200, 3)
    assert (again.angles == made.angles).all()
    assert (again.expression == made.expression).all()
    assert (made_up(motion, builtin_head(), 200, 4).angles != made.angles).any()


@pytest.mark.parametrize("form", ["project", "guided"])
def test_who_draws_the_picture_without_error_should_draw_all_as_before(form: str) -> None:
    network = shaken(FORMS[form])
    assert network.compensation is not None
    moments = others(network, as_drawn(network))
    looks = perceptual_loss(None)
    with torch.no_grad():
        assert float(moments.loss(range(COUNT), looks, 0.8, None)) == pytest.approx(0.0, abs=1e-4)
        for weight in network.compensation.parameters():
            weight.add_(0.1)
        assert float(moments.loss(range(COUNT), looks, 0.8, None)) > 1e-3


def test_one_error_everywhere_is_corrected_where_the_picture_sees_and_nowhere_else() -> None:
    network, off = shaken(GUIDED), 0.125
    before, after = (others(network, as_drawn(network, amount)).wanted for amount in (0.0, off))
    corrected = after - before
    inside = (before.abs() < 0.8).all(1, keepdim=True).expand_as(corrected)  # nothing was cut off
    assert float(corrected[inside].min()) > -1e-5
    assert float(corrected[inside].max()) == pytest.approx(off, abs=1e-3)
    # The wall behind is not the person's: no moment's corner is corrected.
    assert float(corrected[:, :, :3, :3].abs().max()) < 1e-5
    shown = corrected.mean(1).flatten(1) > 0.5 * off
    assert (shown.float().mean(1) > 0.02).all()


def test_an_error_lies_on_the_same_place_of_the_turned_face() -> None:
    """Where one half of the face is wrong, so is that half from wherever it is seen, and the other is not."""
    network = shaken(GUIDED)
    own = as_drawn(network)
    to_plane = own.cameras.to_plane[0, 0]
    nose = int(float(-to_plane[2] / to_plane[0]))  # x of the head's origin, pixels
    before, centres = others(network, own).wanted, []
    for half in (slice(None, nose), slice(nose, None)):
        wrong = own.driving.clone()
        wrong[..., half] += 0.125
        columns = (others(network, replace(own, driving=wrong)).wanted - before).mean(1).sum(1)
        centres.append((columns * (torch.arange(columns.shape[1]) + 0.5)).sum(1) / columns.sum(1))
    left, right = centres
    assert (left < right - 10.0).all()


def test_an_unguided_network_should_draw_all_as_before() -> None:
    network = shaken(FORMS["paper"])
    same, wrong = (others(network, as_drawn(network, amount)).wanted for amount in (0.0, 0.3))
    assert torch.equal(same, wrong)
