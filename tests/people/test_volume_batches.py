"""Pairs for volumes: cameras follow whatever happens to the pictures."""

from __future__ import annotations

import pytest
import torch

from pipelines.export3d_batches import FIRST_FACE, VolumeBatches, face_numbers, volume_moments
from pipelines.pair_batches import Changes, PairPictures
from pipelines.people_loader import PeopleLoader
from pipelines.people_moments import moments_of
from pipelines.semantic_batches import PairBatches
from studio.corpus.careful import CarefulReading
from studio.corpus.pairs import SameClipPairs
from studio.engines.semantic.keypoints import VERTICES
from studio.head import builtin_head
from studio.networks.volume.seeing import seen_at
from tests.people.moving_corpus import SIDE

NOSE = 4
"""MediaPipe's index of its tip."""


@pytest.fixture
def both(corpus):
    """The same pairs for volumes and for keypoints."""
    model = builtin_head()
    clips = corpus.split("train")
    pairs, loader = SameClipPairs(clips, 3), PeopleLoader(clips, SIDE, 1e9, 0, print)

    def make(changes: Changes) -> tuple[VolumeBatches, PairBatches]:
        pictures = PairPictures(pairs, loader, CarefulReading(print), changes)
        volumes = {clip.name: volume_moments(clip, model, SIDE) for clip in clips}
        keypoints = {clip.name: moments_of(clip, model) for clip in clips}
        return VolumeBatches(pictures, volumes, model, SIDE), PairBatches(pictures, keypoints, model)

    return make


@pytest.mark.parametrize(
    "changes", [Changes(), Changes(flip=True), Changes(zoom=0.25), Changes(True, 0.1, 0.25)]
)
def test_cameras_see_the_head_where_keypoints_are(both, changes) -> None:
    volumes, keypoints = both(changes)
    numbers = list(range(8))
    batch, told = volumes.at(numbers), keypoints.at(numbers)
    assert torch.equal(batch.source, told.source)
    assert torch.equal(batch.driving, told.driving)
    nose = VERTICES.index(NOSE)
    model = builtin_head()
    place = {int(vertex): row for row, vertex in enumerate(model.landmark_ids)}
    tip = model.pick_landmarks(model.template)[place[NOSE]]
    where = torch.from_numpy(tip).float().expand(len(numbers), 1, 3)
    for cameras, points in (
        (batch.source_cameras, told.source_keypoints),
        (batch.cameras, told.driving_keypoints),
    ):
        seen = 2.0 * seen_at(cameras, where)[:, 0] / SIDE - 1.0
        # Another face's nose is a little elsewhere on its head; nobody's is a tenth of the picture away.
        assert torch.allclose(seen, points[:, nose, :2], atol=0.1)


def test_a_mirror_turns_the_face_and_its_surface(both) -> None:
    plain, mirrored = both(Changes())[0].at(range(30)), both(Changes(flip=True))[0].at(range(30))
    turned = [
        row for row in range(30) if torch.allclose(plain.source[row].flip(2), mirrored.source[row], atol=1e-5)
    ]
    assert turned
    for row in turned:
        assert torch.allclose(plain.surface[row].flip(2), mirrored.surface[row])
        assert torch.allclose(
            plain.cameras.rotation[row, 2, 0], -mirrored.cameras.rotation[row, 2, 0], atol=1e-6
        )
        right, left, gaze = plain.expression[row, 53:56].tolist()
        assert mirrored.expression[row, 53:56].tolist() == pytest.approx([left, right, -gaze], abs=1e-6)


@pytest.mark.parametrize(("each", "batch"), [(16, 2), (6, 4), (3, 4), (0, 2)])
def test_pairs_that_teach_faces_are_shared_by_a_steps_pairs(each, batch) -> None:
    """None twice, none left out, and the same whichever process has which pair."""
    steps = 3
    whole = [face_numbers(range(step * batch, (step + 1) * batch), each, batch) for step in range(steps)]
    assert [len(faces) for faces in whole] == [each] * steps
    flat = [face for faces in whole for face in faces]
    assert flat == [FIRST_FACE + face for face in range(steps * each)]
    assert [face for number in range(steps * batch) for face in face_numbers([number], each, batch)] == flat


def test_pairs_say_what_the_source_shows(both) -> None:
    volumes, _ = both(Changes())
    mirrored, _ = both(Changes(flip=True))
    pairs = volumes.at([0, 1, 2])
    turned = mirrored.at([0, 1, 2])
    assert pairs.shown.shape == pairs.expression.shape == (3, 57)
    assert float((pairs.shown - pairs.expression).abs().max()) > 0.05
    # Jaw and lids look the same in a mirror, or change sides: both frames' alike.
    assert torch.allclose(pairs.shown[:, 50], turned.shown[:, 50], atol=1e-5)
    assert torch.allclose(pairs.expression[:, 50], turned.expression[:, 50], atol=1e-5)
