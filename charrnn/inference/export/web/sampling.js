// From scores to a drawn symbol: temperature, top-k, top-p, min-p, draw, in this order.

const LEAST_TEMPERATURE = 1e-4;

// Uniform numbers of [0, 1): xoshiro128** (Blackman and Vigna 2018), its state filled by splitmix32.
function generator(seed) {
  let state = (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1);
  const fill = () => {
    state = (state + 0x9e3779b9) | 0;
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  };
  let a = fill(), b = fill(), c = fill(), d = fill();
  const rotate = (word, places) => (word << places) | (word >>> (32 - places));
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0, shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
  return () => (next() * 2 ** 21 + (next() >>> 11)) * 2 ** -53;
}

// What is drawn from: a weight for each symbol; `allowed(id)` tells which may be written at all.
function weightsOf(logits, { temperature = 1, topK = 0, topP = 1, minP = 0 }, allowed) {
  const weights = new Float64Array(logits.length);
  let top = -Infinity;
  for (let id = 0; id < logits.length; id++) if (logits[id] > top && allowed(id)) top = logits[id];
  const greedy = temperature < LEAST_TEMPERATURE;
  for (let id = 0, taken = false; id < logits.length; id++) {
    if (!allowed(id)) continue;
    if (!greedy) weights[id] = Math.exp((logits[id] - top) / temperature);
    else if (!taken && logits[id] === top) weights[id] = taken = 1;
  }
  if (greedy) return weights;
  if (topK > 0 && topK < weights.length) dropBelow(weights, sortDown(weights)[topK - 1]);
  if (topP > 0 && topP < 1) dropBelow(weights, leastOfShare(sortDown(weights), topP));
  if (minP > 0) dropBelow(weights, minP);
  return weights;
}

// From the largest to the smallest.
const sortDown = (weights) => weights.slice().sort().reverse();

function dropBelow(weights, least) {
  for (let id = 0; id < weights.length; id++) if (weights[id] < least) weights[id] = 0;
}

// The smallest of the largest weights that together reach a share of all.
function leastOfShare(weights, share) {
  const wanted = sumOf(weights) * share * (1 - 1e-9);
  let sum = 0;
  return weights.find((weight) => (sum += weight) > wanted) ?? 0;
}

function sumOf(weights) {
  let sum = 0;
  for (const weight of weights) sum += weight;
  return sum;
}

// The symbol at which the cumulative weights pass a uniform share of their sum.
function draw(weights, uniform) {
  const wanted = uniform * sumOf(weights);
  let sum = 0, last = 0;
  for (let id = 0; id < weights.length; id++) {
    if (!weights[id]) continue;
    sum += weights[id];
    last = id;
    if (sum > wanted) break;
  }
  return last;
}

// -ln p of a symbol, in nats, at temperature 1.
function surprise(logits, id) {
  let top = -Infinity, sum = 0;
  for (const score of logits) if (score > top) top = score;
  for (const score of logits) sum += Math.exp(score - top);
  return top + Math.log(sum) - logits[id];
}
