"""Training in one place."""
