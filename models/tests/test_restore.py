"""The restoration keeps to what was received: a refined block has the coefficients that came, one that nothing came for is the network's."""

import pytest
import torch

from cistrain.enhance import BLOCK, ENHANCED, Enhance
from cistrain.families import Family
from cistrain.restore import FREE, STAGES, Restore

HERE = (..., 2, 3)  # a block, and the pixels of one far from it, which nothing of it reaches
FAR = (..., slice(12 * BLOCK, None), slice(16 * BLOCK, None))


@pytest.fixture(scope="module")
def view():
    """A restoration with an orthonormal transform, whose decoder has something to say everywhere."""
    torch.manual_seed(5)
    restore = Restore(Family.of("nanodet-plus-m-1.5x")).eval().requires_grad_(False)
    restore.transform.basis.copy_(torch.linalg.qr(torch.randn(3 * BLOCK**2, ENHANCED))[0].T)
    for parameter in restore.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, 0, 0.05)
    latents = torch.randn(1, restore.enter.in_channels, 8, 10)
    return restore, latents, restore(latents)[0]


def layer(latents, many: int) -> torch.Tensor:
    """One block has `many` coefficients that are not zero."""
    enhanced = torch.zeros(1, ENHANCED, 2 * latents.shape[2], 2 * latents.shape[3])
    enhanced[HERE][:, :many] = torch.linspace(1, 3, many)
    return enhanced


@torch.no_grad()
def test_a_refined_block_has_what_was_received(view):
    restore, latents, plain = view
    enhanced = layer(latents, ENHANCED)
    picture = restore(latents, enhanced)[0]
    torch.testing.assert_close(restore.transform.coefficients(picture)[HERE], enhanced[HERE], atol=1e-3, rtol=0)
    beyond = picture - restore.transform.picture(restore.transform.coefficients(picture))
    assert beyond[..., 2 * BLOCK : 3 * BLOCK, 3 * BLOCK : 4 * BLOCK].abs().max() > 0.1, "what the coefficients do not hold is the network's"
    assert torch.equal(picture[FAR], plain[FAR])


@torch.no_grad()
def test_a_block_counts_as_far_as_it_was_sent(view):
    restore, latents, _ = view
    for sent in STAGES[:-1]:
        enhanced = layer(latents, sent)
        off = (restore.transform.coefficients(restore(latents, enhanced)[0]) - enhanced)[HERE].abs()[0]
        assert off[:sent].max() < 1e-3, "what came is shown as it came"
        assert 1e-3 < off[sent:].max() < FREE + 1e-3, "beyond that the network has a little room"
    one = layer(latents, 1)
    assert (restore.transform.coefficients(restore(latents, one)[0]) - one)[HERE].abs()[0, 0] > 1e-3, "a single one is not sure yet"


@torch.no_grad()
def test_without_the_layer_the_picture_is_the_networks(view):
    restore, latents, plain = view
    assert torch.equal(restore(latents, layer(latents, 0))[0], plain)


@torch.no_grad()
def test_all_coefficients_bring_the_picture_back_as_far_as_they_hold_it(view):
    restore, latents, _ = view
    x = restore.transform.picture(torch.randn(1, ENHANCED, 16, 20))
    z = Enhance(restore.transform)(x)
    torch.testing.assert_close(restore.transform.coefficients(restore(latents, z)[0]), z, atol=1e-3, rtol=1e-3)
