import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLayout } from '@annals/projector';
import type { BenchCase } from '../harness.ts';
import { HttpLoad } from '../processes/http-load.ts';
import { startService } from '../processes/service.ts';

const connections = 64;
const mib = 2 ** 20;
const gib = 2 ** 30;
const manyPlayers = 25_000_000;

export const memory: BenchCase = {
  name: 'memory',
  summary: 'resident size of the service, and bytes a member takes on disk',
  run: async ({ scale: { loadMs, million: players }, prepared }) => {
    const folder = await prepared.service({ players, events: players });
    const service = await startService(folder);
    const load = new HttpLoad();
    try {
      const { port, authorization } = service;
      const idle = await service.residentBytes();
      const reads = { port, authorization, request: 'standing', players, connections } as const;
      await load.run({ ...reads, durationMs: loadMs });
      const loaded = await service.residentBytes();
      const layout = dataLayout(folder);
      const readModel = await bytesUnder(join(layout.projections, 'leaderboard'));
      const log = await bytesUnder(layout.log);
      const per = (bytes: number) => Math.round(bytes / players);
      const shown = players.toLocaleString('en-US');
      return [
        {
          work: `memory: resident size of the service with ${shown} players`,
          ours: { value: loaded / mib, unit: 'MiB' },
          peer: '',
          reach: 'stated',
          remark: `${(idle / mib).toFixed(0)} MiB after its start, before ${connections} connections read random players; the board is on disk, so it does not grow with the players`,
        },
        {
          work: `disk: read model with ${shown} players, one score each`,
          ours: { value: per(readModel), unit: 'bytes a player' },
          peer: '',
          reach: 'stated',
          remark: `the log: ${per(log)} bytes a score. 25 M players: ${((per(readModel) * manyPlayers) / gib).toFixed(1)} GiB of read model, ${((per(log) * manyPlayers) / gib).toFixed(1)} GiB of log`,
        },
      ];
    } finally {
      await load.end();
      await service.stop();
    }
  },
};

async function bytesUnder(folder: string): Promise<number> {
  const files = await readdir(folder, { withFileTypes: true });
  const sizes = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => stat(join(folder, file.name))),
  );
  return sizes.reduce((sum, { size }) => sum + size, 0);
}
