"""How a good token that may not do something is refused (RFC 6750).

Apart from the error itself: problems.py needs REST's settings, which name our authentication.
"""

from __future__ import annotations

import re

from pandasite.base.problems import Problem, problem_of
from pandasite.identity.bearer import InsufficientScope


@problem_of.register
def _insufficient(error: InsufficientScope) -> Problem:
    scope = re.sub(r"[^!#-\[\]-~]", "", str(error.extra["scope"]))
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    return Problem(
        status=403,
        code=error.code,
        message=error.message,
        extra=error.extra,
        headers={"WWW-Authenticate": challenge},
    )
