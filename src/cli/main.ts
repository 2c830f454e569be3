// The command line: parses, runs one command, turns errors into one line, a hint and an exit status. Everything heavy is
// imported by the command that needs it, so that help and usage errors are quick.
import { Command, CommanderError } from 'commander';
import { OnlayError, messageOf } from '../errors.ts';
import { applyEnvironment, isOn, splitSwitches } from './environment.ts';
import { exitStatus } from './exit-codes.ts';
import {
  addApplyFlags,
  addOutputFlags,
  addPlanFlags,
  addRepositoryFlags,
  addSourceFlags,
  addTransportFlags,
  epochFlag,
  flag,
  platformFlag,
  requireImage,
} from './options.ts';
import { errorDocument } from './result.ts';
import { listenForSignals } from './signals.ts';
import { watchOutput } from './standard-output.ts';
import { openTerminal } from './terminal.ts';
import type { RunStreams, Streams } from './streams.ts';
import { TOOL } from './tool.ts';

/** Runs `argv` (without node and script) and answers the exit status. Never throws. */
export async function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  const { stdin, stdout, stderr, env } = streams;
  const warnings: string[] = [];
  const told: RunStreams['told'] = {};
  const output = watchOutput(streams);
  using interruption = listenForSignals();
  const failed = (error: OnlayError, stack: string | undefined): number => {
    if (argv.includes('--json') || isOn(env, 'JSON')) stdout.write(errorDocument(error, warnings));
    const {
      terminal = openTerminal({ stream: stderr, mode: 'plain', warnings, debug: false, color: false }),
    } = told;
    terminal.error(error.message, error.hint);
    if (stack !== undefined && (argv.includes('--debug') || isOn(env, 'DEBUG'))) stderr.write(`${stack}\n`);
    return exitStatus(error);
  };
  let status = 0;
  try {
    const run = { stdin, stdout, stderr, env, warnings, told, signal: interruption.signal };
    const program = buildProgram(run, (result) => void (status = result));
    const { args, off } = splitSwitches(argv, program.commands);
    program.hook('preAction', (_, command) => {
      for (const key of off) command.setOptionValueWithSource(key, false, 'cli');
      applyEnvironment(command, env);
      requireImage(command);
    });
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && SHOWN.includes(error.code)) status = error.exitCode === 0 ? 0 : 2;
    else status = failed(asOnlayError(error, argv), error instanceof Error ? error.stack : undefined);
  }
  const lost = await output.failure();
  if (lost && status === 0) status = failed(lost, undefined);
  return status === 0 ? 0 : (interruption.status ?? status);
}

/** Help and version, which are no errors. */
const SHOWN: readonly string[] = ['commander.help', 'commander.helpDisplayed', 'commander.version'];

function asOnlayError(error: unknown, argv: readonly string[]): OnlayError {
  if (error instanceof OnlayError) return error;
  if (error instanceof CommanderError) {
    const text = error.message.replace(/^error: /, '');
    const command = argv.find((arg) => /^[a-z]+$/.test(arg) && COMMANDS.includes(arg));
    return new OnlayError(
      'USAGE',
      text.replace(/^./, (first) => first.toUpperCase()),
      {
        hint: `see onlay ${command === undefined ? '' : `${command} `}--help`,
      },
    );
  }
  return new OnlayError('INTERNAL', messageOf(error), {
    hint: 'this is a defect of onlay; please report it with the output of --debug',
    cause: error,
  });
}

const COMMANDS: readonly string[] = [
  'patch',
  'plan',
  'inspect',
  'diff',
  'verify',
  'login',
  'logout',
  'cache',
];

function buildProgram(streams: RunStreams, done: (status: number) => void): Command {
  const program = new Command('onlay')
    .description(
      'Patches container images without a daemon: one new layer with verified packages, from registry to registry.',
    )
    .version(`${TOOL.name} ${TOOL.version}`, '--version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
      // told by `main`, as all errors
      outputError: () => undefined,
    })
    .addHelpText('after', EXAMPLES);
  const command = (name: string, description: string): Command => {
    const added = program.command(name).description(description).exitOverride();
    return added.copyInheritedSettings(program).addHelpText('after', ENVIRONMENT);
  };

  const patch = command('patch', 'plan, fetch, verify, write one layer, and push or save the image');
  for (const add of [addSourceFlags, addPlanFlags, addApplyFlags, addTransportFlags, addOutputFlags])
    add(patch);
  patch.addHelpText('after', PATCH_HELP);
  patch.action(async (flags) => done(await (await import('./commands/patch.ts')).patch(flags, streams)));

  const plan = command('plan', 'everything up to the plan: what would be done, from where, and why');
  for (const add of [addSourceFlags, addPlanFlags, addTransportFlags, addOutputFlags]) add(plan);
  plan.action(async (flags) => done(await (await import('./commands/plan.ts')).plan(flags, streams)));

  const inspect = command(
    'inspect',
    'distro, package database, packages, layers and lineage of an image',
  ).argument('<image>');
  inspect.addOption(platformFlag());
  for (const add of [addTransportFlags, addOutputFlags]) add(inspect);
  inspect.action(async (image, flags) =>
    done(await (await import('./commands/inspect.ts')).inspect(image, flags, streams)),
  );

  const diff = command('diff', 'packages and files that differ between two images')
    .argument('<before>')
    .argument('<after>')
    .addOption(platformFlag());
  for (const add of [addTransportFlags, addOutputFlags]) add(diff);
  diff.action(async (before, after, flags) =>
    done(await (await import('./commands/diff.ts')).diff(before, after, flags, streams)),
  );

  const verify = command(
    'verify',
    'recompute every digest, size and diff ID; hold package database and files together',
  )
    .argument('<image>')
    .addOption(platformFlag())
    .addOption(flag('--rebuild', 'make the patch layer once more and compare'))
    .addOption(flag('--plan <file>', 'rebuild by the plan that was applied, instead of solving again'))
    .addOption(epochFlag());
  for (const add of [addRepositoryFlags, addTransportFlags, addOutputFlags]) add(verify);
  verify.action(async (image, flags) =>
    done(await (await import('./commands/verify.ts')).verify(image, flags, streams)),
  );

  const login = command('login', 'check credentials and keep them where docker and podman do')
    .argument('<host>')
    .addOption(flag('-u, --username <name>', 'user name'))
    .addOption(flag('--password-stdin', 'read the password from standard input'));
  for (const add of [addTransportFlags, addOutputFlags]) add(login);
  login.action(async (host, flags) =>
    done(await (await import('./commands/login.ts')).login(host, flags, streams)),
  );

  const logout = command('logout', 'remove kept credentials').argument('<host>');
  for (const add of [addTransportFlags, addOutputFlags]) add(logout);
  logout.action(async (host, flags) =>
    done(await (await import('./commands/login.ts')).logout(host, flags, streams)),
  );

  const cache = command('cache', 'the local cache');
  const cacheDir = flag('--cache-dir <dir>', 'where it is');
  cache
    .command('info')
    .description('what it holds')
    .addOption(cacheDir)
    .addOption(flag('--json', 'print a document'))
    .action(async (flags) => done(await (await import('./commands/cache.ts')).cacheInfo(flags, streams)));
  cache
    .command('prune')
    .description('empty it')
    .addOption(cacheDir)
    .action(async (flags) => done(await (await import('./commands/cache.ts')).cachePrune(flags, streams)));

  return program;
}

const EXAMPLES = `
Examples:
  onlay patch -i registry.example/team/web:1.4 --push            patch everything, push as 1.4-patched
  onlay patch -i web:1.4 -r trivy.json -t web:1.4.1 --push       only what the report asks for
  onlay patch -i oci:images:web -t oci:images:web-patched        in an OCI layout, no registry
  onlay plan -i web:1.4 --json                                   what would be done
  onlay inspect web:1.4                                          what is in there`;

const ENVIRONMENT = `
Every long flag can be given as ONLAY_<NAME>; HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, DOCKER_CONFIG, REGISTRY_AUTH_FILE,
SOURCE_DATE_EPOCH and NO_COLOR are honoured.`;

const PATCH_HELP = `
Destination: --push, or a -t with a transport (oci:DIR:TAG, docker-archive:FILE:REF, …), or --oci-dir, or --loader.

Exit status: 0 done or nothing to do · 2 usage · 3 report or plan · 4 image cannot be patched · 5 wanted fixes are not
available · 6 verification failed · 7 refused by policy · 8 access · 75 network or server, try again · 1 anything else`;
