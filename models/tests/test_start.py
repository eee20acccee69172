"""Principal components, the quantiser and the entropy estimate."""

import numpy as np
import torch

from cistrain import entropy, pca, quantise
from cistrain.networks import Expand, Squeeze


def correlated(n: int = 4000, size: int = 32, rank: int = 6) -> torch.Tensor:
    return torch.randn(n, rank) @ torch.randn(rank, size) + 0.01 * torch.randn(n, size) + 3


def moments(vectors, gradients=None):
    made = pca.Moments(vectors.shape[1])
    made.add(vectors, gradients)
    return made


def test_bottleneck_inverts_what_fits_into_it():
    vectors = correlated()
    analysis, synthesis, kept = pca.components(*moments(vectors).covariance(), 6)
    assert kept > 0.99
    squeeze, expand = Squeeze(8, channels=6), Expand(8, channels=6)
    pca.start(squeeze, expand, vectors.double().mean(0), analysis, synthesis, scale=2.5)
    features = torch.nn.functional.pixel_shuffle(vectors[:64].T.reshape(1, 32, 8, 8), 2)
    with torch.no_grad():
        latents = squeeze(features)
        back = expand(latents)
    assert latents.shape == (1, 6, 8, 8)
    assert (back - features).abs().max() < 0.1


def test_sensitivity_keeps_what_matters():
    vectors = torch.randn(5000, 32) * torch.linspace(1, 5, 32)
    gradients = torch.zeros(5000, 32)
    gradients[:, 0] = torch.randn(5000) * 30  # only the quietest feature moves the answers
    stats = moments(vectors, gradients)
    mean, covariance = stats.covariance()
    for metric, low, high in ((None, 0.9, 1.1), (stats.sensitivity(0.01), 0.0, 0.05)):
        analysis, synthesis, _ = pca.components(mean, covariance, 4, metric)
        rebuilt = (vectors.double() - mean) @ analysis.T @ synthesis.T + mean
        lost = ((rebuilt - vectors)[:, 0] ** 2).mean() / vectors[:, 0].var()
        assert low <= lost <= high


def test_sticky_keeps_noise_from_moving_symbols():
    random = np.random.default_rng(0)
    still = random.normal(0, 3, (1, 4, 6, 6)) + random.normal(0, 0.05, (50, 4, 6, 6))
    changes = lambda margin: (np.diff(quantise.sequence(still.astype(np.float32), 32, margin), axis=0) != 0).sum()
    assert changes(0.3) == 0 < changes(-1)
    q = quantise.sequence(still.astype(np.float32), 32, 0.3)
    assert np.abs(still - q).max() <= 0.8 + 1e-6


def test_step_is_the_contract():
    assert quantise.step(32) == 1 and quantise.step(40) == 2 and quantise.step(24) == 0.5


def test_entropy_estimate_is_near_the_truth_and_static_is_nearly_free():
    random = np.random.default_rng(1)
    fair = random.integers(0, 2, (60, 4, 16, 16)).astype(np.int16)
    independent = entropy.clip_bits(fair, key_interval=1) / fair.size
    assert 0.98 < independent < 1.1
    static = np.repeat(fair[:1], 60, 0)
    assert entropy.clip_bits(static) < entropy.clip_bits(static[:1]) + 1200
