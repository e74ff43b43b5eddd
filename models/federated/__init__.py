"""Rules of learning with a server."""
