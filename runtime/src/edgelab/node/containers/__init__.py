"""Containers: WebAssembly modules, each run in a process of its own that outlives the node and records its end."""
