"""The runtime of edgelab.akri: the processes of a lab and the rules they share with the Ansible modules."""

__version__ = "0.1.0"
