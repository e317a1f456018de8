// The worker's side: requests come in by a port, one is worked on at a time, answers go back in pieces.

import { Engine } from "./engine.js";

const BURST = 12; // milliseconds of work before other messages are heard

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

export function serve(port) {
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
    let pieces = "", deadline = performance.now() + BURST;
    const send = () => {
      if (pieces) port.postMessage({ id: task.id, piece: pieces });
      pieces = "";
    };
    const pause = () => (performance.now() < deadline ? undefined : rest());
    const rest = async () => {
      send();
      await breathe();
      if (task.cancelled) throw new Cancelled();
      deadline = performance.now() + BURST;
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
