"""Whose jobs go first: the priority of users, quotas of CPU time, and shares of production.

formula.py, tree.py and turns.py are pure; facts.py reads, act.py is the sweep, words.py says what
limits whom. docs/shares.md tells the whole.
"""
