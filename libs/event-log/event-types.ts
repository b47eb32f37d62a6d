import { type JsonObject, type SubjectCipher, type SubjectKeyring, sha256 } from '@annals/core';
import type { z } from 'zod';
import { contentText, sealedMember } from './content.ts';
import { EncodedEvent } from './encoded-event.ts';
import type { Metadata, NewEvent, StoredEvent } from './port.ts';

/** One event type of a product: a stored format. Declared once; version it with care. */
export interface EventType<
  Name extends string = string,
  Schema extends z.ZodObject = z.ZodObject,
  Personal extends string = string,
> {
  readonly name: Name;
  /** The version written today: 1, 2, … */
  readonly schemaVersion: number;
  /** Checks data when it is written, and after it was upcast. */
  readonly schema: Schema;
  /**
   * `upcasters[n]` turns data of version n into version n + 1. One for each version below today's.
   * Personal fields come opened; those of an erased subject are absent, and an upcaster copes with that.
   */
  readonly upcasters?: { readonly [fromVersion: number]: (data: JsonObject) => JsonObject };
  /** Which top-level fields are personal data, and of whom. They are sealed in the stored event. */
  readonly personal?: {
    readonly subject: (data: z.output<Schema>) => string;
    readonly fields: readonly Personal[];
  };
}

export function eventType<
  const Name extends string,
  Schema extends z.ZodObject,
  const Personal extends string = never,
>(definition: EventType<Name, Schema, Personal>): EventType<Name, Schema, Personal> {
  for (let version = 1; version < definition.schemaVersion; version += 1) {
    if (!definition.upcasters?.[version]) {
      throw new TypeError(`event type ${definition.name} has no upcaster from version ${version}`);
    }
  }
  if (sealedMember in definition.schema.shape) {
    throw new TypeError(`event type ${definition.name} may not have a field named ${sealedMember}`);
  }
  return definition;
}

// biome-ignore lint/suspicious/noExplicitAny: EventType is invariant in its schema; this is "any of them".
type AnyEventType = EventType<string, any, any>;

/** What a product hands to the log: type and plaintext data, with the ids and times that came with the command. */
export type DomainEvent<T extends AnyEventType> =
  T extends EventType<infer Name, infer Schema, string>
    ? {
        readonly type: Name;
        readonly id: string;
        readonly data: z.output<Schema>;
        readonly occurredAt: number;
        readonly metadata?: Metadata;
      }
    : never;

type Place = Pick<
  StoredEvent,
  'id' | 'stream' | 'revision' | 'partition' | 'position' | 'occurredAt' | 'recordedAt' | 'metadata'
>;

/** What a reader gets back: today's version, opened. Personal fields of an erased subject are absent. */
export type RecordedEvent<T extends AnyEventType> =
  T extends EventType<infer Name, infer Schema, infer Personal>
    ? Place & { readonly type: Name } & (
          | { readonly erased: false; readonly data: z.output<Schema> }
          | ([Personal] extends [never]
              ? never
              : {
                  readonly erased: true;
                  readonly data: Omit<z.output<Schema>, Personal> & {
                    readonly [field in Personal]?: undefined;
                  };
                })
        )
    : never;

export type Encoded =
  | { readonly kind: 'encoded'; readonly events: readonly NewEvent[] }
  | { readonly kind: 'subject-erased'; readonly subject: string };

export type EventDecodeErrorCode =
  | 'unknown-type'
  | 'unknown-version'
  | 'invalid-data'
  | 'missing-key';

/** A stored event that this program cannot read. Readers stop at it; it is never skipped. */
export class EventDecodeError extends Error {
  readonly code: EventDecodeErrorCode;
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'revision' | 'type' | 'schemaVersion'>;
  constructor(
    code: EventDecodeErrorCode,
    event: StoredEvent,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(
      `${code}: event ${event.id} (${event.type} version ${event.schemaVersion}, ` +
        `${event.stream}@${event.revision}): ${detail}`,
      options,
    );
    this.name = 'EventDecodeError';
    this.code = code;
    const { id, stream, revision, type, schemaVersion } = event;
    this.event = { id, stream, revision, type, schemaVersion };
  }
}

/** The codec of one product's event types: between domain events and what the log stores. */
export class EventTypes<T extends AnyEventType> {
  readonly #byName = new Map<string, AnyEventType>();

  constructor(definitions: readonly T[]) {
    for (const definition of definitions) {
      if (this.#byName.has(definition.name)) {
        throw new TypeError(`event type ${definition.name} is declared twice`);
      }
      this.#byName.set(definition.name, definition);
    }
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /**
   * Domain events as the log stores them: checked by their schema, personal fields sealed, content
   * hashed over the plaintext. Throws a ZodError for data its schema refuses, which is a bug of the
   * caller, and whatever `seal` throws for a key that is neither there nor erased.
   */
  async encode(events: readonly DomainEvent<T>[], cipher: SubjectCipher): Promise<Encoded> {
    const checked = events.map((event) => {
      const type = this.#typeNamed(event.type);
      return { event, type, data: type.schema.parse(event.data) as JsonObject };
    });
    const subjects = checked.flatMap(({ type, data }) =>
      type.personal ? [type.personal.subject(data)] : [],
    );
    const keyring =
      subjects.length === 0 ? undefined : await cipher.keyring(subjects, { create: true });
    const erased = subjects.find((subject) => keyring?.state(subject) === 'erased');
    if (erased !== undefined) return { kind: 'subject-erased', subject: erased };
    return {
      kind: 'encoded',
      events: checked.map(({ event, type, data }) => encodeOne(event, type, data, keyring)),
    };
  }

  /** The version of a type that is written today. Throws a TypeError for a type that is not declared. */
  versionOf(name: string): number {
    return this.#typeNamed(name).schemaVersion;
  }

  /** Whether a stored event is of a type and a version that this program knows. */
  knows({ type, schemaVersion }: Pick<StoredEvent, 'type' | 'schemaVersion'>): boolean {
    const known = this.#byName.get(type);
    return known !== undefined && schemaVersion >= 1 && schemaVersion <= known.schemaVersion;
  }

  /** Stored events as today's domain events. Throws EventDecodeError at the first one it cannot read. */
  async decode(events: readonly StoredEvent[], cipher: SubjectCipher): Promise<RecordedEvent<T>[]> {
    const parsed: JsonObject[] = [];
    let subjects: Set<string> | undefined;
    for (const event of events) {
      if (!this.#byName.has(event.type)) {
        throw new EventDecodeError('unknown-type', event, 'no such type is declared here');
      }
      const data = parseData(event);
      parsed.push(data);
      const sealed = data[sealedMember] as Sealed | undefined;
      if (sealed) subjects = (subjects ?? new Set()).add(sealed.subject);
    }
    const keyring = subjects && (await cipher.keyring([...subjects], { create: false }));
    return events.map((event, n) => {
      const type = this.#byName.get(event.type) as AnyEventType;
      return decodeOne(event, type, parsed[n] as JsonObject, keyring) as RecordedEvent<T>;
    });
  }

  #typeNamed(name: string): AnyEventType {
    const type = this.#byName.get(name);
    if (!type) throw new TypeError(`event type ${name} is not declared`);
    return type;
  }
}

interface Sealed extends JsonObject {
  readonly subject: string;
  readonly sealed: string;
}

interface Encodable {
  readonly id: string;
  readonly occurredAt: number;
  readonly metadata?: Metadata;
}

function encodeOne(
  event: Encodable,
  type: AnyEventType,
  data: JsonObject,
  keyring: SubjectKeyring | undefined,
): NewEvent {
  // Else input of a loose schema could pass for sealed data, and stop every reader.
  if (sealedMember in data) throw new TypeError(`event data may not have ${sealedMember}`);
  const content = contentText(type.name, type.schemaVersion, data);
  const envelope = {
    id: event.id,
    type: type.name,
    schemaVersion: type.schemaVersion,
    occurredAt: event.occurredAt,
    ...(event.metadata ? { metadata: event.metadata } : {}),
  };
  if (!type.personal || !keyring) {
    return new EncodedEvent(envelope, data, sha256(content));
  }
  const subject = type.personal.subject(data);
  const open: { [member: string]: unknown } = { ...data };
  const personal: { [member: string]: unknown } = {};
  for (const field of type.personal.fields) {
    personal[field] = open[field];
    delete open[field];
  }
  const sealed = keyring.seal(subject, JSON.stringify(personal), event.id);
  // Keyed by the subject's key: when that is destroyed, nobody can test a guess against the hash.
  const contentHash = keyring.fingerprint(subject, content);
  return new EncodedEvent(envelope, { ...open, [sealedMember]: { subject, sealed } }, contentHash);
}

function parseData(event: StoredEvent): JsonObject {
  try {
    return JSON.parse(event.data) as JsonObject;
  } catch {
    throw new EventDecodeError('invalid-data', event, 'its data is not JSON');
  }
}

function decodeOne(
  event: StoredEvent,
  type: AnyEventType,
  stored: JsonObject,
  keyring: SubjectKeyring | undefined,
) {
  const { data: opened, erased } = openPersonal(event, stored, keyring);
  const data =
    event.schemaVersion === type.schemaVersion ? opened : upcast(event, type, opened, erased);
  return {
    type: event.type,
    id: event.id,
    stream: event.stream,
    revision: event.revision,
    partition: event.partition,
    position: event.position,
    occurredAt: event.occurredAt,
    recordedAt: event.recordedAt,
    metadata: event.metadata,
    erased,
    data,
  };
}

function openPersonal(
  event: StoredEvent,
  stored: JsonObject,
  keyring: SubjectKeyring | undefined,
): { data: JsonObject; erased: boolean } {
  const box = stored[sealedMember] as Sealed | undefined;
  if (!box || !keyring) return { data: stored, erased: false };
  const { [sealedMember]: _, ...open } = stored;
  const state = keyring.state(box.subject);
  if (state === 'erased') return { data: open, erased: true };
  if (state === 'missing') {
    throw new EventDecodeError(
      'missing-key',
      event,
      'the key of its subject is not in the key store, and the subject was not erased: ' +
        'restore the key store from its backup',
    );
  }
  try {
    const personal = JSON.parse(keyring.open(box.subject, box.sealed, event.id)) as JsonObject;
    return { data: { ...open, ...personal }, erased: false };
  } catch (cause) {
    const detail = 'its personal data does not open with the key of its subject';
    throw new EventDecodeError('invalid-data', event, detail, { cause });
  }
}

function upcast(
  event: StoredEvent,
  type: AnyEventType,
  stored: JsonObject,
  erased: boolean,
): JsonObject {
  if (event.schemaVersion < 1 || event.schemaVersion > type.schemaVersion) {
    const known = `versions 1 to ${type.schemaVersion} are known here`;
    throw new EventDecodeError('unknown-version', event, known);
  }
  let data = stored;
  for (let version = event.schemaVersion; version < type.schemaVersion; version += 1) {
    try {
      data = type.upcasters?.[version]?.(data) ?? data;
    } catch (cause) {
      const detail = `its upcaster from version ${version} threw`;
      throw new EventDecodeError('invalid-data', event, detail, { cause });
    }
  }
  const schema: z.ZodObject = erased
    ? type.schema.partial(Object.fromEntries((type.personal?.fields ?? []).map((f) => [f, true])))
    : type.schema;
  const checked = schema.safeParse(data);
  if (!checked.success) {
    throw new EventDecodeError('invalid-data', event, `after upcasting: ${checked.error.message}`);
  }
  return checked.data as JsonObject;
}
