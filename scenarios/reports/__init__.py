"""Tables and pictures of a run, from its ledger alone."""
