import { encodeCheckpoint } from '@annals/event-log';
import { subjectProblem } from '@annals/subject-keys';
import type { Command } from 'commander';
import { confirmed } from '../confirm.ts';
import { type CommandContext, withSite } from '../context.ts';
import {
  allPlaces,
  type Place,
  type Purge,
  purgeAll,
  recordErasure,
  standsStill,
} from '../erase-subject.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { wholeNumber } from '../option-values.ts';
import { printable } from '../printable.ts';
import type { Act } from '../program.ts';

export function addSubjects(annals: Command, act: Act): void {
  const subjects = annals.command('subjects').description('the people whose personal data is held');
  withExamples(
    subjects
      .command('erase')
      .description(
        'erases a person: the key of their data is destroyed, the log says so, and every read ' +
          'model is purged. Ranks and totals stay. Safe to repeat',
      )
      .argument('<subject>', 'kind:id, as in player:ann')
      .option('--wait <seconds>', 'for read models to pass the erasure', wholeNumber(1, 3_600), 60)
      .action(act(erase)),
    ['annals subjects erase player:ann', 'asks first'],
    ['annals subjects erase player:ann --yes', 'does not ask'],
  );
}

async function erase(
  context: CommandContext,
  subject: string,
  { wait }: { readonly wait: number },
): Promise<ExitCode> {
  const problem = subjectProblem(subject);
  if (problem) throw new CommandError(exitCodes.usage, 'invalid-subject', problem);
  return withSite(context, async (site) => {
    const known = (await site.keys.get([subject])).get(subject);
    const before = await allPlaces(site);
    await confirmed(context, question(subject, known?.kind, before));
    const { erasure, goals } = await recordErasure(site, subject);
    if (erasure.kind === 'not-recorded') {
      const message = `the log did not take the erasure (${erasure.answer.kind}): nothing is erased`;
      throw new CommandError(exitCodes.failed, 'not-recorded', message);
    }
    const { partition, position } = erasure.recorded;
    const places = await allPlaces(site);
    const purges = await purgeAll(context, site, places, { goals, waitMs: wait * 1_000 });
    const document = {
      subject,
      key_destroyed: erasure.keyDestroyed,
      erased_before: erasure.recorded.duplicate,
      position: encodeCheckpoint({ [partition]: position }),
      generations: purges.map(({ projection, generation, result }) => {
        return { projection, generation: `g${generation}`, result };
      }),
    };
    await context.output.result(document, () => shown(subject, erasure.keyDestroyed, purges));
    return ended(context, purges);
  });
}

function question(subject: string, known: 'key' | 'erased' | undefined, places: readonly Place[]) {
  const unknown = known === undefined ? ' The key store has never seen this subject.' : '';
  const dropped = places
    .filter((place) => standsStill(place) && !place.report.isLive)
    .map(({ projection, report }) => `${projection.name} g${report.generation} (${report.kind})`);
  const goes =
    dropped.length === 0 ? '' : ` Dropped with it, as they stand still: ${dropped.join(', ')}.`;
  return `Erase the personal data of ${printable(subject)}, for good?${unknown}${goes}`;
}

function shown(subject: string, keyDestroyed: boolean, purges: readonly Purge[]): string {
  const key = keyDestroyed
    ? 'its key is destroyed'
    : 'it had no key (erased before, or never seen)';
  const lines = purges.map(({ projection, generation, result }) => {
    return `  ${projection} g${generation}: ${meanings[result]}`;
  });
  return [`${printable(subject)} is erased: the log says so, ${key}`, ...lines].join('\n');
}

const meanings: { readonly [result in Purge['result']]: string } = {
  purged: 'purged',
  dropped: 'dropped, as it stood still',
  lost: 'its store was lost already',
  behind: 'has not come to the erasure yet',
  blocked:
    'has come to it, but older bytes are held: by a reader, or until Cassandra compacts (docs/configuration.md: compact)',
  live: 'is live and made by another version: rebuild and promote, then erase again',
};

function ended({ io }: CommandContext, purges: readonly Purge[]): ExitCode {
  const open = purges.filter(({ result }) => ['behind', 'blocked', 'live'].includes(result));
  if (open.length === 0) return exitCodes.ok;
  const names = open.map(({ projection, generation }) => `${projection} g${generation}`);
  const message = `not purged yet: ${names.join(', ')}; the same command goes on`;
  if (io.signal.aborted) throw interrupted(message);
  throw new CommandError(exitCodes.failed, 'not-purged', message);
}
