"""The command `edgelab`."""
