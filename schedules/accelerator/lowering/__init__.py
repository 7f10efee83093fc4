"""From layers to instructions, one file a kind of work."""
