"""How much a process held is its own: what started it does not count."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipelines.bench_result import peak_memory

ASK = "from pipelines.bench_result import peak_memory; print(peak_memory())"
LARGE = 600 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="told by another call elsewhere")
def test_a_small_process_of_a_large_one_is_small() -> None:
    held = np.ones(LARGE, np.uint8)
    assert peak_memory() > LARGE / 1024**3
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert 0.005 < float(told.stdout) < 0.4
    assert held[-1] == 1
