"""The scenario as a file: sections, keys, defaults, checks."""
