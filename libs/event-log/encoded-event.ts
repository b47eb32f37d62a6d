import type { Metadata, NewEvent } from './port.ts';

/**
 * An event whose data this process wrote with `JSON.stringify`: `checkAppend` need not parse it again to
 * know that it is the JSON text of an object. A copy of one (`{ ...event }`) is checked like any other.
 */
export class EncodedEvent implements NewEvent {
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly contentHash: string;
  declare readonly metadata?: Metadata;
  readonly occurredAt: number;
  readonly #isEncoded = true;

  constructor(envelope: Omit<NewEvent, 'data' | 'contentHash'>, data: object, contentHash: string) {
    this.id = envelope.id;
    this.type = envelope.type;
    this.schemaVersion = envelope.schemaVersion;
    this.data = JSON.stringify(data);
    this.contentHash = contentHash;
    if (envelope.metadata) this.metadata = envelope.metadata;
    this.occurredAt = envelope.occurredAt;
  }

  static is(event: NewEvent): boolean {
    return #isEncoded in event;
  }
}
