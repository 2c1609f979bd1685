from __future__ import annotations

import json
import multiprocessing
import pickle
import re
import subprocess
import sys
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from studio.corpus.clip_writer import write_clip
from studio.corpus.corpus import FILE, WORK, Corpus, make_corpus, write_corpus
from studio.corpus.remembered import Remembered
from studio.corpus.shards import Shard, ShardWriter, Unreadable
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from tests.corpus import small_corpus as made_up
from tests.corpus.small_corpus import SIDE, mask, picture, shade, write_small_corpus


def test_everything_comes_back(corpus):
    assert [clip.name for clip in corpus.clips] == ["ann0", "ann1", "bob0", "cat0", "dan0", "dan1", "eve0"]
    assert corpus.identities() == ("ann", "bob", "cat", "dan", "eve")
    assert corpus.identities("held_out") == ("dan", "eve")
    for number, clip in enumerate(corpus.clips):
        assert (len(clip), clip.rate, clip.side) == (24, Fraction(25), SIDE)
        for t in (0, 7, 23):
            assert np.abs(clip.picture(t)[:12].astype(int) - shade(number, t)).max() <= 3
            assert np.array_equal(clip.mask(t), mask(t))
        wanted = made_up.motion(number, 24)
        for field in fields(HeadMotion):
            assert np.array_equal(getattr(clip.motion, field.name), getattr(wanted, field.name))
        assert np.array_equal(clip.coefficients, np.full(4, number))
        assert np.array_equal(clip.offset, np.full((5, 3), np.float32(number / 1000)))
        assert np.array_equal(clip.landmarks[9], np.full((478, 3), number + 9))
        assert np.array_equal(np.flatnonzero(~clip.good), np.arange(0, 24, 7))
        assert np.array_equal(clip.numbers.frames, np.arange(100, 124))
        clip.check()


def test_frames_are_read_in_any_order(corpus):
    """Out of shards that lie on top of each other in time, frames come as they are asked for."""
    random = np.random.default_rng(0)
    for _ in range(60):
        number, t = int(random.integers(len(corpus.clips))), int(random.integers(24))
        assert np.abs(corpus.clips[number].picture(t)[3, 3].astype(int) - shade(number, t)).max() <= 3
        corpus.forget()
    with pytest.raises(IndexError):
        corpus.clips[0].picture(24)


def test_smaller_pictures_average_areas(tmp_path):
    clip = write_small_corpus(tmp_path / "c", {"ann": ("train", 1)}).clips[0]
    whole = clip.picture(3).astype(np.float64)
    quarter = clip.picture(3, SIDE // 4)
    wanted = whole.reshape(SIDE // 4, 4, SIDE // 4, 4, 3).mean((1, 3))
    assert quarter.shape == (SIDE // 4, SIDE // 4, 3)
    assert np.abs(quarter - wanted).max() <= 1
    assert np.array_equal(clip.mask(3, SIDE // 4)[0], [255, *[0] * 7])
    with pytest.raises(Problem, match="--side 64"):
        clip.picture(3, 64)


def test_reading_needs_no_tracker(made):
    """Neither torch nor mediapipe nor OpenCV: trainings start many processes that read."""
    program = f"""
import sys
from pathlib import Path
from studio.corpus.careful import CarefulReading
from studio.corpus.corpus import Corpus
from studio.corpus.pairs import SameClipPairs
corpus = Corpus.open(Path({str(made)!r}))
pair = SameClipPairs(CarefulReading(print).readable(corpus.clips)).at(3)
pair.clip.picture(pair.source, 8), pair.clip.mask(pair.driving), pair.clip.motion
heavy = [name for name in ("torch", "mediapipe", "cv2", "scipy", "numba", "av") if name in sys.modules]
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_read_cannot_be_written_into(corpus):
    with pytest.raises(ValueError):
        corpus.clips[0].picture(0)[0, 0] = 1


def test_a_person_is_on_one_side_only(corpus):
    fields_of = [
        {**_plain(clip), "split": "held_out" if clip.name == "ann1" else clip.split} for clip in corpus.clips
    ]
    with pytest.raises(ValueError, match="ann is both"):
        _again(corpus, fields_of)


def test_names_and_shards_must_fit(corpus):
    twice = [_plain(corpus.clips[0])] * 2
    with pytest.raises(ValueError, match="one name"):
        _again(corpus, twice)
    with pytest.raises(ValueError, match="not listed"):
        _again(corpus, [{**twice[0], "shard": "999.tar"}])


def _plain(clip):
    words = ("name", "identity", "split", "rate", "frames", "good_frames")
    more = ("shard", "checksum", "source", "source_bytes")
    return {word: getattr(clip, word) for word in (*words, *more)}


def _again(corpus, clips):
    return make_corpus(
        corpus.folder,
        side=SIDE,
        head_model="",
        tracker="",
        measure="",
        shards=corpus.shards,
        clips=clips,
        settings={},
        held_out=0.2,
    )


def test_equal_content_makes_equal_shards(tmp_path):
    write_small_corpus(tmp_path / "a")
    write_small_corpus(tmp_path / "b")
    for shard in ("000.tar", "001.tar"):
        assert (tmp_path / "a/shards" / shard).read_bytes() == (tmp_path / "b/shards" / shard).read_bytes()


def test_shards_are_taken_over_whole(made, tmp_path):
    with ShardWriter(tmp_path / "all.tar") as writer:
        for shard in ("000.tar", "001.tar"):
            writer.take_over(made / "shards" / shard)
    both = Shard(tmp_path / "all.tar")
    parts = [Shard(made / "shards" / shard) for shard in ("000.tar", "001.tar")]
    assert both.names() == parts[0].names() + parts[1].names()
    for part in parts:
        assert all(both.read(name) == part.read(name) for name in part.names())


def _look(clip, answers):
    answers.put([clip.picture(t)[3, 3].tolist() for t in range(8)])


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_processes_read_side_by_side(corpus, how):
    """A forked process must not move the place at which its parent reads."""
    if how not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {how} here")
    clip = corpus.clips[2]
    clip.picture(0)  # the parent has the shard open
    context = multiprocessing.get_context(how)
    answers = context.Queue()
    children = [context.Process(target=_look, args=(clip, answers)) for _ in range(2)]
    for child in children:
        child.start()
    corpus.clips[0].numbers  # noqa: B018 - reads while they do
    mine = [clip.picture(t)[3, 3].tolist() for t in range(8)]
    for _ in children:
        assert answers.get(timeout=60) == mine
    for child in children:
        child.join()
        assert child.exitcode == 0


def test_a_clip_can_be_sent_away(corpus):
    clip = corpus.clips[3]
    clip.picture(2)
    there = pickle.loads(pickle.dumps(clip))
    assert there == clip
    assert np.array_equal(there.picture(2), clip.picture(2))


def test_memory_is_bounded_and_the_last_asked_stays():
    made: list[str] = []

    def make(name):
        def value():
            made.append(name)
            return name, 40

        return value

    memory = Remembered(100)
    for name in "abacab":
        assert memory.get(name, make(name)) == name
    # a and b fit; c drives out b, which was not asked for longest; then b drives out c.
    assert made == ["a", "b", "c", "b"]
    assert memory.held == 80
    memory.get("huge", lambda: ("huge", 101))
    assert memory.held == 80


def test_a_corpus_keeps_to_its_memory(made):
    corpus = Corpus.open(made, memory=20_000)
    for clip in corpus.clips:
        for t in range(24):
            clip.picture(t)
    assert 0 < corpus._store._lately.held <= 20_000


def test_what_is_no_corpus_says_how_to_make_one(tmp_path):
    with pytest.raises(Problem, match=r"is no corpus.*prepare FOLDER_OF_CLIPS --out"):
        Corpus.open(tmp_path)
    (tmp_path / WORK).mkdir()
    with pytest.raises(Problem, match="is not finished"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 9'), "newer version"),
        (lambda text: text.replace('"identity"', '"idenity"'), "is damaged.*identity"),
        (lambda text: text.replace('"split": "train"', '"split": "both"'), "is damaged.*both"),
    ],
)
def test_a_damaged_document_is_told(breakable, change, said):
    file = breakable / FILE
    file.write_text(change(file.read_text()))
    with pytest.raises(Problem, match=said):
        Corpus.open(breakable)


def test_a_missing_shard_is_told(breakable):
    (breakable / "shards/001.tar").unlink()
    corpus = Corpus.open(breakable)
    corpus.clip("ann0").check()
    with pytest.raises(Unreadable, match=r"001\.tar is missing"):
        corpus.clip("dan1").picture(0)


@pytest.mark.parametrize("left", [0, 700, 20_000])
def test_a_shard_that_is_cut_short_is_told(breakable, left):
    shard = breakable / "shards/000.tar"
    shard.write_bytes(shard.read_bytes()[:left])
    with pytest.raises(Unreadable, match=rf"000\.tar is cut short \({left} of"):
        Corpus.open(breakable).clip("ann0").picture(0)


def test_a_shard_that_shrinks_while_it_is_read_is_told(breakable):
    corpus = Corpus.open(breakable)
    corpus.clip("ann0").picture(0)
    shard = breakable / "shards/000.tar"
    with shard.open("rb+") as file:
        file.truncate(4000)
    with pytest.raises(Unreadable, match="cut short"):
        corpus.clip("bob0").picture(20)


@pytest.mark.parametrize(
    "what", ["00003.jpg", "00003.mask.png", "motion.safetensors", "landmarks.safetensors"]
)
def test_one_wrong_bit_is_told(breakable, what):
    """JPEG has no checksum of its own: a wrong bit would be learnt from."""
    shard = Shard(breakable / "shards/000.tar")
    start, length = shard._index()[f"ann1/{what}"]
    with shard.path.open("rb+") as file:
        file.seek(start + length // 2)
        byte = file.read(1)[0]
        file.seek(start + length // 2)
        file.write(bytes([byte ^ 4]))
    corpus = Corpus.open(breakable)
    with pytest.raises(Unreadable, match=rf"damaged at ann1/{re.escape(what)}"):
        corpus.clip("ann1").check()
    corpus.clip("ann0").check()
    if what == "00003.jpg":
        corpus.clip("ann1").picture(2)
        with pytest.raises(Unreadable):
            corpus.clip("ann1").picture(3)


def test_a_header_of_rubbish_is_told(breakable):
    shard = breakable / "shards/000.tar"
    with shard.open("rb+") as file:
        file.write(b"\xff" * 512)
    with pytest.raises(Unreadable, match="is damaged"):
        Corpus.open(breakable).clip("ann0").picture(0)


def test_a_shard_of_another_corpus_is_told(breakable):
    write_small_corpus(breakable.parent / "other", {"zoe": ("train", 1)})
    (breakable.parent / "other/shards/000.tar").replace(breakable / "shards/000.tar")
    content = json.loads((breakable / FILE).read_text())
    content["shards"]["000.tar"] = 1
    (breakable / FILE).write_text(json.dumps(content))
    with pytest.raises(Unreadable, match="has no ann0/motion"):
        Corpus.open(breakable).clip("ann0").picture(0)


def test_a_corpus_is_written_as_it_was_read(corpus, breakable):
    copy = Corpus.open(breakable)
    before = (breakable / FILE).read_bytes()
    write_corpus(copy)
    assert (breakable / FILE).read_bytes() == before
    assert copy.clips == corpus.clips


@pytest.mark.parametrize("count", [2, 4])
def test_a_clip_takes_as_many_images_as_frames(tmp_path, count):
    numbers: dict[str, Any] = {
        "motion": made_up.motion(0, count),
        "coefficients": np.zeros(1, np.float32),
        "offset": np.zeros((1, 3), np.float32),
        "landmarks": np.zeros((count, 478, 3), np.float32),
        "flags": np.zeros(count, np.int32),
        "frames": np.arange(count, dtype=np.int32),
        "square": np.zeros(4, np.float32),
    }
    images = [(picture(0, t), mask(t)) for t in range(3)]
    with ShardWriter(tmp_path / "x.tar") as shard, pytest.raises(ValueError, match="images"):
        write_clip(shard, "x", images, **numbers)
