"""Every codec: what comes back when a written file is decoded by ffmpeg, colours, coverage and sound."""

from __future__ import annotations

import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from studio.domain.problem import Problem
from studio.media import CODECS, open_output, probe, refuse_name
from studio.media.encoder import program
from studio.media.provenance import PROVENANCE, provenance, read_comment

SIDE = 96
RATE = Fraction(30000, 1001)
NAMES = {"h264": "film.mp4", "hevc": "film.mp4", "prores": "film.mov", "vp9": "film.webm", "png": "shots"}
COLOUR_ERROR = {"h264": 4, "hevc": 4, "prores": 3, "vp9": 5, "png": 0}
COVER_ERROR = {"prores": 1, "vp9": 6, "png": 0}


def person(number: int) -> np.ndarray:
    """A disc of soft edge, moving right, in colours that change slowly; [SIDE, SIDE, 4] straight."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    cover = np.clip((30 - np.hypot(rows - 48, columns - 40 - 2 * number)) * 16 + 128, 0, 255)
    colour = np.stack([210 - columns // 2, 90 + rows // 2, np.full_like(rows, 60)], 2)
    return np.dstack([colour, cover]).astype(np.uint8)


def write(folder, codec, pictures, **more):
    path = folder / NAMES[codec]
    height, width = pictures[0].shape[:2]
    alpha = pictures[0].shape[2] == 4
    with open_output(path, width, height, RATE, codec, "best", alpha=alpha, **more) as output:
        for picture in pictures:
            output.write(picture)
    assert output.warnings == []
    return path


def decoded(path, codec, side=SIDE):
    """[T, side, side, 4] by ffmpeg's own conversion; WebM's coverage is seen by libvpx alone."""
    if codec == "png":
        files = sorted(path.glob("frame_*.png"))
        return np.stack([np.asarray(Image.open(file).convert("RGBA")) for file in files])
    reader = ["-c:v", "libvpx-vp9"] if codec == "vp9" else []
    scale = "scale=in_range=limited:out_range=full:in_color_matrix=bt709:flags=accurate_rnd+full_chroma_int"
    run = subprocess.run(
        [
            *(program(), "-loglevel", "error", *reader, "-i", f"file:{path}"),
            *("-vf", f"{scale},format=rgba", "-f", "rawvideo", "-pix_fmt", "rgba", "-"),
        ],
        check=True,
        capture_output=True,
    )
    return np.frombuffer(run.stdout, np.uint8).reshape(-1, side, side, 4)


@pytest.mark.parametrize("codec", list(CODECS))
def test_pictures_come_back_in_order_and_colour(tmp_path, codec):
    pictures = [np.ascontiguousarray(person(n)[..., :3]) for n in range(5)]
    shown = decoded(write(tmp_path, codec, pictures), codec)
    assert len(shown) == 5
    for seen, meant in zip(shown, pictures):
        assert np.abs(seen[..., :3].astype(int) - meant).max() <= COLOUR_ERROR[codec]
        assert (seen[..., 3] == 255).all()


@pytest.mark.parametrize("codec", [key for key, codec in CODECS.items() if "straight" in codec.alphas])
def test_straight_coverage_comes_back_with_full_colours(tmp_path, codec):
    pictures = [person(n) for n in range(5)]
    shown = decoded(write(tmp_path, codec, pictures), codec)
    assert len(shown) == 5
    for seen, meant in zip(shown, pictures):
        assert np.abs(seen[..., 3].astype(int) - meant[..., 3]).max() <= COVER_ERROR[codec]
        there = meant[..., 3] > 0
        assert np.abs(seen[there][:, :3].astype(int) - meant[there][:, :3]).max() <= COLOUR_ERROR[codec] + 1
        # Half covered pixels keep the person's colour: multiplied ones would be half as bright.
        soft = (meant[..., 3] > 60) & (meant[..., 3] < 190)
        assert soft.sum() > 20
        assert abs(seen[soft][:, 0].mean() - meant[soft][:, 0].mean()) < 3


@pytest.mark.parametrize("codec", ["hevc", "prores", "vp9"])
def test_files_keep_rate_colours_and_comment_with_sound_laid_under(tmp_path, clip, codec):
    driver = clip(
        tmp_path / "driver.mp4",
        [np.zeros((64, 64, 3), np.uint8)] * 30,
        sound=np.sin(np.arange(48000) / 20) * 0.3,
    )
    alpha = codec != "hevc"
    pictures = [person(n)[..., : 4 if alpha else 3].copy() for n in range(12)]
    path = write(tmp_path, codec, pictures, sound_from=driver, comment=provenance("a1b2"))
    info = probe(path)
    assert (info.rate, info.frames, info.has_sound) == (RATE, 12, True)
    assert read_comment(path) == f"{PROVENANCE} Export a1b2."
    with av.open(str(path)) as file:
        context = file.streams.video[0].codec_context
        # Matrix, primaries, curve and limited range are BT.709's.
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )
        if codec == "hevc":
            assert context.codec_tag == "hvc1"
        length = sum(part.samples / part.sample_rate for part in file.decode(audio=0))
    assert length == pytest.approx(12 / RATE, abs=0.05)
    if alpha:
        last = decoded(path, codec)[-1]
        assert np.abs(last[..., 3].astype(int) - pictures[-1][..., 3]).max() <= COVER_ERROR[codec]


def test_a_sound_file_without_pictures_may_lie_under_them(tmp_path, clip):
    sound = np.zeros(48000)
    sound[12000:12048] = 0.95
    voice = clip(tmp_path / "voice.wav", [], sound=sound, sound_codec="pcm_s16le")
    pictures = [np.zeros((64, 64, 3), np.uint8)] * 25

    def loudest(start):
        path = tmp_path / "out.mp4"
        with open_output(path, 64, 64, Fraction(25), sound_from=voice, sound_start=start) as output:
            for picture in pictures:
                output.write(picture)
        with av.open(str(path)) as file:
            best = (0.0, 0.0)
            for part in file.decode(audio=0):
                level = np.abs(part.to_ndarray()).max(0)
                best = max(best, (float(level.max()), part.time + level.argmax() / part.sample_rate))
        return best[1]

    assert loudest(Fraction(0)) == pytest.approx(0.25, abs=0.006)
    assert loudest(Fraction(1, 10)) == pytest.approx(0.15, abs=0.006)
    assert loudest(Fraction(-3, 10)) == pytest.approx(0.55, abs=0.006), "the sound comes later"


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("film.mp4", "vp9", r"end in \.webm; choose h264"),
        ("film.webm", "h264", "choose vp9"),
        ("film.avi", "prores", r"end in \.mov"),
        ("still.png", "h264", "choose png and a folder for pictures"),
        ("film.png", "png", "leave “.png” out"),
        ("nowhere/film.mp4", "h264", "no folder"),
        ("nowhere/shots", "png", "no folder"),
        ("", "hevc", "is a folder"),
    ],
)
def test_names_that_do_not_suit(tmp_path, name, codec, expected):
    with pytest.raises(Problem, match=expected):
        refuse_name(tmp_path / name, CODECS[codec])
    assert [each.name for each in tmp_path.iterdir() if each.name != "home"] == []


def test_coverage_is_refused_where_it_would_be_lost(tmp_path):
    with pytest.raises(ValueError):
        open_output(tmp_path / "film.mp4", 64, 64, RATE, "h264", alpha=True)
    assert not list(tmp_path.glob(".film*"))


def test_what_made_a_file_is_unknown_for_files_of_others(tmp_path, clip):
    plain = clip(tmp_path / "plain.mp4", [np.zeros((64, 64, 3), np.uint8)] * 2)
    assert read_comment(plain) == ""
    (tmp_path / "text.mp4").write_text("no video")
    assert read_comment(tmp_path / "text.mp4") == ""
    (tmp_path / "empty").mkdir()
    assert read_comment(tmp_path / "empty") == ""
