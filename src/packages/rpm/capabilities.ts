// File capabilities: the text of FILECAPS (cap_from_text(3)) → the extended attribute `security.capability`, version 2.

const NAMES = (
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service ' +
  'net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin ' +
  'sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override ' +
  'mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'
).split(' ');

const ALL = (1n << BigInt(NAMES.length)) - 1n;
const REVISION_2 = 0x02000000;
const EFFECTIVE = 1;

export const CAPABILITY_XATTR = 'security.capability';

/** The attribute's value, or undefined for text that grants nothing or cannot be read. */
export function capabilityXattr(text: string): Uint8Array | undefined {
  const sets = { e: 0n, i: 0n, p: 0n };
  for (const clause of text.trim().split(/\s+/)) {
    const match = /^([a-z0-9_,]*)((?:[=+-][eip]*)+)$/i.exec(clause);
    if (!match) return undefined;
    const caps = capabilityBits(match[1] ?? '');
    if (caps === undefined) return undefined;
    for (const [, operator, flags = ''] of (match[2] ?? '').matchAll(/([=+-])([eip]*)/gi))
      for (const set of ['e', 'i', 'p'] as const) {
        const named = flags.toLowerCase().includes(set);
        if (operator === '=') sets[set] = named ? sets[set] | caps : sets[set] & ~caps;
        else if (named) sets[set] = operator === '+' ? sets[set] | caps : sets[set] & ~caps;
      }
  }
  if (sets.p === 0n && sets.i === 0n) return undefined;
  const value = Buffer.alloc(20);
  value.writeUInt32LE(REVISION_2 | (sets.e === 0n ? 0 : EFFECTIVE), 0);
  value.writeUInt32LE(Number(sets.p & 0xffffffffn), 4);
  value.writeUInt32LE(Number(sets.i & 0xffffffffn), 8);
  value.writeUInt32LE(Number(sets.p >> 32n), 12);
  value.writeUInt32LE(Number(sets.i >> 32n), 16);
  return value;
}

function capabilityBits(list: string): bigint | undefined {
  if (list === '' || list.toLowerCase() === 'all') return ALL;
  let bits = 0n;
  for (const name of list.toLowerCase().split(',')) {
    const index = NAMES.indexOf(name.replace(/^cap_/, ''));
    if (index === -1) return undefined;
    bits |= 1n << BigInt(index);
  }
  return bits;
}
