"""Parsers of what Android, adb and its tools print: typed answers with units, or ``ParseError``."""
