/** For tests of other packages: a record format that does not exist yet. */

/** For tests of what writes to topics of others. */
export { type PlainTopic, plainTopic, type RelayedEvent } from './plain-topic.ts';
export { removeTopic } from './remove-topic.ts';
export { topicSize } from './topic-size.ts';
export { recordFormats as formatsWithSecond } from './two-formats.ts';
