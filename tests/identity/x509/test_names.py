"""Names of certificates: both forms are read, one is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandasite.base.errors import BadInput
from pandasite.identity.x509 import names
from tests.identity.x509.grid_ca import named

READ = {
    "/DC=ch/DC=cern/OU=Users/CN=alice": "CN=alice,OU=Users,DC=cern,DC=ch",
    "CN=alice,OU=Users,DC=cern,DC=ch": "CN=alice,OU=Users,DC=cern,DC=ch",
    "/O=Grid/CN=host/ce.example.org": "CN=host/ce.example.org,O=Grid",
    "/O=Grid/CN=a, b + c": "CN=a\\, b \\+ c,O=Grid",
    "/O=Grid/emailAddress=a@b.ch": "1.2.840.113549.1.9.1=a@b.ch,O=Grid",
    "/O=Grid/E=a@b.ch": "1.2.840.113549.1.9.1=a@b.ch,O=Grid",
    "/C=CH/UID=7": "UID=7,C=CH",
}
BAD = {
    "": "is empty",
    "/": "does not begin with /NAME=value",
    "/atlas/Role=production": "does not begin with /NAME=value",
    "alice": "no name of a certificate",
    "/X=alice": "X is none of",
    "/C=Switzerland": "no name of a certificate",
    "/CN=": "no name of a certificate",
    "/CN=a\nb": "control characters",
    "/CN=" + "/CN=".join(["a" * 60] * 9): "not 512",
}


@pytest.mark.parametrize("text", READ)
def test_a_name_is_read_in_both_forms(text: str) -> None:
    assert names.read(text) == READ[text]


@pytest.mark.parametrize("text", BAD, ids=lambda text: repr(text)[:20])
def test_what_is_no_name_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadInput, match=BAD[text]):
        names.read(text)


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x17F, blacklist_categories=["Cc"])
VALUES = st.text(PRINTABLE, min_size=1, max_size=12)


@given(values=st.lists(VALUES, min_size=1, max_size=4))
def test_what_is_kept_is_read_as_itself(values: list[str]) -> None:
    kept = names.spelled(named(*[("CN", value) for value in values]))
    assert names.read(kept) == kept


@given(one=st.lists(VALUES, min_size=1, max_size=3), other=st.lists(VALUES, min_size=1, max_size=3))
def test_different_names_are_kept_differently(one: list[str], other: list[str]) -> None:
    kept = [names.spelled(named(*[("CN", value) for value in each])) for each in (one, other)]
    assert (kept[0] == kept[1]) == (one == other)
