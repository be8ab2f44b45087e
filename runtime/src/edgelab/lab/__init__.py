"""Things that concern a lab as a whole and need no cluster."""
