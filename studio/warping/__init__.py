"""Pivots warped by the tracked head mesh and blended, region by region: what the instant engine shows, and
what trained engines stand on, paint over and are compared with."""
