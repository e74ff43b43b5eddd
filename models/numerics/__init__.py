"""Mathematics without data and without phones."""
