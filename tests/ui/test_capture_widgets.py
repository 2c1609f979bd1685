"""The parts of the capture page: frames by number, the strip, the map, the bars, the options."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor

from pipelines.coverage import Coverage, Gap
from pipelines.expression_reach import KINDS, ExpressionReach
from pipelines.frame_quality import FrameQuality, Verdict
from pipelines.setting_hints import setting_hints
from studio.domain.sequence import FLAG_SENTENCES, Flag
from studio.media import read_selected
from studio.project.people_files import PeopleInClip, SeenPerson
from studio.tracking.settings import TrackSettings
from ui import theme
from ui.bridge.clip_frames import ClipFrames, FilmFacts
from ui.pages.capture_people import FaceChoice
from ui.pages.capture_tracking import TrackOptions
from ui.widgets import clip_player
from ui.widgets.clip_player import ClipPlayer
from ui.widgets.coverage_bars import Advice, ExpressionBars
from ui.widgets.coverage_map import PoseMap
from ui.widgets.quality_legend import QualityLegend, next_of
from ui.widgets.quality_strip import QualityStrip

FRAMES = 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty frames of 96 × 64, each with its number as a bright column; a keyframe every twenty."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"g": "20", "crf": "10"}
        for number in range(FRAMES):
            picture = np.full((64, 96, 3), 40, np.uint8)
            picture[:, number + 10 : number + 14] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def number_in(pixels: np.ndarray) -> int:
    """Which frame a picture of the clip is."""
    return int(np.argmax(np.convolve(pixels[32, :, 0].astype(float), np.ones(4), "valid"))) - 10


def judged(verdicts: np.ndarray) -> FrameQuality:
    flags = np.zeros(len(verdicts), np.int32)
    flags[verdicts == Verdict.BLURRED] = int(Flag.BLURRED)
    flags[verdicts == Verdict.LOST] = int(Flag.NO_FACE)
    worth = np.select([verdicts == Verdict.GOOD, verdicts == Verdict.LOST], [1.0, 0.0], 0.3)
    return FrameQuality(verdicts.astype(np.int8), worth.astype(np.float32), flags)


def test_frames_come_by_their_numbers_in_any_order(qtbot, clip: Path) -> None:
    frames = ClipFrames()
    seen: list[tuple[int, np.ndarray]] = []
    frames.arrived.connect(lambda number, pixels: seen.append((number, pixels)))
    with qtbot.waitSignal(frames.opened, timeout=60_000) as opened:
        frames.open(clip)
    facts = opened.args[0]
    assert (facts.frames, facts.rate, facts.width, facts.height) == (FRAMES, Fraction(25), 96, 64)
    for wanted in (30, 29, 28, 3, 59, 400, 31):
        with qtbot.waitSignal(frames.arrived, timeout=60_000):
            frames.ask(wanted)
        number, pixels = seen[-1]
        assert number == min(wanted, FRAMES - 1)
        assert number_in(pixels) == number
        _, expected = next(iter(read_selected(clip, [number])))
        np.testing.assert_array_equal(pixels, cv2.cvtColor(expected, cv2.COLOR_RGB2BGRA))
    frames.close()


def test_the_newest_wish_wins_and_another_clip_forgets_all_wishes(qtbot, clip: Path) -> None:
    frames = ClipFrames()
    seen: list[int] = []
    frames.arrived.connect(lambda number, _: seen.append(number))
    with qtbot.waitSignal(frames.opened, timeout=60_000):
        frames.open(clip)
    for wanted in range(50):
        frames.ask(wanted)
    qtbot.waitUntil(lambda: 49 in seen, timeout=60_000)
    assert len(seen) < 50
    seen.clear()
    frames.ask(5)
    with qtbot.waitSignal(frames.opened, timeout=60_000):
        frames.open(clip)
    frames.ask(7)
    qtbot.waitUntil(lambda: 7 in seen, timeout=60_000)
    assert 5 not in seen
    frames.close()


def test_a_file_that_is_no_clip_says_so_and_the_next_one_plays(qtbot, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all")
    frames = ClipFrames()
    with qtbot.waitSignal(frames.failed, timeout=60_000) as failed:
        frames.open(broken)
    assert "broken.mp4" in str(failed.args[0])
    with qtbot.waitSignal(frames.opened, timeout=60_000):
        frames.open(clip)
    frames.close()


class Clock:
    """Time that goes on when told to."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now


def test_playing_keeps_the_clips_own_time_and_leaves_late_frames_out(
    qtbot, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(clip_player, "time", clock)
    player = ClipPlayer()
    qtbot.addWidget(player)
    shown: list[int] = []
    player.frame_changed.connect(shown.append)
    player.open(clip)
    qtbot.waitUntil(lambda: shown == [0], timeout=60_000)
    player.set_part(10, 40)
    player.play()
    qtbot.waitUntil(lambda: player.frame == 10, timeout=60_000)  # it stood outside of its part
    clock.now += 0.5  # late: the frames between are left out
    qtbot.waitUntil(lambda: player.frame == 22, timeout=60_000)
    assert 15 not in shown
    assert player.playing
    clock.now += 60
    qtbot.waitUntil(lambda: not player.playing and player.frame == 39, timeout=60_000)
    player.step(-1)
    qtbot.waitUntil(lambda: player.frame == 38, timeout=60_000)
    player.close_player()


def test_a_click_on_the_strip_jumps_and_its_ends_choose_a_part(qtbot) -> None:
    strip = QualityStrip()
    qtbot.addWidget(strip)
    strip.resize(620, 56)
    strip.show_clip(300, judged(np.zeros(300, np.int64)))
    strip.show()
    with qtbot.waitSignal(strip.sought) as sought:
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(int(strip.x_of(120.5)), 30))
    assert sought.args == [120]
    start = QPoint(int(strip.x_of(0)) - 4, 30)
    qtbot.mousePress(strip, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(strip, QPoint(round(strip.x_of(60)), 30))
    qtbot.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=QPoint(round(strip.x_of(60)), 30))
    assert strip.part == (60, 300)
    qtbot.mousePress(strip, Qt.MouseButton.LeftButton, pos=QPoint(int(strip.x_of(300)) + 4, 30))
    qtbot.mouseMove(strip, QPoint(0, 30))  # beyond the other end
    qtbot.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=QPoint(0, 30))
    assert strip.part == (60, 61)
    strip.show_frame(60)
    with qtbot.waitSignal(strip.sought) as sought:
        qtbot.keyClick(strip, Qt.Key.Key_Left)
    assert sought.args == [59]


def test_the_strip_shows_a_fault_in_its_colour_and_says_why(qtbot, qapp) -> None:
    theme.apply(qapp, "dark")
    verdicts = np.zeros(300, np.int64)
    verdicts[100:110], verdicts[200:210] = Verdict.BLURRED, Verdict.LOST
    strip = QualityStrip()
    qtbot.addWidget(strip)
    strip.resize(220, 56)  # fewer pixels than frames: a fault must not be lost between them
    strip.show_clip(300, judged(verdicts))
    strip.show_frame(0)
    strip.show()
    picture = strip.grab().toImage()
    ratio = picture.width() / strip.width()

    def colour_at(frame: float) -> str:
        return QColor(picture.pixel(int(strip.x_of(frame) * ratio), int(50 * ratio))).name()

    t = theme.tokens()
    assert (colour_at(50), colour_at(105), colour_at(205)) == (t.good, t.warn, t.bad)
    assert FLAG_SENTENCES[Flag.BLURRED] in strip.tip(105)
    assert "good" in strip.tip(50)


def test_the_legend_counts_and_goes_from_stretch_to_stretch(qtbot) -> None:
    verdicts = np.zeros(100, np.int64)
    verdicts[10:15] = verdicts[40:42] = Verdict.BLURRED
    quality = judged(verdicts)
    legend = QualityLegend()
    qtbot.addWidget(legend)
    legend.show_quality(quality)
    assert {verdict: made.text() for verdict, made in legend.buttons.items()} == {
        Verdict.GOOD: "93 good",
        Verdict.BLURRED: "7 blurred",
    }
    with qtbot.waitSignal(legend.wanted) as wanted:
        legend.buttons[Verdict.BLURRED].click()
    assert wanted.args == [int(Verdict.BLURRED)]
    assert [next_of(quality, Verdict.BLURRED, frame) for frame in (0, 10, 12, 40, 99)] == [10, 40, 40, 10, 10]
    assert next_of(quality, Verdict.LOST, 0) is None


def covered(gaps: int = 0) -> Coverage:
    frames = np.zeros((13, 9), np.int32)
    frames[9, 6] = 42  # yaw +25° to +35°, pitch +15° to +25°
    reach = tuple(ExpressionReach(kind, kind.usual * 0.3 * (n + 1)) for n, kind in enumerate(KINDS))
    edges = np.arange(-65, 66, 10, np.float32), np.arange(-45, 46, 10, np.float32)
    return Coverage(*edges, frames, reach, tuple(Gap(f"gap {n}", f"Do {n}.") for n in range(gaps)))


def test_the_map_has_each_pose_where_it_belongs(qtbot, qapp) -> None:
    theme.apply(qapp, "dark")
    poses = PoseMap()
    qtbot.addWidget(poses)
    poses.resize(340, poses.heightForWidth(340))
    poses.show_coverage(covered())
    poses.show()
    there, mirrored = poses.place(30, 20), poses.place(-30, 20)
    assert there.x() > poses.place(0, 0).x()  # the viewer's right is on the right
    assert there.y() < poses.place(0, 0).y()  # up is up
    assert "42 frames" in poses.tip(there.x(), there.y())
    assert "0 frames" in poses.tip(mirrored.x(), mirrored.y())
    assert poses.tip(1, 1) == ""
    picture = poses.grab().toImage()
    ratio = picture.width() / poses.width()
    seen, empty = (QColor(picture.pixel((p * ratio).toPoint())) for p in (there, mirrored))
    assert empty.name() == theme.tokens().raised
    assert seen.blue() > empty.blue() + 60


def test_bars_and_advice_say_what_to_record(qtbot) -> None:
    bars, advice = ExpressionBars(), Advice()
    qtbot.addWidget(bars)
    qtbot.addWidget(advice)
    bars.show_reach(covered().expressions)
    assert list(bars.bars) == [kind.id for kind in KINDS]
    first, second = bars.bars["mouth_open"], bars.bars["smile"]
    assert "30 %" in first.toolTip()
    assert KINDS[0].advice in first.toolTip()
    assert KINDS[1].advice not in second.toolTip()  # 60 % is enough
    assert "over 150 %" in bars.bars["eyes_up_down"].toolTip()
    advice.show_gaps(covered(gaps=7).gaps)
    advice.show()
    assert not advice.more.isHidden()
    assert advice.more.text() == "Show 3 more"
    qtbot.mouseClick(advice.more, Qt.MouseButton.LeftButton)
    assert advice.more.isHidden()
    assert "Do 6." in advice.sentences
    assert any("does not show gap 6" in sentence for sentence in advice.sentences)
    advice.show_gaps(())
    assert len([s for s in advice.sentences if s]) == 1
    assert "Nothing is missing" in advice.sentences[0]


def test_options_change_only_what_was_touched(qtbot) -> None:
    options = TrackOptions()
    qtbot.addWidget(options)
    settings = TrackSettings(smoothing=0.73, start=0.5, small_face=80)
    facts = FilmFacts(Path("a.mp4"), 300, Fraction(30000, 1001), 64, 64)
    changes: list[bool] = []
    options.changed_now.connect(changes.append)
    options.show_settings(settings, facts)
    assert options.wanted == settings
    assert changes[-1] is False
    options.set_part(30, 150)
    assert changes[-1] is True
    assert options.part_of(options.wanted) == (30, 150)
    assert options.wanted.small_face == 80
    options.set_part(0, 300)
    assert (options.wanted.start, options.wanted.end) == (0.0, None)
    options.set_person(2)
    options.hands.setChecked(False)
    options.smoothing.setValue(2.0)
    assert options.wanted == TrackSettings(
        person="2", smoothing=2.0, small_face=80, look_for_hands=False, start=0.0
    )
    options.take_back()
    assert options.wanted == settings
    assert options.smoothing.toolTip() == setting_hints(TrackSettings)["smoothing"]
    assert "tremble" in options.smoothing.toolTip()


def test_a_face_is_chosen_by_its_picture(qtbot) -> None:
    people = tuple(
        SeenPerson(number, share, 0, np.full((16, 16, 3), 90 * number, np.uint8))
        for number, share in ((0, 1.0), (1, 0.5))
    )
    faces = FaceChoice()
    qtbot.addWidget(faces)
    faces.show_people(PeopleInClip(people, 0))
    faces.show()
    assert [face.text() for face in faces.faces] == ["100 %", "50 %"]
    assert faces.faces[0].isChecked()
    with qtbot.waitSignal(faces.chosen) as chosen:
        qtbot.mouseClick(faces.faces[1], Qt.MouseButton.LeftButton)
    assert chosen.args == [1]
    assert not faces.faces[0].isChecked()
    faces.show_people(None)
    assert faces.faces == []
