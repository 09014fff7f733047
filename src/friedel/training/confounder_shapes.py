"""Images of what lies on a surface or comes from the instrument and is no wave of an impurity, random by a generator.

Each function gives images of about unit height for one scene of H × W pixels and V voltages. Nothing here is shared
with `friedel.benchmark.confounders`, on purpose: other shapes and other random laws, so that those fields stay a test.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

Bounds = tuple[float, float]


def draw(bounds: Bounds, rng: torch.Generator) -> float:
    """A uniform random number."""
    return bounds[0] + (bounds[1] - bounds[0]) * float(torch.rand(1, generator=rng))


def draw_log(bounds: Bounds, rng: torch.Generator) -> float:
    """A log-uniform random number."""
    return math.exp(draw((math.log(bounds[0]), math.log(bounds[1])), rng))


def coin(share: float, rng: torch.Generator) -> bool:
    """True in `share` of the calls."""
    return bool(torch.rand(1, generator=rng) < share)


def grid(size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column of each pixel, two tensors (H, W)."""
    rows, columns = (torch.arange(n, dtype=torch.float32) for n in size)
    across, along = torch.meshgrid(rows, columns, indexing="ij")
    return across, along


def smooth(images: torch.Tensor, width: float) -> torch.Tensor:
    """Gaussian filter of standard deviation `width` [px] over the last two axes (..., H, W), reflecting borders."""
    h, w = images.shape[-2:]
    reach = min(max(1, math.ceil(3 * width)), h - 1, w - 1)
    x = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(x**2) / (2 * width**2))
    kernel = kernel / kernel.sum()
    flat = images.reshape(-1, 1, h, w)
    flat = F.conv2d(F.pad(flat, (reach, reach, 0, 0), mode="reflect"), kernel.view(1, 1, 1, -1))
    flat = F.conv2d(F.pad(flat, (0, 0, reach, reach), mode="reflect"), kernel.view(1, 1, -1, 1))
    return flat.reshape(images.shape)


def bias_dependence(voltages: int, rng: torch.Generator) -> torch.Tensor:
    """Contrast over the voltages, (V, 1, 1), of rms about 1: nearly constant, sloping, or changing its sign."""
    t = torch.linspace(-1, 1, voltages)
    level, slope, bend = torch.randn(3, generator=rng).tolist()
    fate = draw((0, 1), rng)
    if fate < 0.4:
        values = 1 + 0.15 * slope * t
    elif fate < 0.7:
        values = 1 + 0.6 * slope * t + 0.3 * bend * t**2
    else:
        values = torch.sin((1 + abs(slope)) * 1.5 * t + 3 * bend) + 0.3 * level
    values = values / values.square().mean().sqrt().clamp_min(0.3)
    shape: torch.Tensor = values.view(-1, 1, 1) * (1 if coin(0.5, rng) else -1)
    return shape


def rough_field(size: tuple[int, int], width: float, rng: torch.Generator) -> torch.Tensor:
    """Random hills of `width` [px], mean 0 and rms 1, (H, W)."""
    margin = math.ceil(2 * width)
    noise = torch.randn(size[0] + 2 * margin, size[1] + 2 * margin, generator=rng)
    image = smooth(noise, width)[margin : margin + size[0], margin : margin + size[1]]
    return (image - image.mean()) / image.std().clamp_min(1e-6)


def edge_distance(size: tuple[int, int], rng: torch.Generator) -> torch.Tensor:
    """Signed distance [px] from a bent, kinked line through the field, (H, W)."""
    rows, columns = grid(size)
    angle, radius = draw((0, 2 * math.pi), rng), draw_log((0.6, 30.0), rng) * max(size)
    through = [draw((0.1, 0.9), rng) * n for n in size]
    rows, columns = rows - through[0], columns - through[1]
    across = rows * math.sin(angle) + columns * math.cos(angle)
    along = columns * math.sin(angle) - rows * math.cos(angle)
    bent = across + along**2 / (2 * radius) * (1 if coin(0.5, rng) else -1)
    if coin(0.3, rng):
        bent = bent + draw((0.3, 1.5), rng) * torch.tanh((along - draw((-10, 10), rng)) / 1.5)
    return bent


def standing_waves(distance: torch.Tensor, k: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """cos(2kx + φ)/√(x + a) with an amplitude and a phase for each side of the edge, (V, H, W)."""
    phase = draw((0, 2 * math.pi), rng)
    x = distance.abs()[None]
    soft, reach = draw((0.4, 2.0), rng), draw_log((15.0, 200.0), rng)
    shift = draw((-0.6, 0.6), rng) * torch.linspace(-1, 1, len(k)).view(-1, 1, 1)
    waves = torch.cos(2 * k.view(-1, 1, 1) * x + phase + shift) * torch.exp(-x / reach) / torch.sqrt(x + soft)
    both = draw((-1, 1), rng)
    return waves * torch.where(distance > 0, 1.0, both if coin(0.6, rng) else 0.0)


def patches(size: tuple[int, int], rng: torch.Generator) -> torch.Tensor:
    """Flat islands or pits of irregular outline, 0 or 1, (H, W): hills of a random field above a level."""
    field = rough_field(size, draw_log((1.2, 6.0), rng), rng)
    level = draw((0.6, 2.0), rng)
    return torch.sigmoid((field - level) / draw((0.03, 0.3), rng))


def spots(size: tuple[int, int], rng: torch.Generator) -> torch.Tensor:
    """Some 1 to 25 round, oval, annular or lobed spots of random heights, (H, W)."""
    rows, columns = grid(size)
    image = torch.zeros(size)
    alike, kind = coin(0.5, rng), int(torch.randint(0, 4, (1,), generator=rng))
    width, height = draw((0.6, 2.8), rng), 1.0
    for _ in range(round(draw_log((1, 25), rng))):
        if not alike:
            width, height = draw((0.6, 2.8), rng), draw((0.3, 1.5), rng) * (1 if coin(0.5, rng) else -1)
            kind = int(torch.randint(0, 4, (1,), generator=rng))
        angle, oval = draw((0, math.pi), rng), draw((0.5, 1.0), rng)
        y, x = rows - draw((0, size[0]), rng), columns - draw((0, size[1]), rng)
        u, v = y * math.sin(angle) + x * math.cos(angle), (x * math.sin(angle) - y * math.cos(angle)) / oval
        r = torch.sqrt(u**2 + v**2) / width
        shape = (
            torch.exp(-(r**2)),
            1 / (1 + r**6),
            torch.exp(-(((r - 1) * 2) ** 2)),
            u / width * torch.exp(-(r**2)) * 2,
        )[kind]
        image = image + height * shape
    return image


def pattern(size: tuple[int, int], rng: torch.Generator) -> torch.Tensor:
    """A periodic image of rms 1, (H, W): one to three waves, bent and shaped into stripes, dots or a net."""
    rows, columns = grid(size)
    period, angle = draw_log((2.2, 16.0), rng), draw((0, math.pi), rng)
    fold = int(torch.randint(1, 4, (1,), generator=rng))
    step = math.pi / fold if coin(0.7, rng) else draw((0.3, 1.3), rng)
    warp = draw((0, 0.12), rng) * period * rough_field(size, draw((6, 15), rng), rng)
    image = torch.zeros(size)
    for n in range(fold):
        q = 2 * math.pi / period * draw((0.95, 1.05), rng)
        across = rows * math.sin(angle + n * step) + columns * math.cos(angle + n * step)
        image = image + torch.cos(q * (across + warp) + draw((0, 2 * math.pi), rng))
    fate = draw((0, 1), rng)
    if fate < 0.35:
        image = torch.exp(draw((0.5, 2.0), rng) * image)
    elif fate < 0.5:
        image = torch.tanh(3 * image)
    if coin(0.4, rng):
        image = image * (1 + 0.4 * rough_field(size, draw((4, 12), rng), rng))
    return (image - image.mean()) / image.std().clamp_min(1e-6)


def bad_lines(shape: tuple[int, int, int], rng: torch.Generator) -> torch.Tensor:
    """One to eight lines, or parts of them, with an offset, noise or a slope, (V, H, W)."""
    v, h, w = shape
    image = torch.zeros(shape)
    for _ in range(round(draw_log((1, 8), rng))):
        row, start = (int(torch.randint(0, n, (1,), generator=rng)) for n in (h, w))
        start = start if coin(0.4, rng) else 0
        height = draw((0.3, 1.0), rng) * (1 if coin(0.5, rng) else -1)
        along = torch.ones(w - start) if coin(0.5, rng) else torch.randn(w - start, generator=rng)
        if coin(0.3, rng):
            along = along * torch.linspace(1, 0, w - start)
        over = torch.ones(v, 1) if coin(0.6, rng) else torch.randn(v, 1, generator=rng)
        image[:, row, start:] += height * along * over
        if coin(0.3, rng) and row + 1 < h:
            image[:, row + 1, start:] += 0.7 * height * along * over
    return image


def bad_spectra(shape: tuple[int, int, int], rng: torch.Generator) -> torch.Tensor:
    """One to eighty pixels, some in runs of two or three, at all voltages or at one, (V, H, W)."""
    v, h, w = shape
    image = torch.zeros(shape)
    for _ in range(round(draw_log((1, 80), rng))):
        row, column = (int(torch.randint(0, n, (1,), generator=rng)) for n in (h, w))
        height, run = draw((-1.0, 1.0), rng), 1 if coin(0.8, rng) else 3
        fate = draw((0, 1), rng)
        over = torch.zeros(v, 1)
        if fate < 0.4:
            over = torch.ones(v, 1)
        elif fate < 0.75:
            over = torch.randn(v, 1, generator=rng)
        else:
            over[int(torch.randint(0, v, (1,), generator=rng))] = 2.0
        image[:, row, column : column + run] += height * over
    return image


def hum(shape: tuple[int, int, int], rng: torch.Generator) -> torch.Tensor:
    """A sine along the lines whose phase slips from line to line, (V, H, W)."""
    v, h, w = shape
    rows, columns = grid((h, w))
    phase = draw((0, 2 * math.pi), rng) + draw((0, 6.3), rng) * torch.randn(v, 1, 1, generator=rng)
    return torch.sin(2 * math.pi * columns / draw_log((2.5, 20), rng) + draw((0, 6.3), rng) * rows + phase)


def shifted(maps: torch.Tensor, by: tuple[float, float]) -> torch.Tensor:
    """Maps (V, H, W) moved by a fraction of a pixel, the border continued."""
    h, w = maps.shape[-2:]
    rows, columns = grid((h, w))
    where = torch.stack([(columns - by[1]) * 2 / (w - 1) - 1, (rows - by[0]) * 2 / (h - 1) - 1], dim=-1)
    return F.grid_sample(maps[None], where[None], mode="bicubic", padding_mode="border", align_corners=True)[
        0
    ]
