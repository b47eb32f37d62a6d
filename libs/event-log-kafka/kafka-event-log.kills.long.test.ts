import { describeOn } from '@annals/core/testing';
import { describeKills } from '@annals/event-log/contract';
import { contractOpeners } from './testing/contract-openers.ts';

await describeOn('kafka', 'the kills of the contract on a real broker', (kafka) => {
  describeKills({ ...contractOpeners(kafka.addresses), kills: 50 });
});
