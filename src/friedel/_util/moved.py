"""Old names of modules: an import of one gives the module at its new place, with a `DeprecationWarning`.

The names are those of version 0.1. They go with version 0.3.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

#: Old name of each module and its new one; both without ``friedel.``.
MOVED = {
    "allocator": "_util.malloc",
    "atomic": "_util.atomic_write",
    "chance": "scoring.chance",
    "density": "scoring.areal_density",
    "detection.band_fit": "dispersion_fit.matched_field_fit",
    "detection.classical": "classical.detect",
    "detection.cores": "refit.core_masks",
    "detection.detector": "pipeline",
    "detection.fit_layout": "refit.parameters",
    "detection.groups": "refit.bias_binning",
    "detection.herringbone": "refit.herringbone",
    "detection.hidden": "refit.source_search",
    "detection.joint_fit": "refit.joint_fit",
    "detection.matched_field": "classical.matched_field",
    "detection.normal_equations": "refit.normal_equations",
    "detection.omp": "classical.omp",
    "detection.outlines": "candidates.tile_outlines",
    "detection.peaks": "candidates.peaks",
    "detection.positive": "refit.cholesky",
    "detection.refit": "refit.driver",
    "detection.ring": "dispersion_fit.fourier_ring",
    "detection.robust": "refit.robust",
    "detection.schedule": "refit.schedules",
    "detection.second_look": "refit.candidates",
    "detection.strength_prior": "refit.amplitude_prior",
    "detection.tiles": "candidates.tiling",
    "detection.verdict": "refit.model_selection",
    "evaluation.benchmark": "benchmark.run",
    "evaluation.bound": "benchmark.cramer_rao",
    "evaluation.calibration": "benchmark.reliability",
    "evaluation.figure3": "paper.figure3",
    "evaluation.figure4": "paper.figure4",
    "evaluation.figure4_report": "paper.figure4_report",
    "evaluation.inpaint": "benchmark.inpaint",
    "evaluation.intervals": "scoring.intervals",
    "evaluation.methods": "benchmark.methods",
    "evaluation.metrics": "scoring.metrics",
    "evaluation.report": "benchmark.report",
    "evaluation.scenes": "benchmark.scenes",
    "evaluation.significance": "paper.paired_test",
    "evaluation.surface": "benchmark.instrument",
    "evaluation.twin": "benchmark.synthetic",
    "evaluation.waves": "benchmark.t_matrix_exact",
    "matching": "scoring.matching",
    "models.attention": "models.paper_net",
    "models.decode": "candidates.decode",
    "models.wave": "models.friedel_net",
    "physics.foldy_lax": "physics.t_matrix_jacobian",
    "physics.friedel": "physics.eq3",
    "physics.sample": "physics.simulate",
    "physics.scattering": "physics.t_matrix_torch",
    "reference.agreement": "scoring.agreement",
    "reference.mixture": "reference.gaussian_mixture",
    "rescale": "resample",
    "spectra": "analysis.spectra",
    "table": "detections",
    "threads": "_util.threads",
    "training.calibrate": "training.calibrate_paper",
    "training.fine_tune": "finetuning.tuner",
    "training.fine_tune_config": "finetuning.config",
    "training.fine_tune_looks": "finetuning.validation",
    "training.fine_tune_patches": "finetuning.patches",
    "training.noise": "finetuning.noise_estimate",
    "training.sample": "finetuning.sample",
    "training.sample_recipes": "finetuning.sample_recipes",
    "training.wave_calibrate": "training.calibrate_friedel",
    "training.wave_recipe": "training.recipe_friedel",
}
#: Packages that hold nothing but old names.
GONE = frozenset({"detection", "evaluation"})


class _Alias(Loader):
    """Fill the module of the old name with what the new one holds."""

    def __init__(self, new: str) -> None:
        self.new = new

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the making of the module to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        warnings.warn(
            f"{module.__name__} has moved to {self.new}; the old name goes with version 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        target = import_module(self.new)
        module.__doc__ = target.__doc__
        module.__dict__.update({name: value for name, value in vars(target).items() if name[:2] != "__"})


class _Package(Loader):
    """An empty package, below which old names are found."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the making of the module to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Leave the package empty."""


class MovedFinder(MetaPathFinder):
    """Find old names, after the import system has found nothing."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "friedel":
            return None
        if name in MOVED:
            return ModuleSpec(fullname, _Alias(f"friedel.{MOVED[name]}"))
        if name in GONE:
            return ModuleSpec(fullname, _Package(), is_package=True)
        return None


def install() -> None:
    """Let old names be imported, once for the process."""
    if not any(isinstance(finder, MovedFinder) for finder in sys.meta_path):
        sys.meta_path.append(MovedFinder())


def renamed(module: str, names: dict[str, str]) -> Callable[[str], Any]:
    """Give the ``__getattr__`` of a module whose names were changed: each old one works on, with a warning.

    Parameters
    ----------
    module : str
        The module's ``__name__``.
    names : dict
        Old name → new name.
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(
            f"{module}.{name} is now {names[name]}; the old name goes with version 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(sys.modules[module], names[name])

    return get
