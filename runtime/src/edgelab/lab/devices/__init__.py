"""Mock HTTP devices: each publishes a changing value on a port of its own; plugged and unplugged while they run."""
