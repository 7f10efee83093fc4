"""The accelerators inside TVM: partitions of a Relax module that the functional machine runs.

``relax.ext.gatewright_sim`` is an external code generator ("bring your own codegen") like those TVM ships: a pass marks
what an accelerator can run, ``RunCodegen`` compiles it, the Relax virtual machine calls it between kernels of the CPU::

    import tvm
    from gatewright.compiler.integer.to_relax import emit
    from gatewright.targets.accelerator.relax.codegen import modelled_cycles, run_codegen
    from gatewright.targets.accelerator.relax.partition import partition

    module = partition(emit(graph), "systolic-16x16-ws")   # or the TOML text of a spec, or a Spec
    cycles = modelled_cycles(module)                       # partition -> cycles of the event-driven model
    executable = tvm.compile(run_codegen(module), "llvm")
    executable.export_library("network.so")

``run_codegen`` is ``relax.transform.RunCodegen`` with a smaller library and the errors' own types; after
``codegen.register()`` TVM's pass by itself does as well, e.g. among those of other code generators.

A process that loads the library needs the run time, not the compiler; importing it registers it::

    import numpy as np
    import tvm
    from tvm import relax
    import gatewright.targets.accelerator.relax.runtime

    machine = relax.VirtualMachine(tvm.runtime.load_module("network.so"), tvm.cpu())
    result = machine["main"](tvm.runtime.tensor(np.zeros((1, 1, 8, 8), np.uint8)))

Nothing here is imported by the rest of gatewright: ``tvm`` takes seconds to load.
"""
