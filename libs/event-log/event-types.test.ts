import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  canonicalJson,
  type JsonObject,
  type SubjectCipher,
  type SubjectState,
  sha256,
} from '@annals/core';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { sampleId } from './contract/index.ts';
import {
  type DomainEvent,
  EventDecodeError,
  EventTypes,
  eventType,
  type RecordedEvent,
} from './event-types.ts';
import { memoryEventLog } from './memory-event-log.ts';
import type { NewEvent, StoredEvent } from './port.ts';

/** AES-256-GCM under keys made from the subjects' names, so that recorded events open again. */
class TestCipher implements SubjectCipher {
  readonly states = new Map<string, SubjectState>();
  readonly asked: string[][] = [];

  async keyring(subjects: readonly string[], { create }: { readonly create: boolean }) {
    this.asked.push([...subjects]);
    for (const subject of subjects) {
      if (create && !this.states.has(subject)) this.states.set(subject, 'present');
    }
    const state = (subject: string) => this.states.get(subject) ?? 'missing';
    const keyOf = (subject: string) => {
      if (state(subject) !== 'present') throw new Error(`no key of ${subject}`);
      return createHash('sha256').update(`test key of ${subject}`).digest();
    };
    return {
      state,
      seal: (subject: string, plaintext: string, context: string) => {
        const nonce = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', keyOf(subject), nonce);
        cipher.setAAD(Buffer.from(context));
        const sealed = [nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
        return Buffer.concat(sealed).toString('base64');
      },
      open: (subject: string, sealed: string, context: string) => {
        const bytes = Buffer.from(sealed, 'base64');
        const decipher = createDecipheriv('aes-256-gcm', keyOf(subject), bytes.subarray(0, 12));
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-16));
        const plaintext = [decipher.update(bytes.subarray(12, -16)), decipher.final()];
        return Buffer.concat(plaintext).toString();
      },
      fingerprint: (subject: string, text: string) =>
        createHmac('sha256', keyOf(subject)).update(text).digest('hex'),
    };
  }
}

/** Version 1 had points as text, version 2 no board. */
const scored = eventType({
  name: 'scored',
  schemaVersion: 3,
  schema: z.strictObject({
    player: z.string(),
    points: z.int(),
    board: z.string(),
  }),
  upcasters: {
    1: (data) => ({ ...data, points: Number(data.points) }),
    2: (data) => ({ ...data, board: 'default' }),
  },
});

/** Version 1 had one name, which version 2 takes apart. */
const introduced = eventType({
  name: 'introduced',
  schemaVersion: 2,
  schema: z.strictObject({
    player: z.string(),
    team: z.string(),
    first: z.string(),
    last: z.string().optional(),
  }),
  personal: { subject: (data) => `player:${data.player}`, fields: ['first', 'last'] },
  upcasters: {
    1: ({ name, ...data }) => {
      if (typeof name !== 'string') return data;
      const [first = '', ...last] = name.split(' ');
      return { ...data, first, ...(last.length > 0 ? { last: last.join(' ') } : {}) };
    },
  },
});

type Sample = typeof scored | typeof introduced;
const types = new EventTypes<Sample>([scored, introduced]);

const scoredByAnn: DomainEvent<typeof scored> = {
  type: 'scored',
  id: sampleId('scored'),
  data: { player: 'ann', points: 3, board: 'b' },
  occurredAt: 5,
  metadata: { actor: 'system' },
};

const introducedAnn: DomainEvent<typeof introduced> = {
  type: 'introduced',
  id: sampleId('introduced'),
  data: { player: 'ann', team: 'red', first: 'Ann', last: 'Lee' },
  occurredAt: 6,
};

async function encode(
  events: readonly DomainEvent<Sample>[],
  cipher: SubjectCipher = new TestCipher(),
): Promise<NewEvent[]> {
  const encoded = await types.encode(events, cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  return [...encoded.events];
}

function storedEvent(event: NewEvent): StoredEvent {
  return {
    metadata: {},
    recordedAt: 9,
    ...event,
    stream: 'sample-1',
    revision: 4,
    partition: 0,
    position: '7',
  };
}

async function decodeError(
  event: StoredEvent,
  cipher: SubjectCipher,
  of: EventTypes<Sample> = types,
): Promise<EventDecodeError> {
  const thrown = await of.decode([event], cipher).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(EventDecodeError);
  return thrown as EventDecodeError;
}

describe('declaring', () => {
  test('refuses a version without an upcaster, and a type declared twice', () => {
    const schema = z.strictObject({});
    const upcasters = { 2: (data: JsonObject) => data };
    expect(() => eventType({ name: 'x', schemaVersion: 3, schema, upcasters })).toThrow(
      /no upcaster from version 1/,
    );
    expect(() => new EventTypes([scored, scored])).toThrow(/declared twice/);
    expect(types.names).toEqual(['scored', 'introduced']);
  });

  test('keeps the member of sealed data to itself', async () => {
    const schema = z.strictObject({ $personal: z.string() });
    expect(() => eventType({ name: 'x', schemaVersion: 1, schema })).toThrow(/\$personal/);
    const loose = eventType({ name: 'x', schemaVersion: 1, schema: z.looseObject({}) });
    const smuggled = {
      type: 'x',
      id: sampleId('x'),
      data: { $personal: 1 },
      occurredAt: 1,
    } as const;
    await expect(new EventTypes([loose]).encode([smuggled], new TestCipher())).rejects.toThrow(
      /may not have \$personal/,
    );
  });
});

describe('encoding', () => {
  test('writes today’s version, the data as JSON, and the hash of the content', async () => {
    const cipher = new TestCipher();
    const [event] = await encode([scoredByAnn], cipher);
    expect(event).toEqual({
      id: scoredByAnn.id,
      type: 'scored',
      schemaVersion: 3,
      data: '{"player":"ann","points":3,"board":"b"}',
      contentHash: sha256(canonicalJson(['scored', 3, scoredByAnn.data])),
      metadata: { actor: 'system' },
      occurredAt: 5,
    });
    expect(cipher.asked).toEqual([]);
  });

  test('throws for data its schema refuses, and for a type that is not declared', async () => {
    const wrong = { ...scoredByAnn, data: { ...scoredByAnn.data, points: 0.5 } };
    await expect(encode([wrong])).rejects.toThrow(z.ZodError);
    const unknown = { ...scoredByAnn, type: 'none' } as unknown as typeof scoredByAnn;
    await expect(encode([unknown])).rejects.toThrow(/none is not declared/);
  });

  test('seals personal fields: no byte of them is in what is stored', async () => {
    const [event] = await encode([introducedAnn]);
    const data = JSON.parse(event!.data) as JsonObject;
    expect(data).toEqual({
      player: 'ann',
      team: 'red',
      $personal: { subject: 'player:ann', sealed: expect.any(String) },
    });
    expect(JSON.stringify(event)).not.toMatch(/Ann|Lee/);
  });

  test('gives other bytes and the same content hash when it seals again', async () => {
    const [one] = await encode([introducedAnn]);
    const [two] = await encode([introducedAnn]);
    expect(two!.data).not.toBe(one!.data);
    expect(two!.contentHash).toBe(one!.contentHash);
    const log = memoryEventLog();
    await log.append('sample-1', [one!], { expected: 'no-stream' });
    const resent = await log.append('sample-1', [two!], { expected: 'no-stream' });
    expect(resent).toMatchObject({ kind: 'stored', duplicate: true });
  });

  test('gives another content hash for another name, and for another subject with the same name', async () => {
    const hashOf = async (data: Partial<typeof introducedAnn.data>) =>
      (await encode([{ ...introducedAnn, data: { ...introducedAnn.data, ...data } }]))[0]!
        .contentHash;
    const hashes = await Promise.all([{}, { first: 'Anne' }, { player: 'bob' }].map(hashOf));
    expect(new Set(hashes).size).toBe(3);
  });

  test('the content hash of personal data needs the key: nobody can try out names without it', async () => {
    const [event] = await encode([introducedAnn]);
    const content = canonicalJson(['introduced', 2, introducedAnn.data]);
    expect(event!.contentHash).not.toBe(sha256(content));
  });

  test('answers subject-erased when any subject was erased, and encodes nothing', async () => {
    const cipher = new TestCipher();
    cipher.states.set('player:ann', 'erased');
    const bob = { ...introducedAnn, data: { ...introducedAnn.data, player: 'bob' } };
    const encoded = await types.encode([bob, introducedAnn], cipher);
    expect(encoded).toEqual({ kind: 'subject-erased', subject: 'player:ann' });
  });

  test('a key that is missing is not an erased one: encoding throws', async () => {
    const cipher = new TestCipher();
    cipher.states.set('player:ann', 'missing');
    await expect(types.encode([introducedAnn], cipher)).rejects.toThrow('no key of player:ann');
  });

  test('asks for all keys at once', async () => {
    const cipher = new TestCipher();
    const bob = { ...introducedAnn, data: { ...introducedAnn.data, player: 'bob' } };
    await encode([introducedAnn, bob, scoredByAnn], cipher);
    expect(cipher.asked).toEqual([['player:ann', 'player:bob']]);
  });
});

describe('decoding', () => {
  test('gives back what was encoded, with its place', async () => {
    const cipher = new TestCipher();
    const stored = (await encode([scoredByAnn, introducedAnn], cipher)).map(storedEvent);
    const decoded: RecordedEvent<Sample>[] = await types.decode(stored, cipher);
    const place = { stream: 'sample-1', revision: 4, partition: 0, position: '7', recordedAt: 9 };
    expect(decoded).toEqual([
      { ...scoredByAnn, ...place, erased: false },
      { ...introducedAnn, ...place, metadata: {}, erased: false },
    ]);
    expect(cipher.asked.at(-1)).toEqual(['player:ann']);
  });

  test('leaves out the personal fields of an erased subject, and opens everything else', async () => {
    const cipher = new TestCipher();
    const bob = { ...introducedAnn, data: { ...introducedAnn.data, player: 'bob' } };
    const stored = (await encode([introducedAnn, bob], cipher)).map(storedEvent);
    cipher.states.set('player:ann', 'erased');
    const decoded = await types.decode(stored, cipher);
    expect(decoded).toMatchObject([{ erased: true }, { erased: false, data: bob.data }]);
    expect(decoded[0]!.data).toEqual({ player: 'ann', team: 'red' });
  });

  test('stops at a missing key, and says that this is no erasure', async () => {
    const [event] = await encode([introducedAnn]);
    const error = await decodeError(storedEvent(event!), new TestCipher());
    expect(error.code).toBe('missing-key');
    expect(error.message).toMatch(/was not erased: restore the key store/);
  });

  test('stops at sealed data that was changed, or moved to another event', async () => {
    const cipher = new TestCipher();
    const [event] = await encode([introducedAnn], cipher);
    const moved = storedEvent({ ...event!, id: sampleId('another') });
    const error = await decodeError(moved, cipher);
    expect([error.code, error.event.id]).toEqual(['invalid-data', moved.id]);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('stops at an unknown type and names it; nothing before or after comes through', async () => {
    const cipher = new TestCipher();
    const [event] = await encode([scoredByAnn]);
    const unknown = { ...storedEvent(event!), type: 'renamed' };
    const error = await decodeError(unknown, cipher);
    expect(error.code).toBe('unknown-type');
    expect(error.message).toContain(`event ${unknown.id} (renamed version 3, sample-1@4)`);
    expect(error.event).toEqual({
      id: unknown.id,
      stream: 'sample-1',
      revision: 4,
      type: 'renamed',
      schemaVersion: 3,
    });
    const all = [storedEvent(event!), unknown, storedEvent(event!)];
    await expect(types.decode(all, cipher)).rejects.toThrow(EventDecodeError);
  });

  test.each([0, 4, 99])(
    'stops at version %i, which this program does not know',
    async (version) => {
      const [event] = await encode([scoredByAnn]);
      const unknown = { ...storedEvent(event!), schemaVersion: version };
      const error = await decodeError(unknown, new TestCipher());
      expect(error.code).toBe('unknown-version');
      expect(error.message).toMatch(/versions 1 to 3 are known here/);
    },
  );

  test('stops at data that is no JSON, and at data that no upcaster makes right', async () => {
    const [event] = await encode([scoredByAnn]);
    const broken = { ...storedEvent(event!), data: '{' };
    expect((await decodeError(broken, new TestCipher())).code).toBe('invalid-data');
    const old = { ...storedEvent(event!), schemaVersion: 1, data: '{"player":"a","points":"x"}' };
    const error = await decodeError(old, new TestCipher());
    expect(error.code).toBe('invalid-data');
    expect(error.message).toMatch(/after upcasting/);
  });

  test('stops at an upcaster that throws, and names the event', async () => {
    const fragile = new EventTypes<Sample>([
      introduced,
      {
        ...scored,
        upcasters: {
          ...scored.upcasters,
          2: () => {
            throw new RangeError('bug');
          },
        },
      },
    ]);
    const [event] = await encode([scoredByAnn]);
    const old = { ...storedEvent(event!), schemaVersion: 2 };
    const error = await decodeError(old, new TestCipher(), fragile);
    expect(error.message).toMatch(/its upcaster from version 2 threw/);
    expect(error.cause).toBeInstanceOf(RangeError);
  });
});

/** Events as earlier versions of this program stored them, and what they read as today. */
interface Recorded {
  readonly stored: StoredEvent;
  readonly today: JsonObject;
  readonly todayErased?: JsonObject;
}

describe('events recorded by earlier versions', () => {
  test.each(['scored', 'introduced'])('%s of every version read as today’s', async (name) => {
    const path = new URL(`./fixtures/${name}.json`, import.meta.url);
    const recorded = JSON.parse(readFileSync(path, 'utf8')) as Recorded[];
    const versions = new Set(recorded.map(({ stored }) => stored.schemaVersion));
    const today = name === 'scored' ? scored.schemaVersion : introduced.schemaVersion;
    expect(versions).toEqual(new Set(Array.from({ length: today }, (_, index) => index + 1)));
    const cipher = new TestCipher();
    cipher.states.set('player:ann', 'present').set('player:bob', 'present');
    const stored = recorded.map((one) => one.stored);
    const read = await types.decode(stored, cipher);
    expect(read.map(({ data }) => data)).toEqual(recorded.map((one) => one.today));
    cipher.states.set('player:ann', 'erased').set('player:bob', 'erased');
    const erased = await types.decode(stored, cipher);
    expect(erased.map(({ data }) => data)).toEqual(
      recorded.map((one) => one.todayErased ?? one.today),
    );
  });
});
