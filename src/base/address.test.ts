import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKind, mayReach } from './address.ts';

test('addressKind() knows what no public server may lead us to', () => {
  const rows: Record<string, readonly string[]> = {
    metadata: [
      '169.254.169.254',
      '169.254.170.2',
      '100.100.100.200',
      '0.0.0.0',
      '0.1.2.3',
      '::',
      'fe80::1',
      'fe80::1%eth0',
      'fd00:ec2::254',
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
      '64:ff9b::a9fe:a9fe',
    ],
    loopback: ['127.0.0.1', '127.255.0.3', '::1', '::ffff:127.0.0.1'],
    private: [
      '10.0.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      'fd12::1',
      '::ffff:10.0.0.1',
      '255.255.255.255',
    ],
    public: ['8.8.8.8', '172.32.0.1', '100.63.0.1', '2606:4700::1', '::ffff:8.8.8.8', '128.0.0.1'],
  };
  for (const [kind, addresses] of Object.entries(rows))
    for (const address of addresses) assert.equal(addressKind(address), kind, address);
});

test('mayReach() lets private networks be reached only where the registry is part of one', () => {
  assert.equal(mayReach('10.0.0.1', 'public'), false);
  assert.equal(mayReach('10.0.0.1', 'no-metadata'), true);
  assert.equal(mayReach('169.254.169.254', 'no-metadata'), false);
  assert.equal(mayReach('169.254.169.254', 'any'), true);
});
