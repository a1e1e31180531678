"""Mails of what alerts told, where the site has a mail server (PANDASITE_SMTP)."""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F

from monitor.alerts.models import AlertNews

BUNCH = 100  # mails of a round
MOST_TRIES = 5
AGAIN = dt.timedelta(minutes=10)
SECONDS = 10
log = logging.getLogger(__name__)


def offered() -> bool:
    """Whether this site sends mails."""
    return bool(settings.EMAIL_HOST)


def send(*, now: dt.datetime) -> int:
    """Send what is due, over one connection: how many went.

    A mail is taken before it is sent, by its next try: of two rounds at once one sends it.
    """
    if not offered():
        return 0
    mine = _taken(now)
    sent = _sent(mine) if mine else []
    AlertNews.objects.filter(pk__in=[news.pk for news in sent]).update(mailed_at=now)
    return len(sent)


def _taken(now: dt.datetime) -> list[AlertNews]:
    due = AlertNews.objects.filter(mail_at__lte=now, mailed_at=None, tries__lt=MOST_TRIES)
    with transaction.atomic():
        waiting = due.select_for_update(skip_locked=True, of=("self",))
        mine = list(waiting.select_related("alert__owner").order_by("mail_at")[:BUNCH])
        AlertNews.objects.filter(pk__in=[news.pk for news in mine]).update(
            mail_at=now + AGAIN, tries=F("tries") + 1
        )
    return mine


def _sent(mine: Sequence[AlertNews]) -> list[AlertNews]:
    sent: list[AlertNews] = []
    try:
        with get_connection(timeout=SECONDS) as connection:
            for news in mine:
                try:
                    connection.send_messages([_letter(news)])
                except smtplib.SMTPRecipientsRefused as error:
                    _note(error, sent)  # of this letter alone: the others go on
                else:
                    sent.append(news)
    except (smtplib.SMTPException, OSError) as error:
        _note(error, sent)
    return sent


def _note(error: Exception, sent: Sequence[AlertNews]) -> None:
    log.warning("alert_mail_failed", extra={"error": str(error)[:300], "sent": len(sent)})


def _letter(news: AlertNews) -> EmailMessage:
    where = f"{settings.PANDASITE_ADDRESS}/tasks/{news.task_id}/"
    return EmailMessage(
        subject=f"task {news.task_id}: {news.text.partition(':')[0]}",
        body=f"Task {news.task_id}\n{news.text}\nas of {news.at:%Y-%m-%d %H:%M} UTC\n\n{where}\n",
        to=[news.alert.owner.email],
    )
