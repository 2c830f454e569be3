// The few facts of an ELF shared object that ldconfig needs: System V ABI, "ELF header", "Program header", "Dynamic
// section", and the ABI note of GNU. Everything is bounds-checked; anything odd is "not a library".

export interface ElfFacts {
  /** DT_SONAME, '' if there is none. */
  readonly soname: string;
  /** Flag word of ld.so.cache without the low "ELF for libc6" bits: machine, class and float ABI. */
  readonly machine: number;
  readonly bigEndian: boolean;
  /** NT_GNU_ABI_TAG as major<<16 | minor<<8 | patch, 0 without a note. */
  readonly abi: number;
  /** Highest x86-64 micro-architecture level that is demanded (GNU_PROPERTY_X86_ISA_1_NEEDED): v2 is 1, none 0. */
  readonly isaLevel: number;
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const DT_STRTAB = 5;
const DT_SONAME = 14;

/** Undefined unless `content` is a shared object (ET_DYN with a dynamic section) of a known machine. */
export function readElf(content: Uint8Array): ElfFacts | undefined {
  try {
    return parse(content);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function parse(content: Uint8Array): ElfFacts | undefined {
  if (
    content.length < 52 ||
    content[0] !== 0x7f ||
    content[1] !== 0x45 ||
    content[2] !== 0x4c ||
    content[3] !== 0x46
  )
    return undefined;
  const wide = content[4] === 2;
  const little = content[5] === 1;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const u16 = (at: number): number => view.getUint16(at, little);
  const u32 = (at: number): number => view.getUint32(at, little);
  const word = (at: number): number => (wide ? safe(view.getBigUint64(at, little)) : u32(at));
  if (u16(16) !== 3) return undefined;
  const machine = machineFlags(u16(18), wide, u32(wide ? 48 : 36));
  if (machine === undefined) return undefined;
  const table = word(wide ? 32 : 28);
  const entrySize = u16(wide ? 54 : 42);
  const count = u16(wide ? 56 : 44);
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    segments.push(
      wide
        ? { type: u32(at), offset: word(at + 8), address: word(at + 16), size: word(at + 32) }
        : { type: u32(at), offset: u32(at + 4), address: u32(at + 8), size: u32(at + 16) },
    );
  }
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (!dynamic) return undefined;
  let strings = -1;
  let soname = -1;
  const step = wide ? 16 : 8;
  for (let at = dynamic.offset; at + step <= dynamic.offset + dynamic.size; at += step) {
    const tag = word(at);
    if (tag === 0) break;
    if (tag === DT_STRTAB) strings = word(at + step / 2);
    if (tag === DT_SONAME) soname = word(at + step / 2);
  }
  const load = segments.find(
    ({ type, address, size }) => type === PT_LOAD && strings >= address && strings < address + size,
  );
  if (soname >= 0 && !load) return undefined;
  return {
    soname: soname < 0 || !load ? '' : cString(content, strings - load.address + load.offset + soname),
    machine,
    bigEndian: !little,
    ...readNotes(
      content,
      segments.filter(({ type }) => type === PT_NOTE),
      u32,
    ),
  };
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('beyond any file');
  return Number(value);
}

function cString(content: Uint8Array, start: number): string {
  const end = content.indexOf(0, start);
  if (start < 0 || end < 0 || end - start > 4096) throw new RangeError('string outside of the file');
  return Buffer.from(content.subarray(start, end)).latin1Slice();
}

const GNU = 0x554e47; // "GNU\0" read little-endian
const GNU_BIG = 0x474e5500;

function readNotes(
  content: Uint8Array,
  notes: readonly Segment[],
  u32: (at: number) => number,
): { readonly abi: number; readonly isaLevel: number } {
  let abi = 0;
  let isaLevel = 0;
  for (const { offset, size } of notes) {
    let at = offset;
    while (at + 12 <= Math.min(offset + size, content.length)) {
      const nameSize = u32(at);
      const valueSize = u32(at + 4);
      const type = u32(at + 8);
      const value = at + 12 + align(nameSize);
      if (nameSize === 4 && [GNU, GNU_BIG].includes(u32(at + 12))) {
        if (type === 1 && valueSize >= 16)
          abi = (u32(value + 4) << 16) | (u32(value + 8) << 8) | u32(value + 12);
        if (type === 5) isaLevel = Math.max(isaLevel, neededLevel(value, valueSize, u32));
      }
      at = value + align(valueSize);
    }
  }
  return { abi, isaLevel };
}

/** One bit for each level, of which the highest counts. */
function neededLevel(start: number, size: number, u32: (at: number) => number): number {
  for (let at = start; at + 8 <= start + size; at += 8 + Math.ceil(u32(at + 4) / 8) * 8)
    if (u32(at) === 0xc0008002) return Math.max(0, 31 - Math.clz32(u32(at + 8)));
  return 0;
}

function align(size: number): number {
  return Math.ceil(size / 4) * 4;
}

/** glibc sysdeps/generic/ldconfig.h: FLAG_X8664_LIB64 and its siblings. */
function machineFlags(machine: number, wide: boolean, flags: number): number | undefined {
  switch (machine) {
    case 3: // EM_386
      return 0x0000;
    case 62: // EM_X86_64
      return wide ? 0x0300 : 0x0800;
    case 183: // EM_AARCH64
      return wide ? 0x0a00 : 0x0c00;
    case 40: // EM_ARM, hard or soft float
      return (flags & 0x400) !== 0 ? 0x0900 : (flags & 0x200) !== 0 ? 0x0b00 : 0x0000;
    case 21: // EM_PPC64
      return 0x0500;
    case 22: // EM_S390
      return wide ? 0x0400 : 0x0000;
    case 243: // EM_RISCV, double or no float ABI
      return (flags & 0x6) === 0x4 ? 0x1000 : 0x0f00;
    default:
      return undefined;
  }
}
