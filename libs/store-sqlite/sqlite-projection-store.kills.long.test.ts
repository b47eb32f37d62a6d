import { describeKills } from '@annals/projection/contract';
import { sampleOpeners } from './testing/sample-openers.ts';

describeKills({ ...sampleOpeners, kills: 30 });
