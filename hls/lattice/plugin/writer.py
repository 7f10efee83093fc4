"""hls4ml's writer: called by ``ModelGraph.write()``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hls4ml.writer.writers import Writer

from gatewright.hls.lattice.plugin import products
from gatewright.hls.lattice.plugin.lowering import lower

__all__ = ["LatticeWriter"]


class LatticeWriter(Writer):
    """Writes ``rtl/`` and ``design.json`` into the output folder."""

    def write_hls(self, model: Any) -> None:
        """Write ``model``.

        Args:
            model: an hls4ml ``ModelGraph``.

        Raises:
            TargetError: GW4250 when a layer cannot be placed, GW4251 when a fold does not divide its layer.
            ConstraintError: GW4252 when nothing fits the part.
        """
        products.write(lower(model), model.config, Path(model.config.get_output_dir()))
