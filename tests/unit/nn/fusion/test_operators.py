"""The registered operators: schema, derivatives to second order, tracing, transforms, refusals."""

from collections.abc import Callable

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from namd.errors import ConfigError
from namd.nn.fusion.columns import columns_of, registered
from namd.nn.fusion.operators import cg_product, cg_reduction
from namd.nn.fusion.paths import coupling_table
from namd.nn.fusion.product import ClebschGordanProduct

TABLE = coupling_table(2, 1, 2)
KEY = registered(TABLE)
NODES, CHANNELS = 3, 2
Arguments = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def random(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()


def product_arguments(dtype: torch.dtype = torch.float64) -> Arguments:
    first, second, _ = TABLE.dimensions
    a = random(first, NODES, CHANNELS, seed=0, dtype=dtype)
    b = random(second, NODES, CHANNELS, seed=1, dtype=dtype)
    return a, b, random(len(TABLE.paths), CHANNELS, seed=2, dtype=dtype)


def reduction_arguments(dtype: torch.dtype = torch.float64) -> Arguments:
    a, b, _ = product_arguments(dtype)
    return a, b, random(TABLE.dimensions[2], NODES, CHANNELS, seed=3, dtype=dtype)


OPERATORS = {
    "product": (torch.ops.namd.cg_product.default, product_arguments),
    "reduction": (torch.ops.namd.cg_reduction.default, reduction_arguments),
}


@pytest.fixture(params=list(OPERATORS))
def operator(request: pytest.FixtureRequest) -> tuple[Callable[..., torch.Tensor], Arguments]:
    function, arguments = OPERATORS[request.param]
    return function, arguments()


def test_opcheck_accepts(operator: tuple[Callable[..., torch.Tensor], Arguments]) -> None:
    function, arguments = operator
    results = torch.library.opcheck(function, (*arguments, KEY))
    assert set(results.values()) == {"SUCCESS"}
    assert len(results) == 4


def test_derivatives_of_first_and_second_order(
    operator: tuple[Callable[..., torch.Tensor], Arguments],
) -> None:
    function, arguments = operator
    assert torch.autograd.gradcheck(lambda *x: function(*x, KEY), arguments)
    assert torch.autograd.gradgradcheck(lambda *x: function(*x, KEY), arguments)


def test_reduction_is_the_derivative_of_the_product() -> None:
    a, b, w = product_arguments()
    *_, g = reduction_arguments()
    (expected,) = torch.autograd.grad((cg_product(a, b, w, KEY) * g).sum(), w)
    torch.testing.assert_close(cg_reduction(a, b, g, KEY), expected, rtol=0, atol=1e-12)


def test_only_the_derivatives_asked_for_are_computed() -> None:
    a, b, w = (t.detach() for t in product_arguments())
    b.requires_grad_()
    cg_product(a, b, w, KEY).sum().backward()
    assert a.grad is None
    assert w.grad is None
    assert b.grad is not None


def test_fake_tensors_have_the_shapes_of_real_ones(
    operator: tuple[Callable[..., torch.Tensor], Arguments],
) -> None:
    function, arguments = operator
    real = function(*arguments, KEY)
    with FakeTensorMode() as mode:
        fake = function(*(mode.from_tensor(t) for t in arguments), KEY)
    meta = function(*(t.detach().to("meta") for t in arguments), KEY)
    for other in (fake, meta):
        assert other.shape == real.shape
        assert other.stride() == real.stride()
        assert other.dtype == real.dtype


class TwoProducts(torch.nn.Module):
    """A product of products, with tables of two kinds, as a network has them."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = ClebschGordanProduct(table=TABLE, channels=CHANNELS)
            self.second = ClebschGordanProduct(table=coupling_table(2, 1, 1), channels=CHANNELS)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.second(self.first(a, b), b))


def force_loss(module: torch.nn.Module, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A loss on a vector–Jacobian product, as training on forces has it."""
    values, pullback = torch.func.vjp(lambda x: module(x, b), a)
    (force,) = pullback(torch.ones_like(values))
    return force.square().sum()


def test_vjp_inside_a_loss_equals_the_double_backward() -> None:
    module = TwoProducts().double()
    a, b, _ = product_arguments()
    parameters = list(module.parameters())
    found = torch.autograd.grad(force_loss(module, a, b), parameters)
    (force,) = torch.autograd.grad(module(a, b).sum(), a, create_graph=True)
    wanted = torch.autograd.grad(force.square().sum(), parameters)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_a_grad_of_a_grad_equals_the_double_backward() -> None:
    module = TwoProducts().double()
    a, b, _ = product_arguments()

    def squared_force(x: torch.Tensor) -> torch.Tensor:
        return torch.func.grad(lambda y: module(y, b).sum())(x).square().sum()

    found = torch.func.grad(squared_force)(a)
    (force,) = torch.autograd.grad(module(a, b).sum(), a, create_graph=True)
    (wanted,) = torch.autograd.grad(force.square().sum(), a)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_half_precision_goes_the_reference_way() -> None:
    a, b, w = (t.detach().to(torch.bfloat16) for t in product_arguments())
    exact = cg_product(a.double(), b.double(), w.double(), KEY)
    found = cg_product(a, b, w, KEY)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_wrong_shapes_are_refused_and_never_read(
    which: int, operator: tuple[Callable[..., torch.Tensor], Arguments]
) -> None:
    function, arguments = operator
    tensors = [t.detach() for t in arguments]
    tensors[which] = tensors[which][:-1]
    with pytest.raises(ConfigError, match="expected tensors of shapes"):
        function(*tensors, KEY)


def test_mixed_precisions_are_refused() -> None:
    a, b, w = product_arguments()
    with pytest.raises(ConfigError, match="one precision on one device"):
        cg_product(a, b, w.float(), KEY)


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="no coupling table"):
        cg_product(*product_arguments(), "0123-ijk")


def test_equal_tables_share_a_key_and_columns_come_back() -> None:
    assert registered(coupling_table.__wrapped__(2, 1, 2)) == KEY
    assert registered(coupling_table(1, 2, 2)) != KEY
    swapped = columns_of(KEY).permuted((2, 0, 1))
    assert swapped != KEY
    assert columns_of(swapped).sizes == tuple(TABLE.dimensions[i] for i in (2, 0, 1))
    assert columns_of(swapped).permuted((1, 2, 0)) == KEY
