from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.domain.problem import Problem
from studio.domain.progress import Interrupted
from studio.project import atomic, store
from studio.project.store import HOME_VARIABLE, Store, home_folder

NAMES = [
    "Ann",
    "Ann Lee 🎬 (phone)",
    "  spaced   out ",
    "🎭",
    "👩‍🚀",
    "山田太郎",
    "Zoë",
    "CON",
    "nul",
    "com1",
    "../../etc/passwd",
    "a/b\\c:d*e?f",
    ".hidden",
    "trailing.",
    "-rf",
    "x" * 400,
]


@pytest.fixture
def home(tmp_path: Path) -> Store:
    return Store(tmp_path / "ho me 🏠")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "my clip 🎬.MOV"
    file.write_bytes(bytes(range(256)) * 5000)
    return file


def _everything(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b""
        for p in folder.rglob("*")
        if p.name != ".lock"
    }


@pytest.mark.parametrize("name", NAMES)
def test_any_name_makes_a_plain_folder_and_comes_back(home, name):
    added = home.add(name)
    kept = " ".join(name.split())
    assert added.name == kept
    assert home.find(name) == added
    assert added.path.parent == home.home / "subjects"
    slug = added.path.name
    assert slug.isascii()
    assert slug == slug.lower()
    assert len(slug) <= 50
    assert all(c.isalnum() or c == "-" for c in slug)
    assert slug not in {"con", "nul", "com1"}
    assert not slug.startswith("-")


def test_names_with_one_slug_stay_apart(home):
    people = [home.add(name) for name in ("Ann!", "ann", "ANN?", "🎭", "👩‍🚀")]
    assert len({p.path for p in people}) == 5
    assert [home.find(p.name).path for p in people] == [p.path for p in people]


def test_a_composed_and_a_decomposed_name_are_the_same_person(home):
    assert home.add("Zoe\u0308") == home.add("Zo\u00eb")
    assert len(home.subjects().subjects) == 1


@pytest.mark.parametrize("name", ["", "  \t ", "a\x00b", "\ud800"])
def test_names_that_are_none_are_a_problem(home, name):
    with pytest.raises(Problem):
        home.add(name)
    assert not (home.home / "subjects").exists()


def test_an_unknown_name_gets_the_nearest(home):
    with pytest.raises(Problem, match="import CLIP"):
        home.find("Ann")
    home.add("Annabel")
    with pytest.raises(Problem, match=r"did you mean Annabel[?]"):
        home.find("Anabel")


def test_home_is_the_option_then_the_environment_then_the_platforms_place(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "from environment"))
    assert home_folder(tmp_path / "chosen") == tmp_path / "chosen"
    assert home_folder() == tmp_path / "from environment"
    monkeypatch.delenv(HOME_VARIABLE)
    assert home_folder().is_absolute()
    assert "avatar-studio" in str(home_folder())


def test_a_clip_is_copied_once_whatever_it_is_called(home, video, tmp_path):
    ann = home.add("Ann")
    clip, new = ann.add_clip(video)
    assert new
    assert clip.clip.title == "my clip 🎬.MOV"
    assert clip.source.read_bytes() == video.read_bytes()
    assert clip.source.name == "source.mov"
    again = tmp_path / "other name.mp4"
    shutil.copy(video, again)
    assert ann.add_clip(again) == (clip, False)
    assert ann.clips() == (clip,)
    video.unlink()
    assert ann.clip(None).source.exists()


def test_clips_are_found_by_title_or_key_and_doubt_is_a_problem(home, video, tmp_path):
    ann = home.add("Ann")
    with pytest.raises(Problem, match="no clip yet"):
        ann.clip(None)
    first, _ = ann.add_clip(video)
    other = tmp_path / "second.mp4"
    other.write_bytes(b"other")
    second, _ = ann.add_clip(other)
    assert [c.clip.key for c in ann.clips()] == [first.clip.key, second.clip.key]
    assert ann.clip("second.mp4") == second
    assert ann.clip(first.clip.key[:6]) == first
    with pytest.raises(Problem, match="--clip"):
        ann.clip(None)
    with pytest.raises(Problem, match="no clip 'third'"):
        ann.clip("third")


def test_track_settings_are_remembered_and_other_fields_kept(home, video):
    clip, _ = home.add("Ann").add_clip(video)
    file = clip.path / "clip.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "from_the_future": [1]}))
    assert clip.track_settings is None
    assert clip.with_track_settings({"person": 2}).track_settings == {"person": 2}
    assert json.loads(file.read_text())["from_the_future"] == [1]


@pytest.mark.parametrize("error", [Interrupted(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_copy_that_ends_early_leaves_nothing(home, video, error):
    ann = home.add("Ann")
    before = _everything(home.home)

    def fail(done, total, what):
        raise error

    with pytest.raises((Interrupted, Problem)) as caught:
        ann.add_clip(video, fail)
    if isinstance(error, OSError):
        assert "full" in str(caught.value)
    assert {k: v for k, v in _everything(home.home).items() if not k.endswith("clips")} == before
    assert ann.clips() == ()


def test_a_clip_larger_than_the_disk_is_refused_before_copying(home, video, monkeypatch):
    ann = home.add("Ann")
    usage = shutil.disk_usage(video)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(Problem, match="full"):
        ann.add_clip(video)
    assert ann.clips() == ()


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "cannot be written"),
        (errno.EDQUOT, "quota"),
    ],
)
def test_a_disk_that_says_no_at_any_write_is_a_problem_and_changes_nothing(
    home, video, monkeypatch, number, word
):
    ann = home.add("Ann")
    ann.add_clip(video)
    before = _everything(home.home)
    other = video.with_name("other.mp4")
    other.write_bytes(b"other")
    real = os.fsync

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    for action in (
        lambda: home.add("Bob"),
        lambda: ann.add_clip(other),
        lambda: home.change(ann, consent="hers"),
        lambda: ann.clip(None).with_track_settings({}),
        lambda: home.discard(ann.path, "Ann"),
    ):
        with pytest.raises(Problem, match=word):
            action()
    monkeypatch.setattr(os, "fsync", real)
    left = {k: v for k, v in _everything(home.home).items() if not k.startswith("trash")}
    assert left == before
    assert home.trash() == ()


@pytest.mark.parametrize("place", ["a file", "a file/below", "/proc/nowhere"])
def test_a_home_that_cannot_be_made_is_a_problem(tmp_path, place):
    if place.startswith("/proc") and not sys.platform.startswith("linux"):
        pytest.skip("/proc is Linux's")
    (tmp_path / "a file").write_text("in the way")
    with pytest.raises(Problem, match="--home"):
        Store(tmp_path / place).add("Ann")
    assert (tmp_path / "a file").read_text() == "in the way"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="permission bits do not bind this user"
)
def test_a_home_without_write_permission_is_a_problem(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(Problem, match="--home"):
            Store(tmp_path).add("Ann")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"name": "Bob"}', '{"schema_version": 1}', "\x00\x00"])
def test_a_damaged_subject_is_named_and_hides_nobody(home, damage):
    ann, bob = home.add("Ann"), home.add("Bob")
    file = bob.path / "subject.json"
    file.write_text(damage)
    listing = home.subjects()
    assert listing.subjects == (ann,)
    assert len(listing.problems) == 1
    assert str(file) in str(listing.problems[0])
    with pytest.raises(Problem, match=r"subject\.json"):
        home.find("Bob")


def test_a_subject_of_a_newer_version_is_left_alone(home):
    ann = home.add("Ann")
    file = ann.path / "subject.json"
    text = json.dumps({"schema_version": 99, "name": {"given": "Ann"}})
    file.write_text(text)
    assert "newer version" in str(home.subjects().problems[0])
    assert file.read_text() == text


def test_a_damaged_clip_is_named(home, video):
    ann = home.add("Ann")
    clip, _ = ann.add_clip(video)
    clip.source.unlink()
    with pytest.raises(Problem, match=r"source\.mov"):
        ann.clips()
    assert home.subjects().subjects == (ann,)


def test_avatars_of_unknown_engines_are_listed_and_kept(home):
    ann = home.add("Ann")
    foreign = ann.avatar("holodeck", "0123")
    foreign.mkdir(parents=True)
    (foreign / "weights.bin").write_bytes(b"123")
    renamed = home.change(ann, name="Anna")
    assert renamed.avatars() == (foreign,)
    entry = home.discard(renamed.path, "Anna")
    home.restore(entry)
    assert (foreign / "weights.bin").read_bytes() == b"123"


def test_what_is_removed_comes_back_unchanged(home, video):
    ann = home.add("Ann", consent="she said yes")
    ann.add_clip(video)
    before = _everything(ann.path)
    entry = home.discard(ann.path, "Ann")
    assert home.subjects().subjects == ()
    assert [e.title for e in home.trash()] == ["Ann"]
    assert home.restore(entry) == ann.path
    assert _everything(ann.path) == before
    assert home.find("Ann").consent == "she said yes"
    assert home.trash() == ()


def test_restoring_beside_a_namesake_needs_another_name(home):
    entry = home.discard(home.add("Ann").path, "Ann")
    taken = home.add("Ann")
    with pytest.raises(Problem, match="already a subject"):
        home.restore(entry)
    place = home.restore(home.trash()[0], name="Ann the first")
    assert home.find("Ann the first").path == place
    assert home.find("Ann") == taken


def test_a_removed_clip_returns_to_its_subject_only(home, video):
    ann = home.add("Ann")
    clip, _ = ann.add_clip(video)
    clip_entry = home.discard(clip.path, "clip")
    subject_entry = home.discard(ann.path, "Ann")
    with pytest.raises(Problem, match="restore its subject first"):
        home.restore(clip_entry)
    home.restore(subject_entry)
    home.restore(clip_entry)
    assert home.find("Ann").clips() == (clip,)
    home.discard(clip.path, "clip")
    home.empty_trash()
    assert home.trash() == ()


def test_renaming_keeps_the_folder_and_refuses_a_taken_name(home):
    ann, _ = home.add("Ann"), home.add("Bob")
    assert home.change(ann, name="Anna").path == ann.path
    with pytest.raises(Problem, match="'Bob'"):
        home.change(home.find("Anna"), name=" Bob ")


def test_subjects_added_by_many_processes_at_once_are_all_there(home):
    script = (
        "import sys, pathlib; from studio.project.store import Store;"
        "[Store(pathlib.Path(sys.argv[1])).add(f'Ann {i % 3}!' * (1 + i % 2)) for i in range(6)]"
    )
    root = Path(store.__file__).parents[2]
    workers = [subprocess.Popen([sys.executable, "-c", script, str(home.home)], cwd=root) for _ in range(4)]
    assert [w.wait(60) for w in workers] == [0] * 4
    assert len(home.subjects().subjects) == 6


def test_what_a_killed_process_left_is_cleared_and_a_displaced_version_returns(tmp_path):
    """At every moment of a replacement a complete version can be found again."""
    dead = 2**22 + 12345
    (tmp_path / f".made.{dead}-{atomic.HOST}00000000.new").mkdir()
    old = tmp_path / f".replaced.{dead}-{atomic.HOST}00000000.old"
    old.mkdir()
    (old / "content").write_text("previous")
    (tmp_path / "kept").mkdir()
    (tmp_path / f".kept.{dead}-{atomic.HOST}00000000.old").mkdir()
    alive = tmp_path / f".busy.{os.getppid()}-{atomic.HOST}00000000.new"
    alive.mkdir()
    elsewhere = tmp_path / f".elsewhere.{dead}-{'0000' if atomic.HOST != '0000' else 'ffff'}00000000.new"
    elsewhere.mkdir()
    atomic.tidy(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"replaced", "kept", alive.name, elsewhere.name}
    assert (tmp_path / "replaced" / "content").read_text() == "previous"


@pytest.mark.skipif(os.name == "nt", reason="processes are not reaped on Windows")
def test_a_killed_process_that_nobody_has_reaped_counts_as_dead(tmp_path):
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    aside = tmp_path / f".made.{worker.pid}-{atomic.HOST}00000000.new"
    aside.mkdir()
    atomic.tidy(tmp_path)
    assert aside.is_dir()  # it still lives
    worker.kill()
    end = time.monotonic() + 20
    while psutil.Process(worker.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.01)
    atomic.tidy(tmp_path)
    assert not aside.exists()
    worker.wait()


_REPLACER = """
import sys, pathlib
from studio.project.atomic import new_folder, write_json
place, value = pathlib.Path(sys.argv[1]), 0
while True:
    value += 1
    with new_folder(place / "artefact") as aside:
        for part in range(8):
            (aside / str(part)).write_text(str(value) * 2000)
    write_json(place / "document.json", {"values": [value] * 500})
"""


def test_kill_9_while_replacing_never_loses_or_mixes_versions(tmp_path):
    root = Path(atomic.__file__).parents[2]
    for moment in (0.0, 0.013, 0.029, 0.041, 0.057, 0.071):
        worker = subprocess.Popen([sys.executable, "-c", _REPLACER, str(tmp_path)], cwd=root)
        end = time.monotonic() + 20
        while not (tmp_path / "document.json").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.25 + moment)
        worker.kill()
        worker.wait()
        atomic.tidy(tmp_path)
        assert {p.name for p in tmp_path.iterdir()} == {"artefact", "document.json"}
        texts = {(tmp_path / "artefact" / str(part)).read_text() for part in range(8)}
        assert len(texts) == 1
        assert texts != {""}
        assert len(set(json.loads((tmp_path / "document.json").read_text())["values"])) == 1


def test_an_artefact_that_fails_leaves_the_previous_one(tmp_path):
    with atomic.new_folder(tmp_path / "artefact") as aside:
        (aside / "part").write_text("first")

    def fail() -> None:
        with atomic.new_folder(tmp_path / "artefact") as aside:
            (aside / "part").write_text("second")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _everything(tmp_path) == {"artefact": b"", "artefact/part": b"first"}
    with atomic.new_folder(tmp_path / "artefact") as aside:
        (aside / "part").write_text("third")
    assert _everything(tmp_path) == {"artefact": b"", "artefact/part": b"third"}


def test_hours_of_status_files_are_not_remembered(tmp_path):
    before = set(atomic._mine)
    for value in range(30):
        atomic.write_json(tmp_path / "status.json", {"a": value}, durable=False)
    for _ in range(2):
        with atomic.new_folder(tmp_path / "artefact"):
            pass
    atomic.remove_folder(tmp_path / "artefact")
    assert atomic._mine == before


def test_json_that_other_readers_refuse_is_not_written(tmp_path):
    file = tmp_path / "values.json"
    atomic.write_json(file, {"a": 1})
    with pytest.raises(ValueError):
        atomic.write_json(file, {"a": float("nan")})
    assert json.loads(file.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["values.json"]
