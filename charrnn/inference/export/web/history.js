// Undo and redo over the whole text, for typing, words taken and texts written alike.

const PAUSE = 1500; // milliseconds after which typing is a step of its own
const STEPS = 500; // that are kept

// `read()` gives {text, caret}; `write(state)` puts one back; `onChange()` is called when there is more or less to undo.
export function makeHistory({ read, write, onChange }) {
  let before = [], after = [], last = read(), kind = "", time = 0;

  // Call this when the text has become another: typing that goes on is one step.
  function record(now) {
    const state = read(), at = performance.now();
    if (state.text === last.text) return;
    const same = now === "typing" && kind === "typing" && at - time < PAUSE && !/\n$/.test(state.text);
    if (!same) before.push(last);
    if (before.length > STEPS) before.shift();
    after = [];
    [last, kind, time] = [state, now, at];
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
