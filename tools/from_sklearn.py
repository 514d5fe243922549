"""Turns a fitted scikit-learn pipeline into a bundle that Sluice runs, without copying constants by hand.

    python tools/from_sklearn.py pipeline.joblib records.csv --name churn --out .

or, where the pipeline was fitted:

    from from_sklearn import export
    export(pipeline, X, name="churn", out=".")

writes models/churn/1 (bundle.yaml: the preprocessing as expressions with the fitted constants; model.onnx: the last step, by skl2onnx;
golden.jsonl: records of X and what the pipeline predicts for them), schemas/churn.avsc and churn-prediction.avsc, churn.yaml, a
topology that maps the predictions to an output, and churn.events.jsonl, the same records as events. Then: sluice check churn.yaml

Needs numpy, scikit-learn and skl2onnx; pandas where the pipeline was fitted on a DataFrame. A transformer that has no expression is
refused by name. joblib.load runs whatever the file says: open only pipelines of your own.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np

from from_sklearn_model import to_onnx
from from_sklearn_steps import Writer
from from_sklearn_text import Block, Refused, is_gone, text

TOLERANCE = 1e-5


def export(pipeline, X, name, out=".", version=1, id=None, golden=50):
    """Writes bundle, schemas and topology below `out`; returns the bundle's folder.

    `X` is what the pipeline was fitted on, or records like it: types and golden records are taken from it, a column
    without missing values is promised to have none. `id` names a column of X that is passed on; it is a feature only
    where the pipeline was fitted with it."""
    refuse_at_once(pipeline, X, name, str(version))
    fields = fields_of(X, pipeline, id)
    writer = Writer()
    features = [Block(f"event.{field.name}", 1, field.name, field.text, field.holes) for field in fields if field.is_feature]
    steps, model = split(pipeline)
    for step in steps:
        features = writer.convert(step, features)
    for block in features:
        if block.text:
            raise Refused(f"the column {block.name} reaches the model as text", "encode it with OneHotEncoder or OrdinalEncoder")
    width = sum(block.width for block in features)
    given = X[[field.column for field in fields if field.is_feature]] if hasattr(X, "iloc") else X
    onnx, predictions = to_onnx(model, width, features, pipeline, given)
    refuse_same_name(fields, predictions)

    folder = Path(out) / "models" / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(onnx.SerializeToString())
    lines = [f"# Made by from_sklearn.py from a fitted {type(pipeline).__name__}: {described(pipeline)}.", f"bundle: {name}", f"version: {version}", "model: model.onnx"]
    if writer.lets:
        lines += ["let:"] + [f"  {let}: {yaml(expression)}" for let, expression in writer.lets]
    lines += ["inputs:", "  features:"] + [f"    {line}: {yaml(block.expression)}" for line, block in named(features)]
    lines += ["prediction:"] + [f"  {key}: {yaml(expression)}" for key, (expression, _, _) in predictions.items()]
    lines += ["golden: golden.jsonl"]
    (folder / "bundle.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    records = write_golden(folder / "golden.jsonl", X, fields, pipeline, predictions, golden)
    (Path(out) / f"{name}.events.jsonl").write_text("".join(records), encoding="utf-8")
    write_topology(Path(out), name, fields, predictions)
    return folder


def refuse_at_once(pipeline, X, name, version):
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    for what, written in (("name", name), ("version", version)):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", written):
            raise Refused(f"{written!r} is no {what} of a bundle", "use letters, digits, . _ - (at most 100)")
    if not hasattr(pipeline, "fit"):
        raise Refused(f"a {type(pipeline).__name__} is no pipeline of scikit-learn", "give what joblib.dump made of the fitted Pipeline")
    try:
        check_is_fitted(pipeline)
    except NotFittedError as error:
        raise Refused(f"the {type(pipeline).__name__} is not fitted", "call fit before dump or export") from error
    if len(X) == 0:
        raise Refused("there are no records", "give some of those of the training: types and golden records are taken from them")


class Field:
    """A column of X, and its Avro type as a field of the event."""

    def __init__(self, column, name, kind, gone, is_id, is_feature):
        self.column, self.name, self.kind, self.is_id, self.is_feature = column, name, kind, is_id, is_feature
        self.nullable = len(gone) > 0
        self.text = kind == "string"
        # Text transformers distinguish None from NaN; an event has one null for both.
        self.holes = "none" if any(value is None for value in gone) else "nan" if gone else ""
        if self.text and self.holes == "none" and not all(value is None for value in gone):
            raise Refused(f"the column {column} has None here and NaN there, which scikit-learn takes for different values", "make it one of both before fitting")


def fields_of(X, pipeline, id):
    columns = list(X.columns) if hasattr(X, "columns") else [f"x{k}" for k in range(np.shape(X)[1])]
    if id is not None and id not in columns:
        raise Refused(f"X has no column {id} for the id", f"name one of {', '.join(map(str, columns))}")
    expected = getattr(pipeline, "feature_names_in_", None)
    fitted_with_id = expected is not None and id in expected
    if expected is not None:
        absent = [column for column in expected if column not in columns]
        if absent:
            raise Refused(f"X lacks the column {absent[0]}, which the pipeline was fitted on", "give X as it was in training")
        columns = [*expected] + [column for column in columns if column == id and not fitted_with_id]
    fields = []
    for k, column in enumerate(columns):
        values = values_of(X, column, k)
        present = [value for value in values if not is_gone(value)]
        kind = kind_of(present, column == id)
        if kind != "string" and any(isinstance(value, str) for value in present):
            raise Refused(f"the column {column} holds texts and numbers", "make it all texts before fitting")
        strange = next((value for value in present if not isinstance(value, (str, int, float, np.number, np.bool_))), None)
        if strange is not None:
            raise Refused(f"the column {column} holds values of type {type(strange).__name__}", "make them numbers, such as milliseconds since 1970, or texts before fitting; or leave the column out of X")
        safe = re.sub(r"\W", "_", str(column), flags=re.ASCII)
        safe = f"_{safe}" if not safe or safe[0].isdigit() else safe
        if any(field.name == safe for field in fields):
            raise Refused(f"two columns would be the field {safe}", "rename one")
        gone = [value for value in values if is_gone(value)]
        fields.append(Field(column, safe, kind, gone, column == id, column != id or fitted_with_id))
    return fields


def kind_of(values, is_id):
    """What senders of such values write. Numbers are double, whatever training had; an id of whole numbers is one, lest digits get lost."""
    every = lambda *kinds: bool(values) and all(isinstance(value, kinds) for value in values)
    if every(str):
        return "string"
    if every(bool, np.bool_):
        return "boolean"
    return "long" if is_id and every(int, np.integer) else "double"


def values_of(X, column, k):
    return list(X[column]) if hasattr(X, "columns") else [row[k] for row in X]


def split(pipeline):
    """(transformers, model)"""
    if not hasattr(pipeline, "steps"):
        return [], pipeline
    *before, (_, model) = pipeline.steps
    return [step for _, step in before], model


def described(pipeline):
    return " → ".join(type(step).__name__ for _, step in getattr(pipeline, "steps", [("", pipeline)]))


def named(blocks):
    """Every line gets a name of its own."""
    seen = {}
    for block in blocks:
        seen[block.name] = seen.get(block.name, 0) + 1
        yield (block.name if seen[block.name] == 1 else f"{block.name}_{seen[block.name]}"), block


def yaml(expression):
    plain = re.fullmatch(r"[A-Za-z(][^#\n]*", expression) and ": " not in expression and " :" not in expression
    return expression if plain else "'" + expression.replace("'", "''") + "'"


def write_golden(path, X, fields, pipeline, predictions, count):
    """Records spread over X, and of those the ones with missing values first: they are where serving and training part.
    Returns them as lines of events."""
    total = len(X)
    holes = [k for k in range(total) if any(is_gone(v) for v in record_of(X, fields, k).values())]
    chosen = sorted({*holes[: count // 2], *np.linspace(0, total - 1, min(count, total)).astype(int).tolist()})[:count]
    sample = X.iloc[chosen] if hasattr(X, "iloc") else np.asarray(X, object)[chosen]
    given = sample[[field.column for field in fields if field.is_feature]] if hasattr(X, "iloc") else sample
    answers = {name: ask(pipeline, given) for name, (_, _, ask) in predictions.items()}
    spread = max([0.0, *(float(np.std(np.asarray(values, float), axis=0).max()) for values in answers.values() if np.asarray(values).dtype.kind == "f")])
    events = []
    with path.open("w", encoding="utf-8") as file:
        for row, k in enumerate(chosen):
            expected = {name: plain(values[row]) for name, values in answers.items()}
            values = record_of(X, fields, k)
            record = {field.name: bool(values[field.name]) if field.kind == "boolean" and not is_gone(values[field.name]) else plain(values[field.name]) for field in fields}
            line = {"event": record, "features": {}, "expected": expected, "tolerance": tolerance_of(expected, spread)}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            events.append(json.dumps(record, ensure_ascii=False) + "\n")
    return events


def tolerance_of(expected, spread):
    """float32 has seven digits, so what may be off grows with the number, and with those that it is a sum of."""
    sizes = [spread, *(abs(one) for value in expected.values() for one in (value if isinstance(value, list) else [value]) if isinstance(one, (int, float)))]
    return TOLERANCE * max([1.0, *sizes])


def record_of(X, fields, k):
    frame = hasattr(X, "iloc")
    return {field.name: (X[field.column].iloc[k] if frame else X[k][j]) for j, field in enumerate(fields)}


def plain(value):
    """As JSON has it."""
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value]
    if is_gone(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, bool) else value


def refuse_same_name(fields, predictions):
    for field in fields:
        if field.is_id and field.name in predictions:
            raise Refused(f"the id {field.column} has the name of a prediction", "rename the column")


def write_topology(out, name, fields, predictions):
    def avro(kind, nullable):
        return {"type": ["null", kind], "default": None} if nullable else {"type": kind}

    schema = lambda title, rows: json.dumps({"type": "record", "name": title, "fields": rows}, indent=2, ensure_ascii=False) + "\n"
    title = re.sub(r"\W", "_", name, flags=re.ASCII)
    passed = [field for field in fields if field.is_id]
    (out / "schemas").mkdir(parents=True, exist_ok=True)
    (out / "schemas" / f"{name}.avsc").write_text(
        schema(f"{title}_event", [{"name": field.name, **avro(field.kind, field.nullable)} for field in fields]), encoding="utf-8")
    results = [{"name": key, "type": kind} for key, (_, kind, _) in predictions.items()]
    (out / "schemas" / f"{name}-prediction.avsc").write_text(
        schema(f"{title}_prediction", [{"name": field.name, **avro(field.kind, field.nullable)} for field in passed] + results), encoding="utf-8")
    mapping = [f"{field.name}: event.{field.name}" for field in passed] + [f"{key}: prediction.{key}" for key in predictions]
    (out / f"{name}.yaml").write_text(f"""# Made by from_sklearn.py: topics and names are suggestions, the rest fits the bundle.
topology: {name}
connections:
  kafka: {{ brokers: "${{KAFKA_BROKERS:-localhost:9092}}" }}
source:
  topics: [{name}.events]
  group: {name}
  from: earliest
  value: {{ json: schemas/{name}.avsc }}
model:
  bundle: models/{name}
flow:
  latencyBudget: 50ms
output:
  topic: {name}.predictions
  value: {{ json: schemas/{name}-prediction.avsc }}
  fields: {{ {", ".join(mapping)} }}
deadLetter: {{ topic: {name}.dead-letter }}
""", encoding="utf-8")


def opened(read, path, wanted):
    try:
        return read(path)
    except FileNotFoundError as error:
        raise Refused(f"there is no file {path}", f"give {wanted}") from error
    except Exception as error:
        raise Refused(f"{path} cannot be read ({type(error).__name__}: {error})", f"give {wanted}") from error


def main():
    parser = argparse.ArgumentParser(description="A fitted scikit-learn pipeline as a bundle.", epilog="Example: python tools/from_sklearn.py churn.joblib customers.csv --name churn --id customer")
    parser.add_argument("pipeline", help="file of joblib.dump; only one of your own")
    parser.add_argument("records", help="records as in training, without the target: .csv, .parquet or .jsonl")
    parser.add_argument("--name", required=True, help="name of bundle and topology")
    parser.add_argument("--out", default=".", help="folder for models/, schemas/ and the topology (.)")
    parser.add_argument("--version", default=1, help="name of the bundle's folder (1)")
    parser.add_argument("--id", help="column that is passed on; a feature only where the pipeline was fitted with it")
    given = parser.parse_args()
    import joblib
    import pandas as pd

    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".jsonl": lambda path: pd.read_json(path, lines=True)}
    try:
        suffix = Path(given.records).suffix
        if suffix not in read:
            raise Refused(f"{given.records} is none of {', '.join(read)}", "convert it")
        records = opened(read[suffix], given.records, "records as .csv, .parquet or .jsonl")
        pipeline = opened(joblib.load, given.pipeline, "what joblib.dump made of a fitted pipeline, with the scikit-learn that fitted it")
        folder = export(pipeline, records, given.name, given.out, given.version, given.id)
    except Refused as refused:
        print(f"from_sklearn: {refused}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"from_sklearn: cannot write {error.filename}: {error.strerror}; give --out a folder that this user may write", file=sys.stderr)
        return 1
    topology, events = (Path(given.out) / f"{given.name}{end}" for end in (".yaml", ".events.jsonl"))
    print(f"{folder} and {topology}; next: sluice check {topology}, then sluice dev {topology} --events {events}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
