"""Small files in the layouts of others, written the way their own programs write them."""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

SOURCE = "open('CANARY', 'w').write('the source code inside a persistent pickle was run')"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Runs:
    """Pickles as a call."""

    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@contextmanager
def foreign_packages() -> Iterator[tuple[Any, Any]]:
    """NVIDIA's torch_utils and dnnlib, there only while a file is written: (reconstruct, EasyDict)."""

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("a persistent object was made")

    class EasyDict(dict):
        pass

    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    modules: dict[str, Any] = {name: types.ModuleType(name) for name in names}
    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    EasyDict.__module__, EasyDict.__qualname__ = "dnnlib.util", "EasyDict"
    modules["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj
    modules["dnnlib.util"].EasyDict = EasyDict
    sys.modules.update(modules)
    try:
        yield _reconstruct_persistent_obj, EasyDict
    finally:
        for name in names:
            del sys.modules[name]


def persistent(module: nn.Module, reconstruct: Any, settings: Any, **more: Any) -> Runs:
    """A module as torch_utils.persistence reduces it, and so its children."""
    state = {
        "training": False,
        "_parameters": OrderedDict(module._parameters),
        "_buffers": OrderedDict(module._buffers),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_modules": OrderedDict(
            (name, None if child is None else persistent(child, reconstruct, settings, **more))
            for name, child in module._modules.items()
        ),
        "_init_args": (),
        "_init_kwargs": settings(z_dim=8, c_dim=0),
        **more,
    }
    # A buffer that state_dict() would leave out.
    state["_buffers"]["passing"] = torch.ones(1)
    state["_non_persistent_buffers_set"].add("passing")
    meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": "Part", "state": state}
    return Runs(reconstruct, meta)


def write_nvidia(path: Path, generator: nn.Module, **more: Any) -> Path:
    """A pickle as stylegan2-ada-pytorch and stylegan3 write it."""
    with foreign_packages() as (reconstruct, easy):
        average = persistent(generator, reconstruct, easy, **more)
        other = persistent(nn.Linear(2, 2), reconstruct, easy)
        content = {"G": other, "D": other, "G_ema": average, "augment_pipe": None}
        content["training_set_kwargs"] = easy(class_name="training.dataset.ImageFolderDataset", path="x.zip")
        with path.open("wb") as file:
            pickle.dump(content, file)
    return path


def write_module(path: Path, generator: nn.Module) -> Path:
    """A whole module by torch.save, as PTI writes it."""
    with foreign_packages() as (reconstruct, easy):
        torch.save(persistent(generator, reconstruct, easy), path)
    return path


def legacy(data: bytes, keys: list[str] | None = None, raw: bytes = b"") -> bytes:
    """A file of the old layout around a pickle."""
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, MACHINE))
    return head + data + pickle.dumps(keys or [], 2) + raw


def zipped(data: bytes, compression: int = zipfile.ZIP_STORED, **storages: bytes) -> bytes:
    """A file of the new layout around a pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key.removeprefix('_')}", raw)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()
