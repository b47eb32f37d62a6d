// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters being replaced.
const controlCharacters = /[\u0000-\u001f\u007f-\u009f]/g;

/** Text out of a log or a read model, safe on a terminal: an escape sequence in a name must not run. */
export function printable(text: string): string {
  return text.replace(controlCharacters, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
