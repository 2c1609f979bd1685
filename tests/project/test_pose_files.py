"""Named poses survive, in order, or say what is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from studio.domain.problem import Problem
from studio.project.pose_files import load_poses, save_poses


def test_poses_come_back_in_their_order(tmp_path: Path) -> None:
    assert load_poses(tmp_path) == {}
    poses = {"Zoë smiles": {"smile": 0.8, "yaw": -12.5}, "A": {}, "Grüß": {"expression_07": 1.0}}
    save_poses(tmp_path, poses)
    assert load_poses(tmp_path) == poses
    assert list(load_poses(tmp_path)) == list(poses)


@pytest.mark.parametrize(
    "poses", [[1], {"A": {"yaw": "far"}}, {"A": {"yaw": math.nan}}, {"A": 3.0}, None], ids=str
)
def test_damaged_poses_are_a_sentence(tmp_path: Path, poses: object) -> None:
    save_poses(tmp_path, {"A": {"yaw": 1.0}})
    file = tmp_path / "poses.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**whole, "poses": poses}), encoding="utf-8")
    with pytest.raises(Problem, match=r"poses\.json"):
        load_poses(tmp_path)
