"""What others are told of our subscriptions: a row for each news, sent until it is acknowledged."""

from __future__ import annotations

import datetime as dt
import json
import logging
import uuid
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from datasets.ddm import signing
from datasets.models import CallbackNews, Subscription
from pandasite.base.clock import database_now
from pandasite.base.outbound import CallFailed, post
from pandasite.base.rounds import Round

log = logging.getLogger(__name__)

BATCH = 500  # news made, and looked at to be sent, per round
SEND_SECONDS = 20.0
KEPT_DAYS = 7  # of what was delivered


def make_news(*, now: dt.datetime) -> int:
    """A row for each subscription with a callback whose end its target has not been told."""
    untold = Subscription.objects.filter(
        ~Q(state=Subscription.State.OPEN), ~Q(told_state=F("state")), callback__isnull=False
    )
    with transaction.atomic():
        held = list(
            untold.select_for_update(skip_locked=True, of=("self",))
            .select_related("dataset", "storage", "callback")
            .order_by("pk")[:BATCH]
        )
        CallbackNews.objects.bulk_create(_news_of(one, now) for one in held)
        for state in (Subscription.State.DONE, Subscription.State.GIVEN_UP):
            of_state = [one.pk for one in held if one.state == state]
            Subscription.objects.filter(pk__in=of_state).update(told_state=state)
    return len(held)


def _news_of(subscription: Subscription, now: dt.datetime) -> CallbackNews:
    done = subscription.state == Subscription.State.DONE
    news_id = uuid.uuid4()
    body = {
        "id": str(news_id),
        "kind": "dataset_arrived" if done else "dataset_failed",
        "dataset": subscription.dataset.name,
        "storage": subscription.storage.name,
    }
    if not done:
        body["reason"] = subscription.reason
    return CallbackNews(
        target=subscription.callback,
        news_id=news_id,
        body=body,
        created_at=now,
        next_try_at=now,
    )


def pause_after(tries: int) -> dt.timedelta:
    """1, 2, 4 ... s, up to DDM_PAUSE_SECONDS."""
    longest = settings.PANDASITE["DDM_PAUSE_SECONDS"]
    return dt.timedelta(seconds=min(2 ** min(max(tries, 1) - 1, 20), longest))


def send_news(*, now: dt.datetime) -> int:
    """Send what is due, oldest first; how many were acknowledged. A target that fails once in a
    round is left alone for the rest of it."""
    work, away = Round(seconds=SEND_SECONDS), set[int]()
    due = CallbackNews.objects.filter(
        delivered_at=None, next_try_at__lte=now, target__enabled=True
    ).order_by("next_try_at")
    for pk in list(due.values_list("pk", flat=True)[:BATCH]):
        if work.over:
            break
        work.do(f"news {pk}", partial(_send, pk, away))
    return work.end()


def _send(pk: int, away: set[int]) -> int:
    """1 when it was acknowledged. Nothing is locked while the other side takes its time: sent
    twice at once, it is a replay there."""
    news = CallbackNews.objects.select_related("target").filter(pk=pk, delivered_at=None).first()
    if news is None or news.target_id in away:
        return 0
    error = _deliver(news)
    now = database_now()
    mine = CallbackNews.objects.filter(pk=pk, delivered_at=None)
    if not error:
        return mine.update(delivered_at=now, error="", tries=F("tries") + 1)
    away.add(news.target_id)
    log.warning("callback_failed", extra={"target": news.target.name, "error": error})
    tries = news.tries + 1
    mine.update(error=error[:500], tries=tries, next_try_at=now + pause_after(tries))
    return 0


def _deliver(news: CallbackNews) -> str:
    """What went wrong, '' when it was acknowledged."""
    target = news.target
    secrets = settings.PANDASITE_DDM_SECRETS.get(target.secret, ())
    if not secrets:
        return f"there is no secret {target.secret} in PANDASITE_DDM_SECRETS"
    body = json.dumps({"news": [news.body]}, separators=(",", ":")).encode()
    time = int(database_now().timestamp())
    headers = signing.signed(secrets[0], sender=target.secret, time=time, body=body)
    seconds = settings.PANDASITE["DDM_CALL_SECONDS"]
    try:
        answer = post(target.url, body, headers=headers, private=target.private, seconds=seconds)
    except CallFailed as error:
        return str(error)
    return "" if _acknowledged(answer, news) else "the answer does not acknowledge the news"


def _acknowledged(answer: Any, news: CallbackNews) -> bool:
    """The answer names the news and what became of it: a friendly page of a proxy is none."""
    answers = answer.get("answers") if isinstance(answer, dict) else None
    if not isinstance(answers, list):
        return False
    wanted = str(news.news_id)
    return any(
        isinstance(one, dict) and one.get("id") == wanted and "outcome" in one for one in answers
    )
