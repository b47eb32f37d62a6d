import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { runMain } from './platform-process.ts';

type Program = ReturnType<typeof runMain>;

/** A program that is killed and started again, each time with the same settings and so at the same place. */
export class Restarted {
  readonly name: string;
  readonly #run: () => Program;
  readonly #ready: RegExp;
  readonly #killed = new WeakSet<Program>();
  #program: Program | undefined;
  #said = '';
  kills = 0;

  /** `ready`: what it prints once it can be used. */
  constructor(name: string, ready: RegExp, run: () => Program) {
    this.name = name;
    this.#ready = ready;
    this.#run = run;
  }

  /** Resolves when it is ready, or was killed before. Throws when it ended by itself. */
  async start(): Promise<void> {
    const program = this.#run();
    this.#program = program;
    await new Promise<void>((resolve, reject) => {
      program.child.stdout.on('data', () => this.#ready.test(program.text.out) && resolve());
      program.ended.then(({ code, out, err }) => {
        if (this.#killed.has(program)) resolve();
        else reject(new Error(`${this.name} ended with ${code}:\n${out}${err}`));
      });
    });
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const program = this.#program;
    if (!program) return;
    this.#program = undefined;
    this.#killed.add(program);
    this.kills += 1;
    program.child.kill('SIGKILL');
    await program.ended;
    this.#said += program.text.out + program.text.err;
  }

  /** All that it has ever printed. */
  said(): string {
    const { out = '', err = '' } = this.#program?.text ?? {};
    return this.#said + out + err;
  }
}

/** Below what systems take for outgoing connections: nobody gets it while a killed program waits to come back on it. */
const portRange = { from: 20_000, to: 32_768 } as const;

/** A port of this machine that nobody listens on at this moment. */
export async function quietPort(): Promise<number> {
  for (;;) {
    const port = randomInt(portRange.from, portRange.to);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer().once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
