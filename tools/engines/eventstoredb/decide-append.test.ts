import { describe, expect, it } from 'vitest';
import { decideAppend, type Expected, type StreamView } from './decide-append.ts';

/** A stream with the ids a, b, c, of which the server remembers only c. */
const abc = view({ last: 2 });
const none = view({ last: -1 });

function view(of: Partial<StreamView>): StreamView {
  const ids = ['a', 'b', 'c'];
  const recent = new Map([['c', 2]]);
  return {
    last: 2,
    tombstoned: false,
    softDeleted: false,
    hasMetadata: false,
    recent: (id) => recent.get(id),
    idAt: (revision) => ids[revision],
    ...of,
  };
}

const any: Expected = { kind: 'any' };
const exists: Expected = { kind: 'stream-exists' };
const noStream: Expected = { kind: 'no-stream' };
const at = (revision: number): Expected => ({ kind: 'revision', revision });
const store = { kind: 'store' };
const wrong = { kind: 'wrong-version' };
const deleted = { kind: 'deleted' };

describe('the verdict on a write', () => {
  it.each([
    ['any, of a new id', abc, any, ['d'], store],
    ['any, of a recent id', abc, any, ['c'], { kind: 'already-stored', last: 2 }],
    ['any, of an id too old to be remembered', abc, any, ['a'], store],
    ['any, of a recent and a new id', abc, any, ['c', 'd'], wrong],
    ['any, of a new and a recent id', abc, any, ['d', 'c'], store],
    ['any, on an empty stream', none, any, ['d'], store],
    ['exists, of a new id', abc, exists, ['d'], store],
    ['exists, of a recent id', abc, exists, ['c'], { kind: 'already-stored', last: 2 }],
    ['exists, on an empty stream', none, exists, ['d'], wrong],
    ['exists, where only metadata is', view({ last: -1, hasMetadata: true }), exists, ['d'], store],
    ['no stream, on an empty stream', none, noStream, ['d'], store],
    ['no stream, on another', abc, noStream, ['d'], wrong],
    ['no stream, resent', abc, noStream, ['a', 'b'], { kind: 'already-stored', last: 1 }],
    ['the current revision', abc, at(2), ['d'], store],
    ['the current revision, of a known id', abc, at(2), ['c'], store],
    [
      'a former revision, resent at its place',
      abc,
      at(0),
      ['b'],
      { kind: 'already-stored', last: 1 },
    ],
    ['a former revision, resent at another', abc, at(0), ['c'], wrong],
    ['a former revision, known in part', abc, at(1), ['c', 'd'], wrong],
    ['a later revision', abc, at(3), ['d'], wrong],
    ['a revision of an empty stream', none, at(0), ['d'], wrong],
  ])('expecting %s', (_what, stream, expected, ids, verdict) => {
    expect(decideAppend(stream, expected, ids)).toEqual(verdict);
  });

  it.each([any, exists, noStream, at(2), at(7)])(
    'of a tombstoned stream is: deleted (%o)',
    (expected) => {
      expect(decideAppend(view({ tombstoned: true }), expected, ['d'])).toEqual(deleted);
    },
  );

  it.each([
    [any, store],
    [noStream, store],
    [at(2), store],
    [at(1), wrong],
    [exists, deleted],
  ])('of a soft-deleted stream, expecting %o', (expected, verdict) => {
    expect(decideAppend(view({ softDeleted: true }), expected, ['d'])).toEqual(verdict);
  });

  it.each([
    [any, store],
    [at(2), store],
    [at(1), wrong],
    [noStream, wrong],
  ])('of a delete, which has no events, expecting %o', (expected, verdict) => {
    expect(decideAppend(abc, expected, [])).toEqual(verdict);
  });
});
