import { describeReconciliationReads } from '../testing/describe-reconciliation-reads.ts';
import { fedStore } from '../testing/fed-store.ts';
import { sqliteBooksComparison } from './books-comparison.ts';
import { sqliteMovementsReadModel } from './movements.ts';
import { sqliteQueuesReadModel } from './queues.ts';

describeReconciliationReads({
  seeds: [1, 2, 3],
  stepCount: 300,
  live: fedStore,
  movements: sqliteMovementsReadModel,
  queues: sqliteQueuesReadModel,
  books: sqliteBooksComparison,
});
