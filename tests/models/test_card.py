"""A model's header as words."""

from pathlib import Path

from friedel.models.card import card, facts
from friedel.models.registry import ModelInfo

HEADER = {
    "architecture": "attention",
    "recipe": {"name": "paper"},
    "k_range": [0.62, 0.951],
    "minutes": 30.0,
    "steps": 100,
    "threads": 1,
    "device": "cpu",
    "threshold": 0.31,
}


def test_facts_have_units():
    found = facts(HEADER)
    assert found["wavevectors"] == "0.62 to 0.95 rad/px"
    assert found["trained"] == "30 min, 100 steps, 1 thread(s) of cpu"
    assert found["recipe"] == "paper" and "parent" not in found


def test_a_fine_tuned_model_names_its_parent_and_sample():
    header = {
        **HEADER,
        "parent": "ab" * 32,
        "parent_name": "paper",
        "sample": {"source": "grid.3ds", "shape": [80, 80], "voltages": 126},
        "fine_tune": {
            "alpha": 0.03,
            "learning_rate": 3e-4,
            "steps_done": 50,
            "before": {"entropy": 2.0},
            "after": {"entropy": 1.5},
        },
    }
    text = card(ModelInfo("mine", Path("mine.safetensors"), False, "cd" * 32, header))
    assert "paper (SHA-256 abababababab…)" in text and "grid.3ds" in text
    assert "entropy on the sample [nat]: 2 → 1.5" in text


def test_an_empty_header_and_a_problem():
    text = card(ModelInfo("bad", Path("bad.safetensors"), True, "00", {}, "damaged"))
    assert "bad (bundled)" in text and "problem: damaged" in text
