"""The settings as a whole: embedded, and in production."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client
from django.utils.formats import localize

from pandasite.celery import SWEEPS, app
from pandasite.engines import out_of_reach

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DATABASE_URL": "postgres://panda:nothing@127.0.0.1:1/panda",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "kO3f-9Zq2bW7xR1tY5uI8oP0aS4dF6gH-jK_lM2nB7vC9xZ1qW3eR5tY",
    "ALLOWED_HOSTS": "pandasite.example.org",
}


def in_production(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py with production settings; a change to "" takes a variable away."""
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *words],
        env=os.environ | PRODUCTION | changes,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_production_passes_djangos_own_deployment_check():
    answer = in_production("check", "--deploy", "--fail-level", "WARNING")

    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "", "SECRET_KEY (or SECRET_KEY_FILE, "),
        ("SECRET_KEY", "short", "SECRET_KEY must have at least 50 characters, it has 5."),
        ("ALLOWED_HOSTS", "", "ALLOWED_HOSTS must name the hosts of this site"),
        ("BROKER_URL", "", "DATABASE_URL and BROKER_URL belong together"),
        ("SECURE_HSTS_SECONDS", "-1", "SECURE_HSTS_SECONDS must be a whole number from 0"),
    ],
)
def test_production_does_not_start_without_what_it_needs(name, value, sentence):
    answer = in_production("check", **{name: value})

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Cannot start: {sentence}")
    assert answer.stderr.count("\n") == 1


def test_a_database_out_of_reach_is_told_in_one_sentence_that_names_the_setting():
    answer = in_production("migrate")

    assert answer.returncode == 1
    assert answer.stderr.startswith("Cannot use the database (DATABASE_URL, or the embedded one): ")
    assert answer.stderr.count("\n") == 1 and "nothing" not in answer.stderr


@pytest.mark.django_db
def test_an_error_of_a_statement_keeps_its_trace():
    with pytest.raises(OperationalError) as caught, connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1")
        cursor.execute("SELECT pg_sleep(60)")

    assert out_of_reach(caught.value) == ""


def test_cookies_of_production_are_bound_to_the_host_and_to_tls():
    names = ["SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_NAME", "DEBUG"]
    script = f"from django.conf import settings as s; print([getattr(s, n) for n in {names}])"

    answer = in_production("shell", "--no-imports", "-c", script)

    assert answer.stdout == "['__Host-sessionid', True, '__Host-csrftoken', False]\n"


def test_each_sweep_of_the_timetable_is_a_task_that_exists():
    app.loader.import_default_modules()

    assert set(SWEEPS) <= set(app.tasks)
    assert set(settings.EXPECTED_SWEEPS) == set(SWEEPS)


def test_transfers_have_a_queue_of_their_own():
    def queue(task: str) -> str:
        return app.amqp.router.route({}, task)["queue"].name

    assert queue("datasets.transfer") == "transfers"
    assert queue("jobs.assign") == "celery"


def test_pages_load_nothing_from_elsewhere(db):
    answer = Client().get("/admin/login/")

    policy = answer.headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["script-src"] == "'self'"
    assert directives["object-src"] == directives["base-uri"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy


def test_the_api_is_described_and_its_page_needs_no_inline_script(db):
    schema = Client().get("/rest/v1/schema")
    page = Client().get("/rest/v1/docs").content.decode()

    assert schema.status_code == 200
    assert b"/rest/v1/pilot/claim" in schema.content
    assert "<script>" not in page


def test_times_in_the_admin_tell_two_events_of_one_minute_apart():
    assert localize(dt.datetime(2026, 11, 27, 8, 16, 7, tzinfo=dt.UTC)) == "2026-11-27 08:16:07"
