"""A small field for fits: what the model says, and white noise."""

from friedel.benchmark.synthetic import Setting

#: No disturbance: what is left is the model, exactly, and white noise.
EXACT = Setting(
    shape=(36, 36),
    bias_mv=tuple(float(v) for v in range(-230, 21, 25)),
    impurities=8,
    noise=0.3,
    jitter_pm=0.0,
    rows=0.0,
    herringbone=False,
    cores="replaced",
    margin_nm=1.5,
)
