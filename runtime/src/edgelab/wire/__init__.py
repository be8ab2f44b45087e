"""Generated messages and gRPC stubs: Akri discovery v0, kubelet device plugin v1beta1, kubelet pod resources v1.

Regenerate with `make wire` after a change of a .proto file beside this one; never edit the generated files.
"""
