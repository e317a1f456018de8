// What happens when: keys, buttons, the engine's answers. `window.charrnn` is for programs.

const SUGGESTIONS = 3, AHEAD = 56; // suggestions, and characters of one
const REVEAL = 4; // seconds that a written text takes to appear
const MAX_CONTEXT = 20_000; // symbols before the caret that are read again to continue
const UNSEEN = "Not in the vocabulary, skipped:";
const model = JSON.parse(el("model").textContent);

const { request } = connect(el("engine").textContent);
const { title, facts, labels, vocabulary, config, layout, label, wasm } = model;
const weights = [...document.querySelectorAll(".weights")].map((piece) => piece.textContent);
const ready = request("open", { model: { config, layout, vocabulary }, weights, wasm });
document.querySelectorAll(".weights").forEach((piece) => piece.remove());

const random = () => Math.floor(Math.random() * 2 ** 31);
const state = { suggestions: [], choice: 0, seed: random(), draw: 0, ghostOff: false, inside: false, pending: false, wordDue: false, colours: false, writing: null };
const say = (text) => (el("status").textContent = text);

// --- what the model would write ---

const editor = makeEditor({ area: el("text"), mirror: el("mirror") }, { onType, onMove, onPlace: placeBars });
const history = makeHistory({
  read: () => ({ text: editor.text, caret: editor.caret }),
  write: editor.restore,
  onChange: () => {
    el("undo").disabled = !history.canUndo;
    el("redo").disabled = !history.canRedo;
  },
});

function show() {
  editor.show(state.ghostOff || state.inside || editor.busy ? "" : state.suggestions[state.choice] ?? "");
  showSuggestions(state.suggestions, state.choice, choose);
}

// Ask what comes next here; `keep` is what the first suggestion begins with.
async function look(keep = "") {
  if (state.writing || editor.busy) return;
  const { label, sampling, seed = state.seed } = readSettings();
  const fresh = keep ? [keep] : [];
  const options = { text: editor.before, keep, suggestions: SUGGESTIONS, length: AHEAD, seed: seed + SUGGESTIONS * state.draw, settings: sampling, label };
  state.suggestions = fresh;
  state.choice = 0;
  show();
  state.pending = true;
  const looking = (state.looking = request("look", options, (piece) => {
    if (state.looking !== looking) return;
    if (piece.next) {
      nameUnseen(piece.unseen);
      return showBars(piece.next, take);
    }
    if (piece.index === 0 && keep) state.suggestions[0] = piece.text;
    else if (piece.text && !state.suggestions.includes(piece.text)) state.suggestions.push(piece.text);
    show();
    if (state.wordDue) takeWord();
  }));
  colour();
  await looking;
  if (state.looking !== looking) return;
  state.pending = false;
  announce();
}

function nameUnseen(symbols) {
  if (symbols.length) say(`${UNSEEN} ${visible(symbols.slice(0, 5).join(" "))}`);
  else if (el("status").textContent.startsWith(UNSEEN)) say("");
}

let announcing = 0;
function announce() {
  clearTimeout(announcing);
  announcing = setTimeout(() => (el("heard").textContent = editor.ghost ? `Suggestion: ${editor.ghost}` : ""), 900);
}

async function colour() {
  el("scale").hidden = !state.colours;
  if (!state.colours) return editor.colour(null);
  const text = editor.text, { label } = readSettings();
  const figures = await request("colour", { text, label });
  if (!figures || !state.colours || text !== editor.text) return;
  editor.colour(figures);
  if (figures.chars) say(`${figures.loss.toFixed(2)} nats per character (${(figures.loss / Math.LN2).toFixed(2)} bits)`);
}

// --- what the person does ---

// What is typed as the grey text has it leaves the rest of it in place.
function onType(inserted) {
  history.record("typing");
  state.wordDue = false;
  wake();
  state.draw = 0;
  const ghost = state.suggestions[state.choice] ?? "";
  look(inserted && ghost.startsWith(inserted) ? ghost.slice(inserted.length) : "");
  inView();
}

// Inside the text, grey text would cover what follows: it is shown only on request.
function onMove() {
  wake();
  state.inside = editor.caret < editor.text.length;
  state.draw = 0;
  look();
}

function wake() {
  state.ghostOff = state.inside = false;
}

// Put a text at the caret; the grey text that follows it stays.
function take(text, rest = "") {
  if (!text || state.writing) return;
  editor.insert(text);
  history.record("taken");
  look(rest);
  refocus();
  inView();
}

function takeWord() {
  if (state.inside || state.ghostOff) {
    wake();
    return show();
  }
  // Who is faster than the grey text gets its word as soon as it is there.
  state.wordDue = !editor.ghost && state.pending;
  const ghost = editor.ghost, word = firstWord(ghost);
  take(word, ghost.slice(word.length));
}

function another() {
  wake();
  state.draw++;
  look();
  refocus();
}

function choose(index, { accept = false } = {}) {
  if (!state.suggestions.length) return;
  state.choice = (index + state.suggestions.length) % state.suggestions.length;
  wake();
  show();
  announce();
  if (accept) take(state.suggestions[state.choice]);
}

// --- writing on ---

async function write() {
  if (state.writing) return stop();
  const { label, length, seed, stops, sampling } = readSettings();
  const keep = seed === undefined ? editor.ghost : "";
  const before = editor.before;
  const reveal = makeRevealer(Math.max(60, length / REVEAL), insert);
  state.suggestions = [];
  say("Generating …");
  el("write").classList.add("busy");
  el("write").firstElementChild.textContent = "Stop";
  const options = { text: before + keep, length: length - keep.length, seed: seed ?? random(), stops, settings: sampling, label, most: MAX_CONTEXT };
  show();
  const writing = (state.writing = { request: request("write", options, reveal.feed), reveal });
  editor.lock(true);
  reveal.feed(keep);
  const finish = await writing.request.catch(() => null);
  const chars = await reveal.end(finish === null);
  const stopped = finish === null || reveal.halted;
  state.writing = null;
  state.seed = random();
  state.draw = 0;
  editor.lock(false);
  history.record("written");
  el("write").classList.remove("busy");
  el("write").firstElementChild.textContent = "Continue";
  say(`${chars.toLocaleString("en")} characters${stopped ? ", stopped" : finish === "stop" ? ", up to the stop string" : ""}`);
  look();
  refocus();
}

// Back to the text; on a phone that would bring up its keyboard.
function refocus() {
  if (matchMedia("(hover: hover)").matches) editor.focus();
}

function insert(text) {
  editor.insert(text);
  editor.draw();
  inView();
}

function stop() {
  state.writing?.request.cancel();
  state.writing?.reveal.halt();
}

// --- the look of things ---

// The bars stand at the height of the caret, where there is room beside the text.
function placeBars(caret) {
  const next = el("next"), main = next.parentElement.getBoundingClientRect();
  const most = Math.min(main.height, el("tools").getBoundingClientRect().top - main.top) - next.offsetHeight;
  next.style.setProperty("--top", `${Math.max(0, Math.min(caret.top - main.top - 44, most))}px`);
  state.caret = caret;
}

// Keep the caret in sight, above the tools.
function inView() {
  const limit = el("tools").getBoundingClientRect().top - 24, below = state.caret.bottom - Math.min(limit, innerHeight - 24);
  if (below > 0) scrollBy(0, below);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(editor.text);
  } catch {
    el("text").select();
    document.execCommand("copy");
  }
  say("Copied");
}

function save() {
  const url = URL.createObjectURL(new Blob([editor.text], { type: "text/plain;charset=utf-8" }));
  element("a", { href: url, download: `${title.replace(/[^\p{L}\p{N} ._-]/gu, "_") || "text"}.txt` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say("Downloaded");
}

// --- keys and buttons ---

function hideSuggestion() {
  wake();
  state.ghostOff = true;
  show();
}

function press(event) {
  const command = event.ctrlKey || event.metaKey, key = event.key;
  const grey = editor.ghost || state.inside || (state.pending && !state.ghostOff);
  if (event.isComposing) return;
  const actions = [
    [key === "Enter" && command, write],
    [key === "Escape" && state.writing, stop],
    [key === "Escape" && grey, hideSuggestion],
    [key === "Tab" && event.shiftKey && grey, another],
    [key === "Tab" && !event.shiftKey && !command && !event.altKey && grey, takeWord],
    [key === "ArrowDown" && event.altKey, () => choose(state.choice + 1)],
    [key === "ArrowUp" && event.altKey, () => choose(state.choice - 1)],
    [key === "Enter" && event.altKey, () => choose(state.choice, { accept: true })],
    [command && !event.altKey && key.toLowerCase() === "z", event.shiftKey ? redo : undo],
    [command && !event.altKey && key.toLowerCase() === "y", redo],
  ];
  const action = actions.find(([holds]) => holds)?.[1];
  if (!action) return;
  event.preventDefault();
  action();
}

function undo() {
  if (state.writing) stop();
  else history.undo();
  state.draw = 0;
  look();
}

function redo() {
  if (!state.writing) history.redo();
  look();
}

el("text").addEventListener("keydown", press);
el("text").addEventListener("beforeinput", (event) => {
  const action = { historyUndo: undo, historyRedo: redo }[event.inputType];
  if (action) event.preventDefault();
  action?.();
});
el("suggestion-list").addEventListener("keydown", (event) => {
  const actions = {
    ArrowDown: () => choose(state.choice + 1),
    ArrowUp: () => choose(state.choice - 1),
    Enter: () => choose(state.choice, { accept: true }),
    " ": () => choose(state.choice, { accept: true }),
    Escape: editor.focus,
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
});
for (const [id, action] of Object.entries({ write, word: takeWord, another, undo, redo, copy, save })) {
  el(id).addEventListener("click", action);
}
el("surprise").addEventListener("click", () => {
  state.colours = !state.colours;
  el("surprise").setAttribute("aria-pressed", String(state.colours));
  if (!state.colours) say("");
  colour();
});
listenToSettings(() => {
  state.draw = 0;
  look();
});
nameKeys();
showModel({ title, facts, labels, label, vocabulary });

say("Loading the network …");

window.charrnn = makeInterface({ request, ready, labels, label, randomSeed: random });
ready.then(
  () => {
    document.body.dataset.ready = "yes";
    say("");
    look();
  },
  (error) => say(`The network cannot be loaded: ${error.message}`),
);
