import type { Clock } from '@annals/core';

/** Work that is done from time to time. Done twice it comes to the same: it looks at what is due, and no further. */
export interface ScheduledStep {
  readonly name: string;
  readonly everyMs: number;
  /** After a run that failed or was not all done; `scheduleLimits.laterMs` unless told. */
  readonly laterMs?: number;
  /** `later`: not all could be done, and the step is asked again soon. Throws where something is broken. */
  run(signal: AbortSignal): Promise<'done' | 'later'>;
}

export interface ScheduleOptions {
  readonly steps: readonly ScheduledStep[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether this process should do the work now. */
  readonly mayWork: () => boolean;
  readonly onTrouble: (step: string, detail: string) => void;
}

export const scheduleLimits = {
  /** Between two looks at which step is due. */
  lookMs: 250,
  /** After a step that failed or was not all done. */
  laterMs: 5_000,
} as const;

/** Works the steps off, one after the other, until the signal is aborted. Never rejects. */
export async function runSchedule(options: ScheduleOptions): Promise<void> {
  const { steps, clock, signal, mayWork } = options;
  const dueAt = new Map<string, number>();
  while (!signal.aborted) {
    for (const step of steps) {
      if (signal.aborted || !mayWork()) break;
      const now = clock.now();
      // A clock that was set back must not stop a step for as long.
      const due = Math.min(dueAt.get(step.name) ?? now, now + step.everyMs);
      dueAt.set(step.name, due);
      if (now < due) continue;
      const came = await runStep(options, step);
      const { everyMs, laterMs = Math.min(everyMs, scheduleLimits.laterMs) } = step;
      dueAt.set(step.name, clock.now() + (came === 'done' ? everyMs : laterMs));
    }
    await clock.sleep(scheduleLimits.lookMs, signal);
  }
}

async function runStep(
  { signal, onTrouble }: ScheduleOptions,
  step: ScheduledStep,
): Promise<'done' | 'later'> {
  try {
    return await step.run(signal);
  } catch (error) {
    if (signal.aborted) return 'later';
    onTrouble(
      step.name,
      error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    );
    return 'later';
  }
}
