/** Time as the log passes it: that of the machine, or that of a simulation. */
export interface Timers {
  /** Milliseconds since some moment; never goes back. */
  nowMs(): number;
  after(ms: number, run: () => void): Timer;
  /** Runs when this turn and its microtasks are over. */
  soon(run: () => void): void;
}

export interface Timer {
  cancel(): void;
}

export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after: (ms, run) => {
    const timeout = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timeout) };
  },
  soon: (run) => {
    setImmediate(run);
  },
};
