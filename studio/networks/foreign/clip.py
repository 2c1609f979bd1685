"""CLIP's weights (Radford et al. 2021) from files of OpenAI and of open_clip, as open_clip's own network.

Three layouts are read, as data: OpenAI's archives, which are TorchScript programs (``ViT-B-32.pt``; their
code is not run), PyTorch's state dicts (``open_clip_pytorch_model.bin``) and safetensors
(``open_clip_model.safetensors``). Which network it is stands in the shapes, which are compared with the
configs that come with open_clip. What shapes cannot say (the activation, the colours' mean and deviation) is
taken from an ``open_clip_config.json`` beside the file, and without one from where the weights come.

Nothing here can reach a network: open_clip's factory, which can, is not used.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from studio.domain.problem import Problem
from studio.networks.foreign.file import Unlike, explaining_unlike, fitted
from studio.networks.foreign.programs import program_tensors
from studio.networks.foreign.torch_streams import ForeignTensor, is_program, read_stream
from studio.project.quarantined_pickle import explaining_pickle, printable

Activation = Literal["auto", "quick", "exact"]
"""OpenAI's approximation of GELU, the exact function, or whichever the file was trained with."""
Layout = Literal["openai", "state dict", "safetensors"]
Shapes = Mapping[str, tuple[int, ...]]

CONFIG = "open_clip_config.json"
"""What open_clip's repositories put beside their weights."""
TITLE = "CLIP"
_PARTS: Mapping[str, frozenset[str]] = {
    "vision_cfg": frozenset({"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio"}),
    "text_cfg": frozenset({"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}),
}
"""What a config may say; others (another tokeniser, another backbone) ask for code or files that are not
here."""
_WHOLE = frozenset({"embed_dim", "quick_gelu", *_PARTS})
_QUICK = re.compile(r"openai|quickgelu|quick_gelu|dfn|metaclip", re.IGNORECASE)
"""File names whose weights were trained with the approximation."""
_BESIDE = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's archives hold beside the weights."""


@dataclass(frozen=True)
class ClipAbout:
    """What is known of a CLIP that was loaded."""

    source: str
    """Name of the file."""
    digest: str
    """SHA-256 of the file."""
    architecture: str
    """As open_clip names it, e.g. ``ViT-B-32``."""
    layout: Layout
    """How the file is laid out."""
    quick_gelu: bool
    """Whether it computes with OpenAI's approximation of GELU."""
    embedding: int
    """Numbers E of an embedding."""
    side: int
    """Side of the pictures that it looks at, in pixels."""
    words: int
    """Tokens that it reads at most, its two marks included."""
    mean: tuple[float, float, float]
    """Of its training pictures, of 0..1."""
    deviation: tuple[float, float, float]
    """Of its training pictures, of 0..1."""
    notes: tuple[str, ...]
    """What had to be assumed, as sentences."""


def load_clip(path: Path, activation: Activation = "auto") -> tuple[nn.Module, ClipAbout]:
    """A CLIP, frozen, in evaluation mode, on the CPU and in float32.

    Args:
        path: the file, in any of the three layouts.
        activation: for files whose own cannot be told, see :data:`Activation`.

    Returns:
        ``open_clip.model.CLIP``, whose ``encode_image`` and ``encode_text`` have gradients towards their
        inputs; and what is known of it.

    Raises:
        Problem: the file is missing, damaged or no CLIP, it is a CLIP of an architecture that is not known,
            or it asks for anything that is not data.
    """
    digest = _digest(path)
    with _explaining_damage(path.name):
        found, layout = _tensors(path)
    with explaining_unlike(path.name, TITLE):
        found = _own_names(found)
        shapes = {name: tuple(value.shape) for name, value in found.items()}
        architecture, config, described = _recognised(path, shapes)
        quick, notes = _activation(path, layout, found, described, activation)
        network = _filled({**config, "quick_gelu": quick}, found)
    side = network.visual.image_size
    mean, deviation = _colours(described)
    about = ClipAbout(
        source=path.name,
        digest=digest,
        architecture=architecture,
        layout=layout,
        quick_gelu=quick,
        embedding=int(config["embed_dim"]),
        side=int(side if isinstance(side, int) else side[0]),
        words=int(network.context_length),
        mean=mean,
        deviation=deviation,
        notes=notes,
    )
    return network, about


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Problem(f"{path.name} cannot be read ({error.strerror or error}); check the path.") from error


@contextmanager
def _explaining_damage(name: str) -> Iterator[None]:
    with explaining_pickle(name):
        try:
            yield
        except (zipfile.BadZipFile, SafetensorError) as error:
            why = printable(str(error))
            raise Problem(f"{name} is damaged or cut short ({why}); get it again.") from error


def _tensors(path: Path) -> tuple[dict[str, Tensor], Layout]:
    """Every tensor of a file by name."""
    with path.open("rb") as file:
        begin = file.read(9)
        # A safetensors file begins with the length of its header, and that with a brace.
        if path.suffix == ".safetensors" or begin[8:] == b"{":
            with safe_open(path, framework="pt", device="cpu") as stored:
                names = list(stored.keys())
                return {name: stored.get_tensor(name) for name in names}, "safetensors"
        if is_program(file):
            return {name: one.value() for name, one in program_tensors(file, path.name).items()}, "openai"
        file.seek(0)
        root, _ = read_stream(file, path.name)
        state = root.get("state_dict", root) if isinstance(root, Mapping) else {}
        named = state.items() if isinstance(state, Mapping) else ()
        return {
            name: one.value()
            for name, one in named
            if isinstance(name, str) and isinstance(one, ForeignTensor)
        }, "state dict"


def _own_names(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what trainers put before names, and without what is not learnt."""
    if found and all(name.startswith("module.") for name in found):
        found = {name.removeprefix("module."): value for name, value in found.items()}
    return {
        name: value
        for name, value in found.items()
        if name not in _BESIDE and name.rsplit(".", 1)[-1] != "attn_mask"
    }


def _recognised(path: Path, shapes: Shapes) -> tuple[str, Mapping[str, Any], Mapping[str, Any] | None]:
    """Name and config of the network, and what a config file beside it says, if it is that file's.

    Raises:
        Unlike: it is no CLIP, or of an architecture that is not known.
    """
    if any(name.startswith(("vision_model.", "text_model.")) for name in shapes):
        raise Unlike(
            "its layers have the names of Hugging Face's transformers; get OpenAI's ViT-B-32.pt or the same "
            "weights as open_clip_model.safetensors"
        )
    if any(name.startswith(("visual.trunk.", "text.")) for name in shapes) and "logit_scale" in shapes:
        raise Unlike(
            "it is a relative of CLIP with another backbone (such as SigLIP, MobileCLIP or EVA), which the "
            "studio does not build; use ViT-B-32, ViT-B-16 or ViT-L-14"
        )
    facts = _facts(shapes)
    described = _described(path)
    if described is not None:
        config = described["model_cfg"]
        if _config_facts(config) == facts:
            _refuse_unknown(config)
            if _fits(config, shapes):
                named = [name for name, known in architectures().items() if _config_facts(known) == facts]
                return (named[0] if named else "described by its config"), config, described
    for name, config in architectures().items():
        if _config_facts(config) == facts and _fits(config, shapes):
            return name, config, None
    kind, *numbers = facts
    names = ", ".join(name for name in ("ViT-B-32", "ViT-B-16", "ViT-L-14") if name in architectures())
    raise Unlike(
        f"its architecture is not among open_clip's ({kind} with embedding, width, patch, layers, picture = "
        f"{numbers[:5]}); use one of {names}, or put its {CONFIG} beside it"
    )


@functools.cache
def architectures() -> Mapping[str, Mapping[str, Any]]:
    """The CLIPs that open_clip knows and the studio can build, by open_clip's names."""
    spec = find_spec("open_clip")
    assert spec is not None
    assert spec.origin is not None
    known = {}
    for path in sorted((Path(spec.origin).parent / "model_configs").glob("*.json")):
        config = json.loads(path.read_text(encoding="utf-8"))
        if _unknown(config) is None and not path.stem.endswith("-quickgelu"):
            known[path.stem] = config
    return known


def _unknown(config: Any) -> str | None:
    """The first thing that a config says and that is not understood, or None."""
    if not isinstance(config, Mapping):
        return "model_cfg"
    for name, value in config.items():
        if name not in _WHOLE or (name in _PARTS and not isinstance(value, Mapping)):
            return str(name)
        for inner in value if name in _PARTS else ():
            if inner not in _PARTS[name]:
                return f"{name}.{inner}"
    missing = [name for name in ("embed_dim", *_PARTS) if name not in config]
    return missing[0] if missing else None


def _refuse_unknown(config: Mapping[str, Any]) -> None:
    unknown = _unknown(config)
    if unknown is not None:
        raise Unlike(
            f"the {CONFIG} beside it asks for {printable(unknown, 60)}, which the studio does not know"
        )


def _facts(shapes: Shapes) -> tuple[Any, ...]:
    """What tells one architecture from another, from the shapes of a state dict. Raises :class:`Unlike`."""
    try:
        width, embedding = shapes["text_projection"]
        context, _ = shapes["positional_embedding"]
        vocabulary, _ = shapes["token_embedding.weight"]
        text = (width, _layers(shapes, "transformer"), context, vocabulary)
        if "visual.attnpool.positional_embedding" in shapes:
            places, wide = shapes["visual.attnpool.positional_embedding"]
            stages = tuple(
                len({name.split(".")[2] for name in shapes if name.startswith(f"visual.layer{stage}.")})
                for stage in (1, 2, 3, 4)
            )
            side = 32 * round((places - 1) ** 0.5)
            return ("ResNet", embedding, wide // 32, None, stages, side, *text)
        wide, _, patch, _ = shapes["visual.conv1.weight"]
        places, _ = shapes["visual.positional_embedding"]
        side = patch * round((places - 1) ** 0.5)
        return ("ViT", embedding, wide, patch, _layers(shapes, "visual.transformer"), side, *text)
    except (KeyError, ValueError) as error:
        raise Unlike("it holds no CLIP: get ViT-B-32.pt or an open_clip_model.safetensors") from error


def _layers(shapes: Shapes, where: str) -> int:
    pattern = re.compile(rf"{re.escape(where)}\.resblocks\.(\d+)\.")
    return len({match[1] for name in shapes if (match := pattern.match(name))})


def _config_facts(config: Any) -> tuple[Any, ...] | None:
    """The same from a config; None where it says too little."""
    try:
        image, words = config["vision_cfg"], config["text_cfg"]
        layers, patch = image.get("layers", 12), image.get("patch_size", 16)
        resnet = isinstance(layers, list | tuple)
        text = (
            words.get("width", 512),
            words.get("layers", 12),
            words.get("context_length", 77),
            words.get("vocab_size", 49408),
        )
        return (
            "ResNet" if resnet else "ViT",
            config["embed_dim"],
            image.get("width", 768),
            None if resnet else patch,
            tuple(layers) if resnet else layers,
            image.get("image_size", 224),
            *text,
        )
    except (KeyError, TypeError, AttributeError):
        return None


def _described(path: Path) -> Mapping[str, Any] | None:
    """What the config file beside the weights says; None where there is none."""
    try:
        said = json.loads((path.parent / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, Mapping) and isinstance(said.get("model_cfg"), Mapping) else None


def _fits(config: Mapping[str, Any], shapes: Shapes) -> bool:
    try:
        network = _bare(config)
    except (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError):
        return False  # a config that somebody has changed can ask for what cannot be
    return {name: tuple(value.shape) for name, value in network.state_dict().items()} == dict(shapes)


def _bare(config: Mapping[str, Any]) -> nn.Module:
    """The network without values, which costs nothing."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    with torch.device("meta"):
        network: nn.Module = CLIP(
            config["embed_dim"],
            CLIPVisionCfg(**config["vision_cfg"]),
            CLIPTextCfg(**config["text_cfg"]),
            quick_gelu=bool(config.get("quick_gelu", False)),
        )
    return network


def _filled(config: Mapping[str, Any], found: Mapping[str, Tensor]) -> Any:
    network: Any = _bare(config)
    network.load_state_dict(fitted(network.state_dict(), found), strict=True, assign=True)
    # Not among the weights: a token looks at itself and at what stands before it.
    words = network.context_length
    network.register_buffer("attn_mask", torch.full((words, words), -torch.inf).triu(1), persistent=False)
    return network.eval().requires_grad_(False)


def _activation(
    path: Path,
    layout: Layout,
    found: Mapping[str, Tensor],
    described: Mapping[str, Any] | None,
    wanted: Activation,
) -> tuple[bool, tuple[str, ...]]:
    """Whether GELU is approximated, and what had to be assumed for that."""
    if wanted != "auto":
        return wanted == "quick", ()
    if described is not None:
        return bool(described["model_cfg"].get("quick_gelu", False)), ()
    if layout == "openai" or _QUICK.search(path.stem):
        return True, ()
    weight = found["visual.proj" if "visual.proj" in found else "text_projection"]
    if layout == "state dict" and weight.dtype == torch.float16:
        return True, ()  # so does OpenAI's own code write what it has loaded
    assumed = (
        f"{path.name} does not say which activation it was trained with, and the exact GELU of open_clip's "
        f"own trainings was assumed: put its {CONFIG} beside it, or say activation quick for weights of "
        "OpenAI."
    )
    return False, (assumed,)


Colours = tuple[float, float, float]


def _colours(described: Mapping[str, Any] | None) -> tuple[Colours, Colours]:
    """Mean and deviation of the training pictures' colours."""
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    said = (described or {}).get("preprocess_cfg")
    said = said if isinstance(said, Mapping) else {}

    def three(name: str, otherwise: Colours) -> Colours:
        values = said.get(name)
        if not isinstance(values, list) or len(values) != 3:
            return otherwise
        if not all(isinstance(value, int | float) and 0 < value < 1 for value in values):
            return otherwise
        return float(values[0]), float(values[1]), float(values[2])

    return three("mean", OPENAI_DATASET_MEAN), three("std", OPENAI_DATASET_STD)
