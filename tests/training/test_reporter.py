"""Work between two reports of a training hears a wish to stop."""

from __future__ import annotations

import pytest

from pipelines.training.reporter import Repeating, Reporter, reporter_of
from studio.domain.progress import Interrupted


def test_the_last_report_is_repeated_and_a_stop_is_heard():
    told: list[tuple[int, int | None, str]] = []

    def progress(done: int, total: int | None, what: str) -> None:
        told.append((done, total, what))
        if len(told) == 4:
            raise Interrupted

    reporter = Repeating(progress, "learning")
    reporter.again()
    reporter(3, 10, "tuning")
    reporter.again()
    with pytest.raises(Interrupted):
        reporter.again()
    assert told == [(0, None, "learning"), *[(3, 10, "tuning")] * 3]


def test_figures_and_sentences_reach_whoever_takes_them(listener):
    heard = listener()
    reporter = Repeating(heard, "learning")
    reporter.say("Memory ran out.")
    reporter.metric(loss=1.0)
    assert heard.said == ["Memory ran out."]
    assert isinstance(reporter, Reporter)
    assert reporter_of(reporter) is reporter
