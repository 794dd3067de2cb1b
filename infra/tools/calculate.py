"""The tool `calculate`: arithmetic in decimal numbers, by a small grammar of its own in which nothing takes long."""

import ast
from collections.abc import Callable, Mapping, Sequence
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import TypeAlias

from agent.ids import ToolName
from agent.tool import CallContext, Colour, Tool, ToolError
from sandbox.script import Json

MOST_CHARACTERS = 500
DEPTH = 50
"""The most operations inside each other; `sum(...)` adds up many numbers at one depth."""

DIGITS = 50
LARGEST_EXPONENT = 300
"""Of ten, in any number; such a number still fits a double."""

LARGEST_POWER = 1000
_EXACT_INTEGER = 2**53

ARGUMENTS: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "expression": {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS},
        "values": {
            "type": "object",
            "description": "Numbers that the expression names, such as outputs of other steps.",
            "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,31}$"},
            "additionalProperties": {"type": "number"},
            "maxProperties": 50,
        },
    },
    "required": ["expression"],
    "additionalProperties": False,
}

_Value: TypeAlias = Decimal | bool


def calculate() -> Tool:
    """Return the tool."""

    async def call(_context: CallContext, args: Mapping[str, Json]) -> Json:
        values = args.get("values")
        return result_of(str(args["expression"]), values if isinstance(values, Mapping) else {})

    return Tool(
        name=ToolName("calculate"),
        description="Calculate one expression of numbers: + - * / // % **, comparisons, parentheses, abs, min, max, "
        f"sum and round(number, places), half to even. Decimal with {DIGITS} digits; // and % round down. `values` "
        "gives names to numbers. Returns value (a number, or true or false), text (all its digits) and exact.",
        arguments=ARGUMENTS,
        colour=Colour.GREEN,
        call=call,
        timeout_seconds=5.0,
    )


def result_of(expression: str, values: Mapping[str, Json]) -> Json:
    """Return the value of an expression, its text, and whether no digit was rounded away.

    Raises:
        ToolError: `bad_expression`, `division_by_zero` or `too_large`.
    """
    if len(expression) > MOST_CHARACTERS:
        raise ToolError("too_large", f"The expression has more than {MOST_CHARACTERS} characters.")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolError("bad_expression", "The expression cannot be read.") from None
    calculation = _Calculation(expression.strip(), values)
    try:
        value = calculation.value(tree.body, DEPTH)
    except DivisionByZero:
        raise ToolError("division_by_zero", "The expression divides by zero.") from None
    except Overflow:
        raise ToolError("too_large", f"A number is beyond 1e{LARGEST_EXPONENT}.") from None
    except DecimalException:
        raise ToolError("bad_expression", "An operation has no result, or one with too many digits.") from None
    if isinstance(value, bool):
        return {"value": value, "text": str(value).lower(), "exact": True}
    is_whole = value == value.to_integral_value() and abs(value) < _EXACT_INTEGER
    return {
        "value": int(value) if is_whole else float(value),
        "text": _text(value),
        "exact": not calculation.context.flags[Inexact],
    }


def _text(value: Decimal) -> str:
    """Return all digits, without an exponent where that is readable, nor zeros at the end."""
    if not value:
        return "0"
    digits = value.normalize(Context(prec=DIGITS))
    return f"{digits:f}" if -DIGITS < digits.adjusted() < DIGITS else str(digits)


class _Calculation:
    """One expression; its context keeps whether a digit was rounded away."""

    def __init__(self, expression: str, values: Mapping[str, Json]) -> None:
        self.context = Context(
            prec=DIGITS,
            rounding=ROUND_HALF_EVEN,
            Emax=LARGEST_EXPONENT,
            Emin=-LARGEST_EXPONENT,
            traps=[InvalidOperation, DivisionByZero, Overflow],
        )
        self._expression = expression
        self._values = values

    def value(self, node: ast.expr, depth: int) -> _Value:
        """Return what a part of the expression comes to."""
        if depth == 0:
            raise ToolError("too_large", f"More than {DEPTH} operations stand inside each other; use sum(...).")
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return self._literal(node)
            case ast.Name(id=name) if name in self._values:
                return self._named(name)
            case ast.UnaryOp(op=ast.USub()):
                return self.context.minus(self._number(node.operand, depth))
            case ast.UnaryOp(op=ast.UAdd()):
                return self._number(node.operand, depth)
            case ast.BinOp():
                return self._combined(node.op, self._number(node.left, depth), self._number(node.right, depth))
            case ast.Compare():
                return self._compared(node, depth)
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                return self._called(name, node.args, depth)
            case _:
                raise _unknown(ast.get_source_segment(self._expression, node) or "")

    def _number(self, node: ast.expr, depth: int) -> Decimal:
        value = self.value(node, depth - 1)
        if isinstance(value, bool):
            raise ToolError("bad_expression", "A comparison stands where a number must.")
        return value

    def _literal(self, node: ast.Constant) -> Decimal:
        """Return a number as it is written: a float has lost digits."""
        if isinstance(node.value, int):
            return self.context.create_decimal(node.value)
        return self.context.create_decimal((ast.get_source_segment(self._expression, node) or "").replace("_", ""))

    def _named(self, name: str) -> Decimal:
        value = self._values[name]
        try:
            return self.context.create_decimal(str(value))
        except ValueError:
            raise Overflow from None  # Python prints no integer of more than 4300 digits

    def _combined(self, operator: ast.operator, left: Decimal, right: Decimal) -> Decimal:
        match operator:
            case ast.Add():
                return self.context.add(left, right)
            case ast.Sub():
                return self.context.subtract(left, right)
            case ast.Mult():
                return self.context.multiply(left, right)
            case ast.Div():
                return self._divided(left, right)
            case ast.FloorDiv():
                return self._floor(left, right)[0]
            case ast.Mod():
                return self._floor(left, right)[1]
            case ast.Pow():
                if abs(right) > LARGEST_POWER:
                    raise ToolError("too_large", f"An exponent is beyond {LARGEST_POWER}.")
                if not left and right < 0:
                    raise DivisionByZero
                return self.context.power(left, right)
            case _:
                raise _unknown(type(operator).__name__)

    def _divided(self, left: Decimal, right: Decimal) -> Decimal:
        if not right:
            raise DivisionByZero
        return self.context.divide(left, right)

    def _floor(self, left: Decimal, right: Decimal) -> tuple[Decimal, Decimal]:
        """Return quotient and remainder, rounded down as integers are; `Decimal` rounds towards zero."""
        if not right:
            raise DivisionByZero
        quotient, remainder = self.context.divmod(left, right)
        if remainder and (remainder < 0) != (right < 0):
            return self.context.subtract(quotient, Decimal(1)), self.context.add(remainder, right)
        return quotient, remainder

    def _compared(self, node: ast.Compare, depth: int) -> bool:
        numbers = [self._number(part, depth) for part in (node.left, *node.comparators)]
        holds = [
            _comparison(operator)(left, right)
            for operator, left, right in zip(node.ops, numbers, numbers[1:], strict=False)
        ]
        return all(holds)

    def _called(self, name: str, args: Sequence[ast.expr], depth: int) -> Decimal:
        parts = args[0].elts if len(args) == 1 and isinstance(args[0], ast.List | ast.Tuple) else args
        numbers = [self._number(part, depth) for part in parts]
        match name, numbers:
            case "abs", [number]:
                return self.context.abs(number)
            case "min", [_, *_]:
                return min(numbers)
            case "max", [_, *_]:
                return max(numbers)
            case "sum", _:
                total = Decimal(0)
                for number in numbers:
                    total = self.context.add(total, number)
                return total
            case "round", [number]:
                return self._rounded(number, Decimal(0))
            case "round", [number, places]:
                return self._rounded(number, places)
            case _:
                raise _unknown(f"{name}() of {len(numbers)} numbers")

    def _rounded(self, number: Decimal, places: Decimal) -> Decimal:
        if places != places.to_integral_value() or abs(places) > DIGITS:
            raise ToolError("bad_expression", f"round takes whole places from -{DIGITS} to {DIGITS}.")
        own = self.context.copy()  # asked for, so no loss of digits
        return own.quantize(number, Decimal(1).scaleb(-int(places)))


def _comparison(operator: ast.cmpop) -> Callable[[Decimal, Decimal], bool]:
    match operator:
        case ast.Lt():
            return Decimal.__lt__
        case ast.LtE():
            return Decimal.__le__
        case ast.Gt():
            return Decimal.__gt__
        case ast.GtE():
            return Decimal.__ge__
        case ast.Eq():
            return Decimal.__eq__
        case ast.NotEq():
            return lambda left, right: left != right
        case _:
            raise _unknown(type(operator).__name__)


def _unknown(what: str) -> ToolError:
    return ToolError(
        "bad_expression",
        f"The expression may not hold {what[:60]!r}: only numbers, names of `values`, "
        "+ - * / // % **, comparisons, abs, min, max, round and sum.",
    )
