"""The demo's output on a terminal and in a log."""

import io

from pandasite.demo.screen import QUIET_SECONDS, Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_has_one_progress_line_that_is_written_over() -> None:
    out = Terminal()
    screen = Screen(out)

    screen.progress("1 s")
    screen.progress("2 s")

    assert out.getvalue() == "1 s\r   \r2 s"


def test_a_line_that_stays_does_not_share_with_the_progress() -> None:
    out = Terminal()
    screen = Screen(out)

    screen.progress("1 s")
    screen.say("done")

    assert out.getvalue().endswith("\rdone\n")


def test_a_log_gets_a_progress_line_every_few_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    screen = Screen(out, clock=clock)

    screen.progress("a")
    clock.now += QUIET_SECONDS / 2
    screen.progress("b")
    clock.now += QUIET_SECONDS
    screen.progress("c")

    assert out.getvalue() == "a\nc\n"


def test_a_log_does_not_repeat_the_same_line() -> None:
    out, clock = io.StringIO(), Clock()
    screen = Screen(out, clock=clock)

    screen.progress("a")
    clock.now += 2 * QUIET_SECONDS
    screen.progress("a")

    assert out.getvalue() == "a\n"
