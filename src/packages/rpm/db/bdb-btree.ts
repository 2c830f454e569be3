// A BerkeleyDB btree file, as rpm's 18 index files are: one key, one data item, filled from sorted entries. Keys order
// by bytes; items too big for a page lie in overflow chains; the root is always page 1.
import { compareBytes, fromByteString } from '../../../base/bytes.ts';
import { PageFile, PageType } from './bdb-page.ts';

const MAGIC = 0x053162;
const ALIGN = 4;
const KEY_DATA = 1;
const OVERFLOW = 3;

export interface BtreeEntry {
  /** Byte string. */
  readonly key: string;
  readonly data: Uint8Array;
}

export interface BtreeOptions {
  readonly pageSize: number;
  readonly bigEndian: boolean;
  readonly uid: Uint8Array;
}

/** A node of one level: its page and the separator that leads to it (not used for the first of a page). */
interface Child {
  readonly page: number;
  readonly separator: string;
}

/** Writes `entries`, whose keys must differ; any order. */
export function writeBtree(entries: readonly BtreeEntry[], options: BtreeOptions): Uint8Array {
  const file = new PageFile(options.pageSize, options.bigEndian);
  file.add(PageType.btreeMeta);
  file.add(PageType.btreeLeaf, 1);
  // the greatest item that stays on its page: two keys with data must fit
  const inline = Math.floor((options.pageSize - 26) / 4) - 16;
  const sorted = [...entries].sort((a, b) => compareBytes(a.key, b.key));
  let level: Child[] = writeLeaves(file, sorted, inline);
  for (let height = 2; level.length > 1; height++) level = writeInternal(file, level, height, inline);
  moveRoot(file, level[0]?.page ?? 1);
  const meta = file.meta(MAGIC, PageType.btreeMeta, options.uid);
  file.u32(meta, 76, 2);
  file.u32(meta, 84, 0x20);
  file.u32(meta, 88, 1);
  return file.bytes();
}

function writeLeaves(file: PageFile, entries: readonly BtreeEntry[], inline: number): Child[] {
  if (entries.length === 0) return [{ page: 1, separator: '' }];
  const children: Child[] = [];
  let page: Buffer | undefined;
  let previousKey = '';
  for (const { key, data } of entries) {
    const items = [item(file, fromByteString(key), inline), item(file, data, inline)];
    const needed = items.reduce((sum, bytes) => sum + aligned(bytes.length) + 2, 0);
    if (!page || file.room(page) < needed) {
      const number = file.add(PageType.btreeLeaf, 1);
      const previous = children.at(-1);
      page = file.page(number);
      if (previous) {
        file.u32(page, 12, previous.page);
        file.u32(file.page(previous.page), 16, number);
      }
      children.push({ page: number, separator: shortest(previousKey, key) });
    }
    for (const bytes of items) file.addItem(page, bytes, ALIGN);
    previousKey = key;
  }
  return children;
}

function writeInternal(file: PageFile, level: readonly Child[], height: number, inline: number): Child[] {
  const parents: Child[] = [];
  let page: Buffer | undefined;
  for (const child of level) {
    // the first key of a page is never compared and is left empty
    let bytes = internalItem(file, child.page, page ? child.separator : '', inline);
    if (!page || file.room(page) < aligned(bytes.length) + 2) {
      const number = file.add(PageType.btreeInternal, height);
      page = file.page(number);
      parents.push({ page: number, separator: child.separator });
      bytes = internalItem(file, child.page, '', inline);
    }
    file.addItem(page, bytes, ALIGN);
  }
  return parents;
}

/** The root has to be page 1: it changes places with the empty page that was kept there. */
function moveRoot(file: PageFile, root: number): void {
  if (root === 1) return;
  const page = file.page(root);
  const kept = file.page(1);
  kept.set(page);
  file.u32(kept, 8, 1);
  if (file.dropLast(root)) return;
  // overflow chains of separators came after it: it becomes a free page
  page.fill(0);
  file.u32(page, 4, 1);
  file.u32(page, 8, root);
  page[25] = PageType.invalid;
  file.u32(file.page(0), 28, root);
}

function item(file: PageFile, bytes: Uint8Array, inline: number): Uint8Array {
  if (bytes.length > inline) return overflowItem(file, bytes);
  const out = Buffer.alloc(3 + bytes.length);
  file.u16(out, 0, bytes.length);
  out[2] = KEY_DATA;
  out.set(bytes, 3);
  return out;
}

function overflowItem(file: PageFile, bytes: Uint8Array): Uint8Array {
  const out = Buffer.alloc(12);
  out[2] = OVERFLOW;
  file.u32(out, 4, file.addOverflow(bytes));
  file.u32(out, 8, bytes.length);
  return out;
}

function internalItem(file: PageFile, child: number, separator: string, inline: number): Uint8Array {
  const bytes = fromByteString(separator);
  const tooBig = bytes.length > inline;
  const content = tooBig ? overflowItem(file, bytes) : bytes;
  const out = Buffer.alloc(12 + content.length);
  file.u16(out, 0, content.length);
  out[2] = tooBig ? OVERFLOW : KEY_DATA;
  file.u32(out, 4, child);
  out.set(content, 12);
  return out;
}

/** The shortest beginning of `key` that is greater than `previous`, which is less than `key`. */
function shortest(previous: string, key: string): string {
  let common = 0;
  while (common < previous.length && previous.charCodeAt(common) === key.charCodeAt(common)) common++;
  return key.slice(0, common + 1);
}

function aligned(length: number): number {
  return (length + ALIGN - 1) & ~(ALIGN - 1);
}
