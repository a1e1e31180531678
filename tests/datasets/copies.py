"""Files that go from one open storage to another, without a catalogue."""

import os
import zlib

from datasets import storage
from datasets.storage import Copied

KINDS = ("file", "dav", "davs", "s3", "root")
PATH = storage.path_of("mc09", "EVNT._00001.root")


def content(size):
    return (os.urandom(100_000) * (size // 100_000 + 1))[:size]


def facts(body):
    return Copied(size=len(body), adler32=f"{zlib.adler32(body):08x}")


def order(source, target, body, **fields):
    about = {"source": source, "target": target, "path": PATH, "tag": "t7.1"}
    return storage.Order(expected=facts(body), **about | fields)


def put(place, body):
    arrival = place.arrive(PATH, tag="t1.1", expected=facts(body))
    arrival.fill(iter([body] if body else []))
    arrival.prove(facts(body))
    arrival.publish()


def got(place, offset=0):
    with place.read(PATH, offset=offset) as pieces:
        return b"".join(pieces)
