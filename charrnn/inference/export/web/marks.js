// How symbols are shown where they stand alone.

const NAMES = { "\n": "new line", "\t": "tab", " ": "space", "\r": "return" };

// A symbol with what cannot be seen made visible: [text to show, name to say].
export function describeSymbol({ text, byte }) {
  if (byte !== null) return [`0x${byte.toString(16).toUpperCase()}`, `byte ${byte}`];
  if (text in NAMES) return [{ "\n": "↵", "\t": "⇥", " ": "␣", "\r": "␍" }[text], NAMES[text]];
  return [visible(text.replace(/^ /, "")).trim() || "␣", text];
}

// A text on one line.
export function visible(text) {
  return text.replace(/\n/g, " ↵ ").replace(/\t/g, "⇥").replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, (mark) =>
    `U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
}

const BORDERS = [1, 2, 4, 6, 9].map((bits) => bits * Math.LN2); // nats

// The step of the scale that a surprise lies in, -1 for what has none.
export const stepOf = (nats) => (Number.isNaN(nats) ? -1 : BORDERS.filter((border) => nats >= border).length);

const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const LONGEST = 24, PART = 6; // characters: of a word, and of what is taken of a text without words

// The first word of a text, with the space before it and the marks behind it.
export function firstWord(text) {
  const [word] = text.match(/^\s*\S+/u) ?? [text];
  if (UNSPACED.test(word) && "Segmenter" in Intl) {
    const segments = new Intl.Segmenter(undefined, { granularity: "word" }).segment(word);
    const first = [...segments].find(({ segment }) => segment.trim());
    return word.slice(0, first.index + first.segment.length);
  }
  return word.length > LONGEST ? [...word].slice(0, PART).join("") : word;
}
