"""What a container gets from its Pod's specification: environment variables and directories."""
