import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs a script of ours as a process of its own, so that it has a core, a heap and a resident size of
 * its own, and talks to it. It ends when we do: each script ends when its channel closes.
 */
export class Child<Message> {
  readonly #process: ChildProcess;
  readonly #inbox: Message[] = [];
  #wake: (() => void) | undefined;

  constructor(script: string, args: readonly string[], nodeOptions: readonly string[] = []) {
    this.#process = fork(script, args, {
      execArgv: [...process.execArgv, ...nodeOptions],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message) => {
      this.#inbox.push(message as Message);
      this.#wake?.();
    });
    this.#process.once('exit', () => this.#wake?.());
  }

  /** The next message, waiting for it. Throws an Error when the process ends first. */
  async next(): Promise<Message> {
    while (this.#inbox.length === 0) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        throw new Error(`${this.#process.spawnargs.at(1)} ended before it answered`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#inbox.shift() as Message;
  }

  send(message: object): void {
    this.#process.send(message);
  }

  /** Closes the channel, at which the process ends. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    await ended;
  }
}
