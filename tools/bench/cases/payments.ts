import { Market } from '../data/market.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { type BenchCase, type Comparison, median } from '../harness.ts';
import { postgresSellers, startPostgres } from '../peers/postgres.ts';

const clients = 64;
const reach = 0.3;
const hotReach = 3;
const hotShareMin = 0.9;
const peer = `PostgreSQL, double entry by hand, pgbench with ${clients} clients, synchronous_commit on`;

/** One round: payments a second of many sellers and of one, ours and in SQL. */
interface Round {
  readonly uniform: number;
  readonly hot: number;
}

export const payments: BenchCase = {
  name: 'payments',
  summary: 'payments end to end, durable, many sellers and one, beside PostgreSQL',
  run: async ({ scale: { loadMs, longRounds, million }, tell }) =>
    withTemporaryFolder(async (folder) => {
      const sellers = Math.min(postgresSellers, million / 20);
      const market = await Market.start(folder);
      const postgres = await startPostgres();
      try {
        await market.register(sellers);
        const seconds = Math.ceil(loadMs / 1_000);
        const ours: Round[] = [];
        const theirs: Round[] = [];
        for (let round = 0; round < longRounds; round += 1) {
          const before = process.cpuUsage();
          const started = performance.now();
          const uniform = await market.load({ clients, sellers, stretchMs: loadMs });
          const payments = (uniform * (performance.now() - started)) / 1_000;
          const cpu = cpuMs(process.cpuUsage(before)) / payments;
          const hot = await market.load({ clients, sellers: 1, stretchMs: loadMs });
          ours.push({ uniform, hot });
          tell(
            `${uniform.toFixed(0)} and ${hot.toFixed(0)} payments/s; ${cpu.toFixed(2)} ms of CPU each, the projector's not counted`,
          );
          if (!postgres) continue;
          const inSql = {
            uniform: await postgres.payments({ clients, sellers, seconds }),
            hot: await postgres.payments({ clients, sellers: 1, seconds }),
          };
          theirs.push(inSql);
          tell(`in SQL: ${inSql.uniform.toFixed(0)} and ${inSql.hot.toFixed(0)} payments/s`);
        }
        return comparisons(ours, theirs, sellers);
      } finally {
        await postgres?.stop();
        await market.stop();
      }
    }),
};

/** What all threads of this process took, milliseconds. */
function cpuMs({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000;
}

function comparisons(
  ours: readonly Round[],
  theirs: readonly Round[],
  sellers: number,
): readonly Comparison[] {
  const work = `payments through the port to providers in process: accepted, captured, visible in the wallet, ${clients} clients`;
  const remark = theirs.length === 0 ? { remark: 'PostgreSQL is not installed here' } : {};
  const row = (who: keyof Round, name: string, least: number): Comparison => {
    const ratio = median(ours.map((round, n) => round[who] / (theirs[n]?.[who] ?? Number.NaN)));
    const value = median(theirs.map((round) => round[who]));
    return {
      work: `${work}, ${name}`,
      ours: { value: median(ours.map((round) => round[who])), unit: 'payments/s' },
      peer,
      ...(theirs.length === 0
        ? {}
        : { theirs: { value, unit: 'payments/s' }, ratio, met: ratio >= least }),
      reach: `≥ ${least}`,
      ...remark,
    };
  };
  const share = median(ours.map(({ uniform, hot }) => hot / uniform));
  return [
    row('uniform', `${sellers.toLocaleString('en-US')} sellers`, reach),
    row('hot', 'one hot seller', hotReach),
    {
      work: `${work}, one hot seller beside many`,
      ours: { value: median(ours.map(({ hot }) => hot)), unit: 'payments/s' },
      peer: 'the same with many sellers',
      theirs: { value: median(ours.map(({ uniform }) => uniform)), unit: 'payments/s' },
      ratio: share,
      reach: 'within 10%',
      met: share >= hotShareMin,
    },
  ];
}
