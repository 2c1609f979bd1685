from __future__ import annotations

import json
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.sequence import TrackedSequence
from studio.project.sequence_files import (
    MaskReader,
    MaskWriter,
    load_scores,
    load_sequence,
    new_sequence_folder,
    save_scores,
    save_sequence,
)


def made_up(frames: int = 7) -> TrackedSequence:
    random = np.random.default_rng(3)

    def some(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    return TrackedSequence(
        width=1080,
        height=1920,
        rate=Fraction(30000, 1001),
        landmarks=some(frames, 478, 3),
        crops=some(frames, 4),
        mask_boxes=some(frames, 4),
        flags=random.integers(0, 63, frames).astype(np.int32),
        sharpness=some(frames),
        head_model="builtin-1",
        identity=some(20),
        offset=some(478, 3),
        motion=HeadMotion(
            some(frames, 50), some(frames, 3), some(frames, 2), some(frames, 2), *[some(frames, 3)] * 2
        ),
        fit_error=some(frames),
        tracker="test-1",
    )


def saved(folder: Path) -> TrackedSequence:
    sequence = made_up()
    with new_sequence_folder(folder) as aside:
        save_sequence(aside, sequence)
    return sequence


def test_round_trip_is_exact(tmp_path: Path) -> None:
    folder = tmp_path / "clip 😀" / "tracked"
    sequence = saved(folder)
    loaded = load_sequence(folder)
    for field in fields(TrackedSequence):
        if field.name == "motion":
            for part in fields(HeadMotion):
                np.testing.assert_array_equal(
                    getattr(loaded.motion, part.name), getattr(sequence.motion, part.name)
                )
        else:
            np.testing.assert_array_equal(getattr(loaded, field.name), getattr(sequence, field.name))
    assert loaded.rate == Fraction(30000, 1001)
    assert loaded.flags.dtype == np.int32


def test_an_error_meanwhile_leaves_the_previous_version(tmp_path: Path) -> None:
    folder = tmp_path / "tracked"
    sequence = saved(folder)

    def interrupted() -> None:
        with new_sequence_folder(folder) as aside:
            (aside / "sequence.npz").write_bytes(b"half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    np.testing.assert_array_equal(load_sequence(folder).landmarks, sequence.landmarks)
    assert [path.name for path in tmp_path.iterdir()] == ["tracked"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_short_file_is_a_problem(tmp_path: Path, share: float) -> None:
    folder = tmp_path / "tracked"
    saved(folder)
    path = folder / "sequence.npz"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(Problem, match="damaged"):
        load_sequence(folder)


def test_flipped_bytes_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "tracked"
    saved(folder)
    path = folder / "sequence.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(Problem, match="damaged"):
        load_sequence(folder)


def test_arrays_of_another_length_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "tracked"
    saved(folder)
    document = json.loads((folder / "sequence.json").read_text())
    document["frames"] = 8
    (folder / "sequence.json").write_text(json.dumps(document))
    with pytest.raises(Problem, match="damaged"):
        load_sequence(folder)


def test_holes_in_the_numbers_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "tracked"
    saved(folder)
    with np.load(folder / "sequence.npz") as stored:
        arrays = dict(stored)
    arrays["landmarks"][3, 5, 1] = np.nan
    np.savez(folder / "sequence.npz", **arrays)
    with pytest.raises(Problem, match="damaged"):
        load_sequence(folder)


def test_a_newer_version_is_refused_kindly(tmp_path: Path) -> None:
    folder = tmp_path / "tracked"
    saved(folder)
    document = json.loads((folder / "sequence.json").read_text())
    assert document["schema_version"] == 1
    document["schema_version"] = 99
    (folder / "sequence.json").write_text(json.dumps(document))
    with pytest.raises(Problem, match="newer version"):
        load_sequence(folder)


def test_missing_files_are_problems(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="missing"):
        load_sequence(tmp_path)
    folder = tmp_path / "tracked"
    saved(folder)
    (folder / "sequence.npz").unlink()
    with pytest.raises(Problem, match="incomplete"):
        load_sequence(folder)


def test_masks_round_trip_in_any_order(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    masks = [random.integers(0, 256, (256, 256)).astype(np.uint8) for _ in range(5)]
    with MaskWriter(tmp_path) as writer:
        for mask in masks:
            writer.write(mask)
        assert len(writer) == 5
        with pytest.raises(ValueError, match="expected"):
            writer.write(masks[0][:100])
    with MaskReader(tmp_path) as reader:
        assert len(reader) == 5
        for number in (4, 0, 2):
            np.testing.assert_array_equal(reader.read(number), masks[number])
        with pytest.raises(IndexError):
            reader.read(5)


def test_damaged_masks_are_problems(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="missing"):
        MaskReader(tmp_path)
    with MaskWriter(tmp_path) as writer:
        writer.write(np.full((256, 256), 9, np.uint8))
    path = tmp_path / "masks.zip"
    data = bytearray(path.read_bytes())
    data[90] ^= 0xFF
    path.write_bytes(data)
    with MaskReader(tmp_path) as reader, pytest.raises(Problem, match="damaged"):
        reader.read(0)
    path.write_bytes(data[:50])
    with pytest.raises(Problem, match="damaged"):
        MaskReader(tmp_path)


def test_scores_round_trip_and_may_be_absent(tmp_path: Path) -> None:
    assert load_scores(tmp_path) is None
    values = np.random.default_rng(0).uniform(size=(6, 2)).astype(np.float32)
    save_scores(tmp_path, ("jawOpen", "eyeBlinkLeft"), values)
    loaded = load_scores(tmp_path)
    assert loaded is not None
    assert loaded[0] == ("jawOpen", "eyeBlinkLeft")
    np.testing.assert_array_equal(loaded[1], values)
    (tmp_path / "scores.npz").write_bytes(b"nothing")
    with pytest.raises(Problem, match="damaged"):
        load_scores(tmp_path)
