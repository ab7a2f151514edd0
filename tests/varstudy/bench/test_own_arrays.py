"""The check of users' own arrays on a GPU, without one: the stand-in executes the PTX."""

from __future__ import annotations

from typing import Any

import pytest
from cuda_stand_in import StandIn

from varkernels.cuda.devices.driver import driven_by
from varstudy.bench.gpu import own_arrays, torch_peer


def test_every_check_passes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_peer, "load", lambda: (None, "torch is not installed"))
    driver = StandIn()
    with driven_by(driver):
        assert own_arrays.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "torch: torch is not installed"
    assert lines[-1] == f"{2 * (4 * len(own_arrays.LAYOUTS) + 1)} checks, 0 failed"
    assert driver.live == {}
    assert driver.contexts == []


class Leaking(StandIn):
    def do_cuMemFree_v2(self, address: Any) -> int:
        return 0


class Staying(StandIn):
    def do_cuCtxPopCurrent_v2(self, out: Any) -> int:
        return 0


class Wrong(StandIn):
    def do_cuLaunchKernel(self, *arguments: Any) -> int:
        done = super().do_cuLaunchKernel(*arguments)
        if self.launched[-1].entry == "answers":
            self.bytes_at(self.launched[-1].arguments[6], 1)[0] ^= 1
        return done


@pytest.mark.parametrize(
    ("driver", "found"),
    [
        (Leaking(gpus=1), "bytes less are free after 20 calls"),
        (Staying(gpus=1), "another context is current after the call"),
        (Wrong(gpus=1), "instead of"),
        (StandIn(gpus=1, fails={"cuLaunchKernel": 719}), "DeviceError: a kernel ended in an error"),
    ],
)
def test_what_is_wrong_is_found(driver: StandIn, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_arrays, "LAYOUTS", {name: own_arrays.LAYOUTS[name] for name in ("NHWC", "one row")})
    with driven_by(driver):
        assert any(found in each.found for each in own_arrays.checks())


def test_without_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    with driven_by(StandIn(fails={"cuInit": 100})):
        assert own_arrays.main() == 3
    assert capsys.readouterr().err.startswith("varstudy: the driver finds no GPU")
