"""The page of production shares."""
