import { type DeadCall, listDeadCalls, retryDeadCall } from '@annals/payments/reactors';
import { type CommandContext, withSite } from '../context.ts';
import { CommandError, type ExitCode, exitCodes } from '../exit-codes.ts';
import { plural, time } from '../output.ts';
import { printable } from '../printable.ts';

/** Calls to payment providers that nobody could bring to an end: a person has to look, and may have them tried again. */

async function callsOf<T>(
  context: CommandContext,
  work: (calls: readonly DeadCall[], means: Parameters<typeof retryDeadCall>[0]) => Promise<T>,
): Promise<T> {
  return withSite(context, async (site) => {
    const means = { log: site.logOf('payments'), cipher: site.cipher };
    return work(await listDeadCalls(means), means);
  });
}

export async function listCalls(context: CommandContext): Promise<ExitCode> {
  return callsOf(context, async (calls) => {
    const document = { letters: calls.map(callDocument) };
    await context.output.result(document, () =>
      calls.length === 0
        ? 'no call to a payment provider waits for a person'
        : context.output.table(
            ['key', 'call', 'of', 'why', 'buried', 'state'],
            calls.map(({ key, call, psp, stream, revision, reason, buriedAt, retried }) => [
              key,
              printable(`${call} at ${psp}`),
              printable(`${stream}@${revision}`),
              printable(reason),
              time(buriedAt),
              retried ? 'tried again' : 'waits',
            ]),
          ),
    );
    return exitCodes.ok;
  });
}

export async function showCall(context: CommandContext, key: string): Promise<ExitCode> {
  return callsOf(context, async (calls) => {
    const call = calls.find((one) => one.key === key);
    if (!call) throw unknownCall(key);
    const tries = call.tries.map(({ at, what, came }) => [time(at), what, printable(came)]);
    await context.output.result(callDocument(call), () =>
      [
        printable(`${call.call} at ${call.psp}, asked for by ${call.stream}@${call.revision}`),
        printable(`${call.reason}: ${call.detail}`),
        context.output.table(['at', 'what', 'came'], tries),
      ].join('\n'),
    );
    return exitCodes.ok;
  });
}

/** Asks for one more try of a call, or of all that wait. A running projector comes to it. */
export async function retryCalls(
  context: CommandContext,
  key: string | undefined,
): Promise<ExitCode> {
  return callsOf(context, async (calls, means) => {
    if (key !== undefined && !calls.some((one) => one.key === key)) throw unknownCall(key);
    const asked = calls.filter((one) => (key === undefined ? !one.retried : one.key === key));
    const at = context.io.clock.now();
    const requested: string[] = [];
    for (const call of asked) {
      const outcome = await retryDeadCall(means, { key: call.key, requestedBy: 'annals', at });
      if (outcome.kind === 'requested') requested.push(call.key);
      else if (key !== undefined) {
        throw new CommandError(exitCodes.refused, outcome.reason, outcome.detail);
      }
    }
    await context.output.result({ requested }, () =>
      requested.length === 0
        ? 'no call to a payment provider waits for a person'
        : `${plural(requested.length, 'call')} asked for again: see annals dead-letters list`,
    );
    return exitCodes.ok;
  });
}

/** Money may have moved: a call is forgotten by nobody. */
export function notDiscarded(): CommandError {
  const message =
    'a call to a payment provider is never given up: find out what became of it, then retry it';
  return new CommandError(exitCodes.refused, 'not-discarded', message);
}

function unknownCall(key: string): CommandError {
  const message = `there is no dead letter ${JSON.stringify(key.slice(0, 64))}`;
  return new CommandError(exitCodes.usage, 'unknown-call', message);
}

function callDocument(call: DeadCall) {
  const { key, stream, revision, psp, reason, detail, tries, buriedAt, retried } = call;
  return {
    ...{ key, call: call.call, psp, stream, revision, reason, detail, retried },
    buried_at: time(buriedAt),
    tries: tries.map(({ at, what, came }) => ({ at: time(at), what, came })),
  };
}
