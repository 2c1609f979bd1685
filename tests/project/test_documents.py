from __future__ import annotations

import json
import shutil

import pytest

from studio.domain.problem import Problem
from studio.project.documents import DocumentKind, read_document, write_document


def _split_name(content):
    first, last = content.pop("name").split()
    return {**content, "first": first, "last": last}


def _count_clips(content):
    clips = content.pop("clip_list", [])
    return {**content, "clips": len(clips)}


OLD = DocumentKind("person")
NEW = DocumentKind("person", (_split_name, _count_clips))


def test_steps_run_in_order_and_the_old_file_stays_beside(tmp_path):
    file = tmp_path / "person.json"
    write_document(file, OLD, {"name": "Ann Lee", "clip_list": [1, 2], "engine_from_elsewhere": {"x": 1}})
    old_text = file.read_text()
    expected = {"first": "Ann", "last": "Lee", "clips": 2, "engine_from_elsewhere": {"x": 1}}
    assert read_document(file, NEW) == expected
    assert json.loads(file.read_text()) == {"schema_version": 3, **expected}
    assert (tmp_path / "person.v1.json").read_text() == old_text
    assert read_document(file, NEW) == expected


def test_a_later_version_runs_only_the_steps_it_lacks(tmp_path):
    file = tmp_path / "person.json"
    file.write_text('{"schema_version": 2, "first": "Ann", "last": "Lee"}')
    assert read_document(file, NEW) == {"first": "Ann", "last": "Lee", "clips": 0}
    assert (tmp_path / "person.v2.json").exists()


def test_on_a_disk_that_cannot_be_written_it_is_migrated_in_memory(tmp_path, monkeypatch):
    file = tmp_path / "person.json"
    write_document(file, OLD, {"name": "Ann Lee"})
    text = file.read_text()

    def refuse(*_):
        raise PermissionError(13, "no")

    monkeypatch.setattr(shutil, "copy2", refuse)
    assert read_document(file, NEW)["first"] == "Ann"
    assert file.read_text() == text


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "{}", '{"schema_version": true}', '{"schema_version": 0}']
)
def test_damage_is_a_problem_that_names_the_file(tmp_path, text):
    file = tmp_path / "person.json"
    file.write_text(text)
    with pytest.raises(Problem, match=r"person\.json"):
        read_document(file, NEW)
    assert file.read_text() == text


def test_bytes_that_are_no_text_are_damage(tmp_path):
    file = tmp_path / "person.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Problem, match="damaged"):
        read_document(file, NEW)


def test_a_newer_version_asks_for_an_update(tmp_path):
    file = tmp_path / "person.json"
    write_document(file, NEW, {})
    with pytest.raises(Problem, match="newer version"):
        read_document(file, OLD)


def test_a_missing_file_is_a_problem(tmp_path):
    with pytest.raises(Problem, match="missing"):
        read_document(tmp_path / "person.json", OLD)
