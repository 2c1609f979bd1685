"""The training loop: resuming, budgets, what is kept, what is told."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.job import Cancelled, JobContext, JobPlan, Step, create_job, read_events, read_job
from pipelines.training import loop
from pipelines.training.forecast import Pace, forecast
from pipelines.training.launch import slow_arithmetic
from pipelines.training.loop import train
from pipelines.training.order import ShuffledOrder
from pipelines.training.randomness import random_states
from pipelines.training.schedule import Schedule
from pipelines.training.settings import LoopSettings
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("fake_training.py")


def _same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_it_learns(learning):
    attempt = learning()
    report = attempt.run(steps=250, checkpoint_steps=0, validate_steps=50)
    assert (report.reason, report.steps) == ("steps", 250)
    assert report.best["loss"] < 0.7 * report.validations[0][1]["loss"]
    assert [point[0] for point in report.losses] == list(range(4, 251, 4))
    assert not attempt.net.training


@pytest.mark.parametrize("seed", range(3))
def test_interrupted_at_random_steps_it_ends_as_if_nothing_had_happened(learning, listener, seed):
    whole = learning("whole")
    expected = whole.run()
    rng = random.Random(seed)
    runs = 0
    while True:
        runs += 1
        # Other first weights each time: everything must come from the checkpoint.
        attempt = learning("pieces", start=runs)
        try:
            report = attempt.run(listener(interrupt_after=rng.randrange(1, 25)) if runs > 1 else listener(0))
            break
        except Interrupted:
            assert (attempt.folder / "checkpoint-000001").exists() or runs > 1
        if runs == 1:
            # The very first report interrupts: these first weights are the ones that are trained.
            whole = learning("whole again", start=1)
            expected = whole.run()
    assert runs > 2
    assert report.losses == expected.losses
    assert report.validations == expected.validations
    assert (report.best, report.best_step) == (expected.best, expected.best_step)
    _same(attempt.weights(), whole.weights())


def test_interrupted_inside_a_validation_or_a_step_nothing_is_lost(learning):
    whole = learning("whole")
    expected = whole.run()
    first = learning("pieces")
    torn = iter([False, False, True])

    def validate():
        result = first.validate()
        if next(torn):
            raise Interrupted
        return result

    with pytest.raises(Interrupted):
        first.run(validate=validate)
    second = learning("pieces", start=9)
    step, calls = second.step, []

    def stopping(batch):
        figures = step(batch)
        calls.append(batch.step)
        if len(calls) == 12:  # the second piece of a step, its first gradient being there already
            raise Interrupted
        return figures

    second.step = stopping
    with pytest.raises(Interrupted):
        second.run()
    assert calls[-1] == calls[-2]
    third = learning("pieces", start=10)
    report = third.run()
    assert (report.losses, report.validations) == (expected.losses, expected.validations)
    for (name, one), other in zip(third.net.named_parameters(), whole.net.parameters(), strict=True):
        assert torch.equal(one, other), name


def _start(folder: Path, steps: int, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(steps), str(seconds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def _until(condition, limit=60.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


@pytest.mark.skipif(os.name == "nt", reason="a hard kill as POSIX knows it")
def test_a_killed_process_is_continued_from_its_checkpoint(learning, tmp_path):
    # The first weights are saved first, so that the process and the uninterrupted run share them.
    whole, begun = learning("whole"), learning("killed")
    expected = whole.run()
    with pytest.raises(Interrupted):
        begun.run(lambda *_: (_ for _ in ()).throw(Interrupted()))
    process = _start(begun.folder, 60, 0.02)
    _until((begun.folder / "checkpoint-000004").exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = learning("killed", start=5)
    report = resumed.run()
    assert len(resumed.shares) < 2 * 60  # two pieces a step: it did not begin again
    assert (report.losses, report.validations) == (expected.losses, expected.validations)
    _same(resumed.weights(), whole.weights())
    assert not [path.name for path in begun.folder.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a hard kill as POSIX knows it")
def test_killed_at_twenty_random_moments_the_curve_is_the_same(learning, listener):
    whole, begun = learning("whole"), learning("killed")
    expected = whole.run(steps=400)
    with pytest.raises(Interrupted):
        begun.run(listener(0), steps=400)
    rng = random.Random(0)

    def newest():
        return max((path.name for path in begun.folder.glob("checkpoint-*")), default="")

    for _ in range(20):
        before = newest()
        process = _start(begun.folder, 400, 0.005)
        _until(lambda before=before: newest() > before)
        time.sleep(rng.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert newest() > before
    report = learning("killed", start=5).run(steps=400)
    assert (report.losses, report.validations) == (expected.losses, expected.validations)


def test_a_finished_training_is_only_loaded(learning):
    first = learning()
    report = first.run()
    second = learning(start=4)
    assert second.run() == report
    assert second.shares == []
    _same(first.weights(), second.weights())


def test_a_cancelled_training_writes_no_checkpoint(learning):
    def cancel(done, total, what):
        if done == 3:
            raise Cancelled

    attempt = learning()
    with pytest.raises(Cancelled):
        attempt.run(cancel)
    assert not list(attempt.folder.glob("checkpoint-*"))


def test_the_checkpoint_of_another_network_is_not_used(learning, listener):
    with pytest.raises(Interrupted):
        learning().run(listener(20))
    other = learning()
    other.net.layers = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 1))
    other.optimiser = torch.optim.Adam(other.net.parameters())
    heard = listener()
    assert other.run(heard).losses[0][0] == 4
    assert "another network" in heard.said[0]


def test_a_time_budget_ends_it_and_the_schedule_follows_the_clock(learning, clock):
    attempt = learning(seconds=0.0)
    step = attempt.step

    def ticking(batch):
        clock.now += 0.5 * (2.0 if batch.step < 10 else 1.0)  # two pieces a step
        return step(batch)

    attempt.step = ticking
    report = attempt.run(
        clock=clock, steps=1000, minutes=0.5, schedule=Schedule("linear", warmup=0, final=0), average_decay=0
    )
    assert (report.reason, report.steps) == ("time", 10 + 10)
    assert report.seconds == pytest.approx(30.0)
    # Ten steps of two seconds each, then ten of one.
    np.testing.assert_allclose(attempt.shares[::2], [*np.arange(0, 20, 2) / 30, *np.arange(20, 30) / 30])
    assert attempt.optimiser.param_groups[0]["lr"] == pytest.approx(0.01 * 1 / 30)


def test_whichever_budget_ends_first_counts(learning, clock):
    attempt = learning()
    report = attempt.run(clock=clock, steps=12, minutes=10.0)
    assert (report.reason, report.steps) == ("steps", 12)
    np.testing.assert_allclose(attempt.shares[::2], np.arange(12) / 12)


def test_time_spent_before_an_interruption_counts(learning, listener, clock):
    for start, interrupt_after in enumerate((8, 9, None)):
        attempt = learning(start=start)
        step = attempt.step

        def ticking(batch, step=step):
            clock.now += 1.0
            return step(batch)

        attempt.step = ticking
        clock.now += 500.0  # the pause does not count
        try:
            report = attempt.run(
                listener(interrupt_after), clock=clock, steps=1000, minutes=1.0, micro_batch=6
            )
        except Interrupted:
            continue
    assert (report.reason, report.steps, report.seconds) == ("time", 60, pytest.approx(60.0))


def test_a_slow_validation_is_reckoned_with(learning, clock):
    attempt = learning()
    step = attempt.step

    def ticking(batch):
        clock.now += 1.0
        return step(batch)

    def validate():
        clock.now += 4.0
        return attempt.validate()

    attempt.step = ticking
    report = attempt.run(
        clock=clock, steps=1000, minutes=1.0, micro_batch=6, validate_steps=0, validate=validate
    )
    assert report.seconds == pytest.approx(60.0)
    assert report.steps == 60 - 2 * 4


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_stopping_early_keeps_the_best_and_not_the_last(learning, decay):
    attempt = learning()
    scripted = iter([5.0, 3.0, 4.0, 2.999, 3.5, 1.0])
    seen = []

    def validate():
        seen.append(attempt.weights())
        return next(scripted)

    report = attempt.run(
        validate=validate, validate_steps=5, patience=3, least_gain=0.01, average_decay=decay, steps=1000
    )
    assert (report.reason, report.steps, report.best_step) == ("patience", 20, 5)
    assert report.best == {"loss": 3.0}
    _same(attempt.weights(), seen[1])
    assert not torch.equal(seen[1]["layers.0.weight"], seen[-1]["layers.0.weight"])


def test_a_validation_that_is_no_number_is_never_the_best(learning):
    scripted = iter([float("nan"), 2.0, float("nan")])
    report = learning().run(validate=lambda: next(scripted), validate_steps=20, steps=40)
    assert (report.best_step, report.best) == (20, {"loss": 2.0})


def test_validation_by_time(learning, clock):
    attempt = learning()
    step = attempt.step

    def ticking(batch):
        clock.now += 1.0
        return step(batch)

    attempt.step = ticking
    report = attempt.run(clock=clock, validate_steps=0, validate_seconds=8.0, micro_batch=6, steps=20)
    assert [step for step, _ in report.validations] == [0, 8, 16, 20]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule("constant", warmup=0.2), {0.0: 0.0, 0.1: 0.5, 0.2: 1.0, 0.7: 1.0, 1.0: 1.0}),
        (Schedule("linear", warmup=0.0, final=0.5), {0.0: 1.0, 0.5: 0.75, 1.0: 0.5, 1.3: 0.5}),
        (Schedule("cosine", warmup=0.1, hold=0.5, final=0.0), {0.05: 0.5, 0.5: 1.0, 0.75: 0.5, 1.0: 0.0}),
        (Schedule("cosine", warmup=0.2, final=0.2), {0.2: 1.0, 0.4: 0.2 + 0.8 * 0.85355339, 1.0: 0.2}),
    ],
)
def test_schedule_values(schedule, expected):
    for share, factor in expected.items():
        assert schedule.factor(share) == pytest.approx(factor)


def test_each_group_has_its_own_height_also_after_an_interruption(tmp_path, listener):
    rates = []

    def attempt(progress):
        a, b = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        one = torch.optim.SGD([{"params": a.parameters(), "lr": 0.1}, {"params": [b.bias], "lr": 0.2}])
        two = torch.optim.SGD([b.weight], lr=0.4)

        def step(batch):
            groups = [*one.param_groups, *two.param_groups]
            rates.append([group["lr"] for group in groups])
            return (a(torch.ones(1, 2)) + b(torch.ones(1, 2))).mean()

        train(
            modules={"a": a, "b": b},
            optimisers={"one": one, "two": two},
            step=step,
            order=ShuffledOrder(1, 1),
            settings=LoopSettings(steps=8, batch=1, schedule=Schedule("linear", warmup=0, final=0)),
            folder=tmp_path / "two",
            what="balancing",
            progress=progress,
        )

    with pytest.raises(Interrupted):
        attempt(listener(4))
    attempt(listener())
    # What a step sees is the rate of the step before; after an interruption it comes from the checkpoint.
    np.testing.assert_allclose(rates[1:], np.outer(1 - np.arange(7) / 8, [0.1, 0.2, 0.4]))


def test_long_gradients_are_shortened_and_their_true_length_told(tmp_path, listener):
    net = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.zeros_(net.weight)
    heard = listener()
    train(
        modules={"net": net},
        optimisers=torch.optim.SGD(net.parameters(), lr=1.0),
        step=lambda batch: net(torch.tensor([[3.0, 4.0]])).sum(),
        order=ShuffledOrder(1, 1),
        settings=LoopSettings(
            steps=1, batch=1, clip_norm=0.5, log_steps=1, schedule=Schedule("constant", warmup=0)
        ),
        folder=tmp_path / "clip",
        what="falling",
        progress=heard,
    )
    assert heard.metrics[0]["norm"] == pytest.approx(5.0)
    torch.testing.assert_close(net.weight.detach(), torch.tensor([[-0.3, -0.4]]), atol=1e-5, rtol=0)


def test_a_step_without_a_finite_gradient_changes_nothing_and_many_are_a_problem(learning):
    attempt = learning()
    step, before = attempt.step, attempt.weights()
    attempt.step = lambda batch: {"loss": step(batch)["loss"] * float("nan")}
    report = attempt.run(steps=5, validate_start=False)
    for name, tensor in attempt.net.named_parameters():
        assert torch.equal(tensor, before[name])
    assert report.losses == ()
    broken = learning("more")
    step = broken.step
    broken.step = lambda batch: {"loss": step(batch)["loss"] * (float("nan") if batch.step > 10 else 1.0)}
    with pytest.raises(Problem, match="Learning products diverged"):
        broken.run()


def test_the_order_is_a_function_of_the_step_and_shows_everything_equally_often():
    order = ShuffledOrder(np.arange(10, 23), 4, seed=1)
    seen = [order(step) for step in range(26)]
    rounds = np.concatenate(seen).reshape(-1, 13)
    assert (np.sort(rounds, axis=1) == np.arange(10, 23)).all()
    assert len({tuple(row) for row in rounds}) == 8
    again = ShuffledOrder(np.arange(10, 23), 4, seed=1)
    for step in (25, 3, 11):
        np.testing.assert_array_equal(again(step), seen[step])
    assert not np.array_equal(ShuffledOrder(np.arange(10, 23), 4, seed=2)(0), seen[0])
    assert len(ShuffledOrder(2, 5)(0)) == 5
    assert ShuffledOrder(0, 5)(0).shape == (0,)


def test_no_examples_left_ends_it(learning):
    order = ShuffledOrder(50, 6)
    report = learning().run(order=lambda step: order(step) if step < 9 else order(step)[:0])
    assert (report.reason, report.steps) == ("done", 9)
    assert report.validations[-1][0] == 9


def test_half_precision_only_where_it_is_asked_for_or_safe(learning):
    for wanted, expected in (("auto", False), ("float32", False), ("bfloat16", True)):
        attempt = learning(wanted)
        step = attempt.step
        seen: list[bool] = []

        def looking(batch, step=step, seen=seen):
            seen.append(torch.is_autocast_enabled("cpu"))
            return step(batch)

        attempt.step = looking
        attempt.run(steps=2, precision=wanted)
        assert seen
        assert set(seen) == {expected}


def test_other_random_numbers_of_the_process_are_left_alone(learning):
    before = random_states()
    learning().run(steps=3)
    after = random_states()
    assert torch.equal(before["torch"], after["torch"])
    for kind, place in (("numpy", 0), ("python", 1)):
        assert torch.equal(before[kind][place], after[kind][place])
    assert before["numpy"][1:] == after["numpy"][1:]


def _context(tmp_path: Path) -> tuple[JobContext, Path]:
    step = Step.plan(
        id="learn",
        title="learning",
        work="m:f",
        settings_class="m:C",
        settings=LoopSettings(),
        version=1,
        inputs={},
        output=lambda key: f"out/{key}",
    )
    job = create_job(tmp_path / "jobs", JobPlan("fake", "A job", (step,)))
    return JobContext(job, read_job(job)), job


def test_a_job_hears_figures_notes_and_pictures(learning, clock, tmp_path):
    context, job = _context(tmp_path)
    try:
        context.begin(0)
        folder = context.scratch(context.plan.steps[0]) / "tune"
        attempt = learning()
        attempt.folder = folder
        step = attempt.step
        shown = []

        def ticking(batch):
            clock.now += 0.5
            return step(batch)

        def preview():
            shown.append(attempt.net.training)
            return np.full((6, 4, 3), len(shown), np.uint8)

        attempt.step = ticking
        report = attempt.run(context, clock=clock, preview=preview, preview_seconds=25.0)
        context(60, 60, "learning products")
    finally:
        context.end("finished")
    events = list(read_events(job))
    told = {e["step"]: e for e in events if e["event"] == "metric" and "loss" in e}
    assert {s: {n: told[s][n] for n in f} for s, f in report.losses} == dict(report.losses)
    assert all(e["what"] == "learning products" for e in told.values())
    # One second a step; known after three steps, 57 seconds before the end.
    (prediction,) = [e for e in events if "forecast_minutes" in e]
    assert prediction["forecast_minutes"] == pytest.approx(57 / 60)
    (sentence,) = [e["sentence"] for e in events if e["event"] == "said"]
    assert sentence.startswith("Learning products: 60 steps at 1 steps/s: less than a minute, ")
    pictures = [e["path"] for e in events if e["event"] == "picture"]
    assert len(pictures) == len(shown) == 3
    assert shown == [False] * 3
    assert np.asarray(Image.open(job / pictures[0]))[0, 0, 0] == 3
    assert (job / pictures[0]).parent == folder


def test_the_note_of_a_job_is_shown_with_its_progress(tmp_path):
    context, job = _context(tmp_path)
    try:
        context.begin(0)
        context(1, 10, "learning")
        context.note("step 1 of 10, 3 steps/s")
        context(10, 10, "learning")
        status = json.loads((job / "status.json").read_text())
        assert (status["what"], status["note"]) == ("learning", "step 1 of 10, 3 steps/s")
        context(1, 10, "something else")
        assert json.loads((job / "status.json").read_text())["note"] == ""
    finally:
        context.end("finished")


def test_what_is_to_come():
    by_steps = forecast(100, 1000, None, 3.0, 2_500_000_000)
    assert (by_steps.minutes, by_steps.steps) == (pytest.approx(5.0), 1000)
    assert by_steps.sentence == "1000 steps at 3 steps/s: about 5 min, 2.5 GB of memory."
    by_time = forecast(100, 1000, 60.0, 3.0, 0)
    assert (by_time.minutes, by_time.steps) == (pytest.approx(1.0), 280)
    assert "4 s a step" in forecast(0, 10, None, 0.25, 0).sentence


def test_the_pace_is_that_of_the_last_half_minute(clock):
    pace = Pace(clock)
    assert pace.per_second is None
    for second in range(100):
        clock.now += 1.0
        pace.note(second * (1 if second < 50 else 2))
    assert pace.per_second == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("precision", "kind", "capability", "slow"),
    [
        ("bfloat16", "cpu", "AVX2", True),
        ("bfloat16", "cpu", "DEFAULT", True),
        ("bfloat16", "cpu", "AVX512", False),
        ("bfloat16", "cuda", "AVX2", False),
        ("float32", "cpu", "AVX2", False),
        ("auto", "cpu", "AVX2", False),
    ],
)
def test_arithmetic_that_a_processor_imitates_is_told(precision, kind, capability, slow, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    sentence = slow_arithmetic(precision, kind)
    assert (sentence is not None) == slow
    assert sentence is None or "float32" in sentence


def test_a_training_says_it_itself(learning, listener, monkeypatch):
    monkeypatch.setattr(loop, "slow_arithmetic", lambda precision, kind: f"{precision} on {kind}")
    heard = listener()
    learning().run(heard, steps=2)
    assert "auto on cpu" in heard.said
