"""Names, types and pure decisions. Standard library only, no input or output; the Ansible modules import it too."""
