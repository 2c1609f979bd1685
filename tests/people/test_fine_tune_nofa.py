"""One-shot fine-tuning: a picture is drawn better, nothing else changes, and stopping changes nothing."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from pipelines.fine_tune_nofa import FineTuned, fine_tune
from pipelines.nofa_avatar_settings import FineTuneSettings
from pipelines.nofa_batches import told_of
from pipelines.nofa_stages import picture_of
from pipelines.one_picture import OnePicture
from pipelines.other_moments import OtherMoments
from pipelines.own_examples import OwnExamples
from pipelines.pair_batches import Changes
from pipelines.training.settings import LoopSettings
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.engines.nofa.network import NofaNetwork
from studio.engines.nofa.own_weights import own_weights
from studio.head import builtin_head
from studio.networks.volume.seeing import seen_at
from tests.engines.nofa.little_nofa import FORMS, GUIDED, PAPER, shaken
from tests.engines.semantic.one_person import a_person

LOOP = LoopSettings(steps=12, batch=2, validate_steps=6, preview_seconds=1e9, log_steps=4)
SETTINGS = FineTuneSettings(learning_rate=3e-3, moments=4, loop=LOOP)


def somebody(side: int = 64) -> OnePicture:
    """Eyes a little closed, mouth a little open, head turned, so that all that is told is told."""
    found = picture_of(a_person(side))
    motion = replace(found.motion, angles=found.motion.angles + np.array([[9.0, 3.0, 1.0]], np.float32))
    motion.jaw[:, 0] = 0.1
    motion.expression[:, :5] = (1.0, -1.0, 0.5, 0.3, -0.4)
    random = np.random.default_rng(3)
    return replace(
        found, motion=motion, coefficients=random.normal(0.0, 0.5, len(found.coefficients)).astype(np.float32)
    )


def tuned(network: NofaNetwork, folder, settings=SETTINGS, progress=lambda *_: None) -> FineTuned:
    return fine_tune(network, somebody(), builtin_head(), settings, folder, progress)


@pytest.mark.parametrize("optimise", ["compensation", "generator"])
@pytest.mark.parametrize("form", ["paper", "guided"])
def test_the_own_picture_is_drawn_better_and_nothing_else_changes(tmp_path, form, optimise) -> None:
    network = shaken(FORMS[form])
    before = {name: values.clone() for name, values in network.state_dict().items()}
    asking = {name: values.requires_grad for name, values in network.named_parameters()}
    done = tuned(network, tmp_path, replace(SETTINGS, optimise=optimise))
    assert done.loop.steps == 12
    # A guided network has the source's own colours from the beginning, and less to gain.
    assert done.after["psnr"] > done.before["psnr"] + (0.03 if form == "guided" else 0.2)
    first, last = done.loop.validations[0][1]["loss"], done.loop.best["loss"]
    assert last < first
    may = own_weights(network, optimise)
    changed = {name for name, values in network.state_dict().items() if not torch.equal(values, before[name])}
    assert changed <= may.keys()
    assert len(changed) > 0.5 * len(may)
    assert {name: values.requires_grad for name, values in network.named_parameters()} == asking
    assert not network.training
    figures = done.figures(replace(SETTINGS, optimise=optimise))
    assert figures["optimised"] == optimise
    assert figures["psnr_after"] == done.after["psnr"]


def test_what_was_stopped_ends_as_what_was_not(tmp_path) -> None:
    whole, few = shaken(GUIDED), replace(SETTINGS, loop=replace(LOOP, steps=6, validate_steps=3))
    tuned(whole, tmp_path / "whole", few)

    def stop(done: int, total: int | None, what: str) -> None:
        if done == 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        tuned(shaken(GUIDED), tmp_path / "parts", few, stop)
    again = shaken(GUIDED)
    resumed = tuned(again, tmp_path / "parts", few)
    assert resumed.loop.steps == 6
    for name, values in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], values), name


def turned(network: NofaNetwork) -> torch.Tensor:
    """The person from elsewhere, drawn."""
    made = OwnExamples(somebody(), builtin_head(), network.shape, Changes(), 0)
    others = OtherMoments(network, made.plain(), made.moments, builtin_head(), 6, 11)
    with torch.no_grad():
        warp, cameras = others.at(range(6))
        return network.draw(network.encode(made.plain().source), cameras, warp).picture


def test_other_moments_stay_nearer_where_they_are_held(tmp_path) -> None:
    before, changes = turned(shaken(PAPER)), []
    for held in (0.0, 10.0):
        network = shaken(PAPER)
        tuned(network, tmp_path / str(held), replace(SETTINGS, held=held, loop=replace(LOOP, steps=5)))
        changes.append(float((turned(network) - before).square().mean()))
    assert changes[1] < 0.7 * changes[0]


def test_planes_learn_even_where_the_sources_colours_would_do(tmp_path) -> None:
    """What says how much of them shows is not all that learns."""
    network = shaken(GUIDED)
    assert network.compensation is not None
    before = network.compensation.planes.weight.detach().clone()
    tuned(network, tmp_path)
    assert float((network.compensation.planes.weight.detach() - before).abs().mean()) > 1e-3


def test_what_was_left_out_is_said(tmp_path) -> None:
    done = tuned(shaken(GUIDED), tmp_path, replace(SETTINGS, loop=replace(LOOP, steps=1)))
    said = done.notes
    assert f"{done.after['psnr']:.1f} dB instead of {done.before['psnr']:.1f}" in said[0]
    assert any(sentence.startswith("LPIPS is off") for sentence in said)
    assert any("ArcFace" in sentence for sentence in said)
    assert not any("eeth" in sentence for sentence in said)


def test_a_network_without_compensation_is_told(tmp_path) -> None:
    network = shaken(replace(PAPER, compensation=False))
    with pytest.raises(Problem, match="no compensation network"):
        tuned(network, tmp_path)
    assert not (tmp_path / "latest").exists()


# Examples


def examples(changes: Changes, side: int = 64, shape=GUIDED) -> OwnExamples:
    return OwnExamples(somebody(side), builtin_head(), shape, changes, 5)


def test_unchanged_it_is_what_an_avatar_is_told() -> None:
    person, model = somebody(), builtin_head()
    source, moments = told_of(person, model, GUIDED)
    plain = examples(Changes(True, 0.2, 0.3)).plain()
    for name in ("picture", "surface", "away"):
        assert torch.allclose(getattr(plain.source, name), getattr(source, name), atol=1e-6), name
    assert torch.allclose(plain.cameras.to_plane, moments.cameras.to_plane)
    assert torch.equal(plain.driving, plain.source.picture[:, :3])
    assert np.allclose(plain.expression[0], moments.expression[0])
    assert plain.moved is not None
    assert np.allclose(plain.moved[0], moments.maps.to_canonical(moments.motion)[0])


def test_examples_differ_and_are_the_same_each_time() -> None:
    made = examples(Changes(True, 0.1, 0.2))
    first = made.at(range(8)).driving
    assert torch.equal(first, made.at(range(8)).driving)
    assert torch.equal(first[3:5], made.at([3, 4]).driving)
    for one in range(8):
        for other in range(one):
            assert (first[one] - first[other]).abs().mean() > 1e-3


def test_cameras_follow_what_is_done_to_the_picture() -> None:
    """A mark on the picture is where the camera of the example says that its point of space is seen."""
    person, model = somebody(), builtin_head()
    plain = examples(Changes()).plain()
    known = torch.tensor([[[0.02, 0.03, 0.05], [-0.04, -0.01, 0.04]]])
    for index, point in enumerate(known[0]):
        place = seen_at(plain.cameras, point[None, None])[0, 0].numpy()
        marked = person.picture.copy()
        marked[:] = 0
        cv2.circle(marked, tuple(int(v) for v in (place - 0.5).round()), 2, (255, 255, 255), -1)
        made = OwnExamples(replace(person, picture=marked), model, GUIDED, Changes(True, 0.0, 0.2), 5)
        pairs = made.at(range(8))
        flipped = [Changes(True, 0.0, 0.2).at(5, number).flip for number in range(8)]
        assert set(flipped) == {True, False}
        for row in range(8):
            sideways = torch.tensor([-1.0 if flipped[row] else 1.0, 1.0, 1.0])
            wanted = seen_at(pairs.cameras.take([row]), (point * sideways)[None, None])[0, 0]
            light = 0.5 + 0.5 * pairs.driving[row, 0]
            if light.sum() < 4.0:
                continue  # it has been cut away
            y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
            found = torch.stack([(light * x).sum(), (light * y).sum()]) / light.sum()
            assert (found - wanted).norm() < 1.2, (index, row)


def test_mirrored_people_are_mirrored_in_all_that_is_told() -> None:
    """The mirrored face model with mirrored numbers is where the mirrored picture shows it."""
    made = examples(Changes(flip=True))
    model = builtin_head()
    number = next(n for n in range(20) if Changes(flip=True).at(5, n).flip)
    plain, other = made.plain(), made.at([number])
    assert torch.allclose(other.driving, plain.driving.flip(3), atol=1e-5)
    assert torch.allclose(other.source.surface, plain.source.surface.flip(3))  # type: ignore[arg-type, union-attr]
    sides = torch.tensor([64.0, 0.0, 64.0, 0.0])
    assert torch.allclose(
        other.mouths[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1.0, -1.0, 1.0]) + sides, plain.mouths, atol=0.05
    )
    # What a warp is told leads to the same places, on the other side.
    network = shaken(GUIDED)
    points = torch.rand(1, 9, 3) - 0.5
    ways = [
        network.warp(p.identity, p.expression, p.moved).roughly(points * torch.tensor([s, 1.0, 1.0]))
        for p, s in ((plain, 1.0), (other, -1.0))
    ]
    assert torch.allclose(ways[0], ways[1] * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-5)
    assert model.identities == other.identity.shape[1]


def test_enlarged_examples_are_as_sharp_as_the_picture_allows() -> None:
    fine = somebody(128)
    stripes = fine.picture.copy()
    stripes[:, ::4] = 0
    stripes[:, 1::4] = 0
    stripes[:, 2::4] = 255
    stripes[:, 3::4] = 255
    coarse = cv2.resize(stripes, (64, 64), interpolation=cv2.INTER_AREA)
    small = somebody(64)
    zoomed = Changes(zoom=0.5)
    contrasts = [
        OwnExamples(replace(p, picture=picture), builtin_head(), GUIDED, zoomed, 5).at(range(6)).driving.std()
        for p, picture in ((fine, stripes), (small, coarse))
    ]
    assert contrasts[0] > 1.05 * contrasts[1]
