"""PostgreSQL and Valkey from wheels, started by the product itself: the default without services.

Where things live is `folder.py`, the secrets are `keys.py`, which programs serve is `programs.py`,
`postgres.py` and `valkey.py` say how each server is started, `process.py` starts a process that
dies with its parent. `settings.py` needs only `Home`; the launcher and the tests start the servers.
"""

from pandasite.embedded.errors import EmbeddedError
from pandasite.embedded.home import Home

__all__ = ["EmbeddedError", "Home"]
