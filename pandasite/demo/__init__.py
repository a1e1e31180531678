"""The demo: a small grid, real programs, and three productions with known ends."""
