"""What the parts of from_sklearn.py share: blocks, constants as text, and the refusal."""

import re
from dataclasses import dataclass

import numpy as np


class Refused(Exception):
    """Something cannot be exported: the reason, and what to do."""

    def __init__(self, what, remedy):
        super().__init__(f"{what}; {remedy}")


@dataclass(frozen=True)
class Block:
    expression: str
    width: int
    name: str
    text: bool = False
    # The text that stands for a missing one: "none", "nan", or "" where training has seen neither.
    holes: str = ""


def number(value):
    value = float(value)
    if not np.isfinite(value):
        raise Refused(f"a fitted constant is {value}", "look at the column that it belongs to, and fit again")
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def numbers(values):
    return f"[{', '.join(number(value) for value in values)}]"


def text(value):
    if re.search(r"[\x00-\x08\x0e-\x1f]", value):
        raise Refused(f"the category {value!r} holds a control character", "clean the column before fitting")
    for plain, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(plain, written)
    return f'"{value}"'


def is_gone(value):
    """None, NaN, and the missing values of pandas."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def wrapped(expression):
    """Safe as an operand."""
    return expression if re.fullmatch(r"[\w.]+(\(.*\)|\[\d+\])?", expression) and balanced(expression) else f"({expression})"


def balanced(expression):
    """Whether the first parenthesis closes at the end: f(a) and not f(a) + g(b)."""
    depth = 0
    for k, sign in enumerate(re.sub(r'"(\\.|[^"\\])*"', lambda m: "_" * len(m[0]), expression)):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and depth == 0 and k < len(expression) - 1:
            return False
    return True
