"""Bad settings stop the start with one sentence that names the variable."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from pandasite.engines import Engines, are_outside
from pandasite.environment import Environment
from pandasite.limits import LIMITS, read_limits
from tests.base.homes import home_in

SECRET = "not-to-be-seen"  # stands in values whose text must not be repeated
OUTSIDE = {
    "DATABASE_URL": f"postgres://panda:{SECRET}@db.example.org:5432/panda",
    "BROKER_URL": "rediss://broker.example.org/0",
    "SECRET_KEY": "k" * 50,
}


def test_a_limit_out_of_range_is_refused_with_its_name_and_range():
    environment = Environment({"PANDASITE_LEASE_SECONDS": "0"})

    with pytest.raises(ImproperlyConfigured) as refusal:
        read_limits(environment, embedded=True)

    sentence = "PANDASITE_LEASE_SECONDS must be a whole number from 1 to 604800, not '0'."
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("text", ["soon", "1.5", "1e3", "0x10", "-1", "604801"])
def test_a_limit_is_a_whole_number(text):
    with pytest.raises(ImproperlyConfigured, match="PANDASITE_LEASE_SECONDS"):
        read_limits(Environment({"PANDASITE_LEASE_SECONDS": text}), embedded=True)


def test_each_limit_has_a_default_in_its_range_and_an_empty_variable_means_the_default():
    limits = read_limits(Environment({"PANDASITE_LEASE_SECONDS": ""}), embedded=True)

    assert limits["LEASE_SECONDS"] == 7200
    assert all(limit.low <= limit.default <= limit.high for limit in LIMITS.values())


def test_sweeps_run_more_often_on_the_embedded_servers():
    assert read_limits(Environment({}), embedded=True)["SWEEP_SECONDS"] == 10
    assert read_limits(Environment({}), embedded=False)["SWEEP_SECONDS"] == 60


def test_a_switch_is_on_or_off_and_nothing_else():
    environment = Environment({"A": "Yes", "B": "0", "C": "maybe"})

    assert environment.boolean("A", default=False) is True
    assert environment.boolean("B", default=True) is False
    with pytest.raises(ImproperlyConfigured, match=r"^C must be on or off, not 'maybe'\.$"):
        environment.boolean("C", default=False)


def test_a_word_must_be_one_of_those_known():
    with pytest.raises(ImproperlyConfigured, match="LOG_LEVEL must be one of INFO, ERROR"):
        Environment({"LOG_LEVEL": "LOUD"}).choice(
            "LOG_LEVEL", default="INFO", among=("INFO", "ERROR")
        )


def test_a_secret_may_stand_in_a_file(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("k" * 60 + "\n")

    environment = Environment({"SECRET_KEY_FILE": str(file)})

    assert environment.secret("SECRET_KEY", shortest=50) == "k" * 60


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "SECRET_KEY .or SECRET_KEY_FILE, .* must be set"),
        ({"SECRET_KEY": SECRET}, "at least 50 characters, it has 14"),
        ({"SECRET_KEY_FILE": "/nowhere/key"}, "SECRET_KEY_FILE names /nowhere/key, which cannot"),
    ],
)
def test_a_missing_or_short_secret_is_refused_without_repeating_it(values, sentence):
    with pytest.raises(ImproperlyConfigured, match=sentence) as refusal:
        Environment(values).secret("SECRET_KEY", shortest=50)

    assert SECRET not in str(refusal.value)


def test_database_and_broker_are_named_together():
    assert are_outside(Environment(OUTSIDE)) is True
    assert are_outside(Environment({})) is False
    with pytest.raises(ImproperlyConfigured, match="belong together: only BROKER_URL is set"):
        are_outside(Environment({"BROKER_URL": OUTSIDE["BROKER_URL"]}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", f"mysql://panda:{SECRET}@db/panda"),
        ("DATABASE_URL", f"postgres://panda:{SECRET}@db:port/panda"),
        ("DATABASE_URL", f"postgres://panda:{SECRET}@[db/panda"),
        ("BROKER_URL", f"amqp://panda:{SECRET}@broker//"),
    ],
)
def test_a_bad_address_is_refused_without_repeating_its_password(tmp_path, name, value):
    environment = Environment(OUTSIDE | {name: value})

    with pytest.raises(ImproperlyConfigured, match=f"^{name} must ") as refusal:
        Engines.choose(environment, home_in(tmp_path))

    assert SECRET not in str(refusal.value)


def test_a_connection_limits_how_long_a_statement_may_take(tmp_path):
    address = f"{OUTSIDE['DATABASE_URL']}?sslmode=require"

    database = Engines.choose(
        Environment(OUTSIDE | {"DATABASE_URL": address}), home_in(tmp_path)
    ).database

    assert "statement_timeout=15000" in database["OPTIONS"]["options"]
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["CONN_HEALTH_CHECKS"] is True
    assert database["DISABLE_SERVER_SIDE_CURSORS"] is True


def test_a_pooler_that_refuses_options_gets_none(tmp_path):
    environment = Environment(OUTSIDE | {"PANDASITE_STATEMENT_SECONDS": "0"})

    database = Engines.choose(environment, home_in(tmp_path)).database

    assert "options" not in database["OPTIONS"]
