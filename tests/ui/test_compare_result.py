"""What the Compare page shows of a finished comparison, in the window's own widgets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QFileDialog

from pipelines.compare_result import FILE, Comparison, as_markdown, load_comparison
from studio.domain.problem import Problem
from tests.ui.compared_clip import FRAMES_SEEN, LPIPS_OFF, SIZE, WRONG, real_picture, write_result
from ui.pages.compare_frames import GAIN, heat, heat_colours, pixels
from ui.pages.compare_result import ResultView
from ui.pages.compare_sheet import sheet_frames
from ui.session import Failure
from ui.widgets.split_view import SplitView

NAMES = ("Instant · Standard", "PVP · Draft")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_result(tmp_path / "comparison")


@pytest.fixture
def comparison(folder: Path) -> Comparison:
    return load_comparison(folder, NAMES)


@pytest.fixture
def view(qtbot, session, comparison) -> Iterator[ResultView]:
    made = ResultView(session)
    qtbot.addWidget(made)
    made.resize(1000, 640)
    made.show()
    with qtbot.waitSignal(made.frame_shown):
        made.show_comparison(comparison)
    yield made
    made.pause()


def grey(picture: QImage) -> int:
    """The level in the middle of a picture."""
    return int(pixels(picture)[SIZE // 2, SIZE // 2, 0])


def at(frame: int) -> int:
    return int(real_picture(frame)[SIZE // 2, SIZE // 2, 0])


def test_better_heeds_the_direction_of_each_measure_and_the_digits_shown(comparison) -> None:
    better = {m.id: comparison.better(m) for m in comparison.measures}
    assert better == {
        "psnr": "a",
        "lpips": "",
        "akd": "b",
        "sharpness_ratio": "b",
        "flicker": "b",
        "face_found": "",
    }
    assert comparison.wins() == (1, 3, 5)


def test_asked_the_other_way_round_everything_changes_sides(folder, comparison) -> None:
    other = load_comparison(folder, NAMES[::-1], swapped=True)
    assert other.means["a"] == comparison.means["b"]
    assert other.wins() == (3, 1, 5)
    np.testing.assert_array_equal(other.curves["b"]["psnr"], comparison.curves["a"]["psnr"])
    assert other.speed == comparison.speed[::-1]
    assert other.columns == (0, 2, 1, 3)


def test_a_damaged_result_is_one_sentence(folder) -> None:
    content = json.loads((folder / FILE).read_text())
    del content["means"]["b"]
    (folder / FILE).write_text(json.dumps(content))
    with pytest.raises(Problem, match="compare again"):
        load_comparison(folder, NAMES)


def test_the_sides_show_what_they_are_told_to(view, qtbot) -> None:
    left, right = view.split.pictures
    assert (grey(left), grey(right)) == (at(100) + WRONG["a"], at(100) + WRONG["b"])
    view.left.setCurrentIndex(view.left.findData("real"))
    view.right.setCurrentIndex(view.right.findData("nearest"))
    left, right = view.split.pictures
    assert (grey(left), grey(right)) == (at(100), at(100) + WRONG["nearest"])
    view.slider.setValue(3)
    qtbot.waitUntil(lambda: grey(view.split.pictures[0]) == at(104))


def test_errors_and_the_difference_are_amplified_by_a_known_gain(view) -> None:
    view.views["errors"].click()
    left, right = view.split.pictures
    assert tuple(pixels(left)[5, 5]) == tuple(heat_colours()[GAIN * WRONG["a"]])
    assert tuple(pixels(right)[5, 5]) == tuple(heat_colours()[GAIN * WRONG["b"]])
    view.views["difference"].click()
    left, right = view.split.pictures
    assert tuple(pixels(left)[5, 5]) == tuple(heat_colours()[GAIN * (WRONG["b"] - WRONG["a"])])
    assert left == right
    view.views["pictures"].click()
    assert grey(view.split.pictures[0]) == at(100) + WRONG["a"]


def test_equal_pictures_are_black_and_large_errors_are_clipped() -> None:
    one = QImage(4, 3, QImage.Format.Format_RGB888)
    one.fill(Qt.GlobalColor.black)
    other = QImage(4, 3, QImage.Format.Format_RGB888)
    other.fill(Qt.GlobalColor.white)
    assert (pixels(heat(one, one)) == heat_colours()[0]).all()
    assert (pixels(heat(one, other)) == heat_colours()[255]).all()


def test_the_divider_is_dragged_with_the_mouse_and_moved_with_keys(view, qtbot) -> None:
    split = view.split
    box = split.picture_rect()
    middle = QPoint(round(box.center().x()), round(box.center().y()))
    quarter = QPoint(round(box.left() + box.width() / 4), middle.y())
    qtbot.mousePress(split, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(split, quarter)
    qtbot.mouseRelease(split, Qt.MouseButton.LeftButton, pos=quarter)
    assert split.divider == pytest.approx(0.25, abs=0.01)
    qtbot.mouseMove(split, middle)
    assert split.divider == pytest.approx(0.25, abs=0.01), "nothing is dragged any more"
    # Left of the divider A is seen, right of it the brighter B.
    seen = split.grab().toImage()
    y = round(box.top() + 0.8 * box.height())
    before, after = (seen.pixelColor(round(box.left() + x * box.width()), y) for x in (0.2, 0.3))
    step = after.red() - before.red() - 0.1 * SIZE
    assert step == pytest.approx(WRONG["b"] - WRONG["a"], abs=4)
    qtbot.keyClick(split, Qt.Key.Key_End)
    assert split.divider == 1.0
    qtbot.keyClick(split, Qt.Key.Key_Left)
    assert split.divider == pytest.approx(0.98)
    qtbot.mouseDClick(split, Qt.MouseButton.LeftButton, pos=quarter)
    assert split.divider == 0.5


def test_the_table_ticks_the_better_side_and_says_what_is_off(view) -> None:
    table = view.table
    rows = {table.item(row, 0).text().split("  ")[1]: row for row in range(table.rowCount())}
    assert len(rows) == table.rowCount(), "no two names are alike"
    cells = {name: [table.item(row, c).text() for c in (1, 2, 3)] for name, row in rows.items()}
    assert cells["PSNR"] == ["✓ 30.07", "20.53", "16.09"]
    assert cells["Flicker"] == ["-0.900", "✓ 0.400", "4.000"]
    assert cells["Face found"] == ["1.000", "1.000", "1.000"]
    assert cells["LPIPS"] == ["off", "off", "off"]
    assert rows["LPIPS"] == table.rowCount() - 1
    assert LPIPS_OFF in table.item(rows["LPIPS"], 1).toolTip()
    table.setCurrentCell(rows["LPIPS"], 0)
    assert LPIPS_OFF in view._about.text()
    assert "B is better on 3 of 5 measures, A on 1" in view._verdict.text()


def test_the_curve_shows_the_chosen_measure_and_goes_where_it_is_clicked(view, comparison, qtbot) -> None:
    assert view.table.measure.id == "psnr", "the first of those that are nearest to the eye"
    np.testing.assert_array_equal(view.curve.values("a"), comparison.curves["a"]["psnr"])
    view.table.choose("akd")
    np.testing.assert_array_equal(view.curve.values("b"), comparison.curves["b"]["akd"])
    view.table.choose("flicker")
    assert view.curve.values("a") is None
    where = view.curve.plotItem.vb.mapViewToScene(view.curve.plotItem.vb.viewRect().center())
    place = view.curve.mapFromScene(where)
    assert view.curve._here.value() == 100
    qtbot.mouseClick(view.curve.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert comparison.pictures[view.index] == 104
    assert view.curve._here.value() == 104
    qtbot.waitUntil(lambda: grey(view.split.pictures[0]) == at(104) + WRONG["a"])


def test_it_plays_round_and_stops_when_it_is_left(view, qtbot) -> None:
    seen: list[int] = []
    view.frame_shown.connect(seen.append)
    qtbot.keyClick(view.split, Qt.Key.Key_Space)
    assert view.playing
    qtbot.waitUntil(lambda: seen[-1:] == [0] and len(set(seen)) == len(FRAMES_SEEN))
    assert seen[:7] == [1, 2, 3, 4, 5, 6, 7]
    qtbot.keyClick(view.split, Qt.Key.Key_Period)
    assert not view.playing


def test_the_table_is_saved_as_markdown_and_as_json(view, comparison, tmp_path, qtbot, monkeypatch) -> None:
    wanted = tmp_path / "figures"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(wanted), ""))
    with qtbot.waitSignal(view.saving.saved):
        view.saving.table.click()
    text = (tmp_path / "figures.md").read_text(encoding="utf-8")
    assert text == as_markdown(comparison)
    row = re.search(r"\| Sharpness ratio \|(.*)\|", text)
    assert row is not None
    assert [cell.strip() for cell in row[1].split("|")] == ["→ 1", "0.800", "1.100", "1.000", NAMES[1]]
    assert f"- LPIPS: {LPIPS_OFF}" in text
    with qtbot.waitSignal(view.saving.saved):
        view.saving.save_table(tmp_path / "figures.json")
    content = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert (content["a"], content["means"]["b"]["akd"], content["better"]["akd"]) == (NAMES[0], 1.2, "b")


def test_the_sheet_shows_each_side_of_chosen_frames(view, comparison, tmp_path, qtbot) -> None:
    chosen = sheet_frames(comparison, "psnr")
    assert {0, 2, 5, 7} <= set(chosen)
    assert len(chosen) == 6
    # They come together towards the end, so the first ones that are not shown yet are wanted most.
    assert {1, 3} <= set(chosen)
    with qtbot.waitSignal(view.saving.saved, timeout=60_000):
        view.saving.save_sheet(tmp_path / "sheet")
    sheet = QImage(str(tmp_path / "sheet.png"))
    column = int(np.searchsorted(chosen, 7))
    left = 28 + 132 + column * (256 + 8)
    tops = [28 + 92 + row * (256 + 8) + min(row, 4) * 22 for row in range(7)]
    cells = [sheet.pixelColor(left + 130, top + 128) for top in tops]
    colours = [(cell.red(), cell.green(), cell.blue()) for cell in cells]
    real = at(108)
    greys = [real, *(real + wrong for wrong in WRONG.values())]
    np.testing.assert_allclose([c[0] for c in colours[:4]], greys, atol=1)
    wrong = [WRONG["a"], WRONG["b"], WRONG["b"] - WRONG["a"]]
    np.testing.assert_allclose(colours[4:], heat_colours()[[GAIN * w for w in wrong]], atol=2)


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left(view, session, tmp_path, qtbot) -> None:
    told: list[Failure] = []
    session.failed.connect(told.append)
    with qtbot.waitSignal(session.failed):
        view.saving.save_table(tmp_path / "gone" / "figures.md")
    assert "choose another place" in told[0].reason
    assert not (tmp_path / "gone").exists()


def test_a_picture_that_is_gone_is_said_in_its_place(view, comparison, qtbot) -> None:
    comparison.picture(107).unlink()
    view.slider.setValue(6)
    qtbot.waitUntil(lambda: "compare again" in view.split._words)
    view.slider.setValue(0)
    qtbot.waitUntil(lambda: not view.split.pictures[0].isNull())


def test_a_long_name_is_written_whole_where_there_is_room(qtbot) -> None:
    """The stage is wider than the picture: a pill may reach beyond it, and never over its own half."""
    view = SplitView()
    qtbot.addWidget(view)
    view.resize(900, 300)
    dark = QImage(300, 300, QImage.Format.Format_RGB888)
    dark.fill(QColor(20, 20, 20))
    view.show_pair(dark, dark.copy())
    view.set_divider(1.0)
    view.show_names("A · Personal prior (PVP), standard", "B")
    one = view.grab().toImage()
    view.show_names("", "B")
    none = view.grab().toImage()
    changed = np.argwhere((_pixels(one) != _pixels(none)).any(2))
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    words = view.fontMetrics().horizontalAdvance("A · Personal prior (PVP), standard")
    assert right - left > 0.8 * words
    assert right < 450
    assert left < 300, "it begins beside the picture"
    assert top >= 0
    assert bottom < 60


def _pixels(image: QImage) -> np.ndarray:
    plain = image.convertToFormat(QImage.Format.Format_RGBX8888)
    return np.array(plain.constBits()).reshape(plain.height(), plain.bytesPerLine() // 4, 4)[
        :, : plain.width(), :3
    ]
