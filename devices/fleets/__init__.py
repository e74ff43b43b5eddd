"""What plays jobs: simulated phones, real ones, a recorded run, or a mixture."""
