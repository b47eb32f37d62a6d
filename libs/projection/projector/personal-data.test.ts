import { idFromKey, type SubjectCipher, sha256 } from '@annals/core';
import { type EventDecodeError, EventTypes, eventType } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { letterFrom } from '../dead-letters.ts';
import { rebuild } from '../operations/rebuild.ts';
import { verify } from '../operations/verify.ts';
import { defineProjection } from '../projection.ts';
import { GameSite } from '../testing/game.ts';

const named = eventType({
  name: 'named',
  schemaVersion: 1,
  schema: z.strictObject({ player: z.string(), name: z.string() }),
  personal: { subject: (data) => `player:${data.player}`, fields: ['name'] },
});
const forgotten = eventType({
  name: 'forgotten',
  schemaVersion: 1,
  schema: z.strictObject({ player: z.string() }),
});
const types = new EventTypes([named, forgotten]);

const names = defineProjection({
  name: 'names',
  version: 1,
  categories: ['player'],
  tables: [{ name: 'names', columns: { player: 'text', name: 'text' }, key: ['player'] }],
  split: 'stream',
  onFailure: 'park',
  types,
  handlers: {
    named: {
      touches: (event) => [{ table: 'names', key: [event.data.player] }],
      apply: (event, rows) => {
        const { player } = event.data;
        const name = event.erased ? null : event.data.name;
        if (name === 'Robert') throw new Error(`no table for ${name}`);
        rows.put('names', { player, name });
      },
    },
    forgotten: {
      touches: (event) => [{ table: 'names', key: [event.data.player] }],
      apply: (event, rows) => rows.put('names', { player: event.data.player, name: null }),
    },
  },
});

/** Keys that can be destroyed or mislaid. What it seals is plain base64: the runtime never looks inside. */
class Keys implements SubjectCipher {
  readonly states = new Map<string, 'erased' | 'missing'>();

  async keyring() {
    const state = (subject: string) => this.states.get(subject) ?? ('present' as const);
    return {
      state,
      seal: (_: string, plaintext: string) => Buffer.from(plaintext).toString('base64'),
      open: (_: string, sealed: string) => Buffer.from(sealed, 'base64').toString(),
      fingerprint: (subject: string, text: string) => sha256(`${subject} ${text}`),
    };
  }
}

async function namesSite() {
  const site = new GameSite();
  const keys = new Keys();
  let count = 0;
  const append = async (event: { type: 'named' | 'forgotten'; data: { player: string } }) => {
    count += 1;
    const whole = { ...event, id: idFromKey('name', String(count)), occurredAt: site.clock.now() };
    const encoded = await types.encode([whole as Parameters<typeof types.encode>[0][number]], keys);
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    const stream = `player-${event.data.player}`;
    const stored = await site.log.append(stream, encoded.events, { expected: 'any' });
    expect(stored.kind).toBe('stored');
  };
  const name = (player: string, called: string) => {
    return append({ type: 'named', data: { player, name: called } as { player: string } });
  };
  const forget = (player: string) => append({ type: 'forgotten', data: { player } });
  const operation = { ...site.operation(names), cipher: keys };
  return { site, keys, name, forget, operation };
}

describe('personal data', () => {
  test('of an erased subject is in no row, neither live nor rebuilt, and both are equal', async () => {
    const { site, keys, name, forget, operation } = await namesSite();
    const projector = site.start([names], { cipher: keys });
    await name('ann', 'Ann Smith');
    await name('bob', 'Bob Jones');
    await site.clock.advance(500);
    expect((await site.rows(1)).names).toContain('{"player":"ann","name":"Ann Smith"}');
    keys.states.set('player:ann', 'erased');
    await forget('ann');
    await site.clock.advance(500);
    await site.clock.until(rebuild(operation));
    expect(await site.clock.until(verify(operation))).toMatchObject({ kind: 'verified' });
    expect(await site.rows(2)).toEqual(await site.rows(1));
    expect(JSON.stringify([await site.tables(1), await site.tables(2)])).not.toContain('Smith');
    await projector.stop();
  });

  test('is not copied into a dead letter, not even as the text of an error', async () => {
    const { site, keys, name } = await namesSite();
    const projector = site.start([names], { cipher: keys });
    await name('rob', 'Robert');
    await site.clock.advance(500);
    const [letter] = ((await site.tables(1)).dead_letters ?? []).map(letterFrom);
    expect(letter).toMatchObject({ type: 'named', errorCode: 'handler-failed', error: null });
    expect(JSON.stringify(await site.tables(1))).not.toContain('Robert');
    await projector.stop();
  });

  test('whose key is mislaid halts: missing is not erased; put back, it goes on', async () => {
    const { site, keys, name, operation } = await namesSite();
    await name('ann', 'Ann Smith');
    keys.states.set('player:ann', 'missing');
    const projector = site.start([names], { cipher: keys });
    await site.clock.advance(500);
    const [status] = projector.status();
    const share = status?.kind === 'followed' ? status.shares[0] : undefined;
    expect(share?.state).toBe('halted');
    expect(share?.detail).toContain('restore the key store');
    expect(await site.clock.until(rebuild(operation))).toMatchObject({
      kind: 'halted',
      halt: { reason: 'missing-key' satisfies EventDecodeError['code'] },
    });
    keys.states.delete('player:ann');
    await site.clock.advance(40_000);
    expect((await site.rows(1)).names).toEqual(['{"player":"ann","name":"Ann Smith"}']);
    await projector.stop();
  });
});
