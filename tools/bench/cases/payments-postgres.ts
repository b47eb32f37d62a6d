import type { BenchCase, Comparison } from '../harness.ts';
import { postgresSellers, startPostgres } from '../peers/postgres.ts';

const clientCounts = [1, 16, 64] as const;
const peer = 'PostgreSQL, double entry by hand, pgbench on its socket, synchronous_commit on';

/** What payments are compared with: the same work in SQL. */
export const paymentsPostgres: BenchCase = {
  name: 'payments-postgres',
  summary: 'payments a second in hand-written PostgreSQL, many sellers and one',
  run: async ({ scale: { loadMs }, tell }) => {
    const postgres = await startPostgres();
    const work = 'payments in SQL: accepted, captured, visible in the wallet';
    if (!postgres) {
      return [{ work, peer, reach: 'given', remark: 'PostgreSQL is not installed here' }];
    }
    const rows: Comparison[] = [];
    try {
      const seconds = Math.ceil(loadMs / 1_000);
      for (const clients of clientCounts) {
        const uniform = await postgres.payments({ clients, sellers: postgresSellers, seconds });
        const hot = await postgres.payments({ clients, sellers: 1, seconds });
        const caller = clients === 1 ? 'one client' : `${clients} clients`;
        tell(`${caller}: ${uniform.toFixed(0)} and ${hot.toFixed(0)} payments/s`);
        const sellers = postgresSellers.toLocaleString('en-US');
        for (const [who, value] of [
          [`${sellers} sellers`, uniform],
          ['one hot seller', hot],
        ] as const) {
          const theirs = { value, unit: 'payments/s' };
          const share = `one hot seller: ${(hot / uniform).toFixed(2)} of many sellers`;
          rows.push({
            work: `${work}, ${who}, ${caller}`,
            peer,
            theirs,
            reach: 'given',
            remark: share,
          });
        }
      }
      if (!(await postgres.isBalanced())) throw new Error('the books in PostgreSQL do not balance');
      return rows;
    } finally {
      await postgres.stop();
    }
  },
};
