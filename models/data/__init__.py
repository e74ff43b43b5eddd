"""Interactions: read, generated, split, sampled."""
