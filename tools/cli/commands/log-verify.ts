import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SubjectCipher } from '@annals/core';
import {
  type Checkpoint,
  changedMessage,
  type EventLog,
  encodeCheckpoint,
  isContentChanged,
  LogHash,
} from '@annals/event-log';
import { DigestCheck, type DigestsChecked, digestKeyPattern } from '@annals/event-log/digest';
import { checkIntegrity } from '@annals/event-log-sqlite';
import { dataLayout, openKeysAt } from '@annals/projector';
import { keyFileName, subjectCipher } from '@annals/subject-keys';
import { type Command, InvalidArgumentError } from 'commander';
import { type CommandContext, logFolderIn, withLog } from '../context.ts';
import { unreadable } from '../event-codecs.ts';
import { withExamples } from '../examples.ts';
import { type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { hashOfLogAt } from '../hash-of-log.ts';
import { eventsIn } from '../log-head.ts';
import { another } from '../option-values.ts';
import { plural } from '../output.ts';
import { printable } from '../printable.ts';
import type { Act } from '../program.ts';
import { type Progress, progress } from '../progress.ts';

/** Unreadable events that are named; then counting goes on without names. */
const namedMax = 20;

export function addLogVerify(log: Command, act: Act): void {
  withExamples(
    log
      .command('verify')
      .description(
        'proves the log sound: checks every page, index and event, that no data was changed (where it ' +
          'is sealed, that the seal opens, given the keys), that it is what its digests have signed, and ' +
          'that this program can read each event, and tells the log hash. Of read models it says nothing: ' +
          'see annals verify',
      )
      .option('--hash <hash>', 'also compare with this log hash, as log export tells it', hashText)
      .option(
        '--against <url>',
        'also compare with the log at sqlite:FOLDER, kafka://... or esdb://...',
      )
      .option(
        '--digest-key <key>',
        'a public key that may sign digests; may come several times. Without it a digest is ' +
          'believed the key that it names',
        digestKey,
      )
      .action(act(verifyLog)),
    ['annals log verify', 'is the log sound?'],
    ['annals log verify --data ./restored --hash 9f2c...', 'is it what was exported?'],
    ['annals log verify --against kafka://kafka-1:9092/annals', 'is it what was copied?'],
    ['annals log verify --digest-key 9f2c...', 'is it what this key has signed?'],
  );
}

function hashText(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('A log hash has 64 hex digits.');
}

function digestKey(text: string, before: readonly string[] | undefined): readonly string[] {
  if (digestKeyPattern.test(text)) return another(text, before);
  throw new InvalidArgumentError('A public key of digests has 64 hex digits.');
}

interface VerifyOptions {
  readonly hash?: string;
  readonly against?: string;
  readonly digestKey?: readonly string[];
}

async function verifyLog(
  context: CommandContext,
  { hash: wanted, against, digestKey: trusted = [] }: VerifyOptions,
): Promise<ExitCode> {
  const problems = fileProblems(context);
  const read = problems.length === 0 ? await readAll(context, trusted) : undefined;
  if (context.io.signal.aborted) throw interrupted('stopped before the end of the log');
  problems.push(...(read?.problems ?? []));
  if (read && wanted !== undefined && read.hash !== wanted) {
    problems.push(`the log hash is ${read.hash}, not ${wanted}`);
  }
  if (read && against !== undefined) problems.push(...(await differences(context, read, against)));
  const sound = problems.length === 0;
  const { events, streams, hash, checkpoint, withKeys, digests } = read ?? {};
  const document = {
    sound,
    events: events ?? null,
    streams: streams ?? null,
    hash: hash ?? null,
    checkpoint: checkpoint ?? null,
    personal_data_opened: withKeys ?? false,
    digests: digests
      ? {
          count: digests.digests,
          events: digests.signedEvents,
          public_keys: digests.publicKeys,
          trusted: trusted.length > 0,
        }
      : null,
    problems,
  };
  await context.output.result(document, () => {
    const { paint } = context.output;
    if (!sound) return problems.map((problem) => paint.red(printable(problem))).join('\n');
    const counted = `${plural(events ?? 0, 'event')} in ${plural(streams ?? 0, 'stream')}`;
    return `${paint.green('sound')}: ${counted}, up to ${checkpoint || 'the beginning'}, log hash ${hash}`;
  });
  if (read) remarkOnDigests(context, read.digests, trusted);
  if (read && !read.withKeys) {
    context.output.remark('No key store is here: personal data was left sealed.');
  }
  return sound ? exitCodes.ok : exitCodes.different;
}

/** How far the digests reach; and whose they are, where nobody said whose they have to be. */
function remarkOnDigests(
  { output }: CommandContext,
  { digests, signedEvents, publicKeys }: DigestsChecked,
  trusted: readonly string[],
): void {
  if (digests === 0) {
    if (trusted.length > 0) output.remark('No digest is here: nothing is signed.');
    return;
  }
  output.remark(`${plural(digests, 'digest')} have signed ${plural(signedEvents, 'event')}.`);
  if (trusted.length > 0) return;
  output.remark(
    `Whether their key is yours was not checked (--digest-key): ${publicKeys.join(', ')}`,
  );
}

/** What the log at `url` has otherwise. */
async function differences(
  context: CommandContext,
  { events, hash }: ReadThrough,
  url: string,
): Promise<string[]> {
  const other = await hashOfLogAt(context, url);
  const digest = other.hash.digest();
  if (digest === hash) return [];
  const there = `${plural(other.hash.events, 'event')} and the log hash ${digest}`;
  return [`${other.shown} has ${there}; this log has ${plural(events, 'event')} and ${hash}`];
}

/** Pages and indexes of a log in files; what another engine keeps is for it to check. */
function fileProblems({ site }: CommandContext): string[] {
  if (site.log.kind !== 'sqlite') return [];
  const integrity = checkIntegrity(logFolderIn(site));
  return integrity.kind === 'damaged' ? [...integrity.problems] : [];
}

interface ReadThrough {
  readonly events: number;
  readonly streams: number;
  readonly hash: string;
  readonly checkpoint: string;
  readonly withKeys: boolean;
  readonly digests: DigestsChecked;
  readonly problems: readonly string[];
}

/** Reads the log from its beginning to its end: hashes and decodes every event, and compares it with its digests. */
async function readAll(context: CommandContext, trusted: readonly string[]): Promise<ReadThrough> {
  const { io, json } = context;
  return withLog(context, async (log) => {
    return withKeysIfThere(context, async (cipher) => {
      const shown = progress(io, 'verifying', { unit: 'events', quiet: json });
      try {
        const check = new DigestCheck(log, { trusted, problemsMax: namedMax });
        const read = await hashAndDecode(log, cipher ?? sealedCipher, check, shown, io.signal);
        const digests = await check.finish();
        const problems = [...read.problems, ...digests.problems];
        return { ...read, digests, problems, withKeys: cipher !== undefined };
      } finally {
        shown.stop();
      }
    });
  });
}

async function hashAndDecode(
  log: EventLog,
  cipher: SubjectCipher,
  digests: DigestCheck,
  shown: Progress,
  signal: AbortSignal,
): Promise<Omit<ReadThrough, 'withKeys' | 'digests'>> {
  const total = await eventsIn(log);
  const hash = new LogHash();
  const problems: string[] = [];
  let at: Checkpoint = {};
  while (!signal.aborted) {
    const page = await log.read(at);
    for (const event of page.events) await digests.add(event, hash.add(event));
    at = page.checkpoint;
    const found = [
      ...(await unreadable(page.events, cipher, namedMax)).map((error) => error.message),
      ...page.events.filter(isContentChanged).map(changedMessage),
    ];
    problems.push(...found.slice(0, namedMax - problems.length));
    shown.update(hash.events, total);
    if (page.end) break;
  }
  if (problems.length >= namedMax) problems.push('there may be more that cannot be read');
  const { events, streams } = hash;
  return { events, streams, hash: hash.digest(), checkpoint: encodeCheckpoint(at), problems };
}

/** Takes every subject for erased: the rest of each event is checked all the same. */
const sealedCipher: SubjectCipher = {
  keyring: async () => ({
    state: () => 'erased',
    seal: refuse,
    open: refuse,
    fingerprint: refuse,
  }),
};

function refuse(): never {
  throw new Error('there is no key store');
}

async function withKeysIfThere<T>(
  { site }: CommandContext,
  work: (cipher: SubjectCipher | undefined) => Promise<T>,
): Promise<T> {
  const { keys: place, masterKey } = site;
  if (place.kind === 'sqlite') {
    const { keys: folder, masterKeyFile } = dataLayout(place.folder);
    const hasMasterKey = masterKey !== undefined || existsSync(masterKeyFile);
    if (!hasMasterKey || !existsSync(join(folder, keyFileName))) return work(undefined);
  }
  const keys = await openKeysAt(place, masterKey);
  try {
    return await work(subjectCipher(keys));
  } finally {
    await keys.close();
  }
}
