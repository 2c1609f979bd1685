"""The measurement inside the window measures: a real drag, real pictures, both qualities."""

from __future__ import annotations

import pytest

from ui import bench_live
from ui.app import open_window
from ui.pages.perform import PerformPage


def test_a_drag_is_measured_in_both_qualities(qtbot, qapp, subject, filled_store, monkeypatch) -> None:
    monkeypatch.setattr(bench_live, "RUN_UP", 0.2)
    window = open_window(qapp, filled_store)
    qtbot.addWidget(window)
    window.session.open_subject(subject)
    window.show()
    found = bench_live.measure(qapp, window, 1.5)
    page = window.page("perform")
    assert isinstance(page, PerformPage)
    # One entry a drag; the second has none when it ends where the first did.
    assert page.model.undo.count() in (1, 2)
    assert page.model.pose.keys() <= {"yaw"}
    assert page.model.value("yaw") == pytest.approx(0.0, abs=40.0)
    for quality in ("draft", "full"):
        assert found[quality]["moves"] > 3
        assert found[quality]["p95"] >= found[quality]["p50"] > 0.0
    window.close()
