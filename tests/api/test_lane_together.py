"""Claims that are asked for together are answered each by its own token and request number."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User

from brokerage.models import Site
from jobs import identity
from jobs.models import ClaimKey
from tests.api.calls import CLAIM, the_site
from tests.api.test_lane import CLAIMS, Told, post
from tests.builders import create_job, create_site
from tests.jobs.test_many_claims import crowd, lines, transactions

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["lines"]  # a fixture


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def known_token(site: Site) -> str:
    """A pilot's token that this process has seen before."""
    token = identity.new_pilot_token(site)
    claim(token, site, "before")
    return token


def claim(token: str, site: Site, key: str, **more: Any) -> Told:
    """By a pilot with the name of the key."""
    body = CLAIM | {"site": site.name, "pilot_id": key}
    return post(
        CLAIMS, body, token, HTTP_IDEMPOTENCY_KEY=key, HTTP_X_REQUEST_ID=f"number-{key}", **more
    )


def test_each_of_a_group_has_its_own_token_number_and_job(threads: ThreadPoolExecutor) -> None:
    # given three sites, of which one takes its pilots' token back
    sites = [the_site(), create_site("MWT2_UC"), create_site("BANNED")]
    tokens = [known_token(site) for site in sites]
    jobs = [create_job("activated", site=site).pk for site in sites]
    User.objects.filter(pilot_account__site=sites[2]).update(is_active=False)

    # when
    account = identity.pilot_account(create_site("ELSEWHERE"))
    with crowd(threads, account) as all_of_them:
        for token, site, key in zip(tokens, sites, "abc", strict=True):
            all_of_them.wait(lambda t=token, s=site, k=key: claim(t, s, k))
    a, b, c = all_of_them.answers()

    # then
    assert [one.status[:3] for one in (a, b, c)] == ["200", "200", "403"]
    assert [a.body["job"]["panda_id"], b.body["job"]["panda_id"]] == jobs[:2]
    assert [one.headers["X-Request-ID"] for one in (a, b, c)] == [f"number-{k}" for k in "abc"]
    assert c.body["code"] == "banned"
    assert transactions("a", "b") == 1
    assert not ClaimKey.objects.filter(key="c").exists()
