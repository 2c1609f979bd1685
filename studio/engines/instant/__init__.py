"""The instant engine: no training. Pivots warped by the tracked head mesh and blended, region by region."""
