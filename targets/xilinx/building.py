"""Building: the HLS project, its C simulation, and the pages that say what was planned."""
