"""What a model's header says of it, whatever runs its network."""

from __future__ import annotations

from typing import Any

import numpy as np


class ModelFacts:
    """The header's facts; `friedel.models.model.Model` and `friedel.models.light.LightModel` have a network besides."""

    header: dict[str, Any]

    @property
    def k_range(self) -> tuple[float, float]:
        """Wavevectors that the network was trained for, (low, high) [rad/px]."""
        low, high = self.header["k_range"]
        return float(low), float(high)

    @property
    def k_mean(self) -> tuple[float, float] | None:
        """Where the mean of a stack's wavevectors should lie, see `friedel.resample.plan`; None: anywhere."""
        if "k_mean" not in self.header:
            return None
        low, high = self.header["k_mean"]
        return float(low), float(high)

    @property
    def threshold(self) -> float:
        """Probability from which on a peak counts as an impurity."""
        return float(self.header.get("threshold", 0.5))

    @property
    def knows_empty(self) -> bool:
        """Whether the calibration saw fields without impurities: else its sure peaks may be structure of any kind."""
        validation = self.header.get("validation", {})
        return isinstance(validation, dict) and bool(validation.get("empty_fields"))

    def probability(self, s: Any) -> Any:
        """Calibrated probability that a peak with this S is an impurity; see `friedel.models.calibration`.

        Parameters
        ----------
        s : array or Tensor, shape (..., rows, columns)
            S over whole fields (a relative calibration compares S with the rest of its field).

        Returns
        -------
        array or Tensor
            Of the kind and shape of `s`, from 0 to 1.
        """
        from friedel.models.calibration import is_relative, logit

        calibration = self.header.get("calibration", {})
        if hasattr(s, "sigmoid"):  # a tensor
            return logit(s, calibration).sigmoid()
        values = np.array(s, dtype=np.float64)
        if is_relative(calibration):
            import torch

            return logit(torch.from_numpy(values), calibration).sigmoid().numpy()
        from scipy.special import expit

        return expit(logit(values, calibration))
