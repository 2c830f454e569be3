// The closed list of commands that are understood: everything else a script comes to is reported.
import { ACCOUNT_COMMANDS } from './accounts.ts';
import { ALTERNATIVES_COMMANDS } from './alternatives.ts';
import { ATTRIBUTE_COMMANDS } from './attributes.ts';
import type { Command, CommandTable } from './command.ts';
import { DEBCONF_COMMANDS } from './debconf.ts';
import { DERIVED_COMMANDS } from './derived.ts';
import { DPKG_COMMANDS } from './dpkg.ts';
import { FILE_COMMANDS } from './files.ts';
import { READERS } from './readers.ts';
import { SERVICE_COMMANDS } from './services.ts';
import { TEST_COMMANDS } from './test.ts';

const COMMANDS: CommandTable = {
  ...READERS,
  ...TEST_COMMANDS,
  ...FILE_COMMANDS,
  ...ATTRIBUTE_COMMANDS,
  ...ACCOUNT_COMMANDS,
  ...DPKG_COMMANDS,
  ...DEBCONF_COMMANDS,
  ...SERVICE_COMMANDS,
  ...DERIVED_COMMANDS,
  ...ALTERNATIVES_COMMANDS,
};

export function commandNamed(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}
