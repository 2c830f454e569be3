// Signatures made by the real gpg, verified by us; keys are made when the test runs.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { gnuPg } from '../../test/support/gnupg.ts';
import type { GnuPg } from '../../test/support/gnupg.ts';
import { OnlayError } from '../errors.ts';
import { concatBytes } from '../base/bytes.ts';
import { readKeyring } from './keyring.ts';
import type { Keyring } from './keyring.ts';
import { verifyCleartext, verifyDetached } from './openpgp.ts';
import { readPackets } from './packets.ts';

const gpg = gnuPg();
const data = Buffer.from('Origin: Test\nSuite: stable\n- dash\n-----\nFrom here\ntrailing \t\n\n');
const NOW = Date.now() + 60_000;
const LONG_AGO = 1_577_836_800; // 2020-01-01

describe('signatures of gpg', { skip: gpg ? false : 'there is no gpg on this machine' }, () => {
  const pg = gpg as GnuPg;
  const keys: Record<'ed' | 'rsa' | 'weak' | 'expired' | 'revoked' | 'other' | 'sub', string> = {
    ed: '',
    rsa: '',
    weak: '',
    expired: '',
    revoked: '',
    other: '',
    sub: '',
  };
  let all: Keyring;
  before(async () => {
    keys.ed = pg.generate('Ed <ed@test>');
    keys.rsa = pg.generate('Rsa <rsa@test>', { algorithm: 'rsa2048' });
    keys.weak = pg.generate('Weak <weak@test>', { algorithm: 'rsa1024' });
    keys.expired = pg.generate('Expired <expired@test>', { time: LONG_AGO, expires: '30d' });
    keys.revoked = pg.generate('Revoked <revoked@test>');
    keys.other = pg.generate('Other <other@test>');
    keys.sub = pg.generate('Sub <sub@test>', { usage: 'cert' });
    pg.run(['--quick-add-key', keys.sub, 'ed25519', 'sign', 'never']);
    all = await readKeyring(pg.export(keys.ed, keys.rsa, keys.weak, keys.expired, keys.sub), 'all.gpg');
  });
  after(() => gpg?.[Symbol.dispose]());

  const detach = (key: string, ...options: readonly string[]): Buffer =>
    pg.run([...options, '-u', key, '--detach-sign'], data);
  const clear = (key: string, ...options: readonly string[]): Buffer =>
    pg.run([...options, '-u', key, '--clear-sign'], data);
  const verify = (
    signature: Uint8Array,
    keyrings: readonly Keyring[],
    more = {},
  ): ReturnType<typeof verifyDetached> =>
    verifyDetached({ data, signature, keyrings, at: NOW, what: 'a test', ...more });
  const refused = (promise: Promise<unknown>, why: RegExp): Promise<void> =>
    assert.rejects(
      promise,
      (error) => error instanceof OnlayError && error.code === 'SIGNATURE_INVALID' && why.test(error.message),
    );

  for (const name of ['ed', 'rsa', 'sub'] as const)
    test(`verifyDetached() accepts a binary, an armored and a cleartext signature of a good key: ${name}`, async () => {
      const key = keys[name];
      const fact = await verify(detach(key), [all]);
      assert.equal(fact.fingerprint, key);
      assert.equal(fact.keyring, 'all.gpg');
      assert.equal(fact.keyId === key.slice(-16), name !== 'sub');
      assert.match(fact.userId ?? '', /@test/);
      await verify(detach(key, '--armor'), [all]);
      const document = clear(key);
      const { text } = await verifyCleartext({ document, keyrings: [all], at: NOW, what: 'a test' });
      assert.equal(Buffer.from(text).toString(), data.toString().replace('trailing \t\n', 'trailing\n'));
      const crlf = Buffer.from(document.toString().replaceAll('\n', '\r\n'));
      const again = await verifyCleartext({ document: crlf, keyrings: [all], at: NOW, what: 'a test' });
      assert.deepEqual(again.text, text);
    });

  test('verifyDetached() refuses changed content', async () => {
    const signature = detach(keys.rsa);
    await refused(
      verifyDetached({
        data: Buffer.concat([data, data]),
        signature,
        keyrings: [all],
        at: NOW,
        what: 'a test',
      }),
      /digest did not match/,
    );
    const flipped = Buffer.from(signature);
    flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1;
    await refused(verify(flipped, [all]), /Signature verification failed/);
  });

  test('verifyDetached() refuses keys that are unknown, expired, revoked or weak, and says so', async () => {
    await refused(verify(detach(keys.other), [all]), /is not trusted here/);
    const old = detach(keys.expired, '--faked-system-time', `${LONG_AGO + 60}!`);
    await refused(verify(old, [all]), /expired/);
    assert.equal((await verify(old, [all], { allowExpiredSince: true })).fingerprint, keys.expired);
    assert.equal((await verify(old, [all], { at: (LONG_AGO + 120) * 1000 })).fingerprint, keys.expired);
    const late = detach(keys.ed);
    await refused(verify(late, [all], { at: LONG_AGO * 1000 }), /in the future|younger/);
    await refused(verify(detach(keys.weak), [all]), /too weak|minRSABits|shorter than/);
    const signature = detach(keys.revoked);
    const before = await readKeyring(pg.export(keys.revoked), 'before.gpg');
    assert.equal((await verify(signature, [before])).fingerprint, keys.revoked);
    pg.revoke(keys.revoked);
    await refused(verify(signature, [await readKeyring(pg.export(keys.revoked), 'after.gpg')]), /revoked/);
  });

  test('verifyDetached() refuses SHA-1 digests', async () => {
    await refused(
      verify(detach(keys.rsa, '--digest-algo', 'SHA1', '--allow-weak-digest-algos'), [all]),
      /SHA1/,
    );
  });

  test('verifyDetached() takes one good signature among several', async () => {
    const both = Buffer.concat([detach(keys.other), detach(keys.ed)]);
    assert.equal((await verify(both, [all])).fingerprint, keys.ed);
    const document = pg.run(['-u', keys.other, '-u', keys.rsa, '--clear-sign'], data);
    const { signature } = await verifyCleartext({ document, keyrings: [all], at: NOW, what: 'a test' });
    assert.equal(signature.fingerprint, keys.rsa);
  });

  test('verifyDetached() refuses a subkey that its primary key did not bind (CVE-2021-3521)', async () => {
    const [good, victim] = [pg.export(keys.sub), pg.export(keys.ed)];
    const packets = readPackets(good, 'key', 'INTERNAL');
    const subkey = packets.findIndex((packet) => packet.tag === 14);
    assert.ok(subkey > 0);
    const signature = detach(keys.sub);
    const unbound = concatBytes(packets.slice(0, subkey + 1).map((packet) => packet.raw));
    await refused(verify(signature, [await readKeyring(unbound, 'unbound')]), /signing key|binding/i);
    // the attacker's subkey with its own binding, glued to a trusted key
    const glued = concatBytes([victim, ...packets.slice(subkey).map((packet) => packet.raw)]);
    await refused(verify(signature, [await readKeyring(glued, 'glued')]), /signing key|binding/i);
  });

  test('verifyCleartext() refuses text around the signed block (CVE-2016-1252)', async () => {
    const document = clear(keys.ed).toString();
    const check = (text: string): ReturnType<typeof verifyCleartext> =>
      verifyCleartext({ document: Buffer.from(text), keyrings: [all], at: NOW, what: 'a test' });
    await check(`\n\n${document}\n \n`);
    await refused(check(`Suite: evil\n${document}`), /does not begin/);
    await refused(check(`${document}Suite: evil\n`), /after the signed block/);
    await refused(check(document + document), /after the signed block/);
    await refused(check(document.replace('\nHash: ', '\nSuite: evil\nHash: ')), /header other than Hash/);
    await refused(check(document.replace('\n\nOrigin', '\n\t\nSuite: evil\nOrigin')), /digest did not match/);
    await refused(check(document.replace('- -----', '-----')), /unescaped dash/);
    await refused(check(document.replace(/-----BEGIN PGP SIGNATURE[^]*/, '')), /signature is missing/);
  });

  test('readKeyring() reads armored, repeated and binary keys and refuses a keybox by name', async () => {
    const armored = Buffer.concat([
      pg.run(['--armor', '--export', keys.ed]),
      Buffer.from('\ncomment\n'),
      pg.run(['--armor', '--export', keys.rsa]),
    ]);
    const keyring = await readKeyring(armored, 'two.asc');
    assert.deepEqual(
      keyring.keys.map((key) => key.getFingerprint().toUpperCase()),
      [keys.ed, keys.rsa],
    );
    assert.equal((await readKeyring(pg.export(keys.ed, keys.rsa), 'two.gpg')).keys.length, 2);
    assert.equal((await readKeyring(new Uint8Array(), 'empty.gpg')).keys.length, 0);
    const keybox = Buffer.concat([
      Buffer.from([0, 0, 0, 32, 1, 1, 0, 2]),
      Buffer.from('KBXf'),
      Buffer.alloc(20),
    ]);
    await assert.rejects(readKeyring(keybox, 'pubring.kbx'), /pubring\.kbx: it is in GnuPG's keybox format/);
    await assert.rejects(readKeyring(Buffer.from('hello'), 'x.gpg'), /no OpenPGP public key/);
    const damaged = armored.toString().replace(/\n=(.)/, (_, c: string) => `\n=${c === 'A' ? 'B' : 'A'}`);
    await assert.rejects(readKeyring(Buffer.from(damaged), 'x.asc'), /checksum/);
  });
});

test('verifyCleartext() takes no quadratic time over long runs of blanks', async () => {
  const long = `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${' '.repeat(4_000_000)}x\n`;
  // an hour with /\s+$/; the test runner's own limit is the check
  await assert.rejects(
    verifyCleartext({ document: Buffer.from(long), keyrings: [], at: NOW, what: 'a test' }),
    /signature is missing/,
  );
});
