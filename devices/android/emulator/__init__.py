"""Android virtual devices: made, started, told what to do, and found."""
