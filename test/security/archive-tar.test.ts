// Tar archives that Go (container runtimes), GNU tar and dpkg read differently: what one of them hides from the others.
// Every row of the table is a test with its own archive.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTarBytes, type TarMember, type TarOptions } from '../../src/archive/tar-read.ts';
import {
  END,
  base256,
  craftEntry,
  craftLong,
  craftPax,
  craftRecord,
  craftTar,
  type CraftedEntry,
} from '../support/tar-craft.ts';

const hidden = { name: 'hidden', body: 'evil' };
const inner = craftTar(hidden);

function names(archive: Uint8Array, options?: TarOptions): string[] {
  return readTarBytes(archive, options).map((member) => member.header.path);
}

function only(archive: Uint8Array): TarMember {
  const [member, ...others] = readTarBytes(archive);
  assert.ok(member);
  assert.deepEqual(others, []);
  return member;
}

function text(member: TarMember): string {
  return Buffer.from(member.content).toString('latin1');
}

test('entries after two zero blocks do not exist', () => {
  assert.deepEqual(names(craftTar({ name: 'seen' }, END, hidden, END)), ['seen']);
});

test('what follows the end marker need not be tar, and is taken to the last byte', () => {
  assert.deepEqual(names(craftTar({ name: 'seen' }, END, Buffer.alloc(777, 'x'))), ['seen']);
});

/** What must be refused, and what the message must say. */
const REFUSED: readonly (readonly [title: string, archive: () => Buffer, message: RegExp])[] = [
  [
    'one zero block and then entries',
    () => craftTar({ name: 'seen' }, Buffer.alloc(512), hidden, END),
    /single zero block/,
  ],
  ...(
    [
      ['a symlink', { type: '2', link: 'target' }],
      ['a hard link', { type: '1', link: 'target' }],
      ['a character device', { type: '3' }],
      ['a block device', { type: '4' }],
      ['a fifo', { type: '6' }],
      ['a directory', { type: '5', name: 'directory/' }],
      ['a v7 directory', { type: '\0', name: 'directory/', magic: 'v7' }],
    ] as const satisfies readonly (readonly [string, CraftedEntry])[]
  ).map(
    ([title, entry]) =>
      [
        `${title} with a size of 1024`,
        () => craftTar({ ...entry, body: inner }, END),
        /bytes of content/,
      ] as const,
  ),
  [
    'a symlink whose PAX header gives it a size',
    () => craftTar(craftPax({ size: '1024' }), { type: '2', link: 'target' }, inner, END),
    /1024 bytes of content/,
  ],
  ...(['path', 'size', 'linkpath', 'uid', 'mtime', 'SCHILY.xattr.user.a', 'GNU.sparse.name'] as const).map(
    (key) =>
      [
        `a global extended header with ${key}`,
        () => craftTar(craftPax({ [key]: '1' }, 'g'), { name: 'seen' }, END),
        /global extended header/,
      ] as const,
  ),
  [
    'a negative base-256 size',
    () => craftTar({ raw: { 124: base256(-512n, 12) } }, END),
    /size field of the header is negative/,
  ],
  [
    'a huge base-256 size',
    () => craftTar({ raw: { 124: base256(2n ** 87n, 12) } }, END),
    /size field of the header is too large/,
  ],
  [
    'a size of 2^53 bytes, which a double no longer tells from its neighbour',
    () => craftTar({ raw: { 124: base256(2n ** 53n, 12) } }, END),
    /size field of the header is too large/,
  ],
  ['a PAX path with a NUL byte', () => craftTar(craftPax({ path: 'ok\0/../../evil' }), {}, END), /NUL byte/],
  [
    'a PAX linkpath with a NUL byte',
    () => craftTar(craftPax({ linkpath: 'ok\0evil' }), { type: '2', link: 'x' }, END),
    /NUL byte/,
  ],
  [
    'a GNU long name that goes on after its NUL byte',
    () => craftTar(craftLong('ok\0evil'), {}, END),
    /NUL byte/,
  ],
  ...(
    [
      ['too short', '9 path=abcdef\n'],
      ['too long', '99 path=abcdef\n'],
      ['zero', '0 path=abcdef\n'],
      ['negative', '-15 path=abcdef\n'],
      ['not a number', 'ab path=abcdef\n'],
      ['absent', ' path=abcdef\n'],
      ['hexadecimal', '0x0f path=abcdef\n'],
    ] as const
  ).map(
    ([title, body]) =>
      [
        `a PAX record whose length is ${title}`,
        () => craftTar({ name: 'PaxHeader', type: 'x', body }, {}, END),
        /PAX record has a wrong length/,
      ] as const,
  ),
  [
    'a PAX record without "="',
    () => craftTar({ name: 'PaxHeader', type: 'x', body: '9 path34\n' }, {}, END),
    /no "="/,
  ],
  [
    'a PAX record with an empty key',
    () => craftTar({ name: 'PaxHeader', type: 'x', body: '5 =a\n' }, {}, END),
    /empty key/,
  ],
  ['an empty PAX path', () => craftTar(craftPax({ path: '' }), {}, END), /PAX path is empty/],
  ['a PAX size that is no number', () => craftTar(craftPax({ size: '1e3' }), {}, END), /not a number/],
  ['a negative PAX size', () => craftTar(craftPax({ size: '-1' }), {}, END), /not a number/],
  ['a PAX uid that is no number', () => craftTar(craftPax({ uid: '0x0' }), {}, END), /not a number/],
  ['a PAX mtime that is no time', () => craftTar(craftPax({ mtime: 'now' }), {}, END), /not a time/],
  [
    'a truncated body',
    () => craftTar({ body: 'a'.repeat(600) }).subarray(0, 512 + 512),
    /middle of an entry/,
  ],
  ['a truncated header', () => craftTar({}).subarray(0, 300), /middle of an entry/],
  ['a body without its padding', () => craftTar({ body: 'abc' }).subarray(0, 515), /middle of an entry/],
  ['a long name that belongs to no entry', () => craftTar(craftLong('a'), END), /belongs to no entry/],
  [
    'a PAX header that belongs to no entry',
    () => craftTar(craftPax({ path: 'a' }), END),
    /belongs to no entry/,
  ],
  ['a PAX header at the very end', () => craftPax({ path: 'a' }), /middle of an entry/],
  [
    'two PAX headers for one entry',
    () => craftTar(craftPax({ path: 'a' }), craftPax({ path: 'b' }), {}, END),
    /two extended headers/,
  ],
  ['two long names for one entry', () => craftTar(craftLong('a'), craftLong('b'), {}, END), /two long names/],
  [
    'two long link targets for one entry',
    () => craftTar(craftLong('a', 'K'), craftLong('b', 'K'), { type: '2', link: 'x' }, END),
    /two long link targets/,
  ],
  [
    'a long name and a PAX path (Go takes the first, GNU tar the second)',
    () => craftTar(craftLong('go'), craftPax({ path: 'gnu' }), {}, END),
    /GNU long name and a PAX path/,
  ],
  [
    'a file whose name ends in a slash (Go sees a file, GNU tar and dpkg a directory)',
    () => craftTar({ name: 'directory/' }, END),
    /ends in a slash/,
  ],
  [
    'a GNU header with a ustar prefix (Go takes it, GNU tar does not)',
    () => craftTar({ magic: 'gnu', raw: { 345: 'prefix' } }, END),
    /not a number/,
  ],
  [
    'a prefix that runs into the times of star (Go stops before them, GNU tar does not)',
    () => craftTar({ raw: { 345: 'p'.repeat(140), 508: 'tar\0' } }, END),
    /times of star/,
  ],
  [
    'a PAX uname with a NUL byte',
    () => craftTar(craftPax({ uname: 'root\0games' }), {}, END),
    /uname has a NUL byte/,
  ],
  ['a wrong checksum', () => craftTar({ checksum: 1 }, END), /checksum/],
  ['a type nobody knows', () => craftTar({ type: 'Z' }, END), /type 'Z'/],
  ['a volume label', () => craftTar({ type: 'V' }, END), /type 'V'/],
  ['a continued volume', () => craftTar({ type: 'M' }, END), /type 'M'/],
  ['a size with letters', () => craftTar({ raw: { 124: '00000000z00\0' } }, END), /not a number/],
  ['a size with an 8', () => craftTar({ raw: { 124: '00000000080\0' } }, END), /not a number/],
  ['a size in two pieces', () => craftTar({ raw: { 124: '0000000 004\0' } }, END), /not a number/],
  ['a size after a NUL byte', () => craftTar({ raw: { 124: '\x000000000004\0' } }, END), /not a number/],
  ['a size with a sign', () => craftTar({ raw: { 124: '-0000000004\0' } }, END), /not a number/],
  [
    'a base-256 number with stray bits',
    () => craftTar({ raw: { 124: Buffer.from([0x90, 0, 0]) } }, END),
    /not a number/,
  ],
  ['an entry without a name', () => craftTar({ name: '' }, END), /no name/],
  ['a symlink without a target', () => craftTar({ type: '2' }, END), /no target/],
  ['a hard link without a target', () => craftTar({ type: '1' }, END), /no target/],
  [
    'something that is no tar',
    () => Buffer.from('PK\x03\x04'.padEnd(1024, 'x'), 'latin1'),
    /not a number|checksum/,
  ],
];

for (const [title, archive, message] of REFUSED) {
  test(`${title} is refused`, () => {
    assert.throws(() => readTarBytes(archive(), { what: 'layer' }), { code: 'ARCHIVE_INVALID', message });
  });
}

test('a message says which archive, where and why', () => {
  assert.throws(
    () => readTarBytes(craftTar({ name: 'a' }, { name: 'b/', type: '5', body: 'x' }), { what: 'layer 3' }),
    {
      message: "Cannot read layer 3 at byte 512, near 'b/': a directory has 1 bytes of content",
    },
  );
});

test('a PAX size counts more than that of the header, also for what follows the body', () => {
  const archive = craftTar(
    craftPax({ size: '1030' }),
    { name: 'big', size: 6 },
    Buffer.alloc(1536, 'a'),
    hidden,
    END,
  );
  assert.deepEqual(names(archive), ['big', 'hidden']);
  assert.equal(readTarBytes(archive)[0]?.content.length, 1030);
});

test('a PAX size is not the size of the long name after it', () => {
  const archive = craftTar(craftPax({ size: '3' }), craftLong('long/name'), { body: 'abc', size: 0 }, END);
  assert.equal(only(archive).header.path, 'long/name');
  assert.equal(text(only(archive)), 'abc');
});

test('a long name before the PAX header means the same', () => {
  const archive = craftTar(craftLong('long/name'), craftPax({ size: '3' }), { body: 'abc', size: 0 }, END);
  assert.equal(only(archive).header.path, 'long/name');
  assert.equal(text(only(archive)), 'abc');
});

test('a global extended header with a comment passes', () => {
  const archive = craftTar(craftPax({ comment: 'commit', 'VENDOR.note': 'x' }, 'g'), { name: 'seen' }, END);
  assert.deepEqual(names(archive), ['seen']);
});

test('a v7 header is accepted', () => {
  const { header } = only(
    craftTar({ magic: 'v7', name: 'old', body: 'abc', raw: { 265: 'not a name' } }, END),
  );
  assert.deepEqual([header.path, header.type, header.uname, header.size], ['old', 'file', '', 3]);
});

test('a header of star is read', () => {
  const raw = { 345: 'prefix', 476: '00000000000 00000000000 ', 508: 'tar\0' };
  assert.equal(only(craftTar({ name: 'name', raw }, END)).header.path, 'prefix/name');
});

test('a v7 directory is known by its slash', () => {
  assert.equal(only(craftTar({ magic: 'v7', type: '\0', name: 'old/' }, END)).header.type, 'directory');
});

test('a PAX linkpath of a regular file is ignored', () => {
  const { header } = only(craftTar(craftPax({ linkpath: '/etc/shadow' }), { name: 'file' }, END));
  assert.deepEqual([header.type, header.link], ['file', '']);
});

test('a link name in the header of a regular file is ignored', () => {
  assert.equal(only(craftTar({ name: 'file', link: '/etc/shadow' }, END)).header.link, '');
});

test('LIBARCHIVE attributes, which no runtime applies, are no attributes', () => {
  const { header } = only(craftTar(craftPax({ 'LIBARCHIVE.xattr.user.a': 'eA' }), {}, END));
  assert.equal(header.xattrs.size, 0);
  assert.ok(header.pax.has('LIBARCHIVE.xattr.user.a'));
});

const LIMITS: readonly (readonly [title: string, archive: () => Buffer, options: TarOptions['limits']])[] = [
  ['a long name of 9 MiB', () => craftLong('a'.repeat(9 * 2 ** 20)), {}],
  ['a PAX header of 9 MiB', () => craftPax({ comment: 'a'.repeat(9 * 2 ** 20) }), {}],
  [
    'a header that announces a PAX header of 8 GiB',
    () => craftEntry({ type: 'x', size: 8 * 2 ** 30 - 1 }),
    {},
  ],
  ['a path of 5000 bytes', () => craftTar(craftPax({ path: 'a/'.repeat(2500) + 'a' }), {}, END), {}],
  [
    'a link target of 5000 bytes',
    () => craftTar(craftLong('a'.repeat(5000), 'K'), { type: '2', link: 'x' }),
    {},
  ],
  [
    'more entries than allowed',
    () => craftTar({ name: 'a' }, { name: 'b' }, { name: 'c' }),
    { maxEntries: 2 },
  ],
  [
    'a sparse file with an exbibyte of holes',
    () => craftTar(craftPax(sparse('0.1', { size: String(2 ** 50), map: '' })), {}, END),
    {},
  ],
];

for (const [title, archive, limits] of LIMITS) {
  test(`${title} is over the limit`, () => {
    assert.throws(() => readTarBytes(archive(), limits === undefined ? {} : { limits }), {
      code: 'LIMIT_EXCEEDED',
    });
  });
}

function sparse(version: '0.1' | '1.0', fields: Readonly<Record<string, string>>): Record<string, string> {
  const [major, minor] = version.split('.') as [string, string];
  const all = Object.entries({ major, minor, ...fields });
  return Object.fromEntries(all.map(([key, value]) => [`GNU.sparse.${key}`, value]));
}

const BAD_SPARSE: readonly (readonly [title: string, archive: () => Buffer])[] = [
  [
    'runs out of order',
    () => craftTar(craftPax(sparse('0.1', { size: '20', map: '10,2,5,1' })), { body: 'abc' }, END),
  ],
  [
    'runs that overlap',
    () => craftTar(craftPax(sparse('0.1', { size: '20', map: '0,2,1,1' })), { body: 'abc' }, END),
  ],
  [
    'a run past the end',
    () => craftTar(craftPax(sparse('0.1', { size: '4', map: '2,3' })), { body: 'abc' }, END),
  ],
  [
    'more bytes than stored',
    () => craftTar(craftPax(sparse('0.1', { size: '9', map: '0,4' })), { body: 'abc' }, END),
  ],
  [
    'fewer bytes than stored',
    () => craftTar(craftPax(sparse('0.1', { size: '9', map: '0,2' })), { body: 'abc' }, END),
  ],
  ['half a pair', () => craftTar(craftPax(sparse('0.1', { size: '9', map: '0,3,5' })), { body: 'abc' }, END)],
  [
    'a negative offset',
    () => craftTar(craftPax(sparse('0.1', { size: '9', map: '-1,3' })), { body: 'abc' }, END),
  ],
  ['no size', () => craftTar(craftPax(sparse('0.1', { map: '0,3' })), { body: 'abc' }, END)],
  [
    'two sizes',
    () => craftTar(craftPax(sparse('0.1', { size: '9', realsize: '8', map: '0,3' })), { body: 'abc' }, END),
  ],
  [
    'an unknown version',
    () => craftTar(craftPax({ 'GNU.sparse.major': '2', 'GNU.sparse.size': '3' }), { body: 'abc' }),
  ],
  [
    'a wrong count',
    () => craftTar(craftPax(sparse('0.1', { size: '9', numblocks: '2', map: '0,3' })), { body: 'abc' }),
  ],
  [
    'a map in the body that never ends',
    () => craftTar(craftPax(sparse('1.0', { realsize: '9' })), { body: '900\n1\n' }),
  ],
  [
    'a map in the body that is no map',
    () => craftTar(craftPax(sparse('1.0', { realsize: '9' })), { body: 'x'.repeat(512) }),
  ],
  [
    'a directory',
    () => craftTar(craftPax(sparse('0.1', { size: '9', map: '' })), { type: '5', name: 'a/' }, END),
  ],
  ['an old GNU header that is not GNU', () => craftTar({ type: 'S' }, END)],
  [
    'pairs of version 0.0 in disorder',
    () =>
      craftTar(
        {
          type: 'x',
          body: craftRecord('GNU.sparse.size', '9') + craftRecord('GNU.sparse.numbytes', '3').repeat(2),
        },
        { body: 'abc' },
        END,
      ),
  ],
];

for (const [title, archive] of BAD_SPARSE) {
  test(`a sparse file with ${title} is refused`, () => {
    assert.throws(() => readTarBytes(archive()), { code: 'ARCHIVE_INVALID' });
  });
}

test('a Debian package has no PAX headers, no sparse files and an end', () => {
  const options = { dialect: 'deb' } as const;
  assert.throws(() => readTarBytes(craftTar(craftPax({ path: 'a' }), {}, END), options), {
    code: 'ARCHIVE_INVALID',
  });
  assert.throws(() => readTarBytes(craftTar(craftPax({ comment: 'a' }, 'g'), {}, END), options), {
    code: 'ARCHIVE_INVALID',
  });
  assert.throws(() => readTarBytes(craftTar({ type: 'S', magic: 'gnu' }, END), options), {
    code: 'ARCHIVE_INVALID',
  });
  assert.throws(() => readTarBytes(craftTar({ name: './a' }), options), { message: /no end marker/ });
  assert.deepEqual(names(craftTar(craftLong('./long'), {}, END), options), ['./long']);
});

test('no prefix and no flipped bit of an archive crashes the reader or is read as something larger', () => {
  const archive = craftTar(
    craftPax({ path: 'pax/path', 'SCHILY.xattr.user.a': '\xff' }),
    { body: 'abc' },
    craftLong('long/name'),
    { magic: 'gnu', type: '2', link: 'target' },
    craftPax(sparse('0.1', { size: '20', map: '0,1,10,2' })),
    { body: 'abc' },
    END,
  );
  const attempt = (bytes: Uint8Array): void => {
    try {
      const members = readTarBytes(bytes, { limits: { maxHoles: 1 << 20 } });
      for (const { header, content } of members) assert.equal(content.length, header.size);
    } catch (error) {
      assert.match(String((error as { code?: unknown }).code), /^(?:ARCHIVE_INVALID|LIMIT_EXCEEDED)$/);
    }
  };
  for (let size = 0; size < archive.length; size += 37) attempt(archive.subarray(0, size));
  for (let bit = 0; bit < archive.length * 8; bit += 13) {
    const flipped = Buffer.from(archive);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    attempt(flipped);
  }
});
