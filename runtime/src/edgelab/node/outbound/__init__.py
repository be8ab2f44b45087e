"""HTTP requests of modules: the host calls `wasi_experimental_http`, and the policy that says where they may go."""
