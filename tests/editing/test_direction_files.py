"""Files of directions: every layout read, everything else refused in a sentence, nothing run."""

from __future__ import annotations

import hashlib
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from studio.domain.problem import Problem
from studio.editing import direction_files
from studio.editing.catalog import METHODS
from studio.editing.direction_files import DirectionFileWish, Known, read_direction
from tests.editing.small_people import LinearPerson, TinyPerson, cosine, rows_of_edit, workplace

ROW = np.linspace(-1.0, 2.0, 12)
ROWS = np.random.default_rng(0).normal(size=(8, 12))


def find(path: Path, folder: Path, person=None, **wish):
    spec = METHODS["direction-file"]
    return spec.find(person or TinyPerson(1), DirectionFileWish(path, **wish), workplace(folder))


WRITERS = {
    "npy": np.save,
    "npz": lambda path, array: np.savez(path, direction=array),
    "packed.npz": lambda path, array: np.savez_compressed(path, direction=array),
    "safetensors": lambda path, array: save_file({"direction": np.ascontiguousarray(array)}, path),
    "pt": lambda path, array: torch.save(torch.tensor(array), path),
    "dict.pt": lambda path, array: torch.save({"direction": torch.tensor(array)}, path),
    "old.pt": lambda path, array: torch.save(torch.tensor(array), path, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    "array",
    [ROW, ROW[None], ROWS, ROWS[:, None], ROWS[None], np.asfortranarray(ROWS).astype(np.float32)],
    ids=["vector", "row", "rows", "rows apart", "batch", "fortran float32"],
)
def test_every_layout_gives_the_same_direction(kind, array, tmp_path) -> None:
    path = tmp_path / f"a direction.{kind}"
    WRITERS[kind](path, array)
    found = read_direction(path)
    expected = (ROW[None] if array.size == 12 else ROWS).astype(np.float32)
    assert np.array_equal(found.rows, expected)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_names_do_not_matter_but_content_does(tmp_path) -> None:
    np.save(tmp_path / "one.npy", ROW)
    (tmp_path / "one.npy").rename(tmp_path / "one.pt")
    assert np.array_equal(read_direction(tmp_path / "one.pt").rows, ROW[None].astype(np.float32))


@pytest.mark.parametrize("shape", [(5, 12), (5, 1, 12)])
def test_components_of_ganspace_are_one_deviation_long(shape, tmp_path) -> None:
    chance = np.random.default_rng(2)
    comp, std = chance.normal(size=shape), np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    path = tmp_path / "pca.pt"
    torch.save({"mean": torch.zeros(1, 12), "comp": torch.tensor(comp), "std": torch.tensor(std)}, path)
    for k in (1, 3):
        found = read_direction(path, component=k)
        assert np.allclose(found.rows, comp[k - 1].reshape(1, 12) * std[k - 1])
        assert found.title == f"pca: component {k}"
    with pytest.raises(Problem, match="5 components, so there is none of number 6"):
        read_direction(path, component=6)
    torch.save({"comp": torch.tensor(comp), "std": torch.ones(4)}, path)
    with pytest.raises(Problem, match=r"\[5, .*12\] and deviations of shape \[4\], which do not belong"):
        read_direction(path)


def test_one_of_several_is_named(tmp_path) -> None:
    path = tmp_path / "many.npz"
    np.savez(path, age=ROW, smile=2.0 * ROW)
    assert np.allclose(read_direction(path, "smile").rows, 2.0 * ROW)
    assert read_direction(path, "smile").name == "many_smile"
    with pytest.raises(Problem, match="several arrays: name one of age, smile"):
        read_direction(path)
    with pytest.raises(Problem, match="no array named 'beard': it has age, smile"):
        read_direction(path, "beard")


class Malice:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Each bad file by name, with what its sentence must say."""
    made: dict[str, tuple[Path, str]] = {}

    def put(name: str, content: bytes, sentence: str) -> None:
        (folder / name).write_bytes(content)
        made[name] = folder / name, sentence

    def save(name: str, array: np.ndarray, sentence: str) -> None:
        np.save(folder / name, array, allow_pickle=True)
        made[name] = folder / name, sentence

    nan, infinite = ROW.copy(), ROW.copy()
    nan[3], infinite[3] = np.nan, 1e200
    save("nan.npy", nan, "not numbers")
    save("huge numbers.npy", infinite, "not numbers, or too large")
    save("zero.npy", np.zeros(12), "zero everywhere")
    save("number.npy", np.array(3.0), r"shape \[\]")
    save("cube.npy", np.ones((2, 8, 12)), r"shape \[2, 8, 12\]")
    save("empty.npy", np.ones((0, 12)), r"shape \[0, 12\]")
    save("words.npy", np.array(["a", "b"]), "no numbers")
    save("truth.npy", np.array([True, False]), "no numbers")
    save("objects.npy", np.array([Malice(folder / "ran"), 1], object), "Python objects")
    np.savez(folder / "objects.npz", a=np.array([Malice(folder / "ran"), 1], object))
    made["objects.npz"] = folder / "objects.npz", r"objects.npz \(a.npy\) holds Python objects"
    put("malice.pt", pickle.dumps(Malice(folder / "ran")), "asks to run or make .*system.* nothing was run")
    torch.save({"direction": torch.tensor(ROW), "more": Malice(folder / "ran")}, folder / "zip malice.pt")
    made["zip malice.pt"] = folder / "zip malice.pt", "asks to run or make"
    put("record.pt", pickle.dumps({"words": "only"}), "holds no arrays")
    put("text.npy", b"0.1 0.2 0.3\n" * 50, "no file of directions")
    put("nothing.npy", b"", "no file of directions")
    put("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "no file of directions")
    whole = folder / "whole.npy"
    np.save(whole, ROW)
    put("short.npy", whole.read_bytes()[:-8], "damaged .npy file .*cut short")
    promise = whole.read_bytes().replace(b"(12,)", b"(9**9,)")
    put("calls.npy", promise, "damaged .npy file")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,), }".ljust(117) + b"\n"
    put("bomb.npy", b"\x93NUMPY\x01\x00\x76\x00" + header, "damaged .npy file .*cut short")
    with zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(direction_files.LARGEST + 1))
    made["bomb.npz"] = folder / "bomb.npz", "unpacks to far more"
    with zipfile.ZipFile(folder / "notes.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    made["notes.npz"] = folder / "notes.npz", "archive without arrays"
    np.savez(folder / "damaged.npz", a=ROWS)
    data = bytearray((folder / "damaged.npz").read_bytes())
    data[300] ^= 0xFF
    put("damaged.npz", bytes(data), "is damaged")
    put("short.npz", bytes(data[:200]), "damaged archive")
    put("tensors.safetensors", (40).to_bytes(8, "little") + b"{" + bytes(60), "damaged .safetensors")
    torch.save(torch.tensor(ROW), folder / "short.pt")
    put("short.pt", (folder / "short.pt").read_bytes()[:-100], "damaged archive")
    with (folder / "large.npy").open("wb") as file:
        file.truncate(direction_files.LARGEST + 1)
    made["large.npy"] = folder / "large.npy", "67 MB at most"
    made["missing"] = folder / "missing.npy", "cannot be read .*check the path"
    made["a folder"] = folder, "is no file"
    return made


def test_everything_else_is_refused_in_one_sentence_and_nothing_is_run(tmp_path) -> None:
    import re

    for name, (path, sentence) in bad_files(tmp_path).items():
        with pytest.raises(Problem) as refused:
            read_direction(path)
        words = str(refused.value)
        assert re.search(sentence, words), (name, words)
        assert path.name in words
        assert words.endswith(".")
        assert "\n" not in words
    assert not (tmp_path / "ran").exists()


def test_another_shape_is_said_with_both_shapes(tmp_path) -> None:
    for shape in ((1, 512), (18, 12)):
        path = tmp_path / "other.npy"
        np.save(path, np.ones(shape))
        with pytest.raises(
            Problem, match=rf"shape \[{shape[0]}, {shape[1]}\], and this avatar's .* \[8, 12\]"
        ):
            find(path, tmp_path)


def test_interfacegans_boundaries_fit_and_are_of_another_space(tmp_path) -> None:
    path = tmp_path / "stylegan_ffhq_age_w_boundary.npy"
    np.save(path, np.random.default_rng(0).normal(size=(1, 512)))
    assert path.stat().st_size == 4224
    (note,) = read_direction(path).notes
    assert "StyleGAN 1 and PGGAN" in note
    np.save(path, np.random.default_rng(0).normal(size=(1, 512)).astype(np.float32))
    (note,) = read_direction(path).notes
    assert "cannot be told" in note


def test_known_files_are_recognised_by_their_digest(tmp_path, monkeypatch) -> None:
    path = tmp_path / "whatever.npy"
    np.save(path, ROW)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(direction_files, "KNOWN", {digest: Known("age", "Age", "somebody, for a generator")})
    edit = find(path, tmp_path)
    assert (edit.name, edit.title) == ("age", "Age")
    assert edit.found["source"] == "somebody, for a generator"
    assert "Learnt for another generator" in edit.found["notes"][0]
    assert len(direction_files.KNOWN) == 1


def test_one_strength_is_as_visible_as_the_person_varies(tmp_path) -> None:
    person = LinearPerson(torch.ones(3, 4, 6) / 4.0)
    np.save(tmp_path / "bright.npy", 1e-3 * np.ones(6))
    edit = find(tmp_path / "bright.npy", tmp_path, person)
    assert edit.space == "w"
    assert cosine(rows_of_edit(edit), np.ones(6)) > 0.999
    # The difference of two samples' grey is normal with variance 2 · 24/16; a shift by s moves grey by 6 s.
    usual = (2.0 * 24.0 / 16.0) ** 0.5 * (2.0 / np.pi) ** 0.5
    assert 6.0 * rows_of_edit(edit)[0, 0] == pytest.approx(usual, rel=0.5)
    assert edit.suggested == (-1.0, 1.0)
    plain = find(tmp_path / "bright.npy", tmp_path, person, length="file")
    assert np.allclose(rows_of_edit(plain), 1e-3)
    assert plain.suggested[1] == pytest.approx(rows_of_edit(edit)[0, 0] / 1e-3, rel=1e-3)
    assert plain.limits[1] >= plain.suggested[1]


def test_rows_that_were_not_asked_for_rest(tmp_path) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    edit = find(tmp_path / "rows.npy", tmp_path, rows="coarse", length="file")
    assert np.array_equal(rows_of_edit(edit)[:4], ROWS[:4].astype(np.float32))
    assert not rows_of_edit(edit)[4:].any()
    np.save(tmp_path / "fine.npy", np.pad(ROWS[:2], ((6, 0), (0, 0))))
    with pytest.raises(Problem, match="zero in all coarse rows"):
        find(tmp_path / "fine.npy", tmp_path, rows="coarse")


def test_a_direction_that_nobody_sees_is_refused(tmp_path) -> None:
    colours = torch.zeros(3, 4, 6)
    colours[..., 0] = 1.0
    np.save(tmp_path / "aside.npy", np.eye(6)[3])
    with pytest.raises(Problem, match="changes nothing that could be seen"):
        find(tmp_path / "aside.npy", tmp_path, LinearPerson(colours))
