"""The tree of shares: which leaf a job belongs to, and how many cores each should have. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

ALMOST = 0.01  # percent that a sum may be off


@dataclass(frozen=True, kw_only=True)
class Node:
    """A share, with those below it. Without an own id (0) it stands for a tree that is not kept."""

    id: int = 0
    name: str = "all"
    percent: float = 100.0
    working_group: str = ""
    processing_type: str = ""
    children: tuple[Node, ...] = ()

    def takes(self, group: str, kind: str) -> bool:
        """Whether jobs of this working group and processing type belong to it."""
        return self.working_group in ("", group) and self.processing_type in ("", kind)

    @property
    def narrow(self) -> tuple[bool, bool]:
        """Of two that take a job, the larger has it: the group says more than the type."""
        return bool(self.working_group), bool(self.processing_type)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """All nodes with their depth, each parent before its children."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)

    def leaves(self) -> list[Node]:
        """Those that have nothing below them."""
        return [node for _depth, node in self.walk() if not node.children]


def leaf_of(root: Node, group: str, kind: str) -> Node | None:
    """The leaf that such jobs belong to; None: they are in no share."""
    node = root
    while node.children:
        fitting = [child for child in node.children if child.takes(group, kind)]
        if not fitting:
            return None
        node = max(fitting, key=lambda child: child.narrow)
    return node


def problems(children: Iterable[Node]) -> list[str]:
    """What is wrong with the children of one parent, in sentences; none where they may be so."""
    found: list[str] = []
    known = list(children)
    if not known:
        return found
    total = sum(child.percent for child in known)
    if abs(total - 100) > ALMOST:
        found.append(f"the percentages add up to {total:g}, not to 100")
    seen: dict[tuple[str, str], str] = {}
    for child in known:
        key = (child.working_group, child.processing_type)
        if key in seen:
            found.append(f"{child.name} is for the same jobs as {seen[key]}")
        seen[key] = child.name
    return found


def targets(root: Node, demand: Mapping[int, float], cores: float) -> dict[int, float]:
    """Cores that each node should have, by id, of so many.

    `demand` is by leaf: what it has and what it could use. Nobody is given more than that; what is
    left goes to the siblings by their percentages, and where they cannot use it, to those of the
    parent.
    """
    wanted: dict[int, float] = {}

    def want(node: Node) -> float:
        below = sum(map(want, node.children)) if node.children else demand.get(node.id, 0.0)
        wanted[node.id] = below
        return below

    found: dict[int, float] = {}

    def give(node: Node, part: float) -> None:
        found[node.id] = part
        for child, own in _shared(node.children, part, lambda child: wanted[child.id]):
            give(child, own)

    give(root, min(cores, want(root)))
    return found


def _shared(
    nodes: Iterable[Node], cores: float, want: Callable[[Node], float]
) -> list[tuple[Node, float]]:
    """So many cores among nodes by their percentages, and none of them more than it wants."""
    open_, given = list(nodes), []
    left = cores
    while open_:
        whole = sum(node.percent for node in open_) or 1.0
        modest = [node for node in open_ if want(node) <= left * node.percent / whole]
        if not modest:
            given += [(node, left * node.percent / whole) for node in open_]
            break
        given += [(node, want(node)) for node in modest]
        left -= sum(want(node) for node in modest)
        open_ = [node for node in open_ if node not in modest]
    return given
