"""Forms: requests for tasks, and tags."""
