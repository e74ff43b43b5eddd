"""What protocols work with: clock, ledger, phones, and who is asked."""
