"""CLIP files of every layout give the same network; anything else gives one sentence and runs nothing."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import socket
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from studio.assets import Asset, AssetLibrary
from studio.domain.problem import Problem
from studio.editing.clip_files import CLIPS, clip_file, clip_missing
from studio.editing.clip_prompts import read_words
from studio.editing.clip_words import Clip, meaning_of
from studio.networks.foreign import clip as foreign_clip
from studio.networks.foreign.clip import architectures, load_clip
from studio.networks.foreign.file import Unlike
from tests.editing.tiny_clip import CONFIG, tiny_clip, write_open_clip


@pytest.fixture(scope="module")
def network() -> Any:
    return tiny_clip()


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny architecture is one that open_clip knows."""
    exact = {name: value for name, value in CONFIG.items() if name != "quick_gelu"}
    monkeypatch.setattr(foreign_clip, "architectures", lambda: {"ViT-tiny": exact})


class Traced(torch.nn.Module):
    """What is traced of a CLIP, so that a program with its names comes out."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.visual: Any
        for name, child in network.named_children():
            setattr(self, name, child)
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            setattr(self, name, getattr(network, name))
        self.register_buffer("input_resolution", torch.tensor(32))
        self.register_buffer("context_length", torch.tensor(77))
        self.register_buffer("vocab_size", torch.tensor(49408))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.visual(pictures)


def write_openai(path: Path, network: Any) -> Path:
    """A TorchScript program with half floats, as OpenAI's archives are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is on its way out of PyTorch; files made by it are not
        program = torch.jit.trace(Traced(copy.deepcopy(network)), torch.zeros(1, 3, 32, 32))
        program.half().save(str(path))
    return path


def answers(network: Any) -> torch.Tensor:
    """What a CLIP says of some pictures and some tokens."""
    chance = torch.Generator().manual_seed(1)
    tokens = torch.zeros(2, 77, dtype=torch.int64)
    tokens[0, :4] = torch.tensor([49406, 320, 2533, 49407])
    tokens[1, :3] = torch.tensor([49406, 7, 49407])
    with torch.no_grad():
        pictures = network.encode_image(torch.randn(2, 3, 32, 32, generator=chance))
        return torch.cat([pictures, network.encode_text(tokens)])


def test_openais_archive_is_read_without_its_code(tmp_path, network, known):
    path = write_openai(tmp_path / "ViT-B-32.pt", network)
    with pytest.MonkeyPatch.context() as patch:
        # The very functions that would run what the file brings along.
        patch.setattr(torch.jit, "load", lambda *a, **k: pytest.fail("the program was loaded"))
        patch.setattr(torch, "load", lambda *a, **k: pytest.fail("the pickle was loaded"))
        loaded, about = load_clip(path)
    assert (about.architecture, about.layout, about.quick_gelu) == ("ViT-tiny", "openai", True)
    assert (about.embedding, about.side, about.words) == (24, 32, 77)
    assert about.notes == ()
    assert answers(loaded) == pytest.approx(answers(network), abs=0.02)  # half floats
    assert next(loaded.parameters()).dtype == torch.float32
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("layout", ["safetensors", "bin", "trainer", "old"])
def test_state_dicts_are_read(tmp_path, network, known, layout):
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    path = tmp_path / "weights-openai.bin"
    if layout == "safetensors":
        path = tmp_path / "weights-openai.safetensors"
        save_file(state, path)
    elif layout == "trainer":
        content = {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}
        torch.save(content, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=layout == "bin")
    loaded, about = load_clip(path)
    assert about.quick_gelu  # by its name
    torch.testing.assert_close(answers(loaded), answers(network), rtol=0, atol=1e-5)
    torch.testing.assert_close(loaded.attn_mask, network.attn_mask, rtol=0, atol=0)


def test_the_activation_is_what_is_said_or_assumed(tmp_path, network):
    path = write_open_clip(tmp_path / "quick", network)
    assert load_clip(path)[1].quick_gelu
    exact = write_open_clip(tmp_path / "exact", network, {**CONFIG, "quick_gelu": False})
    loaded, about = load_clip(exact)
    assert (about.quick_gelu, about.notes) == (False, ())
    assert (answers(loaded) - answers(network)).abs().max() > 1e-4  # it does make a difference
    torch.testing.assert_close(answers(load_clip(exact, "quick")[0]), answers(network), rtol=0, atol=1e-5)


def test_what_had_to_be_assumed_is_said(tmp_path, network, known):
    path = write_open_clip(tmp_path, network)
    (tmp_path / "open_clip_config.json").unlink()
    about = load_clip(path)[1]
    assert about.quick_gelu is False
    assert "does not say which activation" in about.notes[0]
    assert load_clip(path, "quick")[1].notes == ()


def test_colours_come_from_the_config(tmp_path, network):
    path = write_open_clip(tmp_path, network)
    said = {"model_cfg": CONFIG, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.5, 0.25]}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(said))
    about = load_clip(path)[1]
    assert (about.mean, about.deviation) == ((0.5, 0.4, 0.3), (0.5, 0.5, 0.25))


def test_a_config_of_another_file_is_not_taken(tmp_path, network, known):
    wider = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "width": 128}}
    path = write_open_clip(tmp_path, network, wider)
    assert load_clip(path)[1].architecture == "ViT-tiny"


@pytest.mark.parametrize(
    ("name", "width"), [("ViT-B-32", 768), ("ViT-B-16", 768), ("ViT-L-14", 1024), ("RN50", 64)]
)
def test_shapes_tell_the_usual_architectures(tmp_path, name, width):
    """On the meta device: real sizes without real memory."""
    shapes = {
        key: tuple(value.shape)
        for key, value in foreign_clip._bare(architectures()[name]).state_dict().items()
    }
    found, config, described = foreign_clip._recognised(tmp_path / "x.pt", shapes)
    assert found == name
    assert described is None
    assert config["vision_cfg"]["width"] == width
    # One layer more or less is another network.
    gone = {key: value for key, value in shapes.items() if not key.startswith("transformer.resblocks.0.")}
    with pytest.raises(Unlike, match="not among open_clip's"):
        foreign_clip._recognised(tmp_path / "x.pt", gone)


def other_architecture(network: Any) -> dict[str, torch.Tensor]:
    return {name: value.contiguous() for name, value in network.state_dict().items()}


def test_an_unknown_architecture_is_named(tmp_path, network):
    save_file(other_architecture(network), tmp_path / "clip.safetensors")
    with pytest.raises(
        Problem, match=r"clip.safetensors cannot be used as CLIP: its architecture is not among"
    ):
        load_clip(tmp_path / "clip.safetensors")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: {"vision_model.embeddings.x": torch.zeros(1)}, "names of Hugging Face's transformers"),
        (
            lambda state: {"visual.trunk.x": torch.zeros(1), "logit_scale": torch.zeros(())},
            "relative of CLIP with another backbone",
        ),
        (lambda state: {"layer.weight": torch.zeros(3, 3)}, "it holds no CLIP"),
        (lambda state: {**state, "logit_bias": torch.zeros(())}, "its architecture is not among"),
        (lambda state: {**state, "logit_scale": torch.tensor(float("nan"))}, "values that are not numbers"),
    ],
)
def test_what_is_no_clip_is_said(tmp_path, network, known, change, sentence):
    save_file(change(other_architecture(network)), tmp_path / "x.safetensors")
    with pytest.raises(Problem, match=sentence):
        load_clip(tmp_path / "x.safetensors")


def test_a_config_that_asks_for_more_is_refused(tmp_path, network):
    config = {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], "hf_tokenizer_name": "somebody/words"}}
    path = write_open_clip(tmp_path, network, config)
    with pytest.raises(Problem, match=r"asks for text_cfg\.hf_tokenizer_name"):
        load_clip(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("layout", ["openai", "safetensors", "bin"])
def test_a_truncated_file_is_damaged(tmp_path, network, known, layout, share):
    path = tmp_path / {"openai": "ViT-B-32.pt", "bin": "x.bin", "safetensors": "x.safetensors"}[layout]
    if layout == "openai":
        write_openai(path, network)
    elif layout == "safetensors":
        save_file(other_architecture(network), path)
    else:
        torch.save(other_architecture(network), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(Problem, match=rf"^{path.name} ") as caught:
        load_clip(path)
    assert str(caught.value).count("\n") == 0


def test_other_files_are_refused(tmp_path):
    for name, data in (
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(64)),
        ("b.pt", b"hello"),
        ("c.pt", b"PK\x03\x04"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Problem, match=rf"^{name} "):
            load_clip(tmp_path / name)
    with pytest.raises(Problem, match="cannot be read"):
        load_clip(tmp_path / "gone.pt")


class Evil:
    """Pickles as a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("layout", ["pickle", "zip", "program"])
def test_a_malicious_pickle_runs_nothing(tmp_path, layout):
    mark = tmp_path / "mark"
    data = pickle.dumps({"state_dict": Evil(mark), "visual.conv1.weight": 1}, 2)
    if layout != "pickle":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("x/data.pkl", data)
            archive.writestr("x/version", "3\n")
            if layout == "program":
                archive.writestr("x/constants.pkl", data)
                archive.writestr("x/code/__torch__.py", "import os")
        data = out.getvalue()
    (tmp_path / "ViT-B-32.pt").write_bytes(data)
    with pytest.raises(Problem, match=r"asks to run or make posix\.system"):
        load_clip(tmp_path / "ViT-B-32.pt")
    assert not mark.exists()


def test_a_program_whose_modules_have_no_end_is_refused(tmp_path, network, known):
    path = write_openai(tmp_path / "a.pt", network)
    out = tmp_path / "b.pt"
    # A module whose state names the module itself.
    loop = b"\x80\x02c__torch__.a\nB\nq\x00)\x81q\x01}(X\x01\x00\x00\x00xh\x01ub."
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            name = info.filename
            new.writestr(info.filename, loop if name.endswith("/data.pkl") else old.read(name))
    with pytest.raises(Problem, match="no end"):
        load_clip(out)


def test_nothing_is_fetched(tmp_path, network, monkeypatch):
    path = write_open_clip(tmp_path, network)

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("somebody wanted the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    clip = Clip(*load_clip(path), torch.device("cpu"))
    meaning_of(read_words("with round eyeglasses"), clip)
    clip.pictures(torch.zeros(1, 3, 16, 16))


def library(home: Path, **entries: Asset) -> AssetLibrary:
    return AssetLibrary(home, {asset.id: asset for asset in entries.values()})


def entry(name: str, file: str, **more: Any) -> Asset:
    return Asset(name, name.upper(), (file,), "its page", "MIT", "words", "Words are off", **more)


def test_which_clip_is_taken(tmp_path):
    first, second = entry(CLIPS[0], "a.pt"), entry(CLIPS[1], "b.pt", size=3)
    assets = library(tmp_path, first=first, second=second)
    assert clip_missing(assets) == assets.missing(CLIPS[0])
    assert "a.pt" in str(clip_missing(assets))
    with pytest.raises(Problem, match=r"^Words are off because .* put it into"):
        clip_file(assets)
    assets.weights.mkdir()
    (assets.weights / "b.pt").write_bytes(b"12")
    with pytest.raises(Problem, match="2 bytes where 3 are expected"):
        clip_file(assets)
    (assets.weights / "b.pt").write_bytes(b"123")
    assert clip_missing(assets) is None
    assert clip_file(assets) == assets.weights / "b.pt"
    (assets.weights / "a.pt").write_bytes(b"")
    assert clip_file(assets).name == "a.pt"
    assert clip_file(assets, CLIPS[1]).name == "b.pt"
    assert clip_file(assets, str(assets.weights / "b.pt")).name == "b.pt"
    with pytest.raises(Problem, match="There is no CLIP at"):
        clip_file(assets, str(tmp_path / "c.pt"))


def test_the_manifest_has_them_all(tmp_path):
    assets = AssetLibrary(tmp_path)
    assert all(not assets.assets[name].planned for name in CLIPS)
    assert "ViT-B-32.pt" in str(clip_missing(assets))
