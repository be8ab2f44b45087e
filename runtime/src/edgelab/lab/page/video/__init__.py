"""The live page of cameras: what each shows, through its broker, side by side."""
