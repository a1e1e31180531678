"""A token that was taken back: whatever is asked with it, the answer is the same."""

import dataclasses

import pytest

from jobs import dispatch, report
from jobs.identity import Caller, TokenGone, must_hold
from tests.builders import NOW, create_job
from tests.jobs.asking import ABLE, word

pytestmark = pytest.mark.django_db


@pytest.fixture
def nobody(pilots):
    """A caller whose token is in no table any more."""
    return dataclasses.replace(Caller.of(pilots), token="0" * 64)


def claim(caller, _job):
    dispatch.claim(caller=caller, facts=dispatch.Facts(**ABLE), key="k", body_sha256="b", now=NOW)


def beat(caller, job):
    report.hear(caller=caller, report=word(job), now=NOW)


def final_word(caller, job):
    report.hear(caller=caller, report=word(job, "failed"), now=NOW)


def many_reports(caller, job):
    report.hear_all(caller=caller, reports=[word(job)], now=NOW)


def the_question(caller, _job):
    must_hold(caller, now=NOW)


@pytest.mark.parametrize("ask", [claim, beat, final_word, many_reports, the_question])
def test_a_token_that_is_gone_is_refused_in_the_same_words_by_all(site, nobody, ask):
    job = create_job("running", site=site)

    with pytest.raises(TokenGone) as refusal:
        ask(nobody, job)

    assert (refusal.value.code, refusal.value.message) == (
        "token_gone",
        "this token is not valid any more",
    )
