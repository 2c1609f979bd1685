"""Ways to find edits: each takes a person and a wish, and gives an :class:`~studio.domain.edits.Edit`."""
