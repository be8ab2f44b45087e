"""The seam to Kubernetes: connecting, following a kind of object, and working through keys one at a time."""
