"""What was rendered is what is written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from pipelines.export_video import ExportSettings, export_request, export_video, stage_view
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.media import VideoWriter, probe, read_frames
from studio.media.provenance import PROVENANCE, read_comment

TINY = ExportSettings(size=64)


def test_every_state_becomes_a_frame_at_the_exact_rate(tmp_path, grey, grey_stage, motion):
    out = tmp_path / "film.mp4"
    rate = Fraction(30000, 1001)
    told = []
    grey.knows_coverage = False
    done = export_video(
        grey, motion(20, rate), grey_stage, out, TINY, progress=lambda d, t, _: told.append((d, t))
    )
    assert done.frames == 20
    info = probe(out)
    assert (info.width, info.height, info.rate, info.has_sound) == (64, 64, rate, False)
    shown = [frame.mean() for frame in read_frames(out)]
    assert np.allclose(shown, np.linspace(40, 200, 20).astype(int), atol=3)
    assert told[-1] == (20, 20)
    assert read_comment(out) == PROVENANCE


def test_png_frames_are_the_engines_bit_for_bit_at_full_quality(tmp_path, grey, grey_stage, motion):
    track = motion(6)
    export_video(grey, track, grey_stage, tmp_path / "shots", ExportSettings("png", size=64))
    assert [request.quality for request in grey.asked] == ["full"] * 6
    files = sorted((tmp_path / "shots").glob("frame_*.png"))
    assert len(files) == 6
    for number, file in enumerate(files):
        wanted = grey.render(export_request(track.state(number), grey_stage, 64))
        assert grey.asked[number] == wanted.request
        assert np.array_equal(np.asarray(Image.open(file)), wanted.image)


def test_coverage_and_opaque_colours_are_the_engines_too(tmp_path, grey, grey_stage, motion):
    track = motion(3)
    settings = ExportSettings("png", size=64, alpha="straight")
    export_video(grey, track, grey_stage, tmp_path / "shots", settings)
    for number, file in enumerate(sorted((tmp_path / "shots").glob("frame_*.png"))):
        frame = grey.render(export_request(track.state(number), grey_stage, 64))
        shown = np.asarray(Image.open(file)).astype(int)
        assert np.array_equal(shown[..., 3], frame.alpha)
        inside = frame.alpha == 255
        assert np.array_equal(shown[inside][:, :3], frame.image[inside])
        # The white background is gone from under the soft edge.
        soft = (frame.alpha > 20) & ~inside
        assert np.abs(shown[soft][:, 0] - int(track.values[number, 0])).max() < 12


def test_premultiplied_is_darker_by_coverage_under_soft_edges(tmp_path, grey, grey_stage, motion):
    track = motion(2)
    shown = {}
    for alpha in ("straight", "premultiplied"):
        out = tmp_path / f"{alpha}.mov"
        settings = ExportSettings("prores", size=64, quality="best", alpha=alpha)
        export_video(grey, track, grey_stage, out, settings)
        with av.open(str(out)) as file:
            frame = next(file.decode(video=0))
            shown[alpha] = frame.reformat(format="rgba", src_colorspace=1).to_ndarray().astype(float)
    cover = shown["straight"][..., 3:] / 255
    assert np.abs(shown["premultiplied"][..., 3:] - shown["straight"][..., 3:]).max() <= 1
    expected = shown["straight"][..., :3] * cover
    assert np.abs(shown["premultiplied"][..., :3] - expected).max() < 6
    assert (cover == 0).any()
    assert shown["premultiplied"][..., 0][cover[..., 0] == 0].max() <= 4


def test_an_avatar_whose_camera_moved_cannot_lose_its_background(tmp_path, grey, grey_stage, motion):
    grey.knows_coverage = False
    settings = ExportSettings("prores", size=64, alpha="straight")
    with pytest.raises(Problem, match="camera of this avatar's clip moved"):
        export_video(grey, motion(3), grey_stage, tmp_path / "film.mov", settings)
    assert not list(tmp_path.glob("*film*"))


def test_range_and_rate_choose_what_is_rendered(tmp_path, grey, grey_stage, motion):
    track = motion(20)
    settings = ExportSettings("png", size=64, range="5:9", rate="50")
    done = export_video(grey, track, grey_stage, tmp_path / "shots", settings)
    assert (done.frames, done.rate) == (10, 50)
    yaw = [request.state["yaw"] for request in grey.asked]
    assert np.allclose(yaw[::2], track.values[5:10, 0], atol=1e-4)
    assert np.allclose(yaw[1], track.values[5:7, 0].mean(), atol=0.5)


@pytest.mark.parametrize(
    ("settings", "delay"),
    [
        (TINY, 0.0),
        (ExportSettings(size=64, range="10:"), -0.4),
        (ExportSettings(size=64, range="0.2s:", rate="30"), -0.2),
        (ExportSettings(size=64, sound_offset=0.5), 0.5),
        (ExportSettings("prores", size=64, range="5:", sound_offset=-0.2), -0.4),
    ],
)
def test_the_sound_stays_with_the_motion(tmp_path, grey, grey_stage, motion, settings, delay):
    driver = tmp_path / "driver.mp4"
    click = _film_with_click(driver, 0.8)
    out = tmp_path / f"film{'.mov' if settings.codec == 'prores' else '.mp4'}"
    export_video(grey, motion(50), grey_stage, out, settings, sound_from=driver)
    assert _click_in(out) == pytest.approx(click + delay, abs=0.006)


def test_no_sound_and_another_sound(tmp_path, grey, grey_stage, motion):
    driver, other = tmp_path / "driver.mp4", tmp_path / "other.mp4"
    _film_with_click(driver, 0.3)
    click = _film_with_click(other, 0.6)
    out = tmp_path / "film.mp4"
    export_video(grey, motion(25), grey_stage, out, ExportSettings(size=64, sound=False), driver)
    assert not probe(out).has_sound
    export_video(grey, motion(25), grey_stage, out, ExportSettings(size=64, sound_file=other), driver)
    assert _click_in(out) == pytest.approx(click, abs=0.006)
    silent = tmp_path / "silent.mp4"
    with VideoWriter(silent, 64, 64, Fraction(25)) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(Problem, match="has no sound"):
        export_video(grey, motion(5), grey_stage, out, ExportSettings(size=64, sound_file=silent), driver)


def test_the_mark_is_drawn_only_when_asked_for(tmp_path, grey, grey_stage, motion):
    track = motion(1)
    export_video(
        grey, track, grey_stage, tmp_path / "marked", ExportSettings("png", size=256, watermark=True)
    )
    marked = np.asarray(Image.open(tmp_path / "marked" / "frame_000000.png"))
    plain = grey.render(export_request(track.state(0), grey_stage, 256)).image
    changed = (marked != plain).any(2)
    assert 0 < changed.mean() < 0.03
    assert not changed[:200].any()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (ExportSettings(size=63), "needs even sides: choose 62 or 64"),
        (ExportSettings(size=8), "8 pixels"),
        (ExportSettings("hevc", alpha="straight"), "choose prores or vp9 or png"),
        (ExportSettings("vp9", alpha="premultiplied"), "premultiplied colours: choose prores"),
        (ExportSettings(range="x"), "is no range"),
        (ExportSettings(rate="x"), "is no frame rate"),
        (ExportSettings(range="20:"), "shows nothing"),
        (ExportSettings(sound_offset=float("nan")), "cannot be moved"),
        (ExportSettings(sound_file=Path("gone.wav")), "no file"),
    ],
)
def test_settings_that_make_no_sense_write_nothing(tmp_path, grey, grey_stage, motion, settings, expected):
    with pytest.raises(Problem, match=expected):
        export_video(grey, motion(20), grey_stage, tmp_path / "film.mp4", settings)
    assert not list(tmp_path.glob("*film*"))
    assert not grey.asked


def test_an_interrupted_export_leaves_nothing(tmp_path, grey, grey_stage, motion):
    def stop(done, total, what):
        if done == 5:
            raise Interrupted

    for name, settings in (("x.mp4", TINY), ("shots", ExportSettings("png", size=64))):
        with pytest.raises(Interrupted):
            export_video(
                grey,
                motion(20),
                grey_stage,
                tmp_path / name,
                settings,
                progress=stop,
            )
    assert [each.name for each in tmp_path.iterdir() if each.name != "home"] == []


def test_the_stage_shows_the_same_at_any_size(grey_stage):
    view = stage_view(grey_stage, 512)
    corners = np.array([[0, 0], [512, 512]], np.float32)
    source = view.placement.inverse().apply(corners)
    assert np.allclose(source, grey_stage.placement.inverse().apply(corners / 2), atol=1e-3)


def _film_with_click(path: Path, seconds: float) -> float:
    """Two seconds of black at 25 frames/s with a click; when it sounds."""
    wave = np.zeros((1, 96000), np.int16)
    at = round(seconds * 48000)
    wave[0, at : at + 48] = 30000
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=25)
        video.width = video.height = 64
        voice = file.add_stream("aac", rate=48000, layout="mono")
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            frame.pts = number
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        part = av.AudioFrame.from_ndarray(wave, "s16", "mono")
        part.sample_rate, part.pts, part.time_base = 48000, 0, Fraction(1, 48000)
        resampler = av.AudioResampler("fltp", "mono", 48000, 1024)
        for each in [*resampler.resample(part), *resampler.resample(None)]:
            file.mux(voice.encode(each))
        file.mux(voice.encode(None))
    return _click_in(path)


def _click_in(path: Path) -> float:
    loudest = (0.0, 0.0)
    with av.open(str(path)) as file:
        for part in file.decode(audio=0):
            level = np.abs(part.to_ndarray().astype(float)).max(0)
            loudest = max(loudest, (float(level.max()), part.time + level.argmax() / part.sample_rate))
    return loudest[1]
