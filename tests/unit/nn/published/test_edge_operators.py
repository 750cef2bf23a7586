"""The operators on edges: schema, derivatives to second order, tracing, transforms, refusals."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from namd.errors import ConfigError
from namd.nn.fusion.paths import natural_paths
from namd.nn.published.convolution import PathSums
from namd.nn.published.edge_form import NeighbourSum, Places
from namd.nn.published.edge_operators import edge_harmonics, edge_rows
from namd.nn.published.edge_tables import OTHERS, RADIAL, RESULT, SOURCE, registered, tables_of

ATOMS, L, CHANNELS = 4, 1, 2
MODULE: NeighbourSum = PathSums(natural_paths(L, L, L), source_l=(0, L), harmonic_l=L).sum
KEY = MODULE.form.key
LEGS = {"source": SOURCE, "radial": RADIAL, "result": RESULT}


def make_places() -> Places:
    """All edges of four atoms but one, from neighbours."""
    first, second = torch.triu_indices(ATOMS, ATOMS, offset=1)
    pair = torch.zeros(ATOMS, ATOMS, dtype=torch.int64)
    pair[first, second] = pair[second, first] = torch.arange(len(first))
    number = torch.arange(ATOMS).expand(ATOMS, ATOMS)
    within = ~torch.eye(ATOMS, dtype=torch.bool).expand(2, ATOMS, ATOMS).contiguous()
    within[0, 1, 2] = False
    index = torch.stack([number, pair, number.T])
    return Places(within=within, index=index, rows=(ATOMS, len(first), ATOMS))


def random(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def leg(number: int, channels: int = CHANNELS) -> torch.Tensor:
    return random(2, make_places().rows[number], MODULE.form.sizes[number], channels, seed=number)


def harmonics() -> torch.Tensor:
    return random(2, ATOMS, ATOMS, MODULE.form.sizes[3], seed=3)


def edges() -> tuple[Any, ...]:
    places = make_places()
    return places.within, places.index, places.rows


Call = tuple[Callable[..., torch.Tensor], tuple[torch.Tensor, ...], tuple[Any, ...]]


@pytest.fixture(params=[*LEGS, "harmonics"])
def operator(request: pytest.FixtureRequest) -> Call:
    """An operator, the tensors it is differentiated by, and its other arguments."""
    if request.param == "harmonics":
        legs = tuple(leg(number) for number in LEGS.values())
        return torch.ops.namd.edge_harmonics.default, legs, (*edges(), KEY)
    asked = LEGS[request.param]
    legs = tuple(leg(number) for number in OTHERS[asked])
    return torch.ops.namd.edge_rows.default, (*legs, harmonics()), (*edges(), asked, KEY)


def test_opcheck_accepts(operator: Call) -> None:
    function, tensors, others = operator
    results = torch.library.opcheck(function, (*tensors, *others))
    assert set(results.values()) == {"SUCCESS"}
    assert len(results) == 4


def test_derivatives_of_first_and_second_order(operator: Call) -> None:
    function, tensors, others = operator
    assert torch.autograd.gradcheck(lambda *x: function(*x, *others), tensors)
    assert torch.autograd.gradgradcheck(lambda *x: function(*x, *others), tensors, fast_mode=True)


def test_fake_tensors_have_the_shapes_of_real_ones(operator: Call) -> None:
    function, tensors, (within, index, *others) = operator
    real = function(*tensors, within, index, *others)
    given = [t.detach() for t in (*tensors, within, index)]
    with FakeTensorMode() as mode:
        fake = function(*map(mode.from_tensor, given), *others)
    meta = function(*(t.to("meta") for t in given), *others)
    for other in (fake, meta):
        assert other.shape == real.shape
        assert other.stride() == real.stride()
        assert other.dtype == real.dtype


def test_they_are_derivatives_of_one_form() -> None:
    """⟨leg, ∂Q/∂leg⟩ = ⟨y, ∂Q/∂y⟩ = Q."""
    legs = {number: leg(number, channels=20) for number in LEGS.values()}
    y = harmonics()
    along = edge_harmonics(*legs.values(), *edges(), KEY)
    value = (along * y).sum()
    assert value.abs() > 1.0
    assert not along[0, 1, 2].any()  # not within
    for number, (inner, factor) in OTHERS.items():
        rows = edge_rows(legs[inner], legs[factor], y, *edges(), number, KEY)
        torch.testing.assert_close((rows * legs[number]).sum(), value, rtol=1e-12, atol=1e-12)


def test_only_the_derivatives_asked_for_are_computed() -> None:
    source, radial, y = (t.detach() for t in (leg(SOURCE), leg(RADIAL), harmonics()))
    radial.requires_grad_()
    MODULE(source, radial, y, make_places()).sum().backward()
    assert source.grad is None
    assert y.grad is None
    assert radial.grad is not None


def test_transforms_equal_the_double_backward() -> None:
    places = make_places()
    source, radial, y = leg(SOURCE), leg(RADIAL), harmonics()
    values, pullback = torch.func.vjp(lambda *x: MODULE(*x, places).sin().sum(), source, radial, y)
    first = pullback(torch.ones_like(values))
    found = torch.autograd.grad(sum(t.square().sum() for t in first), (source, radial, y))
    value = MODULE(source, radial, y, places).sin().sum()
    first = torch.autograd.grad(value, (source, radial, y), create_graph=True)
    wanted = torch.autograd.grad(sum(t.square().sum() for t in first), (source, radial, y))
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_wrong_shapes_are_refused_and_never_read(which: int, axis: int, operator: Call) -> None:
    function, tensors, others = operator
    given = [t.detach() for t in tensors]
    given[which] = given[which].narrow(axis, 0, given[which].shape[axis] - 1)
    with pytest.raises(ConfigError, match="expected tensors of shapes"):
        function(*given, *others)


def test_mixed_precisions_are_refused(operator: Call) -> None:
    function, (first, *tensors), others = operator
    with pytest.raises(ConfigError, match="float32 or float64 alone"):
        function(first.float(), *tensors, *others)


@pytest.mark.parametrize("place", [-1, ATOMS])
def test_rows_that_there_are_not_are_refused(place: int, operator: Call) -> None:
    function, tensors, (within, index, *others) = operator
    index[SOURCE, 0, 0] = place
    with pytest.raises(ConfigError, match="expected rows of edges below"):
        function(*tensors, within, index, *others)


def test_an_index_of_another_type_is_refused(operator: Call) -> None:
    function, tensors, (within, index, *others) = operator
    with pytest.raises(ConfigError, match="int64 for rows"):
        function(*tensors, within, index.int(), *others)


def test_an_unknown_form_is_refused(operator: Call) -> None:
    function, tensors, (*others, _) = operator
    with pytest.raises(ConfigError, match="no form of this key"):
        function(*tensors, *others, "0123")


def test_half_precision_goes_the_reference_way() -> None:
    exact = [t.detach() for t in (leg(SOURCE), leg(RADIAL), harmonics())]
    found = MODULE(*(t.to(torch.bfloat16) for t in exact), make_places())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), MODULE(*exact, make_places()), rtol=0.1, atol=0.1)


def test_equal_forms_share_a_key_and_others_do_not() -> None:
    again = PathSums(natural_paths(L, L, L), source_l=(0, L), harmonic_l=L).sum
    assert again.form.key == KEY
    assert PathSums(natural_paths(0, L, L), source_l=(0, 0), harmonic_l=L).sum.form.key != KEY
    form = MODULE.form
    doubled = registered(
        columns=form.columns, harmonic=form.harmonic, value=2 * form.value, sizes=form.sizes
    )
    assert doubled != KEY


def test_copies_know_their_form(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = pickle.dumps(MODULE)
    monkeypatch.setattr("namd.nn.published.edge_tables._known", {})  # another process
    with pytest.raises(ConfigError, match="no form of this key"):
        tables_of(KEY)
    assert pickle.loads(stored).form.key == KEY  # noqa: S301  (our own)
    assert copy.deepcopy(MODULE).form.key == KEY
    assert tables_of(KEY).sizes == MODULE.form.sizes
