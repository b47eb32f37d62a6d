import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describeOn } from '@annals/core/testing';
import { expect, onTestFinished, test } from 'vitest';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { type CallerTale, hotStream } from './testing/hot-stream-writer.ts';

const writer = fileURLToPath(new URL('./testing/hot-stream-writer.ts', import.meta.url));

/** A process with some callers, which begin at `go`. */
function startWriter(task: object) {
  const child = spawn(process.execPath, [writer, JSON.stringify(task)]);
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let out = '';
  let err = '';
  const ready = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (out.startsWith('ready\n')) ready.resolve();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<readonly CallerTale[]>((resolve, reject) => {
    child.on('close', (code) => {
      const failed = new Error(`a writer ended with ${code}: ${err}`);
      ready.reject(failed);
      if (code === 0) resolve(JSON.parse(out.slice('ready\n'.length)));
      else reject(failed);
    });
  });
  ended.catch(() => undefined);
  return { ready: ready.promise, go: () => child.stdin.write('go\n'), ended };
}

const processes = 2;
const callersEach = 4;
const callers = processes * callersEach;
const appends = 40;

/** One of all who expect the same revision is always taken, so each append costs each caller one attempt at most. */
const attemptsPerAppendMax = callers;
/** What the luckiest caller of a process gets, while all of them want something, of what the unluckiest gets. */
const ratioInProcessMax = 2;
/** The same of all callers: which process is quicker to hear of a verdict is a matter of luck and of the machine. */
const ratioMax = 10;
/** How often one caller may come too late for one append. */
const attemptsOfOneMax = 10 * callers;
const secondsMax = 60;

await describeOn('kafka', 'one hot stream', (kafka) => {
  test(
    `${callers} callers of ${processes} processes each append ${appends} times: all come to their end, none starves, attempts are bounded`,
    async () => {
      const site = freshTopic(kafka);
      const log = await site.open({ partitions: 1 });
      const common = { brokers: kafka.addresses, topic: site.topic, callers: callersEach, appends };
      const writers = Array.from({ length: processes }, () =>
        startWriter({ ...common, folder: freshFolder() }),
      );
      await Promise.all(writers.map((one) => one.ready));
      const began = performance.now();
      for (const one of writers) one.go();
      const byProcess = await Promise.all(writers.map((one) => one.ended));
      const seconds = (performance.now() - began) / 1_000;
      const tales = byProcess.flat();
      expect(tales.map((tale) => tale.takenAt.length)).toEqual(Array(callers).fill(appends));
      await log.barrier(hotStream);
      const { head } = await log.readStream(hotStream, { direction: 'backward', limit: 1 });
      expect(head).toBe(callers * appends - 1);
      const attempts = tales.reduce((sum, tale) => sum + tale.attempts, 0);
      // While each of them still wants something.
      const from = Math.max(...byProcess.map((own) => Math.min(...own.flatMap((t) => t.takenAt))));
      const until = Math.min(...tales.map((tale) => tale.takenAt.at(-1) ?? 0));
      const sharesOf = (own: readonly CallerTale[]) =>
        own.map(({ takenAt }) => takenAt.filter((at) => at >= from && at <= until).length);
      const most = Math.max(...tales.map((tale) => tale.attemptsMost));
      expect(attempts / (callers * appends)).toBeLessThanOrEqual(attemptsPerAppendMax);
      const ratioOf = (shares: readonly number[]) => Math.max(...shares) / Math.min(...shares);
      for (const own of byProcess) {
        expect(ratioOf(sharesOf(own))).toBeLessThanOrEqual(ratioInProcessMax);
      }
      expect(ratioOf(sharesOf(tales))).toBeLessThanOrEqual(ratioMax);
      expect(most).toBeLessThanOrEqual(attemptsOfOneMax);
      expect(seconds).toBeLessThan(secondsMax);
    },
    (secondsMax + 60) * 1_000,
  );
});
