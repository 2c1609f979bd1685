"""Edits on disk: as they were, or one sentence; killed at any moment, the old ones or the new ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.domain.edits import (
    EFFECTS,
    REGIONS,
    Edit,
    EditStack,
    ExpressionShift,
    LatentMap,
    LatentShift,
    Recolour,
    Relight,
    ShapeShift,
    StyleShift,
)
from studio.domain.problem import Problem
from studio.project.edit_files import (
    change_edits,
    edit_cache,
    load_edits,
    remove_unknown,
    save_edits,
    unknown_edits,
)

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = st.floats(-9.0, 9.0, width=32)
THREE = st.tuples(NUMBERS, NUMBERS, NUMBERS)


def _array(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return st.integers(0, 2**31).map(
        lambda seed: np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    )


EFFECT = st.one_of(
    st.builds(LatentShift, rows=st.one_of(_array(1, 4), _array(6, 4))),
    st.builds(StyleShift, channels=_array(9)),
    st.builds(
        LatentMap,
        groups=st.just(((0, 2), (3, 6))),
        weights=_array(2, 3, 4, 4),
        biases=_array(2, 3, 4),
        scale=NUMBERS,
    ),
    st.builds(ShapeShift, identity=_array(5), head_model=st.sampled_from(["builtin-1", "flame 2023"])),
    st.builds(
        ExpressionShift, direction=_array(55), head_model=st.just("builtin-1"), calm=st.floats(0, 1, width=32)
    ),
    st.builds(Recolour, region=st.sampled_from(REGIONS), shift=THREE),
    st.builds(Relight, direction=THREE, ambient=NUMBERS, tint=THREE),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
LIMITS = (-2.0, 3.0)
EDIT = st.builds(
    Edit,
    name=st.text("abcxyz_0189", min_size=1, max_size=12),
    title=st.text(max_size=20).filter(lambda t: t.isprintable()),
    method=st.sampled_from(["shape", "styleclip-global"]),
    effect=EFFECT,
    strength=st.floats(*LIMITS),
    suggested=st.tuples(st.floats(-2.0, 0.0), st.floats(0.0, 3.0)),
    limits=st.just(LIMITS),
    on=st.booleans(),
    found=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
)
STACK = st.lists(EDIT, max_size=5, unique_by=lambda edit: edit.name).map(
    lambda edits: EditStack(tuple(edits))
)


def _edit(name: str, seed: int = 0, **changes) -> Edit:
    rows = np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)
    return replace(Edit(name, f"Title of {name} 眼鏡", "tested", LatentShift(rows)), **changes)


def _files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "edits").iterdir()} - {"lock"}


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pulls the plug here, and waiting for a disk takes longer than everything else."""
    monkeypatch.setattr("os.fsync", lambda number: None)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stacks=st.lists(STACK, min_size=1, max_size=3))
def test_edits_come_back_as_they_were(tmp_path: Path, stacks: list[EditStack]) -> None:
    folder = tmp_path / "avatar"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    assert load_edits(folder) == EditStack()
    for stack in stacks:
        save_edits(folder, stack)
        back = load_edits(folder)
        assert back == stack
        for one, other in zip(back.edits, stack.edits, strict=True):
            assert type(one.effect) is type(other.effect)
            for part in fields(other.effect):
                assert np.array_equal(getattr(one.effect, part.name), getattr(other.effect, part.name))


def test_looking_writes_nothing_and_no_edits_make_no_folder(tmp_path: Path) -> None:
    load_edits(tmp_path)
    unknown_edits(tmp_path)
    save_edits(tmp_path, EditStack())
    assert list(tmp_path.iterdir()) == []


def test_no_edits_after_some_are_none(tmp_path: Path) -> None:
    save_edits(tmp_path, EditStack((_edit("a"),)))
    save_edits(tmp_path, EditStack())
    assert load_edits(tmp_path) == EditStack()
    assert _files(tmp_path) == {"edits.json"}
    assert json.loads((tmp_path / "edits" / "edits.json").read_text())["schema_version"] == 1


def test_arrays_are_written_once_shared_and_removed_with_their_last_use(tmp_path: Path) -> None:
    save_edits(tmp_path, EditStack((_edit("a", 1), _edit("b", 1), _edit("c", 2))))
    arrays = sorted((tmp_path / "edits").glob("effect-*"))
    assert len(arrays) == 2
    before = [path.stat().st_mtime_ns for path in arrays]
    save_edits(tmp_path, load_edits(tmp_path).without("a").changed("b", strength=0.5))
    assert [path.stat().st_mtime_ns for path in arrays] == before
    save_edits(tmp_path, load_edits(tmp_path).without("b"))
    assert len(_files(tmp_path)) == 2
    assert load_edits(tmp_path) == EditStack((_edit("c", 2),))


def test_an_avatar_is_no_newer_for_its_edits(tmp_path: Path) -> None:
    os.utime(tmp_path, ns=(10**18, 10**18))
    edit_cache(tmp_path)
    save_edits(tmp_path, EditStack((_edit("a"),)))
    assert tmp_path.stat().st_mtime_ns == 10**18, "avatars are listed by when they were built"


def test_a_disk_that_says_no_leaves_the_old_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = EditStack((_edit("a", 1),))
    save_edits(tmp_path, old)
    before = _files(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for new in (EditStack(), EditStack((_edit("a", 2), _edit("b", 3)))):
        with pytest.raises(Problem, match="full"):
            save_edits(tmp_path, new)
        assert load_edits(tmp_path) == old
        assert _files(tmp_path) == before


def test_a_change_that_fails_leaves_the_edits_and_one_that_changes_nothing_writes_nothing(
    tmp_path: Path,
) -> None:
    save_edits(tmp_path, EditStack((_edit("a"),)))
    file = tmp_path / "edits" / "edits.json"
    before = file.stat().st_mtime_ns
    with pytest.raises(KeyError):
        change_edits(tmp_path, lambda stack: stack.without("b"))
    assert change_edits(tmp_path, lambda stack: stack) == EditStack((_edit("a"),))
    assert file.stat().st_mtime_ns == before


def test_changes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def add(number: int) -> None:
        change_edits(tmp_path, lambda stack: stack.put(_edit(f"e{number}", number)))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {edit.name for edit in load_edits(tmp_path).edits} == {f"e{number}" for number in range(8)}


NEWER = {
    "name": "hologram",
    "title": "As a hologram",
    "method": "holography",
    "effect": {"kind": "hologram", "file": "effect-0123456789abcdef.npz", "depth": 3},
    "on": True,
    "new_field": [1, {"x": 2}],
}


def _with_newer(folder: Path, place: int, *names: str) -> None:
    """Edits of these names, with one of a newer program among them."""
    save_edits(folder, EditStack(tuple(_edit(name, number) for number, name in enumerate(names))))
    file = folder / "edits" / "edits.json"
    content = json.loads(file.read_text())
    content["edits"].insert(place, NEWER)
    file.write_text(json.dumps(content))
    np.savez(folder / "edits" / "effect-0123456789abcdef.npz", waves=np.arange(3))


def _order(folder: Path) -> list[str]:
    return [entry["name"] for entry in json.loads((folder / "edits" / "edits.json").read_text())["edits"]]


def test_an_edit_of_a_newer_program_is_kept_in_its_place(tmp_path: Path) -> None:
    _with_newer(tmp_path, 1, "a", "b", "c")
    assert [edit.name for edit in load_edits(tmp_path).edits] == ["a", "b", "c"]
    assert [(u.name, u.title, u.kind) for u in unknown_edits(tmp_path)] == [
        ("hologram", "As a hologram", "hologram")
    ]
    save_edits(tmp_path, load_edits(tmp_path).moved("c", 0))
    assert _order(tmp_path) == ["c", "a", "hologram", "b"]
    save_edits(tmp_path, load_edits(tmp_path).without("a"))
    assert _order(tmp_path) == ["c", "hologram", "b"], "behind the last of those before it that is left"
    save_edits(tmp_path, EditStack())
    content = json.loads((tmp_path / "edits" / "edits.json").read_text())
    assert content["edits"] == [NEWER], "every word of it"
    assert "effect-0123456789abcdef.npz" in _files(tmp_path)


def test_an_edit_of_a_newer_program_can_be_removed_and_its_name_is_taken(tmp_path: Path) -> None:
    _with_newer(tmp_path, 0, "a")
    with pytest.raises(Problem, match="“hologram”"):
        save_edits(tmp_path, EditStack((_edit("hologram"),)))
    with pytest.raises(KeyError):
        remove_unknown(tmp_path, "a")
    remove_unknown(tmp_path, "hologram")
    assert _order(tmp_path) == ["a"]
    assert unknown_edits(tmp_path) == ()
    assert "effect-0123456789abcdef.npz" not in _files(tmp_path)


DAMAGE = {
    "no list": lambda content: content.update(edits={}),
    "no edits": lambda content: content.pop("edits"),
    "a number": lambda content: content.update(edits=[3]),
    "no strength": lambda content: content["edits"][0].pop("strength"),
    "strength in words": lambda content: content["edits"][0].update(strength="much"),
    "strength beyond limits": lambda content: content["edits"][0].update(strength=7.0),
    "a switch that is neither": lambda content: content["edits"][0].update(on="no"),
    "two of a name": lambda content: content["edits"].append(content["edits"][0]),
    "a bad name": lambda content: content["edits"][0].update(name="../up"),
    "one limit": lambda content: content["edits"][0].update(limits=[1.0]),
    "no arrays": lambda content: content["edits"][0]["effect"].pop("file"),
    "arrays elsewhere": lambda content: content["edits"][0]["effect"].update(file="effect-gone.npz"),
    "a field missing": lambda content: content["edits"][1]["effect"].pop("shift"),
    "an unknown region": lambda content: content["edits"][1]["effect"].update(region="nose"),
    "too few numbers": lambda content: content["edits"][1]["effect"].update(shift=[1, 2]),
    "null for numbers": lambda content: content["edits"][1]["effect"].update(shift=[1, 2, None]),
    "found is no table": lambda content: content["edits"][0].update(found=[1]),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_sentence_and_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    save_edits(tmp_path, EditStack((_edit("a"), _edit("b", effect=Recolour("hair", (1.0, 2.0, 3.0))))))
    file = tmp_path / "edits" / "edits.json"
    content = json.loads(file.read_text())
    DAMAGE[kind](content)
    file.write_text(json.dumps(content))
    text = file.read_text()
    with pytest.raises(Problem, match=r"edits\.json are damaged.*remove the folder"):
        load_edits(tmp_path)
    with pytest.raises(Problem, match="damaged"):
        change_edits(tmp_path, lambda stack: stack.put(_edit("c")))
    assert file.read_text() == text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', '{"edits": []}'])
def test_a_file_that_is_no_document(tmp_path: Path, text: str) -> None:
    save_edits(tmp_path, EditStack((_edit("a"),)))
    (tmp_path / "edits" / "edits.json").write_text(text)
    for act in (load_edits, unknown_edits, lambda folder: save_edits(folder, EditStack())):
        with pytest.raises(Problem, match=r"edits\.json"):
            act(tmp_path)


@pytest.mark.parametrize("cut", [0, 30, -30])
def test_arrays_cut_short(tmp_path: Path, cut: int) -> None:
    save_edits(tmp_path, EditStack((_edit("a"),)))
    (array,) = (tmp_path / "edits").glob("effect-*")
    array.write_bytes(array.read_bytes()[:cut])
    with pytest.raises(Problem, match="damaged"):
        load_edits(tmp_path)


@pytest.mark.parametrize("rows", [np.full((3, 4), np.nan, np.float32), np.zeros(4, np.float32)])
def test_arrays_that_are_no_effect(tmp_path: Path, rows: np.ndarray) -> None:
    save_edits(tmp_path, EditStack((_edit("a"),)))
    (array,) = (tmp_path / "edits").glob("effect-*")
    np.savez(array, rows=rows)
    with pytest.raises(Problem, match="damaged"):
        load_edits(tmp_path)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    save_edits(tmp_path, EditStack((_edit("a"),)))
    (array,) = (tmp_path / "edits").glob("effect-*")
    witness = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(witness),)

    np.savez(array, rows=np.array([Evil()], object))
    with pytest.raises(Problem, match="damaged"):
        load_edits(tmp_path)
    assert not witness.exists()
    for file in (tmp_path / "edits").glob("*.npz"):
        assert file == array


def test_a_newer_version_asks_for_an_update_and_is_not_overwritten(tmp_path: Path) -> None:
    save_edits(tmp_path, EditStack((_edit("a"),)))
    file = tmp_path / "edits" / "edits.json"
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    text = file.read_text()
    for act in (load_edits, lambda folder: save_edits(folder, EditStack())):
        with pytest.raises(Problem, match="newer version"):
            act(tmp_path)
    assert file.read_text() == text


WRITER = """
import sys
import numpy as np
from pathlib import Path
from studio.domain.edits import Edit, EditStack, LatentShift
from studio.project.edit_files import save_edits
folder = Path(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    rows = np.full((64, 64), number, np.float32)
    stack = [Edit(f"e{k}", str(number), "tested", LatentShift(rows + k)) for k in range(1 + number % 3)]
    save_edits(folder, EditStack(tuple(stack)))
"""


def test_killed_while_writing_they_are_whole(tmp_path: Path) -> None:
    """Whatever was on its way, what is read is one whole stack, and the next one to save tidies up."""
    folder = tmp_path / "avatar"
    folder.mkdir()
    dice = np.random.default_rng(3)
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(float(dice.uniform(0.02, 0.3)))
        writer.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        writer.wait()
        writer.stdout.close()
        for edit, number in zip(load_edits(folder).edits, range(9), strict=False):
            assert isinstance(edit.effect, LatentShift)
            assert np.array_equal(edit.effect.rows, np.full((64, 64), int(edit.title) + number, np.float32))
    save_edits(folder, EditStack((_edit("last"),)))
    assert len(_files(folder)) == 2, "nothing half written is left"


def test_every_kind_of_effect_is_tried_here() -> None:
    tried: set[type] = set()

    @settings(database=None, max_examples=200, deadline=None)
    @given(effect=EFFECT)
    def collect(effect: object) -> None:
        tried.add(type(effect))

    collect()
    assert tried == set(EFFECTS.values())
