"""A model as an ONNX graph for other programs.

    ids     (T, B)      int64    symbols, numbered as in the vocabulary
    hidden  (L, B, H)   float32  what the network remembers, counted from its learned initial state: zeros begin a text
    cell    (L, B, H)   float32  the same of an LSTM's cells
    label   (B,)        int64    of a model with labels

    logits       (T + 1, B, V)   row t predicts ids[t]; the last row, the symbol that follows
    next_hidden  (L, B, H)       what to feed with the symbols that follow
    next_cell    (L, B, H)

Only standard operators: Add, Concat, Gather, LSTM, GRU, RNN, MatMul, OneHot, Split, Squeeze, Sub, Transpose. ONNX wants
the gates of an LSTM as i, o, f, g and those of a GRU as z, r, n. The metadata `charrnn` is the description that a model
file holds, vocabulary included.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from charrnn import __version__
from charrnn.errors import ModelFileError
from charrnn.inference.network.language import Floats
from charrnn.model.config import LabelledConfig, Tensors
from charrnn.model.file import METADATA_KEY
from charrnn.model.header import CLASSIFY, ModelHeader

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET, IR_VERSION = 17, 8  # old enough for programs of 2022
ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}  # of the gates, from PyTorch's to ONNX's
LARGEST = 2**31 - 2**20  # bytes that a file of protocol buffers can hold, less what is no weight
START = "relative to the learned initial state: zeros start a text"


def build_graph(header: ModelHeader, tensors: Tensors) -> "ModelProto":
    """The ONNX model of a language model.

    Raises:
        ModelFileError: if the package `onnx` is missing, the model is a classifier, or too large for ONNX.
    """
    try:
        import onnx
    except ImportError:
        raise ModelFileError("ONNX graphs need the package onnx; type: pip install onnx") from None
    if header.task == CLASSIFY:
        raise ModelFileError("this model is a classifier, which does not generate text; export a language model")
    if 4 * header.config.parameters > LARGEST:
        raise ModelFileError(f"an ONNX file is limited to 2 GB; this model has {header.config.parameters:,} weights")
    return _Builder(header, tensors, onnx).build()


class _Builder:
    """Collects nodes and constants."""

    def __init__(self, header: ModelHeader, tensors: Tensors, onnx: Any) -> None:
        self._header, self._config, self._tensors = header, header.config, tensors
        self._onnx = onnx
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._states = ["hidden", "cell"] if self._config.cell == "lstm" else ["hidden"]
        self._labelled = isinstance(self._config, LabelledConfig)

    def build(self) -> "ModelProto":
        """The whole model."""
        helper = self._onnx.helper
        starts = {state: self._make_initial_state(state) for state in self._states}
        before = {}
        for state in self._states:
            before[state] = self._split_layers(state, self._add_node("Add", [state, starts[state]]))
        below, after = self._make_inputs(), []
        for layer in range(self._config.layers):
            below, last = self._make_layer(layer, below, [before[state][layer] for state in self._states])
            after.append(last)
        top = self._add_node("Concat", [before["hidden"][-1], below], axis=0)
        decoder = self._add_constant("decoder.weight", self._tensors["decoder.weight"].T)
        scores = self._add_node("MatMul", [top, decoder])
        bias = self._add_constant("decoder.bias", self._tensors["decoder.bias"])
        self._add_node("Add", [scores, bias], output="logits")
        for k, state in enumerate(self._states):
            joined = self._add_node("Concat", [last[k] for last in after], axis=0)
            self._add_node("Sub", [joined, starts[state]], output=f"next_{state}")
        built = helper.make_graph(self._nodes, "charrnn", *self._make_signature(), self._constants)
        model: ModelProto = helper.make_model(
            built,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="charrnn",
            producer_version=__version__,
            doc_string=f"Row t of logits predicts ids[t]; the last row predicts the next symbol. States are {START}.",
        )
        helper.set_model_props(model, {METADATA_KEY: replace(self._header, precision="single").to_json()})
        return model

    def _make_signature(self) -> tuple[list[Any], list[Any]]:
        """Inputs and outputs."""
        types, value = self._onnx.TensorProto, self._onnx.helper.make_tensor_value_info
        state = (self._config.layers, "B", self._config.hidden_size)
        inputs = [value("ids", types.INT64, ("T", "B"))]
        inputs += [value(name, types.FLOAT, state, doc_string=START) for name in self._states]
        if self._labelled:
            inputs.append(value("label", types.INT64, ("B",)))
        outputs = [value("logits", types.FLOAT, ("T + 1", "B", self._config.vocab_size))]
        outputs += [value(f"next_{name}", types.FLOAT, state, doc_string=START) for name in self._states]
        return inputs, outputs

    def _add_node(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """A node with one output; the output's name."""
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _add_constant(self, name: str, values: NDArray[Any]) -> str:
        self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _make_initial_state(self, state: str) -> str:
        """The learned initial states, (L, 1, H) or of a label for each stream (L, B, H)."""
        name = f"initial_{state}"
        if not self._labelled:
            return self._add_constant(name, self._tensors[name][:, None])
        chosen = self._add_node("Gather", [self._add_constant(name, self._tensors[name]), "label"], axis=0)  # (B, L, H)
        return self._add_node("Transpose", [chosen], perm=[1, 0, 2])

    def _split_layers(self, state: str, joined: str) -> list[str]:
        """A state (L, B, H) as one of each layer, (1, B, H)."""
        names = [f"{state}_l{layer}" for layer in range(self._config.layers)]
        self._nodes.append(self._onnx.helper.make_node("Split", [joined], names, name=f"split_{state}", axis=0))
        return names

    def _make_inputs(self) -> str:
        """The first layer's inputs: embeddings (T, B, E), or one-hot vectors (T, B, V)."""
        if self._config.embedding_size:
            embedding = self._add_constant("embedding.weight", self._tensors["embedding.weight"])
            read = self._add_node("Gather", [embedding, "ids"], axis=0)
        else:
            depth = self._add_constant("depth", np.array([self._config.vocab_size]))
            values = self._add_constant("off_on", np.array([0.0, 1.0], np.float32))
            read = self._add_node("OneHot", ["ids", depth, values])
        if not self._labelled:
            return read
        label = self._add_constant("label.weight", self._tensors["label.weight"])
        return self._add_node("Add", [read, self._add_node("Gather", [label, "label"], axis=0)])

    def _make_layer(self, layer: int, below: str, states: list[str]) -> tuple[str, list[str]]:
        """A layer over (T, B, I), from its states (1, B, H): hidden states (T, B, H), and the states after."""
        weights = [
            self._add_constant(f"{name}_l{layer}", self._reorder(f"rnn.{name}_l{layer}")[None])
            for name in ("weight_ih", "weight_hh")
        ]
        biases = [self._reorder(f"rnn.{name}_l{layer}") for name in ("bias_ih", "bias_hh")]
        bias = self._add_constant(f"bias_l{layer}", np.concatenate(biases)[None])
        outputs = [f"outputs_l{layer}", *(f"last_{state}_l{layer}" for state in self._states)]
        cell = self._config.cell
        inside = {"linear_before_reset": 1} if cell == "gru" else {}
        node = self._onnx.helper.make_node(
            cell.upper(),
            [below, *weights, bias, "", *states],
            outputs,
            name=f"{cell}_l{layer}",
            hidden_size=self._config.hidden_size,
            **inside,
        )
        self._nodes.append(node)
        direction = self._add_axis()
        return self._add_node("Squeeze", [outputs[0], direction]), outputs[1:]

    def _add_axis(self) -> str:
        """The axis of directions, of which there is one."""
        if not any(constant.name == "direction" for constant in self._constants):
            self._add_constant("direction", np.array([1]))
        return "direction"

    def _reorder(self, name: str) -> Floats:
        """A tensor of gates in ONNX's order."""
        gates = np.split(self._tensors[name], self._config.gates)
        return np.concatenate([gates[gate] for gate in ORDER[self._config.cell]])
