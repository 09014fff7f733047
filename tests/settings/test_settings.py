"""Settings: one check for every face, texts that read back, help for every field."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import MISSING, FrozenInstanceError, replace

import numpy as np
import pytest

from friedel import settings
from friedel.errors import FriedelError, SettingsError
from friedel.settings import (
    BandSettings,
    DetectSettings,
    EvaluateSettings,
    FineTuneSettings,
    ImportSettings,
    RecipeSettings,
    Settings,
    SimulateSettings,
    TrainSettings,
    setting,
    settings_of,
)

CLASSES = [
    getattr(settings, name)
    for name in settings.__all__
    if name.endswith("Settings") and getattr(settings, name) is not Settings
]
FIELDS = [
    pytest.param(cls, one, id=f"{cls.__name__}.{one.name}") for cls in CLASSES for one in settings_of(cls)
]
NUMBERS = [field for field in FIELDS if field.values[1].type in (int, float)]


@pytest.mark.parametrize(("cls", "one"), FIELDS)
def test_every_setting_has_help_and_a_default_that_its_own_check_takes(cls, one) -> None:
    assert len(one.short_help) > 5, f"{one.name} has no paragraph in the docstring of {cls.__name__}"
    assert one.default is not MISSING and one.checked(one.default) == one.default
    assert not one.optional or one.default is None


@pytest.mark.parametrize(("cls", "one"), NUMBERS)
def test_numbers_outside_the_range_are_refused_by_name(cls, one) -> None:
    bad = [math.nan, math.inf, -math.inf, "3", True, 1j]
    bad += [one.option.least - 1] if one.option.least is not None else []
    bad += [one.option.above] if one.option.above is not None else []
    assert one.option.most is not None, "without an upper end a typing error allocates the machine's memory"
    for value in [*bad, one.option.most + max(1, abs(one.option.most))]:
        with pytest.raises(SettingsError) as refused:
            cls(**{one.name: value})
        assert refused.value.settings == (one.name,) and one.name in str(refused.value)


@pytest.mark.parametrize(("cls", "one"), FIELDS)
def test_a_wrong_type_is_refused_by_name(cls, one) -> None:
    with pytest.raises(SettingsError, match=one.name):
        cls(**{one.name: object()})


@pytest.mark.parametrize(
    ("cls", "name", "value", "text"),
    [
        (DetectSettings, "area", ((0, 30), (8, 48)), "0:30,8:48"),
        (SimulateSettings, "shape", (48, 64), "48,64"),
        (SimulateSettings, "bias", (-20.0, 0.0, 30.5), "-20.0,0.0,30.5"),
        (ImportSettings, "pixel_nm", (0.25, 0.469), "0.25,0.469"),
        (ImportSettings, "pixel_nm", 0.469, "0.469"),
        (DetectSettings, "threshold", 0.3, "0.3"),
        (DetectSettings, "threshold", None, ""),
        (SimulateSettings, "like", True, "True"),
        (DetectSettings, "method", "omp", "omp"),
    ],
)
def test_a_text_reads_back(cls, name, value, text) -> None:
    one = setting(cls, name)
    assert one.show(value) == text and one.parse(text) == value


def test_voltages_include_both_ends() -> None:
    read = setting(SimulateSettings, "bias").parse
    assert read("-20:20:10") == (-20, -10, 0, 10, 20)
    assert read("20:-20:-20") == (20, 0, -20)
    for text in ("20:-100:5", "0:1:0", "0:nan:1", "a", "0:1e9:1e-9", "", "1,2,nan"):
        with pytest.raises(SettingsError, match="bias must"):
            SimulateSettings(bias=read(text) or ())
    with pytest.raises(SettingsError, match="each once"):
        SimulateSettings(bias=(1, 1))


def test_values_become_plain_types() -> None:
    made = DetectSettings(threshold=np.float32(0.5), area=np.array([[0, 4], [2, 9]]))
    assert type(made.threshold) is float and made.area == ((0, 4), (2, 9))
    assert type(made.area[0][0]) is int
    assert FineTuneSettings(added=np.array([[1, 2.5]])).added == ((1.0, 2.5),)
    assert json.loads(json.dumps(made.as_dict())) == made.as_dict()


@pytest.mark.parametrize("cls", CLASSES)
def test_settings_come_back_from_their_json(cls) -> None:
    made = cls()
    again = cls.from_dict(json.loads(json.dumps(made.as_dict())))
    assert again == made and made.changed() == {}
    with pytest.raises(FrozenInstanceError):
        setattr(made, settings_of(cls)[0].name, 1)


def test_nested_settings_come_back_from_their_json() -> None:
    made = DetectSettings(band=BandSettings(onset_mev=-520, mass=0.26), refit="full")
    assert DetectSettings.from_dict(json.loads(json.dumps(made.as_dict()))) == made
    assert made.changed() == {"band": made.band, "refit": "full"}


def test_an_unknown_name_proposes_the_nearest() -> None:
    with pytest.raises(SettingsError, match="did you mean 'threshold'"):
        DetectSettings.from_dict({"treshold": 0.5})


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: BandSettings(onset_mev=-520), {"onset_mev", "mass", "material"}),
        (lambda: BandSettings(material="au111", onset_mev=-520, mass=1), {"onset_mev", "mass", "material"}),
        (lambda: BandSettings(onset_mev=-520, mass=0), {"mass"}),
        (lambda: TrainSettings(minutes=1, steps=1), {"minutes", "steps"}),
        (lambda: EvaluateSettings(tolerance_px=1, tolerance_nm=1), {"tolerance_px", "tolerance_nm"}),
        (lambda: DetectSettings(device="xla"), {"device"}),
        (lambda: DetectSettings(refit="ful"), {"refit"}),
        (lambda: replace(DetectSettings(), threshold=5), {"threshold"}),
        (lambda: RecipeSettings.from_texts(["average=2"]), {"average"}),
        (lambda: RecipeSettings.from_texts(["size"]), {"set"}),
    ],
)
def test_what_does_not_fit_together_names_its_settings(make, names) -> None:
    with pytest.raises(SettingsError) as refused:
        make()
    assert set(refused.value.settings) == names
    assert str(refused.value).endswith(".") and "--" not in str(refused.value)


def test_errors_travel_between_processes_with_their_settings() -> None:
    error = pickle.loads(pickle.dumps(SettingsError("no", settings=("a", "b"))))
    assert isinstance(error, FriedelError) and error.settings == ("a", "b") and str(error) == "no"
