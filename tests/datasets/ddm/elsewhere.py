"""A data management system that keeps the contract in memory, as a Rucio would over HTTP."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from datasets.ddm.contract import Name, NewFile, Seen, Wish


class Elsewhere:
    """What it was told, and what it says."""

    known: ClassVar[dict[str, list[NewFile]]] = {}
    at: ClassVar[dict[Name, Sequence[str]]] = {}
    has: ClassVar[dict[Name, Sequence[str]]] = {}
    wishes: ClassVar[dict[str, Wish]] = {}
    cancelled: ClassVar[list[tuple[str, str]]] = []
    priorities: ClassVar[list[tuple[str, int]]] = []
    says: ClassVar[dict[str, Seen]] = {}
    trouble: ClassVar[list[Exception]] = []

    def register(
        self,
        dataset: str,
        files: Sequence[NewFile],
        *,
        scope: str,
        replicas: Mapping[Name, Sequence[str]],
    ) -> None:
        if self.trouble:
            raise self.trouble[0]
        self.known[f"{scope}:{dataset}"] = list(files)
        self.at |= replicas

    def subscribe(self, wish: Wish) -> str:
        self.wishes[f"rule-{len(self.wishes)}"] = wish
        return f"rule-{len(self.wishes) - 1}"

    def cancel(self, reference: str, *, reason: str) -> None:
        self.cancelled.append((reference, reason))

    def set_priority(self, reference: str, priority: int) -> None:
        self.priorities.append((reference, priority))

    def states(self, references: Collection[str]) -> Mapping[str, Seen]:
        return {one: self.says[one] for one in references if one in self.says}

    def replicas(self, names: Collection[Name]) -> Mapping[Name, Sequence[str]]:
        return {name: self.has[name] for name in names if name in self.has}
