import {
  drop,
  type FlipOutcome,
  promote,
  type Refused,
  rollback,
  type Verdict,
} from '@annals/projection';
import type { Command } from 'commander';
import { confirmed } from '../confirm.ts';
import { type CommandContext, knownProjection, withSite } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { operationOn, refusal } from '../operations.ts';
import { generationNumber } from '../option-values.ts';
import type { Act } from '../program.ts';

/** Which generation is live: promote and rollback; and drop, which gives one up. */
export function addFlips(annals: Command, act: Act): void {
  withExamples(
    annals
      .command('promote')
      .description('makes a rebuilt generation live, at once for every reader')
      .argument('<name>', 'the projection')
      .option('--generation <gN>', 'this one, not the newest rebuilt one', generationNumber)
      .option('--despite-differences', 'also when its last verification found differences')
      .action(act(promoteNamed)),
    ['annals promote leaderboard', 'after annals verify leaderboard'],
    ['annals promote leaderboard --generation g3', 'a generation of your choice'],
  );
  withExamples(
    annals
      .command('rollback')
      .description('makes the generation live again that was live before: it is up to date')
      .argument('<name>', 'the projection')
      .option('--despite-differences', 'also when its last verification found differences')
      .action(act(rollbackNamed)),
    ['annals rollback leaderboard', 'undoes the last promote'],
  );
  withExamples(
    annals
      .command('drop')
      .description('gives a generation up and removes all it holds; the live one is refused')
      .argument('<name>', 'the projection')
      .requiredOption('--generation <gN>', 'which one', generationNumber)
      .action(act(dropNamed)),
    ['annals drop leaderboard --generation g1', 'asks first'],
    ['annals drop leaderboard --generation g1 --yes', 'does not ask'],
  );
}

interface FlipFlags {
  readonly despiteDifferences?: boolean;
}

async function promoteNamed(
  context: CommandContext,
  name: string,
  { generation, despiteDifferences }: FlipFlags & { readonly generation?: number },
): Promise<ExitCode> {
  const projection = knownProjection(context, name);
  return withSite(context, async (site) => {
    const operation = operationOn(context, site, projection);
    return flipped(context, name, await promote({ ...operation, generation, despiteDifferences }));
  });
}

async function rollbackNamed(
  context: CommandContext,
  name: string,
  { despiteDifferences }: FlipFlags,
): Promise<ExitCode> {
  const projection = knownProjection(context, name);
  return withSite(context, async (site) => {
    const operation = operationOn(context, site, projection);
    return flipped(context, name, await rollback({ ...operation, despiteDifferences }));
  });
}

async function flipped(
  context: CommandContext,
  name: string,
  outcome: FlipOutcome,
): Promise<ExitCode> {
  const { output, io } = context;
  if (outcome.kind === 'refused') throw refusalToFlip(name, outcome);
  if (outcome.kind === 'behind') {
    if (io.signal.aborted) throw interrupted('stopped: nothing was changed');
    const message = `${name} ${outcome.detail}: nothing was changed`;
    throw new CommandError(exitCodes.refused, 'behind', message);
  }
  const { kind, generation, previous, verdict, canGoBack } = outcome;
  const document = {
    projection: name,
    result: kind,
    generation: `g${generation}`,
    previous: previous === undefined ? null : `g${previous}`,
    verified: verdict === 'found-same',
    verdict,
  };
  await output.result(document, () => {
    const before = previous === undefined ? 'none was before' : `before it was g${previous}`;
    return `${name} g${generation} is live (${before})`;
  });
  if (verdict !== 'found-same' && (kind === 'promoted' || verdict === 'found-different')) {
    const check = `annals verify ${name} --generation g${generation} --refold`;
    output.remark(`${unproven[verdict]}. To check it: ${check}`);
  }
  if (kind === 'promoted' && previous !== undefined) {
    const gone = `annals drop ${name} --generation g${previous}`;
    output.remark(
      canGoBack
        ? `Back: annals rollback ${name}. When g${previous} is not needed any more: ${gone}`
        : `There is no way back to g${previous}. To remove it: ${gone}`,
    );
  }
  return exitCodes.ok;
}

const unproven: { readonly [verdict in Exclude<Verdict, 'found-same'>]: string } = {
  'never-verified': 'It was not verified',
  'consistent-in-itself': 'It was found consistent in itself, but compared with nothing',
  'found-different': 'It is live although its last verification found differences',
};

function refusalToFlip(name: string, outcome: Refused): CommandError {
  if (outcome.reason !== 'found-different') return refusal(outcome);
  const check = `annals verify ${name} --generation g${outcome.generation} --refold`;
  const message =
    `${outcome.detail}. Nothing was changed. To see what differs from the log: ${check}; ` +
    'to make it live all the same: --despite-differences';
  return new CommandError(exitCodes.refused, outcome.reason, message);
}

async function dropNamed(
  context: CommandContext,
  name: string,
  { generation }: { readonly generation: number },
): Promise<ExitCode> {
  const projection = knownProjection(context, name);
  return withSite(context, async (site) => {
    await confirmed(
      context,
      `Drop ${name} g${generation} and all it holds? There is no way back to it, only a rebuild.`,
    );
    const outcome = await drop({ ...operationOn(context, site, projection), generation });
    if (outcome.kind === 'refused') throw refusal(outcome);
    const document = { projection: name, generation: `g${generation}`, dropped: true };
    await context.output.result(document, () => `${name} g${generation} is dropped`);
    return exitCodes.ok;
  });
}
