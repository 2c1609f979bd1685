"""PVP: a personal prior painted from the clip's pivots, moved by pose and expression mappers."""
