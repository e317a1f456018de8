// What the page asks of the model: read a text, continue it, predict the next symbols, score it.

const MARK = 64; // symbols between states that are kept
const AHEAD = 1000; // unread symbols that a look ahead reads at most
const SHOWN = 8; // likeliest symbols
const LINE = 24; // characters: a suggestion at least this long ends at its line's end

class Engine {
  constructor(model, bytes, wasm) {
    this.vocabulary = makeVocabulary(model.vocabulary);
    this.network = new Network(model.config, unpackTensors(model.layout, bytes), wasm);
    this.forget();
  }

  // Write and read in the style of a label.
  choose(label = 0) {
    if (label === this.network.label) return;
    this.network.choose(label);
    this.forget();
  }

  // Drop what is known of the text that was read last: its ids, their surprise as far as it was asked for, and states.
  forget() {
    this.ids = [];
    this.nats = [];
    this.marks = [this.network.initial];
  }

  step(id) {
    if (id === this.vocabulary.end) this.network.restart();
    else this.network.step(id);
  }

  // Ids as the network reads them: unknown symbols are read as the one that stands for them, or passed over.
  readable(ids) {
    const { unknown } = this.vocabulary;
    return unknown >= 0 ? ids.map((id) => (id < 0 ? unknown : id)) : ids.filter((id) => id >= 0);
  }

  // Read a text from its beginning, or go on from where it is like the one before; `scored`: with all surprises.
  async read(ids, { scored = false, most = Infinity, pause }) {
    let same = 0;
    while (same < ids.length && same < this.ids.length && ids[same] === this.ids[same]) same++;
    const mark = Math.floor(Math.min(same, scored ? this.nats.length : same) / MARK);
    if (ids.length - mark * MARK > most) return this.skim(ids.slice(-most), pause);
    this.network.load(this.marks[mark]);
    for (let at = mark * MARK; at < ids.length; at++) {
      if (at >= same && at < this.ids.length && ids[at] !== this.ids[at]) this.cut(at);
      if (scored && at >= this.nats.length) this.nats.push(surprise(this.network.logits(), ids[at]));
      this.step(ids[at]);
      if (at === this.ids.length) this.ids.push(ids[at]);
      if ((at + 1) % MARK === 0) this.marks[(at + 1) / MARK] ??= this.network.save();
      await pause();
    }
  }

  // Read the end of a long text only.
  async skim(ids, pause) {
    this.network.restart();
    for (const id of ids) {
      this.step(id);
      await pause();
    }
  }

  // The text differs from here on.
  cut(at) {
    this.ids.length = at;
    this.nats.length = Math.min(this.nats.length, at);
    this.marks.length = Math.min(this.marks.length, Math.floor(at / MARK) + 1);
  }

  // Read what stands before a text, but for the beginning of a word at its end, which is to be completed.
  async open(text, options) {
    const unfinished = this.vocabulary.findUnfinished(text), before = text.slice(0, text.length - unfinished.length);
    const { ids, ends } = this.vocabulary.encode(before);
    await this.read(this.readable(ids), options);
    const unseen = new Set(ids.flatMap((id, k) => (id < 0 ? [before.slice(ends[k - 1] ?? 0, ends[k])] : [])));
    return { unfinished, unseen: [...unseen] };
  }

  // A weight for each symbol that may follow; all of them begin with what is unfinished.
  weights(settings, unfinished) {
    const { unknown, pieces } = this.vocabulary;
    const allowed = unfinished ? (id) => id !== unknown && pieces[id].startsWith(unfinished) : (id) => id !== unknown;
    return weightsOf(this.network.logits(), settings, allowed);
  }

  // Symbols, one after the other, as [text, characters]; the network is where they lead.
  *symbols(settings, seed, unfinished) {
    const uniform = generator(seed), decoder = this.vocabulary.decoder();
    for (let first = unfinished; ; first = "") {
      const id = draw(this.weights(settings, first), uniform());
      this.step(id);
      yield [decoder.push(id).slice(first.length), this.vocabulary.lengths[id] - [...first].length];
    }
  }

  // Write on from a text; `emit` receives it piece by piece. Ends with "length" or "stop".
  async write({ text = "", length = 1000, seed = 0, stops = [], settings = {}, most }, { emit, pause }) {
    const { unfinished } = await this.open(text, { pause, most });
    const stop = stopFinder(stops);
    let left = length;
    if (left <= 0) return "length";
    for (const [piece, chars] of this.symbols(settings, seed, unfinished)) {
      left -= chars;
      emit(stop.feed(piece));
      if (stop.stopped) return "stop";
      if (left <= 0) break;
      await pause();
    }
    emit(stop.flush());
    return "length";
  }

  // The likeliest symbols that follow, and several suggestions, each sent as soon as it is complete.
  async look({ text, keep = "", suggestions = 3, length = 64, seed = 0, settings = {} }, { emit, pause }) {
    const { unfinished, unseen } = await this.open(text, { pause, most: AHEAD });
    const here = this.network.save();
    emit({ next: this.likeliest(this.weights(settings, unfinished), unfinished), unseen });
    for (let index = 0; index < suggestions; index++) {
      this.network.load(here);
      const prefix = index === 0 ? keep : "";
      const written = await this.suggest(unfinished, prefix, { length, seed: seed + index, settings }, pause);
      emit({ index, text: written });
    }
  }

  // One suggestion: to the end of a line, or of the last word that fits.
  async suggest(unfinished, prefix, { length, seed, settings }, pause) {
    let text = prefix;
    if (prefix) for (const id of this.readable(this.vocabulary.encode(unfinished + prefix).ids)) this.step(id);
    for (const [piece] of this.symbols(settings, seed, prefix ? "" : unfinished)) {
      if (text.length >= length || (text.length >= LINE && text.endsWith("\n"))) break;
      text += piece;
      await pause();
    }
    if (text.endsWith("\n")) return text;
    const word = text.slice(prefix.length).search(/\s\S*$/);
    return word > 0 ? text.slice(0, prefix.length + word) : text;
  }

  likeliest(weights, unfinished) {
    const { pieces, end, tokens } = this.vocabulary, sum = sumOf(weights), best = [];
    for (let id = 0; id < weights.length; id++) {
      if (best.length === SHOWN && weights[id] <= best[SHOWN - 1].weight) continue;
      if (weights[id] > 0) best.push({ id, weight: weights[id] });
      best.sort((one, other) => other.weight - one.weight);
      best.length = Math.min(best.length, SHOWN);
    }
    return best.map(({ id, weight }) => ({
      text: id === end ? "\n" : pieces[id].slice(unfinished.length),
      byte: tokens === "byte" && pieces[id] > "\x7f" ? pieces[id].codePointAt(0) : null,
      share: weight / sum,
    }));
  }

  // The mean surprise of a text in nats per character, and that of each symbol, NaN where it has none.
  async score({ text }, { pause }) {
    const { unknown, lengths } = this.vocabulary, { ids, ends } = this.vocabulary.encode(text);
    await this.read(this.readable(ids), { scored: true, pause });
    const nats = new Float32Array(ids.length).fill(NaN);
    let sum = 0, chars = 0, missing = 0, at = 0;
    ids.forEach((id, k) => {
      const known = id >= 0 && id !== unknown;
      if (known) {
        nats[k] = this.nats[at];
        sum += this.nats[at];
        chars += lengths[id];
      } else missing++;
      if (id >= 0 || unknown >= 0) at++;
    });
    return { loss: sum / chars, chars, unknown: missing, nats, ends: Uint32Array.from(ends) };
  }
}

// Passes text on until one of `stops` is complete; keeps back what may begin one.
function stopFinder(stops) {
  const texts = stops.filter(Boolean);
  let rest = "";
  const finder = {
    stopped: false,
    feed(piece) {
      const text = rest + piece;
      const matches = texts.map((stop) => ({ at: text.indexOf(stop), size: stop.length })).filter(({ at }) => at >= 0);
      if (matches.length) {
        // The stop that was complete first ends the text; of two complete at once, the one that began first.
        matches.sort((one, other) => one.at + one.size - other.at - other.size || one.at - other.at);
        finder.stopped = true;
        return text.slice(0, matches[0].at);
      }
      let size = Math.min(text.length, Math.max(0, ...texts.map((stop) => stop.length - 1)));
      while (size && !texts.some((stop) => stop.startsWith(text.slice(-size)))) size--;
      rest = size ? text.slice(-size) : "";
      return size ? text.slice(0, -size) : text;
    },
    flush: () => rest,
  };
  return finder;
}

// --- the worker's side: one request at a time, answered in pieces ---

const BURST_MS = 12; // work before other messages are heard

class Cancelled extends Error {}

// Let messages that wait come in.
const breathe = (() => {
  const { port1, port2 } = new MessageChannel(), waiting = [];
  port1.onmessage = () => waiting.shift()();
  return () => new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(null);
  });
})();

function fromBase64(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = binary.charCodeAt(k);
  return bytes;
}

async function unzip(pieces) {
  const stream = new Blob(pieces.map(fromBase64)).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function serve(port) {
  const queue = [];
  let engine, current = null;

  // A look ahead makes those before it pointless, and comes before the colours.
  const pointless = (task) => task.kind === "look" || task.kind === "colour";

  port.onmessage = ({ data }) => {
    if (data.kind === "cancel" || data.kind === "look") {
      for (const task of [current, ...queue]) {
        if (task && (data.kind === "look" ? pointless(task) : task.id === data.of)) task.cancelled = true;
      }
    }
    if (data.kind === "cancel") return;
    queue.push({ ...data, cancelled: false });
    if (!current) work();
  };

  async function work() {
    while ((current = queue.shift())) {
      const { id } = current;
      try {
        port.postMessage({ id, result: (await perform(current)) ?? null });
      } catch (error) {
        port.postMessage(error instanceof Cancelled ? { id, result: null, cancelled: true } : { id, error: String(error) });
      }
    }
  }

  async function perform(task) {
    if (task.cancelled) throw new Cancelled();
    if (task.kind === "open") {
      engine = new Engine(task.model, await unzip(task.weights), task.wasm && fromBase64(task.wasm));
      return engine.network.kernel.name;
    }
    engine.choose(task.label);
    let pieces = "", deadline = performance.now() + BURST_MS;
    const send = () => {
      if (pieces) port.postMessage({ id: task.id, piece: pieces });
      pieces = "";
    };
    const pause = () => (performance.now() < deadline ? undefined : rest());
    const rest = async () => {
      send();
      await breathe();
      if (task.cancelled) throw new Cancelled();
      deadline = performance.now() + BURST_MS;
    };
    const emit = (piece) => {
      if (typeof piece === "string") pieces += piece;
      else port.postMessage({ id: task.id, piece });
    };
    const result = await engine[task.kind === "colour" ? "score" : task.kind](task, { emit, pause });
    send();
    return result;
  }
}
