from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.problem import Problem
from studio.project.lineage import KEY_LENGTH, file_key, key_of, settings_that_matter
from studio.project.settings_json import settings_from_plain, settings_to_plain


class Mode(Enum):
    FAST = "fast"
    FINE = "fine"


@dataclass(frozen=True)
class Inner:
    sigma: float = 1.0
    label: str = field(default="x", metadata={"invalidates": False})


@dataclass(frozen=True)
class Settings:
    count: int = 200
    share: float = 0.5
    rate: Fraction = Fraction(30000, 1001)
    mode: Mode = Mode.FAST
    box: tuple[int, int] | None = (1, 2)
    inner: Inner = Inner()
    threads: int = field(default=2, metadata={"invalidates": False})
    weights: Path | None = None


def _key(settings: Any = Settings(), version: int = 1, inputs: dict[str, str] | None = None) -> str:
    return key_of("stage", version, inputs or {"clip": "ab", "pivots": "cd"}, settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 201},
        {"share": 0.5000001},
        {"rate": Fraction(30)},
        {"mode": Mode.FINE},
        {"box": None},
        {"box": (2, 1)},
        {"inner": Inner(sigma=2.0)},
        {"weights": Path("w.bin")},
    ],
)
def test_settings_that_matter_change_the_key(changes):
    assert _key(replace(Settings(), **changes)) != _key()


def test_what_cannot_change_a_result_never_changes_the_key():
    assert _key(replace(Settings(), threads=16, inner=Inner(label="another"))) == _key()
    assert "threads" not in settings_that_matter(Settings())
    assert settings_that_matter(Settings())["inner"] == {"sigma": 1}


def test_stage_version_and_inputs_change_the_key():
    keys = {
        _key(),
        _key(version=2),
        _key(inputs={"clip": "ab", "pivots": "ce"}),
        _key(inputs={"clip": "cd", "pivots": "ab"}),
        _key(inputs={"clip": "ab"}),
        key_of("other", 1, {"clip": "ab", "pivots": "cd"}, Settings()),
    }
    assert len(keys) == 6


def test_the_order_of_inputs_and_the_spelling_of_numbers_do_not():
    assert _key(inputs={"pivots": "cd", "clip": "ab"}) == _key()
    assert _key(replace(Settings(), share=1)) == _key(replace(Settings(), share=1.0))
    assert _key(replace(Settings(), box=[1, 2])) == _key()  # type: ignore[arg-type]


def test_a_key_is_the_same_in_every_process_and_version():
    """Folders of earlier versions are found by it: this very text may never change."""
    text = '{"inputs":{"clip":"ab"},"settings":{"label":"\\u00eb","sigma":1},"stage":"s","version":3}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]
    assert key_of("s", 3, {"clip": "ab"}, {"sigma": 1.0, "label": "ë"}) == expected


def test_a_setting_without_a_stable_spelling_is_refused():
    with pytest.raises(TypeError, match="object"):
        settings_that_matter({"a": object()})
    with pytest.raises(ValueError):
        key_of("s", 1, {}, {"a": float("nan")})


@given(
    st.builds(
        Settings,
        count=st.integers(),
        share=st.floats(allow_nan=False, allow_infinity=False),
        rate=st.fractions(),
        mode=st.sampled_from(Mode),
        box=st.none() | st.tuples(st.integers(), st.integers()),
        inner=st.builds(Inner, sigma=st.floats(0, 9), label=st.text()),
        threads=st.integers(),
        weights=st.none() | st.just(Path("a b/ë")),
    )
)
def test_settings_survive_json_with_their_key(settings):
    import json

    plain = json.loads(json.dumps(settings_to_plain(settings)))
    back = settings_from_plain(Settings, plain)
    assert back == settings
    assert _key(back) == _key(settings)


def test_settings_of_other_versions_are_read():
    assert settings_from_plain(Settings, {"count": 7, "gone_since": 1}) == Settings(count=7)


def test_a_setting_of_the_wrong_type_is_a_problem():
    with pytest.raises(Problem, match=r"inner\.sigma"):
        settings_from_plain(Settings, {"inner": {"sigma": "wide"}})


def test_a_files_key_is_its_content(tmp_path):
    a, b, c = tmp_path / "a.mp4", tmp_path / "b.mov", tmp_path / "c.mp4"
    content = b"x" * (2**20 + 17)
    a.write_bytes(content)
    b.write_bytes(content)
    c.write_bytes(content[:-1] + b"y")
    blocks: list[bytes] = []
    assert file_key(a, blocks.append) == file_key(b) != file_key(c)
    assert b"".join(blocks) == content
    assert file_key(a) == hashlib.sha256(content).hexdigest()[:KEY_LENGTH]
