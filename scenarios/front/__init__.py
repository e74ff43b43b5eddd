"""What ``import droidloop`` gives; ``droidloop/__init__.py`` lists its names."""
