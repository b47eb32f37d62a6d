import { EventLogError } from '@annals/event-log';
import { ApiKeysUnavailableError } from '@annals/iam';
import { SubjectKeyStoreError } from '@annals/subject-keys';
import { describe, expect, it } from 'vitest';
import { ReadModelBuildingError } from './leaderboard-reads.ts';
import { translate } from './translate.ts';

describe('what a handler throws', () => {
  it.each([
    [new EventLogError('disk-full', 'x'), 'the disk of the event log is full: nothing was stored'],
    [new EventLogError('read-only', 'x'), 'the event log cannot be written: nothing was stored'],
    [new EventLogError('io', 'x'), 'the event log cannot be read or written'],
    [new EventLogError('unreachable', 'x'), 'the event log does not answer'],
    [new EventLogError('refused', 'x'), 'the event log refuses this service'],
    [new EventLogError('closed', 'x'), 'the service is stopping'],
    [new SubjectKeyStoreError('busy', 'x'), 'the store of the keys of personal data is busy'],
    [new ApiKeysUnavailableError('retrying'), 'keys cannot be checked right now'],
    [
      Object.assign(new Error('x'), { name: 'RedisStoreError', code: 'unreachable' }),
      'the store of the read models (Redis) does not answer',
    ],
    [
      new ReadModelBuildingError(),
      'no generation of the read model is live yet (/readyz says why)',
    ],
  ])('is a 503 with Retry-After when it passes by itself: %s', (error, reason) => {
    const problem = translate(error);
    expect(problem).toMatchObject({ code: 'unavailable', status: 503 });
    expect(problem?.message).toBe(`Not available right now: ${reason}`);
    expect(Number(problem?.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('is a 500 when it is a bug or broken for good', () => {
    for (const error of [
      new EventLogError('corrupt', 'x'),
      new SubjectKeyStoreError('wrong-master-key', 'x'),
      new TypeError('x'),
      'x',
    ]) {
      expect(translate(error)).toBeUndefined();
    }
  });
});
