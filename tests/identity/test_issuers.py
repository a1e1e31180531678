"""The file of issuers: what it may say, and that each fault in it is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from pandasite.identity.issuers import read_issuers

GOOD: dict[str, Any] = {
    "issuer": "https://iam.example/",
    "audiences": ["https://panda.example"],
    "keys": "https://iam.example/jwk",
}
DEVICE = {
    "vos": ["atlas"],
    "client_id": "c",
    "client_secret": "",
    "audience": "https://panda.example",
    "oidc_config_url": "https://iam.example/.well-known/openid-configuration",
}
LOGIN = {
    "title": "IAM",
    "client_id": "c",
    "authorization_endpoint": "https://iam.example/authorize",
    "token_endpoint": "https://iam.example/token",
}


def written(folder: Path, *issuers: Any) -> str:
    path = folder / "issuers.json"
    path.write_text(json.dumps({"issuers": issuers}))
    return str(path)


def test_without_a_file_nobody_is_believed() -> None:
    assert read_issuers("") == {}


def test_a_file_has_issuers_with_their_device_and_login(tmp_path: Path) -> None:
    found = read_issuers(written(tmp_path, GOOD | {"device": DEVICE, "login": LOGIN}))
    one = found["https://iam.example/"]
    assert one.device is not None and one.device.vos == ["atlas"]
    assert one.login is not None and one.login.scopes == "openid profile"
    assert not one.create_users and not one.pilots and not one.without_scope


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"audience": ["x"]}, "has 'audience', which is none of issuer, audiences"),
        ({"audiences": []}, "audiences must name at least one"),
        ({"audiences": "x"}, "audiences must be a list of texts"),
        ({"create_users": "yes"}, "create_users must be true or false"),
        ({"issuer": "iam"}, "issuer must be an address, not 'iam'"),
        ({"issuer": ""}, "issuer must not be empty"),
        ({"keys": "http://iam.example/jwk"}, "keys must be an https:// address"),
        ({"scopes": {"x": "panda.pilot:BNL"}}, "scopes must lead to panda.read or panda.write"),
        ({"without_scope": ["all"]}, "without_scope must lead to panda.read or panda.write"),
        ({"roles": {"x": 1}}, "roles must be an object of texts"),
        ({"device": DEVICE | {"vos": ["../x"]}}, "device.vos must be names of VOs"),
        ({"device": {"vos": ["atlas"]}}, "issuer 1, device lacks client_id"),
        (
            {"login": LOGIN | {"token_endpoint": "ftp://x"}},
            "login.token_endpoint must be an https:// address",
        ),
        ({"login": "x"}, "issuer 1, login must be an object"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_a_fault_is_named(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        read_issuers(written(tmp_path, GOOD | change))
    assert sentence in str(error.value) and "issuers.json, issuer 1" in str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "cannot be read"), ("[]", "must be {"), ('{"issuers": {}}', "must be a list")],
    ids=["empty", "a list", "no list"],
)
def test_a_file_of_another_form_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "issuers.json"
    path.write_text(text)
    with pytest.raises(ImproperlyConfigured, match=sentence):
        read_issuers(str(path))


def test_an_issuer_a_login_and_the_device_of_a_vo_are_there_once(tmp_path: Path) -> None:
    other = GOOD | {"issuer": "https://other.example/"}
    for pair, sentence in (
        ((GOOD, GOOD), "names https://iam.example/ twice"),
        ((GOOD | {"login": LOGIN}, other | {"login": LOGIN}), "one can have it"),
        ((GOOD | {"device": DEVICE}, other | {"device": DEVICE}), "the VO atlas twice"),
    ):
        with pytest.raises(ImproperlyConfigured, match=sentence):
            read_issuers(written(tmp_path, *pair))
