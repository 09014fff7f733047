"""Fine-tuning: the loss it follows, α = 0, cancel and resume, the best state, collapse, corrected points."""

import json
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from friedel.errors import FriedelWarning, ModelError, SettingsError
from friedel.finetuning.tuner import FineTuneConfig, FineTuner, fine_tune, iter_fine_tune
from friedel.finetuning.validation import Validation
from friedel.models.registry import load_model, save_model
from friedel.prepare import run as preparation
from friedel.prepare.ring_evidence import RingEvidence
from friedel.progress import drain

_EVIDENCE: dict[bytes, RingEvidence] = {}


@pytest.fixture(autouse=True)
def evidence_once(monkeypatch):
    """The evidence for a ring, half of a preparation's time, is worked out once for the same maps."""
    real = preparation.ring_evidence

    def known(*given):
        key = pickle.dumps(given)
        if key not in _EVIDENCE:
            _EVIDENCE[key] = real(*given)
        return _EVIDENCE[key]

    monkeypatch.setattr(preparation, "ring_evidence", known)


def config(**settings):
    defaults = {
        "epochs": 1,
        "steps_per_epoch": 4,
        "batch": 4,
        "voltages": 4,
        "check_every": 2,
        "device": "cpu",
    }
    return FineTuneConfig(**{**defaults, **settings})


def tuner(model, stack, autosave=None, **settings):
    return FineTuner(
        model,
        stack,
        config(**settings),
        dispersion="au111",
        reference=stack.attrs["truth"],
        autosave=autosave,
    )


def state(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


def test_every_step_yields_the_curves(model, stack):
    steps = []
    drain(
        iter_fine_tune(model, stack, config(), dispersion="au111", reference=stack.attrs["truth"]),
        steps.append,
    )
    assert steps[-1].fraction == 1 and [s.values["step"] for s in steps] == [1, 1, 2, 3, 4]
    assert all({"L0", "L_reg", "sharpness"} <= set(step.values) for step in steps)
    assert {"held_out", "entropy", "peaks", "agreement", "f1"} <= set(steps[-1].values)
    assert 0 <= steps[-1].values["agreement"] <= 1
    assert all(0 <= step.values["L_reg"] <= np.log(400) + 1e-4 for step in steps)


def test_the_parent_is_left_alone(model, stack):
    before = state(model.network).clone()
    tuned = tuner(model, stack, learning_rate=1e-2)
    drain(tuned.run())
    assert torch.equal(state(model.network), before)
    assert not torch.equal(state(tuned.network), before)


def test_alpha_0_is_plain_l0(model, stack):
    """With α = 0 the gradient is that of L₀ alone; with α it is the sum of both, weighted."""

    def gradients(alpha):
        run = tuner(model, stack, alpha=alpha)
        run._train_step()
        return torch.cat([weight.grad.flatten() for weight in run.network.parameters()])

    reference = tuner(model, stack)
    loss, _ = reference.recipe.loss(
        reference.network, reference.recipe.batch(reference.generator, reference.device)
    )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reference.network.parameters(), 1.0)
    plain = torch.cat([weight.grad.flatten() for weight in reference.network.parameters()])
    assert torch.allclose(gradients(0.0), plain, atol=1e-7)
    assert not torch.allclose(gradients(5.0), plain, atol=1e-3)


def test_alpha_0_uses_the_sample_in_validations_only(model, stack):
    run = tuner(model, stack, alpha=0.0, check_every=4)
    asked = []
    run.network.register_forward_hook(lambda *_: asked.append(run.step))
    steps = []
    drain(run.run(), steps.append)
    assert all("L_reg" not in step.values for step in steps) and "entropy" in steps[-1].values
    passes = len(run.validator.held_out[0]) + len(run.validator.held_out[1]) + 1
    assert asked == [0, 1, 2, 3] + [4] * passes  # one batch per step, and the validation at the last
    with_entropy = tuner(model, stack, alpha=0.03, check_every=4)
    first = []
    drain(with_entropy.run(), first.append)
    assert first[0].values["L0"] == pytest.approx(steps[0].values["L0"])  # the same simulated patches
    assert torch.equal(with_entropy.generator.get_state(), run.generator.get_state())


def test_a_large_alpha_lowers_the_entropy(model, stack):
    def entropy_after(alpha):
        run = tuner(model, stack, alpha=alpha, steps_per_epoch=30, check_every=30, learning_rate=3e-3)
        drain(run.run())
        return run.validations[-1].entropy

    assert entropy_after(3.0) < entropy_after(0.0) - 0.2


def test_determined_by_the_seed(model, stack):
    def weights(seed):
        run = tuner(model, stack, seed=seed, learning_rate=1e-3)
        drain(run.run())
        return state(run.network)

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_cancel_keeps_the_best_and_resume_goes_on(model, stack):
    whole = tuner(model, stack)
    drain(whole.run())
    parts = tuner(model, stack)
    work = parts.run()
    for _ in range(3):
        next(work)
    work.close()
    assert parts.step == 2
    assert parts.best().header["fine_tune"]["steps_done"] == 2  # at hand at any time
    drain(parts.run())
    assert torch.equal(state(parts.network), state(whole.network))


def test_cancel_before_the_first_validation_leaves_the_parents_weights(model, stack):
    run = tuner(model, stack, learning_rate=0.1)
    work = run.run()
    next(work)
    work.close()
    assert torch.equal(state(run.best().network), state(model.network))


def test_autosave_survives_a_crash(model, stack, tmp_path, monkeypatch):
    monkeypatch.setattr(FineTuner, "autosave_seconds", 0.0)
    path = tmp_path / "state"
    whole = tuner(model, stack)
    drain(whole.run())
    crashed = tuner(model, stack, autosave=path)
    work = crashed.run()
    for _ in range(4):
        next(work)
    del crashed  # nothing is asked of it any more
    again = tuner(model, stack).restore(path)
    assert again.step == 3
    drain(again.run())
    assert torch.equal(state(again.network), state(whole.network))
    work.close()


def test_a_state_of_another_sample_or_a_damaged_one_is_refused(model, stack, tmp_path):
    path = tmp_path / "state"
    run = tuner(model, stack)
    run.save_state(path)
    other = FineTuner(model, stack, config(), dispersion="au111", area=((0, 24), (0, 24)))
    with pytest.raises(ModelError, match="another model or sample"):
        other.restore(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match="damaged"):
        run.restore(path)


def test_divergence_stops_with_a_sentence_and_keeps_the_best(model, stack):
    run = tuner(model, stack, steps_per_epoch=6)
    work = run.run()
    for _ in range(4):
        next(work)
    good = state(run.best().network).clone()
    with torch.no_grad():
        run.network.project.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="diverged at step"):
        drain(work)
    assert torch.equal(state(run.best().network), good) and torch.isfinite(good).all()


def test_the_best_validation_wins_not_the_last(model, stack):
    run = tuner(model, stack, learning_rate=0.5, steps_per_epoch=8, patience=100)  # so high that it does harm
    drain(run.run())
    held_out = [one.held_out for one in run.validations]
    assert held_out[-1] > min(held_out)
    assert run.best().header["fine_tune"]["after"]["held_out"] == min(held_out)


def test_early_stopping(model, stack):
    run = tuner(model, stack, learning_rate=0.5, steps_per_epoch=40, patience=3)
    drain(run.run())
    assert run.step < 40


def test_collapse_is_warned_of_once(model, stack):
    history = tuner(model, stack).history
    network, first = torch.nn.Identity(), Validation(0, held_out=1.0, l0=1.0, entropy=0.0, peaks=10)
    history.add(first, network)
    with pytest.warns(FriedelWarning, match="fell from 10 to 3"):
        history.add(replace(first, step=1, held_out=2.0, peaks=3), network)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history.add(replace(first, step=2, held_out=2.0, peaks=2), network)


def test_corrected_points_are_learned(model, stack):
    """A field with three spots that are no impurities and that no simulation knows: only the user can tell."""
    quick = {"steps_per_epoch": 60, "check_every": 60, "patience": 99, "alpha": 0.0}
    trained = fine_tune(model, stack, config(**quick, learning_rate=5e-3), dispersion="au111")
    added = tuple((float(row), float(column)) for row, column in stack.attrs["truth"])
    removed = ((18.0, 3.0), (2.0, 29.0), (16.0, 25.0))
    rows, columns = np.indices((32, 32))
    for row, column in removed:
        stack["LockinX"][:] += 0.8 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 3.0)

    def margin(**corrections):
        run = tuner(trained, stack, **quick, learning_rate=1e-3, **corrections)
        drain(run.run())
        with torch.no_grad():
            p = trained.probability(run.network.eval()(*run.validator.field).s)
        p = torch.nn.functional.max_pool2d(p[None], 3, 1, 1)[0, 0].numpy()  # a click is good to a pixel
        at = [np.mean([p[int(row), int(column)] for row, column in points]) for points in (added, removed)]
        return at[0] - at[1]

    without, corrected = margin(), margin(added=added, removed=removed)
    assert without < 0.2  # the spots look like impurities
    assert corrected > without + 0.4


def test_corrected_points_may_be_arrays(model, stack, tmp_path):
    """They are kept as plain numbers: a saved state can be read again, the model written."""
    settings = {"added": np.array([[5, 6]]), "removed": np.array([[20.5, 20.5]], dtype=np.float32)}
    assert config(**settings).added == ((5.0, 6.0),)
    tuned = tuner(model, stack, **settings)
    drain(tuned.run())
    tuned.save_state(tmp_path / "state")
    assert tuner(model, stack, **settings).restore(tmp_path / "state").step == 4
    best = tuned.best()
    save_model(tmp_path / "m", best.network, best.header)


def test_corrected_points_outside_the_area_count_for_nothing(model, stack):
    run = FineTuner(model, stack, config(added=((1.0, 1.0),)), dispersion="au111", area=((8, 32), (8, 32)))
    assert run.corrections is None


def test_preview_lies_on_the_stacks_pixels(model, stack):
    values = [step.values for step in iter_fine_tune(model, stack, config(preview=True), dispersion="au111")]
    assert values[-1]["s"].shape == (32, 32) and np.isfinite(values[-1]["s"]).all()


def test_small_and_incomplete_fields(model, stack):
    stack["LockinX"][:, 26:] = np.nan
    narrow = FineTuner(model, stack, config(), dispersion="au111", area=((0, 32), (0, 14)))
    drain(narrow.run())
    assert np.isfinite(narrow.validations[-1].held_out)


def test_the_result_is_a_model_with_its_provenance(model, stack, tmp_path):
    tuned = fine_tune(model, stack, config(), dispersion="au111")
    path = save_model(tmp_path / "tuned", tuned.network, tuned.header)
    again = load_model(path, "cpu")
    header = again.header
    assert header["parent"] == model.sha256 and header["parent_name"] == "small"
    assert header["sample"]["voltages"] == 12 and header["fine_tune"]["alpha"] == 0.03
    assert torch.equal(state(again.network), state(tuned.network))
    json.dumps(header, allow_nan=False)


@pytest.mark.parametrize(
    "bad", [{"alpha": -1.0}, {"alpha": float("nan")}, {"epochs": 0}, {"learning_rate": 0.0}, {"noise": -0.1}]
)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(SettingsError, match=next(iter(bad))):
        FineTuneConfig(**bad)


@pytest.fixture
def wave():
    """An untrained `friedel` network."""
    from friedel.models.registry import Model
    from friedel.training.recipes import get_recipe

    recipe = get_recipe("friedel")
    torch.manual_seed(0)
    return Model(recipe.make_network().eval(), {**recipe.header(), "threshold": 0.5}, "wave", "a" * 64)


def test_a_step_of_the_friedel_network_has_one_budget_of_pixels(wave, stack):
    """Simulated and experimental patches together have the pixels of 16 patches of 20×20, at voltages kept apart."""
    run = FineTuner(wave, stack, FineTuneConfig(device="cpu"), dispersion="au111")
    seen = []
    run.network.register_forward_hook(lambda module, given, out: seen.append(given[0].shape))
    run._train_step()
    assert sum(shape[0] for shape in seen) == 4 and all(shape[1] == 12 for shape in seen)
    assert seen[0][0] == 3 and seen[0][2:] == (40, 40)


def test_held_out_scenes_are_not_those_trained_on(wave, stack):
    run = FineTuner(wave, stack, config(steps_per_epoch=1), dispersion="au111")
    run._train_step()
    pools = [made.__self__._pool for made in (run.recipe.batch, run.recipe.held_out)]
    assert len(run.validator.held_out[0]) == 3
    shown, held_out = ({scene.maps.sum().item() for scene in pool} for pool in pools)
    assert shown and held_out and not shown & held_out


def test_the_friedel_network_can_be_fine_tuned(wave, stack):
    run = FineTuner(wave, stack, config(steps_per_epoch=2, batch=4), dispersion="au111")
    values = []
    tuned = drain(run.run(), lambda step: values.append(step.values))
    assert np.isfinite([v["L0"] for v in values]).all() and np.isfinite([v["L_reg"] for v in values]).all()
    json.dumps(tuned.header, allow_nan=False)


def test_a_saved_state_goes_on_with_the_same_settings_only(model, stack, tmp_path):
    path = tmp_path / "state"
    drain(tuner(model, stack, autosave=path).run())
    with pytest.raises(ModelError, match=r"other settings \(alpha: 0.03, not 0.5; batch: 4, not 5\)"):
        tuner(model, stack, alpha=0.5, batch=5).restore(path)
    longer = tuner(model, stack, epochs=2, device="auto", preview=True).restore(path)
    assert longer.step == 4
    drain(longer.run())
    assert longer.best().header["fine_tune"]["steps_done"] == 8


def test_a_state_saved_by_version_0_1_goes_on(model, stack, tmp_path):
    """It called a validation a look, and knew fewer settings."""
    path, whole = tmp_path / "state", tuner(model, stack)
    drain(whole.run())
    half = tuner(model, stack)
    work = half.run()
    for _ in range(3):
        next(work)
    half.save_state(path)
    content = torch.load(path, weights_only=True)
    content["looks"], content["best_look"] = content.pop("validations"), content.pop("best_index")
    del content["config"]["correction_weight"]
    torch.save(content, path)
    again = tuner(model, stack).restore(path)
    assert again.validations == half.validations and again.step == 2
    assert again.looks == [one.figures() for one in half.validations]
    drain(again.run())
    assert torch.equal(state(again.network), state(whole.network))


def test_an_interrupted_fine_tuning_leaves_its_state(model, stack, tmp_path):
    import signal

    run = tuner(model, stack, autosave=tmp_path / "state")
    pressed = []

    def press(*_):
        if run.step == 1 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGTERM)

    run.network.register_forward_hook(press)
    with pytest.raises(KeyboardInterrupt):
        drain(run.run())
    assert tuner(model, stack).restore(tmp_path / "state").step == 2


def test_an_autosave_on_a_full_disk_costs_one_warning(model, stack, tmp_path, monkeypatch):
    from friedel.training import checkpoint

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_checkpoint", full)
    monkeypatch.setattr(FineTuner, "autosave_seconds", 0.0)
    with pytest.warns(FriedelWarning, match="cannot be kept") as seen:
        tuned = drain(tuner(model, stack, autosave=tmp_path / "state").run())
    assert len(seen) == 1 and tuned.header["fine_tune"]["steps_done"] == 4
