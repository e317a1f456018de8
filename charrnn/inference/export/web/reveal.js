// Text that appears at a pace that can be read along; at once for those who want no motion.

const calm = matchMedia("(prefers-reduced-motion: reduce)");

// `pace` is characters a second; `insert(text)` shows more of the text.
export function makeRevealer(pace, insert) {
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
