"""Checkpoints: exact round trips, and damaged ones passed over."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from pipelines.training import checkpoint as module
from pipelines.training.checkpoint import Checkpoints, Torn, load_state, save_state
from pipelines.training.randomness import random_states, set_random_states
from pipelines.training.tree import join, split
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted


def test_a_state_comes_back_with_every_type_and_bit(tmp_path):
    base = torch.arange(12.0)
    state: dict[str, Any] = {
        "tensors": [torch.randn(3, 4).to(torch.bfloat16), base, base.view(3, 4)[:, 1], torch.tensor(5), base],
        "empty": torch.zeros(0, 3),
        "wide": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "state": {0: {"step": torch.tensor(3.0)}, 1: {}},
        "betas": (0.9, 0.999),
        "floats": [float("inf"), -float("inf"), 0.1, np.float32(0.5)],
        "words": {"a": None, "b": True, "c": "ä"},
    }
    save_state(tmp_path / "s", state)
    back = load_state(tmp_path / "s")
    for one, other in zip([*state["tensors"], state["wide"]], [*back["tensors"], back["wide"]], strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert back["empty"].shape == (0, 3)
    assert set(back["state"]) == {0, 1}
    assert back["betas"] == (0.9, 0.999)
    assert back["floats"] == [float("inf"), -float("inf"), 0.1, 0.5]
    assert back["words"] == state["words"]
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["state.json", "tensors.safetensors"]


def test_no_number_comes_back_as_none():
    plain, tensors = split({"a": float("nan")})
    json.dumps(plain, allow_nan=False)
    assert np.isnan(join(plain, tensors)["a"])


def test_what_is_no_data_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(TypeError, match="function"):
        save_state(tmp_path / "s", {"a": {"b": lambda: 0}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD, torch.optim.AdamW])
def test_networks_optimisers_and_schedulers_go_on_exactly(tmp_path, kind):
    def make(seed):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
        optimiser = kind(net.parameters(), lr=0.1, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))
        return net, optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10)

    def steps(net, optimiser, scheduler):
        for _ in range(3):
            optimiser.zero_grad()
            net(torch.randn(2, 2, 5, 5)).square().mean().backward()
            optimiser.step()
            scheduler.step()

    one, other = make(0), make(1)
    steps(*one)
    state = {"parts": [part.state_dict() for part in one], "random": random_states()}
    save_state(tmp_path / "s", state)
    steps(*one)
    back = load_state(tmp_path / "s")
    for part, saved in zip(other, back["parts"], strict=True):
        part.load_state_dict(saved)
    set_random_states(back["random"])
    steps(*other)
    for name, tensor in one[0].state_dict().items():
        assert torch.equal(tensor, other[0].state_dict()[name]), name
    assert one[2].get_last_lr() == other[2].get_last_lr()


def test_all_random_numbers_go_on(tmp_path):
    np.random.normal()  # noqa: NPY002 - leaves a second one in store
    random.gauss(0, 1)
    save_state(tmp_path / "s", random_states())

    def draw():
        normal = np.random.normal(size=3)  # noqa: NPY002
        return torch.rand(3).tolist(), normal.tolist(), [random.gauss(0, 1) for _ in "abc"]

    expected = draw()
    set_random_states(load_state(tmp_path / "s"))
    assert draw() == expected


def _truncate(path: Path) -> None:
    data = (path / "tensors.safetensors").read_bytes()
    (path / "tensors.safetensors").write_bytes(data[: len(data) // 2])


def _zero(path: Path) -> None:
    data = bytearray((path / "tensors.safetensors").read_bytes())
    data[-8:] = bytes(8)
    (path / "tensors.safetensors").write_bytes(data)


def _half_a_json(path: Path) -> None:
    text = (path / "state.json").read_text()
    (path / "state.json").write_text(text[: len(text) // 2])


def _another_kind(path: Path) -> None:
    (path / "state.json").write_text("[1, 2]")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": _truncate,
    "zeros": _zero,
    "no tensors": lambda path: (path / "tensors.safetensors").unlink(),
    "no json": lambda path: (path / "state.json").unlink(),
    "half a json": _half_a_json,
    "another kind": _another_kind,
    "gone": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_gives_way_to_the_one_before_it(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path / "c")
    for number in range(1, 5):
        checkpoints.save({"number": number, "tensor": torch.full((3,), float(number))})
    assert [p.name for p in sorted((tmp_path / "c").iterdir())] == ["checkpoint-000003", "checkpoint-000004"]
    DAMAGE[damage](tmp_path / "c" / "checkpoint-000004")
    state, damaged = Checkpoints(tmp_path / "c").load()
    assert state is not None
    assert state["number"] == 3
    assert state["tensor"].tolist() == [3.0] * 3
    assert damaged == (0 if damage == "gone" else 1)
    # The damaged one does not count as the previous one.
    checkpoints.save({"number": 5})
    shutil.rmtree(max((tmp_path / "c").iterdir()))
    state, _ = checkpoints.load()
    assert state is not None
    assert state["number"] == 3


def test_nothing_there_or_nothing_whole_is_none(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    assert checkpoints.load() == (None, 0)
    checkpoints.save({"number": 1})
    _truncate(tmp_path / "c" / "checkpoint-000001")
    assert checkpoints.load() == (None, 1)
    with pytest.raises(Torn):
        load_state(tmp_path / "c" / "checkpoint-000001")


def test_a_training_continues_from_the_checkpoint_before_a_damaged_one(learning, listener):
    whole = learning("whole")
    expected = whole.run()
    with pytest.raises(Interrupted):
        learning("torn").run(listener(33))
    newest = max(path for path in learning("torn").folder.glob("checkpoint-*"))
    _truncate(newest)
    heard = listener()
    resumed = learning("torn", start=8)
    report = resumed.run(heard)
    assert (
        heard.said[0] == "The newest checkpoint was damaged: the training continues from the one before it."
    )
    assert len(resumed.shares) == 2 * (60 - 30)
    assert report.losses == expected.losses
    for name, tensor in whole.weights().items():
        assert torch.equal(tensor, resumed.weights()[name])


def test_best_weights_that_cannot_be_read_are_replaced_by_the_last(learning, listener):
    learning().run()
    _truncate(learning().folder / "best")
    heard = listener()
    report = learning().run(heard)
    assert (report.best_step, report.steps) == (None, 60)
    assert "best weights could not be read" in heard.said[0]


@pytest.mark.parametrize("number", [28, 122])
def test_a_full_disk_is_a_problem_and_leaves_the_checkpoint_before(tmp_path, monkeypatch, number):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save({"number": 1})

    def full(tensors, path):
        path.write_bytes(b"half")
        raise SafetensorError(f"I/O error: No space left on device (os error {number})")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(Problem, match=r"full|quota"):
        checkpoints.save({"number": 2})
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["checkpoint-000001"]
    assert checkpoints.load()[0] == {"number": 1}
