"""docs/controls.md says what the code does.

To renew its tables after a change: paste what the failing test says is missing.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

import pipelines
from pipelines.cli import main
from pipelines.control_file import EASES, ENTRIES, LONGEST, RATES, read_control_file
from pipelines.control_list import camera_sheet, control_entries, handle_entries, markdown, plain_sheet
from studio.head import builtin_head

PAGE = (Path(pipelines.__file__).parents[1] / "docs" / "controls.md").read_text(encoding="utf-8")


def test_the_pages_tables_are_the_codes() -> None:
    sheet = plain_sheet()
    assert markdown(control_entries(sheet, reliable=False)) in PAGE
    assert markdown(control_entries(camera_sheet(), reliable=False)) in PAGE
    assert markdown(handle_entries(sheet, builtin_head().handles)) in PAGE


def test_every_name_that_a_file_may_use_is_on_the_page() -> None:
    for name in [*plain_sheet().names, *camera_sheet().names, *builtin_head().handles]:
        assert f"`{name}`" in PAGE or name.startswith("expression_")


def test_the_pages_figures_are_the_codes() -> None:
    described = re.findall(r"^\| `(\w+)` \| [^|]*\|$", PAGE, re.MULTILINE)
    assert sorted(described) == sorted(ENTRIES)
    assert f"{RATES[0]} to {RATES[1]}" in PAGE
    assert PAGE.count(f"{LONGEST:g}") == 2
    assert all(f'"{ease}"' in PAGE for ease in EASES)


def test_the_pages_example_does_what_the_page_says(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "example.json"
    path.write_text(example, encoding="utf-8")
    sheet, said = plain_sheet(), list[str]()
    track = read_control_file(path, sheet, builtin_head().handles, said.append)
    assert len(track) == 135
    yaw, lid = track.values[:, 0], track.values[:, sheet.names.index("eyelid_left")]
    assert not track.values[:30, [0, *range(13, 63)]].any(), "the head rests for a second"
    assert np.isclose(yaw[60], 20)
    assert np.isclose(lid[90], 1)
    assert not lid[:87].any()
    assert not [sentence for sentence in said if sentence.startswith("Held")]
    assert json.loads(example)["keyframes"][0] == {"time": 0}


def test_the_command_lists_them_all(capsys, tmp_path: Path) -> None:
    assert main(["controls", "--home", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for entry in [*control_entries(plain_sheet(), False), *control_entries(camera_sheet(), False)]:
        line = next(line for line in said.splitlines() if line.startswith(f"  {entry.name} "))
        assert f"{entry.low} to {entry.high}" in line
        assert "shown" not in line
    assert all(f"\n  {name} " in said for name in builtin_head().handles)
