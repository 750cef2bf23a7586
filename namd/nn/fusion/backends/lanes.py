"""Vectors of numbers as values inside Numba functions, so that sums of vectors stay in registers.

Numba leaves vectors to the optimiser, which has to keep a row that is summed into in memory, for
it cannot know that the rows read are others. Here a vector is a value: LLVM's ``<n x float>``, of
any length, cut by LLVM into what the processor has (AVX-512, AVX, SSE, NEON). No compiler is
needed on the user's machine beyond Numba's own.

Offsets count numbers from the start of a contiguous array and are not checked.
"""

from typing import Any, no_type_check

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model


class Lanes(types.Type):
    """Numba's type of a vector: ``width`` numbers of one float type."""

    def __init__(self, dtype: Any, width: int) -> None:
        self.dtype = dtype
        self.width = width
        super().__init__(name=f"Lanes({dtype}, {width})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    """As an LLVM vector."""

    def __init__(self, manager: Any, kind: Lanes) -> None:
        number = manager.lookup(kind.dtype).get_data_type()
        super().__init__(manager, kind, ir.VectorType(number, kind.width))


# "contract": a product and the sum it goes into may be rounded once (FMA). Nothing is reordered.
_FLAGS = ("contract",)


def _vector(context: Any, kind: Lanes) -> Any:
    return context.data_model_manager[kind].get_data_type()


def _pointer(context: Any, builder: Any, array: Any, offset: Any, kind: Lanes) -> Any:
    """Where in an array (its type, its value) a vector lies."""
    data = context.make_array(array[0])(context, builder, array[1]).data
    place = builder.gep(data, [offset])
    return builder.bitcast(place, ir.PointerType(_vector(context, kind)))


@intrinsic(prefer_literal=True)
@no_type_check
def load(_, array, offset, width):  # noqa: ARG001  (Numba reads the signature)
    """Read ``width`` (a constant) numbers from an array."""
    kind = Lanes(array.dtype, width.literal_value)

    def generate(context, builder, signature, arguments):
        place = _pointer(context, builder, (signature.args[0], arguments[0]), arguments[1], kind)
        return builder.load(place, align=kind.dtype.bitwidth // 8)

    return kind(array, types.intp, width), generate


@intrinsic(prefer_literal=True)
@no_type_check
def store(_, array, offset, lanes):  # noqa: ARG001
    """Write a vector to an array."""

    def generate(context, builder, signature, arguments):
        place = _pointer(context, builder, (signature.args[0], arguments[0]), arguments[1], lanes)
        builder.store(arguments[2], place, align=lanes.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic(prefer_literal=True)
@no_type_check
def zeros(_, array, width):
    """Zeros of the array's number type."""
    kind = Lanes(array.dtype, width.literal_value)

    def generate(context, _builder, _signature, _arguments):
        return ir.Constant(_vector(context, kind), None)

    return kind(array, width), generate


@intrinsic(prefer_literal=True)
@no_type_check
def spread(_, number, width):
    """One number in all places."""
    kind = Lanes(number, width.literal_value)

    def generate(context, builder, _signature, arguments):
        nothing = ir.Constant(_vector(context, kind), ir.Undefined)
        first = builder.insert_element(nothing, arguments[0], ir.IntType(32)(0))
        places = ir.Constant(ir.VectorType(ir.IntType(32), kind.width), None)
        return builder.shuffle_vector(first, nothing, places)

    return kind(number, width), generate


@intrinsic(prefer_literal=True)
@no_type_check
def repeated(_, lanes, times):
    """A vector several times, one after the other."""
    kind = Lanes(lanes.dtype, lanes.width * times.literal_value)

    def generate(_context, builder, _signature, arguments):
        places = [ir.IntType(32)(n % lanes.width) for n in range(kind.width)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), kind.width), places)
        return builder.shuffle_vector(arguments[0], arguments[0], mask)

    return kind(lanes, times), generate


@intrinsic
@no_type_check
def times(_, one, two):
    """Product, place by place."""

    def generate(_context, builder, _signature, arguments):
        return builder.fmul(*arguments, flags=_FLAGS)

    return one(one, two), generate


@intrinsic
@no_type_check
def plus(_, one, two):
    """Sum, place by place; with a product in it, rounded once where the processor can."""

    def generate(_context, builder, _signature, arguments):
        return builder.fadd(*arguments, flags=_FLAGS)

    return one(one, two), generate


@intrinsic
@no_type_check
def summed(_, lanes):
    """Sum of all places of a vector, a power of two of them: halves are added up to the last."""

    def generate(_context, builder, _signature, arguments):
        (whole,), width = arguments, lanes.width
        while width > 1:
            width //= 2
            low, high = (
                ir.Constant(
                    ir.VectorType(ir.IntType(32), width),
                    [ir.IntType(32)(first + n) for n in range(width)],
                )
                for first in (0, width)
            )
            halves = (builder.shuffle_vector(whole, whole, half) for half in (low, high))
            whole = builder.fadd(*halves)
        return builder.extract_element(whole, ir.IntType(32)(0))

    return lanes.dtype(lanes), generate


@intrinsic
@no_type_check
def address(_, array):
    """Where an array begins in memory, in bytes."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, context.get_value_type(types.intp))

    return types.intp(array), generate
