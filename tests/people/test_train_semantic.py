"""Training on made people: it learns, goes on where it was, and never looks at whom it must not see."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.people_training import sides
from pipelines.train_semantic import train_semantic
from studio.corpus.corpus import SHARDS, Corpus, Split
from studio.corpus.shards import Unreadable
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.engines.semantic.losses import critic_loss
from studio.networks.patch_discriminator import PatchDiscriminator
from tests.people.little_training import NETWORK, little

pytestmark = pytest.mark.timeout(240)


class Listening:
    """A Progress that keeps what it is told, and perhaps stops."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.said: list[str] = []
        self.figures: list[dict[str, float]] = []
        self._stop_at = stop_at

    def __call__(self, done: int, total: int | None, what: str) -> None:
        if self._stop_at is not None and done >= self._stop_at:
            raise Interrupted

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def metric(self, **values: float) -> None:
        self.figures.append(values)


def without(corpus: Corpus, folder, split: Split) -> Corpus:
    """A copy whose shards of one side are gone: reading them raises."""
    copy = shutil.copytree(corpus.folder, folder)
    opened = Corpus.open(copy)
    for clip in opened.split(split):
        (copy / SHARDS / clip.shard).unlink()
    return opened


def test_it_learns_and_never_reads_whom_it_is_judged_by_in_the_end(corpus, tmp_path):
    held_out_gone = without(corpus, tmp_path / "copy", "held_out")
    with pytest.raises(Unreadable):
        held_out_gone.split("held_out")[0].picture(0)
    heard = Listening()
    trained = train_semantic(held_out_gone.clips, little(25), tmp_path / "run", heard)
    validated = [figures for _, figures in trained.loop.validations]
    # People who were not learnt from are drawn better than by the untrained network.
    assert validated[-1]["loss"] < 0.9 * validated[0]["loss"]
    assert validated[-1]["psnr"] > validated[0]["psnr"] + 1.0
    assert not heard.said or not any("left out" in said for said in heard.said)
    assert trained.lost == {}
    names = {clip.name for clip in corpus.split("held_out")}
    assert not names & {*trained.learnt_from, *trained.judged_by}
    assert len(trained.learnt_from) == 3
    assert len(trained.judged_by) == 2


def test_a_stopped_training_continues_to_the_same_weights(corpus, tmp_path):
    settings = little(8, frames=replace(little().frames, workers=0))
    settings = replace(settings, loop=replace(settings.loop, checkpoint_steps=3, validate_steps=4))
    whole = train_semantic(corpus.clips, settings, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train_semantic(corpus.clips, settings, tmp_path / "broken", Listening(stop_at=5))
    again = train_semantic(corpus.clips, settings, tmp_path / "broken")
    ours, theirs = whole.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert whole.loop.losses == again.loop.losses


def test_a_damaged_shard_is_told_once_and_done_without(corpus, tmp_path):
    copy = shutil.copytree(corpus.folder, tmp_path / "copy")
    opened = Corpus.open(copy)
    broken = next(clip for clip in sides(opened.split("train"), 2).learn)
    # All pictures of one person, their numbers being whole: damage that shows in the middle of a training.
    path = copy / SHARDS / broken.shard
    data = bytearray(path.read_bytes())
    for at in range(len(data) - 3):
        if data[at : at + 3] == b"\xff\xd8\xff":
            data[at + 40 : at + 60] = bytes(20)
    path.write_bytes(bytes(data))
    heard = Listening()
    trained = train_semantic(opened.clips, little(4), tmp_path / "run", heard)
    assert list(trained.lost) == [broken.name]
    assert len([said for said in heard.said if broken.name in said]) == 1
    assert trained.loop.steps == 4


def test_nobody_to_learn_from_is_said(corpus, tmp_path):
    gone = without(corpus, tmp_path / "copy", "train")
    with pytest.raises(Problem, match="no clip to learn from"):
        train_semantic(gone.clips, little(4), tmp_path / "run")
    with pytest.raises(Problem, match="validation-identities 0"):
        train_semantic(corpus.clips, little(4, validation_identities=5), tmp_path / "run")


def test_judges_are_spread_from_the_calm_to_the_restless(corpus):
    clips = corpus.split("train")
    for number, clip in enumerate(clips):
        clip.motion.angles[:, 0] = np.arange(len(clip)) * number  # the made motions are remembered
    split = sides(clips, 2)
    assert [clip.name for clip in split.judge] == ["bob", "dan"]
    assert [clip.name for clip in split.learn] == ["ann", "cat", "eve"]
    assert sides(clips, 0).judge == ()


def test_a_discriminator_learns_from_its_own_loss_alone(corpus, tmp_path):
    settings = little(3, critic_from=0.0, validation_identities=0)
    heard = Listening()
    trained = train_semantic(corpus.clips, settings, tmp_path / "run", heard)
    assert trained.loop.steps == 3
    assert trained.judged_by == ()
    from pipelines.train_semantic import _Teaching

    torch.manual_seed(0)
    critic = PatchDiscriminator(
        NETWORK.critic_first, NETWORK.critic_most, NETWORK.critic_layers, NETWORK.critic_scales
    )
    drawn = (torch.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
    real = torch.rand(2, 3, 64, 64) * 2 - 1
    verdict, matching, own = _Teaching._judged(critic.eval(), drawn, real)
    (verdict + 10.0 * matching + own).backward()
    got = [_gradient(parameter) for parameter in critic.parameters()]
    assert drawn.grad is not None
    assert float(drawn.grad.abs().sum()) > 0.0
    critic.zero_grad()
    critic_loss(critic(real), critic(drawn.detach())).backward()
    for ours, parameter in zip(got, critic.parameters(), strict=True):
        assert torch.allclose(ours, _gradient(parameter), atol=1e-6)


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad.clone()


def test_keypoints_that_nobody_named_are_learnt_along(corpus, tmp_path):
    network = replace(NETWORK, keypoint_source="unsupervised", face_flow=False)
    heard = Listening()
    settings = little(5, network=network)
    trained = train_semantic(corpus.clips, settings, tmp_path / "run", heard)
    assert trained.network.detector is not None
    told = [figures for figures in heard.figures if "moved" in figures]
    assert told
    assert all(np.isfinite(figures["moved"]) and figures["moved"] > 0.0 for figures in told)
