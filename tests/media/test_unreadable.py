"""Whatever is handed over as a video: a sentence, silence on stderr, and what can be read is read."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from studio.domain.problem import Problem
from studio.media import probe, read_frames, read_selected

FAST_START = {"movflags": "faststart"}


def sentence(problem):
    text = str(problem.value)
    assert text.endswith(".")
    assert 30 < len(text) < 260
    assert not re.search(r"Errno|Traceback|0x|avformat|\n", text)
    return text


def refuse(path, words):
    """Every door refuses, in words a person understands."""
    for door in (probe, lambda p: next(read_frames(p)), lambda p: next(read_selected(p, [0]))):
        with pytest.raises(Problem) as problem:
            door(path)
        assert words in sentence(problem)


@pytest.fixture(autouse=True)
def quiet(capfd):
    """No test here may let a library talk to the terminal."""
    yield
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_missing(tmp_path):
    refuse(tmp_path / "gone 🎬.mp4", "no file")


def test_folder(tmp_path):
    refuse(tmp_path, "is a folder")


def test_empty_file(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    refuse(path, "empty")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "list.m3u8", "-i.mp4", "concat:a|b.mp4"])
def test_text(tmp_path, name):
    path = tmp_path / name
    path.write_text("#EXTM3U\n#EXTINF:10,\nhttp://example.invalid/a.ts\nffconcat version 1.0\n" * 20)
    refuse(path, "cannot be read as a video")


def test_noise(tmp_path):
    path = tmp_path / "noise.mov"
    path.write_bytes(np.random.default_rng(0).bytes(200_000))
    refuse(path, "cannot be read as a video")


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "mkv"])
def test_sound_only(tmp_path, clip, suffix):
    path = clip(tmp_path / f"voice.{suffix}", [], sound=np.zeros(48000))
    refuse(path, "only sound")


def test_sound_with_a_cover_picture(tmp_path, clip):
    voice = clip(tmp_path / "voice.m4a", [], sound=np.zeros(48000))
    path = tmp_path / "cover.m4a"
    jpeg = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()
    with av.open(str(voice)) as source, av.open(str(path), "w", format="mp4") as target:
        sound = target.add_stream_from_template(source.streams.audio[0])
        cover = target.add_stream("mjpeg", options={})
        cover.width = cover.height = 64
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(jpeg)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        packet.time_base = Fraction(1, 1000)
        target.mux(packet)
        for each in source.demux(source.streams.audio[0]):
            if each.size:
                each.stream = sound
                target.mux(each)
    refuse(path, "only sound")


def test_video_without_frames(tmp_path, clip, spell):
    whole = clip(tmp_path / "whole.mkv", [spell(1)] * 3)
    path = tmp_path / "none.mkv"
    data = whole.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # up to the first Matroska cluster
    refuse(path, "cannot be read as a video")
    bare = tmp_path / "bare.mp4"
    with av.open(str(bare), "w", options={"movflags": "frag_keyframe+empty_moov"}) as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        file.start_encoding()
    refuse(bare, "no pictures")


def test_pictures_that_do_not_decode(tmp_path, clip, spell):
    whole = clip(tmp_path / "whole.mp4", [spell(1)] * 6, container=FAST_START)
    data = bytearray(whole.read_bytes())
    with av.open(str(whole)) as file:
        for packet in file.demux(video=0):
            if packet.size:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path = tmp_path / "void.mp4"
    path.write_bytes(data)
    refuse(path, "can be decoded")


def test_times_that_jump_by_days(tmp_path, clip, spell):
    stamps = [0, 33, 67, 100, 10**9]
    path = clip(
        tmp_path / "days.mkv", [spell(n) for n in range(5)], stamps=stamps, time_base=Fraction(1, 1000)
    )
    refuse(path, "times")


def test_index_cut_off(tmp_path, clip, spell):
    whole = clip(tmp_path / "whole.mp4", [spell(n) for n in range(30)])
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[:-200])
    refuse(path, "cut short")


def test_not_permitted(tmp_path, clip, spell, monkeypatch):
    path = clip(tmp_path / "secret.mp4", [spell(1)] * 3)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the administrator may read everything
        monkeypatch.setattr(
            Path, "open", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "denied"))
        )
    refuse(path, "may not be read")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipe_does_not_hang(tmp_path):
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    refuse(path, "not a regular file")


@pytest.mark.parametrize(("suffix", "container"), [("mp4", FAST_START), ("mkv", {}), ("webm", {})])
def test_cut_half_way_reads_what_is_there(tmp_path, clip, spell, spelled, suffix, container):
    rng = np.random.default_rng(1)
    pictures = [spell(n) // 2 + rng.integers(0, 60, (64, 64, 3)).astype(np.uint8) for n in range(100)]
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    options = {} if suffix == "webm" else {"g": "10"}
    whole = clip(tmp_path / f"whole.{suffix}", pictures, container=container, codec=codec, options=options)
    assert not probe(whole).truncated
    path = tmp_path / f"half.{suffix}"
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    info = probe(path)
    assert info.truncated
    assert "cut short" in info.warnings[0]
    assert 25 < info.frames < 75
    frames = list(read_frames(path))
    assert len(frames) == info.frames
    assert [spelled((f > 70) * np.uint8(255)) for f in frames[:-3]] == list(range(info.frames - 3))
    last = info.frames - 2
    assert np.array_equal(next(read_selected(path, [last]))[1], frames[last])


def test_damage_in_the_middle_keeps_every_later_frame_in_its_place(tmp_path, clip, spell, spelled):
    whole = clip(
        tmp_path / "whole.mp4",
        [spell(n) for n in range(60)],
        container=FAST_START,
        options={"g": "10", "bf": "0", "sc_threshold": "0"},
    )
    data = bytearray(whole.read_bytes())
    with av.open(str(whole)) as file:
        places = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    for pos, size in places[22:27]:
        data[pos : pos + size] = bytes(size)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    frames = list(read_frames(path))
    assert len(frames) == probe(path).frames == 60
    read = [spelled(frame) for frame in frames]
    assert read[:22] == list(range(22))
    assert read[30:] == list(range(30, 60))
    for number, picture in read_selected(path, [24, 45]):
        assert number == 24 or spelled(picture) == 45
