"""The documentation as pages of the site."""
