import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import {
  eraseSubject,
  erasureEvent,
  erasureStream,
  type SubjectKeyStore,
} from '@annals/subject-keys';
import { decidePlayer } from './decide.ts';
import { encodeEvent } from './encode-event.ts';
import type { PlayerInput } from './input.ts';
import {
  notStored,
  type Overloaded,
  positionOf,
  type Refused,
  refused,
  type Unknown,
} from './outcome.ts';
import type { LeaderboardReadModel } from './read-model/port.ts';
import { playerSubject } from './streams.ts';

export interface PlayersMeans {
  readonly log: Pick<EventLog, 'append'>;
  readonly cipher: SubjectCipher;
  readonly keys: Pick<SubjectKeyStore, 'destroy'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly readModel: Pick<LeaderboardReadModel, 'waitFor'>;
  readonly visibleMsMax: number;
  readonly newId: () => string;
}

/** What became of a name that was given. */
export type NameResult =
  | { readonly kind: 'named'; readonly position: string }
  | Refused<'player-erased'>
  | Overloaded
  | Unknown;

/** What became of an erasure. `visible`: no read shows name and picture any more. */
export type EraseResult =
  | { readonly kind: 'erased'; readonly visible: boolean; readonly position: string }
  | Overloaded
  | Unknown;

export async function putPlayer(
  means: Pick<PlayersMeans, 'log' | 'cipher' | 'clock' | 'newId'>,
  userId: string,
  input: PlayerInput,
): Promise<NameResult> {
  const { stream, event } = decidePlayer(userId, input, means.newId(), means.clock.now());
  const encoded = await encodeEvent(event, means.cipher);
  if (encoded.kind === 'subject-erased') {
    return refused('player-erased', 'this player was erased and cannot be named again');
  }
  const result = await means.log.append(stream, [encoded.event], { expected: 'any' });
  if (result.kind !== 'stored') return notStored(stream, result);
  return { kind: 'named', position: positionOf(result) };
}

export async function erasePlayer(means: PlayersMeans, userId: string): Promise<EraseResult> {
  const { keys, readModel, visibleMsMax } = means;
  const subject = playerSubject(userId);
  const appendErased = (erased: string) => appendErasure(means, erased);
  const erasure = await eraseSubject({ appendErased, keys }, subject);
  if (erasure.kind === 'not-recorded') return notStored(erasureStream(subject), erasure.answer);
  const { partition, position } = erasure.recorded;
  const reached = await readModel.waitFor({ [partition]: position }, visibleMsMax);
  return {
    kind: 'erased',
    visible: reached === 'reached',
    position: positionOf(erasure.recorded),
  };
}

async function appendErasure(
  { log, cipher, clock }: Pick<PlayersMeans, 'log' | 'cipher' | 'clock'>,
  subject: string,
) {
  const encoded = await encodeEvent(erasureEvent(subject, clock.now()), cipher);
  if (encoded.kind !== 'encoded') throw new TypeError('an erasure holds no personal data');
  return log.append(erasureStream(subject), [encoded.event], { expected: 'any' });
}
