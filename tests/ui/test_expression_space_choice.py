"""How a clip's expression is taken over: a choice where the home can do it, a sentence where it cannot."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from studio.engines.export3d.expression_space import WayBack, save_way_back
from studio.engines.export3d.settings import Export3DSettings
from studio.head import builtin_head
from studio.head.expression_numbers import EXPRESSION
from studio.one_picture.base_models import DOCUMENT, SETTINGS, WEIGHTS
from studio.project.documents import write_document
from ui.widgets.expression_space import ExpressionSpaceChoice


def put_model(home: Path) -> Path:
    """What the choice looks at of a base model."""
    folder = home / "models" / "export3d-one"
    folder.mkdir(parents=True)
    content = {"head_model": builtin_head().id, "network": asdict(Export3DSettings())}
    write_document(folder / SETTINGS, DOCUMENT, content)
    (folder / WEIGHTS).touch()
    centre, mean, weight = (np.zeros(shape, np.float32) for shape in (10, EXPRESSION, (10, EXPRESSION)))
    save_way_back(folder, WayBack(centre, mean, weight, 3, 0.1))
    return folder


@pytest.fixture
def choice(qtbot):
    made = ExpressionSpaceChoice()
    qtbot.addWidget(made)
    made.show()
    return made


def test_without_a_model_there_is_no_choice_but_a_sentence(qtbot, session, choice):
    choice.look(session)
    qtbot.waitUntil(choice.words.isVisible)
    assert "train-people CORPUS --engine export3d" in choice.words.text()
    assert not choice.spaces.isVisible()
    assert choice.settings().expression_space == "head"


def test_with_one_it_is_chosen_and_said(qtbot, session, choice):
    folder = put_model(session.store.home)
    choice.look(session)
    qtbot.waitUntil(choice.spaces.isVisible)
    assert not choice.words.isVisible()
    assert choice.settings().expression_space == "head"
    with qtbot.waitSignal(choice.changed):
        choice.spaces.setCurrentIndex(1)
        choice.spaces.activated.emit(1)
    assert choice.settings().expression_space == "clebs"
    # The model is gone: what was chosen is not silently something else, but told again.
    (folder / SETTINGS).unlink()
    with qtbot.waitSignal(choice.changed):
        choice.look(session)
    assert choice.settings().expression_space == "head"
    assert choice.words.isVisible()
