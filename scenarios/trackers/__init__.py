"""Where curves of a run go while it goes on: each tracker is one file, chosen by ``--track``."""
