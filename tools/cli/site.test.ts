import { describe, expect, it } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';
import { appendScores } from './testing/data-folder.ts';

interface Status {
  readonly data_folder: string;
  readonly log: { readonly events: number };
}

describe('where a command looks', () => {
  it('at the log of the environment, with the rest in its data folder', async () => {
    const [dataFolder, logFolder] = [await temporaryFolder(), await temporaryFolder()];
    await appendScores(logFolder, 0, 3);
    const env = { ANNALS_DATA: dataFolder, ANNALS_LOG: `sqlite:${logFolder}` };
    const status = await annalsJson<Status>(['status'], { env });
    expect(status).toMatchObject({ data_folder: dataFolder, log: { events: 3 } });
  });

  it('--log names another log than the environment does', async () => {
    const [one, other] = [await temporaryFolder(), await temporaryFolder()];
    await appendScores(one, 0, 3);
    await appendScores(other, 0, 5);
    const env = { ANNALS_DATA: one };
    const head = ['log', 'head', '--log', `sqlite:${other}`];
    expect(await annalsJson(head, { env })).toMatchObject({ events: 5 });
  });

  it('--data is a folder with all there is: engines of the environment do not count', async () => {
    const folder = await temporaryFolder();
    await appendScores(folder, 0, 3);
    const env = { ANNALS_LOG: 'kafka://127.0.0.1:1/nobody', ANNALS_LEADERBOARD_STORE: 'redis://h' };
    const status = await annalsJson<Status>(['status', '--data', folder], { env });
    expect(status.log.events).toBe(3);
  });

  it.each([
    [{ ANNALS_LOG: 'kafka://ann:secret@h:0/t' }, [], 'ANNALS_LOG: has no host and port in "h:0"'],
    [{ ANNALS_LEADERBOARD_STORE: 'x' }, [], 'ANNALS_LEADERBOARD_STORE: is none of sqlite:FOLDER'],
    [{}, ['--log', 'esdb://'], '--log is not esdb://'],
  ])('a wrong place (%j, %j) is refused by its name', async (env, argv, message) => {
    const { code, out, err } = await annals(['status', ...argv], { env });
    expect({ code, out }).toEqual({ code: exitCodes.usage, out: '' });
    expect(err).toContain(message);
    expect(err).not.toContain('secret');
  });

  it.each([
    ['status', '--log'],
    ['log verify', '--against'],
    ['log copy --to sqlite:FOLDER', '--from'],
    ['log copy --from sqlite:FOLDER', '--to'],
  ])(
    'annals %s %s never tells a password that must be percent-encoded',
    async (command, option) => {
      const folder = await temporaryFolder();
      await appendScores(folder, 0, 1);
      const argv = command.replace('FOLDER', folder).split(' ');
      for (const scheme of ['kafka', 'esdb', 'kafak']) {
        for (const mark of ['/', '?', '#', '@', ':']) {
          const url = `${scheme}://ann:zq${mark}xj@127.0.0.1:1/t`;
          const env = { ANNALS_DATA: folder };
          const { code, out, err } = await annals([...argv, option, url], { env });
          expect({ code, out }).toEqual({ code: exitCodes.usage, out: '' });
          expect(err).toContain(scheme === 'kafak' ? 'is none of sqlite:FOLDER' : '%2F, %3F, %23');
          expect(err).not.toMatch(/zq|xj/);
        }
      }
    },
  );
});
