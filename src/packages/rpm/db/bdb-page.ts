// What both BerkeleyDB files of rpm share: the page header, meta page, byte order, overflow chains.
// https://github.com/berkeleydb/libdb (dbinc/db_page.h); format 9, no checksums, no encryption, one fixed LSN.

export const PAGE_HEADER = 26;

export const PageType = {
  invalid: 0,
  hashUnsorted: 2,
  btreeInternal: 3,
  btreeLeaf: 5,
  overflow: 7,
  hashMeta: 8,
  btreeMeta: 9,
  hash: 13,
} as const;

/** A growing file of pages in one byte order. */
export class PageFile {
  readonly pageSize: number;
  readonly bigEndian: boolean;
  readonly #pages: Buffer[] = [];

  constructor(pageSize: number, bigEndian: boolean) {
    this.pageSize = pageSize;
    this.bigEndian = bigEndian;
  }

  get count(): number {
    return this.#pages.length;
  }

  /** Appends an empty page of `type` and returns its number. */
  add(type: number, level = 0): number {
    const page = Buffer.alloc(this.pageSize);
    const number = this.#pages.push(page) - 1;
    this.u32(page, 4, 1);
    this.u32(page, 8, number);
    this.u16(page, 22, this.pageSize);
    page[24] = level;
    page[25] = type;
    return number;
  }

  /** Removes page `number` if it is the last one. */
  dropLast(number: number): boolean {
    if (number !== this.#pages.length - 1) return false;
    this.#pages.pop();
    return true;
  }

  page(number: number): Buffer {
    return this.#pages[number] as Buffer;
  }

  u16(page: Buffer, at: number, value: number): void {
    if (this.bigEndian) page.writeUInt16BE(value, at);
    else page.writeUInt16LE(value, at);
  }

  u32(page: Buffer, at: number, value: number): void {
    if (this.bigEndian) page.writeUInt32BE(value, at);
    else page.writeUInt32LE(value, at);
  }

  /** Stores `bytes` in a chain of overflow pages and returns the first. */
  addOverflow(bytes: Uint8Array): number {
    const room = this.pageSize - PAGE_HEADER;
    let previous = 0;
    let first = 0;
    for (let at = 0; at < bytes.length; at += room) {
      const number = this.add(PageType.overflow);
      const page = this.page(number);
      const part = bytes.subarray(at, at + room);
      page.set(part, PAGE_HEADER);
      this.u16(page, 20, 1);
      this.u16(page, 22, part.length);
      if (previous === 0) first = number;
      else {
        this.u32(page, 12, previous);
        this.u32(this.page(previous), 16, number);
      }
      previous = number;
    }
    return first;
  }

  /**
   * Adds an item to a page: space from the end, offset into the index. Returns false if there is no room. `align` is
   * the alignment of items.
   */
  addItem(page: Buffer, item: Uint8Array, align: number): boolean {
    const count = this.readU16(page, 20);
    const start = (this.readU16(page, 22) - item.length) & ~(align - 1);
    if (start < PAGE_HEADER + 2 * (count + 1)) return false;
    page.set(item, start);
    this.u16(page, PAGE_HEADER + 2 * count, start);
    this.u16(page, 20, count + 1);
    this.u16(page, 22, start);
    return true;
  }

  /** Bytes left for items and their index. */
  room(page: Buffer): number {
    return this.readU16(page, 22) - PAGE_HEADER - 2 * this.readU16(page, 20);
  }

  readU16(page: Buffer, at: number): number {
    return this.bigEndian ? page.readUInt16BE(at) : page.readUInt16LE(at);
  }

  /** Fills the fields of a meta page that hash and btree share. */
  meta(magic: number, type: number, uid: Uint8Array): Buffer {
    const page = this.page(0);
    this.u16(page, 22, 0);
    page.fill(0, 12, 26);
    this.u32(page, 12, magic);
    this.u32(page, 16, 9);
    this.u32(page, 20, this.pageSize);
    page[25] = type;
    this.u32(page, 32, this.#pages.length - 1);
    page.set(uid.subarray(0, 20), 52);
    return page;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#pages);
  }
}
