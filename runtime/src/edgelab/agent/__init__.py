"""The Akri agent of a node: handlers in, Instances and device plugins out."""
