"""A memory of a bounded number of bytes that forgets what was not asked for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any


class Remembered:
    """Values by key, at most ``most`` bytes of them. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        """Remember at most ``most`` bytes; 0 remembers nothing."""
        self._most, self._held = most, 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()

    @property
    def held(self) -> int:
        """Bytes that are remembered."""
        return self._held

    def get(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """The value of a key, made when it is not remembered.

        Args:
            key: what it is remembered by.
            make: gives the value and how many bytes it takes.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        value, size = make()
        if size <= self._most:
            with self._lock:
                if key not in self._kept:
                    self._kept[key] = (value, size)
                    self._held += size
                while self._held > self._most:
                    _, (_, freed) = self._kept.popitem(last=False)
                    self._held -= freed
        return value

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()
            self._held = 0
