"""The page of a storage element."""
