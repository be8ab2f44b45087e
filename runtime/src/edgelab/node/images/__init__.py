"""Images: WebAssembly modules from OCI registries, verified by digest and kept compiled."""
