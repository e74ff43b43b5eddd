"""Versions on one device: proved there, switched to at once, and left for the one before."""
