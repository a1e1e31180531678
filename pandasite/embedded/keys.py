"""The secrets of an embedded installation, made once."""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from pandasite.embedded.errors import EmbeddedError


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Passwords of the two servers and Django's secret key, URL-safe text."""

    superuser_password: str
    database_password: str
    broker_password: str
    secret_key: str

    @property
    def proddb_password(self) -> str:
        """Of the role that owns prodDB: made from another, so that no file changes its form."""
        secret = self.superuser_password.encode()
        return hmac.new(secret, b"pandasite: proddb", hashlib.sha256).hexdigest()

    @classmethod
    def new(cls) -> "Keys":
        return cls(
            superuser_password=secrets.token_urlsafe(32),
            database_password=secrets.token_urlsafe(32),
            broker_password=secrets.token_urlsafe(32),
            secret_key=secrets.token_urlsafe(64),
        )

    @classmethod
    def of(cls, path: Path) -> "Keys":
        """Reads the file, or makes it (mode 0600) when it is missing.

        Two processes may come at the same time: a complete file is linked into place, the second
        link fails, and both read the first one's.
        """
        try:
            if not path.exists():
                cls.new()._write(path)
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except PermissionError as error:
            raise EmbeddedError(
                f"{path} cannot be read or written ({error.strerror}): it belongs to another "
                "user; set PANDASITE_DATA to a folder of your own."
            ) from None
        except (ValueError, TypeError):
            raise EmbeddedError(
                f"{path} is damaged: bring it back from a backup, or remove the data folder "
                "to begin anew."
            ) from None

    def _write(self, path: Path) -> None:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(file.name)
