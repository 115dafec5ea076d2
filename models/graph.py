"""The learned numbers and trees of one city as one ONNX graph, in single precision, that answers like `fit`."""

import json
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import fit


def trees_of(model) -> tuple[list, float]:
    """CatBoost's symmetric trees as (splits, leaf values), and the constant that is added to their sum."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "trees.json"
        model.save_model(str(path), format="json")
        dump = json.loads(path.read_text())
    scale, (bias,) = dump["scale_and_bias"]
    assert scale == 1
    assert all(f["nan_value_treatment"] in ("AsIs", "AsFalse") for f in dump["features_info"]["float_features"])
    trees = []
    for tree in dump["oblivious_trees"]:
        assert all(split["split_type"] == "FloatFeature" for split in tree["splits"] or [])
        splits = [(split["float_feature_index"], split["border"]) for split in tree["splits"] or []]
        trees.append((splits, tree["leaf_values"]))
    return trees, bias


def ensemble(models: list):
    """One tree ensemble with a target per threshold, and the constants of the targets; no node where no tree is.

    NaN fails `x > border`, which is CatBoost's rule for missing values here.
    """
    roots, features, borders, true_ids, false_ids, true_leaf, false_leaf, targets, weights = ([] for _ in range(9))

    def leaf(target, value):
        targets.append(target)
        weights.append(value)
        return len(targets) - 1

    def grow(target, splits, values, level, index):
        """A node on `level`, counted from the top: the last split of CatBoost is the highest bit of the leaf's number."""
        bit = len(splits) - 1 - level
        node = len(features)
        for column, value in zip((features, borders), splits[bit], strict=True):
            column.append(value)
        for column in (true_ids, false_ids, true_leaf, false_leaf):
            column.append(0)
        for ids, leaves, child in ((true_ids, true_leaf, index | 1 << bit), (false_ids, false_leaf, index)):
            leaves[node] = int(bit == 0)
            ids[node] = leaf(target, values[child]) if bit == 0 else grow(target, splits, values, level + 1, child)
        return node

    constants = []
    for target, model in enumerate(models):
        trees, constant = ([], 0.0) if model is None else trees_of(model)
        for splits, values in trees:
            if splits:
                roots.append(grow(target, splits, values, 0, 0))
            else:
                constant += values[0]
        constants.append(constant)
    if not roots:
        return None, constants
    single = lambda name, values: numpy_helper.from_array(np.array(values, dtype=np.float32), name)
    node = helper.make_node(
        "TreeEnsemble",
        ["features"],
        ["sums"],
        domain="ai.onnx.ml",
        n_targets=len(models),
        aggregate_function=1,  # sum
        post_transform=0,  # none
        tree_roots=roots,
        nodes_featureids=features,
        nodes_splits=single("splits", borders),
        nodes_modes=numpy_helper.from_array(np.full(len(features), 3, dtype=np.uint8), "modes"),  # greater than
        nodes_truenodeids=true_ids,
        nodes_falsenodeids=false_ids,
        nodes_trueleafs=true_leaf,
        nodes_falseleafs=false_leaf,
        leaf_targetids=targets,
        leaf_weights=single("weights", weights),
    )
    return node, constants


class Builder:
    """Nodes and constants of a graph; every method returns the name of a tensor of one row."""

    def __init__(self, names):
        self.names, self.nodes, self.constants, self.count = names, [], [], 0

    def constant(self, values, name=None, dtype=np.float32):
        name = name or self.fresh("c")
        self.constants.append(numpy_helper.from_array(np.array(values, dtype=dtype), name))
        return name

    def fresh(self, prefix="t"):
        self.count += 1
        return f"{prefix}{self.count}"

    def op(self, kind, *inputs, out=None, **attributes):
        out = out or self.fresh()
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def columns(self, names):
        places = self.constant([self.names.index(name) for name in names], dtype=np.int64)
        return self.op("Gather", "features", places, axis=1)

    def total(self, x):
        return self.op("ReduceSum", x, "last_axis", keepdims=1)

    def where_nan(self, x, instead):
        return self.op("Where", self.op("IsNaN", x), instead, x)

    def log(self, x, plus):
        return self.op("Log", self.op("Add", x, self.constant([[plus]])))


def location_and_scale(b: Builder, static: fit.Static, shape: fit.Shape):
    """`fit.terms` and the two linear forms: names of the centre plus location and of the clipped logarithm of the scale."""
    models, few = static.models, len(static.models) == 1
    zero, five = b.constant([[0.0]], "nought"), b.constant([[5.0]])
    base = b.op("Concat", b.constant([[1.0]]), b.columns(["season_sin", "season_cos"]), axis=1)
    stand_in = b.op("MatMul", base, b.constant(static.bias.T))
    bias = b.where_nan(b.columns([f"bias_{m}" for m in models]), stand_in)
    deviation = b.where_nan(b.columns([f"error_sd_{m}" for m in models]), b.constant([static.deviation]))
    deviation = b.op("Max", deviation, b.constant([[0.25]]))
    c = b.op("Add", b.columns([f"fcst_{m}" for m in models]), bias)
    missing = b.op("IsNaN", c)
    gap = lambda x: b.op("Where", missing, zero, x)
    weight = gap(b.op("Reciprocal", b.op("Mul", deviation, deviation)))
    centre = b.op("Div", b.total(b.op("Mul", weight, gap(c))), b.total(weight), out="centre")
    off = gap(b.op("Sub", c, centre))
    count = b.total(b.op("Cast", b.op("Not", missing), to=TensorProto.FLOAT))
    spread = b.log(b.op("Sqrt", b.op("Div", b.total(b.op("Mul", off, off)), count)), 1.0)
    error = b.op("Log", b.op("Div", b.total(gap(deviation)), count))
    lags = b.where_nan(b.columns([f"surprise_lag_{k}" for k in (1, 2, 3)]), zero)
    high = b.op("Sub", b.columns(["high_lag_1"]), centre)
    high = b.op("Div", b.where_nan(high, zero), five)
    change = b.op("Div", b.where_nan(b.columns(["high_delta_1"]), zero), five)
    mean_square = b.op("Div", b.total(b.op("Mul", lags, lags)), b.constant([[3.0]]))
    lagged = b.log(mean_square, 0.5)
    sine, cosine = b.columns(["season_sin"]), b.columns(["season_cos"])
    twice = b.op("Mul", b.op("Mul", sine, cosine), b.constant([[2.0]]))
    other = b.op("Sub", b.op("Mul", cosine, cosine), b.op("Mul", sine, sine))
    one = b.constant([[1.0]])
    if few:
        days = b.columns([f"error_days_{models[0]}"])
        fewness = b.op("Reciprocal", b.op("Sqrt", b.op("Add", b.where_nan(days, zero), one)))
        shrunk = b.op("Mul", bias, b.op("Mul", fewness, fewness))
        location = [one, shrunk, lags, high, change]
        scale = [one, error, lagged, b.op("Abs", high), fewness]
    else:
        location = [base, off, lags, high, change]
        scale = [base, twice, other, spread, error, lagged, b.op("Abs", high)]
    dot = lambda parts, weights: b.op("MatMul", b.op("Concat", *parts, axis=1), b.constant(weights[:, None]))
    mean = b.op("Add", centre, dot(location, shape.location), out="location")
    log_scale = b.op("Clip", dot(scale, shape.scale), b.constant(-3.0), b.constant(3.0), out="log_scale")
    return mean, log_scale


def build(names, static, shape, models, temperature, lowest) -> onnx.ModelProto:
    """The graph: row of features, relative to the anchor where so marked, to class probabilities."""
    count = len(models)
    b = Builder(names)
    b.constant([1], "last_axis", np.int64)
    mean, log_scale = location_and_scale(b, static, shape)
    borders = b.constant([[lowest + at + 0.5 for at in range(count)]], "borders")
    z = b.op("Mul", b.op("Sub", borders, mean), b.op("Exp", b.op("Neg", log_scale)))
    cubic = b.op("Mul", b.op("Mul", b.op("Mul", z, z), z), b.constant(-shape.c3))
    logit = b.op("Add", b.op("Mul", z, b.constant(-shape.c1)), cubic)
    logit = b.op("Clip", logit, b.constant(-fit.CLIP), b.constant(fit.CLIP))
    node, constants = ensemble(models)
    if node is not None:
        b.nodes.append(node)
        logit = b.op("Add", logit, b.op("Add", "sums", b.constant([constants])))
    logit = b.op("Mul", logit, b.constant(1 / temperature))
    logit = b.op("Clip", logit, b.constant(-fit.CLIP), b.constant(fit.CLIP))
    b.op("Sigmoid", logit, out="survival")
    # Running minimum from the left and running maximum from the right, as a reduction over a masked square.
    at, upto = np.meshgrid(np.arange(count), np.arange(count))
    before = b.op("Add", "survival", b.constant(np.where(at <= upto, 0, 2)))
    falling = b.op("ReduceMin", before, "last_axis", keepdims=0)
    after = b.op("Add", "survival", b.constant(np.where(at >= upto, 0, -2)))
    rising = b.op("ReduceMax", after, "last_axis", keepdims=0)
    half = b.constant(0.5, "half")
    curve = b.op("Reshape", b.op("Mul", b.op("Add", falling, rising), half), b.constant([1, count], dtype=np.int64))
    upper = b.op("Concat", b.constant([[1.0]]), curve, axis=1)
    lower = b.op("Concat", curve, b.constant([[0.0]]), axis=1)
    b.op("Sub", upper, lower, out="probabilities")
    model = helper.make_model(
        helper.make_graph(
            b.nodes,
            "isobar",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, len(names)])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, count + 1])],
            b.constants,
        ),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)],
        ir_version=10,
        producer_name="isobar models/train.py",
    )
    onnx.checker.check_model(model)
    return model


def quiet():
    """Session options without warnings about constants that were folded away."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return options


def run(session, rows: np.ndarray) -> np.ndarray:
    """The graph's answer, row by row as the host asks."""
    return np.concatenate([session.run(["probabilities"], {"features": row[None, :]})[0] for row in rows])
