// The page's elements: settings, bars of the next symbol, suggestions, facts about the model.

const el = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// --- symbols as text ---

const NAMES = { "\n": "new line", "\t": "tab", " ": "space", "\r": "return" };

// A symbol with what cannot be seen made visible: [text to show, name to say].
function describeSymbol({ text, byte }) {
  if (byte !== null) return [`0x${byte.toString(16).toUpperCase()}`, `byte ${byte}`];
  if (text in NAMES) return [{ "\n": "↵", "\t": "⇥", " ": "␣", "\r": "␍" }[text], NAMES[text]];
  return [visible(text.replace(/^ /, "")).trim() || "␣", text];
}

// A text on one line.
function visible(text) {
  return text.replace(/\n/g, " ↵ ").replace(/\t/g, "⇥").replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, (mark) =>
    `U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
}

const BORDERS = [1, 2, 4, 6, 9].map((bits) => bits * Math.LN2); // nats

// The step of the scale that a surprise lies in, -1 for what has none.
const stepOf = (nats) => (Number.isNaN(nats) ? -1 : BORDERS.filter((border) => nats >= border).length);

const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const LONGEST = 24, PART = 6; // characters: of a word, and of what is taken of a text without words

// The first word of a text, with the space before it and the marks behind it.
function firstWord(text) {
  const [word] = text.match(/^\s*\S+/u) ?? [text];
  if (UNSPACED.test(word) && "Segmenter" in Intl) {
    const segments = new Intl.Segmenter(undefined, { granularity: "word" }).segment(word);
    const first = [...segments].find(({ segment }) => segment.trim());
    return word.slice(0, first.index + first.segment.length);
  }
  return word.length > LONGEST ? [...word].slice(0, PART).join("") : word;
}

// --- the controls ---

// What the settings say; a field that holds no number within its limits is off.
function readSettings() {
  const number = (id) => (el(id).value !== "" && el(id).validity.valid ? Number(el(id).value) : undefined);
  return {
    label: Number(el("label").value || 0),
    length: Number(el("length").value),
    seed: number("seed"),
    stops: [el("stop").value.replaceAll("\\n", "\n").replaceAll("\\t", "\t")].filter(Boolean),
    sampling: {
      temperature: Number(el("temperature").value),
      topK: number("top-k"),
      topP: number("top-p"),
      minP: number("min-p"),
    },
  };
}

// `onChange()` is called for every setting that changes what comes next.
function listenToSettings(onChange) {
  const formats = { temperature: (value) => value.toFixed(2), length: String };
  for (const id of ["temperature", "length", "label", "top-k", "top-p", "min-p", "seed", "stop"]) {
    el(id).addEventListener("input", () => {
      if (formats[id]) el(`${id}-value`).textContent = formats[id](Number(el(id).value));
      if (id !== "length" && id !== "stop") onChange();
    });
  }
  el("face").addEventListener("input", () => (document.documentElement.dataset.face = el("face").value));
  el("more").addEventListener("click", () => {
    el("settings").hidden = !el("settings").hidden;
    el("more").setAttribute("aria-expanded", String(!el("settings").hidden));
  });
}

function showModel({ title, facts, labels, label, vocabulary }) {
  document.title = title;
  document.documentElement.dataset.tokens = vocabulary.tokens;
  el("title").textContent = title;
  el("facts").append(...facts.flatMap(([name, value]) => [
    element("dt", { textContent: name }),
    element("dd", { textContent: value, dir: "auto" }),
  ]));
  el("label").append(...labels.map((name, value) => element("option", { value, textContent: name })));
  el("label").value = label;
  el("label-choice").hidden = !labels.length;
  el("next-name").textContent = { byte: "Next byte", word: "Next word" }[vocabulary.tokens] ?? "Next character";
}

// On Apple's keyboards other keys do what Ctrl and Alt do here.
function nameKeys() {
  if (!/Mac|iP(hone|ad)/.test(navigator.platform)) return;
  for (const key of document.querySelectorAll("kbd")) {
    key.textContent = key.textContent.replace("Ctrl", "\u2318").replace("Alt", "\u2325");
  }
}

function showBars(next, take) {
  const whole = Math.max(0.5, ...next.map(({ share }) => share)); // what the longest bar stands for
  el("bars").replaceChildren(...next.map((symbol) => {
    const [mark, name] = describeSymbol(symbol), share = symbol.share * 100;
    const percent = share >= 1 ? share.toFixed(0) : share >= 0.1 ? share.toFixed(1) : "<0.1";
    const bar = element("span", { className: "bar" });
    bar.style.setProperty("--share", symbol.share / whole);
    const button = element(
      "button",
      { title: name, disabled: symbol.byte !== null },
      element("bdi", { className: "symbol", textContent: mark }),
      bar,
      element("span", { className: "share", textContent: `${percent} %` }),
    );
    button.setAttribute("aria-label", `${name}, ${percent} percent`);
    button.addEventListener("click", () => take(symbol.text));
    return element("li", {}, button);
  }));
}

// The list of suggestions; the chosen one stands in grey in the text.
function showSuggestions(suggestions, choice, choose) {
  const list = el("suggestion-list");
  list.replaceChildren(...suggestions.map((text, index) => {
    const row = element("li", { id: `suggestion-${index}`, role: "option", dir: "auto" });
    row.append(element("span", { textContent: visible(text.replace(/\n$/, "")) || "…" }));
    row.setAttribute("aria-selected", String(index === choice));
    row.addEventListener("click", () => choose(index, { accept: true }));
    return row;
  }));
  if (suggestions.length) list.setAttribute("aria-activedescendant", `suggestion-${choice}`);
  else list.removeAttribute("aria-activedescendant");
}
