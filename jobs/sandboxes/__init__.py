"""Sandboxes: the archives that users send with their jobs. See docs/sandboxes.md.

`archive` says what may be in one, `shelf` is the folder where they lie, `services` the book of who
owns which, and `needs` what a pilot is told of those that its jobs name.
"""
