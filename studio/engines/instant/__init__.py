"""The instant engine: no training. It shows what :mod:`studio.warping` draws."""
