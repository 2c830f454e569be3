import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilityXattr } from './capabilities.ts';

const hex = (text: string): string | undefined => {
  const value = capabilityXattr(text);
  return value && Buffer.from(value).toString('hex');
};

// values that setcap of libcap 2.66 wrote
test('capabilityXattr() writes what the kernel reads', () => {
  assert.equal(hex('cap_net_raw=ep'), '0100000200200000000000000000000000000000');
  assert.equal(hex('= cap_net_raw+ep'), '0100000200200000000000000000000000000000');
  assert.equal(hex('cap_net_raw=p'), '0000000200200000000000000000000000000000');
  assert.equal(hex('cap_net_admin,cap_net_raw=ep'), '0100000200300000000000000000000000000000');
  assert.equal(hex('cap_setuid=eip'), '0100000280000000800000000000000000000000');
  assert.equal(hex('cap_checkpoint_restore=p'), '0000000200000000000000000001000000000000');
});

test('text that grants nothing or is not understood gives no attribute', () => {
  for (const text of ['', '=', 'cap_net_raw=', 'cap_nonsense=ep', 'cap_net_raw', '; rm'])
    assert.equal(capabilityXattr(text), undefined, text);
});
