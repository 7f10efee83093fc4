"""The carry cells that multiply in an array on an ECP5, at the size that is built: every product there is.

A proof of 9 by 9 bits does not end in minutes (tests/lattice/test_proofs.py has smaller sizes); 2**18 products do.
"""

from __future__ import annotations

import ctypes
from importlib.resources import files
from pathlib import Path

import pytest

from gatewright.hls.lattice.simulation.building import build_library

pytestmark = pytest.mark.slow

TOP = """
module top (input wire clk, input wire signed [8:0] a, input wire signed [8:0] b, output wire signed [17:0] product);
    gw_ccu2c_multiplier #(.A(9), .B(9), .CYCLES(1)) multiplier (.clk(clk), .a(a), .b(b), .product(product));
endmodule
"""
HARNESS = """
#include <cstdint>
void vl_fatal(const char*, int, const char*, const char*) {}
void vl_warn(const char*, int, const char*, const char*) {}
void vl_stop(const char*, int, const char*) {}
void vl_finish(const char*, int, const char*) {}
extern "C" __attribute__((visibility("default"))) int64_t wrong_products() {
    VerilatedContext context;
    Vtop top{&context};
    int64_t wrong = 0;
    for (int a = -256; a < 256; ++a)
        for (int b = -256; b < 256; ++b) {
            top.a = a & 511;
            top.b = b & 511;
            top.clk = 0;
            top.eval();
            top.clk = 1;
            top.eval();
            wrong += top.product != ((a * b) & 0x3FFFF);
        }
    return wrong;
}
"""


def wrong_products(folder: Path, library: str) -> int:
    """How many of the 2**18 products the cells get wrong."""
    rtl = files("gatewright.hls").joinpath("rtl")
    (folder / "synthesis.v").write_text("`define SYNTHESIS\n")  # the cells, not their stand-in
    (folder / "multiplier.v").write_text(library)
    (folder / "cell.v").write_text(rtl.joinpath("models", "CCU2C.v").read_text("utf-8"))
    (folder / "top.v").write_text(TOP)
    (folder / "harness.hpp").write_text(HARNESS)
    product = folder / "sim" / "products.so"
    build_library(folder, ["synthesis.v", "cell.v", "multiplier.v", "top.v"], "top", folder / "harness.hpp", product)
    loaded = ctypes.CDLL(str(product))
    loaded.wrong_products.restype = ctypes.c_int64
    return int(loaded.wrong_products())


def test_every_product(tmp_path: Path) -> None:
    library = files("gatewright.hls").joinpath("rtl", "gw_ccu2c_multiplier.v").read_text("utf-8")
    (tmp_path / "right").mkdir()
    assert wrong_products(tmp_path / "right", library) == 0
    # Only the cells know of this constant: it is they that were simulated.
    (tmp_path / "wrong").mkdir()
    assert wrong_products(tmp_path / "wrong", library.replace("16'h8777", "16'h7888")) > 0
