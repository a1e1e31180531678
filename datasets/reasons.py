"""Why a transfer failed, in a few words that are the same for all errors of a kind. Pure.

The text of an error names files, bytes and addresses; pages group by the reason. The first rule
that fits counts, so that the particular stands before the general.
"""

from __future__ import annotations

import re

OTHER = "other"

_RULES = (
    ("checksum mismatch", r"adler32 is|checksum|baddigest|md5"),
    ("size mismatch", r"size is \d|catalogue says|content-length|more bytes than|ended early"),
    (
        "no space left",
        r"no space left|insufficient storage|\b507\b|quota|entitytoolarge|disk full|storagefull",
    ),
    ("not staged", r"not staged|could not be staged|nearline"),
    ("worker lost", r"fell silent|taken over"),
    ("no good replica", r"no good replica"),
    (
        "source missing",
        r"no such file|not found|\b404\b|nosuchkey|nosuchbucket|\b410\b|does not exist",
    ),
    (
        "permission denied",
        (
            r"permission denied|\b401\b|\b403\b|access ?denied|forbidden|unauthori[sz]ed|read-only"
            r"|invalidaccesskeyid|signaturedoesnotmatch|no credentials|secret"
        ),
    ),
    ("certificate refused", r"certificate|\bssl\b|\btls\b"),
    (
        "timed out",
        r"timed? ?out|too slow|\b408\b|\b504\b|gateway time|deadline|requesttimeout",
    ),
    (
        "connection refused",
        (
            r"connection refused|connect(ion)? (attempts? )?failed|could not connect|cannot connect"
            r"|endpointconnection"
        ),
    ),
    ("host unknown", r"name or service not known|name resolution|getaddrinfo|nodename"),
    (
        "connection lost",
        (
            r"connection (reset|closed|aborted)|broken pipe|disconnected|peer closed|broke off"
            r"|incomplete"
        ),
    ),
    ("unexpected answer", r"\bhtml\b|no webdav|not a webdav|unexpected answer|xml"),
    ("storage busy", r"\b429\b|\b503\b|slowdown|too many requests|\b423\b|locked"),
    ("server error", r"\b5\d\d\b|internal ?error|internal server"),
    (
        "in the way",
        r"is a directory|not a directory|file exists|\b409\b|\b405\b|directory not empty",
    ),
    ("input/output error", r"input/output error|stale file handle|transport endpoint"),
    ("not supported", r"protocol|not supported|is not installed|cannot open"),
)
_COMPILED = tuple((reason, re.compile(pattern, re.IGNORECASE)) for reason, pattern in _RULES)
REASONS = (*(reason for reason, _ in _RULES), OTHER)


def reason_of(error: str) -> str:
    """The reason of an error text; empty for no error, `other` for what no rule knows."""
    if not error:
        return ""
    return next((reason for reason, pattern in _COMPILED if pattern.search(error)), OTHER)
