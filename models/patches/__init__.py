"""Learned patches: what changes in a model that phones have, in few bytes."""
