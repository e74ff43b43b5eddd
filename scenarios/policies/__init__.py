"""Who takes part of those who can."""
