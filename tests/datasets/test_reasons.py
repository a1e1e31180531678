"""The short reason of an error."""

import pytest

from datasets.models import Transfer
from datasets.reasons import REASONS, reason_of

TEXTS = [
    ("cannot write at file:///data: No space left on device", "no space left"),
    ("cannot write at davs://se.example.org/: 507 Insufficient Storage", "no space left"),
    ("bnl: size is 3895 bytes, the catalogue says 3900", "size mismatch"),
    ("bnl: adler32 is 11e60398, the catalogue says 00000001", "checksum mismatch"),
    ("cannot read at file:///data: No such file or directory", "source missing"),
    ("cannot read at s3://data: NoSuchKey", "source missing"),
    ("cannot read at dav://se: 401 Unauthorized", "permission denied"),
    ("cannot write at file:///data: Permission denied", "permission denied"),
    ("cannot read at dav://se: [Errno 111] Connection refused", "connection refused"),
    ("cannot read at dav://se: timed out", "timed out"),
    ("cannot write at s3://data: Read timeout on endpoint URL", "timed out"),
    ("cannot read at dav://se: 500 Internal Server Error", "server error"),
    ("cannot read at dav://se: 503 Service Unavailable", "storage busy"),
    ("reading at dav://se broke off: Server disconnected", "connection lost"),
    ("cannot read at davs://se: [SSL: CERTIFICATE_VERIFY_FAILED]", "certificate refused"),
    ("the worker that copied it fell silent", "worker lost"),
    ("no good replica of mc09:EVNT.1", "no good replica"),
    ("the sky fell", "other"),
    ("", ""),
]


@pytest.mark.parametrize(
    ("text", "reason"), TEXTS, ids=[f"{n}-{r}" for n, (_, r) in enumerate(TEXTS)]
)
def test_an_error_has_a_reason_that_its_like_share(text, reason):
    assert reason_of(text) == reason


def test_each_reason_fits_its_column():
    assert max(map(len, REASONS)) <= Transfer._meta.get_field("reason").max_length


def test_numbers_in_a_name_are_no_status():
    assert reason_of("cannot read at dav://se/x: the sky fell on EVNT._00404.root") == "other"
