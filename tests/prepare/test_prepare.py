from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import filelock
import numpy as np
import psutil
import pytest

from pipelines.cli import door, main
from pipelines.prepare_corpus import prepare_corpus
from studio.corpus.corpus import Corpus
from studio.domain.camera import Similarity, project
from studio.domain.problem import Problem
from studio.head import builtin_head
from studio.media import read_frames
from tests.prepare.conftest import SETTINGS

_ROOT = Path(door.__file__).parents[2]


def test_every_clip_is_there_or_accounted_for(run):
    corpus = run.done.corpus
    assert corpus == Corpus.open(corpus.folder)
    assert {clip.source for clip in corpus.clips} == {"ann.mp4", "more/bob 2.mp4", "two.mp4", "cut.mp4"}
    why = {one.source: one.why for one in corpus.left_out if one.whole}
    assert set(why) == {"one.mp4", "none.mp4", "small.mp4", "broken.mp4", "notes.txt"}
    assert "only 1 frame" in why["one.mp4"]
    assert "No face was found" in why["none.mp4"]
    assert "in 12 the face is too small" in why["small.mp4"]
    assert "pixels high, 77 are needed" in why["small.mp4"]
    assert "cannot be read as a video" in why["broken.mp4"]
    assert "no video" in why["notes.txt"]
    to_know = {one.source: one.why for one in corpus.left_out if not one.whole}
    assert "2 people are seen" in to_know["two.mp4"]
    assert "100 % of the frames" in to_know["two.mp4"]
    assert "cut where the picture jumps" in to_know["cut.mp4"]
    assert sorted(run.said) == sorted(
        f"{source}: {text}" for source, text in [*why.items(), *to_know.items()]
    )
    assert run.done.new == 8
    assert not (corpus.folder / "work").exists()


def test_names_are_plain_and_numbered(run):
    assert [clip.name for clip in run.done.corpus.clips] == ["ann", "cut", "cut+2", "more--bob-2", "two"]


def test_numbers_are_in_pixels_of_the_crop(run, clips):
    """What is true of the sample, seen through the square, is what the corpus says."""
    clip = run.done.corpus.clip("ann")
    frames = clip.numbers.frames
    placed = Similarity.from_array(clip.numbers.square).scaled(64)
    true = placed.apply(clips.truth.landmarks[frames])
    assert np.linalg.norm(clip.landmarks[..., :2] - true[..., :2], axis=-1).mean() < 1.0
    assert np.abs(clip.motion.angles - clips.truth.angles[frames])[clip.good].mean(0).max() < 4.0
    model = builtin_head()
    points = model.landmarks(clip.coefficients, clip.offset, clip.motion)
    drawn = project(points, clip.motion.angles, clip.motion.camera)
    assert np.linalg.norm(drawn[..., :2] - clip.landmarks[:, model.landmark_ids, :2], axis=-1).mean() < 0.3


def test_pictures_are_the_films(run, clips):
    clip = run.done.corpus.clip("ann")
    film = list(read_frames(clips.folder / "ann.mp4"))
    square = Similarity.from_array(clip.numbers.square).inverse()
    (left, top), (right, bottom) = square.apply(np.array([(0, 0), (1, 1)], np.float32))
    for t in (0, len(clip) // 2, len(clip) - 1):
        source = film[clip.numbers.frames[t]]
        # Slow and plain: eight samples along each side of each pixel, nearest neighbour, averaged.
        places = (np.arange(64 * 8) + 0.5) / (64 * 8)
        columns = (left + places * (right - left)).clip(0, 255).astype(int)
        rows = (top + places * (bottom - top)).clip(0, 255).astype(int)
        wanted = source[rows][:, columns].reshape(64, 8, 64, 8, 3).mean((1, 3))
        assert np.abs(clip.picture(t) - wanted).mean() < 3.0
        assert clip.mask(t)[28:36, 28:36].min() > 200
        assert clip.mask(t)[:4, :4].max() < 60


def test_squares_hold_the_face_and_are_not_shared_across_a_cut(run):
    first, second = run.done.corpus.clip("cut"), run.done.corpus.clip("cut+2")
    assert first.numbers.frames[-1] < 14 <= second.numbers.frames[0]
    assert not np.allclose(first.numbers.square, second.numbers.square)
    for clip in run.done.corpus.clips:
        points = clip.landmarks[clip.good]
        assert (points[..., :2] >= -0.5).all()
        assert (points[..., :2] <= 64.5).all()


def test_the_person_most_seen_is_taken(run):
    clip = run.done.corpus.clip("two")
    middle = Similarity.from_array(clip.numbers.square).inverse().apply(np.array([(0.5, 0.5)]))[0]
    assert middle[0] < 256  # the left one
    assert clip.good_frames >= 25


def test_people_are_split_and_nobody_is_on_both_sides(run):
    corpus = run.done.corpus
    sides = {(clip.identity, clip.split) for clip in corpus.clips}
    assert len(sides) == len(corpus.identities())
    assert {split for _, split in sides} == {"train", "held_out"}
    assert corpus.clip("cut").identity == corpus.clip("cut+2").identity
    assert "weak measure" in corpus.measure


def test_shards_are_many_and_whole(run):
    corpus = run.done.corpus
    assert len(corpus.shards) > 1
    for clip in corpus.clips:
        clip.check()


def _prints(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "prepare.lock"
    }


def test_what_is_done_is_no_new_work(run, clips, copied):
    _, out = copied
    before = _prints(out)
    again = prepare_corpus(clips.folder, out, SETTINGS, jobs=2)
    assert again.new == 0
    assert _prints(out) == before


def test_new_clips_are_added_and_those_gone_are_no_longer_listed(run, copied):
    folder, out = copied
    shards = {name: data for name, data in _prints(out).items() if name.endswith(".tar")}
    sides = {clip.name: clip.split for clip in run.done.corpus.clips}
    (folder / "cut.mp4").rename(folder / "later.mp4")
    (folder / "one.mp4").unlink()
    said: list[str] = []
    for number in range(13):
        (folder / f"page{number}.pdf").touch()
    done = prepare_corpus(folder, out, SETTINGS, say=said.append)
    assert done.new == 1
    names = [clip.name for clip in done.corpus.clips]
    assert names == ["ann", "later", "later+2", "more--bob-2", "two"]
    assert said[10:-1] == ["… and 3 more files that are no videos."]
    assert said[-1].startswith("later.mp4: ")
    assert {o.source for o in done.corpus.left_out if ".pdf" not in o.source} == {
        *("none.mp4", "small.mp4", "broken.mp4", "notes.txt", "two.mp4", "later.mp4")
    }
    for clip in done.corpus.clips:
        clip.check()
        if clip.name in sides:
            assert clip.split == sides[clip.name]
    kept = _prints(out)
    assert all(kept.get(name, data) == data for name, data in shards.items())
    assert {Path(name).name for name in kept if name.endswith(".tar")} == set(done.corpus.shards)


def test_a_list_by_hand_decides_and_stays(copied, tmp_path):
    folder, out = copied
    who = tmp_path / "who.txt"
    who.write_text("ann.mp4 Eileen\ncut.mp4 Eileen\ntwo.mp4 Eileen\nmore/bob 2.mp4 Bob\n")
    done = prepare_corpus(folder, out, SETTINGS, identities=who)
    people = {"ann": "Eileen", "cut": "Eileen", "cut+2": "Eileen", "two": "Eileen", "more--bob-2": "Bob"}
    assert {clip.name: clip.identity for clip in done.corpus.clips} == people
    who.unlink()
    later = prepare_corpus(folder, out, SETTINGS)
    assert later.corpus == done.corpus
    assert "2 people by a list" in later.corpus.measure


def test_other_settings_are_refused(copied):
    from dataclasses import replace

    folder, out = copied
    with pytest.raises(Problem, match="begun with another side"):
        prepare_corpus(folder, out, replace(SETTINGS, side=96))
    prepare_corpus(folder, out, replace(SETTINGS, held_out=0.4))


def test_two_runs_do_not_mix(copied):
    folder, out = copied
    with filelock.FileLock(out / "prepare.lock"), pytest.raises(Problem, match="Another run"):
        prepare_corpus(folder, out, SETTINGS)


def test_folders_that_will_not_do(tmp_path, clips):
    with pytest.raises(Problem, match="is no folder"):
        prepare_corpus(tmp_path / "none", tmp_path / "out", SETTINGS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Problem, match="no video in"):
        prepare_corpus(tmp_path / "empty", tmp_path / "out", SETTINGS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("…")
    with pytest.raises(Problem, match="holds other things"):
        prepare_corpus(clips.folder, tmp_path / "mine", SETTINGS)
    assert not (tmp_path / "out").exists()


def test_nothing_usable_is_said_and_not_tried_twice(tmp_path, clips, capfd):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "none.mp4").write_bytes((clips.folder / "none.mp4").read_bytes())
    for _ in range(2):
        assert main(["prepare", str(folder), "--out", str(tmp_path / "out"), "--side", "64"]) == 2
        said = capfd.readouterr().err.strip().splitlines()
        assert "Nothing can be learnt from any of the 1 videos. none.mp4: No face was found" in said[-1]
    assert not any(line.startswith("none.mp4:") for line in said[:-1])  # it was not tracked again


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    program = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill(victims: list[psutil.Process]) -> None:
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills by signals")
def test_kill_9_at_many_moments_and_the_same_command_goes_on(run, clips, tmp_path):
    """The command or its workers end without a word; what was done stays done, and the end is the same."""
    random = np.random.default_rng(5)
    out = tmp_path / "out"
    words = ["prepare", str(clips.folder), "--out", str(out), "--jobs", "2", "--side", "64"]
    words += ["--smallest-face", "1.2", "--fewest-frames", "8", "--held-out", "0.5", "--home", str(tmp_path)]

    def done() -> dict[str, float]:
        return {path.parent.name: path.stat().st_mtime for path in (out / "work").glob("*/cut.json")}

    before, moments = done(), set()
    for turn in range(30):
        process = _start(words)
        wanted = len(before) + int(random.integers(0, 3))
        while len(done()) < wanted and process.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1.5 if wanted == len(before) else 0.3))
        if process.poll() is None:
            if turn % 2:  # the workers first: the command starts others
                _kill(psutil.Process(process.pid).children(recursive=True))
                time.sleep(random.uniform(0, 2))
            whole = psutil.Process(process.pid)
            workers = whole.children(recursive=True)
            _kill([whole] if turn % 3 == 2 else [whole, *workers])
            # Workers that are left alone notice, and end.
            assert psutil.wait_procs(workers, timeout=60)[1] == []
        process.wait()
        if (out / "corpus.json").exists():
            break
        assert before.items() <= done().items()
        before = done()
        moments.add(len(before))
    assert main(words) == 0
    corpus = Corpus.open(out)
    alike = {clip.name: (clip.identity, clip.split, clip.frames, clip.checksum) for clip in corpus.clips}
    assert alike == {c.name: (c.identity, c.split, c.frames, c.checksum) for c in run.done.corpus.clips}
    for clip in corpus.clips:
        clip.check()
    assert {o.source for o in corpus.left_out} == {o.source for o in run.done.corpus.left_out}
    assert not (out / "work").exists()
    assert len(moments) >= 3, "the moments were spread over the work"


@pytest.mark.slow
def test_killed_while_packing_loses_nothing(clips, run, tmp_path, monkeypatch):
    """Ends after each single step of packing, one after the other."""
    import pipelines.prepare_corpus as whole
    from pipelines import pack_corpus

    class Ended(BaseException):
        pass

    steps = 0
    written = pack_corpus._write_shard

    def one_then_end(out, shard, members):
        nonlocal steps
        written(out, shard, members)
        steps += 1
        raise Ended

    monkeypatch.setattr(pack_corpus, "_write_shard", one_then_end)
    shards = len(run.done.corpus.shards)
    for turn in range(shards):
        with pytest.raises(Ended):
            prepare_corpus(clips.folder, tmp_path / "out", SETTINGS, jobs=2, shard_bytes=150_000)
        assert steps == turn + 1  # no shard is written twice
    monkeypatch.setattr(whole, "write_corpus", lambda corpus: (_ for _ in ()).throw(Ended))
    with pytest.raises(Ended):
        prepare_corpus(clips.folder, tmp_path / "out", SETTINGS, shard_bytes=150_000)
    monkeypatch.undo()
    done = prepare_corpus(clips.folder, tmp_path / "out", SETTINGS, shard_bytes=150_000)
    assert done.new == 8
    assert done.corpus.clips == run.done.corpus.clips
    for clip in done.corpus.clips:
        clip.check()


@pytest.mark.slow
def test_what_a_failing_disk_spoils_is_made_again(clips, run, tmp_path, monkeypatch):
    from pipelines import pack_corpus

    out = tmp_path / "out"
    monkeypatch.setattr(
        pack_corpus, "_write_shard", lambda out, shard, members: (_ for _ in ()).throw(OSError)
    )
    with pytest.raises(OSError):
        prepare_corpus(clips.folder, out, SETTINGS, jobs=2)
    monkeypatch.undo()
    spoilt = out / "work/cut/clips.tar"
    spoilt.write_bytes(spoilt.read_bytes()[:5000])
    with pytest.raises(Problem, match=r"made of cut is damaged and has been removed.*same command again"):
        prepare_corpus(clips.folder, out, SETTINGS)
    done = prepare_corpus(clips.folder, out, SETTINGS)
    assert [(c.name, c.checksum) for c in done.corpus.clips] == [
        (c.name, c.checksum) for c in run.done.corpus.clips
    ]
    for clip in done.corpus.clips:
        clip.check()


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [40, 250, 500])
def test_a_full_disk_is_told_and_the_same_command_goes_on(clips, run, tmp_path, kilobytes):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount a disk")
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    try:
        with pytest.raises(Problem, match="is full"):
            prepare_corpus(clips.folder, place / "corpus", SETTINGS, jobs=2)
        subprocess.run([*mount[:4], "remount,size=100m", *mount[5:]], check=True)
        done = prepare_corpus(clips.folder, place / "corpus", SETTINGS, jobs=2)
        assert {c.name for c in done.corpus.clips} == {c.name for c in run.done.corpus.clips}
        assert {o.source for o in done.corpus.left_out} == {o.source for o in run.done.corpus.left_out}
        done.corpus.forget()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_what_failed_through_the_machine_is_tried_again(copied):
    """A killed process, a defect: not the video was at fault."""
    folder, out = copied
    content = json.loads((out / "corpus.json").read_text())
    for one in content["left_out"]:
        if one["source"] == "none.mp4":
            one["again"] = True
    (out / "corpus.json").write_text(json.dumps(content))
    done = prepare_corpus(folder, out, SETTINGS)
    assert done.new == 1
    (again,) = [one for one in done.corpus.left_out if one.source == "none.mp4"]
    assert not again.again
