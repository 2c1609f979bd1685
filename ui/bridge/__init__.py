"""The only place where Qt meets threads and processes."""
