"""Devices that take part in a run in the place of phones."""
