"""One small made corpus a session, and copies for tests that damage it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.corpus.corpus import Corpus
from tests.corpus.small_corpus import write_small_corpus


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Folder of a corpus that nobody may change."""
    folder = tmp_path_factory.mktemp("made") / "corpus"
    write_small_corpus(folder)
    return folder


@pytest.fixture
def corpus(made: Path) -> Corpus:
    """That corpus, opened anew."""
    return Corpus.open(made)


@pytest.fixture
def breakable(made: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    shutil.copytree(made, tmp_path / "corpus")
    return tmp_path / "corpus"
