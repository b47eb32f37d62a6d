import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeOn } from '@annals/core/testing';
import { removeTopic } from '@annals/event-log-kafka/testing';
import { openLogAt } from '@annals/projector';
import { expect, onTestFinished, test } from 'vitest';
import { configSchema, startPlatform } from './index.ts';
import { callOn } from './testing/open-platform.ts';
import { runMain, runProjector } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

const patienceMs = 120_000;

await describeOn('kafka', 'a log that only an operator can mend', (kafka) => {
  test(
    'ends the processes that follow it, with the reason and exit code 1',
    async () => {
      const topic = `test-${randomUUID()}`;
      onTestFinished(() => removeTopic(kafka.addresses, topic));
      const url = `${kafka.url}/${topic}?partitions=1`;
      const folders = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
      onTestFinished(async () => {
        for (const folder of folders) await folder.remove();
      });
      const [ofPlatform = '', ofProjector = '', ofLog = ''] = folders.map(({ path }) => path);
      const env = { ANNALS_LOG: url, PORT: '0', ANNALS_PSP_URL: 'off', ANNALS_LOG_LEVEL: 'silent' };
      const platform = runMain({ ...env, ANNALS_DATA: ofPlatform });
      onTestFinished(() => void platform.child.kill('SIGKILL'));
      await until('the platform', () => /Annals is running/.test(platform.text.out) || undefined);
      const projector = runProjector({ ...env, ANNALS_DATA: ofProjector });
      onTestFinished(() => void projector.child.kill('SIGKILL'));
      await until('the projector', () => /following/.test(projector.text.out) || undefined);
      // Another topic under its name: going on would be to answer from another log.
      await removeTopic(kafka.addresses, topic);
      const { log } = await openLogAt(url, { dataFolder: ofLog });
      onTestFinished(() => log.close());
      const ended = await Promise.all([platform.ended, projector.ended]);
      for (const { code, err } of ended) {
        expect(code).toBe(1);
        expect(err).toMatch(new RegExp(`annals: (?:cannot go on: )?.*${topic}`));
      }
    },
    patienceMs,
  );

  /** A platform's settings on a topic of its own, and what puts another topic under that name. */
  async function onTopic(roles: string) {
    const topic = `test-${randomUUID()}`;
    onTestFinished(() => removeTopic(kafka.addresses, topic));
    const url = `${kafka.url}/${topic}?partitions=1`;
    const [folder, other] = [await temporaryFolder(), await temporaryFolder()];
    onTestFinished(async () => {
      await folder.remove();
      await other.remove();
    });
    const config = configSchema.parse({
      ...{ ANNALS_LOG: url, ANNALS_DATA: folder.path, PORT: '0', ANNALS_PSP_URL: 'off' },
      ...{ ANNALS_ROLES: roles, ANNALS_LOG_LEVEL: 'silent' },
    });
    const replaced = async () => {
      await removeTopic(kafka.addresses, topic);
      const { log } = await openLogAt(url, { dataFolder: other.path });
      onTestFinished(() => log.close());
    };
    return { topic, folder: folder.path, config, replaced };
  }

  test(
    'ends a start that waits for what will not come any more',
    async () => {
      const { topic, folder, config, replaced } = await onTopic('api');
      // Nobody keeps the read model, so the start waits for it.
      const starting = startPlatform(config, { readableMsMax: patienceMs });
      const refused = expect(starting).rejects.toThrow(topic);
      const stores = join(folder, 'projections');
      await until('a log that is open', () => existsSync(stores) || undefined);
      // Then all is opened, up to where the start waits.
      await delay(1_000);
      await replaced();
      await refused;
    },
    patienceMs,
  );

  test(
    'is told by the thread of the projector, too, which follows into a replica of its own',
    async () => {
      const { topic, config, replaced } = await onTopic('projector');
      const failures: Error[] = [];
      const platform = await startPlatform(config, { onFailed: (error) => failures.push(error) });
      onTestFinished(() => platform.stop());
      await until('a projector that follows', async () => {
        const { body } = await callOn(platform)('GET /metrics');
        return /^annals_projection_up\{.*\} 1$/m.test(body) || undefined;
      });
      await replaced();
      // What comes from the thread has lost the name of its class.
      const told = () => new Set(failures.map(({ name }) => name));
      await until('both', () => told().size === 2 || undefined);
      for (const { message } of failures) expect(message).toContain(topic);
    },
    patienceMs,
  );
});
