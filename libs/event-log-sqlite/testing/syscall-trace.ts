/** What a trace shows between the acknowledgement before and this one. */
export interface Acknowledgement {
  /** Something was written to the file. */
  readonly written: boolean;
  /** A sync of the file was begun after its last write, and had ended. */
  readonly synced: boolean;
  /** Writes to the file that no ended sync covers. */
  readonly unsyncedWrites: number;
}

type Step = 'write' | 'sync-begins' | 'sync-ends' | 'acknowledgement';

/**
 * Reads the output of `strace -f -y -e trace=fsync,fdatasync,pwrite64,write`. An acknowledgement is a
 * write of a text that begins with `acknowledged`. Calls of different threads are cut into
 * `<unfinished ...>` and `resumed`; what counts is where a write begins and where a sync ends.
 */
export function acknowledgementsIn(trace: string, fileName: string): Acknowledgement[] {
  const found: Acknowledgement[] = [];
  const syncing = new Set<string>();
  let written = false;
  let synced = false;
  let writes = 0;
  let coveredBySync = 0;
  let unsynced = 0;
  for (const line of trace.split('\n')) {
    for (const step of stepsOf(line, fileName, syncing)) {
      if (step === 'write') {
        written = true;
        synced = false;
        writes += 1;
        unsynced += 1;
      }
      if (step === 'sync-begins') coveredBySync = writes;
      if (step === 'sync-ends') {
        unsynced = writes - coveredBySync;
        synced = unsynced === 0;
      }
      if (step === 'acknowledgement') {
        found.push({ written, synced, unsyncedWrites: unsynced });
        written = false;
        synced = false;
      }
    }
  }
  return found;
}

const call = /^(\d+)\s+(\w+)\((.*)$/;
const resumed = /^(\d+)\s+<\.\.\. (\w+) resumed>.*= (-?\d+)/;

/** The steps one line shows. `syncing` holds the threads whose sync of the file has not ended. */
function stepsOf(line: string, fileName: string, syncing: Set<string>): Step[] {
  const end = resumed.exec(line);
  if (end) {
    const [, thread = '', , result] = end;
    return syncing.delete(thread) && result === '0' ? ['sync-ends'] : [];
  }
  const begin = call.exec(line);
  if (!begin) return [];
  const [, thread = '', name, rest = ''] = begin;
  if (/^\S+, "acknowledged/.test(rest)) return ['acknowledgement'];
  if (!rest.split(/[,)]/)[0]?.includes(`/${fileName}>`)) return [];
  if (name === 'fsync' || name === 'fdatasync') {
    if (/= 0$/.test(rest)) return ['sync-begins', 'sync-ends'];
    if (rest.includes('<unfinished')) syncing.add(thread);
    return ['sync-begins'];
  }
  return ['write'];
}
