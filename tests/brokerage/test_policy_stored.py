"""What is kept of a choice, and how jobs are cut into bunches."""

import json
from dataclasses import dataclass

import pytest

from brokerage.policy import Choice, bunches, explain_lines
from brokerage.policy.needs import plain

from .facts import make_choice, make_needs, make_offer


def test_a_stored_choice_is_read_back_as_it_was() -> None:
    offers = [make_offer("A", activated=10), make_offer("B", status="offline", has_storage=False)]
    choice = make_choice(make_needs(), *offers)

    assert Choice.from_json(json.loads(json.dumps(choice.as_json()))) == choice


def test_other_numbers_and_the_same_rules_are_the_same_gist() -> None:
    def refused(**facts: object) -> Choice:
        return make_choice(make_needs(memory_mb=9000), make_offer("A", **facts))

    one, other = refused(memory_mb=1000), refused(memory_mb=2000)

    assert one != other
    assert one.gist == other.gist == Choice.from_json(one.as_json()).gist
    assert one.gist != refused(memory_mb=1000, status="offline").gist


def test_a_stored_choice_of_the_worst_grid_stays_under_32_kilobytes() -> None:
    long = "x" * 64
    offers = [
        make_offer(f"{n:064}", cloud=long, status="offline", status_reason="r" * 255, tier=1)
        for n in range(500)
    ]
    needs = make_needs(release="\n".join(f"{n:064}" for n in range(20)), site=None, cloud=long)

    stored = make_choice(needs, *offers).as_json()

    assert len(json.dumps(stored)) < 32 * 1024
    assert (len(stored["verdicts"]), stored["left_out"]) == (40, 460)


def test_what_was_left_out_is_said_and_stays_said() -> None:
    choice = make_choice(make_needs(), *[make_offer(f"S{n}") for n in range(50)])

    once = Choice.from_json(choice.as_json())

    assert explain_lines(once)[-1] == "  and 10 more sites, whose verdicts were not kept"
    assert once.as_json() == choice.as_json()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (1 / 3, "0.3333"),
        (1024.0, "1024"),
        (144839.4, "144839"),
        (-1, "-1"),
    ],
)
def test_a_number_is_written_as_a_reader_wants_it(value: float, text: str) -> None:
    assert plain(value) == text


@dataclass(frozen=True)
class Job:
    n: int
    release: str = "r1"
    files: tuple[str, ...] = ()


def cut(jobs: list[Job], *, size: int) -> list[list[int]]:
    made = bunches(jobs, key=lambda job: job.release, files=lambda job: job.files, size=size)
    return [[job.n for job in bunch] for bunch in made]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([], []),
        ([Job(n) for n in range(7)], [[0, 1, 2], [3, 4, 5], [6]]),
        ([Job(0), Job(1, "r2"), Job(2), Job(3, "r2")], [[0, 2], [1, 3]]),
        ([Job(0, files=("a", "b", "c", "d")), Job(1), Job(2)], [[0], [1, 2]]),
        ([Job(0, files=("a", "b")), Job(1, files=("c",)), Job(2)], [[0, 1], [2]]),
        ([Job(n, files=("same", "two")) for n in range(3)], [[0, 1, 2]]),
    ],
    ids=["none", "by jobs", "by key", "one large job", "by files", "shared files count once"],
)
def test_a_bunch_is_alike_and_full_at_its_size(jobs: list[Job], expected: list[list[int]]) -> None:
    assert cut(jobs, size=3) == expected
