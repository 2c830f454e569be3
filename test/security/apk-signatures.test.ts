// The chain of trust of apk repositories: index signature → C: → datahash → files. Every way to break it is refused with
// a code of exit status 6, and nothing is planned or written. Rows: hostile names of keys, members in front of and behind
// signatures, packages that the index does not vouch for (CVE-2026-42575), version 3 containers.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import { exitStatus } from '../../src/cli/exit-codes.ts';
import { OnlayError } from '../../src/errors.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import {
  checksumOf,
  indexMember,
  indexRecord,
  makeApk,
  makeKey,
  makeMembers,
  plainFile,
  signatureEntry,
  signatureMember,
} from '../support/apks.ts';
import type { ToyApk } from '../support/apks.ts';
import { collectingLog, openSystem, request, systemRoot, upgradeSystem } from '../support/apk-system.ts';

const key = makeKey('test.rsa.pub');
const other = makeKey('other.rsa.pub');
const URL = 'https://host/main';
const INDEX = `${URL}/x86_64/APKINDEX.tar.gz`;
const PACKAGE = `${URL}/x86_64/a-2-r0.apk`;
const old: ToyApk = { name: 'a', version: '1-r0' };
const fresh: ToyApk = {
  name: 'a',
  version: '2-r0',
  files: [
    { path: 'usr', type: 'directory' },
    { path: 'usr/f', content: 'new' },
  ],
};
const root = systemRoot({ installed: [old], keys: [key], repositories: [URL] });

const members = makeMembers(fresh);
const unsigned = indexMember(indexRecord(fresh, makeApk(fresh, key), checksumOf(members)));

function repository(): Map<string, Uint8Array> {
  return new Map([
    [INDEX, Buffer.concat([signatureMember(unsigned, key), unsigned])],
    [PACKAGE, makeApk(fresh, key)],
  ]);
}

/** The repository with one file changed. */
function changed(url: string, change: (bytes: Uint8Array) => Uint8Array): Map<string, Uint8Array> {
  const files = repository();
  files.set(url, change(files.get(url) as Uint8Array));
  return files;
}

async function refused(files: ReadonlyMap<string, Uint8Array>, code: string, options = {}): Promise<void> {
  await assert.rejects(upgradeSystem(root, files, options), (error: unknown) => {
    assert.ok(error instanceof OnlayError, String(error));
    assert.equal(error.code, code, error.message);
    assert.equal(exitStatus(error), 6);
    return true;
  });
}

test('the untouched repository is accepted, RSA, RSA256 and RSA512', async () => {
  for (const algorithm of ['RSA', 'RSA256', 'RSA512'] as const) {
    const files = changed(INDEX, () => Buffer.concat([signatureMember(unsigned, key, algorithm), unsigned]));
    const { draft } = await upgradeSystem(root, files);
    assert.equal(Buffer.from(draft.read('usr/f') ?? []).toString(), 'new');
  }
});

test('several signatures: one trusted key is enough', async () => {
  const both = gzipSync(
    Buffer.concat([signatureEntry(unsigned, other, 'RSA256'), signatureEntry(unsigned, key, 'RSA256')]),
  );
  await upgradeSystem(
    root,
    changed(INDEX, () => Buffer.concat([both, unsigned])),
  );
});

test('an index without signature, by an unknown key, or changed after signing is refused', async () => {
  await refused(
    changed(INDEX, () => unsigned),
    'SIGNATURE_INVALID',
  );
  await refused(
    changed(INDEX, () => Buffer.concat([signatureMember(unsigned, other), unsigned])),
    'SIGNATURE_INVALID',
  );
  await refused(
    changed(INDEX, () => Buffer.concat([signatureMember(unsigned, { ...other, name: key.name }), unsigned])),
    'SIGNATURE_INVALID',
  );
  const forged = indexMember(
    indexRecord({ ...fresh, depends: ['evil'] }, makeApk(fresh, key), checksumOf(members)),
  );
  await refused(
    changed(INDEX, () => Buffer.concat([signatureMember(unsigned, key), forged])),
    'SIGNATURE_INVALID',
  );
});

test('a member behind or in front of the signature is not outside it', async () => {
  await refused(
    changed(INDEX, (bytes) => Buffer.concat([bytes, indexMember('P:evil\nV:1\n\n')])),
    'SIGNATURE_INVALID',
  );
  await refused(
    changed(INDEX, (bytes) => Buffer.concat([indexMember(''), bytes])),
    'SIGNATURE_INVALID',
  );
  const late = Buffer.concat([unsigned, gzipSync(signatureEntry(unsigned, key))]);
  await refused(
    changed(INDEX, () => late),
    'SIGNATURE_INVALID',
  );
  const mixed = gzipSync(
    Buffer.concat([signatureEntry(unsigned, key), plainFile('APKINDEX', 'P:evil\nV:1\n\n')]),
  );
  await refused(
    changed(INDEX, () => Buffer.concat([mixed, unsigned])),
    'SIGNATURE_INVALID',
  );
});

test('the name of a key is looked up, not opened as a path', async () => {
  for (const name of [
    '../keys/test.rsa.pub',
    '../../../etc/apk/keys/test.rsa.pub',
    'TEST.RSA.PUB',
    '/etc/apk/keys/test.rsa.pub',
  ]) {
    const entry = gzipSync(signatureEntry(unsigned, { ...key, name }));
    await refused(
      changed(INDEX, () => Buffer.concat([entry, unsigned])),
      'SIGNATURE_INVALID',
    );
  }
});

test('an unknown algorithm and a key of 1024 bits do not count', async () => {
  const dsa = gzipSync(plainFile('.SIGN.DSA.test.rsa.pub', 'x'));
  await refused(
    changed(INDEX, () => Buffer.concat([dsa, unsigned])),
    'SIGNATURE_INVALID',
  );
  const weak = makeKey('weak.rsa.pub', 1024);
  const files = changed(INDEX, () => Buffer.concat([signatureMember(unsigned, weak), unsigned]));
  const weakRoot = systemRoot({ installed: [old], keys: [weak], repositories: [URL] });
  await assert.rejects(upgradeSystem(weakRoot, files), { code: 'SIGNATURE_INVALID' });
});

test('only the keys the user gave count when asked so', async () => {
  const given = { name: 'any-name.pub', bytes: Buffer.from(key.publicKey) };
  await refused(repository(), 'SIGNATURE_INVALID', { onlyTrustKeys: true });
  await upgradeSystem(root, repository(), { onlyTrustKeys: true, trustKeys: [given] });
  await refused(repository(), 'SIGNATURE_INVALID', {
    onlyTrustKeys: true,
    trustKeys: [{ name: key.name, bytes: Buffer.from(other.publicKey) }],
  });
});

test('--allow-unsigned goes without, says so, and the plan shows it; digests are checked all the same', async () => {
  const log = collectingLog();
  const { resolution } = await upgradeSystem(
    root,
    changed(INDEX, () => unsigned),
    { allowUnsigned: true, log },
  );
  assert.equal(resolution.repositories[0]?.signedBy, undefined);
  assert.match(log.warnings.join('\n'), /without a valid signature/);
  const files = changed(PACKAGE, (bytes) => flipped(bytes, bytes.length - 20));
  files.set(INDEX, unsigned);
  await refused(files, 'DIGEST_MISMATCH', { allowUnsigned: true });
});

test('a package that is not the one of the index is refused', async () => {
  const bytes = repository().get(PACKAGE) as Uint8Array;
  const signatureSize = bytes.length - members.control.length - members.data.length;
  await refused(
    changed(PACKAGE, () => bytes.subarray(0, -1)),
    'SIZE_MISMATCH',
  );
  await refused(
    changed(PACKAGE, () => flipped(bytes, bytes.length - 20)),
    'DIGEST_MISMATCH',
  );
  await refused(
    changed(PACKAGE, () => flipped(bytes, signatureSize + 4)),
    'DIGEST_MISMATCH',
  );
  const evil = makeMembers({ ...fresh, files: [{ path: 'usr/f', content: 'evil' }] });
  for (const [control, data] of [
    [members.control, evil.data],
    [evil.control, evil.data],
    [evil.control, members.data],
  ] as const) {
    const swapped = Buffer.concat([bytes.subarray(0, signatureSize), control, data]);
    const record = indexRecord(fresh, swapped, checksumOf(members));
    const index = indexMember(record);
    const files = changed(PACKAGE, () => swapped);
    files.set(INDEX, Buffer.concat([signatureMember(index, key), index]));
    await refused(files, 'DIGEST_MISMATCH');
  }
});

test('as apk does, a package from a signed index needs no signature of its own', async () => {
  const files = repository();
  const index = indexMember(indexRecord(fresh, makeApk(fresh), checksumOf(members)));
  files.set(PACKAGE, makeApk(fresh));
  files.set(INDEX, Buffer.concat([signatureMember(index, key), index]));
  await upgradeSystem(root, files);
});

test('a package’s own signature may be a stranger’s, but not a wrong one of a trusted key', async () => {
  const signedBy = (signer: typeof key): Map<string, Uint8Array> => {
    const bytes = makeApk(fresh, signer);
    const index = indexMember(indexRecord(fresh, bytes, checksumOf(members)));
    const files = changed(PACKAGE, () => bytes);
    files.set(INDEX, Buffer.concat([signatureMember(index, key), index]));
    return files;
  };
  await upgradeSystem(root, signedBy(other));
  await refused(signedBy({ ...other, name: key.name }), 'SIGNATURE_INVALID');
});

test('a package may not call itself something else, state no datahash, or wrong checksums of its files', async () => {
  const spoilt = (apk: ToyApk): Map<string, Uint8Array> => {
    const parts = makeMembers(apk);
    const bytes = Buffer.concat([signatureMember(parts.control, key), parts.control, parts.data]);
    const index = indexMember(indexRecord(fresh, bytes, checksumOf(parts)));
    return new Map([
      [INDEX, Buffer.concat([signatureMember(index, key), index])],
      [PACKAGE, bytes],
    ]);
  };
  await refused(spoilt({ ...fresh, name: 'b' }), 'PACKAGE_INVALID');
  await refused(spoilt({ ...fresh, version: '3-r0' }), 'PACKAGE_INVALID');
  await refused(spoilt({ ...fresh, datahash: '' }), 'PACKAGE_INVALID');
  await refused(spoilt({ ...fresh, datahash: '0'.repeat(64) }), 'DIGEST_MISMATCH');
  await refused(
    spoilt({ ...fresh, files: [{ path: 'f', content: 'x', sha1: '0'.repeat(40) }] }),
    'DIGEST_MISMATCH',
  );
  await refused(
    spoilt({ ...fresh, files: [{ path: 'l', type: 'symlink', link: 'x', sha1: '0'.repeat(40) }] }),
    'DIGEST_MISMATCH',
  );
});

test('version 3 containers are refused by name', async () => {
  for (const magic of ['ADB.', 'ADBd', 'ADBc']) {
    const adb = Buffer.from(`${magic}${'x'.repeat(100)}`);
    await assert.rejects(
      upgradeSystem(
        root,
        changed(INDEX, () => adb),
      ),
      { code: 'INDEX_INVALID', message: /apk version 3/ },
    );
    const database = await openSystem(root);
    const { packages } = await database.resolve(request(repository()));
    await assert.rejects(database.verify(packages[0] as (typeof packages)[number], adb, request(new Map())), {
      code: 'PACKAGE_INVALID',
      message: /apk version 3/,
    });
  }
});

test('nothing is written when something is refused', async () => {
  const database = await openSystem(root);
  const { packages } = await database.resolve(request(repository()));
  const [planned] = packages;
  assert.ok(planned);
  const draft = createDraft(root);
  const bytes = flipped(repository().get(PACKAGE) as Uint8Array, 700);
  await assert.rejects(database.verify(planned, bytes, request(new Map())), { code: 'DIGEST_MISMATCH' });
  assert.deepEqual(draft.changes().changes, []);
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
