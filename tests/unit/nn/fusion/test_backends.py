"""The back ends against the reference, the choice between them, and bits that never change."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import namd
from namd.errors import ConfigError
from namd.nn.fusion.backends import choice, einsum, numba_cpu
from namd.nn.fusion.backends.choice import choose
from namd.nn.fusion.columns import Columns, columns_of, registered
from namd.nn.fusion.irreps import parse_irreps
from namd.nn.fusion.paths import coupling_table, irreps_table, separate_table

NATURAL = parse_irreps("0e+1o+2e")
TABLES = {
    "natural": coupling_table(2, 1, 2),
    "both parities": irreps_table(NATURAL, NATURAL, parse_irreps("0e+1o+1e+2e+2o")),
    "l = 3": coupling_table(3, 3, 3),
    "paths apart": separate_table(NATURAL, NATURAL, NATURAL)[0],
}
ROLES = [(0, 1, 2), (2, 1, 0), (2, 0, 1)]
Operands = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def columns(name: str, roles: tuple[int, int, int] = (0, 1, 2)) -> Columns:
    return columns_of(columns_of(registered(TABLES[name])).permuted(roles))


def operands(table: Columns, nodes: int, channels: int, dtype: torch.dtype) -> Operands:
    generator = torch.Generator().manual_seed(5)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    a, b, g = (random(size, nodes, channels) for size in table.sizes)
    return a, b, random(table.paths, channels), g


@pytest.mark.parametrize("roles", ROLES)
@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_compiled_loops_equal_the_reference(
    roles: tuple[int, int, int], name: str, dtype: torch.dtype
) -> None:
    table = columns(name, roles)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    # Whole and partial blocks of nodes and of channels.
    for nodes, channels in ((1, 1), (7, 3), (35, 16), (4, 21), (19, 32)):
        a, b, w, g = operands(table, nodes, channels, dtype)
        torch.testing.assert_close(
            numba_cpu.product(a, b, w, table),
            einsum.product(a, b, w, table),
            rtol=0,
            atol=tolerance,
        )
        torch.testing.assert_close(
            numba_cpu.reduction(a, b, g, table),
            einsum.reduction(a, b, g, table),
            rtol=0,
            atol=10 * tolerance,
        )


def test_compiled_loops_take_any_strides() -> None:
    table = columns("natural")
    a, b, w, g = operands(table, 8, 6, torch.float64)
    strided = [t.transpose(-1, -2).contiguous().transpose(-1, -2) for t in (a, b, w, g)]
    x, y, v, z = strided
    assert not x.is_contiguous()
    assert torch.equal(numba_cpu.product(x, y, v, table), numba_cpu.product(a, b, w, table))
    assert torch.equal(numba_cpu.reduction(x, y, z, table), numba_cpu.reduction(a, b, g, table))
    once = b[:, :1].expand_as(b)  # a stride of zero
    torch.testing.assert_close(
        numba_cpu.product(a, once, w, table), einsum.product(a, once, w, table)
    )


@pytest.mark.parametrize("channels", [3, 16, 40])
def test_no_bit_depends_on_the_other_nodes_and_channels(channels: int) -> None:
    table = columns("both parities")
    a, b, w, _ = operands(table, 33, channels, torch.float32)
    whole = numba_cpu.product(a, b, w, table)
    for nodes in (slice(0, 5), slice(6, 7), slice(30, 33)):
        part = numba_cpu.product(a[:, nodes], b[:, nodes], w, table)
        assert torch.equal(part, whole[:, nodes])
    some = slice(1, 3)
    assert torch.equal(
        numba_cpu.product(a[..., some], b[..., some], w[:, some], table), whole[..., some]
    )


def test_no_nodes_make_empty_products_and_vanishing_sums() -> None:
    table = columns("natural")
    a, b, w, g = operands(table, 0, 3, torch.float64)
    assert numba_cpu.product(a, b, w, table).shape == (table.sizes[2], 0, 3)
    assert torch.equal(numba_cpu.reduction(a, b, g, table), torch.zeros(table.paths, 3).double())


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch):
    """Set the environment variable; the choice is made anew before and after."""

    def set_variable(value: str) -> None:
        monkeypatch.setenv(choice.VARIABLE, value)
        choose.cache_clear()

    yield set_variable
    choose.cache_clear()


def test_the_fastest_back_end_is_taken(chosen, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen("auto")
    assert choose("cpu").name == "numba"
    assert choose("mps").name == "einsum"
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert choose("cuda").name == "einsum"
    assert "not installed" in choose("cuda").reason
    choose.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    assert choose("cuda").name == "triton"


def test_the_variable_overrides_the_choice(chosen) -> None:
    chosen("EINSUM")
    assert choose("cpu").name == "einsum"
    assert choice.VARIABLE in choose("cpu").reason
    assert choice.backend("cpu") is einsum


def test_a_bad_value_names_the_choices(chosen) -> None:
    chosen("cublas")
    with pytest.raises(ConfigError, match="auto, einsum, numba, triton") as error:
        choose("cpu")
    assert "NAMD_CG_BACKEND = cublas" in str(error.value)


def test_a_back_end_of_another_device_is_refused(chosen, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen("numba")
    with pytest.raises(ConfigError, match="on the CPU only"):
        choose("cuda")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    chosen("triton")
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        choose("cpu")


def test_the_gpu_kernels_are_not_imported_on_the_cpu() -> None:
    script = (
        "import sys, torch; from namd.nn.fusion.product import ClebschGordanProduct; "
        "from namd.nn.fusion.paths import coupling_table; "
        "module = ClebschGordanProduct(table=coupling_table(1, 1, 1), channels=2); "
        "module(torch.randn(4, 3, 2), torch.randn(4, 3, 2)).sum().backward(); "
        "print('namd.nn.fusion.backends.triton_cuda' in sys.modules, module.weight.grad is None)"
    )
    assert _python("-c", script).stdout == "False False\n"


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="the package triton is not installed"
)
def test_gpu_kernels_equal_the_reference_in_tritons_interpreter() -> None:
    script = Path(__file__).with_name("interpreted.py")
    done = _python(str(script), TRITON_INTERPRET="1", NAMD_CG_BACKEND="triton")
    assert done.returncode == 0, done.stderr
    same, derivatives = done.stdout.splitlines()
    assert same == "16 comparisons: the same"
    assert derivatives == "derivatives to second order: right"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("roles", ROLES)
@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gpu_kernels_equal_the_reference_and_repeat_their_bits(
    roles: tuple[int, int, int], name: str, dtype: torch.dtype
) -> None:
    triton_cuda = pytest.importorskip("namd.nn.fusion.backends.triton_cuda")
    table = columns(name, roles)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    a, b, w, g = operands(table, 333, 40, dtype)
    on_gpu = [t.cuda() for t in (a, b, w, g)]
    product = triton_cuda.product(*on_gpu[:3], table)
    reduction = triton_cuda.reduction(*on_gpu[:2], on_gpu[3], table)
    torch.testing.assert_close(
        product.cpu(), numba_cpu.product(a, b, w, table), rtol=0, atol=tolerance
    )
    torch.testing.assert_close(
        reduction.cpu(), numba_cpu.reduction(a, b, g, table), rtol=1e-5, atol=30 * tolerance
    )
    assert torch.equal(product, triton_cuda.product(*on_gpu[:3], table))
    assert torch.equal(reduction, triton_cuda.reduction(*on_gpu[:2], on_gpu[3], table))
    part = triton_cuda.product(*(t[:, 3:5] for t in on_gpu[:2]), on_gpu[2], table)
    assert torch.equal(part, product[:, 3:5])


def _python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run another Python in which this very package is found."""
    place = [str(Path(namd.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(  # noqa: S603  (our own interpreter and script)
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(place)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
