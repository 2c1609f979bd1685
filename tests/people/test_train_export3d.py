"""Export3D on made people: expressions first, then frozen; it learns, goes on, and sees nobody held out."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import train_export3d as module
from pipelines.export3d_training_settings import ContrastSettings, Export3DTrainingSettings
from pipelines.frame_settings import FrameSettings
from pipelines.train_clebs import train_clebs
from pipelines.train_export3d import train_export3d
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.engines.export3d.base_model import load_base_model, save_base_model
from studio.engines.export3d.expression import BasisScaling
from studio.engines.export3d.network import Export3DNetwork
from studio.engines.export3d.settings import export3d_settings
from tests.people.test_train_semantic import Listening, without

pytestmark = pytest.mark.timeout(240)
NETWORK = replace(
    export3d_settings("tiny", 64),
    width=32,
    blocks=1,
    stem_first=8,
    representation=16,
    directions=4,
    expression_hidden=16,
    decoder_channels=8,
    plane_features=4,
    coarse_samples=8,
    fine_samples=4,
    head_hidden=8,
    rendered=4,
    critic_first=8,
    critic_most=16,
)
"""A network of a few thousand numbers."""


def little(steps: int, **changes: Any) -> Export3DTrainingSettings:
    """A training of so many steps."""
    loop = LoopSettings(
        steps=steps,
        batch=4,
        schedule=Schedule("constant", warmup=0.0),
        validate_start=True,
        validate_steps=steps,
        checkpoint_seconds=0.0,
        preview_seconds=1e9,
        log_steps=2,
    )
    settings = Export3DTrainingSettings(
        network=NETWORK,
        contrast=ContrastSettings(side=64, width=4, clips=1, frames=4, learning_rate=3e-3, steps=3),
        learning_rate=3e-3,
        critic_from=1.0,
        validation_identities=2,
        validation_pairs=6,
        frames=FrameSettings(workers=0),
        loop=loop,
    )
    return replace(settings, **changes)


def test_it_learns_and_never_reads_whom_it_is_judged_by_in_the_end(corpus, tmp_path) -> None:
    gone = without(corpus, tmp_path / "copy", "held_out")
    trained = train_export3d(gone.clips, little(20), tmp_path / "run", Listening())
    validated = [figures for _, figures in trained.loop.validations]
    assert validated[-1]["loss"] < 0.97 * validated[0]["loss"]
    assert trained.lost == {}
    network = trained.network
    assert isinstance(network, Export3DNetwork)
    assert isinstance(network.expression, BasisScaling)
    assert not torch.equal(network.expression.usual, torch.ones(4))
    basis = network.expression.basis()
    assert torch.allclose(basis.mT @ basis, torch.eye(4), atol=1e-5)
    save_base_model(tmp_path, network, "builtin-1")
    again = load_base_model(tmp_path).network.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in network.state_dict().items())


def test_expressions_are_learnt_first_and_then_left_alone(corpus, tmp_path, monkeypatch) -> None:
    kept: dict[str, Any] = {}

    def noted(encoder, *asked):
        before = copy.deepcopy(encoder.state_dict())
        train_clebs(encoder, *asked)
        kept.update(before=before, after=copy.deepcopy(encoder.state_dict()))

    monkeypatch.setattr(module, "train_clebs", noted)
    torch.manual_seed(little(1).loop.seed)
    fresh = Export3DNetwork(NETWORK).state_dict()
    trained = train_export3d(corpus.clips, little(4), tmp_path / "run").network.state_dict()
    for name in ("read.0.weight", "read.2.bias", "basis.weight"):
        assert not torch.equal(kept["before"][name], kept["after"][name])
        assert torch.equal(kept["after"][name], trained[f"expression.{name}"])
    assert not torch.equal(trained["volume.heads.colour.0.weight"], fresh["volume.heads.colour.0.weight"])


def test_without_contrast_they_are_learnt_along(corpus, tmp_path) -> None:
    settings = little(2, network=replace(NETWORK, encoding="lebs"))
    torch.manual_seed(settings.loop.seed)
    fresh = Export3DNetwork(settings.network).state_dict()
    trained = train_export3d(corpus.clips, settings, tmp_path / "run").network.state_dict()
    assert not torch.equal(trained["expression.read.0.weight"], fresh["expression.read.0.weight"])
    assert not (tmp_path / "run" / "clebs").exists()


@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_stopped_training_continues_to_the_same_weights(corpus, tmp_path, stop_at) -> None:
    """Whether it was stopped at its first or at its fourth step; the first is one of contrast's."""
    settings = little(6)
    settings = replace(settings, loop=replace(settings.loop, checkpoint_steps=2, validate_steps=3))
    whole = train_export3d(corpus.clips, settings, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train_export3d(corpus.clips, settings, tmp_path / "broken", Listening(stop_at=stop_at))
    again = train_export3d(corpus.clips, settings, tmp_path / "broken")
    # Sums of convolutions may come out a bit differently, which Adam's first steps enlarge.
    ours, theirs = whole.network.state_dict(), again.network.state_dict()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-3) for name in ours)
    curves = [[figures["loss"] for _, figures in report.loop.losses] for report in (whole, again)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def test_a_discriminator_takes_part_from_its_share_on(corpus, tmp_path) -> None:
    heard = Listening()
    settings = little(4, critic_from=0.5, validation_identities=0)
    settings = replace(settings, loop=replace(settings.loop, log_steps=1))
    train_export3d(corpus.clips, settings, tmp_path / "run", heard)
    said = [figures["critic"] for figures in heard.figures if "critic" in figures]
    assert said[:2] == [0.0, 0.0]
    assert min(said[2:]) > 0.0


def test_expressions_can_be_learnt_from_faces_seen_from_the_front(corpus, tmp_path) -> None:
    contrast = replace(little(1).contrast, from_front=True, beside=0.1, weight_decay=0.1)
    trained = train_export3d(corpus.clips, little(1, contrast=contrast), tmp_path / "front")
    whole = train_export3d(corpus.clips, little(1), tmp_path / "whole")
    one, other = (t.network.state_dict()["expression.read.0.weight"] for t in (trained, whole))
    assert not torch.allclose(one, other, atol=1e-3)


def test_clips_that_are_too_short_to_compare_are_told(corpus, tmp_path) -> None:
    settings = little(2, contrast=replace(little(2).contrast, frames=10_000))
    with pytest.raises(Problem, match=r"good frames.*--training\.contrast\.frames"):
        train_export3d(corpus.clips, settings, tmp_path / "run")


def test_contrast_finds_pictures_of_people_it_has_not_learnt_from(corpus, tmp_path) -> None:
    """Discs that wander say nothing of expressions: what is found of their made faces stays near chance."""
    heard = Listening()
    train_export3d(corpus.clips, little(1), tmp_path / "run", heard)
    found = [figures["found"] for figures in heard.figures if "found" in figures]
    assert found
    assert all(0.0 <= value <= 1.0 for value in found)
    assert np.isfinite(found).all()


def test_faces_are_taught_by_pairs_of_their_own(corpus, tmp_path) -> None:
    """They add to what is learnt, most of all to the plane that they teach."""

    def trained(name: str, **changes: Any) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
        heard = Listening()
        settings = little(2, validation_identities=0, **changes)
        settings = replace(settings, loop=replace(settings.loop, log_steps=1))
        made = train_export3d(corpus.clips, settings, tmp_path / name, heard)
        return made.network.state_dict(), [figures for figures in heard.figures if "squares" in figures]

    plain, said = trained("plain")
    assert all("face_squares" not in figures for figures in said)
    faces, said = trained("faces", face_weight=1.0, face_squares=10.0, face_pairs=6, face_rate=3e-3)
    assert said
    assert all(figures["face_squares"] > 0.0 and figures["face_looks"] > 0.0 for figures in said)
    assert not torch.equal(faces["face.out.weight"], plain["face.out.weight"])
    _, light = trained("light", face_weight=1.0, face_pairs=6)
    assert light[0]["face_squares"] == pytest.approx(said[0]["face_squares"] / 10.0, rel=1e-3)


def test_a_faces_plane_has_a_learning_rate_of_its_own(corpus, tmp_path) -> None:
    settings = little(1, face_weight=1.0, face_pairs=4, face_rate=1e-12, validation_identities=0)
    torch.manual_seed(settings.loop.seed)
    fresh = Export3DNetwork(NETWORK).state_dict()
    trained = train_export3d(corpus.clips, settings, tmp_path / "run").network.state_dict()
    assert torch.allclose(trained["face.out.weight"], fresh["face.out.weight"], atol=1e-9)
    assert not torch.equal(trained["sharpen.blocks.0.colours.bias"], fresh["sharpen.blocks.0.colours.bias"])
