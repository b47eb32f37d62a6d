import { createReadStream, existsSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import {
  type EventLog,
  type ImportProgress,
  type ImportRefusal,
  type ImportRefused,
  type ImportResult,
  importLog,
  limits,
} from '@annals/event-log';
import { dataLayout, openLogAt, projectionsOf } from '@annals/projector';
import type { Command } from 'commander';
import { type CommandContext, opened, openingOf } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { count, plural } from '../output.ts';
import type { Act } from '../program.ts';
import { type Progress, progress } from '../progress.ts';
import { rehearsalLog } from '../rehearsal-log.ts';
import { textLines } from '../text-lines.ts';

export function addLogImport(log: Command, act: Act): void {
  withExamples(
    log
      .command('import')
      .description(
        'stores what log export wrote, into a new data folder or on top of an earlier import; ' +
          'safe to repeat. A file is checked as a whole before anything is written; standard ' +
          'input is stored as it comes.',
      )
      .argument('<file>', 'an export, compressed or not; - is standard input')
      .action(act(importFrom)),
    ['annals log import log.ndjson.gz --data ./restored', 'a log into a new folder'],
    ['gunzip -c log.ndjson.gz | annals log import -', 'from another program'],
  );
}

async function importFrom(context: CommandContext, file: string): Promise<ExitCode> {
  const { dataFolder, log: place } = context.site;
  const isNew = place.kind === 'sqlite' && !existsSync(dataLayout(place.folder).log);
  if (file !== '-') {
    const checked = await rehearse(context, file, isNew);
    if (checked.kind !== 'imported') throw ended(file, checked);
  }
  let log: EventLog | undefined;
  const open = async () => {
    const opening = { ...openingOf(context), dataFolder, mustExist: false };
    log = (await openLogAt(place, opening)).log;
    return log;
  };
  try {
    const result = await importLines(context, file, open, 'importing');
    if (result.kind !== 'imported') throw ended(file, result);
    await tell(context, result, isNew);
    return exitCodes.ok;
  } finally {
    await log?.close();
  }
}

async function rehearse(
  context: CommandContext,
  file: string,
  isNew: boolean,
): Promise<ImportResult> {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats) throw new CommandError(exitCodes.usage, 'no-such-file', `there is no file ${file}`);
  if (!stats.isFile()) throw new CommandError(exitCodes.usage, 'not-a-file', `${file} is no file`);
  const { dataFolder, log: place } = context.site;
  // A topic is made where there is none: an empty one is the place to go.
  const mustExist = place.kind === 'sqlite';
  const real = isNew
    ? undefined
    : await opened(context, (opening) =>
        openLogAt(place, { ...opening, dataFolder, mustExist, readOnly: true }),
      );
  try {
    return await importLines(context, file, async () => rehearsalLog(real?.log), 'checking');
  } finally {
    await real?.log.close();
  }
}

async function importLines(
  context: CommandContext,
  file: string,
  open: () => Promise<EventLog>,
  what: string,
): Promise<ImportResult> {
  const { io } = context;
  const shown = progress(io, what, { unit: 'lines', quiet: context.json });
  const source = new ExportSource(file === '-' ? io.stdin : createReadStream(file));
  const total = file === '-' ? undefined : statSync(file).size;
  const onProgress = ({ lines }: ImportProgress) => show(shown, source, lines, total);
  try {
    const lines = source.lines();
    const first = await lines.next();
    const head = first.done ? [] : [first.value];
    // Nothing is made for what does not even begin like an export.
    const begun = await importLog(rehearsalLog(undefined), head);
    if (begun.kind === 'refused' && begun.reason !== 'truncated') return begun;
    const all = first.done ? lines : withFirst(first.value, lines);
    return await importLog(await open(), all, { onProgress, signal: io.signal });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!code?.startsWith('Z_')) throw error;
    const detail = 'the compressed data is damaged or cut short';
    return { kind: 'refused', reason: 'corrupted-line', line: source.line + 1, detail };
  } finally {
    source.destroy();
    shown.stop();
  }
}

/** How many lines there will be is guessed from how much of the file they took. */
function show(shown: Progress, source: ExportSource, lines: number, total?: number): void {
  const share = total ? source.bytes / total : 0;
  shown.update(lines, share > 0 ? Math.round(lines / share) : lines);
}

/** The lines of an export, compressed or not; it knows how far it has been read. */
class ExportSource {
  /** Bytes as they came, compressed or not. */
  bytes = 0;
  line = 0;
  readonly #from: NodeJS.ReadableStream & { destroy?: () => void };

  constructor(from: NodeJS.ReadableStream & { destroy?: () => void }) {
    this.#from = from;
  }

  async *lines(): AsyncGenerator<string, void, undefined> {
    for await (const line of textLines(this.#plain(), limits.exportLineCharsMax)) {
      this.line += 1;
      yield line;
    }
  }

  destroy(): void {
    this.#from.destroy?.();
  }

  async *#plain(): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = this.#chunks();
    const first = await chunks.next();
    if (first.done) return;
    const all = withFirst(first.value, chunks);
    if (first.value[0] === 0x1f && first.value[1] === 0x8b) yield* gunzipped(all);
    else yield* all;
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#from) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      this.bytes += bytes.length;
      yield bytes;
    }
  }
}

async function* withFirst<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* rest;
}

async function* gunzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  // Whatever ends it early comes out of the other end as well.
  pipeline(Readable.from(chunks), gunzip).catch(() => undefined);
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
  } finally {
    gunzip.destroy();
  }
}

/** The others are refusals of the log. */
const exitCodeOf: { readonly [reason in ImportRefusal]?: ExitCode } = {
  'not-an-export': exitCodes.usage,
  'newer-format': exitCodes.usage,
  'corrupted-line': exitCodes.usage,
  truncated: exitCodes.usage,
  'manifest-mismatch': exitCodes.usage,
  'changed-event': exitCodes.different,
  'append-failed': exitCodes.failed,
};

function ended(
  file: string,
  result: Exclude<ImportResult, { readonly kind: 'imported' }>,
): CommandError {
  if (result.kind === 'refused') return refusal(file, result);
  return interrupted(
    `stopped at line ${count(result.line)}: the same command goes on from what is there`,
  );
}

function refusal(file: string, { reason, line, detail }: ImportRefused): CommandError {
  const exitCode = exitCodeOf[reason] ?? exitCodes.refused;
  const name = file === '-' ? 'standard input' : file;
  return new CommandError(exitCode, reason, `${name}: line ${line}: ${detail}`, { line });
}

async function tell(
  context: CommandContext,
  result: Extract<ImportResult, { readonly kind: 'imported' }>,
  isNew: boolean,
): Promise<void> {
  const { manifest, added, present, others } = result;
  await context.output.result({ ...manifest, added, present, others }, () => {
    const counted = `${plural(added, 'event')} added, ${count(present)} were there already`;
    const rest = others === 0 ? '' : `; ${plural(others, 'event')} of the log are not in this file`;
    return `${counted}${rest}; log hash ${manifest.hash}`;
  });
  if (!isNew) return;
  const data = context.site.dataFolder;
  context.output.remark(
    [
      'The log is in a new folder. Read models are not part of an export; bring each back by replay:',
      ...projectionsOf(context.site).map(({ name }) => {
        return `  annals rebuild ${name} --data ${data} && annals promote ${name} --data ${data}`;
      }),
      'Personal data opens only with the keys it was sealed with: put the backup of the key store, and',
      `its master key, into ${dataLayout(data).keys} before that.`,
    ].join('\n'),
  );
}
