// The settings, the bars of what comes next, the ways to go on, and the facts about the model.

import { el, element } from "./dom.js";
import { describeSymbol, visible } from "./marks.js";

// What the settings say; a field that holds no number within its limits is off.
export function readSettings() {
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
export function listenToSettings(onChange) {
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

export function showModel({ title, facts, labels, label, vocabulary }) {
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
export function nameKeys() {
  if (!/Mac|iP(hone|ad)/.test(navigator.platform)) return;
  for (const key of document.querySelectorAll("kbd")) {
    key.textContent = key.textContent.replace("Ctrl", "\u2318").replace("Alt", "\u2325");
  }
}

export function showBars(next, take) {
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

// The list of ways; the chosen one stands in grey in the text.
export function showWays(ways, choice, choose) {
  const list = el("way-list");
  list.replaceChildren(...ways.map((text, way) => {
    const row = element("li", { id: `way-${way}`, role: "option", dir: "auto" });
    row.append(element("span", { textContent: visible(text.replace(/\n$/, "")) || "…" }));
    row.setAttribute("aria-selected", String(way === choice));
    row.addEventListener("click", () => choose(way, { take: true }));
    return row;
  }));
  if (ways.length) list.setAttribute("aria-activedescendant", `way-${choice}`);
  else list.removeAttribute("aria-activedescendant");
}
