"""The engine that carries a task from its request to its finished datasets."""
