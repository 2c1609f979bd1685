"""Tri²-plane (Song et al. 2024): a head as three tri-planes of growing resolution, driven by a head model."""
