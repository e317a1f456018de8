// The network, one symbol at a time. Gates stand in PyTorch's order: LSTM i, f, g, o; GRU r, z, n.

const GATES = { lstm: 4, gru: 3, rnn: 1 };
const LARGE_TABLE = 2 ** 22; // numbers: larger tables of an embedding's products are not made

// Every tensor of the file as a function of its name. `bytes` are all low bytes of the halves, then all high ones.
function unpackTensors(layout, bytes) {
  const places = new Map(), half = bytes.length / 2, floats = halves();
  let at = 0;
  for (const [name, size, exponent] of layout) {
    places.set(name, { at, size, exponent });
    at += size;
  }
  return (name) => {
    const { at, size, exponent } = places.get(name), scale = 2 ** exponent;
    const values = new Float32Array(size);
    for (let k = 0; k < size; k++) values[k] = floats[bytes[at + k] | (bytes[half + at + k] << 8)] * scale;
    return values;
  };
}

// The value of each half by its bits.
function halves() {
  const values = new Float32Array(2 ** 16);
  for (let bits = 0; bits < 2 ** 16; bits++) {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    values[bits] = bits & 2 ** 15 ? -size : size;
  }
  return values;
}

class Network {
  // `wasm` is the kernel's module, null for plain JavaScript.
  constructor(config, tensors, wasm) {
    const { cell, layers, hidden, embedding, vocab } = config;
    this.config = config;
    this.tensors = tensors;
    this.size = Math.ceil(hidden / 4) * 4; // of a state, with its padding
    this.rows = panelRows(GATES[cell] * this.size);
    this.scores = panelRows(vocab);
    this.tabled = !embedding || vocab * this.rows <= LARGE_TABLE;
    const kinds = cell === "lstm" ? 2 : 1, fed = this.rows * (embedding || 0);
    const floats = layers * (kinds * this.size + 2 * this.rows * (hidden + 1)) + 2 * this.rows +
      this.scores * (hidden + 2) + fed + embedding;
    this.kernel = wasm ? makeKernel(wasm, floats) : plainKernel(floats);
    this.heap = this.kernel.heap;
    this.used = 0;
    this.state = this.take(layers * kinds * this.size);
    this.stateSize = layers * kinds * this.size;
    this.gates = this.take(this.rows);
    this.inner = this.take(this.rows);
    this.layers = Array.from({ length: layers }, (_, layer) => this.layer(layer, kinds));
    this.decoder = this.panels("decoder.weight", vocab, hidden, this.scores, (row) => row);
    this.decoderBias = this.take(this.scores);
    this.heap.set(tensors("decoder.bias"), this.decoderBias);
    this.logitsAt = this.take(this.scores);
    this.logitsView = this.heap.subarray(this.logitsAt, this.logitsAt + vocab);
    this.input();
    this.choose(0);
  }

  take(floats) {
    this.used += floats;
    return this.used - floats;
  }

  // Where row `row` of a matrix of gates lies, with each gate padded.
  gateRow(row) {
    const { hidden } = this.config;
    return Math.floor(row / hidden) * this.size + (row % hidden);
  }

  // A matrix (rows, columns) in panels, padded to `padded` rows.
  panels(name, rows, columns, padded, place) {
    const values = this.tensors(name), at = this.take(padded * columns), heap = this.heap;
    for (let row = 0; row < rows; row++) {
      const to = place(row), first = at + (to >> 5) * 32 * columns + (to & 31);
      for (let column = 0; column < columns; column++) heap[first + 32 * column] = values[row * columns + column];
    }
    return at;
  }

  gatePanels(name, columns) {
    const { cell, hidden } = this.config;
    return this.panels(name, GATES[cell] * hidden, columns, this.rows, (row) => this.gateRow(row));
  }

  layer(layer, kinds) {
    const { cell, hidden } = this.config, rows = GATES[cell] * hidden;
    const input = this.tensors(`rnn.bias_ih_l${layer}`), own = this.tensors(`rnn.bias_hh_l${layer}`);
    const bias = this.take(this.rows), inside = cell === "gru" ? this.take(this.rows) : 0;
    for (let row = 0; row < rows; row++) {
      // The GRU's b_hn stays inside the product with the reset gate.
      const apart = cell === "gru" && row >= 2 * hidden;
      this.heap[bias + this.gateRow(row)] = input[row] + (apart ? 0 : own[row]);
      if (apart) this.heap[inside + this.gateRow(row)] = own[row];
    }
    return {
      bias,
      inside,
      hidden: this.state + layer * kinds * this.size,
      cell: this.state + layer * kinds * this.size + this.size,
      recurrent: this.gatePanels(`rnn.weight_hh_l${layer}`, hidden),
      input: layer ? this.gatePanels(`rnn.weight_ih_l${layer}`, hidden) : 0,
    };
  }

  // The first layer's products with every symbol as a table (V, rows); of a large embedding, what makes one of them.
  input() {
    const { cell, hidden, embedding, vocab } = this.config, { rows, heap } = this;
    const table = this.tabled ? new Float32Array(vocab * rows) : null;
    if (embedding) {
      this.embedding = this.tensors("embedding.weight");
      this.fed = this.take(embedding);
      this.inputPanels = this.gatePanels("rnn.weight_ih_l0", embedding);
      for (let id = 0; table && id < vocab; id++) {
        heap.fill(0, this.gates, this.gates + rows);
        this.feed(id);
        table.set(heap.subarray(this.gates, this.gates + rows), id * rows);
      }
    } else {
      const weight = this.tensors("rnn.weight_ih_l0");
      for (let row = 0; row < GATES[cell] * hidden; row++) {
        for (let id = 0; id < vocab; id++) table[id * rows + this.gateRow(row)] = weight[row * vocab + id];
      }
    }
    this.table = table;
  }

  // Add a symbol's product to the gates.
  feed(id) {
    const { heap, gates, rows } = this, width = this.config.embedding;
    if (this.table) {
      const first = id * rows;
      for (let row = 0; row < rows; row++) heap[gates + row] += this.table[first + row];
      return;
    }
    heap.set(this.embedding.subarray(id * width, (id + 1) * width), this.fed);
    this.kernel.matvec(this.inputPanels, this.fed, gates, width, rows);
  }

  // Read and write in the style of a label from now on; a model without labels has label 0 only.
  choose(label) {
    const { cell, layers, hidden, embedding, vocab, classes } = this.config, kinds = cell === "lstm" ? 2 : 1;
    const initial = { hidden: this.tensors("initial_hidden"), cell: kinds > 1 && this.tensors("initial_cell") };
    this.label = label;
    this.initial = new Float32Array(this.stateSize);
    for (let layer = 0; layer < layers; layer++) {
      const from = (classes ? label * layers + layer : layer) * hidden, to = layer * kinds * this.size;
      this.initial.set(initial.hidden.subarray(from, from + hidden), to);
      if (kinds > 1) this.initial.set(initial.cell.subarray(from, from + hidden), to + this.size);
    }
    this.firstBias = this.heap.slice(this.layers[0].bias, this.layers[0].bias + this.rows);
    if (classes) this.addLabel(embedding || vocab);
    this.restart();
  }

  // A label's vector is added to every input, so its product is part of the first layer's bias.
  addLabel(width) {
    const { cell, hidden } = this.config;
    const vector = this.tensors("label.weight").subarray(this.label * width, (this.label + 1) * width);
    const weight = this.tensors("rnn.weight_ih_l0");
    for (let row = 0; row < GATES[cell] * hidden; row++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += weight[row * width + k] * vector[k];
      this.firstBias[this.gateRow(row)] += sum;
    }
  }

  // Go back to the learned initial state.
  restart() {
    this.load(this.initial);
  }

  save() {
    return this.heap.slice(this.state, this.state + this.stateSize);
  }

  load(state) {
    this.heap.set(state, this.state);
  }

  // Read one symbol.
  step(id) {
    const { kernel, heap, gates, inner, rows, size } = this, { cell, hidden } = this.config;
    this.layers.forEach((layer, k) => {
      if (k) {
        heap.copyWithin(gates, layer.bias, layer.bias + rows);
        kernel.matvec(layer.input, this.layers[k - 1].hidden, gates, hidden, rows);
      } else {
        heap.set(this.firstBias, gates);
        this.feed(id);
      }
      if (cell === "gru") heap.copyWithin(inner, layer.inside, layer.inside + rows);
      kernel.matvec(layer.recurrent, layer.hidden, cell === "gru" ? inner : gates, hidden, rows);
      if (cell === "lstm") kernel.lstm(gates, layer.cell, layer.hidden, size);
      else if (cell === "gru") kernel.gru(gates, inner, layer.hidden, size);
      else kernel.rnn(gates, layer.hidden, size);
    });
  }

  // Scores (V) of the symbol that follows; overwritten by the next call.
  logits() {
    const { heap, scores, decoderBias } = this;
    heap.copyWithin(this.logitsAt, decoderBias, decoderBias + scores);
    this.kernel.matvec(this.decoder, this.layers.at(-1).hidden, this.logitsAt, this.config.hidden, scores);
    return this.logitsView;
  }
}
