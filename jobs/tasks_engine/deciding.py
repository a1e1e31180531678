"""What becomes of a task, by what is known of it. Pure.

`decide` gives the next move with its reason, or none; `waits_for` says what a task waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jobs.tasks_engine.states import PieceState, TaskState

S = TaskState


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of one task. Pieces that failed include those that were left out."""

    state: TaskState
    reads: bool = False  # it has input
    merges: bool = False  # it has a merge step
    scouts: int = 0  # that are wanted; 0: none
    wants_cloud: bool = False
    cut_short: bool = False
    input_open: bool = False
    inputs: int = 0
    uncut: bool = False  # there is input that is in no piece yet
    build: str | None = (
        None  # state of the piece that builds; '': there is none yet; None: no build
    )
    events: int = 0
    events_cut: int = 0
    pieces: int = 0
    pieces_done: int = 0
    pieces_failed: int = 0
    merge_uncut: bool = False  # there are files to be merged that are in no piece yet
    merge_pieces: int = 0
    merges_done: int = 0
    merges_failed: int = 0
    live_jobs: bool = False
    parent: str = ""  # state of the parent; empty: it has none
    parent_live: bool = False
    fault: str = ""  # why it can never run

    @property
    def pieces_left(self) -> int:
        """Pieces of work that have not ended."""
        return self.pieces - self.pieces_done - self.pieces_failed

    @property
    def merges_left(self) -> int:
        """Pieces that merge, and have not ended."""
        return self.merge_pieces - self.merges_done - self.merges_failed

    @property
    def all_cut(self) -> bool:
        """Whether all of its work is in pieces, and no more can come."""
        if self.reads:
            return not (self.uncut or self.input_open)
        return self.events_cut >= self.events

    @property
    def to_build(self) -> bool:
        """Whether it wants the piece that builds."""
        return self.build == "" and self.state in (S.SCOUTING, S.RUNNING)

    @property
    def built(self) -> bool:
        """Whether its jobs have what they read besides."""
        return self.build in (None, PieceState.DONE)

    @property
    def building(self) -> bool:
        """Whether that is being made."""
        return self.build in (PieceState.PLANNED, PieceState.SUBMITTED)

    @property
    def unbuilt(self) -> bool:
        """Whether nobody will make it."""
        return self.build in (PieceState.FAILED, PieceState.DROPPED)

    @property
    def to_cut(self) -> bool:
        """Whether something of it may be put into pieces."""
        work = self.uncut or (not self.reads and self.events_cut < self.events)
        return self.merge_uncut or (work and self.built and self.state in (S.SCOUTING, S.RUNNING))

    @property
    def work_ended(self) -> bool:
        """Whether its jobs, but for merging, have ended for good."""
        if self.building:
            return False
        return self.pieces_left == 0 and (self.cut_short or self.unbuilt or self.all_cut)


class Move(NamedTuple):
    """Where it goes, and why."""

    to: TaskState
    reason: str


def decide(facts: Facts) -> Move | None:
    """The next move; None: it stays where it is."""
    by_state = {
        S.REGISTERED: _registered,
        S.DEFINED: _defined,
        S.READY: _ready,
        S.PENDING: _ready,
        S.SCOUTING: _scouting,
        S.RUNNING: _running,
        S.FINISHING: _finishing,
        S.ABORTING: _aborting,
    }
    rule = by_state.get(facts.state)
    return rule(facts) if rule else None


def _registered(facts: Facts) -> Move:
    if facts.fault:
        return Move(S.BROKEN, facts.fault)
    return Move(S.DEFINED, "checked: all that it names is known")


def _defined(facts: Facts) -> Move:
    if facts.wants_cloud:
        return Move(S.ASSIGNING, "waits for a cloud")
    return Move(S.READY, "needs no cloud to be chosen for it")


def _ready(facts: Facts) -> Move | None:
    if not facts.reads or facts.inputs:
        what = f"{facts.inputs:,} input files so far" if facts.reads else f"{facts.events:,} events"
        if facts.scouts:
            return Move(S.SCOUTING, f"{what}; at first {facts.scouts} scouts")
        return Move(S.RUNNING, f"{what}; without scouts")
    if not facts.input_open:
        return Move(S.FINISHING, "its input has ended without a file: there is nothing to do")
    if facts.state == S.READY:
        return Move(S.PENDING, "waits for the first file of its input")
    return None


def _scouting(facts: Facts) -> Move | None:
    if facts.unbuilt:
        return _unbuilt(facts)
    if not facts.built:
        return None
    if facts.pieces_left or (facts.pieces < facts.scouts and not facts.all_cut):
        return None
    if not facts.pieces:
        return Move(S.RUNNING, "no scouts are needed")
    if not facts.pieces_done:
        return Move(S.EXHAUSTED, f"all {facts.pieces} scouts failed: see their errors")
    return Move(S.RUNNING, f"{facts.pieces_done} of {facts.pieces} scouts finished")


def _unbuilt(facts: Facts) -> Move:
    return Move(S.FINISHING, f"its build has {facts.build}: there is nothing for its jobs to run")


def _running(facts: Facts) -> Move | None:
    if facts.unbuilt:
        return _unbuilt(facts)
    if not facts.work_ended:
        return None
    ended = f"{facts.pieces_done:,} of {facts.pieces:,} pieces of work are done"
    if facts.merges:
        return Move(S.FINISHING, f"{ended}; what they made is merged")
    return Move(S.FINISHING, ended)


def _finishing(facts: Facts) -> Move | None:
    if facts.build and facts.built and not (facts.cut_short or facts.all_cut):
        return Move(S.RUNNING, "its build is done after all")
    if not facts.work_ended:
        return None
    if facts.merges and (facts.merge_uncut or facts.merges_left):
        return None
    if facts.parent_live and not facts.cut_short:
        return None
    return _end(facts)


def _end(facts: Facts) -> Move:
    if facts.unbuilt and not facts.pieces:
        return Move(S.FAILED, f"its build has {facts.build}: see its job")
    words = f"{facts.pieces_done:,} of {facts.pieces:,} pieces of work are done"
    if facts.merges:
        words += f", {facts.merges_done:,} of {facts.merge_pieces:,} merges"
    if not facts.pieces_done or (facts.merges and not facts.merges_done):
        return Move(S.FAILED, words if facts.pieces else "there was nothing to do")
    if facts.cut_short and not facts.all_cut:
        return Move(S.FINISHED, f"{words}; the rest was left out on order")
    if facts.pieces_failed or facts.merges_failed:
        return Move(S.FINISHED, words)
    if facts.parent and facts.parent != S.DONE:
        return Move(S.FINISHED, f"{words}; but its parent is {facts.parent}")
    return Move(S.DONE, words)


def _aborting(facts: Facts) -> Move | None:
    return None if facts.live_jobs else Move(S.ABORTED, "its last job has ended")


_WAITS = {
    S.REGISTERED: "waits for its first check",
    S.DEFINED: "has been checked, and goes on in the next round",
    S.ASSIGNING: "waits for a cloud: task brokerage gives it one",
    S.READY: "waits for the list of its input",
    S.PENDING: "waits for the first file of its input",
    S.EXHAUSTED: "all of its scouts failed: mend the cause and retry it, or kill it",
    S.ABORTING: "waits for the end of its last jobs, which their pilots were told to end",
}


def waits_for(facts: Facts, *, reason: str = "") -> str:
    """A sentence: what it waits for, or how it ended. `reason` is that of its last move."""
    if facts.state == S.PAUSED:
        return f"is paused ({reason}): somebody has to resume it"
    if facts.state in _WAITS:
        return _WAITS[facts.state]
    if facts.state in (S.SCOUTING, S.RUNNING) and not facts.built:
        return "waits for its build: no other job of it is made before that is done"
    if facts.state == S.SCOUTING:
        ended = facts.pieces_done + facts.pieces_failed
        return f"waits for its scouts: {ended} of {max(facts.scouts, facts.pieces)} have ended"
    if facts.state == S.RUNNING:
        return _runs(facts)
    if facts.state == S.FINISHING:
        return _finishes(facts)
    return reason


def _runs(facts: Facts) -> str:
    left = facts.pieces_left
    if left:
        more = ", and more input may come" if facts.input_open else ""
        return f"waits for {left:,} of {facts.pieces:,} pieces of work{more}"
    if facts.input_open:
        return "waits for more input: who makes it is still at work"
    return "goes on in the next round"


def _finishes(facts: Facts) -> str:
    if facts.building:
        return "waits for the end of its build"
    if facts.pieces_left:
        return f"waits for the last {facts.pieces_left:,} pieces of work"
    if facts.merges and (facts.merge_uncut or facts.merges_left):
        return f"waits for merging: {facts.merges_done:,} of {facts.merge_pieces:,} are done"
    if facts.parent_live:
        return "has done its work, and waits for the end of its parent"
    return "goes on in the next round"
