"""A subject's folder on disk: where artefacts are, how they are written, what they came from."""
