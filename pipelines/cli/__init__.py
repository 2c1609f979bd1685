"""The command line: the same settings classes and jobs that the window uses, in words."""

from __future__ import annotations


def main(argv: list[str]) -> int:
    """Run one command line and return its exit status.

    0: done; 1: a defect of ours, its traceback is in a log file; 2: something the user can put right, said in
    one sentence; 130: stopped on request.
    """
    from pipelines.cli.door import run

    return run(argv)


__all__ = ["main"]
