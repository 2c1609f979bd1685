"""Bytes of a stream, and what gets through."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.people_variants import SEMANTIC_VARIANTS, varied
from pipelines.semantic_bitrate import lines_for
from pipelines.semantic_stream import Sent, coded_bytes, received, stream
from pipelines.semantic_training_settings import training_settings
from studio.domain.motion import HeadMotion
from studio.engines.semantic.keypoints import head_keypoints, semantic_code
from studio.engines.semantic.settings import semantic_settings
from studio.head import builtin_head


@pytest.fixture
def motion() -> HeadMotion:
    random = np.random.default_rng(0)
    moved = HeadMotion.neutral(30, np.array([300.0, 60.0, 64.0], np.float32))
    for values in (moved.expression, moved.jaw, moved.angles, moved.eyelids):
        values[:] = random.normal(0.0, 1.0, values.shape)
    return moved


@pytest.mark.parametrize(
    ("sent", "numbers"),
    [
        (Sent("keypoints", 16, 53), 16 * 3 + 53),
        (Sent("keypoints", 5, 0), 15),
        (Sent("head", 16, 53), 63),
        (Sent("head", 16, 3), 13),
    ],
)
def test_bytes_in_closed_form(motion, sent, numbers):
    model = builtin_head()
    person = np.zeros(model.identities, np.float32), np.zeros_like(model.template)
    keypoints = head_keypoints(model, *person, motion, 128.0)
    sent_numbers = stream(motion, keypoints, sent, model)
    assert sent.numbers == numbers
    assert sent.bytes == 2 * numbers
    assert sent_numbers.shape == (30, numbers)
    assert sent_numbers.dtype == np.float16


def test_the_jaw_goes_first_and_expression_from_its_first_on(motion):
    model = builtin_head()
    sent = stream(motion, np.zeros((30, 16, 3), np.float32), Sent("keypoints", 0, 5), model)
    code = semantic_code(motion, model)
    assert np.allclose(sent[:, :3], code[:, 50:], rtol=1e-3)
    assert np.allclose(sent[:, 3:], code[:, :2], rtol=1e-3)


def test_what_is_not_sent_is_neutral(motion):
    part = received(motion, Sent("head", 16, 8))
    assert np.allclose(part.jaw, motion.jaw, rtol=1e-3)
    assert np.allclose(part.expression[:, :5], motion.expression[:, :5], rtol=1e-3)
    assert not part.expression[:, 5:].any()
    assert np.allclose(part.camera, motion.camera, rtol=1e-3)
    nothing = received(motion, Sent("head", 16, 0))
    assert not nothing.jaw.any()
    assert not nothing.expression.any()
    assert np.allclose(nothing.angles, motion.angles, rtol=1e-3)
    assert motion.expression.any()


def test_entropy_coding_pays_for_what_changes():
    random = np.random.default_rng(0)
    noise = random.normal(size=(200, 10)).astype(np.float16)
    still = np.repeat(noise[:1], 200, 0)
    slow = (1.0 + 0.001 * np.cumsum(random.normal(size=(200, 10)), 0)).astype(np.float16)
    assert coded_bytes(still) < 1.0
    assert coded_bytes(still) < coded_bytes(slow) < coded_bytes(noise)
    assert coded_bytes(slow) < 14.0 < 20.0
    assert coded_bytes(noise[:, :0]) == 0.0


def test_lines_of_the_plot_fit_the_network():
    full = lines_for(semantic_settings("full", 256))
    assert [line.title for line in full] == [
        "keypoints alone",
        "keypoints, whole code",
        "16 keypoints, part of the code",
    ]
    assert full[0].sent[0] == Sent("keypoints", 5, 0)
    assert full[2].sent[-1] == full[1].sent[-1] == Sent("keypoints", 16, 53)
    small = lines_for(semantic_settings("small", 128))
    assert small[-1].title == "head, part of the code"
    for line in small:
        bytes_ = [sent.bytes for sent in line.sent]
        assert bytes_ == sorted(set(bytes_))


def test_every_variant_differs_from_the_full_method_and_is_a_network():
    from studio.engines.semantic.network import SemanticNetwork

    base = training_settings("small", 64)
    for name, changes in SEMANTIC_VARIANTS.items():
        variant = varied(base, changes)
        assert variant != base, name
        SemanticNetwork(variant.network)
    with pytest.raises(KeyError):
        varied(base, {"network.colour": 1})
