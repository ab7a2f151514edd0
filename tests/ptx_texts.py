"""Small PTX modules as text."""

from __future__ import annotations

import varptx

HEAD = ".version 9.0\n.target sm_90\n.address_size 64\n"


def kernel(body: str, params: str = ".param .u64 p0, .param .u64 p1", before: str = "") -> varptx.Kernel:
    """A kernel around a body that may use %r, %rd, %f, %fd, %h and %p."""
    registers = (
        ".reg .b16 %h<20>; .reg .b32 %r<20>; .reg .b64 %rd<40>; .reg .f32 %f<20>; .reg .f64 %fd<20>; .reg .pred %p<9>;"
    )
    return varptx.load(f"{HEAD}{before}\n.visible .entry k({params}) {{\n{registers}\n{body}\nret;\n}}\n").kernel()
