"""The project's own clip: a public-domain portrait set in motion over known curves."""
