"""An identity-free expression space: to coefficients and back, in closed forms and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.build_base import build_base
from pipelines.expression_spaces import carrier, choose_space, missing_space, models_with_space
from pipelines.learn_expression_space import Expressions, keep_way_back, learn_way_back
from pipelines.people_systems import EXPORT3D
from pipelines.people_training import TrainedPeople
from pipelines.retarget_motion import RetargetSettings, retarget_motion
from pipelines.training.model_card import read_card
from pipelines.training.report import TrainReport
from pipelines.training.reporter import reporter_of
from studio.corpus.corpus import Corpus, CorpusClip
from studio.domain.camera import Floats
from studio.domain.controls import motion_from_values
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.engines.export3d.base_model import save_base_model
from studio.engines.export3d.expression import BasisScaling
from studio.engines.export3d.expression_space import (
    FILE,
    ExpressionSpace,
    ScalingLayers,
    WayBack,
    has_way_back,
    load_expression_space,
    save_way_back,
)
from studio.engines.export3d.network import Export3DNetwork
from studio.head import builtin_head
from studio.head.expression_numbers import EXPRESSION, expression_numbers, with_numbers
from tests.engines.export3d.little_export3d import PAPER
from tests.people.test_train_export3d import little
from tests.people.test_train_semantic import Listening

N = 4
CLEBS = RetargetSettings(expression_space="clebs", beyond=1000.0)


class Made:
    """Expressions ``mean + s · spread + who``, s four numbers a frame; coefficients do not look at who."""

    def __init__(self, alike: bool = False, people: int = 6, frames: int = 40) -> None:
        """``alike``: everybody expresses the very same; otherwise each their own, some longer."""
        random = np.random.default_rng(3)
        directions = np.linalg.qr(random.normal(size=(EXPRESSION, EXPRESSION)))[0].T
        self.spread = random.uniform(1.0, 2.0, (N, 1)) * directions[:N]
        self.mean = random.normal(size=EXPRESSION)
        self.who = random.normal(size=(people, 10)) @ directions[N : N + 10]
        self.told = [random.normal(size=(frames + 10 * person, N)) for person in range(people)]
        self.told = [self.told[0]] * people if alike else self.told
        self.clips = [
            Expressions(f"p{person}", (self.mean + told @ self.spread + self.who[person]).astype(np.float32))
            for person, told in enumerate(self.told)
        ]

    def scales(self, numbers: Floats) -> Floats:
        """The s of expressions."""
        return np.asarray((numbers - self.mean) @ np.linalg.pinv(self.spread), np.float32)


def test_a_linear_space_gives_the_expression_back_without_the_person():
    made = Made()
    back = learn_way_back(made.scales, made.clips)
    wanted = made.mean + made.who.mean(0) + made.told[1] @ made.spread
    found = back.numbers(made.scales(made.clips[1].numbers))
    assert np.abs(found - wanted).max() < 0.15  # people's own means and coefficients go together by chance


def test_where_nothing_goes_together_by_chance_the_answer_is_exact():
    made = Made(alike=True)
    back = learn_way_back(made.scales, made.clips)
    found = back.numbers(made.scales(made.clips[1].numbers))
    mean = made.mean + made.who.mean(0)
    assert np.allclose(found, mean + made.told[0] @ made.spread, atol=1e-3)
    assert np.allclose(back.mean, mean + made.told[0].mean(0) @ made.spread, atol=1e-4)
    assert back.people == 6


def test_everybody_counts_the_same_and_it_is_the_same_each_time():
    made = Made()
    long = made.clips[0]
    twice = [*made.clips, replace(long, numbers=long.numbers), replace(long, numbers=long.numbers)]
    once, again = learn_way_back(made.scales, made.clips), learn_way_back(made.scales, twice)
    assert np.allclose(once.mean, again.mean, atol=1e-5)
    assert np.allclose(once.weight, again.weight, atol=1e-4)
    assert np.array_equal(once.weight, learn_way_back(made.scales, made.clips).weight)
    with pytest.raises(Problem, match="no clips"):
        learn_way_back(made.scales, [])


def test_coefficients_that_say_nothing_give_the_mean_expression():
    """The ridge, chosen by people left out, gives up on noise."""
    made, random = Made(), np.random.default_rng(7)
    back = learn_way_back(lambda numbers: random.normal(size=(len(numbers), N)), made.clips)
    plain = learn_way_back(made.scales, made.clips)
    assert back.strength > plain.strength
    assert np.abs(back.weight).max() < 0.2 * np.abs(plain.weight).max()


def test_layers_are_those_of_the_network():
    encoder = BasisScaling(N, 8, 16)
    values = torch.randn(30, EXPRESSION, generator=torch.Generator().manual_seed(1)) * 2.0
    layers = ScalingLayers(*(values.detach().numpy() for values in encoder.read.parameters()))
    assert np.allclose(layers.scales(values.numpy()), encoder.scales(values).detach().numpy(), atol=1e-5)


def shelved(home: Path, name: str = "little", **changes: Any) -> Path:
    """A base model of random weights in a home, without a way back."""
    folder = home / "models" / f"export3d-{name}"
    folder.mkdir(parents=True)
    shape = replace(PAPER, **changes)
    torch.manual_seed(0)
    save_base_model(folder, Export3DNetwork(shape), builtin_head().id)
    return folder


def way_back(directions: int = PAPER.directions) -> WayBack:
    random = np.random.default_rng(5).normal(size=(directions + 1, EXPRESSION)).astype(np.float32)
    return WayBack(random[0, :directions], random[0], random[1:], people=3, strength=0.1)


def test_it_is_kept_with_the_model_and_read_again(tmp_path, corpus):
    folder = shelved(tmp_path)
    train = corpus.split("train")
    keep_way_back(folder, train)
    space = load_expression_space(folder, "little")
    assert space.back.people == len({clip.identity for clip in train})
    numbers = np.random.default_rng(2).normal(size=(5, EXPRESSION)).astype(np.float32)
    again = ExpressionSpace(space.there, learn_way_back(space.there.scales, _of(train)))
    assert np.array_equal(space.numbers(numbers), again.numbers(numbers))
    kept = (folder / FILE).read_bytes()
    keep_way_back(folder, train)
    assert (folder / FILE).read_bytes() == kept
    (folder / FILE).write_bytes(kept[:100])
    with pytest.raises(Problem, match="damaged"):
        load_expression_space(folder)
    save_way_back(folder, way_back(PAPER.directions + 1))
    with pytest.raises(Problem, match="damaged"):
        load_expression_space(folder)


def train_nothing(clips: Sequence[CorpusClip], *_: Any, **__: Any) -> TrainedPeople:
    """A training of no steps, which says that it learnt from three people of the training side."""
    names = [clip.name for clip in clips if clip.split == "train"]
    report = TrainReport("steps", 0, 0.0, None, {}, (), (), 1)
    torch.manual_seed(0)
    return TrainedPeople(Export3DNetwork(PAPER), report, (*names[1:4],), (names[0],), {}, "")


def test_a_training_leaves_one_learnt_from_whom_it_learnt_and_nobody_else(made, tmp_path):
    system = replace(EXPORT3D, train=f"{__name__}:train_nothing")
    folder = build_base(system, made, tmp_path, little(2), "little", reporter_of(Listening()))
    assert folder is not None
    clips = Corpus.open(made).clips
    learnt = [clip for clip in clips if clip.name in read_card(folder)["more"]["learnt_from"]]
    assert len(learnt) == 3
    space = load_expression_space(folder)
    again = learn_way_back(space.there.scales, _of(learnt))
    assert np.array_equal(space.back.weight, again.weight)
    assert space.back.people == 3
    assert choose_space(tmp_path, builtin_head().id).folder == folder


def _of(clips) -> list[Expressions]:
    return [
        Expressions(clip.identity, expression_numbers(clip.motion, builtin_head())[clip.good])
        for clip in clips
    ]


def test_without_contrast_nothing_is_kept(tmp_path, corpus):
    for encoding in ("lebs", "direct"):
        folder = shelved(tmp_path, encoding, encoding=encoding)
        keep_way_back(folder, corpus.split("train"))
        assert not has_way_back(folder)


def test_what_is_missing_is_said_with_what_to_do(tmp_path):
    head = builtin_head().id
    assert models_with_space(tmp_path, head) == ()
    with pytest.raises(Problem, match=r"needs an Export3D base model.*train-people CORPUS --engine export3d"):
        choose_space(tmp_path, head)
    old = shelved(tmp_path, "old")
    with pytest.raises(Problem, match="expression-space CORPUS --base-model old"):
        choose_space(tmp_path, head)
    shelved(tmp_path, "other", encoding="lebs")
    with pytest.raises(Problem, match="not taught by contrast"):
        choose_space(tmp_path, head, "other")
    save_way_back(old, way_back())
    assert missing_space(tmp_path, head) is None
    assert choose_space(tmp_path, head).name == "old"
    assert choose_space(tmp_path, head, "ol").name == "old"
    with pytest.raises(Problem, match="There is no base model 'unknown'"):
        carrier(tmp_path, head, replace(CLEBS, space_model="unknown"))
    with pytest.raises(Problem, match=r"tracked with “flame-2020”"):
        choose_space(tmp_path, "flame-2020", "old")
    assert carrier(tmp_path, head, RetargetSettings()) is None


def moving(seed: int, frames: int = 60) -> HeadMotion:
    random = np.random.default_rng(seed)
    motion = HeadMotion.neutral(frames, np.array([900.0, 200.0, 210.0], np.float32))
    motion.expression[:] = random.normal(size=(frames, 50)) + random.normal(size=50)
    motion.jaw[:, 0] = 0.1 + 0.05 * random.random(frames)
    motion.eyelids[::9] = 1.0
    motion.gaze[:] = random.normal(size=(frames, 2))
    motion.angles[:] = 3.0 * random.normal(size=(frames, 3))
    return motion


def test_a_picture_is_driven_by_what_the_space_leaves_and_by_the_drivers_own_eyes_and_head(tmp_path):
    folder = shelved(tmp_path)
    save_way_back(folder, way_back())
    carry = carrier(tmp_path, builtin_head().id, CLEBS)
    assert carry is not None
    driver, photo, model = moving(1), moving(2, 1), builtin_head()
    rest, rate = photo.camera[0], Fraction(25)
    track = retarget_motion(driver, rate, photo, rest, CLEBS, None, carry)
    plain = retarget_motion(driver, rate, photo, rest, replace(CLEBS, expression_space="head"))
    found, usual = motion_from_values(track.values, rest), motion_from_values(plain.values, rest)
    space = load_expression_space(folder)
    wanted = with_numbers(driver, space.numbers(expression_numbers(driver, model)), model)
    assert np.allclose(found.expression, wanted.expression, atol=1e-4)
    assert np.allclose(found.jaw, wanted.jaw, atol=1e-5)
    assert not np.allclose(found.expression, usual.expression, atol=0.1)
    for name in ("eyelids", "gaze", "angles", "camera"):
        assert np.array_equal(getattr(found, name), getattr(usual, name))


def test_who_drives_does_not_matter_where_coefficients_do_not_look():
    """Two drivers who express the same, each with a face of their own, move a picture alike."""
    made, model = Made(), builtin_head()
    back = learn_way_back(made.scales, made.clips)
    quiet, photo = moving(4), moving(2, 1)
    told = np.random.default_rng(8).normal(size=(len(quiet), N))
    drivers = [with_numbers(quiet, made.mean + told @ made.spread + who, model) for who in made.who[:2]]

    def carry(motion: HeadMotion) -> HeadMotion:
        return with_numbers(motion, back.numbers(made.scales(expression_numbers(motion, model))), model)

    rest, rate = photo.camera[0], Fraction(25)
    tracks = [retarget_motion(each, rate, photo, rest, CLEBS, None, carry) for each in drivers]
    assert np.abs(drivers[0].expression - drivers[1].expression).max() > 0.3
    assert np.allclose(tracks[0].values, tracks[1].values, atol=2e-3)


def test_settings_and_carrier_belong_together():
    driver = moving(1)
    with pytest.raises(ValueError, match="clebs"):
        retarget_motion(driver, Fraction(25), driver, driver.camera[0], CLEBS)
    with pytest.raises(ValueError, match="head"):
        retarget_motion(
            driver, Fraction(25), driver, driver.camera[0], RetargetSettings(), None, lambda motion: motion
        )
