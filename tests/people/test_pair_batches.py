"""Pairs as tensors: what is asked for, moved together with its keypoints, and light that both share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.pair_batches import Changes, PairPictures
from pipelines.people_loader import PeopleLoader
from pipelines.people_moments import moments_of
from pipelines.semantic_batches import PairBatches
from studio.corpus.careful import CarefulReading
from studio.corpus.pairs import Pair, SameClipPairs
from studio.head import builtin_head
from tests.people.moving_corpus import SIDE


@pytest.fixture
def batches(corpus, pairs):
    model = builtin_head()
    clips = corpus.split("train")
    moments = {clip.name: moments_of(clip, model) for clip in clips}
    loader = PeopleLoader(clips, SIDE, 1e9, 0, print)

    def make(changes: Changes, outlined: bool = False) -> PairBatches:
        pictures = PairPictures(pairs, loader, CarefulReading(print), changes, outlined)
        return PairBatches(pictures, moments, model)

    return make


@pytest.fixture
def pairs(corpus) -> SameClipPairs:
    return SameClipPairs(corpus.split("train"), 3)


def seen(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 127.5 - 1.0


def test_without_changes_they_are_the_corpus_pictures_and_numbers(batches, pairs):
    made = batches(Changes())
    batch = made.at([0, 7])
    for row, number in enumerate((0, 7)):
        pair = pairs.at(number)
        assert torch.allclose(batch.source[row], seen(pair.clip.picture(pair.source, SIDE)), atol=1e-6)
        assert torch.allclose(batch.driving[row], seen(pair.clip.picture(pair.driving, SIDE)), atol=1e-6)
        moments = moments_of(pair.clip, builtin_head())
        assert np.allclose(batch.source_keypoints[row], moments.keypoints[pair.source])
        assert np.allclose(batch.driving_keypoints[row], moments.keypoints[pair.driving])
        assert np.allclose(batch.code[row], moments.code[pair.driving])


def test_a_number_is_the_same_pair_whatever_it_comes_with(batches):
    made = batches(Changes(True, 0.1, 0.1))
    alone, together = made.at([5]), made.at([4, 5, 6])
    assert torch.allclose(alone.source[0], together.source[1], atol=1e-6)
    assert torch.equal(alone.code[0], together.code[1])


def test_the_outline_comes_along_and_takes_no_colour(batches):
    batch = batches(Changes(jitter=0.5), outlined=True).at(range(6))
    assert batch.source.shape[1] == 4
    assert batch.driving.shape[1] == 3
    assert torch.allclose(batch.source[:, 3], torch.ones(()))  # the made masks are full


def centre(picture: torch.Tensor) -> torch.Tensor:
    """``[2]`` where a disc before a grey wall is, -1..1."""
    wall = torch.tensor(110 / 127.5 - 1.0)
    weight = ((picture - wall).abs().amax(0) > 0.06).float()
    at = (2.0 * torch.arange(SIDE) + 1.0) / SIDE - 1.0
    return torch.stack([(weight.sum(0) * at).sum(), (weight.sum(1) * at).sum()]) / weight.sum()


@pytest.mark.parametrize("changes", [Changes(flip=True), Changes(zoom=0.25), Changes(True, 0.0, 0.25)])
def test_pictures_and_keypoints_move_together(batches, changes):
    """The way from source to driving frame is the disc's in the pictures and the head's in the keypoints."""
    batch = batches(changes).at(range(12))
    for row in range(12):
        # A disc that leaves the picture has its centre elsewhere than what is left of it.
        shown = torch.stack([batch.source[row], batch.driving[row]])
        rim = torch.cat([shown[..., 0], shown[..., -1], shown[..., 0, :], shown[..., -1, :]], -1)
        if (rim - (110 / 127.5 - 1.0)).abs().max() > 0.06:
            continue
        moved = centre(batch.driving[row]) - centre(batch.source[row])
        nose = batch.driving_keypoints[row, 0, :2] - batch.source_keypoints[row, 0, :2]
        assert torch.allclose(moved, nose, atol=0.06)


def test_half_of_them_are_mirrored_and_light_is_shared(batches):
    plain, changed = batches(Changes()).at(range(40)), batches(Changes(flip=True)).at(range(40))
    mirrored = [
        torch.allclose(a.flip(2), b, atol=1e-5) for a, b in zip(plain.source, changed.source, strict=True)
    ]
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(plain.source, changed.source, strict=True)]
    assert all(a or b for a, b in zip(mirrored, same, strict=True))
    assert 10 < sum(mirrored) < 30
    lit = batches(Changes(jitter=0.3)).at(range(4))
    wall = lit.source[:, :, 0, 0], lit.driving[:, :, 0, 0]
    assert torch.allclose(*wall, atol=1e-5)
    assert not torch.allclose(wall[0], plain.source[:4, :, 0, 0], atol=0.02)


def test_given_pairs_come_as_they_are(batches, pairs):
    pair = pairs.at(2)
    batch = batches(Changes(True, 0.3, 0.3)).fixed([Pair(pair.clip, 1, 2)])
    assert torch.allclose(batch.source[0], seen(pair.clip.picture(1, SIDE)), atol=1e-6)
