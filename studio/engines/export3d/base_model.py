"""An Export3D base model on disk, and avatars that it draws."""

from __future__ import annotations

from studio.engines.export3d.network import Export3DNetwork
from studio.engines.export3d.settings import Export3DSettings
from studio.engines.export3d.shelf import SHELF
from studio.one_picture.network_kind import NetworkKind, PictureParts

KIND = NetworkKind(SHELF, Export3DSettings, Export3DNetwork)
Export3DParts = PictureParts[Export3DNetwork]
save_base_model, load_base_model, load_export3d = KIND.save, KIND.load, KIND.open
