"""Messages without their names and numbers, so that those that say the same are counted together.

Pure. A number that says what happened (`signal 11`, `errno 28`, `exit code 65`) stays.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 300  # characters of a pattern; messages are cut there

# What says that the number behind it is the news, and not a name.
_KEPT = "\0"
_TELLING = r"(?:signal|errno|error|err|code|status|rc|returned|return code|exit)"

_DN = r"/(?:DC|O|OU|CN|C|L|Email)="
_NODE = r"[\w.+@:=%~-]"  # a character of a path
_BEHIND = r"(?=[\s'\"<>|,;:)\]]|\.?$)"  # a name
_ENDING = r"(?:root|pool|tgz|tar|gz|xml|json|hepmc|log|txt|py|so)"

# In this order: what is found first is taken out of the way of the rules behind it.
_PATTERNS = (
    ("<url>", r"(?i)\b[a-z][a-z0-9+.-]*://[^\s'\"<>|,;)\]]+"),
    # only its last part cannot have blanks: where it ends nobody could tell
    ("<dn>", rf"(?:{_DN}[^/'\"<>|,;]+(?=/))*{_DN}[^/\s'\"<>|,;]+"),
    ("<guid>", r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    ("<time>", r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"),
    ("<time>", r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"),
    ("<path>", rf"(?<![\w.])[\w.+-]*(?:/{_NODE}+){{2,}}/?|(?<![\w/])/{_NODE}{{2,}}"),
    ("<address>", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("<ip>", r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"),
    # a logical file name: it has a serial, or an ending that files have
    ("<lfn>", r"\b[A-Za-z][\w-]*(?:\.[\w-]+)*\._\d+(?:\.[\w-]+)*"),
    ("<lfn>", rf"(?i)\b[\w-]+(?:\.[\w-]+)*\.{_ENDING}(?:\.\d+)*(?![\w.]*\w)"),
    ("<name>", r"(?i)\b[a-z]\w*(?:\.\w+){3,}\b"),
    ("<host>", rf"\b(?=[\w-]*[a-z])[\w-]+(?:\.[\w-]+)*\.[a-z]{{2,6}}(?::\d+)?{_BEHIND}"),
    ("<hex>", r"(?i)\b0x[0-9a-f]+\b"),
    ("<hex>", r"(?i)\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b"),
    (r"PandaID\1<PandaID>", r"(?i)\bpanda ?id\b(\W{1,3})\d+"),
    (r"job\1<PandaID>", r"(?i)\bjob(\W{1,2})\d{5,}"),
    (_KEPT, rf"(?i)\b{_TELLING}(?:\W{{1,3}})-?\d{{1,5}}\b"),
    ("<n>", r"\d+(?:[.,]\d+)*"),
)  # fmt: skip
_RULES = tuple((placeholder, re.compile(pattern)) for placeholder, pattern in _PATTERNS)


@lru_cache(maxsize=20_000)
def normalise(message: str) -> str:
    """The message with placeholders: `Could not open <path> on <host>: errno 28`.

    Whitespace is made single; '' stays ''.
    """
    text = " ".join(message.replace(_KEPT, " ").split())[: 2 * LONGEST]
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return _KEPT

    for placeholder, pattern in _RULES:
        text = pattern.sub(keep if placeholder == _KEPT else placeholder, text)
    for words in kept:
        text = text.replace(_KEPT, words, 1)
    return text[:LONGEST]
