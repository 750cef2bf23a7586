"""Whether the Clebsch–Gordan product of this installation is right, in a tenth of a second.

Four numbers per device and precision, each relative to the largest number compared: how far the
chosen back end is from the dense reference in float64, for the product, for its reduction over
nodes and for the sums over neighbours of the published networks, and how far T(D a, D b, w) is from
D T(a, b, w) for a rotation with Wigner matrices D.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from namd.nn.fusion.backends import einsum
from namd.nn.fusion.backends.choice import choose
from namd.nn.fusion.columns import columns_of, registered
from namd.nn.fusion.operators import cg_product, cg_reduction
from namd.nn.fusion.paths import clebsch_gordan, coupling_table, natural_paths
from namd.nn.published.convolution import PathSums
from namd.nn.published.edge_form import Places, reference

_NODES, _CHANNELS = 37, 21  # neither fills the blocks of a kernel
_ATOMS = 5
_L = 2
_LIMITS = {torch.float64: 1e-12, torch.float32: 2e-5}


@dataclass(frozen=True, kw_only=True)
class ProductCheck:
    """Relative deviations of one back end on one device in one precision.

    Parameters
    ----------
    device, backend, precision
        What was checked.
    product, reduction, neighbours
        Deviations from the reference.
    rotation
        Deviation from equivariance.
    limit
        What rounding explains.
    """

    device: str
    backend: str
    precision: str
    product: float
    reduction: float
    neighbours: float
    rotation: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether all deviations are rounding. NaN is not."""
        found = (self.product, self.reduction, self.neighbours, self.rotation)
        return all(value <= self.limit for value in found)


def check_products(device: str) -> tuple[ProductCheck, ...]:
    """Check the back end that a device is served by, in double and single precision.

    Parameters
    ----------
    device
        ``cpu``, ``cuda``, ``cuda:1`` …
    """
    return tuple(_check(device, precision) for precision in _LIMITS)


@torch.no_grad()
def _check(device: str, precision: torch.dtype) -> ProductCheck:
    table = coupling_table(_L, _L, _L)
    key = registered(table)
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    a, b, g = (random(size, _NODES, _CHANNELS) for size in table.dimensions)
    w = random(len(table.paths), _CHANNELS)

    def product(a: Tensor, b: Tensor) -> Tensor:
        x, y, z = (t.to(device, precision) for t in (a, b, w))
        return cg_product(x, y, z, key).double().cpu()

    def reduction() -> Tensor:
        x, y, z = (t.to(device, precision) for t in (a, b, g))
        return cg_reduction(x, y, z, key).double().cpu()

    exact = einsum.product(a, b, w, columns_of(key))
    wigner = _wigner(random(3, 3))

    def turned(feature: Tensor) -> Tensor:
        return torch.einsum("ij,jnc->inc", wigner, feature)

    return ProductCheck(
        device=device,
        backend=choose(torch.device(device).type).name,
        precision=str(precision).removeprefix("torch."),
        product=_deviation(product(a, b), exact),
        reduction=_deviation(reduction(), einsum.reduction(a, b, g, columns_of(key))),
        neighbours=_neighbours(device, precision),
        rotation=_deviation(product(turned(a), turned(b)), turned(product(a, b))),
        limit=_LIMITS[precision],
    )


def _neighbours(device: str, precision: torch.dtype) -> float:
    """How far a sum over neighbours is from its reference in float64."""
    module = PathSums(natural_paths(1, _L, _L), source_l=(0, 1), harmonic_l=_L).sum
    components, paths, _, harmonics = module.form.sizes
    atom = torch.arange(_ATOMS)
    centre, source = torch.meshgrid(atom, atom, indexing="ij")
    places = Places(
        within=(centre != source)[None],
        index=torch.stack([source, centre + source, centre]),
        rows=(_ATOMS, 2 * _ATOMS - 1, _ATOMS),
    )
    generator = torch.Generator().manual_seed(1)
    shapes = (
        (1, places.rows[0], components, _CHANNELS),
        (1, places.rows[1], paths, _CHANNELS),
        (1, _ATOMS, _ATOMS, harmonics),
    )
    exact = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    wanted = reference(*exact, places=places, form=module.form)
    there = Places(within=places.within.to(device), index=places.index.to(device), rows=places.rows)
    found = module(*(t.to(device, precision) for t in exact), there)
    return _deviation(found.double().cpu(), wanted)


def _wigner(matrix: Float[Tensor, "3 3"]) -> Float[Tensor, "component component"]:
    """Wigner matrices of l = 0, 1, 2 of a rotation made of any matrix, in one of blocks.

    That of l = 1 is the rotation (its components are x, y, z), that of l = 2 is coupled of two.
    """
    vector = torch.linalg.qr(matrix).Q
    vector = vector * torch.linalg.det(vector)
    couple = torch.tensor(clebsch_gordan(1, 1, 2))
    tensor = torch.einsum("ijk,ip,jq,pql->kl", couple, vector, vector, couple)
    whole = torch.eye(9, dtype=matrix.dtype)
    whole[1:4, 1:4], whole[4:, 4:] = vector, tensor
    return whole


def _deviation(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())
