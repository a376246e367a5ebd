"""The CPU's instruction sets."""

from pathlib import Path

import pytest

from cymlp._engine.cpu import instruction_sets

CPU_INFO = Path("/proc/cpuinfo")
V3 = {"avx2", "fma", "bmi1", "bmi2"}
V4 = V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def linux_flags():
    """What Linux says that the CPU can do and that the system has turned on."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    return next((set(line.split()) for line in lines if line.startswith("flags")), None)


def test_instruction_sets_are_those_that_linux_reports():
    flags = linux_flags()
    if flags is None:
        pytest.skip("there is no list of an x86 CPU's flags here")
    expected = ["baseline"]
    if flags >= V3:
        expected.insert(0, "x86-64-v3")
    if flags >= V4:
        expected.insert(0, "x86-64-v4")
    assert instruction_sets() == expected
