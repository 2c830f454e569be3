// Real signed packages and their vendors' keys: version 3 signatures of CentOS 6 and 7, version 4 ones of rpm's own
// tests; and the choice of files that real minimal images were installed with.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '../../src/errors.ts';
import { headerFiles } from '../../src/packages/rpm/files.ts';
import { installPolicy } from '../../src/packages/rpm/install-policy.ts';
import { openNdb } from '../../src/packages/rpm/db/ndb.ts';
import { openSqlite } from '../../src/packages/rpm/db/sqlite.ts';
import { checkDigests, parseRpm, verifySignature } from '../../src/packages/rpm/rpm-file.ts';
import { rootPath } from '../../src/rootfs/path.ts';
import { readKeyring, type Keyring } from '../../src/trust/keyring.ts';
import { memoryRoot } from '../support/memory-root.ts';
import { sharedFolder } from '../support/project.ts';

const NEEDS = 'needs the real packages beside the project';

function read(name: string): Buffer | undefined {
  const file = join(sharedFolder() ?? '', 'data/rpm', name);
  return sharedFolder() !== undefined && existsSync(file) ? readFileSync(file) : undefined;
}

async function keyring(name: string): Promise<Keyring> {
  return readKeyring(read(name) ?? assert.fail(name), name);
}

const SIGNED: readonly (readonly [string, string])[] = [
  ['centos-release-6-0.el6.centos.5.x86_64.rpm', 'key-RPM-GPG-KEY-CentOS-6'],
  ['centos-release-7-2.1511.el7.centos.2.10.x86_64.rpm', 'key-RPM-GPG-KEY-CentOS-7'],
  ['epel-release-7-5.noarch.rpm', 'key-RPM-GPG-KEY-CentOS-7'],
  ['hello-2.0-1.x86_64-signed.rpm', 'key-rpm.org-rsa-2048-test.pub'],
  ['hello-2.0-1.x86_64-v3-signed.rpm', 'key-rpm.org-rsa-2048-test.pub'],
];

test('real packages are verified by the keys of their vendors, and by no others', async (t) => {
  if (!read(SIGNED[0]?.[0] ?? '')) return t.skip(NEEDS);
  for (const [name, key] of SIGNED) {
    const rpm = parseRpm(read(name) ?? assert.fail(name), name);
    checkDigests(rpm, name);
    const fact = await verifySignature(rpm, { keyrings: [await keyring(key)], at: Date.now(), what: name });
    assert.equal(fact.keyring, key);
    const [other] = SIGNED.map(([, one]) => one).filter((one) => one !== key);
    await assert.rejects(
      verifySignature(rpm, { keyrings: [await keyring(other ?? '')], at: Date.now(), what: name }),
      (error) => hasCode(error, 'SIGNATURE_INVALID'),
      name,
    );
  }
});

test('a signature does not cover a changed header', async (t) => {
  const [name, key] = SIGNED[3] ?? assert.fail();
  const bytes = read(name);
  if (!bytes) return t.skip(NEEDS);
  const original = parseRpm(bytes, name);
  const damaged = Buffer.from(bytes);
  const at = bytes.length - original.signedWhole.length + original.signedHeader.length - 40;
  damaged[at] = (damaged[at] ?? 0) ^ 1;
  await assert.rejects(
    verifySignature(parseRpm(damaged, name), { keyrings: [await keyring(key)], at: Date.now(), what: name }),
    (error) => hasCode(error, 'SIGNATURE_INVALID'),
  );
});

test('what was left out of real images is told from their databases alone', async (t) => {
  const mariner = read('rpmdb-cbl-mariner-2.0-rpmdb.sqlite');
  const suse = read('rpmdb-sle15-bci-Packages.db');
  if (!mariner || !suse) return t.skip(NEEDS);
  const input = (bytes: Buffer): Parameters<typeof openSqlite>[0] => ({
    path: rootPath('db'),
    bytes,
    bigEndian: false,
    sibling: () => undefined,
  });
  for (const [{ headers }, color] of [
    [await openSqlite(input(mariner)), 3],
    [openNdb(input(suse)), 0],
  ] as const) {
    const lists = headers.map(({ header }) => headerFiles(header, 'x', 'DATABASE_INVALID'));
    const policy = installPolicy(memoryRoot({}), lists, color);
    for (const files of lists) {
      const stored = files.map(({ state }) => state);
      assert.deepEqual([...policy.states(files, files)], stored);
      assert.deepEqual([...policy.states(files, undefined)], stored, 'also for a package that is new');
    }
  }
});
