"""Pods bound to this node: run as specified, their status told to the API server."""
