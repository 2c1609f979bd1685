"""Running out of memory in a training."""

from __future__ import annotations

import pytest
import torch

from pipelines.run import _understood
from pipelines.training.memory import with_less_memory
from studio.devices import memory_problem
from studio.domain.problem import Problem

FULL = RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def _deterministic(learning, name, **values):
    """No dropout and no noise, so that pieces of any size must agree; notes the sizes in ``shares``."""
    attempt = learning(name, **values)
    attempt.net.layers[2].p = 0.0

    def step(batch):
        if attempt.limit is not None and len(batch.indices) > attempt.limit:
            raise FULL
        attempt.shares.append(len(batch.indices))
        chosen = torch.from_numpy(batch.indices)
        return (attempt.net(attempt.x[chosen]) - attempt.y[chosen]).square().mean()

    attempt.step = step
    return attempt


def test_the_batch_is_halved_and_the_result_is_that_of_the_whole(learning, listener):
    whole = _deterministic(learning, "whole")
    expected = whole.run(batch=8, micro_batch=0, steps=10)
    heard = listener()
    pieces = _deterministic(learning, "pieces", limit=3)
    report = pieces.run(heard, batch=8, micro_batch=0, steps=10)
    assert [sentence for sentence in heard.said if "Memory" in sentence] == [
        "Memory ran out, so each step is now done in pieces of 2 examples instead of 8: slower, same result."
    ]
    assert report.micro_batch == 2
    assert pieces.shares == [2, 2, 2, 2] * 10
    assert whole.shares == [8] * 10
    for (_, one), (_, other) in zip(report.losses, expected.losses, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    for name, tensor in whole.weights().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(pieces.weights()[name], tensor, atol=1e-6, rtol=0)


@pytest.mark.parametrize("micro", [1, 3, 4, 5, 8])
def test_uneven_pieces_weigh_what_they_hold(learning, micro):
    attempts = [_deterministic(learning, str(size), start=1) for size in (8, micro)]
    for attempt, size in zip(attempts, (8, micro), strict=True):
        attempt.run(batch=8, micro_batch=size, steps=4)
    for name, tensor in attempts[0].net.named_parameters():
        torch.testing.assert_close(attempts[1].weights()[name], tensor.detach(), atol=1e-6, rtol=0)


def test_the_smaller_size_survives_an_interruption(learning, listener):
    from studio.domain.progress import Interrupted

    with pytest.raises(Interrupted):
        _deterministic(learning, "run", limit=3).run(listener(10), batch=8, micro_batch=0)
    heard = listener()
    resumed = _deterministic(learning, "run")
    resumed.run(heard, batch=8, micro_batch=0)
    assert set(resumed.shares) == {2}
    assert not any("Memory" in sentence for sentence in heard.said)


def test_when_single_examples_do_not_fit_it_is_a_problem(learning):
    with pytest.raises(Problem) as caught:
        _deterministic(learning, "run", limit=0).run(batch=8, micro_batch=0)
    assert str(caught.value).startswith("Learning products ran out of the graphics card's memory: ")


def test_other_errors_pass_at_once():
    calls = []

    def attempt(size):
        calls.append(size)
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        with_less_memory(attempt, 8, "Learning", calls.append)
    assert calls == [8]


def test_sizes_are_halved_down_to_one():
    sizes: list[int] = []
    said: list[str] = []

    def attempt(size):
        sizes.append(size)
        if size > 1:
            raise MemoryError
        return "done"

    assert with_less_memory(attempt, 11, "Learning", said.append) == ("done", 1)
    assert sizes == [11, 6, 3, 2, 1]
    assert said == [
        "Memory ran out, so each step is now done in single examples instead of 11: slower, same result."
    ]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        FULL,
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_a_job_says_in_words_that_memory_ran_out(tmp_path, error):
    wrapped = ValueError("a library gave up")
    wrapped.__cause__ = error
    problem = _understood(wrapped, tmp_path)
    assert problem is not None
    assert "The work ran out of" in str(problem)
    assert _understood(RuntimeError("shapes differ"), tmp_path) is None


def test_the_card_is_named_when_it_is_the_card():
    assert "graphics card" in str(
        memory_problem(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "It")
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")
def test_a_card_that_really_runs_out_takes_smaller_pieces():
    def attempt(size):
        torch.empty(
            size * torch.cuda.get_device_properties(0).total_memory // 3, dtype=torch.uint8, device="cuda"
        )

    assert with_less_memory(attempt, 8, "Learning", print)[1] <= 2
