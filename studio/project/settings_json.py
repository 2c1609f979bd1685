"""Settings dataclasses to plain JSON and back, with types checked on the way in."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from studio.domain.problem import Problem

S = TypeVar("S")


def settings_to_plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as JSON values."""
    from pydantic import TypeAdapter  # slow to import, and help does not need it

    return cast("dict[str, Any]", TypeAdapter(type(settings)).dump_python(settings, mode="json"))


def settings_from_plain(kind: type[S], values: dict[str, Any]) -> S:
    """Settings of class ``kind`` from JSON values; absent fields get their default, unknown ones are ignored.

    Raises:
        Problem: a value is of the wrong type.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Problem(f"The setting {place!r} of {kind.__name__} is not usable: {first['msg']}.") from error
