// The text area, and behind it a mirror of its text that carries colours and the grey continuation.

// Calls `onType(inserted)` and `onMove()` for what the person did, `onPlace(box)` with where the caret is.
function makeEditor({ area, mirror }, { onType, onMove, onPlace }) {
  let ghost = "", colours = null, caret = 0, composing = false;
  const editor = {
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

  Object.assign(editor, {
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
  return editor;
}

// --- undo and redo over the whole text, for typing, words accepted and text generated ---

const PAUSE = 1500; // milliseconds after which typing is a step of its own
const STEPS = 500; // that are kept

// `read()` gives {text, caret}; `write(state)` puts one back; `onChange()` is called when there is more or less to undo.
function makeHistory({ read, write, onChange }) {
  let before = [], after = [], last = read(), kind = "", time = 0;

  // Call this when the text has become another: typing that goes on is one step.
  function record(change) {
    const state = read(), at = performance.now();
    if (state.text === last.text) return;
    const same = change === "typing" && kind === "typing" && at - time < PAUSE && !/\n$/.test(state.text);
    if (!same) before.push(last);
    if (before.length > STEPS) before.shift();
    after = [];
    [last, kind, time] = [state, change, at];
    onChange();
  }

  function move(from, to) {
    const state = from.pop();
    if (!state) return;
    to.push(read());
    kind = "";
    last = state;
    write(state);
    onChange();
  }

  return {
    record,
    undo: () => move(before, after),
    redo: () => move(after, before),
    get canUndo() {
      return before.length > 0;
    },
    get canRedo() {
      return after.length > 0;
    },
  };
}

// --- text that appears at a pace that can be read along; at once for those who want no motion ---

const calm = matchMedia("(prefers-reduced-motion: reduce)");

// `pace` is characters a second; `insert(text)` shows more of the text.
function makeRevealer(pace, insert) {
  let characters = [], count = 0, complete = false, halted = false, last = performance.now(), due = 0, finish;
  const done = new Promise((resolve) => (finish = resolve));
  function frame(time) {
    if (halted || (complete && !characters.length)) return finish(count);
    due = calm.matches || document.hidden ? characters.length : due + (Math.max(0, time - last) / 1000) * pace;
    last = time;
    const ready = characters.splice(0, Math.floor(due));
    if (ready.length) insert(ready.join(""));
    count += ready.length;
    due = Math.min(due - ready.length, pace / 10);
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);
  return {
    feed: (text) => characters.push(...text),
    halt: () => (halted = true),
    get halted() {
      return halted;
    },
    // How many characters were shown, when all are or it was halted.
    end(cancelled) {
      complete = true;
      halted ||= cancelled;
      return done;
    },
  };
}
