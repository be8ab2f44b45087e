"""A kubelet for Wasm: a Node that runs WASI modules as Pods and gives them devices."""
