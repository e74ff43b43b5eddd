"""Conditions that are imposed on a device and always taken back."""
