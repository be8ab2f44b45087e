"""Discovery handlers: serving one, registering it with an agent, and the proxy to handlers that are Wasm modules."""
