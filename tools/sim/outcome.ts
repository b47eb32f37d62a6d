import { InvariantError, type Trace } from './trace.ts';

/** What came of one seed. */
export interface Outcome {
  readonly seed: number;
  readonly digest: string;
  readonly lines: number;
  readonly events: number;
  readonly failure: { readonly invariant: string; readonly message: string } | undefined;
  /** The last lines of the trace. */
  readonly trace: readonly string[];
}

/** The play of one seed. */
export interface Played {
  readonly events: number;
  /** Throws where a promise is broken: an InvariantError, or whatever came through the code that is played. */
  run(): Promise<void>;
  end(): Promise<void> | void;
}

/** Plays a seed to its end, and says what came of it. */
export async function outcomeOf(seed: number, trace: Trace, simulation: Played): Promise<Outcome> {
  let failure: Outcome['failure'];
  try {
    await simulation.run();
  } catch (error) {
    const invariant = error instanceof InvariantError ? error.invariant : 'no-crash';
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    trace.say(`broken: ${invariant}`);
    failure = { invariant, message };
  } finally {
    await simulation.end();
  }
  const { lines, kept } = trace;
  return { seed, digest: trace.digest(), lines, events: simulation.events, failure, trace: kept };
}
