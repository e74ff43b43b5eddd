"""From a scenario's sections to something that learns."""
