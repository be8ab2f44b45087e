"""Brokers of the demos, which run in Pods that were given a device, and the clients of these brokers."""
