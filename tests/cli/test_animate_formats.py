"""``animate`` into every format, and exports as jobs of their own, with a real avatar."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import psutil
import pytest
from PIL import Image

from pipelines import runner
from pipelines.animate_avatar import track_from_file
from pipelines.build_job import avatars
from pipelines.export_job import export_job, read_export
from pipelines.export_settings import ExportSettings
from pipelines.export_video import export_request
from pipelines.job import read_status
from studio.engines.catalog import engine_spec
from studio.media import probe
from studio.media.provenance import PROVENANCE, read_comment
from studio.project.store import Store

ANN = "Ann Lee 🎬"


@pytest.fixture
def controls(tmp_path):
    file = tmp_path / "controls.json"
    keys = [{"time": 0, "yaw": -8}, {"time": 0.8, "yaw": 8, "smile": 0.5}]
    file.write_text(json.dumps({"rate": "25", "keyframes": keys}))
    return file


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("film.mp4", ["--codec", "hevc"]),
        ("film.mov", ["--codec", "prores", "--alpha", "straight"]),
        ("film.webm", ["--codec", "vp9", "--alpha", "straight", "--quality", "small"]),
    ],
)
def test_a_range_at_another_rate_in_any_format(ann, tmp_path, controls, name, words):
    out = tmp_path / name
    more = ["--range", "0.4s:", "--rate", "30", "--watermark", "--size", 96]
    said = ann("animate", ANN, "--controls", controls, "-o", out, *words, *more)
    assert said.code == 0
    info = probe(out)
    assert (info.width, info.rate, info.frames) == (96, Fraction(30), 12), "0.4 to 0.8 s"
    assert read_comment(out) == PROVENANCE


def test_png_pictures_are_those_of_the_engine_bit_for_bit(ann, home, tmp_path, controls):
    shots = tmp_path / "shots"
    words = ["animate", ANN, "--controls", controls, "-o", shots, "--codec", "png", "--size", 128]
    assert ann(*words).code == 0
    (avatar,) = avatars(Store(home).find(ANN))
    engine = engine_spec(avatar.engine).load(avatar)
    track = track_from_file(engine, controls)
    files = sorted(shots.glob("*.png"))
    assert len(files) == len(track) == 20
    for number in (0, 10, 19):
        frame = engine.render(export_request(track.state(number), avatar.stage, 128))
        assert np.array_equal(np.asarray(Image.open(files[number])), frame.image)
    engine.close()
    refused = ann(*words)
    assert refused.code == 2
    assert "add --overwrite" in refused.sentence
    (shots / "notes.txt").write_text("the only copy")
    refused = ann(*words, "--overwrite")
    assert refused.code == 2
    assert "holds other files" in refused.sentence
    assert len(list(shots.iterdir())) == 21


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-o", "out.webm"], "choose vp9"),
        (["-o", "out.mp4", "--alpha", "straight"], "choose prores or vp9 or png"),
        (["-o", "out.mp4", "--range", "5"], "is no range"),
        (["-o", "out.mp4", "--rate", "fast"], "is no frame rate"),
        (["-o", "out.mp4", "--sound-file", "gone.wav"], "no file"),
        (["-o", "shots.png", "--codec", "png"], "leave “.png” out"),
    ],
)
def test_what_does_not_go_together_is_said_at_once(ann, tmp_path, controls, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    said = ann("animate", ANN, "--controls", controls, *words)
    assert said.code == 2
    assert expected in said.sentence
    assert not list(tmp_path.glob("*out*"))


def test_an_export_killed_half_way_leaves_nothing_and_starts_over(home, ann, workers, tmp_path, controls):
    subject = Store(home).find(ANN)
    (avatar,) = avatars(subject)
    engine = engine_spec(avatar.engine).load(avatar)
    track = track_from_file(engine, controls)
    engine.close()
    long = replace(track, values=np.tile(track.values, (8, 1)))
    out = tmp_path / "out"
    out.mkdir()
    settings = ExportSettings(size=256, rate="50")
    job = export_job(subject, avatar, long, out / "film.mp4", settings)
    running = runner.start(job)

    def rendering(status):
        assert not status.over, status
        return status.what == "Rendering" and status.done > 20

    for _ in range(1200):
        if rendering(read_status(job)):
            break
        threading.Event().wait(0.05)
    assert running.process is not None
    children = psutil.Process(running.process.pid).children(recursive=True)
    running.process.kill()
    running.process.wait()
    assert read_status(job).state == "crashed"
    assert not (out / "film.mp4").exists()
    psutil.wait_procs(children, timeout=20)
    assert not (out / "film.mp4").exists()
    assert read_export(job).receipt is None
    status = runner.start(job).wait(limit=120)
    assert status.state == "finished"
    assert [each.name for each in out.iterdir()] == ["film.mp4"]
    assert probe(out / "film.mp4").frames == len(long) * 2
