"""The package on its way to phones, and their first lists."""
