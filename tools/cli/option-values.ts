import { type Checkpoint, decodeCheckpoint } from '@annals/event-log';
import { InvalidArgumentError } from 'commander';

/** A whole number from `min` to `max`, as an option's value. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

/** A generation: `g3`, or `3`. */
export function generationNumber(text: string): number {
  const [, digits] = /^g?([1-9]\d{0,8})$/.exec(text) ?? [];
  if (digits) return Number(digits);
  throw new InvalidArgumentError('A generation is written g1, g2, ...');
}

/** A checkpoint as `annals log head` prints it. */
export function checkpointText(text: string): Checkpoint {
  const checkpoint = text === '' ? undefined : decodeCheckpoint(text);
  if (checkpoint) return checkpoint;
  throw new InvalidArgumentError('A checkpoint looks as annals log head prints it.');
}

/** One more value of an option that may come several times. */
export function another(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
