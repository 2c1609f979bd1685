"""Curves, previews, engine cards and thumbnails by themselves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainter

from pipelines.forecast import BuildForecast
from pipelines.job_history import Curve
from pipelines.stage_costs import Machine
from studio.engines.catalog import ENGINES
from ui.pages.train_avatars import TrainAvatars
from ui.widgets.engine_card import EngineCard
from ui.widgets.pivot_plot import PivotPlot
from ui.widgets.training_curves import TrainingCurves
from ui.widgets.training_preview import TrainingPreview, cells


def curve(what: str, name: str, values: list[float]) -> Curve:
    return Curve(what, name, np.arange(len(values)) * 20.0, np.array(values))


def drawn(figure) -> list[float]:
    values = figure.line.getData()[1]
    return [] if values is None else values.tolist()


def test_curves_follow_the_newest_training_until_another_is_asked_for(qtbot) -> None:
    shown = TrainingCurves()
    qtbot.addWidget(shown)
    assert shown.isHidden()
    teach = [curve("teaching", "loss", [3.0, 2.0]), curve("teaching", "validation_psnr", [20.0, 22.0, 21.0])]
    shown.show_curves(teach)
    assert drawn(shown.losses) == [3.0, 2.0]
    assert drawn(shown.judged) == [20.0, 22.0, 21.0]
    assert shown.judged.best.getData()[1].tolist() == [22.0], "of decibels more is better"
    assert "22" in shown.judged.now.text()
    assert "step 20" in shown.judged.now.text()
    mapping = [curve("mapping", "loss", [9.0]), curve("mapping", "validation_loss", [5.0, 4.0, 6.0])]
    shown.show_curves([*teach, *mapping])
    assert drawn(shown.losses) == [9.0]
    assert shown.judged.best.getData()[1].tolist() == [4.0], "of losses less is better"
    shown.trainings.setCurrentIndex(0)
    shown.trainings.activated.emit(0)
    shown.show_curves([*teach, *mapping, curve("measuring", "loss", [1.0])])
    assert drawn(shown.losses) == [3.0, 2.0]


def test_any_figure_of_a_training_can_be_drawn_and_gaps_break_nothing(qtbot) -> None:
    shown = TrainingCurves()
    qtbot.addWidget(shown)
    shown.show_curves(
        [
            curve("teaching", "rate", [1.0]),
            curve("teaching", "loss", [1.0, float("nan"), 0.5]),
            curve("teaching", "edges", [7.0]),
        ]
    )
    names = [shown.losses.names.itemData(n) for n in range(shown.losses.names.count())]
    assert names[0] == "loss"
    assert names[-1] == "rate", "how training runs comes after how good it is"
    shown.losses.names.setCurrentIndex(names.index("edges"))
    shown.losses.names.activated.emit(names.index("edges"))
    assert drawn(shown.losses) == [7.0]
    assert drawn(shown.judged) == []
    assert "Nothing" in shown.judged.now.text()


def sheet(rows: int, columns: int, side: int = 32) -> QImage:
    """Each cell in a colour of its own: red is the row, green the column."""
    made = QImage(columns * side, rows * side, QImage.Format.Format_RGB888)
    painter = QPainter(made)
    for r in range(rows):
        for c in range(columns):
            painter.fillRect(c * side, r * side, side, side, QColor(50 * r, 50 * c, 0))
    painter.end()
    return made


@pytest.mark.parametrize("rows", [2, 3])
def test_a_preview_shows_the_real_frame_beside_the_avatar_of_the_same_moment(qtbot, rows: int) -> None:
    pairs = cells(sheet(rows, 4))
    assert len(pairs) == 4
    for column, (real, made) in enumerate(pairs):
        assert real.pixelColor(16, 16) == QColor(0, 50 * column, 0)
        assert made.pixelColor(16, 16) == QColor(50 * (rows - 1), 50 * column, 0)
    preview = TrainingPreview()
    qtbot.addWidget(preview)
    preview.show_sheet(sheet(rows, 4))
    qtbot.mouseClick(preview.another, Qt.MouseButton.LeftButton)
    assert preview.real.pixmap().toImage().pixelColor(80, 80) == QColor(0, 50, 0)
    assert preview.made.pixmap().toImage().pixelColor(80, 80) == QColor(50 * (rows - 1), 50, 0)
    preview.show_sheet(sheet(rows, 4))
    assert preview.real.pixmap().toImage().pixelColor(80, 80) == QColor(0, 50, 0), "the moment stays"


def test_what_is_no_sheet_shows_nothing(qtbot) -> None:
    assert cells(QImage(100, 31, QImage.Format.Format_RGB888)) == []
    assert cells(QImage()) == []


def test_an_engine_that_lacks_something_says_so_and_cannot_be_chosen(qtbot) -> None:
    card = EngineCard(ENGINES["pvp"])
    qtbot.addWidget(card)
    card.show()
    card.show_missing("Needs a card: put one in.")
    asked: list[bool] = []
    card.chosen.connect(lambda: asked.append(True))
    assert "Needs a card: put one in." in [part.text() for part in card.findChildren(type(card._lack))]
    assert card._lack.isVisible()
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(card.title, Qt.MouseButton.LeftButton)
    assert not asked
    card.show_missing(None)
    assert not card._lack.isVisible()
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert asked


def test_an_engine_card_is_chosen_by_mouse_and_keyboard_and_tells_of_presets(qtbot) -> None:
    card = EngineCard(ENGINES["instant"])
    qtbot.addWidget(card)
    card.show()
    asked: list[bool] = []
    told: list[str] = []
    card.chosen.connect(lambda: asked.append(True))
    card.preset_changed.connect(told.append)
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    qtbot.keyClick(card.title, Qt.Key.Key_Space)
    assert asked == [True, True]
    assert card.title.isChecked(), "another press does not take the dot away"
    card.set_chosen(True)
    qtbot.keyClick(card.presets["draft"], Qt.Key.Key_Space)
    assert card.preset == "draft"
    assert told[-1] == "draft"
    machine = Machine("cpu", 2, 8.0, 50.0)
    card.show_forecasts({"draft": BuildForecast((2.0, 3.0), 1.0, 0.5, "measured", machine, ())})
    assert card._takes["draft"].text() == "2 to 3 min, 1.0 GB of memory, 0.5 GB on the disk"
    assert card._takes["best"].text() == ""


def test_the_plot_finds_the_point_below_the_pointer_and_prefers_pivots(qtbot) -> None:
    plot = PivotPlot()
    qtbot.addWidget(plot)
    plot.resize(400, 300)
    plot.show()
    frames = np.array([3, 5, 8, 13])
    angles = np.array([[-20.0, 0], [20.0, 0], [0, 10.0], [0.0, 9.9]])
    plot.show_frames(frames, angles)
    plot.show_pivots([3, 13], [3])
    for frame in (3, 5):
        assert plot.frame_at(plot.place_of(frame)) == frame
    assert plot.frame_at(plot.place_of(8)) == 13, "two that lie on each other: the pivot"
    assert plot.place_of(5).x() > plot.place_of(3).x(), "to the viewer's right"
    assert plot.place_of(8).y() < plot.place_of(5).y(), "up"
    away = plot.place_of(5)
    away.setY(away.y() + 40)
    assert plot.frame_at(away) == -1
    picked: list[int] = []
    plot.picked.connect(picked.append)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=plot.place_of(5).toPoint())
    assert picked == [5]
    plot.choose(8)
    assert [data.tolist() for data in plot._ring.getData()] == [[0.0], [10.0]]
    plot.choose(99)
    assert len(plot._ring.getData()[0]) == 0


def test_a_long_title_of_a_finished_avatar_wraps_and_stays_in_its_half_of_the_page(qtbot) -> None:
    shown = TrainAvatars(SimpleNamespace())  # type: ignore[arg-type]
    qtbot.addWidget(shown)
    avatar = SimpleNamespace(engine="nofa", lineage={"held_out": 0.2})
    shown._show([(avatar, "a clip with a name that goes on and on and on.mp4", "yesterday at noon")])  # type: ignore[list-item]
    assert shown.minimumSizeHint().width() < 400
