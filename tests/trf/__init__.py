"""Tests of the transformations that the server brings, as programs of their own."""
