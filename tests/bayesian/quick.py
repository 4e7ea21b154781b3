"""A mode of PyTensor that compiles in a blink: for functions called a few hundred times on small arrays."""

import pytensor


def quick_mode():
    return pytensor.compile.mode.Mode(linker="py", optimizer="fast_compile")
