"""A CLIP of open_clip's own class with random weights, small enough to search with in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from studio.assets import AssetLibrary
from studio.domain.progress import Progress, silent
from studio.editing.clip_words import Clip
from studio.editing.method import Workplace
from studio.networks.foreign.clip import load_clip

CONFIG: dict[str, Any] = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}
"""As in an ``open_clip_config.json``."""


def tiny_clip(seed: int = 0, config: dict[str, Any] = CONFIG) -> Any:
    """``open_clip.model.CLIP`` in evaluation mode, whose embeddings follow pictures and words."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    torch.manual_seed(seed)
    network = CLIP(
        config["embed_dim"],
        CLIPVisionCfg(**config["vision_cfg"]),
        CLIPTextCfg(**config["text_cfg"]),
        quick_gelu=config.get("quick_gelu", False),
    )
    with torch.no_grad():
        # Untrained, all pictures and all sentences would look alike.
        network.visual.conv1.weight.mul_(6.0)
        network.token_embedding.weight.normal_(0.0, 1.0)
        network.positional_embedding.normal_(0.0, 0.1)
        network.text_projection.normal_(0.0, 0.2)
    return network.eval()


def write_open_clip(folder: Path, network: Any, config: dict[str, Any] = CONFIG) -> Path:
    """The file and the config beside it, as open_clip's repositories have them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "open_clip_model.safetensors"
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    return path


def open_tiny_clip(folder: Path) -> Clip:
    """The same, as it is used, from a file in ``folder``."""
    return Clip(*load_clip(write_open_clip(folder, tiny_clip())), torch.device("cpu"))


def workplace_with_clip(folder: Path, cache: Path, progress: Progress = silent) -> Workplace:
    """A home in ``folder`` whose weights hold the tiny CLIP and nothing else."""
    assets = AssetLibrary(folder)
    if assets.find("clip-open") is None:
        write_open_clip(assets.weights, tiny_clip())
    return Workplace(assets, cache, progress)
