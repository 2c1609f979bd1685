"""What stands under each field of a settings class, for tooltips: the words of the command line's help."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import Any


@cache
def setting_hints(kind: type[Any]) -> dict[str, str]:
    """Field name to its docstring as one line; empty where the source is not there to be read."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    found = {}
    for entry, below in zip(body, body[1:]):
        text = below.value if isinstance(below, ast.Expr) else None
        if (
            isinstance(entry, ast.AnnAssign)
            and isinstance(entry.target, ast.Name)
            and isinstance(text, ast.Constant)
            and isinstance(text.value, str)
        ):
            found[entry.target.id] = " ".join(text.value.split())
    return found
