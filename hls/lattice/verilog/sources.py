"""What a network is written as: its text, the contents of its memories, the library modules it uses."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Sources"]

_LIBRARY = {
    "gw_window": ("gw_memory",),
    "gw_mac": ("gw_delay", "gw_multiplier", "gw_sb_mac16_dual", "gw_adder_tree", "gw_serialize"),
    "gw_multiplier": ("gw_lut_multiplier", "gw_ccu2c_multiplier", "gw_mult18x18d", "gw_sb_mac16"),
    "gw_rescale": ("gw_delay", "gw_wide_multiplier", "gw_shift"),
    "gw_wide_multiplier": ("gw_multiplier", "gw_adder_tree"),
    "gw_pool": ("gw_serialize",),
    "gw_combine": ("gw_adder_tree",),
    "gw_product": ("gw_multiplier",),
    "gw_table": ("gw_rom",),
    "gw_gather": ("gw_delay", "gw_memory"),
    "gw_keep": ("gw_spram",),
    "gw_fifo_block": ("gw_memory",),
}
"""Module of the library -> modules it is made of."""


@dataclass
class Sources:
    """Generated text: ``network.v``, memories by file name, and the library modules it uses."""

    modules: list[str] = field(default_factory=list)
    memories: dict[str, str] = field(default_factory=dict)
    library: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The whole of network.v."""
        return "\n".join(self.modules)

    def library_files(self) -> list[str]:
        """Library modules, with what they are made of, sorted."""
        found, new = set(), set(self.library)
        while new:
            found |= new
            new = {part for name in new for part in _LIBRARY.get(name, ())} - found
        return sorted(f"{name}.v" for name in found)
