"""The quarantined reader: data comes through unharmed, code never runs."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from studio.domain.problem import Problem
from studio.project import quarantined_pickle
from studio.project.quarantined_pickle import Record, read_pickle, unpickle


class Runs:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


def write(folder, value, protocol=2):
    path = folder / "file.pkl"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_plain_values_and_arrays_come_through(tmp_path, protocol):
    value: dict[str, Any] = {
        "floats": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big_endian": np.arange(5, dtype=">i4"),
        "truths": np.array([True, False]),
        "objects": np.array([1, "two", None], object),
        "nested": [(1, 2.5), {"x"}, OrderedDict(a=np.float64(0.5))],
        "empty": np.zeros((0, 3)),
    }
    read = read_pickle(write(tmp_path, value, protocol))
    for name in ("floats", "columns", "big_endian", "truths", "objects", "empty"):
        assert read[name].dtype == value[name].dtype
        np.testing.assert_array_equal(read[name], value[name])
    assert read["nested"][0] == (1, 2.5)
    assert read["nested"][1] == {"x"}
    assert read["nested"][2]["a"] == 0.5


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("call", "args"),
    [
        (os.system, ("touch CANARY",)),
        (eval, ("open('CANARY', 'w')",)),
        (exec, ("open('CANARY', 'w')",)),
        (getattr, ("x", "__class__")),
        (open, ("CANARY", "w")),
        (__import__, ("os",)),
        (np.save, ("CANARY", np.zeros(1))),
        (np.load, ("CANARY",)),
        (io.FileIO, ("CANARY", "w")),
        (pickle.loads, (b"N.",)),
    ],
)
def test_code_is_refused_and_does_not_run(tmp_path, monkeypatch, call, args, protocol):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, {"v_template": Runs(call, *args)}, protocol)
    with pytest.raises(Problem, match="nothing was run"):
        read_pickle(path, inert=("chumpy", "scipy.sparse"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.pkl"]


def test_a_dotted_name_cannot_reach_out_of_an_inert_package(tmp_path):
    data = b"\x80\x04\x8c\x06chumpy\x8c\x09os.system\x93\x8c\x04true\x85R."
    read = read_pickle(write(tmp_path, data), inert=("chumpy",))
    assert isinstance(read, Record)
    assert (read.module, read.name, read.args) == ("chumpy", "os.system", ("true",))


def test_a_similar_package_name_is_not_inert(tmp_path):
    with pytest.raises(Problem, match=r"chumpyx\.evil"):
        read_pickle(write(tmp_path, b"\x80\x02cchumpyx\nevil\n)R."), inert=("chumpy",))


def test_stand_ins_cannot_be_changed(tmp_path):
    # BUILD on a function with slot state would be setattr(function, name, value).
    data = b"\x80\x02c_codecs\nencode\nN}X\x0c\x00\x00\x00__defaults__(X\x01\x00\x00\x00ats\x86b."
    with pytest.raises(Problem):
        read_pickle(write(tmp_path, data))


def test_a_name_cannot_spoil_the_message(tmp_path):
    name = ("evil\n\x1b[2J" + 1000 * "x").encode()
    data = b"\x80\x04X" + len(name).to_bytes(4, "little") + name + b"\x8c\x01y\x93."
    with pytest.raises(Problem) as raised:
        read_pickle(write(tmp_path, data))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


def test_persistent_references_are_refused(tmp_path):
    with pytest.raises(Problem, match="outside the file"):
        read_pickle(write(tmp_path, b"\x80\x02X\x01\x00\x00\x00aQ."))


@pytest.mark.parametrize(
    "array",
    [
        (1, (1 << 40,), "f8", b"12345678"),
        (1, (2,), "f8", b"12345678"),
        (1, (-1,), "f8", b"12345678"),
        (1, (1,), "V8", b"12345678"),
        (1, (3,), "O", [1]),
    ],
)
def test_arrays_that_lie_are_refused(tmp_path, array):
    version, shape, code, raw = array
    rebuild = np.zeros(1).__reduce__()[0]

    class Fake:
        def __reduce__(self):
            kind = Runs(np.dtype, code, False, True)
            state = (version, shape, kind, False, raw)
            return rebuild, (np.ndarray, (0,), b"b"), state

    with pytest.raises(Problem):
        read_pickle(write(tmp_path, Fake()))


@pytest.mark.parametrize("data", [b"", b"not a pickle", b"\x80\x02]q\x00(K\x01"])
def test_damaged_files_are_said_to_be_so(tmp_path, data):
    with pytest.raises(Problem, match=r"file\.pkl"):
        read_pickle(write(tmp_path, data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x02\x82\x01.", "an extension"),
        (b"\x80\x02\x84\xff\xff\xff\x7f.", "an extension"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "a memory"),  # LONG_BINPUT: 64 GiB of memo
        (b"(lp9999999999\n.", "a memory"),
        (b"\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00abc.", "too early"),  # BINBYTES8 of a terabyte
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x01\x00\x00N.", "too early"),  # FRAME of a terabyte
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "too early"),
    ],
)
def test_what_would_harm_the_unpickler_itself_is_refused_before_it_runs(tmp_path, monkeypatch, data, words):
    monkeypatch.setattr(quarantined_pickle._Quarantine, "load", lambda self: pytest.fail("it ran"))
    with pytest.raises(Problem, match=words):
        read_pickle(write(tmp_path, data))


def test_tuples_of_tuples_do_not_unfold(tmp_path):
    # A tuple holding one tuple twice, sixty times over: small in the file, 2^60 leaves when walked naively.
    data = b"\x80\x02)q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + b"]h<a."
    read = read_pickle(write(tmp_path, data))
    depth = 0
    at = read[0]
    while at:
        assert at[0] is at[1]
        at, depth = at[0], depth + 1
    assert depth == 60


def test_several_pickles_in_one_file_are_read_one_after_another():
    file = io.BytesIO(b"".join(pickle.dumps(n, 2) for n in (1, "two", [3.0])) + b"raw bytes")
    assert [unpickle(file) for _ in range(3)] == [1, "two", [3.0]]
    assert file.read() == b"raw bytes"


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(Problem, match=r"none\.pkl"):
        read_pickle(tmp_path / "none.pkl")


def test_records_keep_what_the_pickle_said_and_import_nothing(tmp_path, monkeypatch):
    fake: Any = types.ModuleType("chumpy.ch")
    fake.Ch = type("Ch", (), {"__module__": "chumpy.ch"})
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", fake)
    made = fake.Ch()
    made.x = np.arange(3.0)
    path = write(tmp_path, made)
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    monkeypatch.delitem(sys.modules, "chumpy")
    read = read_pickle(path, inert=("chumpy",))
    assert isinstance(read, Record)
    assert (read.module, read.name) == ("chumpy.ch", "Ch")
    np.testing.assert_array_equal(read.state["x"], [0.0, 1.0, 2.0])
    assert "chumpy" not in sys.modules
    assert "chumpy.ch" not in sys.modules
