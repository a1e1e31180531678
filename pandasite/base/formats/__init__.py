"""How times are written, by language: Django's own have neither seconds nor the order of a log."""
