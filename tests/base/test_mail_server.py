"""The mail server of the environment."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from pandasite.environment import Environment
from pandasite.mail import mail_server

REST = {"PANDASITE_MAIL_FROM": "panda@example.org", "PANDASITE_ADDRESS": "https://panda.example/"}


def test_without_a_server_no_mail_is_sent() -> None:
    assert mail_server(Environment({})).host == ""


def test_a_server_is_named_by_its_address() -> None:
    values = {"PANDASITE_SMTP": "smtps://shift:p%40ss@mail.example", **REST}
    server = mail_server(Environment(values))
    assert (server.host, server.port, server.user, server.password) == (
        "mail.example", 465, "shift", "p@ss",
    )  # fmt: skip
    assert (server.ssl, server.starttls, server.site) == (True, False, "https://panda.example")


WRONG = {
    "scheme": ({**REST, "PANDASITE_SMTP": "http://u:geheim@m"}, "PANDASITE_SMTP must be smtp://"),
    "host": ({**REST, "PANDASITE_SMTP": "smtp://"}, "PANDASITE_SMTP must be"),
    "port": ({**REST, "PANDASITE_SMTP": "smtp://u:geheim@m:99999"}, "a port from 1 to 65535"),
    "sender": ({"PANDASITE_SMTP": "smtp://m"}, "PANDASITE_MAIL_FROM"),
    "site": ({**REST, "PANDASITE_SMTP": "smtp://m", "PANDASITE_ADDRESS": "panda"}, "https://"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_without_the_password(case: str) -> None:
    values, words = WRONG[case]
    with pytest.raises(ImproperlyConfigured, match=words) as caught:
        mail_server(Environment(values))
    assert "geheim" not in str(caught.value)
