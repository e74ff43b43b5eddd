"""Which phones there are: profiles, radios and records become a population."""
