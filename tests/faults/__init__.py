"""Exactly once, with the plug pulled: faults on purpose, and what must be true after each.

Each test has a control: the same fault where one guard is missing, which the same checks must
find. `make test-faults` runs the quick ones, `make test-long` the rest and the full numbers.
"""
