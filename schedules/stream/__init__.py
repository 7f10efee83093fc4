"""Streaming dataflow: every layer has hardware of its own, tokens flow from stage to stage."""
