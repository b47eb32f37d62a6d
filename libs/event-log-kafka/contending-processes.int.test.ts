import { describeContendingProcesses } from './testing/contending-processes.ts';

await describeContendingProcesses(3);
