import { encodeCheckpoint } from '@annals/event-log';
import {
  type NotCompared,
  type Projection,
  type Row,
  type RowDifference,
  type VerifyOutcome,
  type VerifyReport,
  verify,
} from '@annals/projection';
import type { Command } from 'commander';
import { type CommandContext, knownProjection, withSite } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { operationOn, refusal } from '../operations.ts';
import { generationNumber, wholeNumber } from '../option-values.ts';
import { count, type Output, plural } from '../output.ts';
import { printable } from '../printable.ts';
import type { Act } from '../program.ts';

export function addVerify(annals: Command, act: Act): void {
  withExamples(
    annals
      .command('verify')
      .description(
        'proves a rebuilt generation right: holds it and the live one at one checkpoint, compares ' +
          'counts and hashes of all rows, and shows the rows that differ. Where the live one is lost, ' +
          'it compares with a second fold of the whole log, which takes as much space on the disk as ' +
          'the read model while it lasts. It takes the log for true: whether that was changed is for ' +
          'annals log verify to find',
      )
      .argument('<name>', 'the projection')
      .option('--generation <gN>', 'this one, not the newest rebuilt one', generationNumber)
      .option('--refold', 'compare with the second fold in any case')
      .option(
        '--rows <number>',
        'how many differing rows, and problems, to show',
        wholeNumber(0, 10_000),
        10,
      )
      .action(act(verifyNamed)),
    ['annals verify leaderboard', 'the newest rebuilt generation with the live one'],
    [
      'annals verify leaderboard --generation g1 --refold',
      'the live generation with the log itself',
    ],
  );
}

interface VerifyFlags {
  readonly generation?: number;
  readonly refold?: boolean;
  readonly rows: number;
}

async function verifyNamed(
  context: CommandContext,
  name: string,
  { generation, refold, rows }: VerifyFlags,
): Promise<ExitCode> {
  const projection = knownProjection(context, name);
  return withSite(context, async (site) => {
    const outcome = await verify({
      ...operationOn(context, site, projection),
      generation,
      refold,
      scratch: () => site.scratchFor(projection),
      differencesMax: rows,
    });
    if (outcome.kind === 'refused') throw refusal(outcome);
    if (outcome.kind === 'not-reached') {
      if (context.io.signal.aborted) throw interrupted('stopped: nothing was compared');
      throw new CommandError(exitCodes.failed, 'not-reached', `${name} ${outcome.detail}`);
    }
    const { output } = context;
    await output.result(document(projection, outcome, rows), () =>
      shown(output, projection, outcome, rows),
    );
    if (outcome.kind === 'different') return exitCodes.different;
    output.remark(nextStep(name, outcome));
    return exitCodes.ok;
  });
}

type Judged = Extract<VerifyOutcome, VerifyReport>;

function document(projection: Projection, outcome: Judged, most: number) {
  return {
    projection: projection.name,
    result: outcome.kind,
    generation: `g${outcome.generation}`,
    against: otherName(outcome) ?? null,
    not_compared: outcome.notCompared ?? null,
    checkpoint: encodeCheckpoint(outcome.checkpoint),
    tables: outcome.tables,
    other_tables: outcome.otherTables,
    differences: outcome.differences,
    problems: outcome.problems.slice(0, most),
    problems_found: outcome.problems.length,
    parked: outcome.parked,
    other_parked: outcome.otherParked ?? null,
  };
}

function otherName({ against }: Judged): string | undefined {
  if (against === undefined) return undefined;
  return against === 'refold' ? 'a second fold of the log' : `g${against}`;
}

const whyNotCompared: { readonly [why in NotCompared]: string } = {
  'no-live': 'there is no live generation',
  'is-live': 'it is the live one itself',
  'live-lost': 'the store of the live one is lost',
  'live-diverged': 'the live one was made from events that the log does not hold',
  'live-other-version': 'the live one was made by another version of the projection',
  frozen: 'it is a point in time',
};

function shown(output: Output, projection: Projection, outcome: Judged, most: number): string {
  const { paint } = output;
  const own = `${projection.name} g${outcome.generation}`;
  const other = otherName(outcome);
  const at = encodeCheckpoint(outcome.checkpoint) || 'the beginning';
  const why = outcome.notCompared && whyNotCompared[outcome.notCompared];
  const compared = other
    ? `compared with ${other}${why ? `, as ${why}` : ''}`
    : `not compared, as ${why}`;
  const verdict =
    outcome.kind === 'verified'
      ? paint.green(other ? 'the same in every row' : 'consistent in itself')
      : paint.red('different');
  const tables = outcome.tables.map(({ table, rows, hash }, index) => {
    const counterpart = outcome.otherTables[index];
    const same = counterpart && counterpart.rows === rows && counterpart.hash === hash;
    return [
      table,
      count(rows),
      counterpart ? count(counterpart.rows) : '-',
      hash.slice(0, 16),
      counterpart ? (same ? 'same' : paint.red('different')) : '-',
    ];
  });
  return [
    `${own} at ${at}, ${compared}: ${verdict}`,
    output.table(['table', 'rows', 'rows there', 'hash', 'result'], tables),
    ...outcome.differences.flatMap((one) => differenceLines(projection, one)),
    ...problemLines(outcome, most).map(paint.red),
    ...parkedLines(outcome),
  ].join('\n');
}

function problemLines({ problems }: Judged, most: number): string[] {
  const lines = problems.slice(0, most).map((problem) => `problem: ${printable(problem)}`);
  const more = problems.length - lines.length;
  return more === 0 ? lines : [...lines, `${plural(more, 'more problem')}: --rows shows more`];
}

function parkedLines({ parked, otherParked = 0 }: Judged): string[] {
  if (parked === 0 && otherParked === 0) return [];
  const here = plural(parked, 'event');
  return [`parked: ${here} here, ${count(otherParked)} there; rows they would change are behind`];
}

/** The key of a row that differs, and the columns that do. */
function differenceLines(projection: Projection, difference: RowDifference): string[] {
  const { table, key, row, other } = difference;
  const named = `${table} ${key.map(cellText).join(', ')}`;
  if (!row) return [`- ${named}: missing here`];
  if (!other) return [`+ ${named}: only here: ${rowText(row)}`];
  const columns = Object.keys(projection.tables.find((one) => one.name === table)?.columns ?? row);
  const changed = columns.filter((name) => cellText(row[name]) !== cellText(other[name]));
  return changed.map((name) => {
    return `~ ${named}: ${name} is ${cellText(row[name])} here, ${cellText(other[name])} there`;
  });
}

function rowText(row: Row): string {
  return Object.entries(row)
    .map(([name, cell]) => `${name}=${cellText(cell)}`)
    .join(' ');
}

function cellText(cell: Row[string] | undefined): string {
  if (cell instanceof Uint8Array) return `0x${Buffer.from(cell).toString('hex')}`;
  return typeof cell === 'string' ? printable(JSON.stringify(cell)) : String(cell ?? null);
}

function nextStep(name: string, { generation, against, notCompared }: Judged): string {
  if (notCompared === 'is-live' || notCompared === 'frozen') {
    return `To compare it with the log itself: annals verify ${name} --generation g${generation} --refold`;
  }
  if (against !== undefined) return `Next: annals promote ${name}`;
  return `Next: annals promote ${name}; to compare with the log itself first: annals verify ${name} --refold`;
}
