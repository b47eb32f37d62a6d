import type { Books } from './books.ts';
import { expireSession } from './checkout-sessions.ts';
import { decideDispute, openDispute } from './disputes.ts';
import type { Delivering, Job } from './job.ts';
import { expireAuthorization, finishProcessing } from './payment-intents.ts';
import { advancePayout, failPayout } from './payouts.ts';
import { finishRefund } from './refunds.ts';
import { finishReport } from './reports.ts';

/** Does a job's work. Each looks at its object first: what became of it meanwhile stands. */
export function runJob(books: Books, job: Exclude<Job, Delivering>): void {
  switch (job.do) {
    case 'finish_processing':
      finishProcessing(books, job.id);
      break;
    case 'expire_authorization':
      expireAuthorization(books, job.id);
      break;
    case 'expire_session':
      expireSession(books, job.id);
      break;
    case 'finish_refund':
      finishRefund(books, job.id);
      break;
    case 'advance_payout':
      advancePayout(books, job.id);
      break;
    case 'fail_payout':
      failPayout(books, job.id, job.code);
      break;
    case 'dispute':
      openDispute(books, job.charge, job);
      break;
    case 'decide_dispute':
      decideDispute(books, job.id, job.status);
      break;
    case 'finish_report':
      finishReport(books, job.id);
      break;
  }
}
