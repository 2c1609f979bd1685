"""Two processes train on people, with a discriminator that joins later, as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("processes_program.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="torchrun as POSIX knows it")
def test_the_curve_is_that_of_one_process(made, tmp_path):
    curves = []
    for number, before in enumerate(([], TORCHRUN)):
        answer = tmp_path / f"{number}.json"
        words = [str(PROGRAM), str(made), str(tmp_path / str(number)), str(answer)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *before, *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        curves.append(json.loads(answer.read_text(encoding="utf-8")))
    one, two = curves
    for kind in ("losses", "validations"):
        assert [step for step, _ in one[kind]] == [step for step, _ in two[kind]]
        # The first point is the same; then Adam makes more of differences in rounding, as it does when one
        # process takes its batch in pieces.
        for place, ((_, figures), (_, others)) in enumerate(zip(one[kind], two[kind])):
            assert others["loss"] == pytest.approx(figures["loss"], rel=1e-5 if place == 0 else 3e-3)
    assert one["losses"][0][1]["critic"] == 0.0
    assert two["losses"][-1][1]["critic"] > 0.0
