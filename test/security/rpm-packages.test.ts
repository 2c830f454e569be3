// Hostile rpm packages (catalogue R-a, R-b, R-c): each is refused with the right code, whatever vouches for it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import { hasCode, messageOf, type ErrorCode } from '../../src/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { HeaderType } from '../../src/packages/rpm/header.ts';
import { checkDigests, parseRpm } from '../../src/packages/rpm/rpm-file.ts';
import { rpm } from '../../src/packages/rpm/family.ts';
import { SigTag, Tag } from '../../src/packages/rpm/tags.ts';
import { unpackPayload } from '../../src/packages/rpm/unpack.ts';
import {
  assembleRpm,
  craftArchive,
  craftEntries,
  craftHeader,
  craftRpm,
  HEADER_MAGIC,
  type CraftedEntry,
  type CraftedPackage,
} from '../support/rpm-craft.ts';
import { plannedFor } from '../support/rpm-family.ts';
import { rpmImage } from '../support/rpm-image.ts';

const GOOD: CraftedPackage = {
  name: 'good',
  files: [
    { path: '/opt/good', mode: 0o040755 },
    { path: '/opt/good/file', content: 'content' },
    { path: '/opt/good/link', link: 'file' },
  ],
};

async function takeApart(bytes: Uint8Array): Promise<void> {
  const file = parseRpm(bytes, 'the package');
  checkDigests(file, 'the package');
  await unpackPayload(file, 'the package');
}

async function refusedWith(codes: readonly ErrorCode[], bytes: Uint8Array, name: string): Promise<void> {
  await assert.rejects(
    takeApart(bytes),
    (error) => {
      assert.ok(hasCode(error, ...codes), `${name}: ${messageOf(error)}`);
      return true;
    },
    name,
  );
}

test('the package the others are made of is fine', () => takeApart(craftRpm(GOOD)));

const strings = (tag: number, value: readonly string[]): CraftedEntry => ({
  tag,
  type: HeaderType.stringArray,
  value,
});
const ints = (tag: number, value: readonly number[]): CraftedEntry => ({
  tag,
  type: HeaderType.int32,
  value,
});

const HEADERS: readonly (readonly [string, Partial<CraftedPackage>, readonly ErrorCode[]])[] = [
  [
    'a digest of the signature header in the main header (CVE-2021-20271)',
    { entries: [{ tag: Tag.sha1Header, type: HeaderType.string, value: ['00'] }] },
    ['PACKAGE_INVALID'],
  ],
  [
    'a signature of the signature header in the main header',
    { entries: [{ tag: Tag.rsaHeader, type: HeaderType.binary, value: Buffer.from('x') }] },
    ['PACKAGE_INVALID'],
  ],
  [
    'file states, which only the database has',
    { entries: [{ tag: Tag.fileStates, type: HeaderType.char, value: [2, 2, 2] }] },
    ['PACKAGE_INVALID'],
  ],
  ['an install time', { entries: [ints(Tag.installTime, [1])] }, ['PACKAGE_INVALID']],
  [
    'fewer directories than indexes into them',
    { entries: [strings(Tag.dirNames, ['/opt/'])] },
    ['PACKAGE_INVALID'],
  ],
  ['fewer sizes than files', { entries: [ints(Tag.fileSizes, [1])] }, ['PACKAGE_INVALID']],
  [
    'more owners than files',
    { entries: [strings(Tag.fileUserName, ['a', 'b', 'c', 'd'])] },
    ['PACKAGE_INVALID'],
  ],
  [
    'no digests at all',
    { entries: [{ tag: Tag.fileDigests, type: HeaderType.stringArray, value: undefined }] },
    ['PACKAGE_INVALID'],
  ],
  ['digests of an unknown kind', { entries: [ints(Tag.fileDigestAlgorithm, [99])] }, ['PACKAGE_INVALID']],
  [
    'a name with a slash',
    { entries: [strings(Tag.baseNames, ['good', '../file', 'link'])] },
    ['PACKAGE_INVALID'],
  ],
  ['a name that is ..', { entries: [strings(Tag.baseNames, ['good', '..', 'link'])] }, ['PACKAGE_INVALID']],
  [
    'a directory that climbs',
    { entries: [strings(Tag.dirNames, ['/opt/', '/opt/../../etc/'])] },
    ['PACKAGE_INVALID'],
  ],
  [
    'a directory that is relative',
    { entries: [strings(Tag.dirNames, ['/opt/', 'opt/good/'])] },
    ['PACKAGE_INVALID'],
  ],
  [
    'a type of file that does not exist',
    { entries: [{ tag: Tag.fileModes, type: HeaderType.int16, value: [0o040755, 0o7, 0o120777] }] },
    ['PACKAGE_INVALID'],
  ],
  [
    'a payload of another format',
    { entries: [{ tag: Tag.payloadFormat, type: HeaderType.string, value: ['drpm'] }] },
    ['PACKAGE_INVALID'],
  ],
  [
    'a digest that is not the content’s',
    { files: [{ path: '/opt/x', content: 'x', digest: '00'.repeat(32) }] },
    ['DIGEST_MISMATCH'],
  ],
  ['a file without a digest', { files: [{ path: '/opt/x', content: 'x', digest: '' }] }, ['PACKAGE_INVALID']],
  ['a size that is not the content’s', { entries: [ints(Tag.fileSizes, [0, 3, 4])] }, ['SIZE_MISMATCH']],
  [
    'another symlink in the payload than in the list',
    { entries: [strings(Tag.fileLinkTos, ['', '', '/etc/passwd'])] },
    ['DIGEST_MISMATCH'],
  ],
  [
    'a payload digest that is wrong',
    { entries: [strings(Tag.payloadDigest, ['00'.repeat(32)])] },
    ['DIGEST_MISMATCH'],
  ],
  [
    'a payload digest of an unknown kind',
    { entries: [ints(Tag.payloadDigestAlgorithm, [42])] },
    ['PACKAGE_INVALID'],
  ],
  [
    'a header digest that is wrong',
    { signatureEntries: [{ tag: Tag.sha256Header, type: HeaderType.string, value: ['00'.repeat(32)] }] },
    ['DIGEST_MISMATCH'],
  ],
  [
    'an MD5 that is wrong',
    { signatureEntries: [{ tag: SigTag.md5, type: HeaderType.binary, value: Buffer.alloc(16) }] },
    ['DIGEST_MISMATCH'],
  ],
  ['a size that is wrong', { signatureEntries: [ints(SigTag.size, [1])] }, ['SIZE_MISMATCH']],
  [
    'a file of the payload that is not in the list',
    { archiveNames: { '/opt/good/file': './opt/good/other' } },
    ['PACKAGE_INVALID'],
  ],
  [
    'a file of the payload that leaves the root',
    { archiveNames: { '/opt/good/file': './../../etc/passwd' } },
    ['PACKAGE_INVALID'],
  ],
  ['a file twice', { archiveNames: { '/opt/good/file': './opt/good/link' } }, ['PACKAGE_INVALID']],
];

test('contradictions and impossible values are refused', async () => {
  for (const [name, change, codes] of HEADERS)
    await refusedWith(codes, craftRpm({ ...GOOD, ...change }), name);
});

/** A package whose digests fit, around a payload of its own. */
function withPayload(archive: Buffer, spec: CraftedPackage = GOOD): Buffer {
  const payload = gzipSync(archive);
  const header = Buffer.concat([
    HEADER_MAGIC,
    craftHeader(
      [
        ...craftEntries(spec),
        strings(Tag.payloadDigest, [createHash('sha256').update(payload).digest('hex')]),
        ints(Tag.payloadDigestAlgorithm, [8]),
      ],
      63,
    ),
  ]);
  return assembleRpm(spec, header, payload, archive.length);
}

test('a payload that lacks a file, has more, or is cut off is refused', async () => {
  const archive = craftArchive(GOOD);
  await takeApart(withPayload(archive));
  await refusedWith(
    ['PACKAGE_INVALID'],
    withPayload(craftArchive({ ...GOOD, files: GOOD.files?.slice(0, 2) ?? [] })),
    'lacks one',
  );
  await refusedWith(['ARCHIVE_INVALID'], withPayload(archive.subarray(0, archive.length - 130)), 'cut off');
  await refusedWith(
    ['ARCHIVE_INVALID'],
    withPayload(Buffer.concat([archive, Buffer.from('more')])),
    'more behind the end',
  );
});

test('a payload that unpacks to more than the list says stops at the limit', async () => {
  await refusedWith(
    ['LIMIT_EXCEEDED'],
    withPayload(Buffer.concat([craftArchive(GOOD), Buffer.alloc(64 * 1024 * 1024)])),
    'zeros',
  );
  const names = craftArchive({
    ...GOOD,
    files: Array.from({ length: 5000 }, (_, i) => ({ path: `/opt/${i}` })),
  });
  await refusedWith(['LIMIT_EXCEEDED', 'PACKAGE_INVALID'], withPayload(names), 'entries');
});

test('a package that is cut off anywhere, or is something else, is refused', async () => {
  const bytes = craftRpm(GOOD);
  for (let length = 0; length < bytes.length; length += 37)
    await refusedWith(
      ['PACKAGE_INVALID', 'SIZE_MISMATCH', 'DIGEST_MISMATCH'],
      bytes.subarray(0, length),
      `${length} bytes`,
    );
  await refusedWith(['PACKAGE_INVALID'], Buffer.from('not an rpm'.repeat(100)), 'text');
});

test('a bit that is flipped anywhere behind the lead is found', async () => {
  const bytes = craftRpm(GOOD);
  const signatureEnd = 96 + 16 + 16 * bytes.readUInt32BE(104) + bytes.readUInt32BE(108);
  const padded = Math.ceil(signatureEnd / 8) * 8;
  for (let at = padded; at < bytes.length; at += 5) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    await refusedWith(['PACKAGE_INVALID', 'DIGEST_MISMATCH', 'SIZE_MISMATCH'], damaged, `byte ${at}`);
  }
});

const TRUST = { trustKeys: [], onlyTrustKeys: false, allowUnsigned: false };

async function database(): Promise<NonNullable<Awaited<ReturnType<typeof rpm.open>>>> {
  const opened = await rpm.open({
    root: rpmImage([GOOD]),
    distro: undefined,
    imageArch: 'amd64',
    log: silentLog,
  });
  return opened ?? assert.fail();
}

test('a package that is not the planned one is refused, even with the right digest', async () => {
  const opened = await database();
  const check = async (planned: CraftedPackage, real: CraftedPackage, code: ErrorCode): Promise<void> => {
    const bytes = craftRpm(real);
    await assert.rejects(opened.verify(plannedFor(planned, bytes, undefined), bytes, TRUST), (error) =>
      hasCode(error, code),
    );
  };
  await check({ ...GOOD, name: 'other' }, GOOD, 'PACKAGE_INVALID');
  await check({ ...GOOD, version: '2' }, GOOD, 'PACKAGE_INVALID');
  await check({ ...GOOD, arch: 'x86_64' }, GOOD, 'PACKAGE_INVALID');
  await check(GOOD, { ...GOOD, entries: [ints(Tag.sourcePackage, [1])] }, 'PACKAGE_INVALID');
});

test('a package of unsigned metadata has to be signed', async () => {
  const opened = await database();
  const bytes = craftRpm(GOOD);
  const planned = { ...plannedFor(GOOD, bytes, undefined), extra: { trust: 'package' } };
  await assert.rejects(opened.verify(planned, bytes, TRUST), (error) => hasCode(error, 'SIGNATURE_INVALID'));
  const without = { ...planned, extra: {} };
  await assert.rejects(
    opened.verify(without, bytes, TRUST),
    (error) => hasCode(error, 'SIGNATURE_INVALID'),
    'also when the plan does not say',
  );
  await opened.verify(planned, bytes, { ...TRUST, allowUnsigned: true });
});

test('a package that differs from its index is refused before it is looked at', async () => {
  const opened = await database();
  const bytes = craftRpm(GOOD);
  const planned = plannedFor(GOOD, bytes, undefined);
  const damaged = Buffer.from(bytes);
  damaged[50] = 1; // in the lead, which nothing else covers
  await assert.rejects(opened.verify(planned, damaged, TRUST), (error) => hasCode(error, 'DIGEST_MISMATCH'));
  await assert.rejects(opened.verify(planned, Buffer.concat([bytes, bytes]), TRUST), (error) =>
    hasCode(error, 'SIZE_MISMATCH'),
  );
  await assert.rejects(opened.verify({ ...planned, digests: [] }, bytes, TRUST), (error) =>
    hasCode(error, 'PACKAGE_INVALID'),
  );
});
