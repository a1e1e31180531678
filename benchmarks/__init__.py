"""How fast the server is, and what it costs: `make bench`, `make bench-atlas`.

A test bed (`bed.py`) is a whole installation in a folder of its own, durable and with default
settings, made by the product's own launcher. `figures/` has one module per figure, `fleet.py` the
pilots and users of a simulated grid, `load.py` the HTTP client. docs/benchmarks.md says how to
read what they print.
"""
