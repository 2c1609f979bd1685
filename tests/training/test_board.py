"""What TensorBoard is given."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from studio.domain.progress import Interrupted


def _read(folder) -> EventAccumulator:
    return EventAccumulator(str(folder), purge_orphaned_data=True).Reload()


def test_losses_pace_validation_and_previews_of_all_runs_are_one_curve(learning, listener, tmp_path):
    board = tmp_path / "board"

    def preview():
        return np.full((6, 4, 3), 7, np.uint8)

    with pytest.raises(Interrupted):
        learning().run(listener(30), tensorboard=str(board), preview=preview)
    heard = listener()
    report = learning(start=3).run(heard, tensorboard=str(board), preview=preview)
    read = _read(board)
    assert set(read.Tags()["scalars"]) == {
        *(f"training/{name}" for name in ("loss", "size", "norm")),
        *(f"pace/{name}" for name in ("rate", "steps_per_second", "examples_per_second")),
        "validation/loss",
    }
    for group, points in (("training", report.losses), ("validation", report.validations)):
        told = read.Scalars(f"{group}/loss")
        assert [event.step for event in told] == [step for step, _ in points]
        np.testing.assert_allclose([event.value for event in told], [f["loss"] for _, f in points], rtol=1e-6)
    assert read.Tags()["images"] == ["preview"]
    assert (read.Images("preview")[0].width, read.Images("preview")[0].height) == (4, 6)


def test_what_a_killed_run_wrote_after_its_checkpoint_is_hidden(learning, tmp_path):
    board = tmp_path / "board"
    attempt = learning()
    step = attempt.step

    def failing(batch):
        if batch.step == 38:
            raise ZeroDivisionError
        return step(batch)

    attempt.step = failing
    with pytest.raises(ZeroDivisionError):
        attempt.run(tensorboard=str(board))
    assert [event.step for event in _read(board).Scalars("training/loss")] == list(range(4, 37, 4))
    learning(start=3).run(tensorboard=str(board), steps=40)
    # The last checkpoint was written at step 35.
    assert [event.step for event in _read(board).Scalars("training/loss")] == list(range(4, 41, 4))


def test_examples_a_second_are_those_of_whole_batches(learning, listener, clock):
    attempt = learning()
    step = attempt.step

    def ticking(batch):
        clock.now += 0.5  # two pieces a step
        return step(batch)

    attempt.step = ticking
    heard = listener()
    attempt.run(heard, clock=clock)
    told = [metric for metric in heard.metrics if "examples_per_second" in metric]
    assert told[-1]["steps_per_second"] == pytest.approx(1.0)
    assert told[-1]["examples_per_second"] == pytest.approx(6.0)


def test_nothing_is_written_unless_it_is_asked_for(learning, tmp_path):
    learning().run(steps=5)
    assert not list(tmp_path.rglob("*tfevents*"))
