from __future__ import annotations

import pytest

from studio.corpus.careful import CarefulReading
from studio.corpus.corpus import Corpus
from studio.corpus.pairs import SameClipPairs
from studio.corpus.shards import Shard
from studio.domain.problem import Problem


def _spoil(folder, name):
    """Make one file of a shard unreadable."""
    for path in sorted((folder / "shards").glob("*.tar")):
        shard = Shard(path)
        if name in shard.names():
            with path.open("rb+") as file:
                file.seek(shard._index()[name][0])
                file.write(b"rubbish!")


def _read(pair):
    pair.clip.picture(pair.source)
    pair.clip.picture(pair.driving)
    return pair


def test_a_clip_that_cannot_be_read_is_told_once_and_done_without(breakable):
    for t in range(24):
        _spoil(breakable, f"bob0/{t:05d}.jpg")
    said: list[str] = []
    pairs = SameClipPairs(Corpus.open(breakable).split("train"), seed=2)
    careful = CarefulReading(said.append)
    taken = [careful.read(pairs, number, _read) for number in range(40)]
    assert len(said) == 1
    assert "bob0 is left out" in said[0]
    assert "damaged at bob0" in said[0]
    for number, pair in enumerate(taken):
        if pairs.clip_at(number).name == "bob0":
            assert pair.clip.name != "bob0"
        else:
            assert pair == pairs.at(number)
    assert {pair.clip.name for pair in taken} == {"ann0", "ann1", "cat0"}

    # Resumed at 20, the same examples stand in.
    again = CarefulReading(said.append)
    fresh = SameClipPairs(Corpus.open(breakable).split("train"), seed=2)
    assert [again.read(fresh, number, _read) for number in range(20, 40)] == taken[20:]


def test_a_missing_shard_costs_its_clips_only(breakable):
    (breakable / "shards/000.tar").unlink()  # ann0, ann1, bob0
    said: list[str] = []
    careful = CarefulReading(said.append)
    kept = careful.readable(Corpus.open(breakable).split("train"))
    assert [clip.name for clip in kept] == ["cat0"]
    assert [sentence.split()[0] for sentence in said] == ["ann0", "ann1", "bob0"]
    assert all("is missing" in sentence for sentence in said)
    pairs = SameClipPairs(Corpus.open(breakable).split("train"))
    assert {careful.read(pairs, number, _read).clip.name for number in range(9)} == {"cat0"}
    assert len(said) == 3


def test_with_nothing_left_it_says_so(breakable):
    for shard in (breakable / "shards").iterdir():
        shard.unlink()
    pairs = SameClipPairs(Corpus.open(breakable).split("train"))
    with pytest.raises(Problem, match=r"None of the 4 clips can be read.*missing"):
        CarefulReading(lambda sentence: None).read(pairs, 0, _read)
    with pytest.raises(Problem, match="no clip to learn from"):
        CarefulReading(lambda sentence: None).readable(Corpus.open(breakable).clips)


def test_other_mistakes_are_not_swallowed(corpus):
    def wrong(pair):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CarefulReading(lambda sentence: None).read(SameClipPairs(corpus.clips), 0, wrong)
