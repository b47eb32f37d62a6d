import { alternate, type BenchCase, type Comparison, median, type Scale } from '../harness.ts';
import { type Rebuilt, rebuildOnce, scanOnce } from '../processes/rebuilds.ts';

const mib = 2 ** 20;
const grownMibMax = 300;

export const rebuildOfBoard: BenchCase = {
  name: 'rebuild',
  summary: 'rebuild of the leaderboard beside a raw scan of its log',
  run: async ({ scale, tell, prepared }) => {
    const rows: Comparison[] = [];
    for (const players of [scale.million / 10, scale.million]) {
      const folder = await prepared.log({ players, events: scale.million });
      rows.push(...(await compare(folder, players, scale, tell)));
    }
    return rows;
  },
};

async function compare(
  folder: string,
  players: number,
  scale: Scale,
  tell: (line: string) => void,
): Promise<readonly Comparison[]> {
  const rebuilds: Rebuilt[] = [];
  const measured = await alternate(
    scale.longRounds,
    async () => {
      const rebuilt = await rebuildOnce(folder);
      rebuilds.push(rebuilt);
      tell(`${players} players: ${rebuilt.perSecond.toFixed(0)} events/s`);
      return rebuilt.perSecond;
    },
    async () => (await scanOnce(folder)).perSecond,
  );
  const grown = median(rebuilds.map(({ grownBytes }) => grownBytes)) / mib;
  const what = `${count(scale.million)} events, ${count(players)} players on one board`;
  return [
    {
      work: `rebuild of the board: ${what}`,
      ours: { value: measured.ours, unit: 'events/s' },
      peer: 'raw scan of the log with JSON.parse',
      theirs: { value: measured.theirs, unit: 'events/s' },
      ratio: measured.ratio,
      reach: '≥ 0.4',
      met: measured.ratio >= 0.4,
      remark: 'one worker',
    },
    {
      work: `memory of that rebuild: ${what}`,
      ours: { value: grown, unit: 'MiB more' },
      peer: '',
      reach: `< ${grownMibMax} MiB more`,
      met: grown < grownMibMax,
      remark: 'growth of the resident size of the rebuilding process',
    },
  ];
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
