"""Encoders of categories as expressions, for from_sklearn_steps.py. Where an encoder would raise, the value is missing."""

import numpy as np
from from_sklearn_text import Block, Refused, is_gone, number, numbers, text


class Categories:
    def _OneHotEncoder(self, step, blocks):
        made = []
        columns = list(self.scalars(blocks))
        for j, (block, categories) in enumerate(zip(columns, step.categories_)):
            width = int(step._n_features_outs[j])
            places = [column_of(step, j, value, width) for value in categories]
            unknown = column_of_unknown(step, j, places, width)
            gone = next((place for value, place in zip(categories, places) if is_gone(value)), unknown)
            known = [(value, place) for value, place in zip(categories, places) if not is_gone(value)]
            x, listed = block.expression, keys_of(block, [value for value, _ in known])
            if not known:
                raise Refused(f"the column {block.name} was empty in training", "leave it out")
            if unknown == -1 and gone == -1 and [place for _, place in known] == list(range(width)):
                made.append(Block(f"oneHot({x}, {listed}) ?? 0", width, block.name))
                continue
            tail = "" if unknown is None else f", {unknown}"
            table = f"table({x}, {listed}, {numbers(place for _, place in known)}{tail})"
            made.append(Block(f"oneHot({table}{'' if gone is None else f' ?? {gone}'}, {width})", width, block.name))
        return made

    def _OrdinalEncoder(self, step, blocks):
        if getattr(step, "_infrequent_enabled", False):
            raise Refused("OrdinalEncoder gathers infrequent categories", "leave min_frequency and max_categories out")
        made = []
        for block, categories in zip(self.scalars(blocks), step.categories_):
            known = [value for value in categories if not is_gone(value)]
            places = [k for k, value in enumerate(categories) if not is_gone(value)]
            none = next((k for k, value in enumerate(categories) if value is None), None)
            gone = none if none is not None else step.encoded_missing_value if any(map(is_gone, categories)) else None
            unknown = step.unknown_value if step.handle_unknown == "use_encoded_value" and not is_gone(step.unknown_value) else None
            if gone is None:
                gone = unknown
            tail = "" if unknown is None else f", {number(unknown)}"
            x, listed = block.expression, keys_of(block, known)
            found = f"ordinal({x}, {listed}{tail})" if places == list(range(len(places))) else f"table({x}, {listed}, {numbers(places)}{tail})"
            made.append(Block(found if gone is None or is_gone(gone) else f"{found} ?? {number(gone)}", 1, block.name))
        return made

    def _TargetEncoder(self, step, blocks):
        if step.target_type_ == "multiclass":
            raise Refused("TargetEncoder of more than two classes has no expression", "use OneHotEncoder or OrdinalEncoder")
        made = []
        for block, categories, values in zip(self.scalars(blocks), step.categories_, step.encodings_):
            known = [(category, value) for category, value in zip(categories, values) if not is_gone(category)]
            gone = next((value for category, value in zip(categories, values) if is_gone(category)), step.target_mean_)
            listed = keys_of(block, [category for category, _ in known])
            found = f"table({block.expression}, {listed}, {numbers(value for _, value in known)}, {number(step.target_mean_)})"
            made.append(Block(f"{found} ?? {number(gone)}", 1, block.name))
        return made


def keys_of(block, values):
    if block.text:
        return f"[{', '.join(text(str(value)) for value in values)}]"
    if any(isinstance(value, str) for value in values):
        raise Refused(f"the column {block.name} has texts as categories, and none in X", "give X as it was in training")
    return numbers(values)


def column_of(encoder, j, value, width):
    """The column that the encoder itself sets for a category; -1 where it sets none (dropped)."""
    row = [categories[0] for categories in encoder.categories_]
    row[j] = value
    kinds = {categories.dtype.kind for categories in encoder.categories_}
    given = np.array([row], dtype=object if kinds - set("biuf") else float)
    made = encoder.transform(frame_of(encoder, given))
    made = np.asarray(made.todense() if hasattr(made, "todense") else made)[0]
    before = int(sum(encoder._n_features_outs[:j]))
    ones = np.flatnonzero(made[before : before + width])
    return int(ones[0]) if len(ones) else -1


def frame_of(encoder, given):
    if not hasattr(encoder, "feature_names_in_"):
        return given
    import pandas as pd

    return pd.DataFrame(given, columns=encoder.feature_names_in_)


def column_of_unknown(encoder, j, places, width):
    """-1: zeros; None: missing, because the encoder would raise."""
    if encoder.handle_unknown == "error":
        return None
    if encoder.handle_unknown in ("infrequent_if_exist", "warn") and getattr(encoder, "_infrequent_enabled", False):
        rare = encoder.infrequent_categories_[j]
        if rare is not None and len(rare):
            return places[list(encoder.categories_[j]).index(rare[0])]
    return -1
