"""The whole way through the real window: clip, pivots, avatar, sliders, keyframes, films; and all of it again
after the window was closed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from pipelines.build_job import avatars
from studio.media import probe, read_frames
from tests.ui.story import LEFT, Story, opened, pictures

NAME = "Eileen"
SIDE = 256
"""Of the viewport and of the films, pixels."""


@pytest.fixture(scope="session")
def clip(filled_home: Path) -> Path:
    """Six seconds of the bundled sample, as somebody's phone would have left them."""
    return filled_home.parent / "sample.mp4"


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


def pose(story: Story) -> None:
    """Turn the head with the mouse and the smile with the keyboard; the picture follows."""
    page = story.shown
    before = posed(story)
    story.drag_slider(page.controls.row("yaw"), 15.0)
    assert page.model.value("yaw") == pytest.approx(15.0, abs=2.0)
    smile = page.controls.row("smile")
    smile.setFocus()
    for _ in range(4):
        story.qtbot.keyClick(smile, Qt.Key.Key_PageUp)
    assert page.model.value("smile") > 0.2
    after = posed(story)
    assert page.viewport.frame.request.state["yaw"] == pytest.approx(page.model.value("yaw"), abs=1e-4)
    assert np.abs(after.astype(int) - before).mean() > 2


def posed(story: Story) -> np.ndarray:
    """The best picture of the pose as it is now, as large as the viewport: ``[H, W, 3]``."""
    page = story.shown

    def drawn() -> bool:
        frame = page.viewport.frame
        return (
            frame is not None
            and frame.request.quality == "full"
            and frame.request.state == page.posing.state()
            and max(frame.image.shape) == page.viewport.device_side()
        )

    story.until(drawn)
    return np.array(page.viewport.frame.image)


def animate(story: Story) -> tuple[dict[str, tuple[int, ...]], list[np.ndarray]]:
    """Two curves of a few keyframes in a short timeline. Returns where they are, and every frame as shown."""
    page = story.page("Timeline")
    story.until(lambda: page.isEnabled() and page.model.sheet.controls)
    page.viewport.setFixedSize(SIDE, SIDE)
    story.write(page.bar.length, "0.4", Qt.Key.Key_Return)
    assert page.model.timeline.length == 12
    for name, first, last in (("yaw", 1, 10), ("smile", 2, 9)):
        begun = page.model.playhead
        story.write(page.list.search, page.model.knob(name).label, Qt.Key.Key_Return)
        assert page.model.names == (name,)
        # From low in the plot to high in it.
        low, high = (page.editor.drawing.shown(name).value(share) for share in (0.1, 0.9))
        for frame, value in ((first, low), (last, high)):
            place = page.editor.place_of(name, frame, value).toPoint()
            story.qtbot.mouseDClick(page.editor.viewport(), LEFT, pos=place)
            story.qtbot.mouseRelease(page.editor.viewport(), LEFT, pos=place)
        curve = page.model.timeline.curves[name]
        assert set(curve.frames) == {begun, first, last}
        assert curve.at(last).value == pytest.approx(high, abs=0.05 * (high - low))
    shown = [story.still(page, frame) for frame in range(page.model.timeline.length)]
    assert all(picture.shape == (SIDE, SIDE, 3) for picture in shown)
    story.until(lambda: not page.saver.busy)
    return {name: curve.frames for name, curve in page.model.timeline.curves.items()}, shown


def test_from_a_clip_to_films_of_what_was_seen_and_back_again(qtbot, qapp, home, clip, tmp_path) -> None:
    frames, film = tmp_path / "frames", tmp_path / "film.mp4"
    with opened(qtbot, qapp, home) as story:
        story.bring_in(clip, NAME)
        story.until(lambda: any("good" in words.text() for words in story.window.findChildren(QLabel)))
        story.press("Build an avatar")
        story.until(lambda: story.window.shown == "train")
        story.build_instant()
        pose(story)
        keys, shown = animate(story)

        story.export(frames, "png", SIDE)
        written = pictures(frames)
        assert len(written) == len(shown) == 12
        for seen, kept in zip(shown, written):
            assert np.array_equal(seen, kept)
        assert np.abs(shown[0].astype(int) - shown[-1]).mean() > 2

        story.export(film, "h264", SIDE)
        queue = story.shown.queue
        story.until(lambda: [row.state for row in queue.rows.values()] == ["finished"] * 2)
        info = probe(film)
        assert (info.width, info.height, info.rate) == (SIDE, SIDE, Fraction(30))
        decoded = list(read_frames(film))
        assert len(decoded) == len(shown)
        for seen, kept in zip(shown, decoded):
            assert psnr(seen, kept) > 35

    with opened(qtbot, qapp, home) as story:
        subject, avatar = story.session.subject, story.session.avatar
        assert subject is not None
        assert subject.name == NAME
        assert subject.consent == "This is my own face."
        assert avatar is not None
        assert avatar.engine == "instant"
        assert [found.folder for found in avatars(subject)] == [avatar.folder]
        library = story.page("Library")
        story.until(lambda: [card.chips for card in library.cards.values()] == [("Instant",)])
        train = story.page("Train")
        story.until(train.pivots.grid.frames)
        timeline = story.page("Timeline")
        story.until(lambda: not timeline.model.timeline.empty)
        assert {n: c.frames for n, c in timeline.model.timeline.curves.items()} == keys
        timeline.viewport.setFixedSize(SIDE, SIDE)
        assert np.array_equal(story.still(timeline, 7), shown[7])
        queue = story.page("Export").queue
        story.until(lambda: len(queue.rows) == 2)
        assert {row.state for row in queue.rows.values()} == {"finished"}
