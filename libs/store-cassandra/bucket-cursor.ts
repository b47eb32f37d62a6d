import type { Row } from '@annals/projection';
import type { BeforeImage } from './before-images.ts';
import type { BucketPage, KeyedRow } from './table-rows.ts';

export interface SnapshotRow {
  readonly key: Buffer;
  readonly row: Row;
}

/** Where the rows of one partition of a table come from, as they are now and as they were. */
export interface BucketSource {
  page(from: string | undefined): Promise<BucketPage>;
  /** The images of keys above `after` and up to `upTo`. */
  images(after: Buffer | undefined, upTo: Buffer | undefined): Promise<readonly BeforeImage[]>;
  /** Whether a row was written by a batch the snapshot does not show. */
  isLater(row: KeyedRow): boolean;
}

/** The rows of one partition in key order, as a snapshot shows them. */
export class BucketCursor {
  readonly #source: BucketSource;
  #rows: readonly SnapshotRow[] = [];
  #place = 0;
  #from: string | undefined;
  #after: Buffer | undefined;
  #ended = false;

  constructor(source: BucketSource) {
    this.#source = source;
  }

  /** The row the cursor stands at; only after `fill`. */
  get head(): SnapshotRow | undefined {
    return this.#rows[this.#place];
  }

  step(): void {
    this.#place += 1;
  }

  get needsFill(): boolean {
    return !this.#ended && this.#place >= this.#rows.length;
  }

  /**
   * Reads pages until there is a row, or none is left. Images are read after the rows: whoever changed a row
   * of this page wrote its image before.
   */
  async fill(): Promise<void> {
    while (this.needsFill) {
      const page = await this.#source.page(this.#from);
      this.#ended = page.next === undefined;
      this.#from = page.next;
      const upTo = this.#ended ? undefined : page.rows.at(-1)?.key;
      if (!this.#ended && !upTo) continue;
      const images = await this.#source.images(this.#after, upTo);
      this.#rows = this.#asShown(page.rows, images);
      this.#place = 0;
      this.#after = upTo;
    }
  }

  #asShown(rows: readonly KeyedRow[], images: readonly BeforeImage[]): SnapshotRow[] {
    const shown: SnapshotRow[] = [];
    let next = 0;
    const addImages = (until: Buffer | undefined) => {
      for (let image = images[next]; image; image = images[next]) {
        if (until && Buffer.compare(image.key, until) > 0) return;
        if (image.row) shown.push({ key: image.key, row: image.row });
        next += 1;
      }
    };
    for (const row of rows) {
      const before = next;
      addImages(row.key);
      const last = next > before ? images[next - 1] : undefined;
      if (last?.key.equals(row.key)) continue;
      if (this.#source.isLater(row)) {
        throw new Error('a row was changed while a snapshot was open, and no image of it was kept');
      }
      shown.push({ key: row.key, row: row.row });
    }
    addImages(undefined);
    return shown;
  }
}

/** The rows of all cursors in key order: the smallest head comes next, by a heap. */
export async function* mergedRows(
  cursors: readonly BucketCursor[],
  fillAll: (cursors: readonly BucketCursor[]) => Promise<void>,
): AsyncGenerator<SnapshotRow> {
  await fillAll(cursors);
  const heap = cursors.filter(({ head }) => head !== undefined);
  for (let place = (heap.length >> 1) - 1; place >= 0; place -= 1) sink(heap, place);
  while (heap.length > 0) {
    const [first] = heap as [BucketCursor];
    yield first.head as SnapshotRow;
    first.step();
    if (first.needsFill) await first.fill();
    if (!first.head) {
      const last = heap.pop() as BucketCursor;
      if (heap.length === 0) return;
      if (last !== first) heap[0] = last;
    }
    sink(heap, 0);
  }
}

function sink(heap: BucketCursor[], start: number): void {
  let place = start;
  for (;;) {
    const left = 2 * place + 1;
    if (left >= heap.length) return;
    const right = left + 1;
    const child = right < heap.length && isBefore(heap[right], heap[left]) ? right : left;
    if (!isBefore(heap[child], heap[place])) return;
    [heap[place], heap[child]] = [heap[child] as BucketCursor, heap[place] as BucketCursor];
    place = child;
  }
}

function isBefore(a: BucketCursor | undefined, b: BucketCursor | undefined): boolean {
  return Buffer.compare(a?.head?.key ?? Buffer.alloc(0), b?.head?.key ?? Buffer.alloc(0)) < 0;
}
