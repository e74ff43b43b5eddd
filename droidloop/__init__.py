"""A laboratory for on-device recommender systems on simulated and real phones."""

__version__ = "0.1.0"
