"""The export page with the real live picture and a real job: the file holds the frames of the viewport."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from PIL import Image
from PySide6.QtCore import Qt

from studio.domain.rendering import RenderRequest
from studio.domain.timeline import Curve, Keyframe, Timeline
from studio.media import probe, read_frames
from ui.bridge.live import stage_at

TURN = Timeline(Fraction(25), 5, {"yaw": Curve((Keyframe(0, -8.0, "linear"), Keyframe(4, 8.0, "linear")))})
PATIENCE = 120_000


def test_films_and_pictures_hold_what_the_viewport_showed(qtbot, window, subject, tmp_path):
    session = window.session
    session.open_subject(subject)
    session.open_timeline(TURN)
    window.show_page("export")
    page = window.page("export")
    form = page.form
    qtbot.waitUntil(lambda: page.motion.motion is not None, timeout=PATIENCE)
    form.side.setCurrentIndex(form.side.findData(256))
    form.quality.setCurrentIndex(form.quality.findData("best"))
    for codec, name in (("png", "shots"), ("h264", "film.mp4")):
        form.codec.setCurrentIndex(form.codec.findData(codec))
        form.file.setText(str(tmp_path / name))
        qtbot.mouseClick(page.export, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(page.export.isEnabled)
    rows = page.queue.rows
    qtbot.waitUntil(
        lambda: len(rows) == 2 and all(row.export.receipt for row in rows.values()), timeout=PATIENCE
    )
    assert probe(tmp_path / "film.mp4").rate == 25
    film = list(read_frames(tmp_path / "film.mp4"))
    shots = sorted((tmp_path / "shots").glob("*.png"))
    assert len(film) == len(shots) == 5
    live, track = session.live, page.motion.motion.track
    assert live.avatar is not None
    for number in (0, 4):
        wanted = RenderRequest(track.state(number), stage_at(live.avatar, 256), "full")
        live.ask(wanted)
        qtbot.waitUntil(lambda: live.frame.request == wanted, timeout=PATIENCE)  # noqa: B023
        seen = live.frame.image
        assert np.array_equal(np.asarray(Image.open(shots[number])), seen)
        assert np.abs(film[number].astype(int) - seen).mean() < 2.0
    assert np.abs(film[0].astype(int) - film[4]).mean() > 2.0, "the head turned"
