import { type GenerationSpec, StoreLostError } from '@annals/projection';
import type { Reply } from './connection.ts';

/** The first word of a script's answer. */
export function wordOf(reply: Reply): string {
  return textOf(listOf(reply)[0] ?? null);
}

export function listOf(reply: Reply): readonly Reply[] {
  if (!Array.isArray(reply)) throw new TypeError('Redis did not answer with a list');
  return reply;
}

export function textOf(reply: Reply): string {
  if (reply instanceof Buffer) return reply.toString('utf8');
  return typeof reply === 'number' ? String(reply) : '';
}

/** Text, or undefined for nothing. */
export function someText(reply: Reply | undefined): string | undefined {
  return reply === null || reply === undefined ? undefined : textOf(reply);
}

/** Fields and values that follow each other. */
export function fieldsOf(reply: Reply): Map<string, string> {
  const list = listOf(reply);
  const fields = new Map<string, string>();
  for (let n = 0; n + 1 < list.length; n += 2) {
    fields.set(textOf(list[n] as Reply), textOf(list[n + 1] as Reply));
  }
  return fields;
}

export function lostError(spec: Pick<GenerationSpec, 'projection' | 'generation'>, place: string) {
  return new StoreLostError(
    `the keys of ${spec.projection} g${spec.generation} were removed or replaced: ${place}`,
  );
}
