import { describeProjectionStore } from '@annals/projection/contract';
import { sampleOpeners } from './testing/sample-openers.ts';

describeProjectionStore('The SQLite store', sampleOpeners);
