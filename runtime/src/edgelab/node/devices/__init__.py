"""Devices for containers: the kubelet's device plugin API v1beta1, and pod resources v1."""
