"""Sums over neighbours: compiled loops against the reference, derivatives, edges left out."""

import pytest
import torch

from namd.nn.fusion.paths import natural_paths
from namd.nn.published import edge_form
from namd.nn.published.convolution import PathSums
from namd.nn.published.edge_form import NeighbourSum, Places, reference
from namd.nn.published.edges import EdgeBasis, Edges
from tests.unit.nn.conftest import geometries

ATOMS, L = 6, 2
Operands = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def edges() -> Edges:
    basis = EdgeBasis(cutoff=2.2, radial=4, l_max=L, envelope_order=5, atoms=ATOMS).double()
    return basis(geometries(2))


@pytest.fixture(params=["atoms", "edges"])
def places(request: pytest.FixtureRequest, edges: Edges) -> Places:
    return edges.from_neighbours() if request.param == "atoms" else edges.from_edges()


def neighbour_sum(*, shared: bool = False) -> NeighbourSum:
    paths = natural_paths(1, L, L)
    radial = [l2 for _, l2, _ in paths] if shared else None
    return PathSums(paths, source_l=(0, 1), harmonic_l=L, radial=radial).sum


def operands(module: NeighbourSum, places: Places, channels: int, edges: Edges) -> Operands:
    generator = torch.Generator().manual_seed(2)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(2, *shape, generator=generator, dtype=torch.float64)

    source, paths, *_ = module.form.sizes
    rows = places.rows
    return random(rows[0], source, channels), random(rows[1], paths, channels), edges.harmonics


@pytest.mark.parametrize("channels", [1, 5, 16, 32, 64])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shared", [False, True])
def test_compiled_loops_equal_the_reference(
    edges: Edges, places: Places, channels: int, dtype: torch.dtype, shared: bool
) -> None:
    module = neighbour_sum(shared=shared)
    exact = operands(module, places, channels, edges)
    expected = reference(*exact, places=places, form=module.form)
    found = module(*(t.to(dtype) for t in exact), places)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=tolerance)
    assert expected.abs().max() > 1.0


def test_another_back_end_needs_no_loops(
    edges: Edges, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NAMD_CG_BACKEND=einsum computes without Numba, in the published networks, too."""
    monkeypatch.setenv("NAMD_CG_BACKEND", "triton")  # of a GPU: on the CPU loops remain
    assert neighbour_sum().compiled
    monkeypatch.setenv("NAMD_CG_BACKEND", "einsum")
    module = neighbour_sum()
    monkeypatch.setattr(edge_form, "edge_rows", None)
    exact = operands(module, places, 3, edges)
    expected = reference(*exact, places=places, form=module.form)
    assert torch.equal(module(*exact, places), expected)


def test_derivatives_of_first_and_second_order(edges: Edges, places: Places) -> None:
    module = neighbour_sum()
    exact = operands(module, places, 2, edges)
    few = Places(within=places.within[:1], index=places.index, rows=places.rows)
    variables = [t[:1].detach().clone().requires_grad_() for t in exact]
    assert torch.autograd.gradcheck(lambda *x: module(*x, few), variables, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda *x: module(*x, few), variables, fast_mode=True)


def test_a_loss_on_gradients_has_the_derivatives_of_the_reference(
    edges: Edges, places: Places
) -> None:
    """Every operator is differentiated with respect to everything, as in training on forces."""
    module = neighbour_sum()
    exact = operands(module, places, 20, edges)

    def gradients(compiled: bool) -> tuple[torch.Tensor, ...]:
        variables = [t.detach().clone().requires_grad_() for t in exact]
        if compiled:
            value = module(*variables, places)
        else:
            value = reference(*variables, places=places, form=module.form)
        first = torch.autograd.grad(value.sin().sum(), variables, create_graph=True)
        return torch.autograd.grad(sum(t.square().sum() for t in first), variables)

    for found, expected in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_edges_beyond_the_cut_off_do_not_count(edges: Edges) -> None:
    module = neighbour_sum()
    places = edges.from_neighbours()
    source, radial, harmonics = operands(module, places, 3, edges)
    assert 0 < int(edges.within.sum()) < edges.within.numel() - 2 * ATOMS
    lonely = Places(within=torch.zeros_like(edges.within), index=places.index, rows=places.rows)
    assert not module(source, radial, harmonics, lonely).any()
    whole = module(source, radial, harmonics, places)
    changed = torch.where(edges.within[..., None], harmonics, torch.full_like(harmonics, torch.nan))
    assert torch.equal(module(source, radial, changed, places), whole)


def test_every_edge_has_the_harmonics_of_its_own_direction(edges: Edges) -> None:
    turned = torch.tensor([1.0] + 3 * [-1.0] + 5 * [1.0], dtype=torch.float64)
    assert torch.equal(edges.harmonics, edges.harmonics.transpose(1, 2) * turned)
    assert not edges.within.diagonal(dim1=1, dim2=2).any()
    assert torch.equal(edges.pair, edges.pair.T)
    # l = 1 is √3 times the direction itself.
    vector = geometries(2)[:, 0] - geometries(2)[:, 3]
    direction = vector / vector.norm(dim=-1, keepdim=True) * 3**0.5
    torch.testing.assert_close(edges.harmonics[:, 0, 3, 1:4], direction)
