import { existsSync, statSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { fileProblem } from '@annals/core';
import {
  type Checkpoint,
  type EventLog,
  encodeCheckpoint,
  exportLog,
  type Manifest,
} from '@annals/event-log';
import type { Command } from 'commander';
import { confirmed } from '../confirm.ts';
import { type CommandContext, withLog } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { eventsIn } from '../log-head.ts';
import { checkpointText } from '../option-values.ts';
import { plural } from '../output.ts';
import type { Act } from '../program.ts';
import { progress } from '../progress.ts';

export function addLogExport(log: Command, act: Act): void {
  withExamples(
    log
      .command('export')
      .description(
        'writes the log as lines of JSON; personal data stays sealed, keys are not in it; ' +
          'writers may go on meanwhile. Stops at an event whose data was changed',
      )
      .argument('<file>', 'where to; - is standard output')
      .option('--gzip', 'compress (also without it when the name ends in .gz)')
      .option('--from <checkpoint>', 'only events after this one (see log head)', checkpointText)
      .action(act(exportTo)),
    ['annals log export log.ndjson.gz', 'the whole log, compressed'],
    ['annals log export - | wc -l', 'to another program'],
    [
      'annals log export more.ndjson --from 0:0000000000001000',
      'what came after an earlier export',
    ],
  );
}

interface ExportOptions {
  readonly gzip?: boolean;
  readonly from?: Checkpoint;
}

async function exportTo(
  context: CommandContext,
  file: string,
  options: ExportOptions,
): Promise<ExitCode> {
  return withLog(context, async (log) => {
    const gzip = options.gzip === true || file.endsWith('.gz');
    if (file === '-') {
      const done = await writeLines(context, log, context.io.out, { ...options, gzip });
      if (!done) throw interrupted('stopped: the last line, the manifest, was not written');
      context.output.remark(summary(done));
      return exitCodes.ok;
    }
    mustBeAFile(file);
    if (existsSync(file)) await confirmed(context, `${file} is there. Write over it?`);
    // Under its own name only when it is whole and on disk.
    const draft = `${file}.${process.pid}.partial`;
    const handle = await openDraft(draft, file);
    try {
      const to = handle.createWriteStream({ flush: true });
      const done = await writeLines(context, log, to, { ...options, gzip });
      if (!done) throw interrupted(`stopped: ${file} was not written`);
      await rename(draft, file);
      await syncFolder(dirname(file));
      const { manifest, checkpoint } = done;
      await context.output.result({ file, ...manifest, checkpoint }, () => {
        return `${file}: ${summary(done)}`;
      });
      return exitCodes.ok;
    } finally {
      await rm(draft, { force: true });
    }
  });
}

/** Throws CommandError for a target that is a folder, or lies in none. */
function mustBeAFile(file: string): void {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory()) {
    throw new CommandError(exitCodes.usage, 'not-a-file', `${file} is a folder: name a file in it`);
  }
  const folder = dirname(file);
  if (existsSync(folder)) return;
  const message = `there is no folder ${folder} to write ${basename(file)} to`;
  throw new CommandError(exitCodes.usage, 'no-such-folder', message);
}

async function openDraft(draft: string, file: string): Promise<FileHandle> {
  try {
    return await open(draft, 'w', 0o600);
  } catch (cause) {
    const problem = fileProblem(cause);
    if (!problem) throw cause;
    const message = `${file} cannot be written. ${problem.sentence}`;
    throw new CommandError(exitCodes.usage, 'not-writable', message);
  }
}

interface Done {
  readonly manifest: Manifest;
  /** How far it came: `--from` of the next one. */
  readonly checkpoint: string;
}

function summary({ manifest, checkpoint }: Done): string {
  const { events, streams, hash } = manifest;
  const counted = `${plural(events, 'event')}, ${plural(streams, 'new stream')}`;
  return `${counted}, up to ${checkpoint || 'the beginning'}, log hash ${hash}`;
}

/** Writes all lines to `to`, and ends it unless it is our standard output. Undefined when stopped. */
async function writeLines(
  context: CommandContext,
  log: EventLog,
  to: Writable,
  options: ExportOptions,
): Promise<Done | undefined> {
  const { signal } = context.io;
  const total = await eventsIn(log);
  const shown = progress(context.io, 'exporting', { unit: 'events', quiet: context.json });
  let checkpoint = encodeCheckpoint(options.from ?? {});
  let last = '';
  const exported = exportLog(log, {
    signal,
    ...(options.from ? { from: options.from } : {}),
    onProgress: ({ events, checkpoint: at }) => {
      checkpoint = encodeCheckpoint(at);
      shown.update(events, total);
    },
  });
  async function* lines() {
    for await (const line of exported) {
      last = line;
      yield `${line}\n`;
    }
  }
  const end = to !== context.io.out;
  try {
    const from = Readable.from(lines());
    if (options.gzip) await pipeline(from, createGzip(), to, { end });
    else await pipeline(from, to, { end });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    shown.stop();
  }
  if (signal.aborted) return undefined;
  return { manifest: (JSON.parse(last) as { manifest: Manifest }).manifest, checkpoint };
}

/** Makes the new name durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
