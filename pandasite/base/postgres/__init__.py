"""Django's PostgreSQL backend, but for how often it asks a connection whether it is alive."""
