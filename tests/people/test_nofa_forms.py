"""Other forms of a NOFA base model, and what their fine-tuning is said to cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.fine_tune_nofa import fine_tune
from pipelines.kept_memory import KeptMemory
from pipelines.nofa_avatar_settings import FineTuneSettings
from pipelines.nofa_forms import forms
from pipelines.nofa_of_one import NofaOfOne
from pipelines.one_picture import OnePicture, motion_at, picture_of_clip
from studio.engines.nofa.network import NofaNetwork
from studio.engines.nofa.own_weights import optimised_parts
from studio.head import builtin_head
from tests.people.test_train_nofa import NETWORK

pytestmark = pytest.mark.timeout(240)

FEW = FineTuneSettings(moments=2, loop=replace(FineTuneSettings().loop, batch=1))


@pytest.fixture
def person(corpus) -> OnePicture:
    return picture_of_clip(corpus.clips[0], 0, 64)


def test_forms_draw_differently_and_leave_the_base_model_alone(corpus, person):
    torch.manual_seed(0)
    network, model = NofaNetwork(NETWORK).eval(), builtin_head()
    with torch.no_grad():
        assert network.compensation is not None
        network.compensation.planes.weight.normal_(std=0.3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    motion = motion_at(corpus.clips[0], 64).take(np.arange(2))
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    plain = NofaOfOne(network, model).of(person)(motion, frames)
    made = forms(network, model, "nofa", 2, FEW)
    assert len({form.name for form in made}) == 3
    for form in made:
        drawn = form.of(person)(motion, frames)
        assert drawn.shape == frames.shape
        assert not np.array_equal(drawn, plain)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert made[0].said() == ""
    assert "2 steps" in made[1].said()
    for form, parts in zip(
        made[1:], (optimised_parts(network, which) for which in ("compensation", "generator"))
    ):
        weights = sum(values.numel() for part in parts.values() for values in part.parameters())
        assert f"{weights / 1e6:.2f} million weights" in form.said()
        assert " 0 MiB" not in form.said()


def test_a_person_is_fitted_once_for_all_that_drive_them(person, monkeypatch):
    calls: list[int] = []

    def counted(*asked, **more):
        calls.append(1)
        return fine_tune(*asked, **more)

    monkeypatch.setattr("pipelines.nofa_forms.fine_tune", counted)
    tuned = forms(NofaNetwork(NETWORK).eval(), builtin_head(), "nofa", 1, FEW)[1]
    tuned.of(person)
    tuned.of(person)
    assert calls == [1]


def test_memory_kept_for_the_way_back_is_counted_once_and_given_back():
    x = torch.nn.Parameter(torch.randn(1000))
    memory = KeptMemory()
    with memory.counting():
        y = x.exp()  # keeps its result: 4000 bytes
        z = y * y  # keeps the same
        z.sum().backward()
        assert memory.peak == 4000
        (x.exp() * 3.0).sin().sum().backward()  # its result, and what the sine is of
    assert memory.peak == 8000
