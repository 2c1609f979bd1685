"""A semantic base model on disk, and avatars that it draws."""

from __future__ import annotations

from studio.engines.semantic.network import SemanticNetwork
from studio.engines.semantic.settings import SemanticSettings
from studio.engines.semantic.shelf import SHELF
from studio.networks.spade import without_spectral_norm
from studio.one_picture.network_kind import NetworkKind, PictureParts

# Weights are divided for good where training divides them at every use.
KIND = NetworkKind(SHELF, SemanticSettings, SemanticNetwork, without_spectral_norm)
SemanticParts = PictureParts[SemanticNetwork]
save_base_model, load_base_model, load_semantic = KIND.save, KIND.load, KIND.open
