// From text to ids and back: characters, bytes, or words and what stands between them.

// What a model knows: `encode(text)` gives ids (-1: unknown) and where each ends in the text, in UTF-16 units.
// A model of documents that hold no line ends has "\n" as the end of a document.
function makeVocabulary({ tokens, symbols, unknown = -1, end = -1, letters }) {
  const pieces = tokens === "word" ? symbols : [...symbols];
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  if (end >= 0 && tokens !== "byte" && !ids.has("\n")) ids.set("\n", end);
  const idOf = (piece) => ids.get(piece) ?? -1;
  const split = tokens === "word" ? splitter(letters) : (text) => [...text];
  const lengths = pieces.map((piece) => [...piece].length);
  const bytes = tokens === "byte";

  function encode(text) {
    const codes = [], ends = [];
    let at = 0;
    for (const piece of bytes ? [...text] : split(plain(text))) {
      at += piece.length;
      for (const symbol of bytes ? byteSymbols(piece) : [piece]) {
        codes.push(idOf(symbol));
        ends.push(at);
      }
    }
    return { ids: codes, ends };
  }

  // The beginning of a longer word that a text ends with, "" if none: only words are written in pieces.
  function findUnfinished(text) {
    if (tokens !== "word") return "";
    const parts = split(text);
    for (const count of [2, 1]) {
      if (parts.length < count) continue;
      const ending = parts.slice(-count).join("");
      if (["a", [...ending].at(-1)].some((more) => split(ending + more).length === 1)) {
        return pieces.some((piece) => piece.startsWith(ending)) ? ending : "";
      }
    }
    return "";
  }

  // What ids are as text, as it comes; bytes wait for the rest of their character.
  function decoder() {
    const utf8 = bytes && new TextDecoder();
    const code = (id) => Uint8Array.of(pieces[id].codePointAt(0));
    return {
      push: (id) => (id === end ? "\n" : bytes ? utf8.decode(code(id), { stream: true }) : pieces[id]),
      flush: () => (bytes ? utf8.decode() : ""),
    };
  }

  return { tokens, size: pieces.length, pieces, lengths, unknown, end, encode, findUnfinished, decoder };
}

// Line ends as the text area has them.
const plain = (text) => text.replace(/\r\n?/g, "\n");
const byteSymbols = (piece) => Array.from(new TextEncoder().encode(piece), (byte) => String.fromCodePoint(byte));

// The tokens of a text; `letters` are the first and last of each range of characters that words are made of.
function splitter({ ranges, runs, longest }) {
  const code = (number) => `\\u{${number.toString(16)}}`;
  let part = "";
  for (let k = 0; k < ranges.length; k += 2) part += `${code(ranges[k])}-${code(ranges[k + 1])}`;
  part = `[${part}]{1,${longest}}`;
  const same = [...runs].map((mark) => `${code(mark.codePointAt(0))}{1,${longest}}`).join("|");
  const token = new RegExp(` ?${part}(?:['\u2019]${part}){0,2}|${same}|[^]`, "gu");
  return (text) => text.match(token) ?? [];
}
