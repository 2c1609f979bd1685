"""The nouns of Avatar Studio: people, clips, sequences, pivots, avatars, controls, frames."""
