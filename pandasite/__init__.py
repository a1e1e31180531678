"""The workload manager; `__version__` is that of pyproject.toml, which a test holds it to."""

__version__ = "0.1.0"
