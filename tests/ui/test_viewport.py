"""The live picture's widget: what it paints, and what hands do over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from pipelines.control_list import plain_sheet
from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.rendering import RenderRequest
from studio.live import LiveFrame
from tests.ui.hands import turn_wheel
from ui.widgets.viewport import Viewport

STAGE = View(Similarity(1.0, 0.0, 0.0, 0.0), 64, 64)


def frame(ticket: int, image: np.ndarray) -> LiveFrame:
    request = RenderRequest(plain_sheet().neutral(), STAGE)
    return LiveFrame(
        image, None, ticket, request, Avatar("A", "instant", "k", Path("x"), STAGE), 1.0, 0.0, 0.1
    )


def quarters(height: int = 64, width: int = 64) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = 255, 0, 0
    image[: height // 2, width // 2 :] = 0, 255, 0
    image[height // 2 :, : width // 2] = 0, 0, 255
    return image


@pytest.fixture
def viewport(qtbot) -> Viewport:
    made = Viewport()
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_picture_fills_the_height_in_the_middle_with_its_colours_in_place(viewport, qtbot) -> None:
    with qtbot.waitSignal(viewport.painted) as told:
        viewport.show_frame(frame(7, quarters()))
    assert told.args == [7]
    rect = viewport.picture_rect()
    assert (rect.x(), rect.y(), rect.width(), rect.height()) == (50, 0, 300, 300)
    shown = viewport.grab().toImage()
    ratio = shown.width() / viewport.width()

    def colour(x: float, y: float) -> tuple[int, int, int]:
        return shown.pixelColor(int(x * ratio), int(y * ratio)).getRgb()[:3]

    assert colour(120, 80) == (255, 0, 0)
    assert colour(280, 80) == (0, 255, 0)
    assert colour(120, 220) == (0, 0, 255)
    assert colour(280, 220) == (0, 0, 0)
    assert max(colour(20, 150)) < 60  # the stage beside it


def test_a_wide_picture_fills_the_width(viewport) -> None:
    viewport.show_frame(frame(1, quarters(50, 100)))
    rect = viewport.picture_rect()
    assert (rect.width(), rect.height()) == (400, 200)
    assert viewport.device_side() == round(400 * viewport.devicePixelRatioF())


def test_a_frame_is_told_as_painted_once(viewport, qtbot) -> None:
    told: list[int] = []
    viewport.painted.connect(told.append)
    viewport.show_frame(frame(3, quarters()))
    qtbot.waitUntil(lambda: told == [3])
    viewport.repaint()
    viewport.show_frame(frame(4, quarters()))
    qtbot.waitUntil(lambda: told == [3, 4])


def hands_over(viewport: Viewport) -> list[object]:
    """What the viewport says, from now on."""
    told: list[object] = []
    viewport.pressed.connect(lambda hand: told.append(f"pressed {hand}"))
    viewport.released.connect(lambda: told.append("released"))
    viewport.dragged.connect(lambda x, y: told.append((round(x, 3), round(y, 3))))
    viewport.wheeled.connect(told.append)
    viewport.reset_asked.connect(lambda hand: told.append(f"reset {hand}"))
    return told


@pytest.mark.parametrize(
    ("button", "keys", "hand"),
    [
        ("LeftButton", "NoModifier", "turn"),
        ("LeftButton", "ShiftModifier", "move"),
        ("LeftButton", "AltModifier", "orbit"),
        ("MiddleButton", "NoModifier", "move"),
        ("RightButton", "NoModifier", "orbit"),
        ("RightButton", "ShiftModifier", "orbit"),
    ],
)
def test_a_drag_counts_in_widths_of_the_picture_from_where_it_began(
    viewport, qtbot, button: str, keys: str, hand: str
) -> None:
    viewport.show_frame(frame(1, quarters()))
    told = hands_over(viewport)
    with_button, with_keys = Qt.MouseButton[button], Qt.KeyboardModifier[keys]
    qtbot.mousePress(viewport, with_button, with_keys, QPoint(100, 100))
    qtbot.mouseMove(viewport, QPoint(130, 100))
    qtbot.mouseMove(viewport, QPoint(160, 70))
    qtbot.mouseRelease(viewport, with_button, pos=QPoint(160, 70))
    qtbot.mouseMove(viewport, QPoint(200, 70))
    assert told == [f"pressed {hand}", (0.1, 0.0), (0.2, -0.1), "released"]
    told.clear()
    qtbot.mouseDClick(viewport, with_button, with_keys, QPoint(100, 100))
    assert told[-1] == f"reset {hand}"


def test_a_second_button_does_not_take_a_drag_over_nor_end_it(viewport, qtbot) -> None:
    viewport.show_frame(frame(1, quarters()))
    told = hands_over(viewport)
    qtbot.mousePress(viewport, Qt.MouseButton.RightButton, pos=QPoint(100, 100))
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.mouseMove(viewport, QPoint(130, 100))
    qtbot.mouseRelease(viewport, Qt.MouseButton.RightButton, pos=QPoint(130, 100))
    qtbot.mousePress(viewport, Qt.MouseButton.BackButton, pos=QPoint(100, 100))
    assert told == ["pressed orbit", (0.1, 0.0), "released"]


def test_the_wheel_and_keys_do_what_the_mouse_does(viewport, qtbot) -> None:
    viewport.show_frame(frame(1, quarters()))
    told = hands_over(viewport)
    turn_wheel(viewport, -240)
    qtbot.keyClicks(viewport, "+")
    assert told == [-2.0, 1.0]
    for keys, hand in (("NoModifier", "turn"), ("ShiftModifier", "move"), ("AltModifier", "orbit")):
        told.clear()
        qtbot.keyClick(viewport, Qt.Key.Key_Left, Qt.KeyboardModifier[keys])
        assert told == [f"pressed {hand}", (-0.02, 0.0), "released"]


def test_nothing_can_be_dragged_before_there_is_a_picture(viewport, qtbot) -> None:
    told: list[str] = []
    viewport.pressed.connect(told.append)
    for button in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
        qtbot.mouseClick(viewport, button)
    assert told == []
