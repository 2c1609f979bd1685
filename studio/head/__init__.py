"""Morphable heads: the built-in model, the FLAME loader, fitting to landmarks, mesh visibility."""

from studio.head.builtin import builtin_head
from studio.head.fitting import HeadFit, fit_landmarks, fit_motion
from studio.head.flame import load_flame
from studio.head.handles import Handle
from studio.head.model import HeadModel

__all__ = ["Handle", "HeadFit", "HeadModel", "builtin_head", "fit_landmarks", "fit_motion", "load_flame"]
