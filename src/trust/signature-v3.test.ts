// Version 3 signatures: of real packages, and made here with a generated key.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createPrivateKey, createSign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { OnlayError } from '../errors.ts';
import { readKeyring } from './keyring.ts';
import { verifyDetached } from './openpgp.ts';

const shared = new URL('../../../../shared/data/rpm/', import.meta.url);
const NOW = Date.UTC(2026, 10, 1);

/** The main header of a package and the signature over it (tag 268), found by hand: this folder knows no rpm. */
function signedHeader(rpm: Buffer): { data: Buffer; signature: Buffer } {
  const entries = (at: number): { count: number; size: number } => ({
    count: rpm.readUInt32BE(at + 8),
    size: rpm.readUInt32BE(at + 12),
  });
  const first = entries(96);
  let signature: Buffer = Buffer.alloc(0);
  for (let i = 0; i < first.count; i++) {
    const entry = 96 + 16 + 16 * i;
    if (rpm.readUInt32BE(entry) !== 268) continue;
    const start = 96 + 16 + 16 * first.count + rpm.readUInt32BE(entry + 8);
    signature = rpm.subarray(start, start + rpm.readUInt32BE(entry + 12));
  }
  const main = Math.ceil((96 + 16 + 16 * first.count + first.size) / 8) * 8;
  const { count, size } = entries(main);
  return { data: rpm.subarray(main, main + 16 + 16 * count + size), signature };
}

for (const [rpm, key] of [
  ['centos-release-6-0.el6.centos.5.x86_64.rpm', 'key-RPM-GPG-KEY-CentOS-6'],
  ['centos-release-7-2.1511.el7.centos.2.10.x86_64.rpm', 'key-RPM-GPG-KEY-CentOS-7'],
  ['hello-2.0-1.x86_64-v3-signed.rpm', 'key-rpm.org-rsa-2048-test.pub'],
  ['hello-2.0-1.x86_64-signed.rpm', 'key-rpm.org-rsa-2048-test.pub'],
] as const)
  test(`verifyDetached() verifies the header signature of ${rpm}`, async (t) => {
    if (!existsSync(new URL(rpm, shared))) return t.skip('the shared rpm samples are not here');
    const { data, signature } = signedHeader(readFileSync(new URL(rpm, shared)));
    const keyrings = [await readKeyring(readFileSync(new URL(key, shared)), key)];
    const options = { data, signature, keyrings, at: NOW, what: rpm, allowV3: true, allowExpiredSince: true };
    const fact = await verifyDetached(options);
    assert.ok(fact.fingerprint.endsWith(fact.keyId));
    const changed = Buffer.from(data);
    changed[100] = (changed[100] as number) ^ 1;
    await assert.rejects(verifyDetached({ ...options, data: changed }), /does not match|did not match/);
  });

test('version 3 signatures are refused where they are not expected, with SHA-1, and when altered', async () => {
  const { generateKey } = await import('openpgp');
  const { privateKey, publicKey } = await generateKey({
    type: 'rsa',
    rsaBits: 2048,
    userIDs: [{ name: 'v3' }],
    subkeys: [],
    format: 'object',
    date: new Date(NOW - 1000),
  });
  type Numbers = Record<'n' | 'e' | 'd' | 'p' | 'q', Uint8Array>;
  const packet = privateKey.keyPacket as unknown as { publicParams: Numbers; privateParams: Numbers };
  const { n, e } = packet.publicParams;
  const { d, p, q } = packet.privateParams;
  const big = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  const url = (value: bigint | Uint8Array): string =>
    Buffer.from(
      typeof value === 'bigint' ? even(value.toString(16)) : Buffer.from(value).toString('hex'),
      'hex',
    ).toString('base64url');
  const even = (hex: string): string => (hex.length % 2 === 0 ? hex : `0${hex}`);
  const inverse = (a: bigint, m: bigint): bigint => {
    let [r0, r1, s0, s1] = [m, a % m, 0n, 1n];
    while (r1 > 0n) [r0, r1, s0, s1] = [r1, r0 % r1, s1, s0 - (r0 / r1) * s1];
    return ((s0 % m) + m) % m;
  };
  const key = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'RSA',
      n: url(n),
      e: url(e),
      d: url(d),
      p: url(p),
      q: url(q),
      dp: url(big(d) % (big(p) - 1n)),
      dq: url(big(d) % (big(q) - 1n)),
      qi: url(inverse(big(q), big(p))),
    },
  });
  const data = Buffer.from('a header');
  const make = (hash: string, algorithm: number, type = 0): Buffer => {
    const trailer = Buffer.from([type, 0, 0, 0, 0]);
    trailer.writeUInt32BE(NOW / 1000, 1);
    const mpi = createSign(hash).update(data).update(trailer).sign(key);
    const bits = mpi.length * 8;
    const body = Buffer.concat([
      Buffer.from([3, 5]),
      trailer,
      Buffer.from(publicKey.getKeyID().toHex(), 'hex'),
      Buffer.from([1, algorithm, 0, 0, bits >> 8, bits & 255]),
      mpi,
    ]);
    return Buffer.concat([Buffer.from([0x89, body.length >> 8, body.length & 255]), body]);
  };
  const keyrings = [await readKeyring(publicKey.write(), 'v3.gpg')];
  const check = (signature: Buffer, allowV3 = true): ReturnType<typeof verifyDetached> =>
    verifyDetached({ data, signature, keyrings, at: NOW + 1000, what: 'a test', allowV3 });
  assert.equal((await check(make('sha256', 8))).fingerprint, publicKey.getFingerprint().toUpperCase());
  await check(make('sha512', 10));
  const refused = async (promise: Promise<unknown>, why: RegExp): Promise<void> =>
    assert.rejects(
      promise,
      (error) => error instanceof OnlayError && error.code === 'SIGNATURE_INVALID' && why.test(error.message),
    );
  await refused(check(make('sha256', 8), false), /version 3 signatures are not accepted/);
  await refused(check(make('sha1', 2)), /SHA1/);
  await refused(check(make('sha256', 8, 0x10)), /type 16/);
  const altered = make('sha256', 8);
  altered[altered.length - 3] = (altered.at(-3) as number) ^ 4;
  await refused(check(altered), /does not match/);
  await refused(check(altered.subarray(0, -1)), /not OpenPGP data/);
});
