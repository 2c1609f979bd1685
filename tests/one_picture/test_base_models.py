"""Base models are found, chosen, told apart by their weights, and refused in a sentence."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace

import pytest

from studio.domain.problem import Problem
from studio.engines.catalog import ENGINES, engine_spec
from studio.engines.semantic.shelf import SHELF, check
from studio.one_picture.base_models import BaseReference
from tests.engines.semantic.one_person import PAPER, PROJECT, shelve


def test_without_one_the_engine_says_what_to_do(tmp_path) -> None:
    sentence = SHELF.missing(tmp_path)
    assert sentence is not None
    assert "train-people" in sentence
    assert "models" in sentence
    assert ENGINES["semantic"].missing(tmp_path) == sentence
    for door in (SHELF.choose, lambda home: engine_spec("semantic", home)):
        with pytest.raises(Problem, match="train-people"):
            door(tmp_path)
    assert engine_spec("semantic").id == "semantic"  # what is there can be shown without one


def test_the_newest_is_taken_or_the_one_that_is_named(tmp_path) -> None:
    old, new = shelve(tmp_path, "old"), shelve(tmp_path, "young", seed=1)
    os.utime(new.folder / "network.safetensors", (2e9, 2e9))
    assert [model.name for model in SHELF.models(tmp_path)] == ["old", "young"]
    assert SHELF.choose(tmp_path).name == "young"
    assert SHELF.choose(tmp_path, "old").folder == old.folder
    assert SHELF.choose(tmp_path, "semantic-old").name == SHELF.choose(tmp_path, "ol").name == "old"
    assert SHELF.missing(tmp_path) is None
    with pytest.raises(Problem, match="no base model 'new': choose one of old, young"):
        SHELF.choose(tmp_path, "new")
    shelve(tmp_path, "older")
    with pytest.raises(Problem, match="Several base models begin with 'ol': choose one of old, older"):
        SHELF.choose(tmp_path, "ol")
    assert SHELF.choose(tmp_path, "old").name == "old"


def test_what_is_half_copied_or_something_else_is_no_model(tmp_path) -> None:
    whole = shelve(tmp_path)
    for name in ("semantic-half", ".semantic-aside", "elsewhere", "semantic-weights"):
        shutil.copytree(whole.folder, tmp_path / "models" / name)
    (tmp_path / "models" / "semantic-half" / "network.safetensors").unlink()
    (tmp_path / "models" / "semantic-weights" / "settings.json").unlink()
    (tmp_path / "models" / "semantic-file").touch()
    assert [model.name for model in SHELF.models(tmp_path)] == ["tiny"]


def test_weights_are_the_same_by_their_digest_whatever_they_are_called(tmp_path) -> None:
    model = shelve(tmp_path)
    assert model.digest == hashlib.sha256((model.folder / "network.safetensors").read_bytes()).hexdigest()
    reference = BaseReference("tiny", model.digest)
    assert SHELF.find(tmp_path, reference).folder == model.folder
    model.folder.rename(model.folder.with_name("semantic-other"))
    assert SHELF.find(tmp_path, reference).name == "other"
    with pytest.raises(Problem, match="“tiny” that draws this avatar is gone"):
        SHELF.find(tmp_path, BaseReference("tiny", "0" * 64))
    shelve(tmp_path, "tiny", seed=5)
    with pytest.raises(Problem, match="“tiny” that draws this avatar has other weights by now"):
        SHELF.find(tmp_path, BaseReference("tiny", "0" * 64))


def test_who_cannot_be_drawn_is_told(tmp_path) -> None:
    model = shelve(tmp_path)
    assert check(model, "builtin-1") == PROJECT
    with pytest.raises(Problem, match=r"driven by the head model “builtin-1”.*tracked with “flame-2020”"):
        check(model, "flame-2020")
    own = shelve(tmp_path, "own", replace(PAPER, keypoint_source="unsupervised"))
    with pytest.raises(Problem, match="finds keypoints by itself"):
        check(own, "builtin-1")


def test_a_damaged_one_is_told(tmp_path) -> None:
    model = shelve(tmp_path)
    file = model.folder / "settings.json"
    content = json.loads(file.read_text())
    del content["network"]["side"]
    del content["head_model"]
    file.write_text(json.dumps(content))
    with pytest.raises(Problem, match="damaged"):
        check(model, "builtin-1")
    shutil.rmtree(model.folder)
    with pytest.raises(Problem, match="cannot be read"):
        _ = model.digest
