from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines import recipes
from pipelines.cli import door, main
from pipelines.cli.screen import spoken
from pipelines.job import JobStatus, read_made, write_status
from pipelines.presets import PRESETS
from studio.domain.problem import Problem
from studio.engines.catalog import ENGINES
from studio.project import command_words
from studio.project.avatar_files import load_avatar
from studio.project.store import Store

_ROOT = Path(door.__file__).parents[2]


def test_an_imported_clip_is_no_new_work(ann, home, sample_clip):
    before = sorted(p for p in home.rglob("*"))
    said = ann("import", sample_clip, "--subject", "Ann Lee 🎬")
    assert said.code == 0
    assert "nothing to do" in said.out
    assert sorted(p for p in home.rglob("*")) == before


def test_a_built_avatar_is_no_new_work_and_knows_where_it_came_from(ann, home, sample_clip):
    said = ann("build", "Ann Lee 🎬", "--preset", "draft")
    assert said.code == 0
    assert "nothing to do" in said.out
    subject = Store(home).find("Ann Lee 🎬")
    (folder,) = subject.avatars()
    avatar = load_avatar(folder)
    clip = subject.clip(None)
    assert clip.clip.title == sample_clip.name
    assert (avatar.engine, avatar.subject) == ("instant", "Ann Lee 🎬")
    assert avatar.lineage["inputs"]["clip"] == clip.clip.key
    assert avatar.lineage["learnt_from"] == [0, 40]
    made = read_made(clip.sequence(avatar.lineage["inputs"]["track"]))
    assert made["inputs"] == {"clip": clip.clip.key}


def test_overrides_reach_the_stages_and_held_out_frames_do_not(ann, home):
    said = ann("build", "Ann Lee 🎬", "--preset", "draft", "--pivots.count", 7, "--hold-out", 0.25)
    assert said.code == 0
    newest = load_avatar(Store(home).find("Ann Lee 🎬").avatars()[-1])
    assert newest.lineage["learnt_from"] == [0, 30]
    assert newest.lineage["settings"]["texture_size"] == 384
    pivots = json.loads(
        (
            Store(home).find("Ann Lee 🎬").pivots(newest.lineage["inputs"]["pivots"]) / "pivots.json"
        ).read_text()
    )
    assert len(pivots["reasons"]) == 7
    listed = ann("list")
    assert "without the last 25 %" in listed.out
    assert listed.out.count("avatar") == 2


def test_a_subjects_controls_come_with_what_the_clip_showed(ann):
    said = ann("controls", "Ann Lee 🎬")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("  yaw ")]
    low, high = (float(word) for word in line.split("shown ")[1].split("  ")[0].split(" to "))
    assert -75 < low < high < 75
    assert ann("controls", "Nobody").code == 2


def test_what_to_do_next_can_be_pasted(ann, home, sample_clip):
    said = ann("import", sample_clip, "--subject", "Ann Lee 🎬")
    following = shlex.split(said.out.strip().splitlines()[-1].removeprefix("Next: "))
    assert following == ["python", "main.py", "build", "Ann Lee 🎬"]
    said = ann(*following[2:], "--preset", "draft")
    assert said.code == 0
    following = shlex.split(said.out.strip().splitlines()[-1].removeprefix("Next: "))
    assert following[:4] == ["python", "main.py", "animate", "Ann Lee 🎬"]


@pytest.mark.parametrize(
    ("system", "name", "expected"),
    [
        ("posix", "Ann", "Ann"),
        ("posix", 'Zoë\'s "me"', """'Zoë'"'"'s "me"'"""),
        ("nt", "Ann", "Ann"),
        ("nt", "Ann Lee", '"Ann Lee"'),
        ("nt", 'Zoë\'s "me"', '"Zoë\'s \\"me\\""'),
    ],
)
def test_names_are_quoted_as_the_platform_wants_them(monkeypatch, system, name, expected):
    monkeypatch.setattr(command_words, "os", SimpleNamespace(name=system))
    assert command_words.typed(name) == expected
    assert command_words.command_line("build", name) == f"python main.py build {expected}"


@pytest.mark.parametrize("said", ["Zoe", "zoë", "zoes me", "Zoë's me"])
def test_a_subject_is_found_by_how_its_name_begins_or_sounds(studio, home, said):
    name = 'Zoë\'s "me"'
    Store(home).add(name)
    Store(home).add("Somebody else")
    answer = studio("build", said)
    assert answer.code == 2
    assert f"did you mean {command_words.typed(name)}?" in answer.sentence


def test_bench_and_demo_share_one_sample(studio, home, monkeypatch):
    asked = []

    def begin(clip, *_, **__):
        asked.append(clip)
        raise Problem("This is far enough.")

    monkeypatch.setattr("pipelines.make_sample.make_sample", begin)
    assert studio("demo", "-o", home.parent / "new.mp4").sentence == "This is far enough."
    assert studio("bench").sentence == "This is far enough."
    assert asked == [home / "sample" / "sample.mp4"] * 2


def test_an_interrupted_import_that_a_build_finished_is_told_and_forgotten(studio, home, sample_clip):
    from pipelines.import_job import import_clip

    interrupted = import_clip(Store(home), "Bob", sample_clip)
    assert interrupted.job is not None
    write_status(interrupted.job, JobStatus("stopped"))
    assert "import stopped" in studio("list").out
    said = studio("build", "Bob", "--preset", "draft")
    assert said.code == 0
    assert "of 40 frames are good to learn from" in said.out
    assert "The clip does not show" in said.out
    assert "stopped" not in studio("list").out
    again = studio("import", sample_clip, "--subject", "Bob")
    assert "nothing to do" in again.out
    assert "The clip does not show" in again.out
    assert "does not show" not in studio("build", "Bob", "--preset", "draft").out, "said when it was new"


def test_remove_and_restore(ann, home):
    assert ann("remove", "Ann Lee 🎬").code == 0
    said = ann("list")
    assert "In the trash: Ann Lee 🎬" in said.out
    assert ann("build", "Ann Lee 🎬").code == 2
    assert ann("restore", "Ann Lee 🎬", "--as", "Anna").code == 0
    assert ann("build", "Anna", "--preset", "draft").out.startswith("This instant avatar of Anna is there")


def test_one_avatar_can_be_removed_and_brought_back(ann, home):
    name = "Ann Lee 🎬"
    key = next(line.split()[2] for line in ann("list", name).out.splitlines() if line.startswith("  avatar"))
    wrong = ann("remove", name, "--avatar", "nothing")
    assert wrong.code == 2
    assert "No avatar of Ann Lee 🎬 has a key that begins with 'nothing'" in wrong.err
    said = ann("remove", name, "--avatar", key[:6])
    assert said.code == 0
    assert key not in ann("list", name).out
    assert ann("list", name).out.count("clip ") == 1
    assert ann("restore", f"{name}, instant {key}").code == 0
    assert key in ann("list", name).out


@pytest.mark.parametrize("before", [["--home", "HOME"], ["--home=HOME"], []])
def test_the_door_knows_the_doctor_wherever_home_stands(before, tmp_path, monkeypatch):
    import bootstrap

    import main as entrance
    from pipelines import doctor

    monkeypatch.setattr(bootstrap, "is_current", lambda root, venv: True)
    monkeypatch.setattr(bootstrap, "runs_in", lambda venv: True)

    heard = []

    def listen(words: list[str]) -> int:
        heard.append(words)
        return 0

    monkeypatch.setattr(doctor, "main", listen)
    words = [word.replace("HOME", str(tmp_path)) for word in before]
    assert entrance.main([*words, "doctor", "--json"]) == 0
    assert heard == [["--json", *words]]


def test_the_landmarkers_file_is_named_from_here_or_found_among_the_weights(tmp_path, monkeypatch):
    from pipelines.cli.importing import with_whole_path
    from studio.tracking.settings import TrackSettings

    store, here = Store(tmp_path / "home"), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    name = "face_landmarker.task"
    plain = TrackSettings()
    assert with_whole_path(plain, store) == plain
    asked = TrackSettings(landmarker=name)
    assert with_whole_path(asked, store).landmarker == str(here / name), "named in the sentence about it"
    owned = store.home / "weights" / name
    owned.parent.mkdir(parents=True)
    owned.touch()
    assert with_whole_path(asked, store).landmarker == str(owned)
    assert with_whole_path(TrackSettings(landmarker="other.task"), store).landmarker == str(
        here / "other.task"
    )
    (here / name).touch()
    assert with_whole_path(asked, store).landmarker == str(here / name)


def test_home_stands_before_or_after_the_command(tmp_path, capfd):
    assert main(["--home", str(tmp_path / "a"), "list"]) == 0
    assert main([f"--home={tmp_path / 'b'}", "list"]) == 0
    assert main(["list", "--home", str(tmp_path / "c")]) == 0
    said = capfd.readouterr().out.splitlines()
    assert [line.split(" holds")[0] for line in said] == [str(tmp_path / name) for name in "abc"]
    assert main(["--home"]) == 2


def test_help_needs_neither_torch_nor_mediapipe(tmp_path, monkeypatch):
    """One process asks for the help of each command in turn, and looks after each at what was imported."""
    monkeypatch.setenv("AVATAR_STUDIO_HOME", str(tmp_path))
    script = """
import contextlib, io, sys
from pipelines.cli import main
for name in ["", *sys.argv[1:]]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main([*filter(None, [name]), "--help"])
    heavy = {"torch", "mediapipe", "numba", "PySide6"} & set(sys.modules)
    if code or heavy or "home" not in said.getvalue():
        sys.exit(f"{name} --help: {code} {heavy} {said.getvalue()}")
    print(name or "--help")
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, *door.COMMANDS],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["--help", *door.COMMANDS]


def test_a_console_without_the_letters_does_not_end_the_command(tmp_path):
    Store(tmp_path).add("Zoë 🎭")
    script = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
    for words, code in ((["list"], 0), (["build", "Zoe 🎭"], 2)):
        ran = subprocess.run(
            [sys.executable, "-c", script, *words, "--home", str(tmp_path)],
            cwd=_ROOT,
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            check=False,
        )
        assert ran.returncode == code, ran.stderr
        assert b"Zo\\xeb" in ran.stdout + ran.stderr


def test_without_a_command_the_list_of_commands_is_shown(capsys):
    assert main([]) == 2
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in (*door.COMMANDS, "doctor", "test"))


def test_a_defect_is_one_sentence_and_a_log(tmp_path, monkeypatch, capsys):
    from pipelines.cli import listing

    def fail(_: object) -> int:
        raise ZeroDivisionError("inner trouble")

    monkeypatch.setattr(listing, "command", fail)
    assert main(["list", "--home", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    log = Path(said.strip().rpartition(" in ")[2])
    assert log.parent == tmp_path / "logs"
    assert "Traceback" in log.read_text()
    assert "inner trouble" in log.read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt])
def test_ctrl_c_is_a_sentence_and_130(tmp_path, monkeypatch, capsys, error):
    from pipelines.cli import listing

    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(listing, "command", fail)
    assert main(["list", "--home", str(tmp_path)]) == 130
    assert capsys.readouterr().err.startswith("Stopped.")


def test_every_engine_has_a_recipe_that_ends_with_it():
    assert set(recipes.RECIPES) == set(ENGINES)
    for engine, stages in recipes.RECIPES.items():
        assert stages[-1].id == engine
        assert stages[-1].place.startswith(f"avatars/{engine}-")
        # Who opens an avatar asks its lineage for these.
        assert {recipes.CLIP, "track"} <= set(stages[-1].inputs)
        known = {recipes.CLIP}
        for stage in stages:
            assert set(stage.inputs) <= known
            known.add(stage.id)
        assert {"draft", "standard"} <= set(ENGINES[engine].presets) == set(PRESETS[engine])
        for preset in ENGINES[engine].presets:
            assert set(recipes.settings_for(engine, preset)) == {stage.id for stage in stages}


def test_time_left_in_words():
    assert [spoken(s) for s in (None, 0.2, 65, 3725)] == ["", "0:00 left", "1:05 left", "1:02:05 left"]
