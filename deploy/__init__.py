"""Programs for set-up and deployment; not a part of the product."""
