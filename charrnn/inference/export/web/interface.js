// What the page offers to programs.

// `ready` is the promise of the open network, `label` the one that is meant where none is named.
export function makeInterface({ request, ready, labels, label, randomSeed }) {
  function indexOf(name) {
    const index = name === undefined ? label : labels.indexOf(name);
    if (index < 0) throw new Error(`there is no label ${JSON.stringify(name)}`);
    return index;
  }

  // The text that follows `prime`, without it; `length` counts characters.
  async function generate({ prime = "", length = 1000, seed = randomSeed(), stop = [], label: name, ...settings } = {}) {
    await ready;
    const pieces = [], { temperature = 0.8, topK, topP, minP } = settings;
    const options = { text: prime, length, seed, stops: [stop].flat(), label: indexOf(name) };
    await request("write", { ...options, settings: { temperature, topK, topP, minP } }, (piece) => pieces.push(piece));
    return pieces.join("");
  }

  // The mean surprise in nats per character.
  async function score(text, { label: name } = {}) {
    await ready;
    const { loss, chars, unknown } = await request("score", { text, label: indexOf(name) });
    return { loss, chars, unknown };
  }

  return { ready: ready.then(() => undefined), generate, score, labels };
}
