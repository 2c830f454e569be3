import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteString } from '../../base/bytes.ts';
import { createDraft } from '../../rootfs/draft.ts';
import { memoryRoot } from '../../../test/support/memory-root.ts';
import { makeAccounts, type AccountSource } from './new-accounts.ts';

const FILES = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/bash\nsshd:x:74:74::/:/sbin/nologin\ndbus:x:990:989::/:/sbin/nologin\n',
  'etc/group': 'root:x:0:\ndbus:x:989:\n',
  'etc/shadow': 'root:*:1::::::\n',
};

function make(
  source: Partial<AccountSource>,
  files: Readonly<Record<string, string>> = FILES,
): Record<string, string> {
  const draft = createDraft(memoryRoot(files));
  makeAccounts(
    draft,
    [{ users: new Set(), groups: new Set(), script: '', sysusers: [], ...source }],
    86_400 * 20_000,
  );
  const added = (path: string): string =>
    byteString(draft.read(path) ?? new Uint8Array()).slice((files[path] ?? '').length);
  return { passwd: added('etc/passwd'), group: added('etc/group'), shadow: added('etc/shadow') };
}

// what groupadd and useradd of shadow 4.13 made of the same files with the same arguments
test('accounts of a %pre script are made when files need them', () => {
  const script = `getent group nginx >/dev/null || groupadd -r nginx
getent passwd nginx >/dev/null || \\
    useradd -r -d /var/lib/nginx -g nginx -s /sbin/nologin -c "Nginx web server" nginx 2>/dev/null || :
exit 0`;
  assert.deepEqual(make({ users: new Set(['nginx']), groups: new Set(['nginx']), script }), {
    passwd: 'nginx:x:989:988:Nginx web server:/var/lib/nginx:/sbin/nologin\n',
    group: 'nginx:x:988:\n',
    shadow: 'nginx:!!:20000::::::\n',
  });
});

test('fixed numbers, joined flags and paths of the commands are understood', () => {
  const script =
    '/usr/sbin/groupadd -rg 27 mysql || :\n/usr/sbin/useradd -M -N -g mysql -o -r -d /var/lib/mysql -s /sbin/nologin -u27 mysql';
  assert.deepEqual(make({ users: new Set(['mysql']), groups: new Set(['mysql']), script }), {
    passwd: 'mysql:x:27:27::/var/lib/mysql:/sbin/nologin\n',
    group: 'mysql:x:27:\n',
    shadow: 'mysql:!!:20000::::::\n',
  });
});

test('sysusers.d files count as well', () => {
  const sysusers = ['# comment\nu tss 59 "TPM access" - -\ng wanted -\nm tss wanted\n'];
  assert.deepEqual(make({ users: new Set(['tss']), groups: new Set(['wanted']), sysusers }), {
    passwd: 'tss:x:59:987:TPM access:/:/usr/sbin/nologin\n',
    group: 'wanted:x:988:\ntss:x:987:\n',
    shadow: 'tss:!!:20000::::::\n',
  });
});

test('nothing is made that exists, that no file needs, that is not literal, or without account files', () => {
  const nothing = { passwd: '', group: '', shadow: '' };
  const script = 'useradd -r dbus\nuseradd -r other\nuseradd -r -d "$HOME" evil\nuseradd -r "a:0:0"';
  assert.deepEqual(make({ users: new Set(['dbus', 'evil', 'a:0:0', 'root']), script }), nothing);
  assert.deepEqual(make({ users: new Set(['unknown']), groups: new Set(['unknown']) }), nothing);
  assert.deepEqual(make({ users: new Set(['x']), script: 'useradd -r x' }, {}), nothing);
});
