"""PyTorch's layouts come through as they are; what hides in them does not run."""

from __future__ import annotations

import builtins
import functools
import io
import operator
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from studio.domain.problem import Problem
from studio.networks.foreign import read_foreign
from studio.networks.foreign.torch_streams import ForeignTensor, read_stream
from tests.networks.foreign.made_files import Runs, legacy, zipped

BIG = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
SHARED = torch.linspace(0, 1, 20, dtype=torch.float64)
VALUES: dict[str, Any] = {
    "plain": BIG,
    "turned": BIG.transpose(0, 2),
    "window": BIG[1:, 1:3, ::2],
    "one": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
    "first": SHARED[:10],
    "second": SHARED[5:],
    "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "brain": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "counter": torch.tensor(7),
    "small": torch.tensor([-3, 4], dtype=torch.int8),
    "truths": torch.tensor([True, False, True]),
    "parameter": nn.Parameter(torch.tensor([1.0, 2.0])),
    "repeated": torch.tensor([1.0, 2.0]).expand(3, 2),
}


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        content, stream = read_stream(file, path.name)
        return _values(content), stream


def _values(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _values(value) for key, value in content.items()}
    return content.value() if isinstance(content, ForeignTensor) else content


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "file.pt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("layout", ["zip", "legacy", "pickle"])
def test_tensors_of_every_layout_come_through(tmp_path, layout):
    path = tmp_path / "file.pt"
    content = {
        "state": OrderedDict(VALUES),
        "numpy": np.arange(3),
        "size": BIG.shape,
        "opt": defaultdict(dict),
    }
    content["types"] = (torch.float32, torch.device("cpu"))
    if layout == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=layout == "zip")
    read, stream = _opened(path)
    assert stream == layout
    assert list(read["state"]) == list(VALUES)
    for name, value in VALUES.items():
        assert read["state"][name].dtype == value.dtype, name
        assert torch.equal(read["state"][name], value.detach()), name
    assert read["size"] == (3, 4, 5)
    assert read["opt"] == {}
    assert read["types"] == ("torch.float32", "cpu")


def test_parts_of_storages_as_before_pytorch_1(tmp_path):
    # ('storage', type, key, place, size of the whole, (key of the part, start, size of the part))
    class Writer(pickle.Pickler):
        def persistent_id(self, item):
            view = ("part", 2, 3)
            return ("storage", torch.FloatStorage, "0", "cpu", 6, view) if item == "HERE" else None

    out = io.BytesIO()
    Writer(out, 2).dump({"x": Runs(torch._utils._rebuild_tensor, "HERE", 1, (2,), (1,))})
    raw = (6).to_bytes(8, "little") + np.arange(6, dtype="<f4").tobytes()
    read, _ = _opened(_write(tmp_path, legacy(out.getvalue(), ["0"], raw)))
    assert read["x"].tolist() == [3.0, 4.0]


def _boom(module: str, name: str) -> bytes:
    """A call of something by its name alone, whether or not it can be imported here."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"X\x06\x00\x00\x00CANARY\x85R."


EVIL: dict[str, bytes] = {
    name: pickle.dumps({"g_ema": Runs(*call)}, 2)
    for name, call in {
        "os.system": (os.system, "touch CANARY"),
        "eval": (eval, "open('CANARY', 'w')"),
        "exec": (exec, "open('CANARY', 'w')"),
        "open": (open, "CANARY", "w"),
        "getattr": (getattr, "x", "__class__"),
        "import": (builtins.__import__, "evil_module"),
        "Popen": (subprocess.Popen, ["touch", "CANARY"]),
        "torch.hub.load": (torch.hub.load, "evil/evil", "evil"),
        "torch.load": (torch.load, "CANARY"),
        "torch.save": (torch.save, [], "CANARY"),
        "attrgetter": (operator.attrgetter, "x"),
        "partial": (functools.partial, print, "x"),
        "np.save": (np.save, "CANARY", np.zeros(1)),
        "pickle.loads": (pickle.loads, b"N."),
    }.items()
} | {
    "a module that would touch the file when imported": _boom("evil_module", "run"),
    "an attribute of a known function": _boom("torch._utils", "_rebuild_tensor_v2.__globals__"),
    "a name inside torch": _boom("torch", "os.system"),
    "persistence without its class": _boom("torch_utils.persistence", "_src_to_module"),
    "an extension code": b"\x80\x02\x82\x01.",
    "a memo of 64 GiB": b"\x80\x02]r\xff\xff\xff\xff.",
}


@pytest.mark.parametrize("evil", ["os.system", "eval", "exec", "open"])
def test_these_files_are_dangerous(tmp_path, monkeypatch, evil):
    monkeypatch.chdir(tmp_path)
    pickle.loads(EVIL[evil])
    assert (tmp_path / "CANARY").exists()


@pytest.mark.parametrize("layout", ["pickle", "legacy", "zip", "inside a storage", "inside one in a zip"])
@pytest.mark.parametrize("evil", EVIL)
def test_nothing_runs(tmp_path, monkeypatch, evil, layout):
    data = EVIL[evil]
    inner = pickle.dumps({"g_ema": Runs(torch.storage._load_from_bytes, legacy(data))}, 2)
    path = _write(
        tmp_path,
        {
            "pickle": data,
            "legacy": legacy(data),
            "zip": zipped(data),
            "inside a storage": inner,
            "inside one in a zip": zipped(inner),
        }[layout],
    )
    (tmp_path / "evil_module.py").write_text("open('CANARY', 'w')\ndef run(*args): open('CANARY', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    with pytest.raises(Problem, match="nothing was run") as raised:
        read_foreign(path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "CANARY").exists()
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    "data",
    [
        # BUILD on a stand-in function, on a storage type, on a tensor and on a class that a pickle may call.
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x08\x00\x00\x00__code__K\x01s\x86b.",
        b"\x80\x02ctorch\nFloatStorage\n}X\x01\x00\x00\x00xK\x01sb.",
        b"\x80\x02ccollections\nOrderedDict\nN}X\x06\x00\x00\x00updateK\x01s\x86b.",
        b"\x80\x02ctorch\nSize\nN}X\x05\x00\x00\x00countK\x01s\x86b.",
        b"\x80\x02ctorch.nn.modules.linear\nLinear\nX\x01\x00\x00\x00x}X\x01\x00\x00\x00yK\x01sb.",
    ],
)
def test_stand_ins_cannot_be_changed(tmp_path, data):
    with pytest.raises(Problem):
        read_foreign(_write(tmp_path, data))
    path = tmp_path / "good.pt"
    torch.save({"g_ema": {"x": BIG}}, path)
    assert torch.equal(read_foreign(path).tensors["x"], BIG)
    assert OrderedDict(a=1).update is not None


def test_a_state_meant_for_setstate_stays_a_value(tmp_path, monkeypatch):
    # A known layer with a hostile state: it is kept as data, no __setstate__ of torch's sees it.
    seen = []
    monkeypatch.setattr(nn.Linear, "__setstate__", lambda self, state: seen.append(state))
    torch.save({"g_ema": nn.Linear(2, 2)}, tmp_path / "file.pt")
    with pytest.raises(Problem):
        read_foreign(tmp_path / "file.pt")
    assert seen == []


def _zip_tensor(count: int, shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    class Writer(pickle.Pickler):
        def persistent_id(self, item):
            return ("storage", torch.FloatStorage, "0", "cpu", count) if item == "HERE" else None

    out = io.BytesIO()
    Writer(out, 2).dump(
        {"g_ema": {"x": Runs(torch._utils._rebuild_tensor_v2, "HERE", offset, shape, stride)}}
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("count", "shape", "stride", "offset"),
    [
        (1 << 40, (4,), (1,), 0),
        (5, (4,), (1,), 0),
        (4, (5,), (1,), 0),
        (4, (4,), (1,), 1),
        (4, (2, 2), (3, 1), 0),
        (4, (-1,), (1,), 0),
        (4, (4,), (-1,), 3),
        (4, (1 << 40,), (0,), 0),
        (4, (2, 2), (1,), 0),
    ],
)
def test_tensors_that_lie_are_refused(tmp_path, count, shape, stride, offset):
    data = _zip_tensor(count, shape, stride, offset)
    with pytest.raises(Problem, match="not a readable"):
        read_foreign(_write(tmp_path, zipped(data, _0=bytes(16))))
    raw = count.to_bytes(8, "little") + bytes(16)
    with pytest.raises(Problem, match="not a readable"):
        read_foreign(_write(tmp_path, legacy(data, ["0"], raw)))


def test_the_same_tensor_without_a_lie_is_read(tmp_path):
    data = _zip_tensor(4, (2, 2), (2, 1))
    assert read_foreign(_write(tmp_path, zipped(data, _0=bytes(16)))).tensors["x"].shape == (2, 2)
    raw = (4).to_bytes(8, "little") + bytes(16)
    assert read_foreign(_write(tmp_path, legacy(data, ["0"], raw))).tensors["x"].shape == (2, 2)


def test_an_archive_that_unpacks_to_more_is_refused(tmp_path):
    data = _zip_tensor(1 << 20, (1 << 20,), (1,))
    packed = zipped(data, zipfile.ZIP_DEFLATED, _0=bytes(4 << 20))
    assert len(packed) < 100_000
    with pytest.raises(Problem, match="compressed"):
        read_foreign(_write(tmp_path, packed))


def test_storages_cannot_add_up_to_more_than_the_file(tmp_path):
    class Writer(pickle.Pickler):
        def persistent_id(self, item):
            return ("storage", torch.FloatStorage, item[4:], "cpu", 1000) if str(item)[:4] == "HERE" else None

    out = io.BytesIO()
    tensors = {f"x{n}": Runs(torch._utils._rebuild_tensor_v2, f"HERE{n}", 0, (1,), (1,)) for n in range(50)}
    Writer(out, 2).dump({"g_ema": tensors})
    with pytest.raises(Problem, match="more than its own size"):
        read_foreign(_write(tmp_path, zipped(out.getvalue(), _0=bytes(4000))))


def test_torchscript_is_not_run(tmp_path):
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("s/data.pkl", pickle.dumps({}, 2))
        archive.writestr("s/constants.pkl", b"")
        archive.writestr("s/code/__torch__.py", "")
    with pytest.raises(Problem, match="TorchScript"):
        read_foreign(path)


@pytest.mark.parametrize("layout", [True, False])
def test_a_file_cut_short_is_said_to_be_so(tmp_path, layout):
    out = io.BytesIO()
    torch.save({"g_ema": {"x": BIG}}, out, _use_new_zipfile_serialization=layout)
    data = out.getvalue()
    for size in (0, 1, 3, 40, len(data) // 2, len(data) - 30):
        with pytest.raises(Problem, match=r"file\.pt"):
            read_foreign(_write(tmp_path, data[:size]))


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(Problem, match=r"none\.pt cannot be read"):
        read_foreign(tmp_path / "none.pt")
