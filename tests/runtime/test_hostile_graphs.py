"""ONNX files made to harm: what would take memory or time without end is refused before it is run."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pfld.runtime.backends import load_backend
from pfld.runtime.onnx_limits import require_harmless
from pfld.runtime.protobuf import MOST_FIELDS, Message
from pfld.weights.shipped import SHIPPED
from support.bad_weights import METADATA, graph
from support.bounds import bounded

MEMORY = 300 * 2**20  # bytes


@pytest.fixture(autouse=True)
def within_bounds():
    """Every test here ends in time, and takes little memory."""
    with bounded(MEMORY):
        yield


def constant(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def node(*arguments, **options):
    return helper.make_node(*arguments, **options)


def model_of(nodes=(), tensors=(), functions=(), domains=(), size=96):
    """A graph that finds landmarks, of ``column`` (N, 1, 2), and these nodes besides."""
    base = [
        node("ReduceMean", ["crops", "last"], ["mean"], keepdims=0),
        node("Unsqueeze", ["mean", "axes"], ["column"]),
        node("Mul", ["column", "factors"], ["landmarks"]),
    ]
    base_tensors = [
        constant("factors", np.ones((1, 98, 2), np.float32)),
        constant("axes", [1, 2]),
        constant("last", [1, 2, 3]),
    ]
    given = helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", 3, size, size])
    made = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["N", 98, 2])
    made_graph = helper.make_graph([*base, *nodes], "a", [given], [made], [*base_tensors, *tensors])
    model = helper.make_model(
        made_graph,
        opset_imports=[helper.make_opsetid("", 18), *(helper.make_opsetid(d, 1) for d in domains)],
        functions=functions,
        ir_version=10,
    )
    helper.set_model_props(model, METADATA.to_strings())
    return model


def body(*names):
    made = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    return helper.make_graph([node("Identity", ["column"], ["o"])], "b", [], [made])


def function_of(name, called):
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    twice = [node(called, ["x"], ["z"], domain="f"), node(called, ["z"], ["y"], domain="f")]
    return helper.make_function("f", name, ["x"], ["y"], twice, imports)


def doubled(operator, count, **options):
    """A map that is as large again after each node."""
    return [
        node(operator, [f"d{i}", f"d{i}"] if i else ["crops", "crops"], [f"d{i + 1}"], **options)
        for i in range(count)
    ]


LARGE = np.ones(20_000, np.float32)
KERNEL = constant("kernel", np.ones((20_000, 3, 1, 1), np.float32))
GRAPHS = {
    "range": [node("Range", ["zero", "many", "one"], ["x"])],
    "constant of shape": [node("ConstantOfShape", ["shape"], ["x"], value=constant("", [1.0]))],
    "expand": [node("Expand", ["column", "shape"], ["x"])],
    "tile": [node("Tile", ["column", "shape"], ["x"])],
    "pad": [node("Pad", ["crops", "shape"], ["x"])],
    "loop": [node("Loop", ["many", "", "column"], ["x"], body=body())],
    "if": [node("If", ["yes"], ["x"], then_branch=body(), else_branch=body())],
    "scan": [node("Scan", ["column"], ["x"], body=body(), num_scan_inputs=1)],
    "one hot": [node("OneHot", ["axes", "many", "two"], ["x"])],
    "eye": [node("EyeLike", ["outer"], ["x"])],
    "random": [node("RandomNormal", [], ["x"], shape=[40_000, 40_000])],
    "constant": [node("Constant", [], ["x"], value=constant("", np.zeros(3)))],
    "custom": [node("Own", ["column"], ["x"], domain="mine")],
    "another file": [
        node("EPContext", ["column"], ["x"], domain="com.microsoft", ep_cache_context="/etc/passwd")
    ],
    "branch in what is allowed": [node("Relu", ["column"], ["x"], body=body())],
    "tensor in what is allowed": [node("Relu", ["column"], ["x"], value=constant("", np.zeros(3)))],
    "text of numbers": [node("Cast", ["crops"], ["x"], to=TensorProto.STRING)],
    "many channels": [node("Conv", ["crops", "kernel"], ["x"])],
    "much padding": [node("Conv", ["crops", "small"], ["x"], pads=[30_000] * 4)],
    "negative padding": [node("Conv", ["crops", "small"], ["x"], pads=[-90] * 4)],
    "no steps": [node("Conv", ["crops", "small"], ["x"], strides=[0, 0])],
    "automatic padding": [node("Conv", ["crops", "small"], ["x"], auto_pad="SAME_UPPER")],
    "outer sum": [node("Add", ["row", "high"], ["x"])],
    "outer product": [node("MatMul", ["high", "row"], ["x"])],
    "outer product, transposed": [node("Gemm", ["row", "row"], ["x"], transA=1)],
    "enlarged": [node("Resize", ["crops", "", "", "sizes"], ["x"])],
    "enlarged by factors": [node("Resize", ["crops", "", "factors4"], ["x"])],
    "enlarged, its size computed": [node("Resize", ["crops", "", "", "computed"], ["x"])],
    "enlarged, not stretched": [
        node("Resize", ["crops", "", "", "sizes"], ["x"], keep_aspect_ratio_policy="not_smaller")
    ],
    "doubled": doubled("Concat", 40, axis=1),
    "doubled faces": doubled("Concat", 40, axis=0),
    "with itself": [
        node("Flatten", ["column"], ["flat"], axis=0),
        node("Reshape", ["column", "long"], ["tall"]),
        node("MatMul", ["tall", "flat"], ["x"]),
    ],
    "shape computed": [node("Reshape", ["column", "computed"], ["x"])],
    "split, parts computed": [node("Split", ["column", "computed"], ["x", "y"])],
    "chain": [node("Add", [f"c{i}" if i else "column", "one"], [f"c{i + 1}"]) for i in range(6000)],
    "many products": [
        node("Conv", ["crops" if i == 0 else f"e{i}", "wide" if i else "widen"], [f"e{i + 1}"])
        for i in range(30)
    ],
    "many maps": [node("Relu", ["crops"], [f"r{i}"]) for i in range(4000)],
    "circle": [node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"])],
    "made twice": [node("Relu", ["column"], ["landmarks"])],
    "made before": [node("Relu", ["column"], ["crops"])],
    "axis that is not there": [
        node("Concat", ["column"], ["x"], axis=1),
        node("Unsqueeze", ["column", "far"], ["y"]),
    ],
}
TENSORS = [
    constant("zero", 0.0),
    constant("one", np.float32(1)),
    constant("many", 10**12),
    constant("two", [0.0, 1.0]),
    constant("shape", [40_000, 40_000]),
    constant("yes", True),
    KERNEL,
    constant("small", np.ones((1, 3, 1, 1), np.float32)),
    constant("row", LARGE[None]),
    constant("high", LARGE[:, None]),
    constant("outer", np.ones((2, 2), np.float32)),
    constant("sizes", [1, 3, 100_000, 100_000]),
    constant("factors4", np.array([1, 1, 1000, 1000], np.float32)),
    constant("long", [-1, 1]),
    constant("computed0", [1]),
    constant("far", [9]),
    constant("widen", np.ones((90, 3, 1, 1), np.float32)),
    constant("wide", np.ones((90, 90, 5, 5), np.float32)),
]


@pytest.mark.parametrize("nodes", GRAPHS.values(), ids=GRAPHS.keys())
def test_what_exported_networks_do_not_do_is_refused(tmp_path, nodes):
    made = [] if any("computed" in n.input for n in nodes) is False else [
        node("Cast", ["computed0"], ["computed"], to=TensorProto.FLOAT)
    ]  # fmt: skip
    used = {name for n in (*made, *nodes) for name in n.input}
    tensors = [tensor for tensor in TENSORS if tensor.name in used]
    model = model_of(
        [*made, *nodes],
        tensors,
        domains=("mine", "com.microsoft")[: 2 * any(n.domain for n in nodes)],
    )
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="a.onnx is damaged or no ONNX file: ") as raised:
        load_backend(tmp_path / "a.onnx")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 1000


def test_the_graph_without_them_is_run(tmp_path):
    (tmp_path / "a.onnx").write_bytes(model_of().SerializeToString())
    assert load_backend(tmp_path / "a.onnx").predict(np.zeros((2, 96, 96, 3), np.uint8)).shape


@pytest.mark.parametrize("depth", [1, 12, 24])
def test_functions_are_refused(depth):
    functions = [function_of(f"F{i}", f"F{(i + 1) % depth}") for i in range(depth)]
    model = model_of([node("F0", ["column"], ["x"], domain="f")], (), functions, ["f"])
    with pytest.raises(ValueError, match="functions"):
        require_harmless(model.SerializeToString())


def declared(dims, **fields):
    tensor = TensorProto(name="x", dims=dims, data_type=TensorProto.FLOAT, **fields)
    return model_of([], [tensor])


def elsewhere(*entries, location=True):
    tensor = TensorProto(name="x", dims=[2], data_type=TensorProto.FLOAT)
    if location:
        tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries:
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return model_of([], [tensor])


def sparse():
    model = model_of()
    made = model.graph.sparse_initializer.add()
    made.dims.extend([10**9, 10**9])
    return model


MODELS = {
    "absolute": lambda: elsewhere(("location", "/etc/hostname")),
    "relative": lambda: elsewhere(("location", "../../etc/hostname")),
    "in memory": lambda: elsewhere(
        ("location", "*/_ORT_MEM_ADDR_/*"), ("offset", "4096"), ("length", "8")
    ),
    "without a place": lambda: elsewhere(("offset", "0")),
    "place alone": lambda: elsewhere(),
    "place of another kind": lambda: elsewhere(("location", "a"), location=False),
    "larger than the file": lambda: declared([10**6, 10**6]),
    "overflow": lambda: declared([2**62, 4]),
    "negative": lambda: declared([-1, -1]),
    "many of few": lambda: declared([5], raw_data=bytes(4)),
    "text": lambda: model_of(
        [], [TensorProto(name="x", dims=[1], data_type=8, string_data=[b"a"])]
    ),
    "sparse": sparse,
    "large crops": lambda: model_of(size=100_000),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_tensors_that_are_not_in_the_file_are_refused(tmp_path, make):
    (tmp_path / "a.onnx").write_bytes(make().SerializeToString())
    with pytest.raises(ValueError, match="a.onnx is damaged or no ONNX file: "):
        load_backend(tmp_path / "a.onnx")


def test_a_graph_in_two_parts_is_looked_at_as_one():
    """Readers join parts of a message, so what is harmless alone may not be together."""
    first, second = model_of(), onnx.ModelProto()
    second.graph.node.append(node("Loop", ["", "", "column"], ["x"], body=body()))
    with pytest.raises(ValueError, match="Loop"):
        require_harmless(first.SerializeToString() + second.SerializeToString())
    joined = onnx.ModelProto.FromString(first.SerializeToString() + second.SerializeToString())
    assert joined.graph.node[-1].op_type == "Loop"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.onnx")), ids=lambda path: path.name)
def test_shipped_networks_are_harmless(path):
    require_harmless(path.read_bytes())


# Messages


def test_fields_are_as_protobuf_has_them(tmp_path):
    graph(tmp_path / "a.onnx")
    data = (tmp_path / "a.onnx").read_bytes()
    expected, found = onnx.ModelProto.FromString(data), Message(data)
    assert found.integer(1) == expected.ir_version
    inner = found.message(7)
    assert [Message(part).text(4) for part in inner.parts(1)] == [
        node.op_type for node in expected.graph.node
    ]
    tensors = [Message(part) for part in inner.parts(5)]
    assert [tensor.integers(1) for tensor in tensors] == [
        list(t.dims) for t in expected.graph.initializer
    ]


@pytest.mark.parametrize("values", [[], [0], [1, 127, 128, 2**31], [-1, -(2**63), 2**63 - 1]])
def test_integers_and_floats_are_as_protobuf_has_them(values):
    tensor = TensorProto(dims=values, int64_data=values, float_data=[v % 1000 for v in values])
    found = Message(tensor.SerializeToString())
    assert found.integers(1) == values and found.integers(7) == values
    assert found.floats(4) == list(tensor.float_data)


@pytest.mark.parametrize(
    "data",
    [b"\x08", b"\x0a\x05abc", b"\x0b", b"\x08" + b"\xff" * 11, b"\xff" * 20, b"\x0a" + b"\xff" * 9 + b"\x01"],
    ids=["no value", "cut off", "group", "long", "noise", "endless"],
)  # fmt: skip
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ValueError, match="no message"):
        Message(data)


def test_a_message_of_too_many_fields_is_refused():
    Message(b"\x08\x01" * MOST_FIELDS)
    with pytest.raises(ValueError, match="more than"):
        Message(b"\x08\x01" * 5_000_000)
