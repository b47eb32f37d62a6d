import { describeTwoByTwo } from './testing/two-by-two.ts';

await describeTwoByTwo(15);
