/**
 * The verdict on one write, as EventStoreDB reaches it (`IndexWriter.CheckCommit` of the server), with
 * its weaknesses: with `any` and `stream-exists` a duplicate is found only among the most recent events;
 * contents are never compared; a known id is stored again where the current revision is expected; and of
 * a write that is known in part it says that the version is wrong.
 */

export type Expected =
  | { readonly kind: 'any' }
  | { readonly kind: 'no-stream' }
  | { readonly kind: 'stream-exists' }
  | { readonly kind: 'revision'; readonly revision: number };

/** What the verdict depends on, of one stream. */
export interface StreamView {
  /** The revision of its last event; -1 when it has none. */
  readonly last: number;
  readonly tombstoned: boolean;
  /** Deleted, but not for ever: the next write brings it back. */
  readonly softDeleted: boolean;
  readonly hasMetadata: boolean;
  /** The revision of an event among the recent ones that the server remembers, if it is in this stream. */
  recent(id: string): number | undefined;
  idAt(revision: number): string | undefined;
}

export type Verdict =
  | { readonly kind: 'store' }
  | { readonly kind: 'already-stored'; readonly last: number }
  | { readonly kind: 'wrong-version' }
  | { readonly kind: 'deleted' };

const wrongVersion: Verdict = { kind: 'wrong-version' };

export function decideAppend(
  view: StreamView,
  expected: Expected,
  ids: readonly string[],
): Verdict {
  if (view.tombstoned) return { kind: 'deleted' };
  if (expected.kind === 'stream-exists') {
    if (view.softDeleted) return { kind: 'deleted' };
    if (view.last < 0 && !view.hasMetadata) return wrongVersion;
  }
  if (expected.kind === 'any' || expected.kind === 'stream-exists') return amongRecent(view, ids);
  const revision = expected.kind === 'no-stream' ? -1 : expected.revision;
  if (revision > view.last) return wrongVersion;
  return revision === view.last ? { kind: 'store' } : atItsPlace(view, revision, ids);
}

function amongRecent(view: StreamView, ids: readonly string[]): Verdict {
  let last = -1;
  for (const [index, id] of ids.entries()) {
    const revision = view.recent(id);
    if (revision === undefined) return index === 0 ? { kind: 'store' } : wrongVersion;
    last = revision;
  }
  return ids.length === 0 ? { kind: 'store' } : { kind: 'already-stored', last };
}

/** An exact revision of the past: a success when the same ids stand right behind it. */
function atItsPlace(view: StreamView, revision: number, ids: readonly string[]): Verdict {
  for (const [index, id] of ids.entries()) {
    if (view.idAt(revision + 1 + index) === id) continue;
    return index === 0 && revision === -1 && view.softDeleted ? { kind: 'store' } : wrongVersion;
  }
  return ids.length === 0 ? wrongVersion : { kind: 'already-stored', last: revision + ids.length };
}
