"""What every way to find edits keeps to, whoever wrote it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from studio.assets import AssetLibrary
from studio.domain.edits import Space
from studio.editing.catalog import _LISTED, METHODS
from studio.editing.method import MethodSpec

ROOT = Path(__file__).resolve().parents[2]
SPECS = [pytest.param(spec, id=spec.id) for spec in METHODS.values()]


def test_every_method_is_listed_once():
    assert list(METHODS) == [spec.id for spec in METHODS.values()]
    assert len(_LISTED) == len(METHODS), "two of the same id would hide each other"
    titles = [spec.title for spec in METHODS.values()]
    assert len(set(titles)) == len(titles)


def test_no_method_is_forgotten():
    """A module of this package that declares a SPEC is in the catalog."""
    declaring = [
        path.stem
        for path in (ROOT / "studio" / "editing").glob("*.py")
        if path.stem != "catalog" and "MethodSpec(" in path.read_text(encoding="utf-8")
    ]
    catalog = (ROOT / "studio" / "editing" / "catalog.py").read_text(encoding="utf-8")
    assert declaring
    assert [name for name in declaring if f"studio.editing.{name} import" not in catalog] == []


def test_listing_methods_and_their_wishes_loads_no_torch():
    program = (
        "import sys\n"
        "from studio.editing.catalog import METHODS\n"
        "for spec in METHODS.values(): spec.wish_class\n"
        "import pipelines.edit_avatar, pipelines.edit_job\n"
        "print([n for n in ('torch', 'mediapipe', 'open_clip', 'sklearn', 'PySide6') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("spec", SPECS)
def test_what_it_says_about_itself(spec: MethodSpec):
    assert spec.id == spec.id.lower()
    assert " " not in spec.id
    assert spec.title
    assert spec.summary.endswith(".")
    assert spec.spaces
    assert set(spec.spaces) <= set(Space.__args__)  # type: ignore[attr-defined]
    latent = set(spec.spaces) & {"w", "w+", "style"}
    assert spec.generator or not latent, "latents are some generator's"


@pytest.mark.parametrize("spec", SPECS)
def test_its_finder_takes_person_wish_and_workplace(spec: MethodSpec):
    module, name = spec.finder.split(":")
    finder = getattr(__import__(module, fromlist=[name]), name)
    assert list(inspect.signature(finder).parameters) == ["person", "wish", "workplace"]
    assert finder.__doc__


@pytest.mark.parametrize("spec", SPECS)
def test_its_wish_is_settings_with_words_for_each(spec: MethodSpec):
    wish = spec.wish_class
    assert dataclasses.is_dataclass(wish)
    assert wish.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert wish.__doc__
    assert not wish.__doc__.startswith(f"{wish.__name__}("), "a docstring of its own"
    body = ast.parse(inspect.getsource(wish)).body[0].body  # type: ignore[attr-defined]
    told = {
        before.target.id
        for before, after in zip(body, body[1:], strict=False)
        if isinstance(before, ast.AnnAssign)
        and isinstance(before.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }
    assert told == {one.name for one in dataclasses.fields(wish)}, "a docstring under each field"


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_missing_is_said_in_a_sentence(spec: MethodSpec, tmp_path: Path):
    said = spec.missing(AssetLibrary(tmp_path))
    assert said is None or (said.endswith((".", ")")) and "\n" not in said and len(said) > 40)
    assert spec.generator or said is None, "shapes and colours need no weights"
