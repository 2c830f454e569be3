// Commands that derive a file from others (caches, indexes, lists): where the others are what they were in the image
// before, the result is what it was too. Where they differ the command is reported.
import { isKnown } from '../shell/unknown.ts';
import { isUnchanged } from '../unchanged.ts';
import { answer, isObscure, WOULD_CHANGE } from './command.ts';
import type { Command, CommandTable } from './command.ts';

/** Command → directories and files it reads; `operands`: those it is given. */
const INPUTS: Readonly<Record<string, readonly string[] | 'operands'>> = {
  'pam-auth-update': ['usr/share/pam-configs'],
  'update-passwd': ['usr/share/base-passwd'],
  'update-shells': ['usr/share/debianutils'],
  'update-mime': ['usr/lib/mime/packages', 'usr/share/applications'],
  'update-mime-database': ['usr/share/mime/packages'],
  'update-desktop-database': ['usr/share/applications'],
  'update-icon-caches': 'operands',
  'gtk-update-icon-cache': 'operands',
  'glib-compile-schemas': 'operands',
  'gio-querymodules': 'operands',
  'gdk-pixbuf-query-loaders': ['usr/lib/gdk-pixbuf-2.0', 'usr/lib64/gdk-pixbuf-2.0'],
  'fc-cache': ['usr/share/fonts', 'usr/local/share/fonts', 'etc/fonts'],
  'systemd-hwdb': ['usr/lib/udev/hwdb.d', 'lib/udev/hwdb.d', 'etc/udev/hwdb.d'],
  'update-catalog': ['etc/sgml', 'usr/share/sgml'],
  'update-xmlcatalog': ['etc/xml', 'usr/share/xml'],
  'update-ca-trust': ['usr/share/pki', 'etc/pki/ca-trust/source'],
  'update-crypto-policies': ['usr/share/crypto-policies', 'etc/crypto-policies'],
  'locale-gen': ['etc/locale.gen', 'usr/share/i18n'],
};

function derived(inputs: readonly string[] | 'operands'): Command {
  return ({ args, scene }) => {
    const operands = args.filter((arg) => !arg.startsWith('-'));
    const paths = inputs === 'operands' ? operands : inputs;
    if (!args.every(isKnown) || paths.some(isObscure) || paths.length === 0) return WOULD_CHANGE;
    return paths.every((path) => isUnchanged(scene.context.draft, path)) ? answer(true) : WOULD_CHANGE;
  };
}

/** add-shell and remove-shell (debianutils), by what /etc/shells says. */
function shells(wanted: boolean): Command {
  return ({ args, scene: { draft } }) => {
    if (!args.every(isKnown) || !draft.readable('etc/shells')) return WOULD_CHANGE;
    const lines = Buffer.from(draft.read('etc/shells') ?? [])
      .latin1Slice()
      .split('\n');
    return args.every((shell) => lines.includes(shell) === wanted) ? answer(true) : WOULD_CHANGE;
  };
}

export const DERIVED_COMMANDS: CommandTable = {
  ...Object.fromEntries(Object.entries(INPUTS).map(([name, inputs]) => [name, derived(inputs)])),
  'add-shell': shells(true),
  'remove-shell': shells(false),
};
