// The page's side of the engine: requests with pieces on the way and a result at the end.

// In a worker made from the engine's own text; where that cannot be, in the page itself.
function connect(source) {
  let port, number = 0, alive = false;
  const waiting = new Map();

  function attach(to) {
    port = to;
    port.onmessage = ({ data }) => {
      const request = waiting.get(data.id);
      alive = true;
      if (!request) return;
      if ("piece" in data) return request.onPiece(data.piece);
      waiting.delete(data.id);
      if (data.error) request.reject(new Error(data.error));
      else request.resolve(data.cancelled ? null : data.result);
    };
    for (const request of waiting.values()) port.postMessage(request.message);
  }

  function here() {
    const { port1, port2 } = new MessageChannel();
    engine.serve(port1);
    attach(port2);
  }

  // A promise of the result, null if it was cancelled; `cancel()` asks for that.
  function request(kind, options = {}, onPiece = () => {}) {
    const id = ++number, message = { ...options, kind, id };
    const promise = new Promise((resolve, reject) => waiting.set(id, { message, onPiece, resolve, reject }));
    port.postMessage(message);
    promise.cancel = () => port.postMessage({ kind: "cancel", of: id });
    return promise;
  }

  try {
    const url = URL.createObjectURL(new Blob([source, "\nengine.serve(self);"], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onerror = (event) => {
      if (alive) return;
      event.preventDefault();
      worker.terminate();
      here();
    };
    attach(worker);
  } catch {
    here();
  }
  return { request };
}

// --- what the page offers to programs ---

// `ready` is the promise of the open network, `label` the one that is meant where none is named.
function makeInterface({ request, ready, labels, label, randomSeed }) {
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
