// The text area, and behind it a mirror of its text that carries colours and the grey continuation.

import { stepOf } from "./marks.js";

// Calls `onType(inserted)` and `onMove()` for what the person did, `onPlace(box)` with where the caret is.
export function makeSheet({ area, mirror }, { onType, onMove, onPlace }) {
  let ghost = "", colours = null, caret = 0, composing = false;
  const sheet = {
    get text() {
      return area.value;
    },
    get caret() {
      return area.selectionStart;
    },
    get busy() {
      return composing || area.selectionStart !== area.selectionEnd;
    },
    get ghost() {
      return ghost;
    },
    get before() {
      return area.value.slice(0, area.selectionStart);
    },
  };

  function span(name, text) {
    const made = document.createElement("span");
    made.className = name;
    made.textContent = text;
    return made;
  }

  // Spans of the text from `begin` to `end`, coloured where its colours are known.
  function stretch(begin, end) {
    const text = area.value;
    if (!colours) return [text.slice(begin, end)];
    const pieces = [];
    let at = begin, step = -2;
    const push = (to) => {
      if (to > at) pieces.push(span(step < 0 ? "" : `s${step}`, text.slice(at, to)));
      at = Math.max(at, to);
    };
    for (const { from, to, step: next } of colours) {
      if (to <= begin || from >= end) continue;
      if (next !== step) push(from);
      step = next;
    }
    push(end);
    return pieces;
  }

  function draw() {
    const text = area.value, anchor = span("caret", ""), last = caret === text.length;
    const shade = span(last ? "ghost" : "ghost over", last ? ghost : ghost.replace(/\n[^]*$/, ""));
    // A line that ends with a line's end has a line below it in a text area.
    mirror.replaceChildren(...stretch(0, caret), anchor, ...(ghost ? [shade] : []), ...stretch(caret, text.length), "\u200b");
    area.dataset.ghost = ghost ? "yes" : "";
    if (!last && ghost) {
      const room = mirror.getBoundingClientRect(), own = shade.getBoundingClientRect();
      shade.style.maxWidth = `${Math.max(0, getComputedStyle(mirror).direction === "rtl" ? own.right - room.left : room.right - own.left)}px`;
    }
    onPlace(anchor.getBoundingClientRect());
  }

  Object.assign(sheet, {
    draw,
    show(text) {
      ghost = text;
      draw();
    },
    // Surprises and where each symbol ends, or null; symbols with one step of the scale in a row are one span.
    colour(score) {
      colours = score && [];
      let from = 0;
      score?.ends.forEach((to, k) => {
        const step = stepOf(score.nats[k]), before = colours.at(-1);
        if (before?.step === step) before.to = to;
        else if (before?.to === to) before.step = Math.max(before.step, step);
        else colours.push({ from, to, step });
        from = to;
      });
      draw();
    },
    // Put a text in place of what is selected, and the caret behind it.
    insert(text) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      caret = area.selectionStart;
    },
    restore(state) {
      area.value = state.text;
      area.setSelectionRange(state.caret, state.caret);
      caret = state.caret;
    },
    focus: () => area.focus({ preventScroll: true }),
    lock(locked) {
      area.readOnly = locked;
      area.setAttribute("aria-busy", String(locked));
    },
  });

  area.addEventListener("compositionstart", () => (composing = true));
  area.addEventListener("compositionend", () => {
    composing = false;
    type();
  });
  area.addEventListener("input", () => composing || type());
  function type() {
    const before = caret;
    caret = area.selectionStart;
    onType(caret > before ? area.value.slice(before, caret) : "");
  }
  document.addEventListener("selectionchange", () => {
    if (document.activeElement !== area || composing || area.selectionStart === caret) return;
    caret = area.selectionStart;
    onMove();
  });
  new ResizeObserver(draw).observe(mirror.parentElement);
  return sheet;
}
