"""What a job says while it goes on: a note beside its progress, sentences on lines of their own."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from pipelines import runner
from pipelines.cli import screen
from pipelines.job import JobStatus, NewSentences

_MEMORY = (
    "Memory ran out, so each step is now done in pieces of 2 examples instead of 4: slower, same result."
)


def _say(folder, *sentences, event="said"):
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"event": event, "sentence": s}) + "\n" for s in sentences)


class _Job:
    """Stands in for a worker: a list of moments, each doing something before its status is seen."""

    def __init__(self, moments):
        self.moments = moments

    def wait(self, watch):
        for happens, status in self.moments:
            happens()
            watch(status)
        return status


def _followed(monkeypatch, folder, moments, terminal=False):
    """What stands on standard error after following a job."""
    monkeypatch.setattr(runner, "start", lambda job: _Job(moments))
    monkeypatch.setattr(screen, "QUIET_SECONDS", 0.0)
    shown = screen.Screen()
    file, width = io.StringIO(), 160 if terminal else 1000
    shown.notes = Console(file=file, force_terminal=terminal, width=width, highlight=False, soft_wrap=True)
    shown.follow(folder)
    return file.getvalue()


def _status(done, note=""):
    what = "teaching the painter"
    return JobStatus("running", 4, 6, what, done, total=100, seconds_left=65, note=note)


def test_the_note_ends_the_line_of_progress(monkeypatch, tmp_path):
    def nothing():
        return None

    moments = [
        (nothing, _status(1)),
        (nothing, _status(20, "step 30 of 150, 12 steps/s")),
        (nothing, JobStatus("finished")),
    ]
    lines = _followed(monkeypatch, tmp_path, moments).splitlines()
    assert lines == [
        "5/6 Teaching the painter: 1 %, 1:05 left",
        "5/6 Teaching the painter: 20 %, 1:05 left, step 30 of 150, 12 steps/s",
    ]


def test_at_a_terminal_too(monkeypatch, tmp_path):
    moments = [(lambda: None, _status(20, "step 30 of 150, [1.2 s] a step")), (lambda: None, _status(21))]
    moments.append((lambda: None, JobStatus("finished")))
    seen: list[str] = []
    plain = screen._Bars.show

    def show(self, *values):
        plain(self, *values)
        self._progress.refresh()
        seen.append(self._progress.console.file.getvalue().rpartition("\r")[2])

    monkeypatch.setattr(screen._Bars, "show", show)
    _followed(monkeypatch, tmp_path, moments, terminal=True)
    assert "step 30 of 150, [1.2 s] a step" in seen[0]
    assert "step 30" not in seen[1], "a note that is gone is not shown any longer"


@pytest.mark.parametrize("terminal", [False, True])
def test_sentences_are_printed_once_and_only_new_ones(monkeypatch, tmp_path, terminal):
    _say(tmp_path, "This was said in an earlier run.")
    moments = [
        (lambda: _say(tmp_path, _MEMORY), _status(1)),
        (lambda: None, _status(2)),
        (lambda: _say(tmp_path, _MEMORY, "It is done [really]."), JobStatus("finished")),
    ]
    shown = _followed(monkeypatch, tmp_path, moments, terminal)
    assert shown.count(_MEMORY) == 1
    assert shown.count("It is done [really].") == 1
    assert "earlier run" not in shown
    if not terminal:
        assert _MEMORY in shown.splitlines()


def test_half_written_and_other_lines_are_no_sentences(tmp_path):
    new = NewSentences(tmp_path)
    assert new() == []
    _say(tmp_path, "A figure is no sentence.", event="metric")
    _say(tmp_path, "One.")
    path = tmp_path / "events.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write('{"event": "said", "sent')
    assert new() == ["One."]
    with path.open("a", encoding="utf-8") as file:
        file.write('ence": "Grüße."}\n{"event": "said", "sentence": "torn\n[1]\n')
    assert new() == ["Grüße."]
    _say(tmp_path, "One.", "Two.")
    assert new() == ["Two."]
    assert new() == []
