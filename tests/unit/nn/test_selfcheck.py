"""The self-check of the product: it passes here, and fails when something is wrong."""

import math
from dataclasses import replace

import pytest
import torch

from namd.nn import selfcheck
from namd.nn.fusion.backends import numba_cpu
from namd.nn.fusion.columns import Columns
from namd.nn.published import edge_form
from namd.nn.selfcheck import check_products


def test_this_installation_passes_in_both_precisions() -> None:
    double, single = check_products("cpu")
    assert (double.precision, single.precision) == ("float64", "float32")
    for check in (double, single):
        assert check.passed
        assert check.backend == "numba"
        assert max(check.product, check.reduction, check.rotation) > 0
        assert check.neighbours > 0


def test_the_wigner_matrices_are_those_of_a_rotation() -> None:
    wigner = selfcheck._wigner(
        torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).double()
    )
    torch.testing.assert_close(wigner @ wigner.T, torch.eye(9).double(), rtol=0, atol=1e-12)
    assert float(torch.linalg.det(wigner[1:4, 1:4])) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["product", "reduction"])
def test_a_wrong_number_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(numba_cpu, name)

    def wrong(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, columns: Columns) -> torch.Tensor:
        result = right(a, b, c, columns)
        result.view(-1)[-1] += 1e-3
        return result

    monkeypatch.setattr(numba_cpu, name, wrong)
    for check in check_products("cpu"):
        assert not check.passed
        assert getattr(check, name) > check.limit


def test_a_wrong_sum_over_neighbours_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = edge_form.edge_rows
    monkeypatch.setattr(edge_form, "edge_rows", lambda *arguments: right(*arguments) * 1.001)
    for check in check_products("cpu"):
        assert not check.passed
        assert check.neighbours == pytest.approx(1e-3, rel=0.5)
        assert check.product <= check.limit


def test_what_is_no_number_does_not_pass() -> None:
    check, _ = check_products("cpu")
    assert not replace(check, product=math.nan).passed
