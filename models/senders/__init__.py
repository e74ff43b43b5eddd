"""What phones send that do not follow the rule."""
