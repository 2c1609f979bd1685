"""Plain values that every other part speaks of. numpy only: no torch, no Qt, no disk."""
