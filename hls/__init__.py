"""The hls4ml side of gatewright: integer graph -> ModelGraph -> HLS project -> C simulation.

===============================  ====================================================================
module                           what it does
===============================  ====================================================================
:mod:`gatewright.hls.check`      every layer that cannot be placed, all at once (imports no tool)
:mod:`gatewright.hls.lowering`   integer graph -> hls4ml ``ModelGraph`` with exact types
:mod:`gatewright.hls.extension`  our layers, registered through hls4ml's extension API
:mod:`gatewright.hls.project`    ModelGraph -> project folder with deterministic bytes
:mod:`gatewright.hls.csim`       C simulation: compile with g++, run with raw integers (no hls4ml)
``firmware/*.h``                 our HLS kernels
===============================  ====================================================================

Nothing is imported here: hls4ml users import this package as a plug-in, and ``gatewright --help`` must stay fast.
"""
