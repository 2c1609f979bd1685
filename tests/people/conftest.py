"""One made corpus of wandering discs a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.corpus.corpus import Corpus
from tests.people.moving_corpus import write_moving_corpus


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Folder of a corpus that nobody may change."""
    folder = tmp_path_factory.mktemp("moving") / "corpus"
    write_moving_corpus(folder)
    return folder


@pytest.fixture
def corpus(made: Path) -> Corpus:
    """That corpus, opened anew."""
    return Corpus.open(made)
