import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFollower } from './testing/fresh-follower.ts';
import { verdictHashText } from './verdict-hash.ts';

/**
 * Records of format 1 with the verdict that each one has for ever, and the verdict hash behind it. Topics hold such
 * records, and every process that follows one anew judges them again: should this test fail, the rules of format 1 were changed
 * (`judgeAppend`, which all engines share, is part of them), and what was stored would be read as something else. Other rules are a
 * new format. The file is never made anew; records may be added at its end.
 */
interface Recorded {
  readonly what: string;
  readonly offset: number;
  readonly key: string | null;
  /** Base64. */
  readonly value: string | null;
  /** Null for what no process waits for. */
  readonly outcome: { readonly kind: string } | null;
  readonly hash: string;
}

const history = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'format-1-history.json'), 'utf8'),
) as readonly Recorded[];

test('every record of format 1 has the verdict that it had when it was recorded', async () => {
  const { follower, events } = openFollower();
  const judged = history.map(({ what, offset, key, value }) => {
    const record = {
      offset,
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value, 'base64'),
    };
    const applied = follower.apply([record]);
    if (applied.kind !== 'applied') throw new Error(`${what}: ${applied.kind}`);
    const outcome = applied.outcomes[0]?.result ?? null;
    return { what, outcome, hash: verdictHashText(follower.progress.hash) };
  });
  expect(judged).toEqual(history.map(({ what, outcome, hash }) => ({ what, outcome, hash })));
  const { foreign, voids, barriers } = follower.progress;
  expect({ foreign, voids, barriers }).toEqual({ foreign: 2, voids: 3, barriers: 1 });
  follower.commit();
  expect(await events()).toHaveLength(follower.progress.events);
});

test('the history has every verdict', () => {
  const kinds = history.map(({ outcome }) =>
    outcome?.kind === 'stored' && 'duplicate' in outcome && outcome.duplicate
      ? 'duplicate'
      : outcome?.kind,
  );
  const all = ['stored', 'duplicate', 'conflict', 'content-mismatch', 'partial-duplicate'];
  expect(new Set(kinds)).toEqual(new Set([...all, 'void', 'seen', undefined]));
});
