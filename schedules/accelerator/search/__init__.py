"""Search of tilings, one layer at a time, against the timing model."""
