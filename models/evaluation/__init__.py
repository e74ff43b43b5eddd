"""How good a recommendation is, by user."""
