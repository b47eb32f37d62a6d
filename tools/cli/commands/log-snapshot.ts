import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes } from '../exit-codes.ts';
import { plural } from '../output.ts';
import type { Act } from '../program.ts';

export function addLogSnapshot(log: Command, act: Act): void {
  withExamples(
    log
      .command('snapshot')
      .description(
        'copies the replica of a log on Kafka while its process goes on: the folder of a new process, ' +
          'which then reads only what came after it',
      )
      .argument('<replica>', 'the folder of a replica')
      .argument('<folder>', 'a new folder, or an empty one')
      .action(act(snapshot)),
    ['annals log snapshot /var/lib/annals/replica /backup/replica', 'for the next process'],
  );
}

async function snapshot(
  context: CommandContext,
  replica: string,
  folder: string,
): Promise<ExitCode> {
  // Loaded where it is used: no other command needs a Kafka client.
  const { snapshotReplica } = await import('@annals/event-log-kafka');
  const result = await snapshotReplica(replica, folder);
  if (result.kind === 'target-exists') {
    const message = `${result.target} is there already: nothing was written over`;
    throw new CommandError(exitCodes.refused, 'target-exists', message);
  }
  const { partitions, events } = result;
  const document = { folder, partitions, events };
  const words = () =>
    `${plural(events, 'event')} of ${plural(partitions, 'partition')} in ${folder}`;
  await context.output.result(document, words);
  return exitCodes.ok;
}
