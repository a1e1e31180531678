"""What S3 alone can do: parts, copies within a service, addresses that are signed."""

import pytest

from datasets import storage
from datasets.storage import StorageError
from tests.datasets.copies import PATH, content, facts, got, order, put


def test_a_large_object_goes_in_parts_that_nobody_sees(places):
    body = content(40_000_000)
    arrival = places["s3"].arrive(PATH, tag="t1.1", expected=facts(body))
    arrival.fill(iter([body[:25_000_000], body[25_000_000:]]))

    assert [part["PartNumber"] for part in arrival.parts] == [1, 2, 3]
    assert places["s3"].size(PATH) is None
    arrival.publish()
    assert got(places["s3"]) == body


def test_parts_that_a_killed_worker_has_left_are_taken_away(places):
    body = content(20_000_000)
    arrival = places["s3"].arrive(PATH, tag="t1.1", expected=facts(body))
    arrival.fill(iter([body]))

    places["s3"].discard_old(PATH)

    with pytest.raises(StorageError):
        arrival.publish()
    assert places["s3"].size(PATH) is None


def test_a_service_copies_on_its_own_what_it_knows_to_be_right(places, monkeypatch):
    put(places["s3"], b"within one endpoint")
    monkeypatch.setattr(places["s3"], "read", None)  # nobody streams

    brought = storage.bring(order(places["s3"], places["other"], b"within one endpoint"))

    assert brought.proof == "server"
    assert got(places["other"]) == b"within one endpoint"


def test_an_object_without_a_known_checksum_is_streamed(places):
    places["s3"].call("put_object", Key=places["s3"].key(PATH), Body=b"by somebody else")

    storage.bring(order(places["s3"], places["other"], b"by somebody else"))

    assert got(places["other"]) == b"by somebody else"


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_an_address_is_signed_by_the_version_that_all_services_know(places, write):
    signed = places["s3"].signed(PATH, write=write, lasts=604_800)

    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in signed and "X-Amz-Expires=604800" in signed
    assert "canary-s3" not in signed


def test_s3_knows_no_quota(places):
    assert places["s3"].space() is None
