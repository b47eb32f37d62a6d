import { limits } from './limits.ts';

const categoryPattern = /^[a-z][a-z0-9_]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters being refused.
const controlCharacters = /[\u0000-\u001f\u007f]/;

/** The category of `category-id`: what stands before the first `-`. The id may hold any further `-`. */
export function categoryOf(stream: string): string {
  const separator = stream.indexOf('-');
  return separator < 0 ? stream : stream.slice(0, separator);
}

/** Why `stream` cannot be the name of a stream, or undefined when it can. */
export function streamNameProblem(stream: string): string | undefined {
  const separator = stream.indexOf('-');
  if (separator < 0 || separator === stream.length - 1) {
    return `stream name ${JSON.stringify(stream.slice(0, 64))} is not of the form category-id`;
  }
  if (!categoryPattern.test(stream.slice(0, separator))) {
    return `the category of ${JSON.stringify(stream.slice(0, 64))} may hold a-z, 0-9 and _ only`;
  }
  if (controlCharacters.test(stream)) return 'a stream name holds no control characters';
  if (!stream.isWellFormed()) return 'a stream name is well-formed Unicode';
  const bytes = Buffer.byteLength(stream);
  if (bytes > limits.streamNameBytesMax) {
    return `the stream name has ${bytes} bytes, more than ${limits.streamNameBytesMax}`;
  }
  return undefined;
}
