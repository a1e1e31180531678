"""Installs PanDA's own client for `make test-clients`: unmodified, pinned by hash.

    python -m deploy.panda_client     prints its Python, beside which prun and pbook are

The folder is .clients, which git ignores: what the client pins is not for the product.
"""

from pathlib import Path

from deploy import apart


def main() -> None:
    print(ensure_client())


def ensure_client() -> Path:
    """The Python that has panda-client. CalledProcessError when it cannot be installed."""
    return apart.ensure(
        lock="requirements-clients.lock",
        folder=".clients",
        say="Installing PanDA's client into .clients",
        told_by="PANDA_INSTALL_TARGET",
    )


if __name__ == "__main__":
    main()
