"""Limits of the HLS tools."""

from __future__ import annotations

__all__ = ["PARTITION_LIMIT", "STREAM_BITS_LIMIT", "UNROLL_LIMIT"]

UNROLL_LIMIT = 4096
"""Iterations of an unrolled loop at which Vivado HLS stops ("[XFORM 203-504] Stop unrolling loop", hls4ml #1013)."""

PARTITION_LIMIT = 4096
"""Elements of a completely partitioned array: ``config_array_partition -maximum_size 4096`` in build_prj.tcl."""

STREAM_BITS_LIMIT = 4096
"""Bits of one beat of a stream at the design's border: the widest AXI4-Stream TDATA Vitis HLS makes (UG1399)."""
