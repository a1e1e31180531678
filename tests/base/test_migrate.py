"""Migrations have no limit but for others' locks: a busy machine takes its time."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.commands import migrate
from django.db import connection

ASKED = "statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"
OURS = (
    "-c statement_timeout=15000 -c search_path=public "
    "-c idle_in_transaction_session_timeout=10000 -c lock_timeout=3000"
)


def limits() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(unnest(%s))", [[*ASKED, "search_path"]])
        return [limit for (limit,) in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
def test_only_waiting_for_a_lock_is_limited_while_the_command_runs(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    found = []

    def handle(*_args: object, **_options: object) -> None:
        found.append(limits())
        if fails:
            raise ValueError("a migration with a fault")

    monkeypatch.setattr(migrate.Command, "handle", handle)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", OURS)
    connection.close()

    try:
        call_command("migrate", verbosity=0)
    except ValueError:
        assert fails

    assert found == [["0", "0", "3s", "public"]]
    assert limits() == ["15s", "10s", "3s", "public"]
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_where_no_limits_are_sent_none_are_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate.Command, "handle", lambda *args, **options: None)
    monkeypatch.delitem(connection.settings_dict["OPTIONS"], "options")

    call_command("migrate", verbosity=0)

    assert "options" not in connection.settings_dict["OPTIONS"]
