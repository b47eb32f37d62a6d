import { describeErrorDocs } from '@annals/http/testing';
import { describe, expect, it } from 'vitest';
import {
  archiveRepairCommand,
  leaderboardErrors,
  problemOf,
  repairCommand,
  scoreProblemOf,
} from './errors.ts';

describeErrorDocs(leaderboardErrors, new URL('../../docs/errors.md', import.meta.url));

describe('the problem of a refusal', () => {
  it('has the code, the status and the reason', () => {
    const detail = 'there is no leaderboard chess';
    const problem = problemOf({ kind: 'refused', reason: 'unknown-board', detail });
    expect(problem).toMatchObject({ code: 'unknown-board', status: 404 });
    expect(problem.message).toBe(
      'Refused: there is no leaderboard chess; PUT /v1/leaderboards/<id> makes one.',
    );
  });

  it('says when to try again, and what repairs a read model that is lost', () => {
    for (const kind of ['late', 'overloaded'] as const) {
      expect(problemOf({ kind })).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    }
    expect(problemOf({ kind: 'unreachable' })).toMatchObject({
      ...{ code: 'log-unreachable', status: 503, headers: { 'retry-after': '5' } },
    });
    expect(problemOf({ kind: 'unknown', detail: 'timeout' })).toMatchObject({
      code: 'write-outcome-unknown',
      headers: { 'retry-after': '1' },
    });
    const lost = problemOf({ kind: 'lost' });
    expect(lost.message).toContain(repairCommand);
    expect(lost.members).toEqual({ command: repairCommand });
    const archive = problemOf({ kind: 'lost', of: 'archive' });
    expect(archive).toMatchObject({ code: 'archive-lost', status: 503 });
    expect(archive.members).toEqual({ command: archiveRepairCommand });
    expect(archive.message).toContain('annals rebuild leaderboard-archive && ');
    const unknown = problemOf({ kind: 'lost', of: 'no-archive' });
    expect(unknown).toMatchObject({ code: 'archive-unknown', status: 503 });
  });

  it('names the field of a time that makes no sense, in a batch with its item', () => {
    const reason = 'occurred-at-out-of-range';
    const failure = { kind: 'refused', reason, detail: 'occurred_at is before 2000' } as const;
    const field = { in: 'body', message: failure.detail };
    expect(scoreProblemOf(failure).errors).toEqual([{ ...field, field: 'occurred_at' }]);
    expect(scoreProblemOf(failure, 3).errors).toEqual([
      { ...field, field: 'scores.3.occurred_at' },
    ]);
    expect(problemOf(failure).errors).toBeUndefined();
  });
});
