import { hostname } from 'node:os';
import { newId } from '@annals/core';
import type { Projection, RefusalReason, Refused } from '@annals/projection';
import { productOf, type Site } from '@annals/projector';
import type { CommandContext } from './context.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

/** What every operation on a projection needs, as this run of the command has it. */
export function operationOn(context: CommandContext, site: Site, projection: Projection) {
  const { cipher, clock } = site;
  return {
    log: site.logOf(productOf(projection)),
    cipher,
    clock,
    projection,
    store: site.storeFor(projection),
    holder: `cli/${hostname()}/${process.pid}/${newId()}`,
    signal: context.io.signal,
  };
}

/** Refusals that lie with what was typed: a wrong value, or the name of something that is not there. */
const typed: ReadonlySet<RefusalReason> = new Set([
  'no-such-generation',
  'dropped',
  'too-many-workers',
  'until-invalid',
  'no-such-letter',
]);

/** An operation that was refused, as the end of the command. */
export function refusal({ reason, detail }: Refused): CommandError {
  const exitCode = typed.has(reason)
    ? exitCodes.usage
    : reason === 'lost'
      ? exitCodes.unavailable
      : exitCodes.refused;
  return new CommandError(exitCode, reason, detail);
}
