import { describePsp, describePspKills } from '@annals/payments/psp/contract';
import { openHttp, openProcess } from './testing/sites.ts';

describePsp('the Stripe adapter on the sandbox over HTTP', openHttp);
describePspKills('the Stripe adapter on the sandbox as a process', openProcess);
