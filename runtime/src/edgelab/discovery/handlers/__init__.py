"""The discovery handlers that are built in: each module has one public value, HANDLER."""
