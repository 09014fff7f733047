"""What the user chose as dI/dV for an instrument precedes the rules, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import io_makers as makers
import numpy as np
import pytest
import xarray as xr

from friedel.channel_memory import forget_channels, memory_file, remember_channel
from friedel.cli import main
from friedel.errors import StackError
from friedel.stack import didv_candidates, didv_channel, make_stack


def stack(*names: str, instrument: str = "Nanonis") -> xr.Dataset:
    return make_stack(
        {name: np.ones((3, 2, 2)) for name in names}, bias_mv=[-1, 0, 1], pixel_nm=1.0, instrument=instrument
    )


def test_a_chosen_channel_precedes_the_rules_for_its_instrument_alone() -> None:
    wired = stack("Current", "LIX 1 omega", "Input 6")
    assert didv_channel(wired) == ("LIX 1 omega", False)
    remember_channel("Nanonis", "Input 6")
    assert didv_channel(wired) == ("Input 6", False)
    assert didv_candidates(wired)[0] == "Input 6"
    assert didv_channel(stack("Current", "LIX 1 omega")) == ("LIX 1 omega", False)
    assert didv_channel(stack("Current", "Input 6", instrument="RHK")) == ("Current", True)


def test_the_last_choice_that_the_file_has_counts() -> None:
    remember_channel("Nanonis", "Input 6")
    remember_channel("Nanonis", "Input 7")
    assert didv_channel(stack("Current", "Input 6", "Input 7"))[0] == "Input 7"
    assert didv_channel(stack("Current", "Input 6"))[0] == "Input 6"
    forget_channels("Nanonis")
    assert didv_channel(stack("Current", "Input 6"))[0] == "Current"


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"Nanonis": 3}', '{"Nanonis": [null, 4]}', "\x00"])
def test_a_damaged_memory_is_none(content: str) -> None:
    memory_file().write_text(content)
    assert didv_channel(stack("Current", "LIX 1 omega"))[0] == "LIX 1 omega"
    remember_channel("Nanonis", "Current")
    assert didv_channel(stack("Current", "LIX 1 omega"))[0] == "Current"


def test_a_memory_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FRIEDEL_CHANNELS", str(tmp_path / "file" / "channels.json"))
    with pytest.raises(StackError, match=r"channels\.json: the choice of channel cannot be kept"):
        remember_channel("Nanonis", "Current")


def test_the_in_phase_channel_and_the_amplitude_precede_the_other_quadrature() -> None:
    assert didv_candidates(stack("Current", "LIY 1 omega", "LIR 1 omega", "LIX 1 omega")) == [
        "LIX 1 omega", "LIR 1 omega", "LIY 1 omega", "Current",
    ]  # fmt: skip
    assert didv_channel(stack("LIY 1 omega", "LIR 1 omega"))[0] == "LIR 1 omega"


def test_the_command_line_keeps_a_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.3ds"
    makers.grid(path, header=makers.grid_header(channels=("Current (A)", "Input 6 (V)")))
    assert main(["info", str(path)]) == 0
    told = capsys.readouterr().out
    assert "Current [A]  ← dI/dV is derived from it" in told and "Input 6" in told
    assert main(["info", str(path), "--remember-channel", "Input 6"]) == 0
    assert "Input 6 [V]  ← dI/dV" in capsys.readouterr().out
    assert main(["info", str(path)]) == 0
    assert "chosen for this instrument" in capsys.readouterr().out
    assert main(["info", str(path), "--remember-channel", "-"]) == 0
    assert "Current [A]  ← dI/dV is derived from it" in capsys.readouterr().out
    assert main(["info", str(path), "--remember-channel", "nothing"]) == 2
