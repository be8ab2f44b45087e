"""What every long-running process of a lab shares: logging, signals, gRPC over Unix sockets, the status socket."""
