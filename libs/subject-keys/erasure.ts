import { idFromKey } from '@annals/core';
import { z } from 'zod';
import { limits } from './limits.ts';
import type { SubjectKeyStore } from './port.ts';
import { subjectProblem } from './subject-name.ts';

/** The category of the streams that tell of erasures: one stream for each erased subject. */
export const erasureCategory = 'subject';

/** The stream that tells of the erasure of `subject`. */
export function erasureStream(subject: string): string {
  return `${erasureCategory}-${subject}`;
}

/**
 * The stored format of an erasure; version it with care. It has the shape of an event type, so that
 * libraries above both this one and the log can declare it: `eventType(subjectErased)`.
 */
export const subjectErased = {
  name: 'subject-erased',
  schemaVersion: 1,
  schema: z.strictObject({
    subject: z.string().refine((subject) => subjectProblem(subject) === undefined),
  }),
} as const;

/**
 * The event that says so, for `erasureStream(subject)`. Its id comes from the subject: told twice, it
 * is stored once. Throws a TypeError for an invalid subject.
 */
export function erasureEvent(subject: string, occurredAt: number) {
  const problem = subjectProblem(subject);
  if (problem) throw new TypeError(problem);
  return {
    type: subjectErased.name,
    id: idFromKey(subjectErased.name, subject),
    data: { subject },
    occurredAt,
  };
}

/** What an append answers; only `stored` counts as durable. */
interface AppendAnswer {
  readonly kind: string;
}

export type Erasure<Answer extends AppendAnswer> =
  | {
      readonly kind: 'erased';
      /** False when the subject had no key: erased before, or never seen. */
      readonly keyDestroyed: boolean;
      readonly recorded: Extract<Answer, { readonly kind: 'stored' }>;
    }
  /** The log did not take the event, so the key was left alone: nothing is erased yet. */
  | {
      readonly kind: 'not-recorded';
      readonly answer: Exclude<Answer, { readonly kind: 'stored' }>;
    };

/**
 * Erases a subject: first `appendErased` stores the event durably, then the key is destroyed. This
 * order, because a crash between the two is healed at the next start by `enforceErasures`, which
 * reads the event; a key destroyed without an event would come back with an old backup of the keys.
 * Safe to repeat. Throws what `appendErased` and the store throw; the event may be stored by then.
 */
export async function eraseSubject<const Answer extends AppendAnswer>(
  means: {
    readonly appendErased: (subject: string) => Promise<Answer>;
    readonly keys: Pick<SubjectKeyStore, 'destroy'>;
  },
  subject: string,
): Promise<Erasure<Answer>> {
  const problem = subjectProblem(subject);
  if (problem) throw new TypeError(problem);
  const answer = await means.appendErased(subject);
  if (!isStored(answer)) {
    type Refused = Exclude<Answer, { readonly kind: 'stored' }>;
    return { kind: 'not-recorded', answer: answer as Refused };
  }
  const destroyed = await means.keys.destroy([subject]);
  return { kind: 'erased', keyDestroyed: destroyed > 0, recorded: answer };
}

function isStored<Answer extends AppendAnswer>(
  answer: Answer,
): answer is Extract<Answer, { readonly kind: 'stored' }> {
  return answer.kind === 'stored';
}

export interface EnforcedErasures {
  /** Subjects that are erased by the log. */
  readonly subjects: number;
  /** Keys that were there all the same, and are destroyed now. More than none: an old backup was put back, or an erase had been interrupted. */
  readonly keysDestroyed: number;
}

/**
 * Destroys every key that the log says is erased: at each start, before anything reads personal
 * data, and after a backup of the keys was put back. The caller reads the subjects from the
 * `subject-erased` events of category `erasureCategory`. What is in order is only read.
 */
export async function enforceErasures(
  store: Pick<SubjectKeyStore, 'get' | 'destroy'>,
  erasedSubjects: Iterable<string> | AsyncIterable<string>,
): Promise<EnforcedErasures> {
  let subjects = 0;
  let keysDestroyed = 0;
  let batch: string[] = [];
  const enforce = async () => {
    const stored = await store.get(batch);
    const unerased = batch.filter((subject) => stored.get(subject)?.kind !== 'erased');
    if (unerased.length > 0) keysDestroyed += await store.destroy(unerased);
    subjects += batch.length;
    batch = [];
  };
  for await (const subject of erasedSubjects) {
    batch.push(subject);
    if (batch.length === limits.batchSubjectsMax) await enforce();
  }
  if (batch.length > 0) await enforce();
  return { subjects, keysDestroyed };
}
