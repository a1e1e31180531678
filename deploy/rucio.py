"""Installs a Rucio server for `make test-rucio`, into an environment of its own.

    python -m deploy.rucio     prints its Python

The folder is .rucio, which git ignores: what Rucio pins is not for the product.
"""

from pathlib import Path

from deploy import apart


def main() -> None:
    print(ensure_rucio())


def ensure_rucio() -> Path:
    """The Python that has Rucio; installed when it is not there. CalledProcessError."""
    return apart.ensure(
        lock="requirements-rucio.lock",
        folder=".rucio",
        say="Installing Rucio into .rucio, which takes some minutes",
    )


if __name__ == "__main__":
    main()
