import { limits } from './limits.ts';

const kindPattern = /^[a-z][a-z0-9_]{0,31}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters being refused.
const controlCharacters = /[\u0000-\u001f\u007f-\u009f]/;

/** Why `subject` cannot name a person (`kind:id`, as in `player:ann`), or undefined when it can. */
export function subjectProblem(subject: string): string | undefined {
  const shown = JSON.stringify(subject.slice(0, 64));
  const separator = subject.indexOf(':');
  if (separator < 0 || separator === subject.length - 1) {
    return `subject ${shown} is not of the form kind:id`;
  }
  if (!kindPattern.test(subject.slice(0, separator))) {
    return `the kind of subject ${shown} may hold a-z, 0-9 and _ only, 32 at most, a letter first`;
  }
  if (controlCharacters.test(subject)) return 'a subject holds no control characters';
  if (!subject.isWellFormed()) return 'a subject is well-formed Unicode';
  const bytes = Buffer.byteLength(subject);
  if (bytes > limits.subjectBytesMax) {
    return `the subject has ${bytes} bytes, more than ${limits.subjectBytesMax}`;
  }
  return undefined;
}

/** The subject `kind:id`. Throws a TypeError where that is no valid name. */
export function subjectOf(kind: string, id: string): string {
  const subject = `${kind}:${id}`;
  const problem = kind.includes(':')
    ? 'the kind of a subject holds no colon'
    : subjectProblem(subject);
  if (problem) throw new TypeError(problem);
  return subject;
}
