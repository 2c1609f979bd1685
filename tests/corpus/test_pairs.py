from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from studio.corpus.corpus import Corpus
from studio.corpus.pairs import (
    CrossIdentityPairs,
    PositiveWithNegatives,
    SameClipPairs,
    first_good,
    share,
)
from studio.domain.problem import Problem
from tests.corpus.small_corpus import write_small_corpus


def test_every_clip_has_its_turn_in_every_round_and_every_good_frame_comes(corpus):
    pairs = SameClipPairs(corpus.split("train"), seed=1)
    assert pairs.round == 4
    seen: Counter[tuple[str, str, int]] = Counter()
    for turn in range(200):
        drawn = [pairs.at(turn * 4 + place) for place in range(4)]
        assert {pair.clip.name for pair in drawn} == {"ann0", "ann1", "bob0", "cat0"}
        for pair in drawn:
            assert pair.source != pair.driving
            seen.update([(pair.clip.name, "s", pair.source), (pair.clip.name, "d", pair.driving)])
    good = np.flatnonzero(corpus.clips[0].good).tolist()
    wanted = {(clip.name, kind, t) for clip in corpus.split("train") for kind in "sd" for t in good}
    assert set(seen) == wanted
    # 200 draws over 20 frames: ten each, and none three times as often as its share.
    assert max(seen.values()) < 30


def test_turns_do_not_always_come_in_one_order(corpus):
    pairs = SameClipPairs(corpus.split("train"))
    orders = {tuple(pairs.clip_at(4 * turn + place).name for place in range(4)) for turn in range(12)}
    assert len(orders) > 5


@pytest.mark.parametrize("kind", [SameClipPairs, lambda clips: PositiveWithNegatives(clips, negatives=5)])
def test_the_same_number_is_the_same_example_whoever_asks_and_when(corpus, made, kind):
    clips = corpus.split("train")
    first = [kind(clips).at(number) for number in range(50)]
    # Resumed at 30, with the clips listed in another order, from a corpus opened anew.
    resumed = kind(tuple(reversed(Corpus.open(made).split("train"))))
    assert [resumed.at(number) for number in range(30, 50)] == first[30:]
    assert [kind(clips).at(number) for number in reversed(range(50))] == first[::-1]
    other = type(first[0])
    assert isinstance(resumed.at(0), other)
    assert [SameClipPairs(clips, seed=9).at(n) for n in range(50)] != [
        SameClipPairs(clips, seed=8).at(n) for n in range(50)
    ]


@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_processes_share_each_step_without_rest(corpus, world):
    pairs = SameClipPairs(corpus.split("train"))
    for step in (0, 1, 7):
        numbers = [share(step, 6, rank, world) for rank in range(world)]
        assert sorted(np.concatenate(numbers).tolist()) == list(range(step * 6, step * 6 + 6))
        together = [pair for rank in range(world) for pair in pairs.step(step, 6, rank, world)]
        alone = pairs.step(step, 6)
        assert Counter(map(repr, together)) == Counter(map(repr, alone))


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="cannot be shared"):
        share(0, 5, 0, 2)
    with pytest.raises(ValueError, match="process 2 of 2"):
        share(0, 4, 2, 2)


def test_negatives_are_other_good_frames_of_the_same_clip(tmp_path):
    corpus = write_small_corpus(tmp_path / "c", {"ann": ("train", 1), "bob": ("train", 1)}, frames=40)
    contrasts = PositiveWithNegatives(corpus.clips)
    for number in range(20):
        one = contrasts.at(number)
        frames = [one.positive, *one.negatives]
        assert len(one.negatives) == 32
        assert len(set(frames)) == 33
        assert one.clip.good[frames].all()


def test_clips_too_short_for_an_example_are_named(corpus, tmp_path):
    with pytest.raises(Problem, match="33 good frames"):
        PositiveWithNegatives(corpus.clips)
    contrasts = PositiveWithNegatives(corpus.clips, negatives=19)
    assert contrasts.too_short == ()
    mixed = write_small_corpus(tmp_path / "c", {"zed": ("train", 1)}, frames=40).clips + corpus.clips
    contrasts = PositiveWithNegatives(mixed)
    assert [clip.name for clip in contrasts.too_short] == [clip.name for clip in corpus.clips]
    assert {contrasts.at(n).clip.name for n in range(9)} == {"zed0"}


def test_people_drive_others_and_never_somebody_of_the_other_side(corpus):
    held_out = corpus.split("held_out")
    pairs = CrossIdentityPairs(held_out, each=9)
    assert len(pairs) == 3  # each of three clips drives the one other person
    for pair in pairs:
        assert pair.source.identity != pair.driving.identity
        assert {pair.source.split, pair.driving.split} == {"held_out"}
        assert pair.source_frame == 1  # frame 0 is no good
    train = CrossIdentityPairs(corpus.split("train"), each=2, seed=3)
    assert len(train) == 8
    assert len({(p.driving.name, p.source.identity) for p in train}) == 8
    assert Counter(p.driving.name for p in train) == dict.fromkeys(["ann0", "ann1", "bob0", "cat0"], 2)
    assert list(train) == list(CrossIdentityPairs(corpus.split("train")[::-1], each=2, seed=3))


def test_every_person_is_shown_about_equally_often(tmp_path):
    people = {f"p{k}": ("train", 1) for k in range(7)}
    corpus = write_small_corpus(tmp_path / "c", people, frames=3)  # type: ignore[arg-type]
    shown = Counter(pair.source.identity for pair in CrossIdentityPairs(corpus.clips, each=3))
    assert shown == dict.fromkeys(people, 3)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_share_an_evaluation(corpus, world):
    pairs = CrossIdentityPairs(corpus.split("train"), each=2)
    mine = [pairs.mine(rank, world) for rank in range(world)]
    assert Counter(repr(pair) for part in mine for pair in part) == Counter(map(repr, pairs))


def test_one_person_alone_drives_nobody(tmp_path):
    corpus = write_small_corpus(tmp_path / "c", {"ann": ("train", 2)})
    with pytest.raises(Problem, match="at least two people"):
        CrossIdentityPairs(corpus.clips)


def test_slices_are_lists(corpus):
    pairs = CrossIdentityPairs(corpus.split("train"))
    assert pairs[1:3] == [pairs[1], pairs[2]]
    assert pairs[-1] == pairs[len(pairs) - 1]
    assert first_good(corpus.clips[0]) == 1
