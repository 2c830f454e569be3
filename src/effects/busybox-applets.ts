// The links that `busybox --install` makes, read from the program without running it: a table of applet names (each
// ends in NUL, the table in a second one) and, before it, one of install folders, half a byte an applet, low half first.
// busybox: include/applet_tables.h, applet_install_loc. Verified on every architecture of Alpine 3.6 to 3.20.

const FOLDERS = ['', 'bin', 'sbin', 'usr/bin', 'usr/sbin'] as const;

/** Folders that have never changed: they tell the table from other bytes. */
const ANCHORS: ReadonlyMap<string, number> = new Map([
  ['ash', 1],
  ['awk', 3],
  ['cat', 1],
  ['chroot', 4],
  ['ifconfig', 2],
  ['ls', 1],
  ['sh', 1],
  ['wc', 3],
  ['telnet', 3],
  ['ftpget', 3],
  ['dnsd', 4],
  ['httpd', 4],
]);
const MIN_ANCHORS = 2;
/** The tables lie close together. */
const MAX_DISTANCE = 4096;
const MAX_APPLETS = 1024;
const NAME = /^[[A-Za-z0-9][[A-Za-z0-9_.-]*$/;

/** Paths of the links, sorted; undefined when the tables are not found. */
export function readApplets(program: Uint8Array): readonly string[] | undefined {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  for (const start of tableStarts(bytes)) {
    const names = readNames(bytes, start);
    const folders = names && findFolders(bytes, start, names);
    if (names && folders)
      return names.map((name, index) => joined(FOLDERS[folders[index] as number] ?? '', name)).sort();
  }
  return undefined;
}

function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Where names of applets are looked for: the beginning of the table is the first name in its order. */
function* tableStarts(bytes: Buffer): Iterable<number> {
  for (const first of ['[\0[[\0', 'arp\0', 'dnsd\0', 'ftpd\0', 'acpid\0'])
    for (
      let at = bytes.indexOf(`\0${first}`, 0, 'latin1');
      at !== -1;
      at = bytes.indexOf(`\0${first}`, at + 1, 'latin1')
    )
      yield at + 1;
}

function readNames(bytes: Buffer, start: number): readonly string[] | undefined {
  const end = bytes.indexOf('\0\0', start, 'latin1');
  if (end === -1 || end - start > MAX_APPLETS * 16) return undefined;
  const names = bytes.latin1Slice(start, end).split('\0');
  const isTable =
    names.length > 3 &&
    names.length <= MAX_APPLETS &&
    names.every((name, index) => NAME.test(name) && (index === 0 || (names[index - 1] as string) < name));
  return isTable ? names : undefined;
}

function findFolders(bytes: Buffer, start: number, names: readonly string[]): readonly number[] | undefined {
  const size = Math.ceil(names.length / 2);
  const anchors = names.flatMap((name, index) => {
    const folder = ANCHORS.get(name);
    return folder === undefined ? [] : [{ index, folder }];
  });
  if (anchors.length < MIN_ANCHORS) return undefined;
  const folderAt = (table: number, index: number): number =>
    ((bytes[table + (index >> 1)] ?? 0xff) >> ((index & 1) * 4)) & 15;
  for (let table = start - size; table >= Math.max(0, start - size - MAX_DISTANCE); table--) {
    if (!anchors.every(({ index, folder }) => folderAt(table, index) === folder)) continue;
    const folders = names.map((_, index) => folderAt(table, index));
    if (folders.every((folder) => folder < FOLDERS.length)) return folders;
  }
  return undefined;
}
