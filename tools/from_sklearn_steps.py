"""Fitted transformers of scikit-learn as expressions of Sluice, for from_sklearn.py.

A Block is a number, a vector or a text of the record, as an expression. Each transformer turns blocks into blocks, with the constants
that it was fitted to. Unseen and missing values are treated as the transformer treats them; where it would raise,
the value is missing, and Sluice dead-letters the record."""

import re
from dataclasses import replace

import numpy as np
from from_sklearn_categories import Categories
from from_sklearn_text import Block, Refused, is_gone, number, numbers, text, wrapped

FUNCTIONS = {
    "log1p": "log1p({})", "expm1": "expm1({})", "log": "log({})", "log2": "log2({})", "log10": "log10({})", "exp": "exp({})",
    "sqrt": "sqrt({})", "square": "pow({}, 2)", "absolute": "abs({})", "fabs": "abs({})", "sign": "sign({})", "floor": "floor({})",
    "ceil": "ceil({})", "trunc": "trunc({})", "sin": "sin({})", "cos": "cos({})", "tan": "tan({})", "tanh": "tanh({})",
    "negative": "-({})", "reciprocal": "1 / ({})", "isnan": "missing({})",
}


class Writer(Categories):
    def __init__(self):
        self.lets = []

    def let(self, block):
        name = f"_{block.name}{len(self.lets)}"
        self.lets.append((name, block.expression))
        return replace(block, expression=name)

    def scalars(self, blocks):
        """One block per column."""
        for block in blocks:
            if block.width == 1:
                yield block
                continue
            stored = self.let(block)
            for k in range(block.width):
                yield Block(f"{stored.expression}[{k}]", 1, f"{block.name}_{k}")

    def joined(self, blocks, name="all"):
        """One vector of all blocks."""
        numeric(blocks, "a transformer of whole rows")
        if len(blocks) == 1 and blocks[0].width > 1:
            return blocks[0]
        scalar = all(block.width == 1 for block in blocks)
        parts = ", ".join(block.expression for block in blocks)
        return Block(f"[{parts}]" if scalar else f"concat({parts})", sum(block.width for block in blocks), name)

    def pick(self, blocks, places):
        columns = [(block, k) for block in blocks for k in range(block.width)]
        chosen = []
        stored = {}
        for place in places:
            block, k = columns[place]
            if block.width == 1:
                chosen.append(block)
                continue
            if id(block) not in stored:
                stored[id(block)] = self.let(block)
            chosen.append(Block(f"{stored[id(block)].expression}[{k}]", 1, f"{block.name}_{k}"))
        return chosen

    def convert(self, step, blocks):
        if step is None or (isinstance(step, str) and step == "passthrough"):
            return blocks
        kind = type(step).__name__
        method = getattr(self, f"_{kind}", None)
        if method is not None and type(step).__module__.startswith("sklearn."):
            return method(step, blocks)
        if hasattr(step, "get_support"):
            return self.pick(blocks, step.get_support(indices=True))
        known = ", ".join(sorted(name[1:] for name in dir(self) if re.match(r"_[A-Z]", name)))
        raise Refused(f"the transformer {kind} has no expression", f"use one of {known}, or do it before the event is sent")

    # Transformers that hold others

    def _Pipeline(self, step, blocks):
        for _, inner in step.steps:
            blocks = self.convert(inner, blocks)
        return blocks

    def _FeatureUnion(self, step, blocks):
        made = []
        for name, inner in step.transformer_list:
            if inner == "drop":
                continue
            weight = (step.transformer_weights or {}).get(name, 1)
            part = self.convert(inner, blocks)
            made += part if weight == 1 else [replace(b, expression=f"{wrapped(b.expression)} * {number(weight)}") for b in part]
        return made

    def _ColumnTransformer(self, step, blocks):
        total = sum(block.width for block in blocks)
        names = list(getattr(step, "feature_names_in_", range(total)))
        weights = step.transformer_weights or {}
        made = []
        for name, inner, columns in step.transformers_:
            if isinstance(inner, str) and inner == "drop":
                continue
            if name in weights and weights[name] != 1:
                raise Refused("ColumnTransformer has transformer_weights", "leave them out, the model can weigh by itself")
            chosen = self.pick(blocks, places_of(columns, names))
            made += self.convert(inner, chosen)
        return made

    # Scaling

    def affine(self, blocks, shift, scale, plain=None):
        """(x - shift) / scale, by column; either may be None. `plain` writes a single column."""
        numeric(blocks, "a scaler")
        made, at = [], 0
        for block in blocks:
            there = slice(at, at + block.width)
            at += block.width
            one = block.width == 1
            if one and plain is not None and shift is not None and scale is not None:
                made.append(replace(block, expression=plain(block.expression, number(shift[there][0]), number(scale[there][0]))))
                continue
            constant = (lambda values: number(values[there][0])) if one else (lambda values: numbers(values[there]))
            expression = block.expression
            if shift is not None:
                expression = f"{wrapped(expression)} - {wrapped(constant(shift))}"
            if scale is not None:
                expression = f"{wrapped(expression)} / {wrapped(constant(scale))}"
            made.append(replace(block, expression=expression))
        return made

    def _StandardScaler(self, step, blocks):
        mean = step.mean_ if step.with_mean else None
        return self.affine(blocks, mean, step.scale_ if step.with_std else None, lambda x, m, s: f"standardize({x}, {m}, {s})")

    def _RobustScaler(self, step, blocks):
        centre = step.center_ if step.with_centering else None
        return self.affine(blocks, centre, step.scale_ if step.with_scaling else None, lambda x, m, s: f"robust({x}, {m}, {s})")

    def _MaxAbsScaler(self, step, blocks):
        return self.affine(blocks, None, step.scale_)

    def _MinMaxScaler(self, step, blocks):
        low, high = step.feature_range
        # x · scale + min, as (x - shift) / width: the same line through the same points.
        made = self.affine(blocks, -step.min_ / step.scale_, 1 / step.scale_)
        return [replace(b, expression=f"clip({b.expression}, {number(low)}, {number(high)})") for b in made] if step.clip else made

    def _Normalizer(self, step, blocks):
        if step.norm != "l2":
            raise Refused(f"Normalizer(norm={step.norm!r}) has no expression", "use norm='l2'")
        whole = self.joined(blocks, "unit")
        return [replace(whole, expression=f"unit({whole.expression})")]

    def _PowerTransformer(self, step, blocks):
        numeric(blocks, "PowerTransformer")
        function = "boxCox" if step.method == "box-cox" else "yeoJohnson"
        made = [replace(block, expression=f"{function}({block.expression}, {number(power)})") for block, power in zip(self.scalars(blocks), step.lambdas_)]
        return self._StandardScaler(step._scaler, made) if step.standardize else made

    def _QuantileTransformer(self, step, blocks):
        if step.output_distribution != "uniform":
            raise Refused("QuantileTransformer(output_distribution='normal') has no expression", "use 'uniform', or PowerTransformer")
        numeric(blocks, "QuantileTransformer")
        return [replace(block, expression=f"quantile({block.expression}, {numbers(step.quantiles_[:, k])})") for k, block in enumerate(self.scalars(blocks))]

    def _Binarizer(self, step, blocks):
        numeric(blocks, "Binarizer")
        return [replace(block, expression=f"{wrapped(block.expression)} > {wrapped(number(step.threshold))}") for block in blocks]

    def _FunctionTransformer(self, step, blocks):
        if step.func is None:
            return blocks
        name = getattr(step.func, "__name__", repr(step.func))
        if not isinstance(step.func, np.ufunc) or name not in FUNCTIONS or step.kw_args:
            raise Refused(f"FunctionTransformer({name}) has no expression", f"use one of numpy's {', '.join(FUNCTIONS)}, or do it before the event is sent")
        numeric(blocks, f"FunctionTransformer({name})")
        return [replace(block, expression=FUNCTIONS[name].format(block.expression)) for block in blocks]

    def _PolynomialFeatures(self, step, blocks):
        degree = step.degree
        if not isinstance(degree, (int, np.integer)) or degree < 1:
            raise Refused(f"PolynomialFeatures(degree={degree}) has no expression", "use one whole degree of 1 or more")
        whole = self.joined(blocks, "polynomial")
        one = [Block("1", 1, "bias")] if step.include_bias else []
        vector = whole.expression if whole.width > 1 or whole.expression.startswith("[") else f"[{whole.expression}]"
        only = ", 1" if step.interaction_only else ""
        return one + [Block(f"polynomial({vector}, {degree}{only})", step.n_output_features_ - len(one), "polynomial")]

    def _KBinsDiscretizer(self, step, blocks):
        numeric(blocks, "KBinsDiscretizer")
        made = []
        for block, edges in zip(self.scalars(blocks), step.bin_edges_):
            inner = edges[1:-1]
            place = f"bins({block.expression}, {numbers(inner)})" if len(inner) else f"0 * {wrapped(block.expression)}"
            if step.encode == "ordinal":
                made.append(replace(block, expression=place))
            else:
                made.append(Block(f"oneHot({place}, {len(edges) - 1})", len(edges) - 1, block.name))
        return made

    # Missing values

    def _SimpleImputer(self, step, blocks):
        columns = list(self.scalars(blocks))
        mark = step.missing_values
        seen = [marked(block, mark) for block in columns]
        made = []
        for block, value in zip(seen, step.statistics_):
            if passes(block, mark):
                made.append(block)
                continue
            if is_gone(value):
                if getattr(step, "keep_empty_features", False):
                    made.append(replace(block, expression=f"{wrapped(block.expression)} ?? 0"))
                continue  # A column that was empty in training is left out.
            default = text(str(value)) if block.text else number(value)
            made.append(replace(block, expression=f"{wrapped(block.expression)} ?? {default}"))
        return made + (self.indicators(seen, step.indicator_.features_) if step.add_indicator else [])

    def _MissingIndicator(self, step, blocks):
        mark = step.missing_values
        return self.indicators([marked(block, mark) for block in self.scalars(blocks)], step.features_)

    def indicators(self, columns, places):
        return [Block(f"missing({columns[k].expression})", 1, f"{columns[k].name}_missing") for k in places]


def numeric(blocks, what):
    for block in blocks:
        if block.text:
            raise Refused(f"the column {block.name} is text and goes to {what}", "encode it first")


def passes(block, mark):
    """Whether what is missing in a text is none of what an imputer looks for: None is not NaN to it."""
    return block.text and block.holes != "" and is_gone(mark) and (mark is None) != (block.holes == "none")


def marked(block, mark):
    if is_gone(mark):
        return block
    if block.text or isinstance(mark, str):
        raise Refused(f"missing_values={mark!r} for text has no expression", "make them null before the event is sent")
    return replace(block, expression=f"missingIf({block.expression}, {number(mark)})")


def places_of(columns, names):
    """A column selection of a ColumnTransformer as places."""
    if isinstance(columns, (str, int, np.integer)):
        columns = [columns]
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            first = 0 if columns.start is None else names.index(columns.start)
            last = len(names) - 1 if columns.stop is None else names.index(columns.stop)
            return list(range(first, last + 1))
        return list(range(len(names)))[columns]
    columns = list(columns)
    if columns and all(isinstance(column, (bool, np.bool_)) for column in columns):
        return [k for k, chosen in enumerate(columns) if chosen]
    return [names.index(column) if isinstance(column, str) else int(column) % len(names) for column in columns]
