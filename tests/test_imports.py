"""Every module imports, and none drags along what its layer must not have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "mediapipe", "cv2", "numba", "scipy", "sklearn", "skimage", "matplotlib", "PySide6")


def _modules(*packages: str) -> list[str]:
    """Dotted names of all modules of some packages."""
    names = []
    for package in packages:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            if parts[-1] != "__main__":
                names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def _in_a_new_process(program: str) -> str:
    """What a program prints, run by a fresh interpreter in the project."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WITHOUT_QT = """
import importlib
import json
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PySide6", "shiboken6", "pyqtgraph"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
for name in json.loads(NAMES):
    importlib.import_module(name)
"""


def test_studio_and_pipelines_import_without_qt() -> None:
    names = _modules("studio", "pipelines")
    assert len(names) > 20
    _in_a_new_process(WITHOUT_QT.replace("NAMES", repr(json.dumps(names))))


@pytest.mark.qt
def test_every_module_of_the_window_imports() -> None:
    pytest.importorskip("PySide6.QtWidgets")
    names = _modules("ui")
    _in_a_new_process(f"import importlib\nfor name in {names!r}: importlib.import_module(name)")


def _dragged_along(program: str) -> set[str]:
    """Which heavy packages are loaded after a program."""
    ending = f"\nimport json, sys\nprint('\\n' + json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    return set(json.loads(_in_a_new_process(program + ending).splitlines()[-1]))


def test_the_domain_is_numpy_only() -> None:
    names = _modules("studio/domain")
    assert "studio.domain.camera" in names
    program = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names)
    assert _dragged_along(program) == set()


def test_no_file_without_a_subject() -> None:
    vague = {"utils.py", "util.py", "helpers.py", "helper.py", "manager.py", "common.py", "misc.py"}
    assert [
        name for name in _modules("studio", "pipelines", "ui") if name.split(".")[-1] + ".py" in vague
    ] == []


@pytest.mark.qt
def test_pydantic_is_there_before_qt_whose_import_hook_it_does_not_bear() -> None:
    pytest.importorskip("PySide6.QtWidgets")
    _in_a_new_process(
        "import sys, ui\n"
        "assert 'pydantic.type_adapter' in sys.modules\n"
        "assert not any(name.startswith(('PySide6', 'shiboken6')) for name in sys.modules)"
    )


def test_the_window_opens_with_nothing_heavy_and_no_page_renders() -> None:
    pytest.importorskip("PySide6.QtWidgets")
    assert _dragged_along("import ui.app, ui.pages.library") <= {"PySide6"}
    program = """
import importlib
import ui.app
from ui.pages.catalog import PAGES
for page in PAGES:
    importlib.import_module(page.place.partition(":")[0])
"""
    assert _dragged_along(program) <= {"PySide6", "cv2", "scipy"}
