"""Models as files: exported, described, packed, and run with LiteRT."""
