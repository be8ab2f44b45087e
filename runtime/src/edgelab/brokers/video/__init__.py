"""The broker of a camera: reads it without end, and serves its newest frame by gRPC as Akri's camera sample does."""
