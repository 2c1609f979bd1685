"""NOFA on made people: each stage teaches its own parts, stops and goes on, and sees nobody held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipelines import train_nofa as module
from pipelines.frame_settings import FrameSettings
from pipelines.nofa_comparing import Comparing
from pipelines.nofa_teachers import NO_TEETH, Teachers, take_prior
from pipelines.nofa_training_settings import NofaTrainingSettings, PriorSettings, StageSettings
from pipelines.train_nofa import stage_at, train_nofa
from pipelines.train_nofa_prior import PriorGame
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.engines.nofa import losses
from studio.engines.nofa.network import NofaNetwork
from studio.engines.nofa.settings import nofa_settings
from studio.networks.perceptual import perceptual_loss
from tests.people.test_nofa_batches import told
from tests.people.test_train_semantic import Listening, without

pytestmark = pytest.mark.timeout(240)
NETWORK = replace(
    nofa_settings("tiny", 64),
    z_dim=8,
    w_dim=8,
    channel_base=256,
    channel_max=8,
    plane_features=4,
    decoder_hidden=8,
    rendered=4,
    coarse_samples=8,
    fine_samples=4,
    encoder_widths=(4, 8, 8, 8),
    offset_width=8,
    moves=4,
    weight_width=8,
    compensation_width=16,
    compensation_hidden=4,
    share_hidden=4,
    critic_first=4,
    critic_most=8,
)
"""A network of a few thousand numbers."""
LEARNT = {
    "prior": {"prior"},
    "general": {"prior", "encoder", "field"},
    "teeth": {"prior", "encoder"},
    "compensation": {"compensation", "guided"},
}
"""Where the field learns in the general stage, as in the paper."""
ALONE = {
    "prior": StageSettings(0.999, 0.0, 0.0),
    "general": StageSettings(0.0, 0.999, 0.0),
    "teeth": StageSettings(0.0, 0.0, 0.999),
    "compensation": StageSettings(0.0, 0.0, 0.0),
}


def little(steps: int, **changes: Any) -> NofaTrainingSettings:
    """A training of so many steps."""
    loop = LoopSettings(
        steps=steps,
        batch=2,
        schedule=Schedule("constant", warmup=0.0),
        validate_start=True,
        validate_steps=steps,
        checkpoint_seconds=0.0,
        preview_seconds=1e9,
        log_steps=1,
    )
    settings = NofaTrainingSettings(
        network=NETWORK,
        stages=StageSettings(0.34, 0.33, 0.05),
        learning_rate=3e-3,
        compensation_shows="pairs",
        validation_identities=2,
        validation_pairs=4,
        frames=FrameSettings(workers=0),
        loop=loop,
    )
    return replace(settings, **changes)


def fresh(settings: NofaTrainingSettings) -> dict[str, Tensor]:
    """The weights that a training begins with."""
    torch.manual_seed(settings.loop.seed)
    return NofaNetwork(settings.network).state_dict()


def test_it_learns_and_never_reads_whom_it_is_judged_by_in_the_end(corpus, tmp_path):
    gone, heard = without(corpus, tmp_path / "copy", "held_out"), Listening()
    settings = little(8, stages=StageSettings(0.0, 0.7, 0.0))
    trained = train_nofa(gone.clips, settings, tmp_path / "run", heard)
    validated = [figures for _, figures in trained.loop.validations]
    assert validated[-1]["loss"] < 0.9 * validated[0]["loss"]
    assert trained.lost == {}
    assert NO_TEETH in trained.pictures_compared
    assert "ArcFace's weights are not" in trained.pictures_compared


@pytest.mark.parametrize("stage", ALONE)
def test_a_stage_teaches_its_own_parts_alone(corpus, tmp_path, monkeypatch, stage):
    settings = little(2, stages=ALONE[stage], validation_identities=0)
    if stage == "teeth":
        brighter = Teachers(None, lambda faces: faces + 0.5, ("made up",))
        monkeypatch.setattr(module, "teachers_of", lambda *_: brighter)
    trained = train_nofa(corpus.clips, settings, tmp_path / "run").network.state_dict()
    before = fresh(settings)
    changed = {name.split(".")[0] for name in trained if not torch.equal(trained[name], before[name])}
    assert changed == LEARNT[stage]


def test_the_field_can_wait_for_sharp_colours(corpus, tmp_path):
    settings = little(2, stages=ALONE["compensation"], validation_identities=0, field_learns="compensation")
    trained = train_nofa(corpus.clips, settings, tmp_path / "run").network.state_dict()
    before = fresh(settings)
    changed = {name.split(".")[0] for name in trained if not torch.equal(trained[name], before[name])}
    assert changed == {"compensation", "guided", "field"}


def test_stages_follow_each_other_and_teeth_give_their_share_to_compensation():
    stages = StageSettings(0.2, 0.3, 0.1)
    shares = (0.0, 0.19, 0.2, 0.49, 0.51, 0.59, 0.61, 1.0)
    names = ["prior", "prior", "general", "general"]
    assert [stage_at(s, stages, True, True) for s in shares] == [
        *names,
        *["teeth"] * 2,
        *["compensation"] * 2,
    ]
    assert [stage_at(s, stages, False, True) for s in shares] == [*names, *["compensation"] * 4]
    assert [stage_at(s, stages, False, False) for s in shares] == [*names, *["general"] * 4]


def test_a_stopped_training_continues_to_the_same_weights(corpus, tmp_path):
    """Over all stages: it is stopped in the first one."""
    settings = little(6)
    settings = replace(settings, loop=replace(settings.loop, checkpoint_steps=1, validate_steps=3))
    whole = train_nofa(corpus.clips, settings, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train_nofa(corpus.clips, settings, tmp_path / "broken", Listening(stop_at=2))
    again = train_nofa(corpus.clips, settings, tmp_path / "broken")
    ours, theirs = whole.network.state_dict(), again.network.state_dict()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-3) for name in ours)
    curves = [[figures["loss"] for _, figures in report.loop.losses] for report in (whole, again)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def test_figures_say_which_stage_it_is(corpus, tmp_path):
    heard = Listening()
    train_nofa(corpus.clips, little(6, validation_identities=0), tmp_path / "run", heard)
    told_of = [figures for figures in heard.figures if "critic" in figures]
    playing = [figures["critic"] > 0.0 for figures in told_of]
    compensated = [figures["distribution"] > 0.0 for figures in told_of]
    assert playing == [True, True, True, False, False, False]
    assert compensated == [False, False, False, False, False, True]


def test_compensation_can_be_taught_by_single_pictures(corpus, tmp_path, monkeypatch):
    seen: list[bool] = []
    drawn = module._Teaching._drawn

    def noted(teaching, person, pairs, chance=None):
        if chance is not None:
            seen.append(torch.equal(pairs.driving, pairs.source.picture[:, :3]))
        return drawn(teaching, person, pairs, chance)

    monkeypatch.setattr(module._Teaching, "_drawn", noted)
    settings = little(2, stages=StageSettings(0.0, 0.5, 0.0), validation_identities=0)
    train_nofa(corpus.clips, replace(settings, compensation_shows="itself"), tmp_path / "run")
    assert seen == [False, True]


# The prior's game


def test_real_people_stand_before_black():
    game, pairs = PriorGame(little(1), "cpu"), told()
    outline = torch.ones(1, 1, 64, 64)
    outline[..., :32] = -1.0
    source = replace(pairs.source, picture=torch.cat([pairs.source.picture[:, :3], outline], 1))
    real, cameras = game.real(replace(pairs, source=source))
    assert cameras is source.cameras
    assert torch.equal(real[:, :3, :, :32], torch.full((1, 3, 64, 32), -1.0))
    assert torch.allclose(real[:, :3, :, 32:], source.picture[:, :3, :, 32:], atol=1e-6)
    # Beside it the same as blurred as rays would draw it.
    times = 64 // NETWORK.raw_side
    blurred = torch.nn.functional.avg_pool2d(real[:, :3], times)
    again = torch.nn.functional.interpolate(blurred, (64, 64), mode="bilinear", align_corners=False)
    assert torch.allclose(real[:, 3:], again, atol=1e-6)


def test_the_critics_slope_is_punished_on_its_steps_and_the_generator_hears_only_the_verdict():
    settings = little(1, prior=PriorSettings(gradient_penalty=7.0, penalty_every=4, smooth_density=0.0))
    torch.manual_seed(0)
    game, network, pairs = PriorGame(settings, "cpu"), NofaNetwork(NETWORK), told()
    with torch.no_grad():  # an untrained critic is too flat to be punished
        for weight in game.critic.parameters():
            weight.mul_(4.0)

    def played(step: int) -> dict[str, Tensor]:
        chances = (torch.Generator().manual_seed(1), torch.Generator().manual_seed(2))
        return game.play(network, pairs, step, *chances)

    free, punished = played(1), played(4)
    assert float(free["verdict"].detach()) == pytest.approx(float(punished["verdict"].detach()))
    real, cameras = game.real(pairs)
    real.requires_grad_(True)
    from studio.networks.volume.camera_numbers import RADIUS, camera_numbers

    seen = game.critic(real, camera_numbers(cameras, 64, RADIUS))
    (slope,) = torch.autograd.grad(seen.sum(), real)
    expected = 0.5 * 7.0 * 4 * float(slope.square().sum())
    assert float((punished["critic"] - free["critic"]).detach()) == pytest.approx(expected, rel=1e-3)
    own = {*game.critic.parameters()}
    verdict = torch.autograd.grad(free["verdict"], [*own], allow_unused=True, retain_graph=True)
    assert all(slope is None for slope in verdict)
    heard = torch.autograd.grad(free["critic"], [*network.prior.parameters()], allow_unused=True)
    assert all(slope is None for slope in heard)


def test_the_average_latent_follows_the_game(corpus, tmp_path):
    settings = little(3, stages=ALONE["prior"], validation_identities=0)
    trained = train_nofa(corpus.clips, settings, tmp_path / "run").network
    assert isinstance(trained, NofaNetwork)
    assert float(trained.prior.backbone.mapping.w_avg.abs().max()) > 0.0


# Teachers


def test_what_was_restored_is_put_back_where_the_face_was_cut_out():
    pairs, network = told(), NofaNetwork(NETWORK)
    comparing = Comparing(perceptual_loss(None), network, Teachers(None, lambda f: f + 0.25, ("",)))
    grey = torch.zeros(1, 3, 64, 64)
    restored = comparing.restored(grey, pairs)
    inside = restored[0, 0] > 0.1
    _, top, right, _ = pairs.faces[0].tolist()
    rows, columns = np.nonzero(inside.numpy())
    assert abs(rows.min() - max(0.0, top)) <= 1.0
    assert abs(columns.max() + 1 - min(64.0, right)) <= 1.0
    assert torch.allclose(restored[0, 0][inside], torch.tensor(0.25))
    assert not inside.all()


def test_windows_go_back_to_where_they_came_from():
    chance = torch.Generator().manual_seed(0)
    soft = torch.rand(2, 3, 8, 8, generator=chance)
    pictures = torch.nn.functional.interpolate(soft, (64, 64), mode="bicubic")
    boxes = torch.tensor([[10.0, 12.0, 50.0, 52.0], [-6.0, 20.0, 30.0, 56.0]])
    cut = losses.aligned(pictures, boxes, 256)
    back = losses.put_back(torch.zeros_like(pictures), cut, boxes)
    inside = back.abs().sum(1, keepdim=True) > 0.0
    assert float((back - pictures)[inside.expand_as(back)].abs().max()) < 0.02
    assert int(inside[0].sum()) == 40 * 40
    assert int(inside[1].sum()) == 30 * 36


def test_a_prior_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Problem, match=r"No EG3D generator is at .*none\.pkl"):
        take_prior(NofaNetwork(NETWORK), tmp_path / "none.pkl", tmp_path)


def test_learning_rates_of_the_field_are_its_own():
    network = NofaNetwork(NETWORK)
    optimiser = module._optimiser(network, little(1, field_rate=0.25))
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in network.field.parameters()} == {0.25 * 3e-3}
    assert {rates[id(p)] for p in network.prior.parameters()} == {3e-3}
    assert len(rates) == len([*network.parameters()])
