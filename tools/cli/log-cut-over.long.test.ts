import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvents } from '@annals/event-log/contract';
import { openLogAt } from '@annals/projector';
import { expect, it, onTestFinished } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';
import { heldProxy } from './testing/held-proxy.ts';

interface Copied {
  readonly events: number;
  readonly added: number;
  readonly hash: string;
}

/** A log of 30 events. */
async function filledLog(url: string) {
  const { log } = await openLogAt(url, { dataFolder: await temporaryFolder() });
  onTestFinished(() => log.close());
  const append = async (count: number) => {
    const stored = await log.append('sample-1', sampleEvents(count), { expected: 'any' });
    expect(stored.kind).toBe('stored');
  };
  await append(30);
  return { log, append };
}

/** `annals log copy --cut-over` that has copied 30 events; `ended` resolves when it has ended. */
async function copying(from: string, to: string) {
  const env = { ANNALS_DATA: await temporaryFolder() };
  const argv = ['log', 'copy', '--from', from, '--to', `sqlite:${to}`];
  const ended = annals([...argv, '--cut-over', '6'], { env });
  const events = async () => {
    const head = await annals(['log', 'head', '--data', to, '--json']);
    return head.code === 0 ? (JSON.parse(head.out) as { events: number }).events : 0;
  };
  await expect.poll(events, { timeout: 60_000 }).toBe(30);
  const again = () => annalsJson<Copied>([...argv, '--cut-over', '1'], { env });
  return { ended, again };
}

const refused = {
  code: exitCodes.unavailable,
  out: '',
  err: expect.stringMatching(/ does not answer.* may hold more .*30 events/),
};

await describeOn('eventstoredb', 'a cut-over from an EventStoreDB', ({ url, addresses }) => {
  it('that does not answer is refused: what the copier has not heard of may be there', async () => {
    const proxy = await heldProxy(addresses[0] ?? '');
    const direct = `${url}${url.includes('?') ? '&' : '?'}prefix=cut_over_${randomUUID().slice(0, 8)}.`;
    const { log, append } = await filledLog(direct);
    const to = await temporaryFolder();
    const through = direct.replace(addresses[0] ?? '', proxy.address);
    const { ended, again } = await copying(through, to);
    proxy.hold();
    await append(20);
    expect(await ended).toEqual(refused);
    proxy.release();
    const hash = (await hashLog(log)).digest();
    expect(await again()).toMatchObject({ events: 50, added: 20, hash });
  }, 180_000);
});

await describeOn(
  'kafka',
  'a cut-over from a Kafka',
  (kafka) => {
    it('that does not answer is refused', async () => {
      const url = `${kafka.url}/cut-over-${randomUUID()}?partitions=2`;
      const { log, append } = await filledLog(url);
      const { ended, again } = await copying(url, await temporaryFolder());
      await kafka.act('pause', 1);
      expect(await ended).toEqual(refused);
      await kafka.act('resume', 1);
      await append(20);
      const hash = (await hashLog(log)).digest();
      expect(await again()).toMatchObject({ events: 50, added: 20, hash });
    }, 240_000);
  },
  { label: 'cut-over' },
);
