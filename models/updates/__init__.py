"""How a package gets to phones: signed, as one file, as patches, and put to work or refused."""
