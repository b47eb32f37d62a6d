/**
 * The streams of the leaderboard. Each player's scores on a board lie in one bucket of it, so that
 * every row of the read model depends on one stream, and the buckets spread over the log's partitions.
 */

export const categories = ['scores', 'board', 'player', 'subject'] as const;

export function boardStream(board: string): string {
  return `board-${board}`;
}

export function scoresStream(board: string, bucket: number): string {
  return `scores-${board}~${bucket}`;
}

export function playerStream(userId: string): string {
  return `player-${userId}`;
}

/** The subject of a player's personal data, as `subject-keys` names it. */
export function playerSubject(userId: string): string {
  return `${subjectKind}:${userId}`;
}

/** The user id of a subject that is a player, or undefined. */
export function playerOfSubject(subject: string): string | undefined {
  return subject.startsWith(`${subjectKind}:`) ? subject.slice(subjectKind.length + 1) : undefined;
}

export const subjectKind = 'player';

/** A player's own stream and the stream of its erasure write the same row: they share a worker. */
export function shareKey(stream: string): string {
  if (stream.startsWith('player-')) return stream.slice('player-'.length);
  if (stream.startsWith('subject-player:')) return stream.slice('subject-player:'.length);
  return stream;
}

/** FNV-1a, 32 bits, over the UTF-8 bytes of the user id, modulo `buckets`: part of the stored format, never to change. */
export function bucketOf(userId: string, buckets: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(userId)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % buckets;
}
