import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { idFromKey, type SubjectCipher } from '@annals/core';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { bucketOf, leaderboardEvents, playerStream, scoresStream } from '@annals/leaderboard';
import { dataLayout, openEmbedded } from '@annals/projector';
import { temporaryFolder } from './cli.ts';

const buckets = 64;
export const period = '2026-11';

const noKeys: SubjectCipher = { keyring: () => Promise.reject(new Error('no key is needed')) };

/** A data folder with nothing in it but a log of `scores` scores of 50 players, one match after the other. */
export async function scoredFolder(scores = 300): Promise<string> {
  const folder = await temporaryFolder();
  await appendScores(folder, 0, scores);
  return folder;
}

/** Appends the scores from number `from` to number `to`, bucket by bucket. */
export async function appendScores(folder: string, from: number, to: number): Promise<void> {
  const log = await sqliteEventLog({ folder: dataLayout(folder).log });
  const numbers = Array.from({ length: to - from }, (_, index) => from + index);
  const byStream = Map.groupBy(numbers, (number) => streamOf(number));
  await Promise.all(
    [...byStream].map(async ([stream, inStream]) => {
      const encoded = await leaderboardEvents.encode(inStream.map(scoreEvent), noKeys);
      if (encoded.kind !== 'encoded') throw new Error('a score has no subject');
      for (let at = 0; at < encoded.events.length; at += 500) {
        const events = encoded.events.slice(at, at + 500);
        const stored = await log.append(stream, events, { expected: 'any' });
        if (stored.kind !== 'stored') throw new Error(JSON.stringify(stored));
      }
    }),
  );
  await log.close();
}

export function streamOf(number: number): string {
  return scoresStream('default', bucketOf(userOf(number), buckets));
}

function userOf(number: number): string {
  return `user-${number % 50}`;
}

function scoreEvent(number: number) {
  return {
    type: 'score-recorded',
    id: idFromKey('test-score', String(number)),
    occurredAt: Date.UTC(2026, 10, 1) + number * 1_000,
    data: {
      board: 'default',
      user_id: userOf(number),
      match_id: `match-${number}`,
      points: 1 + (number % 7),
      period,
      operator: 'increment',
      order: 'desc',
    },
  } as const;
}

/** Names a player, as the service does: the name is sealed under a key of its own. */
export async function namePlayer(folder: string, userId: string, name: string): Promise<void> {
  const embedded = await openEmbedded({ dataFolder: folder });
  try {
    const event = {
      type: 'player-named',
      id: idFromKey('test-name', userId, name),
      occurredAt: Date.UTC(2026, 10, 1),
      data: { user_id: userId, name },
    } as const;
    const encoded = await leaderboardEvents.encode([event], embedded.cipher);
    if (encoded.kind !== 'encoded') throw new Error(`${userId} is erased`);
    await embedded.log.append(playerStream(userId), encoded.events, { expected: 'any' });
  } finally {
    await embedded.close();
  }
}

/** Every file below a folder with its bytes, by path. */
export async function filesBelow(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = new Map<string, Buffer>();
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path, await readFile(path));
  }
  return files;
}

/** The files below a folder that hold this text somewhere. */
export async function filesHolding(folder: string, text: string): Promise<string[]> {
  const files = await filesBelow(folder);
  return [...files].filter(([, bytes]) => bytes.includes(text)).map(([path]) => path);
}
