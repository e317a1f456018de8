// The arithmetic: WebAssembly where the browser allows it, else the same in JavaScript, rounded the same way.
// Addresses are numbers of floats. Matrices lie in panels of 32 rows: panel, column, row in the panel.

const ROWS = 32;
const { fround, min, max } = Math;

const panelRows = (rows) => Math.ceil(rows / ROWS) * ROWS;

function makeKernel(module, floats) {
  try {
    return wasmKernel(module, floats);
  } catch {
    return plainKernel(floats);
  }
}

function wasmKernel(module, floats) {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * floats) / 65536) + 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } });
  return {
    name: "WebAssembly",
    heap: new Float32Array(memory.buffer),
    matvec: (matrix, vector, sums, columns, rows) =>
      exports.matvec(4 * matrix, 4 * vector, 4 * sums, columns, rows / ROWS),
    lstm: (gates, cell, hidden, size) => exports.lstm(4 * gates, 4 * cell, 4 * hidden, 4 * size),
    gru: (inputs, states, hidden, size) => exports.gru(4 * inputs, 4 * states, 4 * hidden, 4 * size),
    rnn: (sums, hidden, size) => exports.rnn(4 * sums, 4 * hidden, 4 * size),
  };
}

function plainKernel(floats) {
  const heap = new Float32Array(floats);
  return {
    name: "JavaScript",
    heap,
    matvec: (matrix, vector, sums, columns, rows) => matvec(heap, matrix, vector, sums, columns, rows),
    lstm(gates, cell, hidden, size) {
      for (let k = 0; k < size; k++) {
        const kept = fround(sigmoid(heap[gates + size + k]) * heap[cell + k]);
        const taken = fround(sigmoid(heap[gates + k]) * tanh(heap[gates + 2 * size + k]));
        heap[cell + k] = kept + taken;
        heap[hidden + k] = sigmoid(heap[gates + 3 * size + k]) * tanh(heap[cell + k]);
      }
    },
    gru(inputs, states, hidden, size) {
      for (let k = 0; k < size; k++) {
        const reset = sigmoid(fround(heap[inputs + k] + heap[states + k]));
        const inside = fround(reset * heap[states + 2 * size + k]);
        const candidate = tanh(fround(heap[inputs + 2 * size + k] + inside));
        const update = sigmoid(fround(heap[inputs + size + k] + heap[states + size + k]));
        heap[hidden + k] = candidate + fround(update * fround(heap[hidden + k] - candidate));
      }
    },
    rnn(sums, hidden, size) {
      for (let k = 0; k < size; k++) heap[hidden + k] = tanh(heap[sums + k]);
    },
  };
}

function matvec(heap, matrix, vector, sums, columns, rows) {
  for (let panel = 0; panel < rows; panel += ROWS, matrix += ROWS * columns) {
    for (let first = 0; first < ROWS; first += 8) {
      const at = sums + panel + first;
      let a = heap[at], b = heap[at + 1], c = heap[at + 2], d = heap[at + 3];
      let e = heap[at + 4], f = heap[at + 5], g = heap[at + 6], h = heap[at + 7];
      for (let k = 0, w = matrix + first; k < columns; k++, w += ROWS) {
        const x = heap[vector + k];
        a = fround(a + fround(heap[w] * x));
        b = fround(b + fround(heap[w + 1] * x));
        c = fround(c + fround(heap[w + 2] * x));
        d = fround(d + fround(heap[w + 3] * x));
        e = fround(e + fround(heap[w + 4] * x));
        f = fround(f + fround(heap[w + 5] * x));
        g = fround(g + fround(heap[w + 6] * x));
        h = fround(h + fround(heap[w + 7] * x));
      }
      heap[at] = a;
      heap[at + 1] = b;
      heap[at + 2] = c;
      heap[at + 3] = d;
      heap[at + 4] = e;
      heap[at + 5] = f;
      heap[at + 6] = g;
      heap[at + 7] = h;
    }
  }
}

// e^x = 2^n e^r with n = round(x / ln 2) and Taylor's series for e^r - 1.
const ROUNDING = 1.5 * 2 ** 23, PER_LN2 = fround(1 / Math.LN2);
const LN2_FIRST = 355 / 512, LN2_REST = fround(Math.LN2 - 355 / 512);
const SERIES = [5040, 720, 120, 24, 6, 2, 1].map((factorial) => fround(1 / factorial));
const POWERS = Float32Array.from({ length: 256 }, (_, n) => 2 ** (n - 127));

function growth(x, n) {
  const rest = fround(fround(x - fround(n * LN2_FIRST)) - fround(n * LN2_REST));
  let series = SERIES[0];
  for (let term = 1; term < SERIES.length; term++) series = fround(fround(series * rest) + SERIES[term]);
  return fround(series * rest);
}
const nearest = (x) => fround(fround(fround(x * PER_LN2) + ROUNDING) - ROUNDING);

function sigmoid(value) {
  const x = min(max(-value, -87), 87), n = nearest(x), power = POWERS[n + 127];
  return fround(1 / fround(fround(fround(power * growth(x, n)) + power) + 1));
}

function tanh(value) {
  const x = min(max(fround(value * 2), -20), 20), n = nearest(x), power = POWERS[n + 127];
  const t = fround(fround(power * growth(x, n)) + fround(power - 1));
  return fround(t / fround(t + 2));
}
