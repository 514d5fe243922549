"""The last step of a fitted pipeline as ONNX, for from_sklearn.py: what it predicts, and what it must not be taken for."""

import contextlib
import re

import numpy as np
from from_sklearn_text import Refused, number, text

OPSET = {"": 17, "ai.onnx.ml": 3}
# Probabilities closer to each other than this are equal: in a tie scikit-learn takes the first class, float32 might take any.
TIE = 1e-6
# How many float32 steps must lie between thresholds that were chosen in float64.
STEPS_APART = 50


def to_onnx(model, width, features, pipeline, X):
    """The last step as ONNX, and its predictions: name -> (expression, Avro type, what scikit-learn says to X)."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.base import is_classifier, is_regressor

    kind = type(model).__name__
    if not is_classifier(model) and not is_regressor(model):
        raise Refused(f"the last step, {kind}, neither classifies nor regresses", "end the pipeline with a classifier or a regressor")
    if is_classifier(model) and not hasattr(model, "predict_proba"):
        raise Refused(f"{kind} gives no probabilities", "wrap it in CalibratedClassifierCV, or use a classifier with predict_proba")
    if getattr(model, "n_features_in_", width) != width:
        raise Refused(f"{kind} was fitted on {model.n_features_in_} columns, and the expressions make {width}", "report this, with the pipeline")
    rows = given_to_model(pipeline, X, width)
    refuse_gaps(kind, features, rows)
    refuse_narrow(model, features)
    values = output_width(model, pipeline, X)
    if is_classifier(model):
        refuse_contradiction(model, pipeline, X)
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    try:
        with plain_attributes():
            onnx = convert_sklearn(model, initial_types=[("features", FloatTensorType([None, width]))], options=options, target_opset=OPSET)
    except Exception as error:
        said = re.split(r" with name=|\n|\.(?:\s|$)", str(error))[0][:200]
        raise Refused(f"skl2onnx cannot convert {kind}: {said}", "use another model, or convert it with a tool of its own") from error
    refuse_otherwise(onnx, model, rows)
    output = onnx.graph.output[-1]
    for other in list(onnx.graph.output)[:-1]:
        onnx.graph.output.remove(other)
    while len(output.type.tensor_type.shape.dim) < 2:
        output.type.tensor_type.shape.dim.add()
    output.type.tensor_type.shape.dim[1].dim_value = values
    scores = output.name if re.fullmatch(r"[A-Za-z_]\w*", output.name) else f"output({text(output.name)})"
    if is_regressor(model):
        one = lambda answers: np.asarray(answers, float).reshape(len(answers), -1)
        if values == 1:
            return onnx, {"value": (f"{scores}[0]", "double", lambda p, X: one(p.predict(X))[:, 0])}
        return onnx, {"values": (scores, {"type": "array", "items": "double"}, lambda p, X: one(p.predict(X)))}
    return onnx, classes_of(model, scores)


def classes_of(model, scores):
    classes = [value.item() if hasattr(value, "item") else value for value in model.classes_]
    predictions = {}
    if len(classes) == 2:
        predictions["probability"] = (f"{scores}[1]", "double", lambda p, X: p.predict_proba(X)[:, 1])
    else:
        predictions["probabilities"] = (scores, {"type": "array", "items": "double"}, lambda p, X: p.predict_proba(X))
    best = f"argMax(round({scores} * {number(1 / TIE)}))"
    if all(isinstance(value, str) for value in classes):
        expression, avro = f"label({best}, [{', '.join(map(text, classes))}])", "string"
    elif classes == list(range(len(classes))):
        expression, avro = best, "int"
    else:
        expression = f"table({best}, [{', '.join(map(number, range(len(classes))))}], [{', '.join(map(number, classes))}])"
        avro = "double"
    predictions["class"] = (expression, avro, lambda p, X: p.predict(X))
    return predictions


def given_to_model(pipeline, X, width):
    """The model's input for records that scikit-learn accepts, as an array."""
    def transformed(part):
        made = pipeline[:-1].transform(part) if len(getattr(pipeline, "steps", [])) > 1 else part
        return np.asarray(made.todense() if hasattr(made, "todense") else made, dtype=float)

    try:
        return transformed(X)
    except ValueError:
        pass  # Some record is refused: those that are not, one by one.
    made = []
    for k in range(len(X)):
        try:
            made.append(transformed(X.iloc[k : k + 1] if hasattr(X, "iloc") else X[k : k + 1]))
        except ValueError:
            continue
    return np.concatenate(made) if made else np.empty((0, width))


def refuse_gaps(kind, features, rows):
    """Some models accept missing values; Sluice never passes one to a model."""
    gaps = ~np.isfinite(rows)
    if not gaps.any():
        return
    names = [block.name for block in features for _ in range(block.width)]
    where = ", ".join(dict.fromkeys(names[k] for k in np.flatnonzero(gaps.any(axis=0))))
    raise Refused(
        f"{int(gaps.any(axis=1).sum())} of {len(rows)} records reach {kind} with a missing or infinite value in {where}, and Sluice never gives a model one",
        "put SimpleImputer(add_indicator=True) before it, and fit again")


def refuse_otherwise(onnx, model, rows, sample=20):
    """Whether the converted model predicts what the fitted one does; converters have been silently wrong."""
    from onnx.reference import ReferenceEvaluator

    rows = rows[np.unique(np.linspace(0, len(rows) - 1, sample).astype(int))] if len(rows) else rows
    try:
        made = np.asarray(ReferenceEvaluator(onnx).run(None, {"features": rows.astype(np.float32)})[-1], dtype=float)
    except Exception:
        return  # An operator that the evaluator lacks: golden records tell.
    known = np.asarray(model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows), dtype=float)
    known = known.reshape(len(rows), -1)
    off = np.abs(made.reshape(known.shape) - known).max(axis=1) > 1e-3 * max(1.0, float(np.abs(known).max(initial=0)))
    # A value beside a threshold may fall on the other side in float32: that is one record, not many.
    if off.sum() > max(1, sample // 10):
        raise Refused(f"skl2onnx converts {type(model).__name__} to a model that predicts otherwise ({int(off.sum())} of {len(rows)} records)", "use another model, or other parameters of it")


def refuse_contradiction(model, pipeline, X):
    """SVC and models with a threshold of their own predict classes that differ from their probabilities."""
    try:
        probabilities, said = np.asarray(pipeline.predict_proba(X)), np.asarray(pipeline.predict(X))
    except Exception:
        return  # Records that scikit-learn refuses are told apart when golden records are made.
    if probabilities.ndim != 2:
        return
    best = np.asarray(model.classes_)[probabilities.argmax(axis=1)]
    first, second = np.sort(probabilities, axis=1)[:, :-3:-1].T
    if np.any((best != said) & (first - second > TIE)):
        raise Refused(
            f"{type(model).__name__} predicts other classes than its probabilities say ({np.count_nonzero(best != said)} of {len(said)} records)",
            "wrap a model without probabilities of its own in CalibratedClassifierCV, and choose thresholds in the bundle")


def refuse_narrow(model, features):
    """Trees of histograms compare in float64, the model's input is float32: bounds must lie apart in float32 too."""
    mapper = getattr(model, "_bin_mapper", None)
    if mapper is None:
        return
    names = [f"{block.name}[{k}]" if block.width > 1 else block.name for block in features for k in range(block.width)]
    for name, bounds in zip(names, mapper.bin_thresholds_):
        bounds = np.unique(np.asarray(bounds, float)[np.isfinite(bounds)])
        if len(bounds) > 1 and np.any(np.diff(bounds) < STEPS_APART * np.spacing(np.abs(bounds[1:]).astype(np.float32))):
            raise Refused(
                f"{type(model).__name__} tells values of {name} apart that are the same in float32, which the model's input is",
                "shift or scale the column first, for example by StandardScaler: a time in seconds needs more than seven digits")


@contextlib.contextmanager
def plain_attributes():
    """numpy's whole numbers and truth values, which protobuf may refuse beside Python's, as Python's."""
    from onnx import helper

    original = helper.make_attribute

    def make_attribute(key, value, *rest, **named):
        if isinstance(value, (list, tuple)):
            value = [int(one) if isinstance(one, (bool, np.bool_, np.integer)) else one for one in value]
        return original(key, value, *rest, **named)

    helper.make_attribute = make_attribute
    try:
        yield
    finally:
        helper.make_attribute = original


def output_width(model, pipeline, X):
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list):
        raise Refused(f"{type(model).__name__} predicts several outputs at once", "export a model an output")
    if classes is not None and len(classes) < 2:
        only = classes[0].item() if hasattr(classes[0], "item") else classes[0]
        raise Refused(f"{type(model).__name__} was fitted on one class, {only!r}, and predicts no other", "fit it on records of two classes or more")
    if classes is not None:
        return len(classes)
    for k in range(len(X)):
        try:
            return int(np.asarray(pipeline.predict(X.iloc[k : k + 1] if hasattr(X, "iloc") else X[k : k + 1])).reshape(1, -1).shape[1])
        except ValueError:
            continue  # A record that scikit-learn refuses says nothing about the width.
    raise Refused(f"{type(model).__name__} predicts nothing for any record of X", "give X as it was in training")
