"""NOFA (Yu et al. 2023): one picture, a canonical volume by a 3D-aware generator, a field that deforms it."""
