import { newId } from '@annals/core';
import { type Checkpoint, decodeCheckpoint } from '@annals/event-log';
import { reactorAtRest, reactorsOfPayments } from '@annals/payments/runtime';
import { runReactor } from '@annals/projection';
import { type Command, InvalidArgumentError } from 'commander';
import { type CommandContext, withSite } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Act } from '../program.ts';

export function addReactors(annals: Command, act: Act): void {
  const reactors = annals
    .command('reactors')
    .description('what calls payment providers and moves payments on');
  withExamples(
    reactors
      .command('begin')
      .description(
        'says where a reactor begins that has no progress in this log, or that of another log',
      )
      .argument('<name>', reactorsOfPayments.map(({ name }) => name).join(', '))
      .requiredOption(
        '--from <place>',
        'head: do nothing for what is there; or a checkpoint as annals log head prints it',
        placeText,
      )
      .action(act(begin)),
    ['annals reactors begin payments-executor --from head', 'calls nobody for what is there'],
  );
}

function placeText(text: string): 'head' | Checkpoint {
  if (text === 'head') return text;
  const checkpoint = text === '' ? undefined : decodeCheckpoint(text);
  if (checkpoint) return checkpoint;
  throw new InvalidArgumentError('It is head, or a checkpoint as annals log head prints it.');
}

async function begin(
  context: CommandContext,
  name: string,
  { from }: { readonly from: 'head' | Checkpoint },
): Promise<ExitCode> {
  const known = reactorsOfPayments.find((one) => one.name === name);
  if (!known) {
    const names = reactorsOfPayments.map((one) => one.name).join(', ');
    const message = `there is no reactor ${JSON.stringify(name.slice(0, 64))}; there is: ${names}`;
    throw new CommandError(exitCodes.usage, 'unknown-reactor', message);
  }
  return withSite(context, async (site) => {
    const { cipher, clock } = site;
    const means = { log: site.logOf('payments'), cipher, clock, reactor: reactorAtRest(known) };
    const { signal } = context.io;
    // Without a place: what it comes to says whether one is needed.
    const before = await runReactor({
      ...means,
      runId: newId(),
      signal: AbortSignal.abort(signal.reason),
    });
    if (before.kind === 'stopped') {
      const message = `${name} has its progress in this log already, and goes on from there`;
      throw new CommandError(exitCodes.refused, 'has-progress', message);
    }
    await runReactor({ ...means, from, runId: newId(), signal: AbortSignal.abort(signal.reason) });
    await context.output.result({ reactor: name, from }, () => `${name} begins there`);
    return exitCodes.ok;
  });
}
