// What happens when: keys, buttons, the engine's answers. `window.charrnn` is for programs.

import { connect } from "./client.js";
import { listenToSettings, nameKeys, readSettings, showBars, showModel, showWays } from "./controls.js";
import { el, element } from "./dom.js";
import { makeHistory } from "./history.js";
import { makeInterface } from "./interface.js";
import { firstWord, visible } from "./marks.js";
import { makeRevealer } from "./reveal.js";
import { makeSheet } from "./sheet.js";

const WAYS = 3, AHEAD = 56; // suggestions, and characters of one
const REVEAL = 4; // seconds that a written text takes to appear
const MOST = 20_000; // symbols before the caret that are read anew to write on
const UNSEEN = "Not in the vocabulary, skipped:";
const model = JSON.parse(el("model").textContent);

const { request } = connect(el("engine").textContent);
const { title, facts, labels, vocabulary, config, layout, label, wasm } = model;
const weights = [...document.querySelectorAll(".weights")].map((piece) => piece.textContent);
const ready = request("open", { model: { config, layout, vocabulary }, weights, wasm });
document.querySelectorAll(".weights").forEach((piece) => piece.remove());

const random = () => Math.floor(Math.random() * 2 ** 31);
const now = { ways: [], choice: 0, seed: random(), draw: 0, ghostOff: false, inside: false, pending: false, wordDue: false, colours: false, writing: null };
const say = (text) => (el("status").textContent = text);

// --- what the model would write ---

const sheet = makeSheet({ area: el("text"), mirror: el("mirror") }, { onType, onMove, onPlace: placeBars });
const history = makeHistory({
  read: () => ({ text: sheet.text, caret: sheet.caret }),
  write: sheet.restore,
  onChange: () => {
    el("undo").disabled = !history.canUndo;
    el("redo").disabled = !history.canRedo;
  },
});

function show() {
  sheet.show(now.ghostOff || now.inside || sheet.busy ? "" : now.ways[now.choice] ?? "");
  showWays(now.ways, now.choice, choose);
}

// Ask what comes next here; `keep` is what the first way begins with.
async function look(keep = "") {
  if (now.writing || sheet.busy) return;
  const { label, sampling, seed = now.seed } = readSettings();
  const fresh = keep ? [keep] : [];
  const options = { text: sheet.before, keep, ways: WAYS, length: AHEAD, seed: seed + WAYS * now.draw, settings: sampling, label };
  now.ways = fresh;
  now.choice = 0;
  show();
  now.pending = true;
  const looking = (now.looking = request("look", options, (piece) => {
    if (now.looking !== looking) return;
    if (piece.next) {
      nameUnseen(piece.unseen);
      return showBars(piece.next, take);
    }
    if (piece.way === 0 && keep) now.ways[0] = piece.text;
    else if (piece.text && !now.ways.includes(piece.text)) now.ways.push(piece.text);
    show();
    if (now.wordDue) takeWord();
  }));
  colour();
  await looking;
  if (now.looking !== looking) return;
  now.pending = false;
  announce();
}

function nameUnseen(symbols) {
  if (symbols.length) say(`${UNSEEN} ${visible(symbols.slice(0, 5).join(" "))}`);
  else if (el("status").textContent.startsWith(UNSEEN)) say("");
}

let announcing = 0;
function announce() {
  clearTimeout(announcing);
  announcing = setTimeout(() => (el("heard").textContent = sheet.ghost ? `Suggestion: ${sheet.ghost}` : ""), 900);
}

async function colour() {
  el("scale").hidden = !now.colours;
  if (!now.colours) return sheet.colour(null);
  const text = sheet.text, { label } = readSettings();
  const figures = await request("colour", { text, label });
  if (!figures || !now.colours || text !== sheet.text) return;
  sheet.colour(figures);
  if (figures.chars) say(`${figures.loss.toFixed(2)} nats per character (${(figures.loss / Math.LN2).toFixed(2)} bits)`);
}

// --- what the person does ---

// What is typed as the grey text has it leaves the rest of it in place.
function onType(inserted) {
  history.record("typing");
  now.wordDue = false;
  wake();
  now.draw = 0;
  const ghost = now.ways[now.choice] ?? "";
  look(inserted && ghost.startsWith(inserted) ? ghost.slice(inserted.length) : "");
  inView();
}

// A caret that is set into the text covers none of it: the grey text comes when it is options for.
function onMove() {
  wake();
  now.inside = sheet.caret < sheet.text.length;
  now.draw = 0;
  look();
}

function wake() {
  now.ghostOff = now.inside = false;
}

// Put a text at the caret; the grey text that follows it stays.
function take(text, rest = "") {
  if (!text || now.writing) return;
  sheet.insert(text);
  history.record("taken");
  look(rest);
  refocus();
  inView();
}

function takeWord() {
  if (now.inside || now.ghostOff) {
    wake();
    return show();
  }
  // Who is faster than the grey text gets its word as soon as it is there.
  now.wordDue = !sheet.ghost && now.pending;
  const ghost = sheet.ghost, word = firstWord(ghost);
  take(word, ghost.slice(word.length));
}

function another() {
  wake();
  now.draw++;
  look();
  refocus();
}

function choose(way, { taken = false, take: whole = taken } = {}) {
  if (!now.ways.length) return;
  now.choice = (way + now.ways.length) % now.ways.length;
  wake();
  show();
  announce();
  if (whole) take(now.ways[now.choice]);
}

// --- writing on ---

async function write() {
  if (now.writing) return stop();
  const { label, length, seed, stops, sampling } = readSettings();
  const keep = seed === undefined ? sheet.ghost : "";
  const before = sheet.before;
  const reveal = makeRevealer(Math.max(60, length / REVEAL), insert);
  now.ways = [];
  say("Generating …");
  el("write").classList.add("busy");
  el("write").firstElementChild.textContent = "Stop";
  const options = { text: before + keep, length: length - keep.length, seed: seed ?? random(), stops, settings: sampling, label, most: MOST };
  show();
  const writing = (now.writing = { request: request("write", options, reveal.feed), reveal });
  sheet.lock(true);
  reveal.feed(keep);
  const finish = await writing.request.catch(() => null);
  const chars = await reveal.end(finish === null);
  const stopped = finish === null || reveal.halted;
  now.writing = null;
  now.seed = random();
  now.draw = 0;
  sheet.lock(false);
  history.record("written");
  el("write").classList.remove("busy");
  el("write").firstElementChild.textContent = "Continue";
  say(`${chars.toLocaleString("en")} characters${stopped ? ", stopped" : finish === "stop" ? ", up to the stop string" : ""}`);
  look();
  refocus();
}

// Back to the text; on a phone that would bring up its keyboard.
function refocus() {
  if (matchMedia("(hover: hover)").matches) sheet.focus();
}

function insert(text) {
  sheet.insert(text);
  sheet.draw();
  inView();
}

function stop() {
  now.writing?.request.cancel();
  now.writing?.reveal.halt();
}

// --- the look of things ---

// The bars stand at the height of the caret, where there is room beside the text.
function placeBars(caret) {
  const next = el("next"), main = next.parentElement.getBoundingClientRect();
  const most = Math.min(main.height, el("tools").getBoundingClientRect().top - main.top) - next.offsetHeight;
  next.style.setProperty("--top", `${Math.max(0, Math.min(caret.top - main.top - 44, most))}px`);
  now.caret = caret;
}

// Keep the caret in sight, above the tools.
function inView() {
  const limit = el("tools").getBoundingClientRect().top - 24, below = now.caret.bottom - Math.min(limit, innerHeight - 24);
  if (below > 0) scrollBy(0, below);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(sheet.text);
  } catch {
    el("text").select();
    document.execCommand("copy");
  }
  say("Copied");
}

function save() {
  const url = URL.createObjectURL(new Blob([sheet.text], { type: "text/plain;charset=utf-8" }));
  element("a", { href: url, download: `${title.replace(/[^\p{L}\p{N} ._-]/gu, "_") || "text"}.txt` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say("Downloaded");
}

// --- keys and buttons ---

function hush() {
  wake();
  now.ghostOff = true;
  show();
}

function press(event) {
  const command = event.ctrlKey || event.metaKey, key = event.key;
  const grey = sheet.ghost || now.inside || (now.pending && !now.ghostOff);
  if (event.isComposing) return;
  const actions = [
    [key === "Enter" && command, write],
    [key === "Escape" && now.writing, stop],
    [key === "Escape" && grey, hush],
    [key === "Tab" && event.shiftKey && grey, another],
    [key === "Tab" && !event.shiftKey && !command && !event.altKey && grey, takeWord],
    [key === "ArrowDown" && event.altKey, () => choose(now.choice + 1)],
    [key === "ArrowUp" && event.altKey, () => choose(now.choice - 1)],
    [key === "Enter" && event.altKey, () => choose(now.choice, { take: true })],
    [command && !event.altKey && key.toLowerCase() === "z", event.shiftKey ? redo : undo],
    [command && !event.altKey && key.toLowerCase() === "y", redo],
  ];
  const action = actions.find(([holds]) => holds)?.[1];
  if (!action) return;
  event.preventDefault();
  action();
}

function undo() {
  if (now.writing) stop();
  else history.undo();
  now.draw = 0;
  look();
}

function redo() {
  if (!now.writing) history.redo();
  look();
}

el("text").addEventListener("keydown", press);
el("text").addEventListener("beforeinput", (event) => {
  const action = { historyUndo: undo, historyRedo: redo }[event.inputType];
  if (action) event.preventDefault();
  action?.();
});
el("way-list").addEventListener("keydown", (event) => {
  const actions = {
    ArrowDown: () => choose(now.choice + 1),
    ArrowUp: () => choose(now.choice - 1),
    Enter: () => choose(now.choice, { take: true }),
    " ": () => choose(now.choice, { take: true }),
    Escape: sheet.focus,
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
});
for (const [id, action] of Object.entries({ write, word: takeWord, another, undo, redo, copy, save })) {
  el(id).addEventListener("click", action);
}
el("surprise").addEventListener("click", () => {
  now.colours = !now.colours;
  el("surprise").setAttribute("aria-pressed", String(now.colours));
  if (!now.colours) say("");
  colour();
});
listenToSettings(() => {
  now.draw = 0;
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
