"""Tokens of other issuers: what is taken, and the matrix of what is not (attack set A2)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from rest_framework.exceptions import AuthenticationFailed

from pandasite.identity.bearer import Claims, InsufficientScope, check
from pandasite.identity.keys import IssuerAway
from tests.identity.issuer import (
    NAME,
    NOW,
    OURS,
    KeyServer,
    claims,
    ec_key,
    issuer,
    public,
    raw,
    rsa_key,
    signed,
)

SECOND = int(NOW.timestamp())
# As an attacker has it, the public key is the secret of an HMAC.
PEM = (
    rsa_key()
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)


def checked(token: str, *, now: dt.datetime = NOW, **more: Any) -> Claims:
    return check(token.encode(), now=now, **more)


def hs256(said: dict[str, Any]) -> str:
    """Signed with the public key: PyJWT itself would not do that."""
    jws = jwt.PyJWS()
    head = raw({"alg": "HS256", "kid": "r1", "typ": "JWT"}, said).rsplit(".", 1)[0]
    key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    assert "HS256" in jws.get_algorithms()
    signature = key.sign(head.encode(), PEM)
    return f"{head}.{raw({}, {}, signature).rsplit('.', 1)[1]}"


# -- what is taken ---------------------------------------------------------------------------------


def test_a_good_token_says_who_it_is_and_what_it_may(keys: KeyServer) -> None:
    found = checked(signed(claims()))
    assert (found.issuer.issuer, found.subject, found.name) == (NAME, "alice-1", "alice")
    assert found.scopes == {"panda.write"} and not found.reads_only and found.site == ""
    assert found.expires_at == NOW + dt.timedelta(hours=1)


def test_a_token_by_es256_is_taken(keys: KeyServer) -> None:
    keys.keys = [public(ec_key(), "e1")]
    token = signed(claims(), key=ec_key(), alg="ES256", kid="e1")
    assert checked(token).subject == "alice-1"


def test_keys_may_lie_in_a_file(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [public(rsa_key(), "r1")]}))
    settings.PANDASITE_ISSUERS = {NAME: issuer(str(path))}
    assert checked(signed(claims())).subject == "alice-1"


@pytest.mark.parametrize("seconds", [0, 59], ids=str)
def test_a_minute_between_the_clocks_is_forgiven(seconds: int, keys: KeyServer) -> None:
    late = claims(exp=SECOND - seconds, nbf=SECOND + seconds, iat=SECOND + seconds)
    assert checked(signed(late)).subject == "alice-1"


def test_audiences_that_are_all_ours_are_taken(keys: KeyServer, settings: Any) -> None:
    ours = [OURS, "https://wlcg.cern.ch/jwt/v1/any"]
    settings.PANDASITE_ISSUERS = {NAME: issuer(keys.address, audiences=ours)}
    assert checked(signed(claims(aud=ours))).subject == "alice-1"


def test_unknown_claims_are_passed_over(keys: KeyServer) -> None:
    assert checked(signed(claims(acr="x", entitlements=["y"]))).subject == "alice-1"


# -- what is not -----------------------------------------------------------------------------------

BAD: dict[str, Callable[[], str]] = {
    "alg none": lambda: raw({"alg": "none", "kid": "r1"}, claims()),
    "alg NONE with a signature": lambda: raw({"alg": "NoNe", "kid": "r1"}, claims(), b"x" * 256),
    "HS256 with the public key": lambda: hs256(claims()),
    "RS512": lambda: signed(claims(), alg="RS512"),
    "PS256": lambda: signed(claims(), alg="PS256"),
    "ES256 header, RSA key": lambda: raw({"alg": "ES256", "kid": "r1"}, claims(), b"x" * 64),
    "no alg": lambda: raw({"kid": "r1"}, claims(), b"x"),
    "unknown iss": lambda: signed(claims(iss="https://evil.example/")),
    "iss without its slash": lambda: signed(claims(iss=NAME.rstrip("/"))),
    "no iss": lambda: signed(claims(iss=None)),
    "iss that is a list": lambda: raw({"alg": "RS256", "kid": "r1"}, claims(iss=[NAME]), b"x"),
    "another aud": lambda: signed(claims(aud="https://other.example")),
    "ours and another aud": lambda: signed(claims(aud=[OURS, "https://other.example"])),
    "no aud": lambda: signed(claims(aud=None)),
    "empty aud": lambda: signed(claims(aud=[])),
    "unknown kid": lambda: signed(claims(), kid="r9"),
    "no kid": lambda: signed(claims(), kid=None),
    "another key under this kid": lambda: signed(claims(), key=rsa_key(2)),
    "expired": lambda: signed(claims(exp=SECOND - 60)),
    "no exp": lambda: signed(claims(exp=None)),
    "exp that is a text": lambda: signed(claims(exp=str(SECOND + 60))),
    "exp beyond all time": lambda: signed(claims(exp=10**30)),
    "not good yet": lambda: signed(claims(nbf=SECOND + 61)),
    "issued in the future": lambda: signed(claims(iat=SECOND + 61)),
    "no iat": lambda: signed(claims(iat=None)),
    "no sub": lambda: signed(claims(sub=None)),
    "sub of 256 characters": lambda: signed(claims(sub="a" * 256)),
    "wlcg.ver 2.0": lambda: signed(claims(**{"wlcg.ver": "2.0"})),
    "wlcg.ver 10": lambda: signed(claims(**{"wlcg.ver": "10"})),
    "scope that is a number": lambda: signed(claims(scope=7)),
    "a key in the header": lambda: signed(
        claims(), key=rsa_key(2), kid="r2", jwk=public(rsa_key(2), "r2")
    ),
    "something critical": lambda: raw(
        {"alg": "RS256", "kid": "r1", "crit": ["exp"]}, claims(), b"x" * 256
    ),
    "two dots and no more": lambda: "..",
    "no JSON": lambda: "e30.e30.e30",
    "a claim twice": lambda: _twice(),
    "too long": lambda: signed(claims(more="x" * 8192)),
}


def _twice() -> str:
    """Which `iss` is meant depends on who reads it."""
    head, body, _ = raw({"alg": "RS256", "kid": "r1"}, {}).split(".")
    text = b'{"iss":"https://evil.example/","iss":"' + NAME.encode() + b'"}'
    return f"{head}.{jwt.utils.base64url_encode(text).decode()}.{body}"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused(name: str, keys: KeyServer) -> None:
    with pytest.raises(AuthenticationFailed) as refusal:
        checked(BAD[name]())
    assert refusal.value.get_codes() == "invalid_token"


def test_nothing_is_asked_of_where_a_token_says_its_key_is(keys: KeyServer) -> None:
    keys.keys.append(public(rsa_key(2), "evil"))  # what the attacker's own server would say
    for header in ("jku", "x5u"):
        token = signed(claims(), key=rsa_key(2), kid="evil", **{header: f"{keys.url}/evil"})
        with pytest.raises(AuthenticationFailed, match=f"its header has {header}"):
            checked(token)
    assert "/evil" not in keys.asked


def test_nothing_is_asked_of_an_unknown_issuer(keys: KeyServer) -> None:
    for name in ("unknown iss", "no iss", "iss without its slash", "alg none", "no kid"):
        with pytest.raises(AuthenticationFailed):
            checked(BAD[name]())
    with pytest.raises(AuthenticationFailed, match="issuer is not known"):
        checked(signed(claims(iss=f"{keys.url}/")))
    assert keys.asked == []


# -- scopes and roles ------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["", "openid", "panda.admin", "PANDA.WRITE"], ids=repr)
def test_a_token_without_a_scope_of_ours_is_not_enough(scope: str, keys: KeyServer) -> None:
    found = checked(signed(claims(scope=scope)))
    with pytest.raises(InsufficientScope):
        found.must_read()


def test_a_token_without_a_scope_has_what_the_issuers_entry_says(
    keys: KeyServer, settings: Any
) -> None:
    token = signed(claims(scope=None))
    assert checked(token).scopes == frozenset()
    entry = issuer(keys.address, without_scope=["panda.read"])
    settings.PANDASITE_ISSUERS = {NAME: entry}
    assert checked(token).scopes == {"panda.read"} and checked(token).reads_only


def test_scopes_of_the_issuer_lead_to_ours(keys: KeyServer, settings: Any) -> None:
    entry = issuer(keys.address, scopes={"compute.create": "panda.write"})
    settings.PANDASITE_ISSUERS = {NAME: entry}
    assert checked(signed(claims(scope="compute.create"))).scopes == {"panda.write"}


def test_groups_lead_to_roles_each_by_itself(keys: KeyServer, settings: Any) -> None:
    roles = {"/atlas": "shifters", "/atlas/production": "production managers"}
    settings.PANDASITE_ISSUERS = {NAME: issuer(keys.address, roles=roles)}
    below = claims(**{"wlcg.groups": ["/atlas/production"], "groups": ["x"]})
    assert checked(signed(below)).roles == ("production managers",)  # not what is above it


def test_a_token_of_a_pilot_is_for_its_site(keys: KeyServer) -> None:
    assert checked(signed(claims(scope="panda.pilot:AGLT2"))).site == "AGLT2"


def test_a_token_of_a_pilot_is_for_one_site(keys: KeyServer) -> None:
    with pytest.raises(InsufficientScope, match="one site"):
        checked(signed(claims(scope="panda.pilot:AGLT2 panda.pilot:BNL")))


def test_an_issuer_of_people_makes_no_pilots(keys: KeyServer, settings: Any) -> None:
    settings.PANDASITE_ISSUERS = {NAME: issuer(keys.address, pilots=False)}
    with pytest.raises(InsufficientScope, match="no tokens to pilots"):
        checked(signed(claims(scope="panda.pilot:AGLT2")))


# -- keys ------------------------------------------------------------------------------------------


def test_keys_are_asked_for_once_and_again_after_six_hours(keys: KeyServer) -> None:
    for hours in (0, 1, 5.9, 6, 7):
        now = NOW + dt.timedelta(hours=hours)
        checked(signed(claims(now)), now=now)
    assert len(keys.asked) == 2


def test_a_key_that_is_new_is_asked_for_once_a_minute(keys: KeyServer) -> None:
    checked(signed(claims()))
    new = signed(claims(), key=rsa_key(2), kid="r2")
    later = NOW + dt.timedelta(seconds=61)
    for _ in range(3):
        with pytest.raises(AuthenticationFailed, match="no such key"):
            checked(new, now=later)
    assert len(keys.asked) == 2
    keys.keys = [public(rsa_key(2), "r2")]
    assert checked(new, now=later + dt.timedelta(seconds=60)).subject == "alice-1"
    with pytest.raises(AuthenticationFailed, match="no such key"):  # which is gone
        checked(signed(claims()), now=later + dt.timedelta(seconds=60))


def test_keys_are_kept_for_two_days_while_the_issuer_is_away(keys: KeyServer) -> None:
    checked(signed(claims()))
    keys.away = True
    almost, too_long = NOW + dt.timedelta(hours=47), NOW + dt.timedelta(hours=48)
    assert checked(signed(claims(almost)), now=almost).subject == "alice-1"
    with pytest.raises(IssuerAway) as away:
        checked(signed(claims(too_long)), now=too_long)
    assert away.value.code == "issuer_unavailable" and away.value.extra == {"retry_after": 60}


def test_an_issuer_that_is_away_is_asked_once_a_minute(keys: KeyServer) -> None:
    keys.away = True
    for seconds in (0, 1, 59, 60):
        with pytest.raises(IssuerAway):
            checked(signed(claims()), now=NOW + dt.timedelta(seconds=seconds))
    assert len(keys.asked) == 2


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "kid": "r1", "k": "c2VjcmV0"},
        public(rsa_key(3, 1024), "r1"),
        public(rsa_key(), "r1", use="enc"),
        public(rsa_key(), "r1", alg="RS512"),
        {"kty": "RSA", "kid": "r1", "n": "!", "e": "AQAB"},
        "r1",
    ],
    ids=["secret", "1024 bits", "for encryption", "RS512", "broken", "no object"],
)
def test_a_key_that_is_not_fit_is_none(key: Any, keys: KeyServer) -> None:
    keys.keys = [key]
    with pytest.raises(AuthenticationFailed, match="no such key"):
        checked(signed(claims()))
